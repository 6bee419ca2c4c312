//! The Verilog of each leaf against its Rust description, on random stimuli.

#[path = "../emitter/tests/bench/mod.rs"]
mod bench;

use bench::{Bench, lanes};
use brownout_hdl::board::BoardReset;
use brownout_hdl::column::Multiplier;
use brownout_hdl::memory::Memory;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rust_hdl::prelude::*;

const CYCLES: usize = 4000;

/// One clock of the Rust description, inputs already set.
fn clock<B: Block>(block: &mut B, set: impl Fn(&mut B, bool)) {
    for level in [false, true] {
        set(block, level);
        simulate(block, 20);
    }
}

/// A memory behind addresses of exactly the width that it decodes.
#[derive(LogicBlock)]
struct Framed<const W: usize, const A: usize> {
    pub clock: Signal<In, Clock>,
    pub read_enable: Signal<In, Bit>,
    pub read_address: Signal<In, Bits<A>>,
    pub write_address: Signal<In, Bits<A>>,
    pub write_enable: Vec<Signal<In, Bit>>,
    pub write_data: Vec<Signal<In, Bits<W>>>,
    pub read_data: Vec<Signal<Out, Bits<W>>>,
    memory: Memory<W>,
    _lanes: usize,
}

impl<const W: usize, const A: usize> Framed<W, A> {
    fn new(depth: usize, lanes: usize) -> Self {
        Self {
            clock: Default::default(),
            read_enable: Default::default(),
            read_address: Default::default(),
            write_address: Default::default(),
            write_enable: (0..lanes).map(|_| Default::default()).collect(),
            write_data: (0..lanes).map(|_| Default::default()).collect(),
            read_data: (0..lanes).map(|_| Default::default()).collect(),
            memory: Memory::new(depth, lanes),
            _lanes: lanes,
        }
    }
}

impl<const W: usize, const A: usize> Logic for Framed<W, A> {
    #[hdl_gen]
    fn update(&mut self) {
        self.memory.clock.next = self.clock.val();
        self.memory.read_enable.next = self.read_enable.val();
        self.memory.read_address.next = bit_cast::<23, A>(self.read_address.val());
        self.memory.write_address.next = bit_cast::<23, A>(self.write_address.val());
        for l in 0..self._lanes {
            self.memory.write_enable[l].next = self.write_enable[l].val();
            self.memory.write_data[l].next = self.write_data[l].val();
            self.read_data[l].next = self.memory.read_data[l].val();
        }
    }
}

fn memory_is_its_description<const W: usize, const A: usize>(depth: usize, count: usize) {
    let mut rng = ChaCha8Rng::seed_from_u64(depth as u64);
    let mut inputs = ["read_enable", "read_address", "write_address"]
        .map(String::from)
        .to_vec();
    inputs.extend(lanes("write_enable", count));
    inputs.extend(lanes("write_data", count));
    let mut memory = Framed::<W, A>::new(depth, count);
    let outputs = lanes("read_data", count);
    let Some(bench) = Bench::build(&mut memory, "words", &inputs, &outputs) else {
        return;
    };
    let mask = if W == 64 { u64::MAX } else { (1 << W) - 1 };
    // Every word is written before any is read: cells have no initial value.
    let stimuli: Vec<Vec<u64>> = (0..depth + CYCLES)
        .map(|cycle| {
            let filling = cycle < depth;
            let write = if filling {
                cycle
            } else {
                rng.random_range(0..depth)
            };
            let read = u64::from(cycle <= depth || rng.random_bool(0.7));
            let mut row = vec![read, rng.random_range(0..depth) as u64, write as u64];
            row.extend((0..count).map(|_| u64::from(filling || rng.random_bool(0.5))));
            row.extend((0..count).map(|_| rng.random::<u64>() & mask));
            row
        })
        .collect();
    let answers = bench.run(&stimuli);
    for (cycle, row) in stimuli.iter().enumerate() {
        if cycle > depth + 1 {
            let outputs = memory.read_data.iter().map(|lane| lane.val().to_u64());
            let expected: Vec<u64> = outputs.collect();
            assert_eq!(answers[cycle], expected, "cycle {cycle}");
        }
        memory.read_enable.next = row[0] == 1;
        memory.read_address.next = row[1].into();
        memory.write_address.next = row[2].into();
        for lane in 0..count {
            memory.write_enable[lane].next = row[3 + lane] == 1;
            memory.write_data[lane].next = row[3 + count + lane].into();
        }
        clock(&mut memory, |m, level| m.clock.next = level.into());
    }
}

#[test]
fn a_memory_with_lane_enables_is_its_rust_description() {
    memory_is_its_description::<8, 5>(24, 4);
}

#[test]
fn a_memory_of_whole_words_is_its_rust_description() {
    memory_is_its_description::<64, 6>(33, 1);
}

#[test]
fn the_wide_multiplier_is_its_rust_description() {
    let mut rng = ChaCha8Rng::seed_from_u64(48);
    let inputs = ["multiplicand", "factor", "enable", "enable_sum"].map(String::from);
    let mut multiplier = Multiplier::default();
    let Some(bench) = Bench::build(&mut multiplier, "wide", &inputs, &["product".to_owned()])
    else {
        return;
    };
    let stimuli: Vec<Vec<u64>> = (0..CYCLES)
        .map(|cycle| {
            let multiplicand = match rng.random_range(0..4) {
                0 => i32::MIN,
                1 => i32::MAX,
                _ => rng.random(),
            };
            let factor = match rng.random_range(0..4) {
                0 => i16::MIN,
                1 => i16::MAX,
                _ => rng.random(),
            };
            let enable = |rng: &mut ChaCha8Rng| u64::from(cycle < 4 || rng.random_bool(0.8));
            vec![
                u64::from(multiplicand as u32),
                u64::from(factor as u16),
                enable(&mut rng),
                enable(&mut rng),
            ]
        })
        .collect();
    let answers = bench.run(&stimuli);
    for (cycle, row) in stimuli.iter().enumerate() {
        if cycle > 3 {
            let expected = multiplier.product.val().to_u64();
            assert_eq!(answers[cycle][0], expected, "cycle {cycle}");
        }
        multiplier.multiplicand.next = row[0].into();
        multiplier.factor.next = row[1].into();
        multiplier.enable.next = row[2] == 1;
        multiplier.enable_sum.next = row[3] == 1;
        clock(&mut multiplier, |m, level| m.clock.next = level.into());
    }
}

#[test]
fn the_reset_of_a_board_is_its_rust_description_and_holds_from_power_up() {
    let mut rng = ChaCha8Rng::seed_from_u64(256);
    let mut reset = BoardReset::default();
    let (inputs, outputs) = (["button".to_owned()], ["held".to_owned()]);
    let Some(bench) = Bench::build(&mut reset, "wake", &inputs, &outputs) else {
        return;
    };
    // First nobody presses; then presses of all lengths, some closer together than a hold.
    let mut stimuli = vec![vec![0]; 300];
    while stimuli.len() < CYCLES {
        let (pressed, released) = (rng.random_range(1..4), rng.random_range(1..400));
        stimuli.extend(vec![vec![1]; pressed]);
        stimuli.extend(vec![vec![0]; released]);
    }
    let answers = bench.run(&stimuli);
    // The synchronizer has no initial value and may show a press that was none.
    let released = answers.iter().position(|answer| answer[0] == 0);
    assert!(matches!(released, Some(256..=258)), "{released:?}");
    for (cycle, row) in stimuli.iter().enumerate() {
        if cycle >= 300 {
            let expected = u64::from(reset.held.val());
            assert_eq!(answers[cycle][0], expected, "cycle {cycle}");
        }
        reset.button.next = row[0] == 1;
        clock(&mut reset, |r, level| r.clock.next = level.into());
    }
    let held = |from: usize| answers[from..].iter().map(|answer| answer[0]).sum::<u64>();
    assert!(held(300) > 256 && held(300) < (answers.len() - 300) as u64);
}
