//! Accumulators of layers without weights, pixel by pixel.

use brownout_spec::program::{LayerShapes, Operation, Padding, Steps};

/// What the accumulator of each channel is, of the pixels of a map read as x − zx.
#[derive(Clone, Copy, Debug)]
pub enum Accumulate {
    /// The largest in the window.
    Maximum,
    /// The sum over the window.
    Sum,
    /// The same pixel's.
    Copy,
    /// The pixel's that is so many times larger.
    Resized(Steps),
    /// The same pixel's behind padding of zeros.
    Padded(Padding),
}

impl Accumulate {
    /// What an operation without weights accumulates; `None` of those with weights, and of a
    /// concat, which does not compute.
    pub fn of(operation: &Operation) -> Option<Self> {
        match *operation {
            Operation::Convolution { .. } | Operation::Concat => None,
            Operation::MaxPool { .. } => Some(Self::Maximum),
            Operation::AveragePool { .. } | Operation::GlobalAveragePool => Some(Self::Sum),
            Operation::Add { .. } | Operation::Pointwise => Some(Self::Copy),
            Operation::Resize { factors } => Some(Self::Resized(factors)),
            Operation::Pad { padding } => Some(Self::Padded(padding)),
        }
    }

    /// The accumulators of all channels of the output pixel (row, column).
    pub fn pixel(
        self,
        shapes: &LayerShapes,
        (source, zero): (&[i8], i8),
        (row, column): (usize, usize),
        accumulators: &mut [i32],
    ) {
        let input = shapes.input;
        let values = |(y, x): (usize, usize)| {
            &source[(y * input.width + x) * input.channels..][..input.channels]
        };
        let inside = |(y, x): &(usize, usize)| *y < input.height && *x < input.width;
        let zero = i32::from(zero);
        let from = match self {
            Self::Maximum => {
                accumulators.fill(i32::MIN);
                for pixel in pixels(shapes, (row, column)) {
                    let pairs = accumulators.iter_mut().zip(values(pixel));
                    pairs.for_each(|(acc, &x)| *acc = (*acc).max(i32::from(x) - zero));
                }
                return;
            }
            Self::Sum => {
                accumulators.fill(0);
                for pixel in pixels(shapes, (row, column)) {
                    // At most 63 x 63 values, which cannot overflow.
                    let pairs = accumulators.iter_mut().zip(values(pixel));
                    pairs.for_each(|(acc, &x)| *acc += i32::from(x) - zero);
                }
                return;
            }
            Self::Copy => Some((row, column)),
            Self::Resized(factors) => Some((row / factors.rows, column / factors.columns)),
            Self::Padded(padding) => {
                let pixel = row
                    .checked_sub(padding.top)
                    .zip(column.checked_sub(padding.left));
                pixel.filter(inside)
            }
        };
        match from {
            None => accumulators.fill(0),
            Some(pixel) => {
                let pairs = accumulators.iter_mut().zip(values(pixel));
                pairs.for_each(|(acc, &x)| *acc = i32::from(x) - zero);
            }
        }
    }
}

/// The pixels of the map in the window at an output pixel.
fn pixels(
    shapes: &LayerShapes,
    place: (usize, usize),
) -> impl Iterator<Item = (usize, usize)> + '_ {
    let (window, input) = (&shapes.window, shapes.input);
    (0..window.taps()).filter_map(move |tap| window.pixel(input, place, tap))
}

/// The channels of all parts, each a map of so many channels, one after the other.
pub fn concat<'t>(parts: impl Iterator<Item = (&'t [i8], usize)>, width: usize, output: &mut [i8]) {
    let mut first = 0;
    for (part, channels) in parts {
        let pixels = part.chunks_exact(channels);
        for (pixel, output) in pixels.zip(output.chunks_exact_mut(width)) {
            output[first..first + channels].copy_from_slice(pixel);
        }
        first += channels;
    }
}
