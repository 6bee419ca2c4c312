//! Random networks, as training may leave them at worst, against a definition of each layer.

use super::resolution_tests::{GRANULARITIES, blocks, model, noise, options};
use super::*;
use crate::data::Dataset;
use crate::float::FloatModel;
use crate::infer::IntegerNetwork;
use crate::network::{Bounds, Parameters};
use ndarray::Axis;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Parameters as training may leave them, at worst.
fn extreme(architecture: &Architecture, seed: u64) -> Parameters {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut parameters = Parameters::random(architecture, seed, 0);
    for layer in parameters.layers.iter_mut().flatten() {
        let Some(gain) = &mut layer.gain else {
            continue;
        };
        for channel in 0..layer.mean.len() {
            let exponent: f32 = random.random_range(-12.0..6.0);
            layer.variance[channel] = 10f32.powf(exponent);
            layer.mean[channel] = random.random_range(-1.0..1.0);
            layer.bias[channel] = random.random_range(-1.0..1.0);
            gain[channel] = match random.random_range(0..4) {
                0 => 0.0,
                1 => -random.random_range(0.0..2.0f32),
                _ => random.random_range(0.0..2.0),
            };
            if random.random_range(0..4) == 0 {
                layer.weight.index_axis_mut(Axis(0), channel).fill(0.0);
            }
        }
    }
    parameters
}

/// Whatever zeros, variances and gains a network has: every layer of its integers is the rounded
/// network's, within two steps but for one value in a hundred, or a remark names it.
#[test]
fn integers_are_the_rounded_networks_or_a_remark_names_the_layer() {
    let (mut named_layers, mut silent_layers) = (0, 0);
    for seed in 0..40 {
        let granularity = GRANULARITIES[seed as usize % 2];
        let network = model(blocks(), extreme(&blocks(), seed));
        let data = noise(&network, 24);
        let trained = network.calibrate(&data, &options(granularity)).unwrap();
        let exported = export(&trained, None).unwrap();
        let judgement = judge(&trained, &exported, &data);
        let remarks = judgement.remarks();
        let integers = IntegerNetwork::undisturbed(&exported);
        let rounded = trained.rounded();
        for layer in 0..exported.layers.len() - 1 {
            let apart = apart(&trained, &rounded, (&exported, &integers), layer, &data);
            let named = remarks
                .iter()
                .any(|r| r.starts_with(&format!("layer {layer} (")));
            assert!(
                apart <= 0.01 || named,
                "seed {seed}, layer {layer}: {apart}, {remarks:?}"
            );
            match named {
                true => named_layers += 1,
                false => silent_layers += 1,
            }
        }
        for (layer, tensors) in exported.layers.iter().enumerate() {
            let Some(weights) = &tensors.weights else {
                continue;
            };
            for (channel, parameters) in tensors.channels.iter().enumerate() {
                let integers = weights.integers.index_axis(Axis(0), channel);
                let dead = integers.iter().all(|&w| w == 0);
                assert!(
                    !dead || parameters.multiplier == 0,
                    "seed {seed}, layer {layer}"
                );
            }
        }
    }
    // Both happen, so that neither half of the claim is empty.
    assert!(
        named_layers > 5 && silent_layers > 100,
        "{named_layers} and {silent_layers}"
    );
}

/// Share of a layer's values that are more than two steps from what a definition of the layer gives
/// for the same inputs, one value at a time and in double precision.
fn apart(
    trained: &QuantizedNetwork,
    rounded: &FloatModel,
    (model, integers): (&IntegerModel, &IntegerNetwork<'_>),
    layer: usize,
    data: &Dataset,
) -> f64 {
    let architecture = &trained.model.architecture;
    let shapes = architecture.shapes()[layer];
    let step = |tensor: usize| f64::from(trained.quantization.activations[tensor].unwrap().step);
    let (source, grid) = (
        architecture.source(layer),
        trained.quantization.activations[layer + 1].unwrap(),
    );
    let mut workspace = integers.workspace();
    let (mut all, mut apart) = (0, 0);
    for image in 0..data.len() {
        integers.run(&model.quantize(data.image(image)), &mut workspace);
        let tensor = |tensor: usize| match tensor.checked_sub(1) {
            None => workspace.input(),
            Some(layer) => workspace.activations(layer).unwrap(),
        };
        let at = |t: usize, y: isize, x: isize, c: usize| -> f64 {
            let shape = architecture.tensor(t);
            let inside = y >= 0
                && x >= 0
                && y < shape.height as isize
                && x < shape.width as isize
                && c < shape.channels;
            if !inside {
                return 0.0;
            }
            let place = (y as usize * shape.width + x as usize) * shape.channels + c;
            f64::from(tensor(t)[place]) * step(t)
        };
        let output = shapes.output;
        for (place, &integer) in tensor(layer + 1).iter().enumerate() {
            let (c, pixel) = (place % output.channels, place / output.channels);
            let (y, x) = (
                (pixel / output.width) as isize,
                (pixel % output.width) as isize,
            );
            let mut value = 0.0;
            match &rounded.parameters.layers[layer] {
                None => {
                    for (row, column) in (0..shapes.window.height)
                        .flat_map(|r| (0..shapes.window.width).map(move |k| (r, k)))
                    {
                        value += at(source, row as isize, column as isize, c);
                    }
                    value /= shapes.input.pixels() as f64;
                }
                Some(parameters) => {
                    let stride = shapes.window.stride.rows as isize;
                    for ((_, row, column, input), &w) in parameters
                        .weight
                        .slice(ndarray::s![c..c + 1, .., .., ..])
                        .indexed_iter()
                    {
                        let (py, px) = (
                            y * stride + row as isize - shapes.window.padding.top as isize,
                            x * stride + column as isize - shapes.window.padding.left as isize,
                        );
                        value += f64::from(w) * at(source, py, px, input);
                    }
                    if let Some(gain) = &parameters.gain {
                        let deviation = (f64::from(parameters.variance[c]) + 1e-5).sqrt();
                        value = (value - f64::from(parameters.mean[c])) / deviation
                            * f64::from(gain[c]);
                    }
                    value += f64::from(parameters.bias[c]);
                    if let Some((from, every)) = architecture.residual(layer) {
                        value += at(from, y * every as isize, x * every as isize, c);
                    }
                    if architecture.styles[layer].bounds == Bounds::RELU {
                        value = value.max(0.0);
                    }
                }
            }
            let steps =
                (value / f64::from(grid.step)).clamp(f64::from(grid.low), f64::from(grid.high));
            all += 1;
            apart += usize::from((f64::from(integer) - steps).abs() > 2.5);
        }
    }
    apart as f64 / all as f64
}
