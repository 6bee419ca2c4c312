//! The weight path in Verilator: words in order and in time, events, restarts.

#[path = "../emitter/tests/bench/mod.rs"]
mod bench;
#[allow(dead_code)] // ports of 72 bits are inside
mod words;

use bench::{Bench, lanes};
use brownout_hdl::emit::Emitter;
use brownout_hdl::weight::WeightPath;
use brownout_spec::code::{Code, Codeword, Outcome, Policy};
use brownout_spec::config::Configuration;
use brownout_spec::cycles::weight_latency;
use brownout_spec::fault::{ChipFaults, FaultMode, OnesShare};
use brownout_spec::quantity::{ChipSeed, Pass, Threshold, WordAddress};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rust_hdl::prelude::Block;

/// Words of the memory.
const DEPTH: usize = 600;
const PASSES: usize = 12;
/// Clocks that a pass is given after its last word, for its last events.
const TAIL: usize = 8;

const CONTROLS: [&str; 19] = [
    "reset",
    "start",
    "load_start",
    "write_address",
    "write_data",
    "weight_words",
    "policy",
    "chip_seed_low",
    "chip_seed_high",
    "pass",
    "threshold",
    "fault_mode",
    "ones_share",
    "load_restart",
    "load_diagonal",
    "load_group_inputs",
    "load_group_outputs",
    "load_columns_left",
    "load_first_row",
];
/// First of the inputs that stay for a whole pass.
const SETTINGS: usize = 5;

const EVENTS: [&str; 10] = [
    "load_ready",
    "weight_valid",
    "weight_row",
    "weight_group",
    "word_read",
    "corrected",
    "detected",
    "detected_address",
    "disturbed",
    "flipped",
];

fn configuration(shape: (usize, usize), bits: usize, code: &str, faults: bool) -> Configuration {
    let (rows, columns) = shape;
    Configuration::from_toml(&format!(
        "rows = {rows}\ncolumns = {columns}\nweight_bits = {bits}\ncode = \"{code}\"\n\
         voltage_model = \"fdx-22nm\"\nfault_emulation = {faults}\n[depths]\nweights = {DEPTH}\n\
         activations = 64\naccumulators = 64\nparameters = 8\nlayers = 4\n"
    ))
    .expect("a valid configuration")
}

/// One pass: its settings, and what must come of it.
struct PassPlan {
    settings: Vec<u64>,
    /// Packed weights of every word, in order.
    fields: Vec<u64>,
    /// Words read, corrected, detected, disturbed, bits flipped.
    events: [u64; 5],
    detected_addresses: Vec<u64>,
    /// Clock of each tile's `load_start`, from the pass's `start`; the first tile's is `start` itself.
    loads: Vec<usize>,
    /// Whether the next pass starts before the words of this one are used up.
    stopped: bool,
}

impl PassPlan {
    fn draw(c: &Configuration, stored: &[u128], number: usize, rng: &mut ChaCha8Rng) -> Self {
        let code = Code::of(c);
        let share = OnesShare::new(rng.random_range(0..=256)).expect("at most 256");
        let mode = match (c.fault_emulation, number % 4) {
            (true, 0) => FaultMode::Persistent,
            (true, 1) => FaultMode::Transient,
            (true, 2) => FaultMode::StuckAt { share },
            _ => FaultMode::None,
        };
        let chip = ChipFaults {
            seed: ChipSeed(rng.random()),
            mode,
            threshold: Threshold(rng.random::<u32>() >> rng.random_range(1..10)),
        };
        let pass = Pass(rng.random());
        let policies = 2 + usize::from(c.code.is_in_place());
        let policy = Policy::ALL[rng.random_range(0..policies)];
        let tile = c.words_per_tile();
        let tiles = match number {
            0 => stored.len() / tile,
            _ => rng.random_range(1..=stored.len() / tile),
        };
        let mut plan = Self {
            settings: vec![
                (tiles * tile - 1) as u64,
                u64::from(policy.number()),
                chip.seed.0 & 0xffff_ffff,
                chip.seed.0 >> 32,
                u64::from(pass.0),
                u64::from(chip.threshold.0),
                u64::from(mode.hardware_number()),
                u64::from(mode.hardware_share()),
                // Every tile is that of a layer of one group.
                1,
                0,
                16_383,
                c.columns as u64 - 1,
                c.columns as u64 - 1,
                0,
            ],
            fields: Vec::new(),
            events: [0; 5],
            detected_addresses: Vec::new(),
            loads: Vec::new(),
            stopped: number % 3 == 2 && tiles > 2,
        };
        for (address, &word) in stored.iter().enumerate().take(tiles * tile) {
            let flips = chip.flips(WordAddress(address as u32), pass, word, code.n());
            plan.read(&code, policy, address, word, flips);
        }
        plan.place_loads(c, tiles, rng);
        plan
    }

    fn read(&mut self, code: &Code, policy: Policy, address: usize, word: u128, flips: u128) {
        let (field, outcome) = code.decode_field(Codeword(word ^ flips), policy);
        self.fields.push(field);
        self.events[0] += 1;
        match outcome {
            Outcome::Clean => {}
            Outcome::Corrected { .. } => self.events[1] += 1,
            Outcome::Detected => {
                self.events[2] += 1;
                self.detected_addresses.push(address as u64);
            }
        }
        self.events[3] += u64::from(flips != 0);
        self.events[4] += u64::from(flips.count_ones());
    }

    /// The next tile is asked for in the clock after `load_ready`, or some clocks later. Behind
    /// the last tile one more is asked for, as the sequencer does; it has no words.
    fn place_loads(&mut self, c: &Configuration, tiles: usize, rng: &mut ChaCha8Rng) {
        let slack = [1, 4, 90][rng.random_range(0..3)];
        let asked = if self.stopped { tiles / 2 } else { tiles + 1 };
        self.loads = vec![0];
        while self.loads.len() < asked {
            let ready = self.ready(c, self.loads.len() - 1);
            self.loads.push(ready + 1 + rng.random_range(0..slack));
        }
    }

    /// Clock in which `load_ready` is set again after tile `tile` was asked for.
    fn ready(&self, c: &Configuration, tile: usize) -> usize {
        let words = c.words_per_tile();
        match tile {
            0 => weight_latency(c) + words,
            _ if tile * words == self.fields.len() => self.loads[tile],
            _ => self.loads[tile] + words - 1,
        }
    }

    fn length(&self, c: &Configuration) -> usize {
        let tail = if self.stopped { 0 } else { TAIL };
        self.ready(c, self.loads.len() - 1) + 1 + tail
    }

    /// `load_ready`, clock by clock; nothing in those of a `load_start`, in which no tile ends.
    fn readiness(&self, c: &Configuration) -> Vec<Option<bool>> {
        let mut ready = vec![Some(true); self.length(c)];
        for (tile, &asked) in self.loads.iter().enumerate() {
            let end = self.ready(c, tile).max(asked + 1);
            ready[asked] = None;
            ready[asked + 1..end].fill(Some(false));
        }
        ready
    }

    /// Clock in which word `k` is at the array's port; the first tile waits for the memory.
    fn presented(&self, c: &Configuration, k: usize) -> usize {
        let words = c.words_per_tile();
        match k / words {
            0 => weight_latency(c) + 3 + k,
            tile => self.loads[tile] + 2 + k % words,
        }
    }

    fn rows(&self, c: &Configuration, inputs: usize) -> Vec<Vec<u64>> {
        let row = |clock: usize| {
            let mut row = vec![0; inputs];
            row[1] = u64::from(clock == 0);
            row[2] = u64::from(clock > 0 && self.loads.contains(&clock));
            row[SETTINGS..SETTINGS + self.settings.len()].copy_from_slice(&self.settings);
            row
        };
        (0..self.length(c)).map(row).collect()
    }

    fn check(&self, c: &Configuration, responses: &[Vec<u64>]) {
        let (lanes, words) = (c.weights_per_word(), c.words_per_tile());
        let groups = (c.columns / lanes).max(1);
        for (clock, (response, ready)) in responses.iter().zip(self.readiness(c)).enumerate() {
            if let Some(ready) = ready {
                assert_eq!(response[0] == 1, ready, "load_ready in clock {clock}");
            }
        }
        let last = (self.loads.len() * words).min(self.fields.len());
        let mut next = 0;
        let mut events = [0; 5];
        let mut addresses = Vec::new();
        // In the first clock, events and words may still be those of the pass before.
        for (clock, response) in responses.iter().enumerate().skip(1) {
            if response[1] == 1 {
                let weights = &response[EVENTS.len()..];
                let width = c.weight_bits.bits();
                let field = (0..lanes).map(|lane| weights[lane] << (width * lane)).sum();
                assert_eq!(self.fields.get(next), Some(&field), "word {next}");
                assert_eq!(clock, self.presented(c, next), "clock of word {next}");
                let place = (next % words / groups, next % words % groups);
                assert_eq!((response[2] as usize, response[3] as usize), place);
                next += 1;
            }
            for (sum, column) in events.iter_mut().zip([4, 5, 6, 8, 9]) {
                *sum += response[column];
            }
            if response[6] == 1 {
                addresses.push(response[7]);
            }
        }
        // The last words of a stopped pass would be presented when the next one has started.
        let in_time = |&k: &usize| self.presented(c, k) < self.length(c);
        let expected = (0..last).filter(in_time).count();
        assert!(self.stopped || expected == last);
        assert_eq!(next, expected, "words of the tiles asked for");
        if !self.stopped {
            assert_eq!(events, self.events, "events");
            assert_eq!(addresses, self.detected_addresses);
        }
    }
}

/// Rows that reset the path and write the memory, beat by beat.
fn preparation(stored: &[u128], bits: usize, inputs: usize) -> Vec<Vec<u64>> {
    let beats = bits.div_ceil(32);
    let mut reset = vec![0; inputs];
    reset[0] = 1;
    let mut rows = vec![reset; 4];
    for (address, word) in stored.iter().enumerate() {
        for beat in 0..beats {
            let mut row = vec![0; inputs];
            row[3] = address as u64;
            row[4] = u64::from((word >> (32 * beat)) as u32);
            row[CONTROLS.len() + beat] = 1;
            rows.push(row);
        }
    }
    rows
}

fn compare<const N: usize, const WB: usize>(c: &Configuration) {
    let mut inputs = CONTROLS.map(String::from).to_vec();
    inputs.extend(lanes("write_lane", N.div_ceil(32)));
    let mut outputs = EVENTS.map(String::from).to_vec();
    outputs.extend(lanes("weight", c.weights_per_word()));
    let mut path = WeightPath::<N, WB>::new(c);
    let Some(bench) = Bench::build(&mut path, "weight_path", &inputs, &outputs) else {
        return;
    };
    let mut rng = ChaCha8Rng::seed_from_u64(c.words_per_tile() as u64);
    let code = Code::of(c);
    let stored: Vec<u128> = (0..DEPTH / c.words_per_tile() * c.words_per_tile())
        .map(|_| code.complete(rng.random()).0)
        .collect();
    let plans: Vec<PassPlan> = (0..PASSES)
        .map(|number| PassPlan::draw(c, &stored, number, &mut rng))
        .collect();
    assert!(plans.iter().any(|plan| plan.stopped));
    let mut rows = preparation(&stored, N, inputs.len());
    let mut at = rows.len();
    rows.extend(plans.iter().flat_map(|plan| plan.rows(c, inputs.len())));
    let responses = bench.run(&rows);
    for plan in plans {
        let end = at + plan.length(c);
        plan.check(c, &responses[at..end]);
        at = end;
    }
}

#[test]
fn words_that_carry_two_rows_flow_without_a_bubble() {
    compare::<64, 8>(&configuration((4, 4), 8, "none", false));
    compare::<72, 8>(&configuration((4, 4), 8, "secded-72-64", true));
}

#[test]
fn a_tile_of_one_word_is_loaded_every_clock() {
    compare::<64, 4>(&configuration((4, 4), 4, "none", true));
}

#[test]
fn words_of_one_row_are_disturbed_decoded_and_counted() {
    compare::<64, 8>(&configuration((8, 8), 8, "inplace-64-57", true));
    compare::<72, 4>(&configuration((8, 16), 4, "secded-72-64", false));
}

#[test]
fn rows_of_several_words_arrive_in_groups_of_columns() {
    compare::<64, 8>(&configuration((16, 16), 8, "inplace-64-57", false));
    compare::<64, 4>(&configuration((16, 16), 4, "inplace-64-57", true));
    compare::<32, 4>(&configuration((4, 16), 4, "inplace-32-26", true));
}

#[test]
fn a_path_without_fault_emulation_or_code_contains_none_of_their_hardware() {
    let modules = |code, faults| {
        let c = configuration((8, 8), 8, code, faults);
        let mut path = WeightPath::<64, 8>::new(&c);
        path.connect_all();
        let emitted = Emitter::new("path")
            .emit(&path)
            .unwrap_or_else(|e| panic!("{e}"));
        emitted
            .modules
            .into_iter()
            .map(|module| module.name)
            .collect::<Vec<_>>()
    };
    let has = |modules: &[String], part: &str| modules.iter().any(|name| name.contains(part));
    let full = modules("inplace-64-57", true);
    for part in ["fault_pipeline", "cipher_fold", "popcount", "decoder"] {
        assert!(has(&full, part), "{part} in {full:?}");
    }
    let bare = modules("none", false);
    for part in ["fault", "cipher", "popcount", "decoder"] {
        assert!(!has(&bare, part), "{part} in {bare:?}");
    }
}
