use super::*;
use crate::arithmetic::ResidualScale;
use crate::code::{CodeName, Storage};
use crate::config::{Depths, VoltageModelChoice, WeightBits};
use crate::program::descriptor as field;
use crate::program::{Layer, Residual, Window, fit};

pub(super) fn configuration() -> Configuration {
    Configuration {
        name: "test".into(),
        rows: 8,
        columns: 8,
        weight_bits: WeightBits::Eight,
        code: CodeName::None,
        storage: Storage::Coset,
        depths: Depths {
            weights: 4096,
            activations: 1024,
            accumulators: 1024,
            parameters: 64,
            layers: 16,
            results: Depths::RESULTS,
        },
        voltage_model: VoltageModelChoice::Fdx22nm,
        vmin_mv: None,
        fault_emulation: false,
        zero_points: false,
        tables: 0,
    }
}

/// A convolution without its source, and where it adds a tensor, that.
pub(super) fn convolution(
    kernel: usize,
    channels: usize,
    residual: Option<(usize, Residual)>,
) -> Layer {
    let window = Window::square(kernel, 1, kernel / 2);
    let operation = Operation::convolution(window, channels);
    Layer {
        name: format!("conv{kernel}"),
        reads: residual.iter().map(|(from, _)| *from).collect(),
        operation: residual.map_or(operation, |(_, with)| operation.with_residual(with)),
        output: OutputScale {
            shift: 8,
            low: 0,
            high: 127,
        },
        zero: 0,
    }
}

pub(super) fn residual(from: usize) -> Option<(usize, Residual)> {
    let with = Residual {
        stride: 1,
        scale: ResidualScale {
            multiplier: 100,
            shift: 8,
        },
    };
    Some((from, with))
}

/// Lets each layer read the one before it.
fn chain(layers: &mut [Layer]) {
    for (index, layer) in layers.iter_mut().enumerate() {
        layer.reads.insert(0, index);
    }
}

pub(super) fn network(mut layers: Vec<Layer>) -> Network {
    layers.push(Layer {
        name: "mean".into(),
        reads: Vec::new(),
        operation: Operation::GlobalAveragePool,
        output: layers[0].output,
        zero: 0,
    });
    layers.push(convolution(1, 10, None));
    chain(&mut layers);
    Network {
        input: Shape {
            height: 6,
            width: 5,
            channels: 3,
        },
        input_zero: 0,
        layers,
    }
}

#[test]
fn a_basic_block_needs_exactly_the_three_buffers() {
    let layers = vec![
        convolution(3, 16, None),
        convolution(3, 16, None),
        convolution(3, 16, residual(1)),
    ];
    let program = Program::new(&configuration(), &network(layers)).unwrap();
    let block = &program.steps[2];
    let operand = block.operand.unwrap().place;
    let mut used = [block.source, block.destination, operand].map(|place| place.buffer);
    used.sort_unstable();
    assert_eq!(used, [0, 1, 2]);
}

/// Two tensors wait while a third is read and a fourth written, and are added in this order.
fn two_waiting(order: [usize; 2]) -> Network {
    network(vec![
        convolution(3, 16, None),
        convolution(3, 16, None),
        convolution(3, 16, residual(order[0])),
        convolution(3, 16, residual(order[1])),
    ])
}

/// No two maps share a word while both are there, and no pass uses a buffer twice.
fn check_places(program: &Program) {
    let stays = &program.stays;
    for (index, a) in stays.iter().enumerate() {
        for b in &stays[..index] {
            let at_once = a.from.is_none_or(|from| from <= b.until)
                && b.from.is_none_or(|from| from <= a.until);
            let apart =
                a.buffer != b.buffer || a.base + a.words <= b.base || b.base + b.words <= a.base;
            assert!(apart || !at_once, "{a:?} {b:?}");
        }
    }
    for step in &program.steps {
        let mut buffers = vec![step.source.buffer];
        buffers.extend(step.operand.map(|operand| operand.place.buffer));
        buffers.extend((!step.wide).then_some(step.destination.buffer));
        let count = buffers.len();
        buffers.sort_unstable();
        buffers.dedup();
        assert_eq!(buffers.len(), count, "{step:?}");
    }
}

#[test]
fn a_tensor_that_waits_lies_beside_one_that_is_read() {
    let program = Program::new(&configuration(), &two_waiting([1, 0])).unwrap();
    assert_eq!(program.steps.len(), 6, "nothing is copied");
    check_places(&program);
    // The input waits at the beginning of its buffer, and the second output lies behind it.
    let place = program.outputs[1].place;
    assert_eq!((place.buffer, place.base), (0, 30));
    assert_eq!(program.peaks()[0], 30 + 60);
}

#[test]
fn what_three_buffers_cannot_hold_apart_is_copied_once() {
    let program = Program::new(&configuration(), &two_waiting([0, 1])).unwrap();
    let copies = program.steps.iter().filter(|step| step.layer().is_none());
    assert_eq!(copies.count(), 1);
    assert_eq!(program.steps.len(), 7);
    check_places(&program);
}

#[test]
fn buffers_that_are_too_small_for_what_waits_are_refused_with_the_words_that_are_missing() {
    // A map of 6 x 5 pixels and 16 channels takes 60 words, the input 30.
    let mut small = configuration();
    small.depths.activations = 80;
    let message = Program::new(&small, &two_waiting([0, 1]))
        .unwrap_err()
        .to_string();
    assert!(message.contains("depths.activations is 80"), "{message}");
    assert!(message.contains("layer 2 (conv3)"), "{message}");
    assert!(message.contains("6x5x16"), "{message}");
    let Err(ProgramError::Depth { need, .. }) = Program::new(&small, &two_waiting([0, 1])) else {
        panic!("{message}");
    };
    small.depths.activations = need;
    assert!(Program::new(&small, &two_waiting([0, 1])).is_ok());
    small.depths.activations = need - 1;
    assert!(Program::new(&small, &two_waiting([0, 1])).is_err());
}

#[test]
fn as_many_results_as_labels_of_a_byte_are_placed_and_one_more_is_refused() {
    let with = |results| {
        let mut wide = network(vec![convolution(3, 4, None)]);
        let last = wide.layers.last_mut().unwrap();
        let Operation::Convolution {
            output_channels, ..
        } = &mut last.operation
        else {
            panic!("the last layer is dense");
        };
        *output_channels = results;
        Program::new(&configuration(), &wide)
    };
    for results in [2, 100, 256] {
        assert!(with(results).is_ok(), "{results}");
    }
    let refused = with(257).unwrap_err();
    let message = refused.to_string();
    let expected =
        "depths.results is 256, but the last layer (results, one a class) needs 257: 1 more";
    assert_eq!(message, expected);
}

#[test]
fn words_and_tiles_follow_from_the_shapes() {
    let layers = vec![convolution(3, 20, None)];
    let program = Program::new(&configuration(), &network(layers)).unwrap();
    let first = &program.steps[0];
    assert_eq!(
        (first.input_tiles, first.output_tiles, first.taps()),
        (1, 3, 9)
    );
    // 27 tiles of 8 words, then 1 x 3 tiles x 2 output tiles of the last layer.
    assert_eq!(program.weight_words, 27 * 8 + 6 * 8);
    assert_eq!(program.parameter_tiles, 3 + 3 + 2);
    assert_eq!(program.steps[2].weight_base, 27 * 8);
    assert_eq!(first.descriptor.get(field::LAST_COLUMNS), 4);
    assert_eq!(first.descriptor.get(field::LAST_ROWS), 3);
    assert_eq!(first.descriptor.get(field::ORIGIN), (65_536 - 6));
}

#[test]
fn each_memory_that_is_too_small_is_named_with_the_shortfall() {
    let layers = || vec![convolution(3, 20, None)];
    type Change = fn(&mut Depths);
    let cases: [(Change, &str); 5] = [
        (|d| d.weights = 100, "depths.weights is 100"),
        (|d| d.activations = 80, "depths.activations is 80"),
        (|d| d.accumulators = 29, "depths.accumulators is 29"),
        (|d| d.parameters = 7, "needs 8: 1 more"),
        (|d| d.layers = 2, "depths.layers is 2"),
    ];
    for (change, expected) in cases {
        let mut small = configuration();
        change(&mut small.depths);
        let message = Program::new(&small, &network(layers()))
            .unwrap_err()
            .to_string();
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn a_dense_layer_one_input_above_the_accumulator_limit_is_refused_by_name() {
    let dense = |channels: usize| {
        let mut network = network(vec![convolution(1, 4, None)]);
        network.layers.drain(..2);
        network.layers[0].reads = vec![0];
        network.layers[0].name = "dense".into();
        network.input = Shape {
            height: 1,
            width: 1,
            channels,
        };
        network
    };
    // 131,071 inputs are the limit at 8 bits; 15 x 15 x 583 = 131,175 lies above.
    let mut large = dense(583);
    large.input.height = 15;
    large.input.width = 15;
    large.layers[0].operation = Operation::dense(large.input, 10);
    let mut wide_memories = configuration();
    wide_memories.depths.activations = 1 << 16;
    wide_memories.depths.weights = 1 << 20;
    let message = Program::new(&wide_memories, &large)
        .unwrap_err()
        .to_string();
    assert!(
        message.contains("dense") && message.contains("131175") && message.contains("131071"),
        "{message}"
    );
}

#[test]
fn a_map_as_result_takes_a_result_for_each_of_its_values() {
    let mut open = network(vec![convolution(3, 4, None)]);
    open.layers.truncate(1);
    let map = open.shapes().unwrap()[0].output;
    assert!(map.pixels() > 1);
    let with = |results| {
        let mut configuration = configuration();
        configuration.depths.results = results;
        Program::new(&configuration, &open)
    };
    let program = with(map.volume()).unwrap();
    assert_eq!(program.results(), map.volume());
    let message = with(map.volume() - 1).unwrap_err().to_string();
    let expected = format!(
        "depths.results is {}, but the last layer (results, a map of {map}) needs {}: 1 more",
        map.volume() - 1,
        map.volume()
    );
    assert_eq!(message, expected);
    let fitted = fit(&configuration(), &open).unwrap().0;
    assert_eq!(fitted.depths.results, map.volume());
}

#[test]
fn a_network_of_pools_alone_is_refused_since_it_stores_no_weights() {
    let mut pools = network(vec![convolution(3, 4, None)]);
    let mean = pools.layers.remove(1);
    pools.layers = vec![Layer {
        reads: vec![0],
        ..mean
    }];
    assert_eq!(
        Program::new(&configuration(), &pools),
        Err(ProgramError::NoWeights)
    );
}

#[test]
fn padding_that_makes_a_map_too_tall_is_refused_with_the_side() {
    let mut tall = network(vec![Layer {
        operation: Operation::convolution(Window::square(3, 1, 2), 1),
        ..convolution(3, 1, None)
    }]);
    tall.input = Shape {
        height: 4095,
        width: 1,
        channels: 1,
    };
    let message = tall.shapes().unwrap_err().to_string();
    assert!(message.contains("output height is 4097"), "{message}");
}

/// A pointwise function without its source.
fn pointwise(layer: &Layer) -> Layer {
    Layer {
        name: "function".into(),
        operation: Operation::Pointwise,
        reads: Vec::new(),
        ..layer.clone()
    }
}

#[test]
fn zero_points_are_refused_where_the_hardware_does_not_take_them_off() {
    let mut shifted = network(vec![convolution(3, 4, None)]);
    shifted.layers[0].zero = -7;
    let plain = configuration();
    let message = Program::new(&plain, &shifted).unwrap_err().to_string();
    let expected = "layer 0 (conv3): zero point is -7; allowed is 0 on an accelerator without zero points; it needs zero_points = true";
    assert!(message.contains(expected), "{message}");
    let with = Configuration {
        zero_points: true,
        ..plain
    };
    let program = Program::new(&with, &shifted).unwrap();
    let zeros = |field| -> Vec<u32> {
        let steps = program.steps.iter();
        steps.map(|step| step.descriptor.get(field)).collect()
    };
    assert_eq!(zeros(field::SOURCE_ZERO), [0, 0xf9, 0]);
    assert_eq!(zeros(field::OPERAND_ZERO), [0, 0, 0]);
}

#[test]
fn an_operand_has_a_zero_point_of_its_own_and_a_copy_none() {
    // The second part is read by others too, and so is copied into the concat.
    let mut block = network(vec![
        convolution(3, 8, None),
        convolution(3, 8, residual(1)),
        convolution(3, 8, residual(1)),
    ]);
    block.layers.truncate(3);
    block.layers.push(Layer {
        name: "concat".into(),
        reads: vec![2, 2],
        operation: Operation::Concat,
        ..block.layers[0].clone()
    });
    block.layers.push(Layer {
        reads: vec![3, 4],
        operation: Operation::Concat,
        ..block.layers[3].clone()
    });
    let mut end = convolution(1, 4, None);
    end.operation = Operation::dense(
        Shape {
            channels: 24,
            ..block.input
        },
        4,
    );
    end.reads = vec![5];
    block.layers.push(end);
    for layer in &mut block.layers[1..5] {
        layer.zero = -128;
    }
    block.layers[0].zero = 5;
    let with = Configuration {
        zero_points: true,
        ..configuration()
    };
    let program = Program::new(&with, &block).unwrap();
    let third = program.steps.iter().find(|step| step.layer() == Some(2));
    let third = third.unwrap().descriptor;
    assert_eq!(third.get(field::SOURCE_ZERO), 0x80);
    assert_eq!(third.get(field::OPERAND_ZERO), 5);
    let copies: Vec<_> = program
        .steps
        .iter()
        .filter(|step| step.layer().is_none())
        .collect();
    assert!(!copies.is_empty());
    for copy in copies {
        assert_eq!(copy.descriptor.get(field::SOURCE_ZERO), 0);
    }
}

#[test]
fn every_pointwise_layer_has_a_table_and_one_too_few_is_refused() {
    let layer = convolution(3, 4, None);
    let graph = network(vec![layer.clone(), pointwise(&layer), pointwise(&layer)]);
    let with = |tables| Configuration {
        tables,
        ..configuration()
    };
    let message = Program::new(&with(1), &graph).unwrap_err().to_string();
    let expected = "tables is 1, but the network, one for each pointwise layer, needs 2: 1 more";
    assert!(message.contains(expected), "{message}");
    let program = Program::new(&with(2), &graph).unwrap();
    let tables: Vec<_> = program.steps.iter().map(|step| step.table).collect();
    assert_eq!(tables, [None, Some(0), Some(1), None, None]);
    let descriptor = program.steps[2].descriptor;
    assert_eq!(descriptor.get(field::TABLED), 1);
    assert_eq!(descriptor.get(field::TABLE), 1);
}

#[test]
fn results_of_a_pointwise_layer_are_stored_and_copied() {
    let mut graph = network(vec![convolution(3, 4, None)]);
    graph.layers.push(Layer {
        reads: vec![3],
        ..pointwise(&graph.layers[2])
    });
    let with = Configuration {
        tables: 1,
        ..configuration()
    };
    let program = Program::new(&with, &graph).unwrap();
    let [.., function, results] = &program.steps[..] else {
        unreachable!("five steps")
    };
    assert_eq!((function.table, function.wide), (Some(0), false));
    assert_eq!((results.table, results.wide), (None, true));
    assert_eq!(results.origin, Origin::Copy(4));
    assert_eq!(results.source, function.destination);
}
