//! Every layer's gradient against central differences of the loss Σ gᵢ·logitᵢ.

use super::gradient_case::{Case, NORMALIZED, PLAIN, convolution, input};
use super::{Bounds, Builder, Chunk, Epsilon, Norm, Parameters, Prepared, Statistics, Style};
use crate::quantize::ActivationGrid;
use brownout_spec::program::{Operation, Residual, Shape, Window};

/// Kernels, strides and paddings that convolutions are tested with.
pub(super) const GEOMETRIES: [((usize, usize), usize, usize); 12] = [
    ((3, 3), 1, 1),
    ((3, 3), 2, 1),
    ((5, 5), 1, 2),
    ((5, 5), 2, 2),
    ((2, 3), 1, 0),
    ((1, 1), 1, 0),
    ((1, 1), 2, 0),
    ((3, 2), 3, 1),
    ((4, 4), 1, 2),
    ((4, 2), 2, 1),
    ((3, 3), 3, 0),
    ((3, 3), 1, 2),
];

#[test]
fn convolutions_of_any_stride_and_padding_have_right_gradients() {
    for (kernel, stride, padding) in GEOMETRIES {
        // Fewer outputs than lanes, a block and a few more, and whole blocks.
        for (inputs, outputs) in [(3, 19), (17, 5), (16, 32)] {
            let architecture = Builder::new("test", input(7, 6, inputs))
                .layer("conv", convolution(outputs, kernel, stride, padding), PLAIN)
                .dense("logits", 4, false)
                .build()
                .unwrap();
            Case::new(architecture, Statistics::Batch).check();
        }
    }
}

#[test]
fn tensors_that_several_layers_read_have_right_gradients() {
    // The input goes to two convolutions and a sum; of the sums' operands some have more
    // pixels, some fewer channels, and one is a sum itself.
    let adding = |from, stride, channels, step| {
        let operation = convolution(channels, (3, 3), step, 1);
        let with = Residual {
            stride,
            scale: Default::default(),
        };
        move |network: Builder, name: &str, style| {
            let reads = [network.last(), from];
            network.layer_from(&reads, name, operation.with_residual(with), style)
        }
    };
    for statistics in [Statistics::Batch, Statistics::Running] {
        let network = Builder::new("test", input(5, 6, 4))
            .layer("a", convolution(4, (3, 3), 1, 1), NORMALIZED)
            .layer_from(&[0], "b", convolution(7, (1, 1), 1, 0), NORMALIZED);
        let network = adding(1, 1, 7, 1)(network, "c", NORMALIZED);
        let network = adding(0, 2, 9, 2)(network, "d", NORMALIZED);
        let network = adding(2, 2, 9, 1)(network, "e", PLAIN);
        let architecture = adding(4, 1, 9, 1)(network, "f", PLAIN)
            .layer("mean", Operation::GlobalAveragePool, PLAIN)
            .dense("logits", 3, false)
            .build()
            .unwrap();
        Case::new(architecture, statistics).check();
    }
}

#[test]
fn maps_smaller_than_a_turn_of_the_loops_have_right_gradients_in_several_groups() {
    // Of 4 x 4 pixels, four images are a group: three and one more are two groups of a chunk.
    for (size, group) in [((4, 4), 4), ((9, 8), 1), ((1, 1), 64)] {
        let architecture = Builder::new("test", input(size.0, size.1, 3))
            .layer("a", convolution(5, (3, 3), 1, 1), NORMALIZED)
            .layer("b", convolution(4, (1, 1), 1, 0), NORMALIZED)
            .dense("logits", 3, false)
            .build()
            .unwrap();
        let shapes = architecture.shapes()[0];
        assert_eq!(super::windows::group(&shapes, 100), group);
        let mut case = Case::new(architecture, Statistics::Batch);
        case.images = 6;
        case.check();
    }
}

#[test]
fn quantized_activations_pass_the_gradient_inside_their_range_alone() {
    let mut architecture = Builder::new("test", input(4, 4, 2))
        .layer("conv", convolution(6, (3, 3), 1, 1), PLAIN)
        .dense("logits", 3, false)
        .build()
        .unwrap();
    for rectified in [false, true] {
        architecture.styles[0].bounds = Bounds::relu(rectified);
        let mut case = Case::new(architecture.clone(), Statistics::Batch);
        // Beyond the range above, far inside, and beyond it below.
        let layer = case.parameters.layers[0].as_mut().unwrap();
        for (i, bias) in layer.bias.iter_mut().enumerate() {
            *bias = [99.0, 30.0, -99.0][i % 3];
        }
        case.step = Some(0.5);
        let (_, chunk) = case.run(&case.parameters, &case.input, true);
        // What is inside passes the gradient as if nothing were rounded.
        case.step = None;
        let (_, exact) = case.run(&case.parameters, &case.input, true);
        let bias = |chunk: &Chunk| chunk.gradients()[0].as_ref().unwrap().bias.clone();
        for (i, (rounded, exact)) in bias(&chunk).iter().zip(bias(&exact)).enumerate() {
            let expected = if i % 3 == 1 { exact } else { 0.0 };
            assert_eq!(*rounded, expected, "channel {i}");
        }
        let values = chunk.output(0);
        assert!(values.iter().all(|v| (v / 0.5).fract() == 0.0));
        assert_eq!(values.iter().copied().fold(f32::MIN, f32::max), 127.0 * 0.5);
        let least = if rectified { 0.0 } else { -128.0 * 0.5 };
        assert_eq!(values.iter().copied().fold(f32::MAX, f32::min), least);
    }
}

#[test]
fn dense_layers_have_right_gradients() {
    let architecture = Builder::new("test", input(3, 4, 2))
        .dense("hidden", 17, false)
        .dense("logits", 5, false)
        .build()
        .unwrap();
    Case::new(architecture, Statistics::Batch).check();
}

#[test]
fn batch_norm_has_right_gradients_with_chunk_and_with_running_statistics() {
    for statistics in [Statistics::Batch, Statistics::Running] {
        let architecture = Builder::new("test", input(6, 6, 2))
            .layer("conv", convolution(9, (3, 3), 1, 1), NORMALIZED)
            .dense("logits", 3, false)
            .build()
            .unwrap();
        Case::new(architecture, statistics).check();
    }
}

#[test]
fn group_norm_has_right_gradients_with_one_with_some_and_with_single_channels_a_group() {
    for groups in [1, 3, 6] {
        let style = Style {
            norm: Norm::Group { groups },
            offset: true,
            ..Style::default()
        };
        let architecture = Builder::new("test", input(5, 6, 2))
            .layer("conv", convolution(6, (3, 3), 1, 1), style)
            .dense("logits", 3, false)
            .build()
            .unwrap();
        Case::new(architecture, Statistics::Batch).check();
    }
}

#[test]
fn norms_with_an_epsilon_of_their_own_have_right_gradients() {
    // So large that its absence anywhere is seen.
    let epsilon = Epsilon::new(0.5).unwrap();
    for norm in [Norm::Batch, Norm::Group { groups: 3 }] {
        for statistics in [Statistics::Batch, Statistics::Running] {
            let style = Style {
                norm,
                epsilon,
                offset: true,
                ..Style::default()
            };
            let architecture = Builder::new("test", input(5, 6, 2))
                .layer("conv", convolution(6, (3, 3), 1, 1), style)
                .dense("logits", 3, false)
                .build()
                .unwrap();
            assert_eq!(architecture.epsilon(), Some(epsilon));
            let case = Case::new(architecture, statistics);
            case.check();
            let mut usual = Case::new(case.architecture.clone(), statistics);
            usual.architecture = usual.architecture.with_epsilon(Epsilon::DEFAULT);
            let loss = |case: &Case| case.run(&case.parameters, &case.input, false).0;
            assert!((loss(&case) - loss(&usual)).abs() > 1e-3, "{norm:?}");
        }
    }
}

#[test]
fn a_shortcut_with_a_projection_has_right_gradients() {
    let mut architecture = Builder::new("test", input(6, 5, 5))
        .projection_block("block", 9, 2)
        .dense("logits", 3, false)
        .build()
        .unwrap();
    assert_eq!(architecture.source(1), architecture.source(0));
    for style in &mut architecture.styles {
        style.bounds = Bounds::NONE;
    }
    Case::new(architecture, Statistics::Running).check();
}

#[test]
fn pools_have_right_gradients() {
    let max = |kernel, stride, padding| Operation::MaxPool {
        window: Window::square(kernel, stride, padding),
    };
    for pool in [max(2, 2, 0), max(3, 2, 1), Operation::GlobalAveragePool] {
        let architecture = Builder::new("test", input(7, 5, 3))
            .layer("pool", pool, PLAIN)
            .dense("logits", 4, false)
            .build()
            .unwrap();
        Case::new(architecture, Statistics::Batch).check();
    }
}

#[test]
fn residual_blocks_have_right_gradients_with_stride_and_widening_channels() {
    for (channels, stride) in [(5, 1), (9, 2)] {
        let mut architecture = Builder::new("test", input(6, 5, 5))
            .basic_block("block", channels, stride)
            .dense("logits", 3, false)
            .build()
            .unwrap();
        // Without kinks, so that central differences are exact.
        for style in &mut architecture.styles {
            style.bounds = Bounds::NONE;
        }
        Case::new(architecture, Statistics::Running).check();
    }
}

#[test]
fn relu_passes_the_gradient_of_active_units_and_of_no_others() {
    let architecture = Builder::new("test", input(4, 4, 2))
        .convolution("conv", 6, 3, 1, 1, false)
        .dense("logits", 3, false)
        .build()
        .unwrap();
    let mut case = Case::new(architecture, Statistics::Batch);
    // Biases far from zero keep every unit clearly on or clearly off.
    let layer = case.parameters.layers[0].as_mut().unwrap();
    for (i, bias) in layer.bias.iter_mut().enumerate() {
        *bias = if i % 2 == 0 { 40.0 } else { -40.0 };
    }
    case.check();
    let (_, chunk) = case.run(&case.parameters, &case.input, true);
    let gradients = chunk.gradients()[0].as_ref().unwrap();
    assert!(gradients.bias[0] != 0.0 && gradients.bias[1] == 0.0);
}

#[test]
fn the_gradient_of_a_range_is_the_sum_of_those_of_values_above_it() {
    let input = Shape {
        height: 6,
        width: 5,
        channels: 3,
    };
    let architecture = Builder::new("ceiling", input)
        .convolution("conv", 8, 3, 1, 1, true)
        .dense("logits", 4, false)
        .build()
        .unwrap();
    let parameters = Parameters::random(&architecture, 5, 0);
    let images = 3;
    let grid = ActivationGrid {
        step: 0.1,
        low: 0,
        high: 7,
    };
    let run = |grid: Option<ActivationGrid>, ceilings: bool| {
        let activations = vec![None, grid, None];
        let statistics = Statistics::Batch;
        let weights = [None, None];
        let mut prepared = Prepared::new(
            &architecture,
            &parameters,
            &weights,
            statistics,
            activations,
        );
        prepared.ceilings = ceilings;
        let mut chunk = Chunk::new(&architecture, &parameters, images);
        for (i, x) in chunk.input_mut().iter_mut().enumerate() {
            *x = (i * 37 % 101) as f32 / 50.0 - 1.0;
        }
        chunk.forward(&prepared);
        let gradient: Vec<f32> = (0..images * 4)
            .map(|i| 0.3 - (i % 5) as f32 * 0.2)
            .collect();
        chunk.backward(&prepared, &gradient, false);
        (chunk, gradient)
    };
    let (whole, gradient) = run(None, true);
    let (chunk, _) = run(Some(grid), true);
    let dense = &parameters.layers[1].as_ref().unwrap().weight;
    let volume = dense.len() / 4;
    let (mut expected, mut cut) = (0.0, 0);
    for (at, &value) in whole.output(0).iter().enumerate() {
        if value >= grid.range() {
            let (image, place) = (at / volume, at % volume);
            let weight = |o: usize| dense.as_slice().unwrap()[o * volume + place];
            let g: f32 = (0..4).map(|o| gradient[image * 4 + o] * weight(o)).sum();
            expected += g;
            cut += 1;
        }
    }
    assert!(cut > 50, "{cut} values are above the range");
    let found = chunk.ceiling_gradients();
    assert!(
        (found[1] - expected).abs() < 1e-4,
        "{} is not {expected}",
        found[1]
    );
    assert_eq!((found[0], found[2]), (0.0, 0.0));
    assert_eq!(run(Some(grid), false).0.ceiling_gradients(), [0.0; 3]);
    assert_eq!(whole.ceiling_gradients(), [0.0; 3], "nothing is cut off");
}
