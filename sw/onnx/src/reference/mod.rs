//! What a network computes, in straight loops: single precision between layers, double
//! inside them. For proofs, not for speed.

mod windows;

use crate::network::{Affine, BatchNorm, Dense, Network, Operator, Pool, QuantizedForm, Shape};
use crate::quantization::{Bipolar, of_channel};
use std::borrow::Cow;

/// The outputs for one image, whose elements lie as channels, rows, columns.
///
/// # Errors
/// An image of another size than the network's.
pub fn run(network: &Network, image: &[f32]) -> Result<Vec<f32>, String> {
    let mut made = tensors(network, image)?;
    Ok(std::mem::take(&mut made[network.output]))
}

/// Every tensor for one image.
///
/// # Errors
/// An image of another size than the network's.
pub fn tensors(network: &Network, image: &[f32]) -> Result<Vec<Vec<f32>>, String> {
    let shape = network.tensors[network.input].shape;
    if image.len() != shape.len() {
        return Err(format!(
            "an image has {} values; allowed are {} ({} x {} x {})",
            image.len(),
            shape.len(),
            shape.channels,
            shape.height,
            shape.width
        ));
    }
    let mut made: Vec<Vec<f32>> = vec![Vec::new(); network.tensors.len()];
    made[network.input] = image.to_vec();
    for layer in &network.layers {
        let reads: Vec<(&[f32], Shape)> = (layer.reads.iter())
            .map(|&t| (made[t].as_slice(), network.tensors[t].shape))
            .collect();
        let out = network.tensors[layer.writes].shape;
        made[layer.writes] = apply(&layer.operator, &reads, out);
    }
    Ok(made)
}

fn apply(operator: &Operator, reads: &[(&[f32], Shape)], out: Shape) -> Vec<f32> {
    let (x, shape) = reads[0];
    let channel = |at: usize| at / (shape.height * shape.width);
    let each = |function: &dyn Fn(f32, usize) -> f32| -> Vec<f32> {
        let values = x.iter().enumerate();
        values.map(|(at, &v)| function(v, channel(at))).collect()
    };
    match operator {
        Operator::Convolution(convolution) => windows::convolution(convolution, x, shape, out),
        Operator::Dense(layer) => dense(layer, x),
        Operator::BatchNorm(norm) => each(&|x, channel| normalized(norm, x, channel)),
        Operator::Affine(affine) => each(&|x, channel| scaled(affine, x, channel)),
        Operator::Add => x.iter().zip(reads[1].0).map(|(a, b)| a + b).collect(),
        Operator::Concat => reads.iter().flat_map(|(x, _)| x.iter().copied()).collect(),
        Operator::Pool(pool) => match pool {
            Pool::Max(window) => windows::maximum(window, x, shape, out),
            Pool::Average(window, padded) => windows::average(window, *padded, x, shape, out),
            Pool::GlobalMax => image_by_image(x, shape, |image| {
                image.iter().copied().fold(f32::NEG_INFINITY, f32::max)
            }),
            Pool::GlobalAverage => image_by_image(x, shape, |image| {
                let sum: f64 = image.iter().map(|&v| f64::from(v)).sum();
                (sum / image.len() as f64) as f32
            }),
        },
        Operator::Clip(low, high) => each(&|x, _| x.max(*low).min(*high)),
        Operator::Pointwise(expression) => each(&|x, _| expression.apply(x)),
        Operator::Resize(factors) => moved(
            out,
            |c, y, w| Some(place(shape, c, y / factors[0], w / factors[1])),
            x,
        ),
        Operator::Pad(padding, [front, _]) => moved(
            out,
            |c, y, w| {
                let inside = |at: usize, before: usize, extent: usize| {
                    at.checked_sub(before).filter(|&at| at < extent)
                };
                Some(place(
                    shape,
                    inside(c, *front, shape.channels)?,
                    inside(y, padding.top, shape.height)?,
                    inside(w, padding.left, shape.width)?,
                ))
            },
            x,
        ),
        Operator::Subsample(strides) => moved(
            out,
            |c, y, w| Some(place(shape, c, y * strides[0], w * strides[1])),
            x,
        ),
        Operator::Reshape([from_last, to_last]) => {
            let ordered = order(x, shape, *from_last, false);
            order(&ordered, out, *to_last, true).into_owned()
        }
        Operator::Quantizer(form) => match form {
            QuantizedForm::Quantize(linear) => each(&|x, c| linear.quantize(x, c)),
            QuantizedForm::Dequantize(linear) => each(&|x, c| linear.dequantize(x, c)),
            QuantizedForm::IntQuant(q) => each(&|x, c| q.dequantize(q.quantize(x, c), c)),
            QuantizedForm::Bipolar(q) => each(&|x, c| q.dequantize(Bipolar::quantize(x), c)),
            QuantizedForm::Trunc(trunc) => each(&|x, c| trunc.apply(x, c)),
        },
    }
}

fn place(shape: Shape, channel: usize, row: usize, column: usize) -> usize {
    (channel * shape.height + row) * shape.width + column
}

/// Each element from where `source` says, zero where it says nothing.
fn moved(out: Shape, source: impl Fn(usize, usize, usize) -> Option<usize>, x: &[f32]) -> Vec<f32> {
    let mut made = Vec::with_capacity(out.len());
    for channel in 0..out.channels {
        for row in 0..out.height {
            for column in 0..out.width {
                let value = source(channel, row, column).map_or(0.0, |at| x[at]);
                made.push(value);
            }
        }
    }
    made
}

/// Elements with channels behind rows and columns, out of channels first or back again.
fn order(x: &[f32], shape: Shape, last: bool, back: bool) -> Cow<'_, [f32]> {
    if !last {
        return Cow::Borrowed(x);
    }
    let mut made = vec![0.0; x.len()];
    for channel in 0..shape.channels {
        for row in 0..shape.height {
            for column in 0..shape.width {
                let first = place(shape, channel, row, column);
                let behind = (row * shape.width + column) * shape.channels + channel;
                let (to, from) = if back {
                    (first, behind)
                } else {
                    (behind, first)
                };
                made[to] = x[from];
            }
        }
    }
    Cow::Owned(made)
}

fn image_by_image(x: &[f32], shape: Shape, function: impl Fn(&[f32]) -> f32) -> Vec<f32> {
    x.chunks(shape.height * shape.width).map(function).collect()
}

fn dense(layer: &Dense, x: &[f32]) -> Vec<f32> {
    let weights = layer.weights.values();
    let weights = weights.floats();
    let bias = layer
        .bias
        .as_ref()
        .map(|b| b.values().floats().into_owned());
    let bias = bias.unwrap_or_else(|| vec![0.0]);
    let row = |(output, row): (usize, &[f32])| {
        let products = row
            .iter()
            .zip(x)
            .map(|(&w, &x)| f64::from(w) * f64::from(x));
        (products.sum::<f64>() + f64::from(of_channel(&bias, output))) as f32
    };
    weights.chunks(x.len()).enumerate().map(row).collect()
}

fn normalized(norm: &BatchNorm, x: f32, channel: usize) -> f32 {
    let of = |values: &[f32]| f64::from(of_channel(values, channel));
    let deviation = (of(&norm.variance) + f64::from(norm.epsilon)).sqrt();
    ((f64::from(x) - of(&norm.mean)) / deviation * of(&norm.gain) + of(&norm.shift)) as f32
}

fn scaled(affine: &Affine, x: f32, channel: usize) -> f32 {
    let (scale, offset) = (&affine.scale, &affine.offset);
    (f64::from(x) * of_channel(scale, channel) + of_channel(offset, channel)) as f32
}
