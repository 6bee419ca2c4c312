//! Networks from their definition: one value at a time, in wide integers, with nothing shared with
//! the golden model but shapes, parameters and zero points.

use brownout_golden::model::IntegerModel;
use brownout_spec::arithmetic::ResidualScale;
use brownout_spec::program::{Divisors, LayerShapes, Operation, Shape, Window};

/// A feature map as the definition sees it: zero outside.
struct Map {
    shape: Shape,
    /// The stored integer that stands for 0.
    zero: i8,
    values: Vec<i8>,
}

impl Map {
    /// What a stored integer stands for.
    fn at(&self, pixel: (usize, usize), channel: usize) -> i64 {
        self.stored(pixel, channel) - i64::from(self.zero)
    }

    fn stored(&self, (y, x): (usize, usize), channel: usize) -> i64 {
        let Shape {
            width, channels, ..
        } = self.shape;
        self.values[(y * width + x) * channels + channel].into()
    }
}

/// What every layer but the last writes, and the results, of a network that multiplies with
/// `weights`: one flattened tensor for each layer that has some.
///
/// # Panics
/// If the model is not valid, or the weights or the image are not its own.
pub fn run<T: AsRef<[i8]>>(
    model: &IntegerModel,
    weights: &[T],
    image: &[i8],
) -> (Vec<Vec<i8>>, Vec<i32>) {
    let shapes = model.network.shapes().expect("a valid model");
    let mut maps = vec![Map {
        shape: model.network.input,
        zero: model.network.input_zero,
        values: image.to_vec(),
    }];
    let mut weights = weights.iter();
    let mut results = Vec::new();
    for (index, shapes) in shapes.iter().enumerate() {
        let layer = &model.network.layers[index];
        let reads: Vec<&Map> = layer.reads.iter().map(|&tensor| &maps[tensor]).collect();
        let kernel = match layer.operation.has_weights() {
            true => weights.next().expect("a tensor for each layer").as_ref(),
            false => &[],
        };
        let mut values = Vec::with_capacity(shapes.output.volume());
        let last = index + 1 == model.network.layers.len();
        for y in 0..shapes.output.height {
            for x in 0..shapes.output.width {
                for channel in 0..shapes.output.channels {
                    let value = sum(model, index, shapes, &reads, kernel, (y, x), channel);
                    let bounds = (layer.output.low.into(), layer.output.high.into());
                    let value = match &model.layers[index].table {
                        Some(table) => {
                            let entry = value.clamp(bounds.0, bounds.1) + 128;
                            table[entry as usize].into()
                        }
                        None => value,
                    };
                    if last {
                        let limits = (i64::from(i32::MIN), i64::from(i32::MAX));
                        results.push(value.clamp(limits.0, limits.1) as i32);
                        continue;
                    }
                    values.push(match layer.operation {
                        Operation::Concat | Operation::Pointwise => value as i8,
                        _ => value.clamp(bounds.0, bounds.1) as i8,
                    });
                }
            }
        }
        maps.push(Map {
            shape: shapes.output,
            zero: layer.zero,
            values,
        });
    }
    maps.pop();
    let written = maps.into_iter().skip(1).map(|map| map.values);
    (written.collect(), results)
}

/// (acc · m + b + ((r · mr) << (s − sr))) >> s.
fn sum(
    model: &IntegerModel,
    index: usize,
    shapes: &LayerShapes,
    reads: &[&Map],
    kernel: &[i8],
    (y, x): (usize, usize),
    channel: usize,
) -> i64 {
    let layer = &model.network.layers[index];
    let first = reads[0];
    let pixels = |window: &Window| {
        let (window, map) = (*window, first.shape);
        (0..window.taps()).filter_map(move |tap| Some((tap, window.pixel(map, (y, x), tap)?)))
    };
    let mut set = 0;
    let mut residual = (0, ResidualScale::default());
    let accumulator: i64 = match layer.operation {
        Operation::Convolution {
            window,
            residual: with,
            ..
        } => {
            if let Some(with) = with
                && channel < reads[1].shape.channels
            {
                let pixel = (y * with.stride, x * with.stride);
                residual = (reads[1].at(pixel, channel), with.scale);
            }
            let inputs = shapes.group_channels();
            let group = channel / (shapes.output.channels / shapes.groups);
            let product = |(tap, pixel)| -> i64 {
                let of = |input: usize| {
                    let weight = kernel[(channel * inputs + input) * window.taps() + tap];
                    i64::from(weight) * first.at(pixel, group * inputs + input)
                };
                (0..inputs).map(of).sum()
            };
            pixels(&window).map(product).sum()
        }
        Operation::MaxPool { window } => pixels(&window)
            .map(|(_, pixel)| first.at(pixel, channel))
            .max()
            .expect("a pixel of the map"),
        Operation::AveragePool { window, counted } => {
            let divisors = Divisors::new(&window, first.shape, counted).expect("nine at most");
            let Shape { height, width, .. } = shapes.output;
            set = divisors.set((y, x), (height, width));
            pixels(&window)
                .map(|(_, pixel)| first.at(pixel, channel))
                .sum()
        }
        Operation::GlobalAveragePool => pixels(&Window::whole(first.shape))
            .map(|(_, pixel)| first.at(pixel, channel))
            .sum(),
        Operation::Add { scale } => {
            residual = (reads[1].at((y, x), channel), scale);
            first.at((y, x), channel)
        }
        Operation::Concat => {
            let mut channel = channel;
            for part in reads {
                match channel < part.shape.channels {
                    true => return part.stored((y, x), channel),
                    false => channel -= part.shape.channels,
                }
            }
            unreachable!("the parts have all channels");
        }
        Operation::Resize { factors } => first.at((y / factors.rows, x / factors.columns), channel),
        Operation::Pad { padding } => {
            let inside = |position: usize, before: usize, side: usize| {
                position
                    .checked_sub(before)
                    .filter(|&position| position < side)
            };
            let row = inside(y, padding.top, first.shape.height);
            let column = inside(x, padding.left, first.shape.width);
            row.zip(column).map_or(0, |pixel| first.at(pixel, channel))
        }
        Operation::Pointwise => first.at((y, x), channel),
    };
    let parameters = model.layers[index].channels[set * shapes.output.channels + channel];
    let (operand, scale) = residual;
    let shift = layer.output.shift;
    (accumulator * i64::from(parameters.multiplier)
        + parameters.bias
        + ((operand * i64::from(scale.multiplier)) << (shift - scale.shift)))
        >> shift
}
