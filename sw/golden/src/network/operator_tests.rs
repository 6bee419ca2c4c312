//! Operators of graphs: gradients against central differences, values against definitions.

use super::gradient_case::{Case, NORMALIZED, PLAIN, convolution, input};
use super::test_graph::{ADD, grouped};
use super::{Bounds, Builder, Function, Norm, Statistics, Style};
use crate::quantize::ActivationGrid;
use brownout_spec::program::{Operation, Padding, Shape, Steps, Window};

fn steps(rows: usize, columns: usize) -> Steps {
    Steps { rows, columns }
}

/// Windows that have something of their own on each side and in each direction.
fn windows() -> Vec<Window> {
    let padding = Padding {
        top: 1,
        left: 1,
        bottom: 2,
        right: 0,
    };
    let dilated = |stride, dilation| Window {
        height: 3,
        width: 2,
        stride,
        padding,
        dilation,
    };
    vec![
        Window::square(3, 1, 1),
        Window::square(3, 2, 1),
        dilated(steps(1, 1), steps(2, 3)),
        dilated(steps(2, 1), steps(2, 2)),
        dilated(steps(1, 3), steps(3, 2)),
        dilated(steps(2, 3), steps(1, 2)),
        dilated(steps(3, 2), steps(2, 4)),
        // Two thirds of the taps belong to no input pixel of a class.
        dilated(steps(3, 3), steps(3, 3)),
        Window {
            dilation: steps(2, 1),
            ..Window::square(3, 1, 2)
        },
    ]
}

/// The definition, in double precision: `weight` is `[output][row][column][input of its group]`.
fn convolve(
    x: &[f32],
    map: Shape,
    output: Shape,
    window: &Window,
    groups: usize,
    w: &[f32],
) -> Vec<f64> {
    let (inputs, outputs) = (map.channels / groups, output.channels / groups);
    let mut y = Vec::new();
    for (row, column) in (0..output.height).flat_map(|r| (0..output.width).map(move |c| (r, c))) {
        for o in 0..output.channels {
            let mut sum = 0.0;
            for tap in 0..window.taps() {
                let Some((iy, ix)) = window.pixel(map, (row, column), tap) else {
                    continue;
                };
                for i in 0..inputs {
                    let channel = o / outputs * inputs + i;
                    let x = x[(iy * map.width + ix) * map.channels + channel];
                    sum += f64::from(x) * f64::from(w[(o * window.taps() + tap) * inputs + i]);
                }
            }
            y.push(sum);
        }
    }
    y
}

#[test]
fn dilated_and_grouped_convolutions_equal_their_definition_and_have_right_gradients() {
    // One group, some groups, more outputs than a block in each, every channel one, and that
    // with two outputs each.
    for (groups, inputs, outputs) in [(1, 3, 5), (2, 6, 4), (3, 6, 51), (19, 19, 19), (5, 5, 10)] {
        for window in windows() {
            let map = input(9, 8, inputs);
            let operation = grouped(window, groups, outputs);
            let architecture = Builder::new("test", map)
                .layer("conv", operation, PLAIN)
                .dense("logits", 3, false)
                .build()
                .unwrap();
            let shapes = architecture.shapes()[0];
            let mut case = Case::new(architecture, Statistics::Batch);
            let (_, chunk) = case.run(&case.parameters, &case.input, false);
            let layer = case.parameters.layers[0].as_ref().unwrap();
            let weight = layer.weight.as_slice().unwrap();
            let found = chunk.output(0);
            for (image, found) in found.outer_iter().enumerate() {
                let x = &case.input[image * map.volume()..][..map.volume()];
                let expected = convolve(x, map, shapes.output, &window, groups, weight);
                for (at, (found, expected)) in found.iter().zip(expected).enumerate() {
                    let expected = expected + f64::from(layer.bias[at % outputs]);
                    let difference = (f64::from(*found) - expected).abs();
                    assert!(difference < 1e-4, "{window:?}, {groups} groups, value {at}");
                }
            }
            // More images than one group of them, and a group that is not full.
            case.images = 4;
            case.check();
        }
    }
}

#[test]
fn norms_behind_grouped_convolutions_have_right_gradients() {
    let group = Style {
        norm: Norm::Group { groups: 4 },
        offset: true,
        ..Style::default()
    };
    for (statistics, style) in [
        (Statistics::Batch, NORMALIZED),
        (Statistics::Running, NORMALIZED),
        (Statistics::Batch, group),
    ] {
        let architecture = Builder::new("test", input(5, 6, 8))
            .layer("a", grouped(Window::square(3, 1, 1), 8, 8), style.clone())
            .layer("b", grouped(Window::square(3, 2, 1), 2, 12), style.clone())
            .layer("c", convolution(4, (1, 1), 1, 0), style)
            .dense("logits", 3, false)
            .build()
            .unwrap();
        Case::new(architecture, statistics).check();
    }
}

#[test]
fn average_pools_divide_by_the_taps_that_count_place_by_place() {
    let map = input(6, 5, 3);
    let window = Window {
        height: 3,
        width: 2,
        stride: steps(2, 1),
        padding: Padding {
            top: 1,
            left: 1,
            bottom: 2,
            right: 1,
        },
        dilation: steps(1, 2),
    };
    let some = Padding {
        bottom: 0,
        ..window.padding
    };
    for counted in [Padding::NONE, window.padding, some] {
        let operation = Operation::AveragePool { window, counted };
        let architecture = Builder::new("test", map)
            .layer("pool", operation, PLAIN)
            .dense("logits", 4, false)
            .build()
            .unwrap();
        let output = architecture.shapes()[0].output;
        let case = Case::new(architecture, Statistics::Batch);
        case.check();
        let (_, chunk) = case.run(&case.parameters, &case.input, false);
        let found = chunk.output(0);
        for (at, &found) in found.index_axis(ndarray::Axis(0), 1).iter().enumerate() {
            let (pixel, c) = (at / 3, at % 3);
            let (row, column) = (pixel / output.width, pixel % output.width);
            let (mut sum, mut taps) = (0.0, 0);
            for tap in 0..window.taps() {
                let y = row * 2 + tap / 2;
                let x = column + tap % 2 * 2;
                // From the first row and column of the padding on.
                let inside =
                    |at: usize, before: usize, side: usize| (before..before + side).contains(&at);
                if inside(y, 1, 6) && inside(x, 1, 5) {
                    let place = (map.volume()) + ((y - 1) * 5 + x - 1) * 3 + c;
                    sum += case.input[place];
                }
                let (top, left) = (1 - counted.top, 1 - counted.left);
                let counts = (top..7 + counted.bottom).contains(&y)
                    && (left..6 + counted.right).contains(&x);
                taps += usize::from(counts);
            }
            let expected = sum / taps as f32;
            assert!(
                (found - expected).abs() < 1e-5,
                "{counted:?} at {at}: {found}, {expected}"
            );
        }
    }
}

#[test]
fn sums_and_concats_of_whatever_is_read_several_times_have_right_gradients() {
    for (style, statistics) in [
        (PLAIN, Statistics::Batch),
        (NORMALIZED, Statistics::Batch),
        (NORMALIZED, Statistics::Running),
    ] {
        let architecture = Builder::new("test", input(5, 4, 3))
            .layer("a", convolution(4, (3, 3), 1, 1), style.clone())
            .layer_from(&[0], "b", convolution(4, (1, 1), 1, 0), style.clone())
            .layer_from(&[1, 2], "add", ADD, PLAIN)
            .layer_from(&[3, 3], "twice", ADD, PLAIN)
            // The input, a sum, a convolution that others read, and one part twice.
            .layer_from(&[0, 4, 1, 4], "concat", Operation::Concat, PLAIN)
            .layer("c", convolution(4, (3, 3), 1, 1), style)
            .layer_from(&[6, 2], "add", ADD, PLAIN)
            .dense("logits", 3, false)
            .build()
            .unwrap();
        Case::new(architecture, statistics).check();
    }
}

#[test]
fn a_concat_has_its_parts_channels_one_after_the_other() {
    let architecture = Builder::new("test", input(3, 2, 2))
        .layer("a", convolution(3, (1, 1), 1, 0), PLAIN)
        .layer_from(&[1, 0], "concat", Operation::Concat, PLAIN)
        .dense("logits", 2, false)
        .build()
        .unwrap();
    let case = Case::new(architecture, Statistics::Batch);
    let (_, chunk) = case.run(&case.parameters, &case.input, false);
    for (at, &value) in chunk.output(1).iter().enumerate() {
        let (pixel, c) = (at / 5, at % 5);
        let expected = match c {
            0..3 => chunk.output(0).as_slice().unwrap()[pixel * 3 + c],
            _ => case.input[pixel * 2 + c - 3],
        };
        assert_eq!(value, expected, "value {at}");
    }
}

#[test]
fn resizes_and_pads_place_every_pixel_and_have_right_gradients() {
    let map = input(3, 2, 2);
    let padding = Padding {
        top: 1,
        left: 2,
        bottom: 0,
        right: 3,
    };
    let factors = steps(2, 3);
    let resize = |y: usize, x: usize| Some((y / 2, x / 3));
    let pad = |y: usize, x: usize| {
        let (y, x) = (y.checked_sub(1)?, x.checked_sub(2)?);
        (y < 3 && x < 2).then_some((y, x))
    };
    type Source<'a> = &'a dyn Fn(usize, usize) -> Option<(usize, usize)>;
    let operations: [(Operation, Source<'_>); 2] = [
        (Operation::Resize { factors }, &resize),
        (Operation::Pad { padding }, &pad),
    ];
    for (operation, source) in operations {
        let architecture = Builder::new("test", map)
            .layer("a", convolution(2, (1, 1), 1, 0), PLAIN)
            .layer("move", operation, PLAIN)
            .dense("logits", 3, false)
            .build()
            .unwrap();
        let output = architecture.shapes()[1].output;
        let case = Case::new(architecture, Statistics::Batch);
        case.check();
        let (_, chunk) = case.run(&case.parameters, &case.input, false);
        for ((image, y, x, c), &value) in chunk.output(1).indexed_iter() {
            let expected = source(y, x).map(|(y, x)| chunk.output(0)[[image, y, x, c]]);
            assert_eq!(value, expected.unwrap_or(0.0), "{y} {x} of {output}");
        }
    }
}

#[test]
fn pointwise_functions_have_right_gradients() {
    for function in [
        Function::silu(),
        Function::gelu(),
        Function::gelu_tanh(),
        Function::tanh(),
        Function::mish(),
        Function::softplus().then(&Function::sigmoid()).unwrap(),
    ] {
        let architecture = Builder::new("test", input(5, 4, 3))
            .layer("a", convolution(4, (3, 3), 1, 1), NORMALIZED)
            .layer(
                "f",
                Operation::Pointwise,
                Style::of_function(function.clone()),
            )
            .dense("logits", 3, false)
            .build()
            .unwrap();
        let case = Case::new(architecture, Statistics::Running);
        case.check();
        let (_, chunk) = case.run(&case.parameters, &case.input, false);
        for (x, y) in chunk.output(0).iter().zip(chunk.output(1)) {
            let expected = function.value(f64::from(*x));
            assert!(
                (f64::from(*y) - expected).abs() < 1e-5,
                "{function:?} at {x}"
            );
        }
    }
}

/// Layers that compute, each behind a convolution whose biases put channels far below, inside and
/// far above what is clipped.
fn clipped_layers() -> Vec<(Operation, Style)> {
    let window = Window::square(2, 1, 0);
    let counted = Padding::NONE;
    vec![
        (convolution(3, (1, 1), 1, 0), PLAIN),
        (ADD, PLAIN),
        (Operation::AveragePool { window, counted }, PLAIN),
        (Operation::GlobalAveragePool, PLAIN),
        (
            Operation::Pointwise,
            Style::of_function(Function::default()),
        ),
    ]
}

#[test]
fn a_clip_stops_values_and_gradients_behind_every_layer_that_computes() {
    let clip = Bounds::new(-2.0, 6.0).unwrap();
    for (operation, style) in clipped_layers() {
        let style = Style {
            bounds: clip,
            ..style
        };
        let reads: &[usize] = if operation == ADD { &[1, 2] } else { &[1] };
        let architecture = Builder::new("test", input(4, 4, 2))
            .layer("a", convolution(3, (3, 3), 1, 1), PLAIN)
            .layer_from(&[0], "b", convolution(3, (1, 1), 1, 0), PLAIN)
            .layer_from(reads, "clipped", operation, style)
            .layer("mean", Operation::GlobalAveragePool, PLAIN)
            // Somebody must read `b`.
            .layer_from(&[2], "mean", Operation::GlobalAveragePool, PLAIN)
            .layer_from(&[4, 5], "add", ADD, PLAIN)
            .dense("logits", 3, false)
            .build()
            .unwrap();
        let mut case = Case::new(architecture, Statistics::Batch);
        if let Some(layer) = case.parameters.layers[2].as_mut() {
            // The convolution passes each channel on.
            layer.weight.fill(0.0);
            layer.bias.fill(0.0);
            (0..3).for_each(|c| layer.weight[[c, 0, 0, c]] = 1.0);
        }
        let layer = case.parameters.layers[0].as_mut().unwrap();
        layer.bias = vec![-40.0, 2.0, 40.0].into();
        layer.weight.mapv_inplace(|w| 0.3 * w);
        case.check();
        let (_, chunk) = case.run(&case.parameters, &case.input, true);
        let bias = &chunk.gradients()[0].as_ref().unwrap().bias;
        assert!(
            bias[0] == 0.0 && bias[1] != 0.0 && bias[2] == 0.0,
            "{operation:?}"
        );
        let clipped = chunk.output(2).iter().copied();
        assert_eq!(clipped.clone().fold(f32::MAX, f32::min), -2.0);
        assert_eq!(clipped.fold(f32::MIN, f32::max), 6.0);
        // A range is observed in front of the grid, but behind the layer's own clip.
        assert_eq!(chunk.maxima()[3], 6.0, "{operation:?}");
    }
}

#[test]
fn a_concat_rounds_again_only_the_parts_that_are_on_another_grid() {
    let architecture = Builder::new("test", input(4, 4, 2))
        .layer("a", convolution(3, (1, 1), 1, 0), PLAIN)
        .layer_from(&[0], "b", convolution(3, (1, 1), 1, 0), PLAIN)
        .layer_from(&[1, 2], "concat", Operation::Concat, PLAIN)
        .dense("logits", 3, false)
        .build()
        .unwrap();
    let mut case = Case::new(architecture, Statistics::Batch);
    // The first part's values are on a finer grid than the concat's, which they leave as well.
    let (fine, coarse) = (
        ActivationGrid::hardware(0.125),
        ActivationGrid {
            step: 0.5,
            low: -2,
            high: 2,
        },
    );
    case.parameters.layers[0].as_mut().unwrap().bias = vec![-40.0, 0.0, 9.0].into();
    let run = |grids: [Option<ActivationGrid>; 3]| {
        let grids = [&[None], &grids[..], &[None]].concat();
        case.run_on(grids)
    };
    let chunk = run([Some(fine), Some(coarse), Some(coarse)]);
    let (a, b, whole) = (chunk.output(0), chunk.output(1), chunk.output(2));
    for ((image, y, x, c), &value) in whole.indexed_iter() {
        let expected = match c {
            0..3 => (a[[image, y, x, c]] * 2.0 + 0.5).floor().clamp(-2.0, 2.0) * 0.5,
            _ => b[[image, y, x, c - 3]],
        };
        assert_eq!(value, expected, "{image} {y} {x} {c}");
    }
    assert!(
        a.iter().any(|a| (a / 0.5).fract() != 0.0),
        "the part is finer"
    );
    let bias = &chunk.gradients()[0].as_ref().unwrap().bias;
    assert!(bias[0] == 0.0 && bias[1] != 0.0 && bias[2] == 0.0);
    // The gradient of the concat's range has what its own rounding cut off, and what its second
    // part, which is tied to it, did; the first part has a range of its own.
    let ceilings = chunk.ceiling_gradients();
    assert!(ceilings[2] == 0.0 && ceilings[3] != 0.0, "{ceilings:?}");
    // With equal grids nothing is rounded twice.
    let chunk = run([Some(fine), Some(fine), Some(fine)]);
    let bias = &chunk.gradients()[0].as_ref().unwrap().bias;
    assert!(bias[2] != 0.0);
}

#[test]
fn a_range_is_learned_only_where_the_grid_cuts_off_and_not_the_layers_own_clip() {
    for operation in [convolution(3, (1, 1), 1, 0), ADD] {
        let style = Style {
            bounds: Bounds::RELU6,
            ..PLAIN
        };
        let reads: &[usize] = if operation == ADD { &[1, 1] } else { &[1] };
        let architecture = Builder::new("test", input(3, 3, 2))
            .layer("a", convolution(3, (1, 1), 1, 0), PLAIN)
            .layer_from(reads, "clipped", operation, style)
            .dense("logits", 3, false)
            .build()
            .unwrap();
        let mut case = Case::new(architecture, Statistics::Batch);
        case.parameters.layers[0].as_mut().unwrap().bias.fill(40.0);
        if let Some(layer) = &mut case.parameters.layers[1] {
            layer.weight.mapv_inplace(f32::abs);
        }
        let ceiling = |step: f32| {
            let grid = Some(ActivationGrid::hardware(step));
            case.run_on(vec![None, None, grid, None])
                .ceiling_gradients()[2]
        };
        // 63.5, then 3.175.
        assert_eq!(ceiling(0.5), 0.0, "{operation:?}");
        assert_ne!(ceiling(0.025), 0.0, "{operation:?}");
    }
}

#[test]
fn what_may_be_negative_has_the_range_of_its_largest_magnitude() {
    for (bounds, expected) in [
        (Bounds::NONE, 50.0),
        (Bounds::new(-20.0, 30.0).unwrap(), 20.0),
        (Bounds::RELU, 10.0),
    ] {
        let style = Style { bounds, ..PLAIN };
        let architecture = Builder::new("test", input(2, 2, 1))
            .layer("a", convolution(2, (1, 1), 1, 0), style)
            .dense("logits", 2, false)
            .build()
            .unwrap();
        let mut case = Case::new(architecture, Statistics::Batch);
        let layer = case.parameters.layers[0].as_mut().unwrap();
        layer.weight.fill(0.0);
        layer.bias = vec![-50.0, 10.0].into();
        let (_, chunk) = case.run(&case.parameters, &case.input, false);
        assert_eq!(chunk.maxima()[1], expected);
    }
}

#[test]
fn groups_of_images_stay_within_the_tables_of_the_inner_loops() {
    let dense = |side: usize, channels: usize| {
        let map = input(side, side, channels);
        let architecture = Builder::new("test", map).dense("logits", 2, false).build();
        super::windows::group(&architecture.unwrap().shapes()[0], 100)
    };
    assert_eq!(dense(8, 64), 64);
    assert_eq!(dense(15, 16_384), 64);
    let wide = brownout_spec::program::LayerShapes {
        input: input(1, 1 << 14, 1 << 13),
        output: input(1, 1, 1),
        window: Window::square(1, 1, 0),
        groups: 1,
    };
    assert_eq!(super::windows::group(&wide, 100), 8);
}
