//! The network's layers in integers.

use crate::data::Dataset;
use crate::model::IntegerModel;
use crate::network::convolution::Geometry;
use crate::network::kernel::convolve;
use brownout_spec::arithmetic::{ResidualScale, requantize, sum, widen};
use brownout_spec::program::{LayerShapes, Operation, Shape};
use rayon::prelude::*;
use thiserror::Error;

/// Images that one thread classifies before it takes the next.
const BATCH: usize = 64;

/// Weight tensors that do not belong to the model.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TensorError {
    /// The number of tensors differs.
    #[error("the model has {expected} layers with weights, and {found} tensors were given")]
    Count {
        /// Layers with weights.
        expected: usize,
        /// Tensors given.
        found: usize,
    },
    /// A tensor has the wrong size.
    #[error("layer {layer} ({name}) has {expected} weights, and its tensor {found}")]
    Length {
        /// Index of the layer.
        layer: usize,
        /// Name of the layer.
        name: String,
        /// Weights of the layer.
        expected: usize,
        /// Weights given.
        found: usize,
    },
}

/// A model with the weights that it multiplies with, ready to run images.
#[derive(Clone, Debug)]
pub struct IntegerNetwork<'m> {
    model: &'m IntegerModel,
    shapes: Vec<LayerShapes>,
    /// Geometry and packed weights of convolutions.
    convolutions: Vec<Option<(Geometry, Vec<i32>)>>,
}

/// Buffers of one image on its way; afterwards they hold what every layer computed.
#[derive(Clone, Debug)]
pub struct Workspace {
    /// The input and the output of every layer but the last, `[row][column][channel]`.
    tensors: Vec<Vec<i8>>,
    padded: Vec<Vec<i32>>,
    accumulators: Vec<i32>,
    results: Vec<i32>,
}

impl Workspace {
    /// The input as the hardware sees it.
    pub fn input(&self) -> &[i8] {
        &self.tensors[0]
    }

    /// What a layer wrote, `[row][column][channel]`; `None` for the last layer and beyond.
    pub fn activations(&self, layer: usize) -> Option<&[i8]> {
        self.tensors.get(layer + 1).map(Vec::as_slice)
    }

    /// The results of the last layer, one per class.
    pub fn logits(&self) -> &[i32] {
        &self.results
    }

    /// The class with the largest logit; of equal ones, the first.
    pub fn class(&self) -> usize {
        crate::train::arg_max(&self.results)
    }
}

impl<'m> IntegerNetwork<'m> {
    /// A network that multiplies with `weights`: one flattened tensor per layer
    /// with weights, as a weight image decodes to.
    ///
    /// # Errors
    /// When the tensors are not the model's.
    ///
    /// # Panics
    /// If the model was not validated.
    pub fn new<T: AsRef<[i8]>>(
        model: &'m IntegerModel,
        weights: &[T],
    ) -> Result<Self, TensorError> {
        let shapes = model
            .network
            .shapes()
            .expect("a validated model has shapes");
        let expected = model.weight_tensors().len();
        if weights.len() != expected {
            return Err(TensorError::Count {
                expected,
                found: weights.len(),
            });
        }
        let mut weights = weights.iter();
        let mut convolutions = Vec::with_capacity(shapes.len());
        for (layer, shapes) in shapes.iter().enumerate() {
            if !matches!(
                model.network.layers[layer].operation,
                Operation::Convolution { .. }
            ) {
                convolutions.push(None);
                continue;
            }
            let tensor = weights.next().map_or(&[][..], AsRef::as_ref);
            convolutions.push(Some(prepare(model, layer, shapes, tensor)?));
        }
        Ok(Self {
            model,
            shapes,
            convolutions,
        })
    }

    /// A network with the model's own, undisturbed weights.
    ///
    /// # Panics
    /// If the model was not validated.
    pub fn undisturbed(model: &'m IntegerModel) -> Self {
        Self::new(model, &model.weight_tensors()).expect("the tensors are the model's own")
    }

    /// Shapes of the layers.
    pub fn shapes(&self) -> &[LayerShapes] {
        &self.shapes
    }

    /// Buffers for [`IntegerNetwork::run`].
    pub fn workspace(&self) -> Workspace {
        let hidden = self.shapes.len() - 1;
        let outputs = self.shapes[..hidden].iter().map(|s| s.output.volume());
        let inputs = std::iter::once(self.model.network.input.volume());
        let largest = self.shapes.iter().map(|s| s.output.volume()).max();
        Workspace {
            tensors: inputs.chain(outputs).map(|n| vec![0; n]).collect(),
            padded: self
                .convolutions
                .iter()
                .map(|c| vec![0; c.as_ref().map_or(0, |(g, _)| g.padded_length())])
                .collect(),
            accumulators: vec![0; largest.unwrap_or(0)],
            results: vec![0; self.shapes[hidden].output.channels],
        }
    }

    /// Runs one image, given as activations `[row][column][channel]`.
    ///
    /// # Panics
    /// If the input does not have the model's size, or the workspace is another network's.
    pub fn run(&self, input: &[i8], workspace: &mut Workspace) {
        workspace.tensors[0].copy_from_slice(input);
        for layer in 0..self.shapes.len() {
            self.accumulate(layer, workspace);
            self.finish(layer, workspace);
        }
    }

    /// The layer's accumulators before scaling.
    fn accumulate(&self, layer: usize, workspace: &mut Workspace) {
        let shapes = &self.shapes[layer];
        let source = &workspace.tensors[layer];
        let accumulators = &mut workspace.accumulators[..shapes.output.volume()];
        match (
            &self.model.network.layers[layer].operation,
            &self.convolutions[layer],
        ) {
            (_, Some((geometry, packed))) => {
                let padded = &mut workspace.padded[layer];
                geometry.pad(source, padded);
                let outputs = shapes.output.channels;
                convolve(padded, &geometry.window(), packed, outputs, accumulators);
            }
            (Operation::GlobalAveragePool, None) => {
                pool(shapes, source, accumulators, 0, |sum: i32, x| {
                    sum.checked_add(x)
                        .expect("a validated model's sum of a map fits the accumulator")
                });
            }
            // Padding is -128, so it never wins against an activation.
            (_, None) => pool(shapes, source, accumulators, i32::from(i8::MIN), i32::max),
        }
    }

    /// Scales the accumulators into the layer's output.
    fn finish(&self, layer: usize, workspace: &mut Workspace) {
        let shapes = &self.shapes[layer];
        let channels = &self.model.layers[layer].channels;
        let output = self.model.network.layers[layer].output;
        let accumulators = &workspace.accumulators[..shapes.output.volume()];
        if layer + 1 == self.shapes.len() {
            let none = ResidualScale::default();
            for ((y, &acc), &c) in workspace.results.iter_mut().zip(accumulators).zip(channels) {
                *y = widen(sum(acc, c, output.shift, 0, none), output.shift);
            }
            return;
        }
        let (before, after) = workspace.tensors.split_at_mut(layer + 1);
        let residual = self.model.network.layers[layer].operation.residual();
        let scale = residual.map_or_else(ResidualScale::default, |r| r.scale);
        let pixels = accumulators.chunks_exact(channels.len());
        let target = after[0].chunks_exact_mut(channels.len());
        for (pixel, (y, acc)) in target.zip(pixels).enumerate() {
            let operand = residual.map_or(&[][..], |r| {
                operand_pixel(
                    &before[r.from],
                    self.tensor_shape(r.from),
                    r.stride,
                    pixel,
                    shapes,
                )
            });
            // Channels that the operand lacks read as zero.
            let operand = operand.iter().copied().chain(std::iter::repeat(0));
            for (((y, &acc), &c), r) in y.iter_mut().zip(acc).zip(channels).zip(operand) {
                *y = requantize(sum(acc, c, output.shift, r, scale), output);
            }
        }
    }

    fn tensor_shape(&self, tensor: usize) -> Shape {
        match tensor {
            0 => self.model.network.input,
            k => self.shapes[k - 1].output,
        }
    }

    /// Number of images that are classified right.
    ///
    /// # Panics
    /// If the images do not have the model's size.
    pub fn count_correct(&self, data: &Dataset) -> usize {
        let starts: Vec<usize> = (0..data.len()).step_by(BATCH).collect();
        starts
            .into_par_iter()
            .map_init(
                || self.workspace(),
                |workspace, start| {
                    (start..(start + BATCH).min(data.len()))
                        .filter(|&i| {
                            self.run(&self.model.quantize(data.image(i)), workspace);
                            workspace.class() == usize::from(data.labels[i])
                        })
                        .count()
                },
            )
            .sum()
    }

    /// Share of images that are classified right.
    ///
    /// # Panics
    /// If the images do not have the model's size.
    pub fn accuracy(&self, data: &Dataset) -> f64 {
        self.count_correct(data) as f64 / data.len().max(1) as f64
    }
}

fn prepare(
    model: &IntegerModel,
    layer: usize,
    shapes: &LayerShapes,
    tensor: &[i8],
) -> Result<(Geometry, Vec<i32>), TensorError> {
    let (inputs, outputs) = (shapes.input.channels, shapes.output.channels);
    let (kh, kw) = (shapes.kernel_height, shapes.kernel_width);
    let expected = outputs * inputs * kh * kw;
    if tensor.len() != expected {
        return Err(TensorError::Length {
            layer,
            name: model.network.layers[layer].name.clone(),
            expected,
            found: tensor.len(),
        });
    }
    // From [output][input][row][column] to the kernels' order, inputs innermost.
    let mut weights = vec![0; expected];
    for (index, &w) in tensor.iter().enumerate() {
        let (filter, tap) = (index / (kh * kw), index % (kh * kw));
        let (output, input) = (filter / inputs, filter % inputs);
        weights[(output * kh * kw + tap) * inputs + input] = i32::from(w);
    }
    let geometry = Geometry::forward(shapes, 1);
    let mut packed = vec![0; geometry.packed_length()];
    geometry.pack(&weights, &mut packed);
    Ok((geometry, packed))
}

/// Folds each window of the map into its accumulator, channel by channel.
fn pool(
    shapes: &LayerShapes,
    source: &[i8],
    accumulators: &mut [i32],
    start: i32,
    fold: impl Fn(i32, i32) -> i32,
) {
    let (input, channels) = (shapes.input, shapes.input.channels);
    for (pixel, acc) in accumulators.chunks_exact_mut(channels).enumerate() {
        acc.fill(start);
        let (row, column) = (pixel / shapes.output.width, pixel % shapes.output.width);
        for tap in 0..shapes.kernel_height * shapes.kernel_width {
            let at = |position: usize, tap: usize, side: usize| {
                (position * shapes.stride + tap)
                    .checked_sub(shapes.padding)
                    .filter(|&p| p < side)
            };
            let (Some(y), Some(x)) = (
                at(row, tap / shapes.kernel_width, input.height),
                at(column, tap % shapes.kernel_width, input.width),
            ) else {
                continue;
            };
            let values = &source[(y * input.width + x) * channels..][..channels];
            for (acc, &v) in acc.iter_mut().zip(values) {
                *acc = fold(*acc, i32::from(v));
            }
        }
    }
}

/// The residual operand's channels that belong to an output pixel.
fn operand_pixel<'t>(
    tensor: &'t [i8],
    shape: Shape,
    stride: usize,
    pixel: usize,
    shapes: &LayerShapes,
) -> &'t [i8] {
    let (y, x) = (pixel / shapes.output.width, pixel % shapes.output.width);
    let at = (y * stride * shape.width + x * stride) * shape.channels;
    &tensor[at..at + shape.channels]
}

#[cfg(test)]
#[path = "network_tests.rs"]
mod tests;
