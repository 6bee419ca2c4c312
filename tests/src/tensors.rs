//! Random weights and scales of one layer.
//!
//! Weights use the whole range that their code can store, both ends included.
//! Scales are drawn so that most outputs are neither all zero nor all at a
//! bound, with exceptions that are meant: multipliers of zero, negative ones,
//! constants near the 48-bit limit.

use brownout_golden::model::{LayerTensors, LayerWeights};
use brownout_spec::arithmetic::{ChannelParameters, OutputScale, ResidualScale, TABLE_ENTRIES};
use brownout_spec::code::Code;
use brownout_spec::config::Configuration;
use brownout_spec::program::{LayerShapes, Operation};
use ndarray::Array4;
use rand::{Rng, RngExt};

/// A layer with everything that was left open.
#[derive(Clone, Debug)]
pub struct DrawnLayer {
    /// The operation, with the residual's scale.
    pub operation: Operation,
    /// Shift and bounds.
    pub output: OutputScale,
    /// Parameters and weights.
    pub tensors: LayerTensors,
}

/// Draws tensors and scales of an operation on tensors of these shapes.
pub fn draw(
    configuration: &Configuration,
    operation: Operation,
    shapes: &LayerShapes,
    wide: bool,
    random: &mut impl Rng,
) -> DrawnLayer {
    let has_weights = operation.has_weights();
    let weights = has_weights.then(|| draw_weights(configuration, shapes, random));
    let spread = match (&operation, &weights) {
        (_, Some(weights)) => spread(&weights.integers),
        (Operation::GlobalAveragePool | Operation::AveragePool { .. }, _) => {
            74.0 * (shapes.window.taps() as f64).sqrt()
        }
        _ => 74.0,
    };
    let sets = operation.parameter_sets(shapes.input).unwrap_or(1);
    let channels = sets * shapes.output.channels;
    let output = draw_output(random);
    let tensors = LayerTensors {
        channels: (0..channels)
            .map(|_| draw_channel(output.shift, spread, wide, random))
            .collect(),
        weights,
        table: (operation == Operation::Pointwise).then(|| draw_table(random)),
    };
    DrawnLayer {
        operation: with_residual_scale(operation, output.shift, random),
        output,
        tensors,
    }
}

/// An input image or map: uniform over all activations, or mostly at the ends.
pub fn draw_image(values: usize, random: &mut impl Rng) -> Vec<i8> {
    let extreme = random.random_bool(0.25);
    (0..values)
        .map(|_| match extreme && random.random_bool(0.8) {
            true => *[-128, 0, 127].get(random.random_range(0..3)).unwrap_or(&0),
            false => random.random(),
        })
        .collect()
}

/// Any bytes, or in half of the tables a rising or falling line, as functions that are used have.
fn draw_table(random: &mut impl Rng) -> [i8; TABLE_ENTRIES] {
    let slope = random.random_range(-1.5..1.5);
    match random.random() {
        true => std::array::from_fn(|_| random.random()),
        false => std::array::from_fn(|entry| ((entry as f64 - 128.0) * slope) as i8),
    }
}

fn draw_weights(
    configuration: &Configuration,
    shapes: &LayerShapes,
    random: &mut impl Rng,
) -> LayerWeights {
    let code = Code::of(configuration);
    let extreme = random.random_bool(0.25);
    let outputs = shapes.output.channels;
    let (height, width) = (shapes.window.height, shapes.window.width);
    let shape = (outputs, shapes.group_channels(), height, width);
    let integers = Array4::from_shape_fn(shape, |(channel, ..)| {
        let (lowest, highest) = code.allowed_range_of_channel(channel);
        match extreme {
            true if random.random() => lowest,
            true => highest,
            false => random.random_range(lowest..=highest),
        }
    });
    LayerWeights {
        integers,
        scales: vec![1.0; outputs],
    }
}

/// Standard deviation of an accumulator with uniform activations, at least 1.
fn spread(weights: &Array4<i8>) -> f64 {
    let squares: f64 = weights.iter().map(|&w| f64::from(w).powi(2)).sum();
    (74.0 * (squares / weights.dim().0 as f64).sqrt()).max(1.0)
}

fn draw_output(random: &mut impl Rng) -> OutputScale {
    let (low, high) = match random.random_range(0..4) {
        0 => (-128, 127),
        1 | 2 => (0, 127),
        _ => {
            let (a, b): (i8, i8) = (random.random(), random.random());
            (a.min(b), a.max(b))
        }
    };
    OutputScale {
        // Small shifts leave no room for a multiplier below 1, large ones none above.
        shift: random.random_range(1..=31),
        low,
        high,
    }
}

/// The 48-bit sum's limit less what products and residuals of a drawn graph can reach.
const LARGEST_BIAS: i64 = (1 << 47) - (1 << 42);

/// m and b such that (acc · m + b) >> shift spreads over the activations.
fn draw_channel(shift: u8, spread: f64, wide: bool, random: &mut impl Rng) -> ChannelParameters {
    let unit = (1i64 << shift) as f64;
    let gain = random.random_range(20.0..120.0) * unit / spread;
    let magnitude = gain.round().clamp(1.0, 32767.0) as i16;
    let multiplier = match random.random_range(0..12) {
        0 => 0,
        1..=3 => -magnitude,
        4 if wide => i16::MIN,
        _ => magnitude,
    };
    let half = 1i64 << (shift - 1);
    let offset = random.random_range(-60..=60) << shift;
    let bias = match random.random_range(0..20) {
        // Far outside: the bounds, or int32, must hold it.
        0 => random.random_range(-LARGEST_BIAS..=LARGEST_BIAS),
        // On both sides of an end of int32, or of the sum where the shift does not reach that far.
        1..=3 if wide => {
            let end = 1i64 << (31 + shift).min(46);
            let magnitude = random.random_range(end / 2..=end + end / 2);
            let bias = magnitude.min(LARGEST_BIAS);
            if random.random() { bias } else { -bias }
        }
        _ => offset + half,
    };
    ChannelParameters { multiplier, bias }
}

/// A residual of about the activation's own size.
fn with_residual_scale(mut operation: Operation, shift: u8, random: &mut impl Rng) -> Operation {
    let scale = match &mut operation {
        Operation::Convolution {
            residual: Some(residual),
            ..
        } => &mut residual.scale,
        Operation::Add { scale } => scale,
        _ => return operation,
    };
    let residual_shift = random.random_range(0..=shift.min(14));
    let unit = f64::from(1u32 << residual_shift);
    *scale = ResidualScale {
        multiplier: (unit * random.random_range(-1.8..1.8)).round() as i16,
        shift: residual_shift,
    };
    operation
}
