//! The layers of an integer model one at a time, written down from their definitions.

use brownout_golden::model::{IntegerModel, LayerTensors};
use brownout_spec::arithmetic::{OutputScale, ResidualScale};
use brownout_spec::program::{Divisors, LayerShapes, Operation, Shape, Window};

/// What a layer makes of one place of its output.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// The stored integer, or the result of the last layer.
    pub integer: i64,
    /// What it is before it is rounded and cut off.
    pub quotient: f64,
    /// How far the quotient may be from that of real multipliers, of which those of the layer are
    /// the nearest that fit.
    pub bound: f64,
}

/// A map of integers, channels last.
fn at(map: &[i8], shape: Shape, (row, column): (usize, usize), channel: usize) -> i64 {
    i64::from(map[(row * shape.width + column) * shape.channels + channel])
}

/// What layer `index` makes of the tensors that it reads.
pub fn layer(model: &IntegerModel, index: usize, tensors: &[&[i8]]) -> Vec<Place> {
    let shapes = model.network.shapes().expect("a valid network");
    let layer = &model.network.layers[index];
    let (shape, tensor) = (&shapes[index], &model.layers[index]);
    let extents: Vec<Shape> = (layer.reads.iter())
        .map(|&read| match read {
            0 => model.network.input,
            k => shapes[k - 1].output,
        })
        .collect();
    let zeros: Vec<i64> = (layer.reads.iter())
        .map(|&read| i64::from(model.network.zero(read)))
        .collect();
    let last = index + 1 == model.network.layers.len();
    let mut places = Vec::with_capacity(shape.output.volume());
    for row in 0..shape.output.height {
        for column in 0..shape.output.width {
            for channel in 0..shape.output.channels {
                let of = (tensors, &extents[..], &zeros[..]);
                let here = ((row, column), channel);
                places.push(match layer.operation {
                    Operation::Concat => copied(of, here),
                    _ => {
                        let sums = sums(&layer.operation, shape, tensor, of, here);
                        place(&layer.operation, tensor, layer.output, last, sums)
                    }
                });
            }
        }
    }
    places
}

type Tensors<'a> = (&'a [&'a [i8]], &'a [Shape], &'a [i64]);
type Here = ((usize, usize), usize);

fn copied((tensors, extents, _): Tensors<'_>, (pixel, mut channel): Here) -> Place {
    for (map, extent) in tensors.iter().zip(extents) {
        if channel < extent.channels {
            let integer = at(map, *extent, pixel, channel);
            return Place {
                integer,
                quotient: integer as f64,
                bound: 0.0,
            };
        }
        channel -= extent.channels;
    }
    panic!("a channel of one of the parts");
}

/// Accumulator, set of parameters with its channel, and second operand.
fn sums(
    operation: &Operation,
    shape: &LayerShapes,
    tensor: &LayerTensors,
    (tensors, extents, zeros): Tensors<'_>,
    ((row, column), channel): Here,
) -> (i64, usize, i64) {
    let (map, extent, zero) = (tensors[0], extents[0], zeros[0]);
    let value = |pixel, channel| at(map, extent, pixel, channel) - zero;
    let plain = |acc| (acc, channel, 0);
    let taps = |window: &Window| {
        let window = *window;
        let pixels = (0..window.taps()).map(move |tap| window.pixel(extent, (row, column), tap));
        pixels.collect::<Vec<_>>()
    };
    match operation {
        Operation::Convolution {
            window,
            groups,
            output_channels,
            residual,
        } => {
            let weights = &tensor.weights.as_ref().expect("weights").integers;
            let inputs = extent.channels / groups;
            let group = channel / (output_channels / groups);
            let mut acc = 0;
            for (tap, pixel) in taps(window).into_iter().enumerate() {
                let Some(pixel) = pixel else { continue };
                for input in 0..inputs {
                    let weight = weights[[channel, input, tap / window.width, tap % window.width]];
                    acc += value(pixel, group * inputs + input) * i64::from(weight);
                }
            }
            let second = residual.map_or(0, |residual| {
                let pixel = (row * residual.stride, column * residual.stride);
                match channel < extents[1].channels {
                    true => at(tensors[1], extents[1], pixel, channel) - zeros[1],
                    false => 0,
                }
            });
            (acc, channel, second)
        }
        Operation::MaxPool { window } => {
            let pixels = taps(window).into_iter().flatten();
            plain(
                pixels
                    .map(|pixel| value(pixel, channel))
                    .max()
                    .expect("a pixel"),
            )
        }
        Operation::AveragePool { window, counted } => {
            let divisors = Divisors::new(window, extent, *counted).expect("at most nine");
            let places = (shape.output.height, shape.output.width);
            let set = divisors.set((row, column), places);
            let pixels = taps(window).into_iter().flatten();
            let acc = pixels.map(|pixel| value(pixel, channel)).sum();
            (acc, set * shape.output.channels + channel, 0)
        }
        Operation::GlobalAveragePool => {
            let pixels = (0..extent.pixels()).map(|p| (p / extent.width, p % extent.width));
            plain(pixels.map(|pixel| value(pixel, channel)).sum())
        }
        Operation::Add { .. } => {
            let second = at(tensors[1], extents[1], (row, column), channel) - zeros[1];
            (value((row, column), channel), channel, second)
        }
        Operation::Pointwise => plain(value((row, column), channel)),
        Operation::Resize { factors } => plain(value(
            (row / factors.rows, column / factors.columns),
            channel,
        )),
        Operation::Pad { padding } => {
            let y = row.checked_sub(padding.top).filter(|y| *y < extent.height);
            let x = column
                .checked_sub(padding.left)
                .filter(|x| *x < extent.width);
            plain(y.zip(x).map_or(0, |pixel| value(pixel, channel)))
        }
        Operation::Concat => panic!("a concat has no sums"),
    }
}

fn place(
    operation: &Operation,
    tensor: &LayerTensors,
    output: OutputScale,
    last: bool,
    (acc, parameters, second): (i64, usize, i64),
) -> Place {
    let parameters = tensor.channels[parameters];
    let ResidualScale { multiplier, shift } = operation.operand_scale().unwrap_or_default();
    let s = output.shift;
    let sum = acc * i64::from(parameters.multiplier)
        + parameters.bias
        + ((second * i64::from(multiplier)) << (s - shift));
    let whole = sum >> s;
    let cut = whole.clamp(i64::from(output.low), i64::from(output.high));
    let integer = match (&tensor.table, last) {
        (Some(table), _) => i64::from(table[(cut + 128) as usize]),
        (None, true) => whole,
        (None, false) => cut,
    };
    let unit = f64::from(s).exp2();
    // Half a unit of each multiplier times what it multiplies, and of the constant.
    let ulp = |shift: u8| 0.5 / f64::from(shift).exp2();
    Place {
        integer,
        quotient: sum as f64 / unit - 0.5,
        bound: (acc.abs() + 1) as f64 * ulp(s) + second.abs() as f64 * ulp(shift),
    }
}
