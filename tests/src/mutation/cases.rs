//! The programs that a mutant runs, in the order of their cost.

use super::features;
use crate::conditions::draw_conditions;
use crate::graph::{self, Focus, Graph};
use crate::session::Conditions;
use crate::tensors::draw_image;
use brownout_sim::link::Stalls;
use brownout_spec::code::Policy;
use brownout_spec::config::Configuration;
use brownout_spec::cycles::program_cycles;
use brownout_spec::fault::{CellFault, FaultMap, FaultMode};
use brownout_spec::program::Program;
use brownout_spec::quantity::{ChipSeed, Lane, Millivolts, Pass, Threshold, WordAddress};
use brownout_spec::voltage::VoltageModel;
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Pairs of random programs; the second of a pair runs without a reset.
const PAIRS: u64 = 60;
/// Programs over several tiles of channels.
const TILED: usize = 12;
/// Images of a program.
pub(super) const IMAGES: usize = 2;
/// Back-pressure on both streams.
const STALLS: [f64; 4] = [0.0, 0.1, 0.5, 0.9];

/// A program under conditions, with its images.
pub struct Case {
    pub name: String,
    pub graph: Graph,
    pub conditions: Conditions,
    pub images: Vec<Vec<i8>>,
    pub stalls: Stalls,
    pub inspect: Vec<usize>,
    /// Where the accelerator is made anew before it: the seed of what registers and memories
    /// hold then; 0 for zeros.
    pub fresh: Option<u32>,
    /// The program before it is started once more and broken off.
    pub broken: Option<Broken>,
}

/// What is done to the program before a case, still loaded.
pub struct Broken {
    pub program: Program,
    /// An image of it.
    pub image: Vec<i8>,
    /// Its clocks.
    pub pass: u64,
    /// Clocks from the last start until the reset; the pass may have ended before.
    pub after: u64,
    /// Whether registers are read after the reset; if not, the case follows at once.
    pub read: bool,
}

/// Draws all cases of a configuration; the same ones every time.
pub fn draw(configuration: &Configuration) -> Vec<Case> {
    let mut cases = Vec::new();
    for pair in 0..PAIRS {
        random_pair(configuration, pair, &mut cases);
        if pair == 0 {
            codes(configuration, &mut cases);
            if configuration.fault_emulation {
                supplies(configuration, &mut cases);
            }
        }
    }
    features::blocks(configuration, &mut cases);
    features::parts(configuration, &mut cases);
    features::repeats(configuration, &mut cases);
    features::newer(configuration, &mut cases);
    features::far(configuration, &mut cases);
    tiles(configuration, &mut cases);
    cases
}

/// Two random programs, as `random_graphs` runs them.
fn random_pair(configuration: &Configuration, pair: u64, cases: &mut Vec<Case>) {
    let mut random = ChaCha8Rng::seed_from_u64(pair);
    for program in 0..2 {
        let number = 2 * pair + program;
        let focus = Focus::ALL[number as usize % Focus::ALL.len()];
        let graph = graph::draw(configuration, focus, &mut random);
        let conditions = draw_conditions(configuration, &graph, &mut random);
        let probability = STALLS[(number as usize / 2 + number as usize) % STALLS.len()];
        let volume = graph.program.input.volume();
        cases.push(Case {
            name: format!("random graph {number}"),
            images: (0..IMAGES)
                .map(|_| draw_image(volume, &mut random))
                .collect(),
            graph,
            conditions,
            stalls: Stalls {
                input: probability,
                output: probability,
                seed: number,
            },
            inspect: vec![1],
            // What never is written and should be shows best where it is zero.
            fresh: (program == 0).then_some(if pair.is_multiple_of(2) {
                2 + pair as u32
            } else {
                0
            }),
            broken: None,
        });
    }
    // The first program once more, in the middle of a pass of the second.
    let (first, second) = (&cases[cases.len() - 2], &cases[cases.len() - 1]);
    let clocks = program_cycles(configuration, &second.graph.program);
    cases.push(Case {
        name: format!("{} after a broken pass", first.name),
        images: first.images.clone(),
        graph: first.graph.clone(),
        conditions: first.conditions.clone(),
        stalls: second.stalls,
        inspect: Vec::new(),
        fresh: None,
        broken: Some(Broken {
            program: second.graph.program.clone(),
            image: second.images[0].clone(),
            pass: clocks,
            // Half of them have ended, and their results wait.
            after: random.random_range(1..2 * clocks),
            read: pair.is_multiple_of(2),
        }),
    });
}

/// Residuals and pools over several tiles of channels, after all others.
fn tiles(configuration: &Configuration, cases: &mut Vec<Case>) {
    let mut random = ChaCha8Rng::seed_from_u64(97);
    for number in 0..TILED {
        let graph = graph::draw_tiles(configuration, &mut random);
        let conditions = draw_conditions(configuration, &graph, &mut random);
        let name = format!("three tiles {number}");
        cases.push(quiet(name, graph, conditions, IMAGES, &mut random));
    }
}

/// A case without a reset before it, and without back-pressure.
pub(super) fn quiet(
    name: String,
    graph: Graph,
    conditions: Conditions,
    images: usize,
    random: &mut impl Rng,
) -> Case {
    let volume = graph.program.input.volume();
    Case {
        name,
        conditions,
        images: (0..images).map(|_| draw_image(volume, random)).collect(),
        graph,
        stalls: Stalls::default(),
        inspect: (1..images).collect(),
        fresh: None,
        broken: None,
    }
}

/// Words with no, one, two and three wrong bits, every bit of the code among them, under every
/// policy.
fn codes(configuration: &Configuration, cases: &mut Vec<Case>) {
    let bits = configuration.code.word_bits();
    let mut random = ChaCha8Rng::seed_from_u64(99);
    let graph = loop {
        let graph = graph::draw(configuration, Focus::Any, &mut random);
        if graph.program.weight_words >= bits {
            break graph;
        }
    };
    let volume = graph.program.input.volume();
    let policies = Policy::ALL
        .into_iter()
        .filter(|policy| policy.supported_by(configuration.code));
    for policy in policies {
        for errors in 1..=3 {
            cases.push(Case {
                name: format!("{errors} errors a word, policy {policy}"),
                images: vec![draw_image(volume, &mut random)],
                conditions: Conditions {
                    seed: ChipSeed(0),
                    mode: FaultMode::Map,
                    threshold: Threshold(0),
                    supply: None,
                    map: wrong_bits(bits, graph.program.weight_words, errors, &mut random),
                    policy,
                    first_pass: Pass(0),
                },
                graph: graph.clone(),
                stalls: Stalls::default(),
                inspect: vec![0],
                fresh: None,
                broken: None,
            });
        }
    }
}

/// A short pass at every supply that the voltage ROM tells apart.
fn supplies(configuration: &Configuration, cases: &mut Vec<Case>) {
    let mut random = ChaCha8Rng::seed_from_u64(98);
    let graph = loop {
        let graph = graph::draw(configuration, Focus::Any, &mut random);
        let short = program_cycles(configuration, &graph.program) < 1000;
        if short && graph.program.weight_words >= 8 {
            break graph;
        }
    };
    let rom = VoltageModel::from_configuration(configuration)
        .unwrap_or_else(|error| panic!("{error}"))
        .rom();
    let image = draw_image(graph.program.input.volume(), &mut random);
    for supply in rom.first.0 - 1..=rom.last().0 + 1 {
        cases.push(Case {
            name: format!("at {supply} mV"),
            images: vec![image.clone()],
            conditions: Conditions {
                seed: ChipSeed(supply.into()),
                mode: FaultMode::Persistent,
                threshold: rom.threshold(Millivolts(supply)),
                supply: Some(Millivolts(supply)),
                map: FaultMap::default(),
                policy: Policy::Keep,
                first_pass: Pass(0),
            },
            graph: graph.clone(),
            stalls: Stalls::default(),
            inspect: Vec::new(),
            fresh: None,
            broken: None,
        });
    }
}

/// `errors` wrong bits in most words; word a has one at bit a modulo the word's length.
pub(super) fn wrong_bits(
    bits: usize,
    words: usize,
    errors: usize,
    random: &mut ChaCha8Rng,
) -> FaultMap {
    let mut map = FaultMap::default();
    for word in 0..words {
        // Every eighth word of a later round stays as it is.
        if word >= bits && word % 8 == 0 {
            continue;
        }
        let address = WordAddress(word as u32);
        let mut lanes = vec![word % bits];
        while lanes.len() < errors {
            let lane = random.random_range(0..bits);
            if !lanes.contains(&lane) {
                lanes.push(lane);
            }
        }
        for lane in lanes {
            map.insert(address, Lane(lane as u8), CellFault::Flip);
        }
    }
    map
}
