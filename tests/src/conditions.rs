//! What a pass is disturbed by, drawn at random.

use crate::graph::Graph;
use crate::session::Conditions;
use brownout_spec::code::Policy;
use brownout_spec::config::Configuration;
use brownout_spec::fault::{CellFault, ChipFaults, FaultMap, FaultMode, OnesShare};
use brownout_spec::quantity::{ChipSeed, Lane, Millivolts, Pass, Threshold, WordAddress};
use brownout_spec::voltage::VoltageModel;
use rand::seq::IndexedRandom;
use rand::{Rng, RngExt};

/// A chip, a fault mode that the configuration has, a rate and a policy that the code has.
pub fn draw_conditions(
    configuration: &Configuration,
    graph: &Graph,
    random: &mut impl Rng,
) -> Conditions {
    // None, all, or some of the stuck cells are stuck at one.
    let share = match random.random_range(0..6) {
        0 => 0,
        1 => 256,
        _ => random.random_range(0..=256),
    };
    let share = OnesShare::new(share).expect("at most 256");
    let emulated = [
        FaultMode::None,
        FaultMode::Persistent,
        FaultMode::Transient,
        FaultMode::StuckAt { share },
        FaultMode::Map,
    ];
    let modes = match configuration.fault_emulation {
        true => &emulated[..],
        false => &[FaultMode::None, FaultMode::Map],
    };
    let policies: Vec<_> = Policy::ALL
        .into_iter()
        .filter(|p| p.supported_by(configuration.code))
        .collect();
    // About none, one, a few or half of the bits of a word.
    let threshold = match random.random_range(0..8) {
        0 => random.random(),
        1 => 1 << 31,
        k => (1 << 32u32.saturating_sub(4 + k)) + (random.random::<u32>() >> 12),
    };
    let mut conditions = Conditions {
        seed: ChipSeed(random.random()),
        mode: *modes.choose(random).expect("not empty"),
        threshold: Threshold(threshold),
        supply: None,
        map: draw_map(configuration, graph.program.weight_words, random),
        policy: *policies.choose(random).expect("not empty"),
        // Some count over the end of the low half or of the whole number.
        first_pass: Pass(match random.random_range(0..8) {
            0 => u32::MAX,
            1 => 0xffff,
            _ => random.random_range(0..1 << 20),
        }),
    };
    match random.random_range(0..8) {
        0..=1 => draw_supply(configuration, &mut conditions, random),
        2..=3 => draw_boundary(configuration, graph, &mut conditions, random),
        _ => {}
    }
    conditions
}

/// A threshold at which one cell is just faulty, or just not: every bit of it counts.
fn draw_boundary(
    configuration: &Configuration,
    graph: &Graph,
    conditions: &mut Conditions,
    random: &mut impl Rng,
) {
    let chip = ChipFaults {
        seed: conditions.seed,
        mode: conditions.mode,
        threshold: conditions.threshold,
    };
    let words = graph.program.weight_words.max(1) as u32;
    let address = WordAddress(random.random_range(0..words));
    let lane = Lane(random.random_range(0..configuration.code.word_bits() as u8));
    let draw = chip.draw(address, conditions.first_pass, lane);
    conditions.threshold = Threshold(draw.saturating_add(random.random_range(0..=1)));
}

/// A supply, inside the ROM's range or beyond either end, instead of a threshold.
fn draw_supply(configuration: &Configuration, conditions: &mut Conditions, random: &mut impl Rng) {
    let model = VoltageModel::from_configuration(configuration)
        .unwrap_or_else(|error| panic!("the configuration was validated: {error}"));
    let rom = model.rom();
    let (first, last) = (rom.first.0, rom.last().0);
    // Most voltages are so high that nothing fails: the lower quarter is drawn more often.
    let supply = match random.random_range(0..8) {
        0 => random.random_range(0..=first),
        1 => random.random_range(last..=u16::MAX),
        2 => random.random_range(first..=last),
        _ => random.random_range(first..=first + (last - first) / 4),
    };
    conditions.supply = Some(Millivolts(supply));
    conditions.threshold = rom.threshold(Millivolts(supply));
}

/// Some listed cells, about one in two words.
fn draw_map(configuration: &Configuration, words: usize, random: &mut impl Rng) -> FaultMap {
    let mut map = FaultMap::default();
    for _ in 0..words / 2 {
        let address = WordAddress(random.random_range(0..words as u32));
        let lane = Lane(random.random_range(0..configuration.code.word_bits() as u8));
        let kinds = [
            CellFault::Flip,
            CellFault::StuckAtZero,
            CellFault::StuckAtOne,
        ];
        // A cell that is listed already stays as it is.
        map.insert(address, lane, *kinds.choose(random).expect("not empty"));
    }
    map
}
