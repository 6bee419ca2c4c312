use super::*;
use crate::arithmetic::OutputScale;
use crate::program::{Layer, Program, Window};

/// Eight rows and four columns: a word has two tiles of columns.
fn configuration() -> Configuration {
    Configuration::from_toml(
        "rows = 8\ncolumns = 4\nweight_bits = 8\ncode = \"none\"\n\
         voltage_model = \"fdx-22nm\"\nfault_emulation = false\n\
         [depths]\nweights = 4096\nactivations = 256\naccumulators = 64\nparameters = 64\nlayers = 20\n",
    )
    .unwrap()
}

fn convolution(from: usize, channels: usize) -> (Operation, Vec<usize>) {
    let operation = Operation::convolution(Window::square(1, 1, 0), channels);
    (operation, vec![from])
}

fn network(nodes: Vec<(Operation, Vec<usize>)>) -> Network {
    let input = Shape {
        height: 3,
        width: 3,
        channels: 4,
    };
    let mut layers: Vec<Layer> = nodes
        .into_iter()
        .enumerate()
        .map(|(index, (operation, reads))| Layer {
            name: format!("l{index}"),
            reads,
            operation,
            output: OutputScale {
                shift: 4,
                low: -128,
                high: 127,
            },
            zero: 0,
        })
        .collect();
    let last = layers.len();
    layers.push(Layer {
        name: "mean".into(),
        reads: vec![last],
        operation: Operation::GlobalAveragePool,
        ..layers[0].clone()
    });
    Network {
        input,
        input_zero: 0,
        layers,
    }
}

fn slices(network: &Network) -> Slices {
    let shapes = network.shapes().unwrap();
    let outputs = shapes.iter().map(|shapes| shapes.output);
    let tensors: Vec<Shape> = std::iter::once(network.input).chain(outputs).collect();
    Slices::new(&configuration(), network, &tensors)
}

fn slice(root: usize, channel: usize) -> Slice {
    Slice { root, channel }
}

#[test]
fn parts_that_nobody_else_reads_are_written_into_their_slices() {
    let network = network(vec![
        convolution(0, 12),
        convolution(0, 5),
        (Operation::Concat, vec![1, 2]),
    ]);
    let found = slices(&network);
    assert_eq!(found.copied, []);
    assert_eq!(found.of[1..=3], [slice(3, 0), slice(3, 12), slice(3, 0)]);
    let program = Program::new(&configuration(), &network).unwrap();
    assert_eq!(program.steps.len(), 3, "a concat is no pass");
    let whole = program.outputs[2].place;
    let second = program.outputs[1].place;
    // The second part begins at lane 4 of the second group of 9 words.
    assert_eq!((second.base, second.lane), (whole.base + 9, 4));
    assert_eq!(program.outputs[2].step, 1, "when its last part is there");
}

#[test]
fn a_part_that_begins_within_a_word_and_has_other_readers_is_copied() {
    let others = |channels| {
        network(vec![
            convolution(0, channels),
            convolution(0, 4),
            (Operation::Concat, vec![1, 2]),
            convolution(2, channels + 4),
            (
                Operation::Add {
                    scale: Default::default(),
                },
                vec![3, 4],
            ),
        ])
    };
    let copied = |network: &Network| slices(network).copied.len();
    assert_eq!(copied(&others(4)), 1, "from lane 4 on");
    assert_eq!(copied(&others(8)), 0, "from a word on");
}

#[test]
fn what_is_made_from_a_part_of_a_map_is_not_written_into_the_map() {
    let network = network(vec![
        convolution(0, 8),
        convolution(1, 8),
        (Operation::Concat, vec![1, 2]),
    ]);
    let found = slices(&network);
    assert_eq!(found.of[1], slice(3, 0));
    let copied = Copied {
        layer: 2,
        tensor: 2,
        channel: 8,
    };
    assert_eq!(found.copied, [copied]);
    assert_eq!(found.of[2], slice(2, 0));
    let program = Program::new(&configuration(), &network).unwrap();
    assert_eq!(program.steps.len(), 4);
}

#[test]
fn the_input_and_a_part_that_is_there_twice_are_copied() {
    let network = network(vec![convolution(0, 4), (Operation::Concat, vec![0, 1, 1])]);
    assert_eq!(slices(&network).copied.len(), 3);
    assert!(Program::new(&configuration(), &network).is_ok());
}

#[test]
fn a_concat_of_a_concat_is_one_map() {
    let network = network(vec![
        convolution(0, 8),
        convolution(0, 4),
        (Operation::Concat, vec![1, 2]),
        convolution(0, 4),
        (Operation::Concat, vec![4, 3]),
    ]);
    let found = slices(&network);
    assert_eq!(found.copied, []);
    let expected = [
        slice(5, 4),
        slice(5, 12),
        slice(5, 4),
        slice(5, 0),
        slice(5, 0),
    ];
    assert_eq!(found.of[1..=5], expected);
}

#[test]
fn a_slice_may_begin_in_any_lane_and_leaves_those_of_others_as_they_are() {
    let network = network(vec![
        convolution(0, 6),
        convolution(0, 5),
        convolution(0, 1),
        convolution(0, 4),
        (Operation::Concat, vec![1, 2, 3, 4]),
    ]);
    let found = slices(&network);
    assert_eq!(found.copied, []);
    let program = Program::new(&configuration(), &network).unwrap();
    let written = |step: &crate::program::Step| (step.destination.lane, step.split, step.keep);
    let steps: Vec<_> = program.steps[..4].iter().map(written).collect();
    // Channels 6 to 10 reach from lane 6 of the first word into the second one, 11 fills a tile,
    // and 12 to 15 are one.
    let expected = [
        (0, false, true),
        (6, true, true),
        (3, false, true),
        (4, false, false),
    ];
    assert_eq!(steps, expected);
    let padded: Vec<_> = program.outputs.iter().map(|output| output.padded).collect();
    assert_eq!(padded, [false, false, false, true, true]);
}

#[test]
fn a_concat_whose_last_part_begins_within_a_tile_ends_with_lanes_that_nobody_wrote() {
    let network = network(vec![
        convolution(0, 5),
        convolution(0, 2),
        (Operation::Concat, vec![1, 2]),
        convolution(3, 3),
    ]);
    let program = Program::new(&configuration(), &network).unwrap();
    let padded: Vec<_> = program.outputs.iter().map(|output| output.padded).collect();
    assert_eq!(padded, [false, false, false, true]);
    assert!(!program.steps[1].split, "two channels fill the tile");
}

#[test]
fn results_side_by_side_leave_in_a_pass_of_their_own() {
    let mut network = network(vec![convolution(0, 4)]);
    network.layers.truncate(1);
    let dense = |reads, operation| Layer {
        reads,
        operation,
        ..network.layers[0].clone()
    };
    let map = Shape {
        height: 3,
        width: 3,
        channels: 4,
    };
    let layers = [
        dense(vec![1], Operation::dense(map, 8)),
        dense(vec![1], Operation::dense(map, 3)),
        dense(vec![2, 3], Operation::Concat),
    ];
    network.layers.extend(layers);
    let program = Program::new(&configuration(), &network).unwrap();
    assert_eq!(program.steps.len(), 4);
    let last = &program.steps[3];
    assert!(last.wide);
    assert_eq!(last.shapes.output.channels, 11);
    assert_eq!(last.source, program.outputs[1].place);
}
