//! Words per second of the fault function and of the decoder in software, on one thread.

use super::Options;
use super::clock::ProcessorTime;
use super::report::{BenchError, Figure};
use super::workload::rate;
use brownout_spec::code::{Code, CodeName, Codeword, Policy, Storage};
use brownout_spec::config::WeightBits;
use brownout_spec::fault::{ChipFaults, FaultMode, OnesShare};
use brownout_spec::quantity::{ChipSeed, Pass, WordAddress};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::hint::black_box;
use std::time::Duration;

/// Words of the memory that is worked on: those of the default accelerator.
const WORDS: usize = 16384;
/// How long one measurement goes on, at least.
const LONG: Duration = Duration::from_millis(100);
const SHORT: Duration = Duration::from_millis(1);

/// Every code, and the two kinds of faults that differ in work.
pub fn measure(options: &Options) -> Result<Vec<Figure>, BenchError> {
    let mut figures = Vec::new();
    for name in CodeName::ALL {
        let memory = Memory::new(name);
        let modes = [
            ("persistent", FaultMode::Persistent),
            (
                "stuck at",
                FaultMode::StuckAt {
                    share: OnesShare::HALF,
                },
            ),
        ];
        for (kind, mode) in modes {
            let speeds = memory.speeds(options, |memory, pass| memory.disturb(mode, pass));
            let conditions = format!("{name}, {kind} faults at 1e-3");
            figures.push(Figure::new(
                "fault function",
                &conditions,
                "words/s",
                speeds,
            ));
        }
        let speeds = memory.speeds(options, |memory, _| memory.decode());
        let conditions = format!("{name}, errors at 1e-3");
        figures.push(Figure::new("decoder", &conditions, "words/s", speeds));
    }
    Ok(figures)
}

/// Code words with errors.
struct Memory {
    code: Code,
    stored: Vec<u128>,
    read: Vec<Codeword>,
}

impl Memory {
    fn new(name: CodeName) -> Self {
        let bits = match name.supports(WeightBits::Eight) {
            true => WeightBits::Eight,
            false => WeightBits::Four,
        };
        let code = Code::new(name, bits, Storage::default());
        let mut random = ChaCha8Rng::seed_from_u64(4);
        let word = |_| code.complete(random.random()).0;
        let stored: Vec<u128> = (0..WORDS).map(word).collect();
        let mut memory = Self {
            code,
            stored,
            read: Vec::new(),
        };
        let flips = memory.disturb(FaultMode::Persistent, Pass(0));
        let words = memory.stored.iter().zip(flips);
        memory.read = words.map(|(word, flip)| Codeword(word ^ flip)).collect();
        memory
    }

    fn disturb(&self, mode: FaultMode, pass: Pass) -> Vec<u128> {
        let chip = ChipFaults {
            seed: ChipSeed(0xb0b),
            mode,
            threshold: rate().threshold(),
        };
        let mut flips = vec![0; self.stored.len()];
        let stored = black_box(&self.stored);
        chip.flips_batch(WordAddress(0), pass, stored, self.code.n(), &mut flips);
        flips
    }

    fn decode(&self) -> Vec<u128> {
        let decoded = black_box(&self.read).iter().map(|&word| {
            let (field, outcome) = self.code.decode_field(word, Policy::Keep);
            black_box(outcome);
            field.into()
        });
        decoded.collect()
    }

    /// Words per second of some work on the whole memory.
    fn speeds(&self, options: &Options, work: impl Fn(&Self, Pass) -> Vec<u128>) -> Vec<f64> {
        let least = if options.quick { SHORT } else { LONG };
        let measure = |_| {
            let start = ProcessorTime::now();
            let mut passes = 0;
            while start.elapsed() < least {
                black_box(work(self, Pass(passes)));
                passes += 1;
            }
            f64::from(passes) * WORDS as f64 / start.elapsed().as_secs_f64()
        };
        (0..options.repetitions).map(measure).collect()
    }
}
