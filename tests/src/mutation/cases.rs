//! The programs that a mutant runs, in the order of their cost.

use crate::conditions::draw_conditions;
use crate::graph::{self, Focus, Graph};
use crate::session::Conditions;
use crate::tensors::draw_image;
use brownout_sim::link::Stalls;
use brownout_spec::code::Policy;
use brownout_spec::config::Configuration;
use brownout_spec::cycles::program_cycles;
use brownout_spec::fault::{CellFault, FaultMap, FaultMode};
use brownout_spec::program::{Operation, Program, Shape, Window};
use brownout_spec::quantity::{ChipSeed, Lane, Millivolts, Pass, Threshold, WordAddress};
use brownout_spec::voltage::VoltageModel;
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Pairs of random programs; the second of a pair runs without a reset.
const PAIRS: u64 = 60;
/// Programs over several tiles of channels.
const TILED: usize = 12;
/// Programs of each focus of [`NEWER`].
const NEWER_ROUNDS: usize = 6;
/// Images of a program.
const IMAGES: usize = 2;
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
    blocks(configuration, &mut cases);
    newer(configuration, &mut cases);
    far(configuration, &mut cases);
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

/// Groups of every number of inputs up to a tile of rows and of outputs up to a tile of columns,
/// and every depthwise number of channels up to two tiles, with half of all stored bits wrong:
/// padding between the groups that reaches the array shows.
fn blocks(configuration: &Configuration, cases: &mut Vec<Case>) {
    let mut random = ChaCha8Rng::seed_from_u64(94);
    let Configuration { rows, columns, .. } = *configuration;
    let sizes = (1..=rows).flat_map(|inputs| (1..=columns).map(move |outputs| (inputs, outputs)));
    let some = sizes.map(|(inputs, outputs)| (columns / outputs + 2, inputs, outputs));
    let depthwise = (2..=2 * rows.max(columns)).map(|channels| (channels, 1, 1));
    for (groups, inputs, outputs) in some.chain(depthwise) {
        let input = Shape {
            height: 1,
            width: 2,
            channels: groups * inputs,
        };
        let mut operation = Operation::convolution(Window::square(1, 1, 0), groups * outputs);
        if let Operation::Convolution { groups: of, .. } = &mut operation {
            *of = groups;
        }
        let end = Shape {
            channels: groups * outputs,
            ..input
        };
        let operations = [operation, Operation::dense(end, columns)];
        let Some(graph) = graph::with_operations(configuration, input, &operations, &mut random)
        else {
            continue;
        };
        let words = graph.program.weight_words;
        let conditions = Conditions {
            seed: ChipSeed(94),
            mode: match configuration.fault_emulation {
                true => FaultMode::Persistent,
                false => FaultMode::Map,
            },
            threshold: Threshold(1 << 31),
            supply: None,
            map: wrong_bits(configuration.code.word_bits(), words, 24, &mut random),
            policy: Policy::Keep,
            first_pass: Pass(0),
        };
        let name = format!("{groups} groups of {inputs} x {outputs}");
        cases.push(quiet(name, graph, conditions, IMAGES, &mut random));
    }
}

/// What a network that is a chain of convolutions and pools has nothing of.
const NEWER: [Focus; 5] = [
    Focus::Concatenation,
    Focus::Depthwise,
    Focus::Grouped,
    Focus::Map,
    Focus::Pointwise,
];

/// More of [`NEWER`] than the random pairs have, without a reset between them.
fn newer(configuration: &Configuration, cases: &mut Vec<Case>) {
    let mut random = ChaCha8Rng::seed_from_u64(96);
    for number in 0..NEWER_ROUNDS {
        for focus in NEWER {
            let graph = graph::draw(configuration, focus, &mut random);
            let name = format!("{focus:?} {number}");
            let conditions = draw_conditions(configuration, &graph, &mut random);
            cases.push(quiet(name, graph, conditions, IMAGES, &mut random));
        }
    }
}

/// Where memories are deep: words, pixels and sums at addresses of more than 15 bits.
fn far(configuration: &Configuration, cases: &mut Vec<Case>) {
    let mut random = ChaCha8Rng::seed_from_u64(95);
    let shape = |height, width, channels| Shape {
        height,
        width,
        channels,
    };
    let words = shape(33, 33, 16);
    let pixels = shape(260, 130, 3);
    let point = Window::square(1, 1, 0);
    let sparse = Window::square(3, 7, 1);
    let graphs = [
        (words, vec![Operation::dense(words, 64)]),
        (
            pixels,
            vec![
                Operation::convolution(point, 4),
                Operation::MaxPool { window: sparse },
                Operation::dense(shape(38, 19, 4), 5),
            ],
        ),
    ];
    for (number, (input, operations)) in graphs.into_iter().enumerate() {
        // Other memories are too small for them.
        let Some(graph) = graph::with_operations(configuration, input, &operations, &mut random)
        else {
            continue;
        };
        let conditions = Conditions {
            mode: match configuration.fault_emulation {
                true => FaultMode::Transient,
                false => FaultMode::None,
            },
            threshold: Threshold(1 << 24),
            supply: None,
            ..draw_conditions(configuration, &graph, &mut random)
        };
        cases.push(quiet(
            format!("far {number}"),
            graph,
            conditions,
            1,
            &mut random,
        ));
    }
}

/// A case without a reset before it, and without back-pressure.
fn quiet(
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
fn wrong_bits(bits: usize, words: usize, errors: usize, random: &mut ChaCha8Rng) -> FaultMap {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mutation::subjects;

    #[test]
    fn the_cases_of_the_deep_accelerator_reach_the_last_bit_of_an_address() {
        let deep = subjects().into_iter().find(|s| s.name == "deep");
        let mut far = Vec::new();
        super::far(&deep.expect("one is deep").configuration, &mut far);
        let words = far.iter().map(|case| case.graph.program.weight_words);
        assert!(words.max().expect("there are cases") > 1 << 16);
        let pixels = far.iter().map(|case| case.graph.program.input.pixels());
        assert!(pixels.max().expect("there are cases") > 1 << 15);
    }
}
