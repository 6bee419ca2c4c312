//! Cases of what graphs drawn at random seldom have: each size, place and factor in turn.

use super::cases::{Case, IMAGES, quiet, wrong_bits};
use crate::conditions::draw_conditions;
use crate::graph::{self, Focus, Node};
use crate::session::Conditions;
use brownout_spec::code::Policy;
use brownout_spec::config::Configuration;
use brownout_spec::fault::FaultMode;
use brownout_spec::program::{Operation, Padding, Shape, Steps, Window};
use brownout_spec::quantity::{ChipSeed, Pass, Threshold};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// Programs of each focus of [`NEWER`].
const NEWER_ROUNDS: usize = 6;
/// Most pixels that a resize makes of one in a row or column.
const MOST_REPEATS: usize = 7;

/// Groups of every number of inputs up to a tile of rows and of outputs up to a tile of columns,
/// and every depthwise number of channels up to two tiles, with half of all stored bits wrong:
/// padding between the groups that reaches the array shows.
pub(super) fn blocks(configuration: &Configuration, cases: &mut Vec<Case>) {
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
        let graph = graph::with_operations(configuration, input, &operations, &mut random);
        let graph = graph.expect("a small graph");
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

/// Three parts of a concat that are written from the last to the first, the one in the middle from
/// every lane of a tile of columns to the same lane of the next: what it writes too much falls on
/// a part that is there already.
pub(super) fn parts(configuration: &Configuration, cases: &mut Vec<Case>) {
    let mut random = ChaCha8Rng::seed_from_u64(93);
    let columns = configuration.columns;
    let input = Shape {
        height: 1,
        width: 3,
        channels: configuration.rows,
    };
    let read = |operation, reads: &[usize]| Node {
        operation,
        reads: reads.to_vec(),
    };
    let point = |channels| Operation::convolution(Window::square(1, 1, 0), channels);
    for lane in 1..columns {
        for behind in [1, columns] {
            let whole = Shape {
                channels: lane + columns + behind,
                ..input
            };
            let nodes = [
                read(point(behind), &[0]),
                read(point(columns), &[0]),
                read(point(lane), &[0]),
                read(Operation::Concat, &[3, 2, 1]),
                read(Operation::dense(whole, 1), &[4]),
            ];
            let graph = graph::with_nodes(configuration, input, &nodes, &mut random);
            let graph = graph.expect("a small graph");
            let conditions = draw_conditions(configuration, &graph, &mut random);
            let name = format!("{behind} channels behind a part from lane {lane} on");
            cases.push(quiet(name, graph, conditions, IMAGES, &mut random));
        }
    }
}

/// Every factor of a resize, and every side of a padding alone.
pub(super) fn repeats(configuration: &Configuration, cases: &mut Vec<Case>) {
    let mut random = ChaCha8Rng::seed_from_u64(92);
    let input = Shape {
        height: 3,
        width: 2,
        channels: configuration.columns + 1,
    };
    let resizes = (1..=MOST_REPEATS).map(|rows| Operation::Resize {
        factors: Steps {
            rows,
            columns: MOST_REPEATS + 1 - rows,
        },
    });
    let pads = (0..4).map(|side| {
        let of = |number| if number == side { 2 } else { 0 };
        let padding = Padding {
            top: of(0),
            left: of(1),
            bottom: of(2),
            right: of(3),
        };
        Operation::Pad { padding }
    });
    for operation in resizes.chain(pads) {
        let sparse = Window::square(1, 2, 0);
        let operations = [
            operation,
            Operation::convolution(sparse, 1),
            Operation::GlobalAveragePool,
        ];
        let graph = graph::with_operations(configuration, input, &operations, &mut random);
        let graph = graph.expect("a small graph");
        let conditions = draw_conditions(configuration, &graph, &mut random);
        let name = format!("{operation:?}");
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
pub(super) fn newer(configuration: &Configuration, cases: &mut Vec<Case>) {
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
pub(super) fn far(configuration: &Configuration, cases: &mut Vec<Case>) {
    let mut random = ChaCha8Rng::seed_from_u64(95);
    let shape = |height, width, channels| Shape {
        height,
        width,
        channels,
    };
    let words = shape(15, 15, 64);
    let pixels = shape(260, 130, 3);
    let point = Window::square(1, 1, 0);
    let sparse = Window::square(3, 7, 1);
    let graphs = [
        (words, vec![Operation::dense(words, 80)]),
        (
            pixels,
            vec![
                Operation::convolution(point, 4),
                Operation::MaxPool { window: sparse },
                Operation::GlobalAveragePool,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mutation::subjects;

    #[test]
    fn the_cases_of_the_deep_accelerator_reach_the_last_bit_of_an_address() {
        let deep = subjects().into_iter().find(|s| s.name == "deep");
        let mut cases = Vec::new();
        far(&deep.expect("one is deep").configuration, &mut cases);
        let words = cases.iter().map(|case| case.graph.program.weight_words);
        assert!(words.max().expect("there are cases") > 1 << 16);
        let pixels = cases.iter().map(|case| case.graph.program.input.pixels());
        assert!(pixels.max().expect("there are cases") > 1 << 15);
    }
}
