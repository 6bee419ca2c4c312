use super::super::chunk::{Chunk, Prepared, Statistics};
use super::super::windows::{Backward, Forward, Padded, Scratch};
use super::*;
use crate::float::FloatModel;
use crate::model::InputMap;
use brownout_spec::program::{LayerShapes, Shape};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Numbers between −1 and 1 with all bits of their significands.
fn numbers(count: usize, seed: u64) -> Vec<f32> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    (0..count).map(|_| random.random_range(-1.0..1.0)).collect()
}

fn shapes(size: usize, inputs: usize, outputs: usize, kernel: usize, stride: usize) -> LayerShapes {
    let padding = kernel / 2;
    let shape = |size: usize, channels: usize| Shape {
        height: size,
        width: size,
        channels,
    };
    LayerShapes {
        input: shape(size, inputs),
        output: shape((size + 2 * padding - kernel) / stride + 1, outputs),
        kernel_height: kernel,
        kernel_width: kernel,
        stride,
        padding,
    }
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
    ] {
        assert_eq!(rounded(value), expected, "{value}");
    }
    // The one whose rounding would carry into the sign.
    let not_a_number = f32::from_bits(0xffff_ffff);
    assert!(f32::from_bits(rounded(not_a_number) << 16).is_nan());
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
    let mut scratch = Scratch::default();
    for (size, inputs, outputs, kernel, stride, images) in [
        (8, 16, 32, 3, 1, 1),
        (8, 18, 16, 3, 2, 2),
        (6, 2, 5, 3, 1, 3),
        (4, 8, 24, 1, 2, 1),
    ] {
        let shapes = shapes(size, inputs, outputs, kernel, stride);
        let forward = Forward::new(&shapes, images);
        let windows = forward.windows(images);
        let case = format!("{inputs} to {outputs} channels, stride {stride}");

        let x = numbers(images * shapes.input.volume(), 1);
        let mut padded = Padded::default();
        let pairs = forward.channel_pairs(&x, &mut padded).to_vec();
        let weights = numbers(forward.packed_length(), 2);
        let packed = pair_weights(&weights);
        let run = |run: fn(&[u32], &Windows<'_>, &[u32], usize, &mut [f32])| {
            let mut y = vec![0.5; images * shapes.output.volume()];
            run(&pairs, &windows, &packed, outputs, &mut y);
            y
        };
        let expected = run(convolve_body::<false>);
        assert_eq!(run(convolve), expected, "{case}");
        assert_eq!(run(convolve_plain), expected, "{case}");
        assert!(expected.iter().any(|&y| y != expected[0]), "{case}");

        let backward = Backward::new(&shapes, images);
        let x_pairs = forward.pixel_pairs(&x, &mut padded).to_vec();
        let dy = numbers(windows.bases.len() * outputs + LANES, 3);
        let mut dy_pairs = vec![0; dy.len()];
        pair_apart(&dy, outputs, &mut dy_pairs);
        let run = |run: fn(&[u32], &Windows<'_>, &[u32], &mut [f32])| {
            let mut gradient = numbers(forward.packed_length(), 4);
            run(&x_pairs, &windows, &dy_pairs, &mut gradient);
            gradient
        };
        let expected = run(correlate_body::<false>);
        assert_eq!(run(correlate), expected, "{case}");
        assert_eq!(run(correlate_plain), expected, "{case}");

        // All three products of a layer are those of single precision on rounded operands.
        let narrow = |values: &[f32]| -> Vec<f32> {
            let bits = values.iter().map(|&v| f32::from_bits(rounded(v) << 16));
            bits.collect()
        };
        let weight = numbers(outputs * kernel * kernel * inputs, 5);
        let close = |a: &[f32], b: &[f32], what: &str| {
            for (a, b) in a.iter().zip(b) {
                assert!((a - b).abs() < 2e-5, "{case}, {what}: {a}, {b}");
            }
        };
        let both = [Precision::Single, Precision::Bfloat16];
        let [plain, halves] = both.map(|precision| {
            let (x, weight) = (narrow(&x), narrow(&weight));
            let packed = forward.pack(&weight, precision);
            let mut y = vec![f32::NAN; images * shapes.output.volume()];
            forward.convolve((&x, images), &packed, &mut padded, &mut scratch, &mut y);
            y
        });
        close(&plain, &halves, "forward");
        let g = narrow(&numbers(backward.padded_length(images), 6));
        let [plain, halves] = both.map(|precision| {
            let packed = backward.pack(&narrow(&weight), precision);
            let mut dx = vec![f32::NAN; images * shapes.input.volume()];
            backward.convolve(&g, images, &packed, &mut scratch, &mut dx);
            dx
        });
        close(&plain, &halves, "gradient of the input");
        let [plain, halves] = both.map(|precision| {
            let mut gradient = vec![0.0; forward.packed_length()];
            let (values, group) = ((&narrow(&x)[..], &g[..]), (images, precision));
            let buffers = (&mut padded, &mut scratch);
            backward.correlate(&forward, values, group, buffers.0, buffers.1, &mut gradient);
            let mut weight = vec![0.0; weight.len()];
            forward.unpack(&gradient, &mut weight);
            weight
        });
        close(&plain, &halves, "gradient of the weights");
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
