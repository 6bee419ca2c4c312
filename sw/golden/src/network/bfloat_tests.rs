use super::super::gradient_tests::GEOMETRIES;
use super::super::windows::{Backward, Forward, Padded, Scratch};
use super::super::{Chunk, Prepared, Statistics};
use super::*;
use crate::float::FloatModel;
use crate::model::InputMap;
use brownout_spec::program::{LayerShapes, Shape, Window};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Numbers between −1 and 1 with all bits of their significands.
fn numbers(count: usize, seed: u64) -> Vec<f32> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    (0..count).map(|_| random.random_range(-1.0..1.0)).collect()
}

/// A layer on maps of this height and width.
fn layer(
    (height, width): (usize, usize),
    (inputs, outputs): (usize, usize),
    kernel: (usize, usize),
    (stride, padding): (usize, usize),
) -> LayerShapes {
    let size = |size: usize, kernel: usize| (size + 2 * padding - kernel) / stride + 1;
    let shape = |height: usize, width: usize, channels: usize| Shape {
        height,
        width,
        channels,
    };
    LayerShapes {
        input: shape(height, width, inputs),
        output: shape(size(height, kernel.0), size(width, kernel.1), outputs),
        window: Window {
            height: kernel.0,
            width: kernel.1,
            ..Window::square(1, stride, padding)
        },
        groups: 1,
    }
}

/// Layers of every stride and padding, with maps of odd and even width, and with rows that
/// are shorter than a stride.
fn layers() -> Vec<LayerShapes> {
    let mut layers = vec![
        layer((3, 1), (4, 6), (3, 3), (2, 2)),
        layer((4, 6), (2, 5), (3, 3), (7, 2)),
        layer((4, 4), (16, 16), (4, 4), (1, 0)),
    ];
    for (kernel, stride, padding) in GEOMETRIES {
        for channels in [(3, 18), (18, 5), (16, 32)] {
            for size in [(7, 6), (6, 8), (5, 5)] {
                layers.push(layer(size, channels, kernel, (stride, padding)));
            }
        }
    }
    layers
}

/// What is left of values in bfloat16.
fn narrow(values: &[f32]) -> Vec<f32> {
    let values = values.iter();
    values.map(|&v| f32::from_bits(rounded(v) << 16)).collect()
}

#[test]
fn values_are_rounded_to_the_nearest_and_to_even() {
    for (value, expected) in [
        (1.0, 0x3f80),
        (-2.5, 0xc020),
        (0.0, 0),
        (-0.0, 0x8000),
        // Halfway between two neighbours: to the even one, down and up.
        (f32::from_bits(0x3f80_8000), 0x3f80),
        (f32::from_bits(0x3f81_8000), 0x3f82),
        (f32::from_bits(0x3f80_8001), 0x3f81),
        (f32::from_bits(0x3fff_ffff), 0x4000),
        (f32::INFINITY, 0x7f80),
        (f32::MAX, 0x7f80),
        // Subnormal numbers are zero, with their sign.
        (f32::from_bits(0x007f_ffff), 0),
        (f32::from_bits(0x8040_0000), 0x8000),
    ] {
        assert_eq!(rounded(value), expected, "{value}");
    }
    // Rounding would carry into the sign, or leave nothing of what makes it no number.
    for bits in [0xffff_ffff, 0x7f80_0001] {
        let not_a_number = f32::from_bits(bits);
        assert!(f32::from_bits(rounded(not_a_number) << 16).is_nan());
    }
    assert_eq!(values(pair_of(1.5, -3.0)), (1.5, -3.0));
}

#[test]
fn pairs_are_of_neighbours_and_of_values_apart() {
    let numbers: Vec<f32> = (0..75).map(|i| i as f32).collect();
    let mut pairs = vec![1; 37];
    pair_neighbours(&numbers, &mut pairs);
    for (i, &pair) in pairs.iter().enumerate() {
        assert_eq!(values(pair), (2.0 * i as f32, 2.0 * i as f32 + 1.0));
    }
    let mut pairs = vec![1; 75];
    pair_apart(&numbers, 20, &mut pairs);
    for (i, &pair) in pairs.iter().enumerate() {
        let second = if i < 55 { i + 20 } else { 0 };
        assert_eq!(values(pair), (i as f32, second as f32));
    }
}

#[test]
fn the_instruction_and_what_stands_in_for_it_agree_to_the_bit() {
    let paired = layers().into_iter();
    let paired = paired.filter(|l| l.input.channels % 2 == 0 && l.output.width % 2 == 0);
    for (number, shapes) in paired.enumerate() {
        let (images, outputs) = (1 + number % 3, shapes.output.channels);
        let forward = Forward::new(&shapes, images);
        let windows = forward.windows(images);
        let x = numbers(images * shapes.input.volume(), 1);
        let mut padded = Padded::default();
        let pairs = forward.channel_pairs(&x, &mut padded).to_vec();
        let packed = pair_weights(&numbers(forward.packed_length(), 2));
        let result = |convolve: fn(&[u32], &Windows<'_>, &[u32], usize, &mut [f32])| {
            let mut y = vec![0.5; images * shapes.output.volume()];
            convolve(&pairs, &windows, &packed, outputs, &mut y);
            y
        };
        let expected = result(convolve_body::<false>);
        assert_eq!(result(convolve), expected, "{shapes:?}");
        assert_eq!(result(convolve_plain), expected, "{shapes:?}");
        assert!(expected.iter().any(|&y| y != expected[0]), "{shapes:?}");

        let pairs = forward.pixel_pairs(&x, &mut padded).to_vec();
        let dy = numbers(windows.bases.len() * outputs + LANES, 3);
        let mut dy_pairs = vec![0; dy.len()];
        pair_apart(&dy, outputs, &mut dy_pairs);
        let result = |correlate: fn(&[u32], &Windows<'_>, &[u32], &mut [f32])| {
            let mut gradient = numbers(forward.packed_length(), 4);
            correlate(&pairs, &windows, &dy_pairs, &mut gradient);
            gradient
        };
        let expected = result(correlate_body::<false>);
        assert_eq!(result(correlate), expected, "{shapes:?}");
        assert_eq!(result(correlate_plain), expected, "{shapes:?}");
    }
}

/// The three results of a layer: forward, the gradient of its input, and that of its weights.
struct Products<'a> {
    forward: &'a Forward,
    backward: &'a Backward,
    shapes: &'a LayerShapes,
    images: usize,
}

impl Products<'_> {
    fn of(
        &self,
        [x, weight, g]: [&[f32]; 3],
        precision: Precision,
        (padded, scratch): (&mut Padded, &mut Scratch),
    ) -> [Vec<f32>; 3] {
        let Self {
            forward,
            backward,
            shapes,
            images,
        } = *self;
        let mut y = vec![f32::NAN; images * shapes.output.volume()];
        let packed = forward.pack(weight, precision);
        forward.convolve((x, images), &packed, padded, scratch, &mut y);
        let mut gradient = vec![0.0; forward.packed_length()];
        let group = (images, precision);
        backward.correlate(forward, (x, g), group, padded, scratch, &mut gradient);
        let mut dw = vec![f32::NAN; weight.len()];
        forward.unpack(&gradient, &mut dw);
        let mut dx = vec![f32::NAN; images * shapes.input.volume()];
        let packed = backward.pack(weight, precision);
        backward.convolve(g, images, &packed, scratch, &mut dx);
        [y, dx, dw]
    }
}

#[test]
fn products_are_those_of_single_precision_on_rounded_operands() {
    let apart = |a: &[f32], b: &[f32]| {
        let differences = a.iter().zip(b).map(|(a, b)| (a - b).abs());
        differences.fold(0.0, f32::max)
    };
    for shapes in layers() {
        let (forward, backward) = (Forward::new(&shapes, 3), Backward::new(&shapes, 3));
        let taps = shapes.window.height * shapes.window.width * shapes.input.channels;
        let weight = numbers(shapes.output.channels * taps, 5);
        let is_even = |number: usize| number.is_multiple_of(2);
        let width = super::super::windows::flattened(&shapes).output.width;
        // Which of the three are in bfloat16: odd channels and odd widths are not.
        let in_pairs = [
            is_even(super::super::windows::flattened(&shapes).input.channels),
            is_even(shapes.output.channels),
            is_even(width),
        ];
        let mut buffers = (Padded::default(), Scratch::default());
        // Fewer images in used buffers: nothing of the former ones may be left.
        for (images, seed) in [(3, 10), (1, 20)] {
            let products = Products {
                forward: &forward,
                backward: &backward,
                shapes: &shapes,
                images,
            };
            let x = numbers(images * shapes.input.volume(), seed);
            // Its border and what is behind it are zero, as in training.
            let mut g = vec![0.0; backward.padded_length(images)];
            let values = numbers(images * shapes.output.volume(), seed + 1);
            for (value, &place) in values
                .chunks_exact(shapes.output.channels)
                .zip(backward.places())
            {
                g[place as usize..][..value.len()].copy_from_slice(value);
            }
            let mut of = |operands: [&[f32]; 3], precision| {
                products.of(operands, precision, (&mut buffers.0, &mut buffers.1))
            };
            let exact = of([&x, &weight, &g], Precision::Single);
            let single = of(
                [&narrow(&x), &narrow(&weight), &narrow(&g)],
                Precision::Single,
            );
            let pairs = of([&x, &weight, &g], Precision::Bfloat16);
            for (product, in_pairs) in in_pairs.into_iter().enumerate() {
                let case = format!("{shapes:?}, product {product}, {images} images");
                let (exact, pairs) = (&exact[product], &pairs[product]);
                if in_pairs {
                    assert!(apart(&single[product], pairs) < 1e-4, "{case}");
                    assert!(apart(exact, pairs) > 1e-4, "{case}");
                } else {
                    assert_eq!(exact, pairs, "{case}");
                }
            }
        }
    }
}

#[test]
fn a_network_s_gradients_are_those_of_single_precision_but_for_rounding() {
    let image = Shape {
        height: 28,
        width: 28,
        channels: 1,
    };
    // Of a deep one, a change of its input by a thousandth changes a fifth: ReLUs flip.
    let network = "cnn".parse().unwrap();
    let model = FloatModel::random(network, (image, 10), InputMap::Centre, 1).unwrap();
    let (architecture, parameters) = (&model.architecture, &model.parameters);
    let layers = parameters.layers.len();
    let run = |precision: Precision| {
        let prepared = Prepared::with_precision(
            architecture,
            parameters,
            &vec![None; layers],
            (Statistics::Batch, precision),
            vec![None; layers + 1],
        );
        let mut chunk = Chunk::new(architecture, parameters, 8);
        let input = numbers(8 * image.volume(), 7);
        chunk.input_mut().copy_from_slice(&input);
        chunk.forward(&prepared);
        let logits = chunk.logits().to_vec();
        chunk.backward(&prepared, &numbers(logits.len(), 8), false);
        let gradients = chunk.gradients().iter().flatten();
        (
            logits,
            gradients.map(|g| g.weight.clone()).collect::<Vec<_>>(),
        )
    };
    let (single, narrow) = (run(Precision::Single), run(Precision::Bfloat16));
    assert_ne!(single.0, narrow.0);
    for (layer, (single, narrow)) in single.1.iter().zip(&narrow.1).enumerate() {
        let length =
            |values: &mut dyn Iterator<Item = f32>| values.map(|v| v * v).sum::<f32>().sqrt();
        let whole = length(&mut single.iter().copied());
        let apart = length(&mut single.iter().zip(narrow).map(|(s, n)| s - n));
        assert!(
            0.0 < apart && apart < 0.1 * whole,
            "layer {layer}: {}",
            apart / whole
        );
    }
}
