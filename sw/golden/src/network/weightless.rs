//! One layer without weights, forward and backward, for chunks and for evaluation alike.
//!
//! A layer that computes (an average, a sum, a function) is clipped to its bounds and rounded to
//! its grid behind it, in one pass; the gradient passes where nothing was cut off. One that only
//! moves values does neither, except for parts of a concat that are on another grid than it is
//! (see [`ties`](super::ties)).

use super::limits::{computes, taps_that_count};
use super::moving::{self, Part};
use super::pointwise::{Clip, finish};
use super::{Architecture, Bounds, Function, pooling};
use crate::quantize::ActivationGrid;
use brownout_spec::program::{LayerShapes, Operation};

/// What is known of a layer without weights before any image is.
#[derive(Clone, Debug)]
pub(super) struct Weightless {
    operation: Operation,
    shapes: LayerShapes,
    bounds: Bounds,
    function: Function,
    /// The tensor that it writes, and those that it reads.
    tensor: usize,
    reads: Vec<usize>,
    /// Of a concat the place of each tensor read, and whether its values are the network's input.
    parts: Vec<(Part, bool)>,
    /// Of an average pool, taps of each row and each column of windows.
    counts: (Vec<usize>, Vec<usize>),
}

/// What a layer keeps of some images for the way back, and looks at on its way there.
pub(super) struct Kept<'a> {
    /// Of a max pool, which input won.
    pub winners: &'a mut [u32],
    /// One where a gradient passes, if [`Weightless::gates`].
    pub pass: Option<&'a mut [u8]>,
}

impl Weightless {
    /// A layer of an architecture.
    pub fn new(architecture: &Architecture, index: usize) -> Self {
        let layer = &architecture.network.layers[index];
        let style = &architecture.styles[index];
        let shapes = architecture.shapes()[index];
        let owners = architecture.grid_owners();
        let mut first = 0;
        let parts = layer.reads.iter().map(|&tensor| {
            let part = Part {
                first,
                channels: architecture.tensor(tensor).channels,
                all: shapes.output.channels,
            };
            first += part.channels;
            (part, owners[tensor] == 0)
        });
        Self {
            operation: layer.operation,
            shapes,
            bounds: style.bounds,
            function: style.function.clone().unwrap_or_default(),
            tensor: index + 1,
            reads: layer.reads.clone(),
            parts: parts.collect(),
            counts: match layer.operation {
                Operation::AveragePool { counted, .. } => taps_that_count(&shapes, counted),
                _ => Default::default(),
            },
        }
    }

    /// Whether any gradient may be stopped on the way back.
    ///
    /// The mean over the whole map passes all of them where nothing but its grid cuts it off.
    pub fn gates(&self, grids: &[Option<ActivationGrid>]) -> bool {
        match self.operation {
            Operation::GlobalAveragePool => !self.bounds.is_none(),
            Operation::Concat => (0..self.reads.len()).any(|p| self.rounding(p, grids).is_some()),
            operation => computes(&operation) && !self.clip(grids).is_none(),
        }
    }

    /// Where values are cut off and rounded.
    pub fn clip(&self, grids: &[Option<ActivationGrid>]) -> Clip {
        Clip::new(self.bounds, grids[self.tensor])
    }

    /// How a part of a concat is rounded once more, if it is.
    fn rounding(&self, part: usize, grids: &[Option<ActivationGrid>]) -> Option<Clip> {
        let grid = grids[self.tensor]?;
        (grids[self.reads[part]] != Some(grid)).then(|| Clip::new(Bounds::NONE, Some(grid)))
    }

    /// Computes `y` of some images from `tensor(k)`, the same images of each tensor that is read;
    /// `maxima` are those of earlier tensors. The result is the largest magnitude in front of the
    /// grid, of what only moves values that of what it reads.
    pub fn forward<'x>(
        &self,
        tensor: impl Fn(usize) -> &'x [f32],
        (grids, maxima): (&[Option<ActivationGrid>], &[f32]),
        y: &mut [f32],
        kept: Kept<'_>,
    ) -> f32 {
        let (source, shapes) = (self.reads[0], &self.shapes);
        let x = tensor(source);
        match self.operation {
            Operation::MaxPool { .. } => pooling::max_forward(shapes, x, y, kept.winners),
            Operation::Resize { factors } => moving::resize_forward(shapes, factors, x, y),
            Operation::Pad { padding } => moving::pad_forward(shapes, padding, x, y),
            Operation::Concat => return self.concat(tensor, (grids, maxima), y, kept.pass),
            Operation::AveragePool { .. } | Operation::GlobalAveragePool => self.average(x, y),
            Operation::Add { .. } => {
                let pairs = x.iter().zip(tensor(self.reads[1]));
                y.iter_mut().zip(pairs).for_each(|(y, (a, b))| *y = a + b);
            }
            Operation::Pointwise => self.function.apply(x, y),
            Operation::Convolution { .. } => unreachable!("a convolution has weights"),
        }
        match computes(&self.operation) {
            true => finish(y, self.clip(grids), kept.pass),
            false => maxima[source],
        }
    }

    /// Computes the averages `y` of some images, which nothing clips or rounds; of an average pool.
    pub fn average(&self, x: &[f32], y: &mut [f32]) {
        match self.operation {
            Operation::AveragePool { .. } => {
                pooling::window_average_forward(&self.shapes, &self.counts, x, y);
            }
            _ => pooling::average_forward(&self.shapes, x, y),
        }
    }

    /// Values that an image's output has.
    pub fn output_volume(&self) -> usize {
        self.shapes.output.volume()
    }

    /// As [`Weightless::backward`], of what reads one tensor and keeps nothing.
    pub fn take_back(&self, x: &[f32], dy: &[f32], dx: &mut [f32]) {
        self.backward((self.reads[0], x), (dy, &[]), dx);
    }

    fn concat<'x>(
        &self,
        tensor: impl Fn(usize) -> &'x [f32],
        (grids, maxima): (&[Option<ActivationGrid>], &[f32]),
        y: &mut [f32],
        mut pass: Option<&mut [u8]>,
    ) -> f32 {
        let mut most = f32::MIN;
        for (number, (&read, (part, of_input))) in self.reads.iter().zip(&self.parts).enumerate() {
            let x = tensor(read);
            // Nobody looks at the input's range, whose grid is that of its pixels.
            most = most.max(match of_input {
                true => x.iter().fold(0.0, |most, x| x.abs().max(most)),
                false => maxima[read],
            });
            let rounding = self.rounding(number, grids);
            for (x, y) in part.each_pixel(x, y) {
                match rounding {
                    None => y.copy_from_slice(x),
                    Some(clip) => y.iter_mut().zip(x).for_each(|(y, &x)| *y = clip.rounded(x)),
                }
            }
            for (x, pass) in pass.iter_mut().flat_map(|pass| part.each_pixel(x, pass)) {
                let passes = |x: f32| rounding.is_none_or(|clip| clip.passes(x));
                let pairs = pass.iter_mut().zip(x);
                pairs.for_each(|(pass, &x)| *pass = u8::from(passes(x)));
            }
        }
        most
    }

    /// Adds to `dx` what the gradients `dy` of some images' outputs, taken back to before the
    /// clipping, give to tensor `read`, whose values are `x`.
    pub fn backward(
        &self,
        (read, x): (usize, &[f32]),
        (dy, winners): (&[f32], &[u32]),
        dx: &mut [f32],
    ) {
        let shapes = &self.shapes;
        match self.operation {
            Operation::MaxPool { .. } => pooling::max_backward(dy, winners, dx),
            Operation::Resize { factors } => moving::resize_backward(shapes, factors, dy, dx),
            Operation::Pad { padding } => moving::pad_backward(shapes, padding, dy, dx),
            Operation::AveragePool { .. } => {
                pooling::window_average_backward(shapes, &self.counts, dy, dx);
            }
            Operation::GlobalAveragePool => pooling::average_backward(shapes, dy, dx),
            Operation::Pointwise => self.function.take_back(x, dy, dx),
            Operation::Concat => {
                let parts = self.reads.iter().zip(&self.parts);
                let parts = parts.filter(|(tensor, _)| **tensor == read);
                parts.for_each(|(_, (part, _))| part.backward(dy, dx));
            }
            Operation::Add { .. } => {
                let times = self.reads.iter().filter(|&&tensor| tensor == read);
                times.for_each(|_| moving::add(dx, dy));
            }
            Operation::Convolution { .. } => unreachable!("a convolution has weights"),
        }
    }
}
