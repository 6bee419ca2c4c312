//! What a layer of an integer model gives for integers that somebody else has computed, from the
//! definition and one value at a time: how far from a boundary between two integers it is, and how
//! far single precision may be off.

use brownout_golden::model::IntegerModel;
use brownout_spec::program::{Divisors, LayerShapes, Operation, Shape};

/// A value before it is rounded.
#[derive(Clone, Copy, Debug)]
pub struct Quotient {
    /// The sum divided by 2^s: hardware takes the floor.
    pub value: f64,
    /// What single precision and a mean's own division may change of it.
    pub bound: f64,
}

/// Integers of a tensor, one plane after the other.
#[derive(Clone, Debug)]
pub struct Tensor {
    pub shape: Shape,
    pub integers: Vec<i8>,
    pub zero: i8,
}

impl Tensor {
    /// A value less the zero point; 0 outside of the map and beyond the channels.
    fn at(&self, channel: usize, pixel: Option<(usize, usize)>) -> i64 {
        self.inside(channel, pixel).unwrap_or(0)
    }

    fn inside(&self, channel: usize, pixel: Option<(usize, usize)>) -> Option<i64> {
        let Shape {
            height,
            width,
            channels,
        } = self.shape;
        let (row, column) = pixel?;
        (row < height && column < width && channel < channels).then(|| {
            let at = (channel * height + row) * width + column;
            i64::from(self.integers[at]) - i64::from(self.zero)
        })
    }
}

/// Relative error of a rounding in single precision.
const ROUNDING: f64 = 1.0 / 16_777_216.0;
/// Half a unit of a multiplier of 15 bits, to which a mean's divisor is known.
const MEAN: f64 = 1.0 / 32_768.0;

/// The value of a layer at a channel and place, of the tensors that it reads; `None` of a concat.
pub fn quotient(
    model: &IntegerModel,
    (index, shapes): (usize, &LayerShapes),
    reads: &[&Tensor],
    (channel, row, column): (usize, usize, usize),
) -> Option<Quotient> {
    let layer = &model.network.layers[index];
    let output = shapes.output;
    let window = &shapes.window;
    let taps = 0..window.taps();
    let pixel = |tap| window.pixel(shapes.input, (row, column), tap);
    let (mut set, mut divided) = (0, false);
    let terms: Vec<i64> = match layer.operation {
        Operation::Convolution { .. } => {
            let weights = &model.layers[index].weights.as_ref().unwrap().integers;
            let inputs = shapes.group_channels();
            let first = channel / (output.channels / shapes.groups) * inputs;
            let each = (0..inputs).flat_map(|input| taps.clone().map(move |tap| (input, tap)));
            each.map(|(input, tap)| {
                let weight = weights[(channel, input, tap / window.width, tap % window.width)];
                reads[0].at(first + input, pixel(tap)) * i64::from(weight)
            })
            .collect()
        }
        Operation::MaxPool { .. } => {
            let values = taps.filter_map(|tap| reads[0].inside(channel, pixel(tap)));
            vec![values.max().unwrap()]
        }
        Operation::AveragePool { window, counted } => {
            let divisors = Divisors::new(&window, shapes.input, counted).unwrap();
            set = divisors.set((row, column), (output.height, output.width));
            divided = true;
            taps.map(|tap| reads[0].at(channel, pixel(tap))).collect()
        }
        Operation::GlobalAveragePool => {
            divided = true;
            taps.map(|tap| reads[0].at(channel, pixel(tap))).collect()
        }
        Operation::Concat => return None,
        Operation::Add { .. } | Operation::Pointwise => {
            vec![reads[0].at(channel, Some((row, column)))]
        }
        Operation::Resize { factors } => {
            let pixel = (row / factors.rows, column / factors.columns);
            vec![reads[0].at(channel, Some(pixel))]
        }
        Operation::Pad { padding } => {
            let pixel = row
                .checked_sub(padding.top)
                .zip(column.checked_sub(padding.left));
            vec![reads[0].at(channel, pixel)]
        }
    };
    let parameters = model.layers[index].channels[set * output.channels + channel];
    let multiplier = i64::from(parameters.multiplier);
    let operand = layer.operation.operand_scale().map_or(0, |scale| {
        let stride = layer.operation.residual().map_or(1, |r| r.stride);
        let pixel = (row * stride, column * stride);
        let r = reads[1].at(channel, Some(pixel));
        (r * i64::from(scale.multiplier)) << (layer.output.shift - scale.shift)
    });
    let unit = f64::from(layer.output.shift).exp2();
    let sum = terms.iter().sum::<i64>() * multiplier + parameters.bias + operand;
    let products = terms
        .iter()
        .map(|term| (term * multiplier).abs())
        .sum::<i64>();
    let largest = (products + parameters.bias.abs() + operand.abs()) as f64 / unit;
    let steps = (terms.len() + 4) as f64;
    let mean = match divided {
        true => products as f64 / unit * MEAN,
        false => 0.0,
    };
    Some(Quotient {
        value: sum as f64 / unit,
        bound: largest * ROUNDING * steps + mean,
    })
}
