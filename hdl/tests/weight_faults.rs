//! The fault pipeline in Verilator against the specification's fault function.

#[allow(dead_code)] // no port here has lanes
#[path = "../emitter/tests/bench/mod.rs"]
mod bench;
mod words;

use bench::Bench;
use brownout_hdl::weight::FaultPipeline;
use brownout_spec::config::WEIGHT_ADDRESS_BITS;
use brownout_spec::cycles::FAULT_STAGES;
use brownout_spec::fault::{ChipFaults, FaultMode, OnesShare};
use brownout_spec::quantity::{ChipSeed, Pass, Threshold, WordAddress};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::VecDeque;

/// Chips, with one operating point and one pass each.
const CHIPS: usize = 400;
/// Clocks in which a chip's words may be presented; three of four have one.
const CLOCKS: usize = 100;

struct Chip {
    faults: ChipFaults,
    pass: Pass,
    /// In other modes than stuck-at the share register may hold anything.
    share: u64,
    /// Clock in which all words inside are forgotten, for some chips.
    clear: Option<usize>,
}

impl Chip {
    fn draw(rng: &mut ChaCha8Rng, number: usize) -> Self {
        let share = match rng.random_range(0..4) {
            0 => 0,
            1 => 256,
            _ => rng.random_range(0..=256),
        };
        let mode = match number % 4 {
            0 => FaultMode::None,
            1 => FaultMode::Persistent,
            2 => FaultMode::Transient,
            _ => FaultMode::StuckAt {
                share: OnesShare::new(share).expect("a share is at most 256"),
            },
        };
        let threshold = match rng.random_range(0..6) {
            0 => 0,
            1 => u32::MAX,
            2 => 1 << rng.random_range(0..32),
            _ => rng.random::<u32>() >> rng.random_range(0..12),
        };
        Self {
            faults: ChipFaults {
                seed: ChipSeed(rng.random()),
                mode,
                threshold: Threshold(threshold),
            },
            pass: Pass(rng.random::<u32>() >> rng.random_range(0..32)),
            share: u64::from(share),
            clear: (number % 8 > 5).then(|| rng.random_range(0..CLOCKS)),
        }
    }

    /// Inputs that stay for all words of the chip.
    fn settings(&self) -> Vec<u64> {
        let seed = self.faults.seed.0;
        vec![
            seed & 0xffff_ffff,
            seed >> 32,
            u64::from(self.pass.0),
            u64::from(self.faults.threshold.0),
            u64::from(self.faults.mode.hardware_number()),
            self.share,
        ]
    }
}

/// What the outputs must show in one clock.
struct Expected {
    read: bool,
    flips: Option<u128>,
}

/// Inputs and expected outputs of one chip, until the pipeline is empty again.
fn schedule<const N: usize>(chip: &Chip, rng: &mut ChaCha8Rng) -> Vec<(Vec<u64>, Expected)> {
    let mut inside: VecDeque<(usize, WordAddress)> = VecDeque::new();
    let mut clocks = Vec::new();
    for clock in 0..CLOCKS + FAULT_STAGES + 1 {
        let address = WordAddress(rng.random_range(0..1 << WEIGHT_ADDRESS_BITS));
        let valid = clock < CLOCKS && rng.random_range(0..4) > 0;
        let clear = chip.clear == Some(clock);
        let stored = words::random(rng, N);
        let leaves = inside
            .front()
            .is_some_and(|(since, _)| since + FAULT_STAGES == clock);
        let flips = leaves.then(|| {
            let (_, address) = inside.pop_front().expect("a word leaves");
            chip.faults.flips(address, chip.pass, stored, N)
        });
        // The memory's enable is a register; then it answers, and then its own register.
        let read = inside
            .iter()
            .any(|(since, _)| since + FAULT_STAGES == clock + 3);
        if valid {
            inside.push_back((clock, address));
        }
        if clear {
            inside.clear();
        }
        let mut row = vec![0, u64::from(clear), u64::from(valid), u64::from(address.0)];
        row.extend(chip.settings());
        row.extend(words::split(stored, N));
        clocks.push((row, Expected { read, flips }));
    }
    clocks
}

fn compare<const N: usize>() {
    let mut inputs: Vec<String> = [
        "reset",
        "clear",
        "valid",
        "address",
        "chip_seed_low",
        "chip_seed_high",
        "pass",
        "threshold",
        "fault_mode",
        "ones_share",
    ]
    .map(String::from)
    .to_vec();
    inputs.extend(words::names("stored", N));
    let mut outputs = ["read", "flips_valid"].map(String::from).to_vec();
    outputs.extend(words::names("flips", N));
    let mut pipeline = FaultPipeline::<N>::default();
    let Some(bench) = Bench::build(&mut pipeline, "fault_pipeline", &inputs, &outputs) else {
        return;
    };
    let mut rng = ChaCha8Rng::seed_from_u64(N as u64);
    let mut reset = vec![0; inputs.len()];
    reset[0] = 1;
    let mut rows = vec![reset];
    let mut expectations = vec![None];
    for number in 0..CHIPS {
        let chip = Chip::draw(&mut rng, number);
        for (row, expected) in schedule::<N>(&chip, &mut rng) {
            rows.push(row);
            expectations.push(Some(expected));
        }
    }
    let (mut words, mut bits) = (0, 0);
    for (clock, (response, expected)) in bench.run(&rows).iter().zip(&expectations).enumerate() {
        let Some(expected) = expected else { continue };
        assert_eq!(
            response[0],
            u64::from(expected.read),
            "read in clock {clock}"
        );
        assert_eq!(
            response[1],
            u64::from(expected.flips.is_some()),
            "clock {clock}"
        );
        if let Some(flips) = expected.flips {
            assert_eq!(
                response[2..],
                words::split(flips, N),
                "clock {clock}: {:?}",
                rows[clock]
            );
            words += 1;
            bits += flips.count_ones();
        }
    }
    assert!(
        words > 20_000 && bits > 50_000,
        "{words} words, {bits} flips"
    );
}

#[test]
fn the_mask_of_a_32_bit_word_equals_the_fault_function_in_every_mode() {
    compare::<32>();
}

#[test]
fn the_mask_of_a_64_bit_word_equals_the_fault_function_in_every_mode() {
    compare::<64>();
}

#[test]
fn the_mask_of_a_72_bit_word_equals_the_fault_function_in_every_mode() {
    compare::<72>();
}
