//! The network's layers in integers.

use super::Workspace;
use super::kernel::{
    Convolution, Epilogue, Instructions, Operand, Target, average_pool, max_pool, requantize,
};
use crate::model::IntegerModel;
use brownout_spec::arithmetic::{ResidualScale, sum, widen};
use brownout_spec::program::{LayerShapes, Operation, Shape};
use thiserror::Error;

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
    pub(super) model: &'m IntegerModel,
    instructions: Instructions,
    shapes: Vec<LayerShapes>,
    steps: Vec<Step>,
    epilogues: Vec<Epilogue>,
    /// The weight tensors as they were given.
    weights: Vec<Vec<i8>>,
}

/// What makes a layer's accumulators.
#[derive(Clone, Debug)]
enum Step {
    Convolution {
        convolution: Convolution,
        /// Which of the workspace's padded inputs it reads.
        padded: usize,
    },
    MaxPool,
    GlobalAveragePool,
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
        Self::with_instructions(model, weights, Instructions::best())
    }

    /// As [`IntegerNetwork::new`], with chosen instructions instead of the fastest.
    ///
    /// # Errors
    /// When the tensors are not the model's.
    ///
    /// # Panics
    /// If the model was not validated, or this machine lacks the instructions.
    pub fn with_instructions<T: AsRef<[i8]>>(
        model: &'m IntegerModel,
        weights: &[T],
        instructions: Instructions,
    ) -> Result<Self, TensorError> {
        let shapes = model
            .network
            .shapes()
            .expect("a validated model has shapes");
        check_tensors(model, &shapes, weights)?;
        let weights: Vec<Vec<i8>> = weights.iter().map(|w| w.as_ref().to_vec()).collect();
        let mut tensors = weights.iter();
        let mut frames = Vec::new();
        let mut steps = Vec::with_capacity(shapes.len());
        let mut epilogues = Vec::with_capacity(shapes.len());
        for ((layer, parameters), shapes) in
            model.network.layers.iter().zip(&model.layers).zip(&shapes)
        {
            steps.push(match layer.operation {
                Operation::Convolution { .. } => {
                    let tensor = tensors.next().map_or(&[][..], Vec::as_slice);
                    let convolution = Convolution::new(instructions, shapes, tensor);
                    let frame = convolution.frame();
                    let padded = frames.iter().position(|f| *f == frame);
                    let padded = padded.unwrap_or_else(|| {
                        frames.push(frame);
                        frames.len() - 1
                    });
                    Step::Convolution {
                        convolution,
                        padded,
                    }
                }
                Operation::MaxPool { .. } => Step::MaxPool,
                Operation::GlobalAveragePool => Step::GlobalAveragePool,
                other => unreachable!("no validated model has a layer of kind {}", other.kind()),
            });
            let residual = layer.operation.residual().map(|r| r.scale);
            let residual = residual.unwrap_or_default();
            epilogues.push(Epilogue::new(&parameters.channels, layer.output, residual));
        }
        Ok(Self {
            model,
            instructions,
            shapes,
            steps,
            epilogues,
            weights,
        })
    }

    /// A network with the model's own, undisturbed weights.
    ///
    /// # Panics
    /// If the model was not validated.
    pub fn undisturbed(model: &'m IntegerModel) -> Self {
        Self::new(model, &model.weight_tensors()).expect("the tensors are the model's own")
    }

    /// What it multiplies with.
    pub fn instructions(&self) -> Instructions {
        self.instructions
    }

    /// Shapes of the layers.
    pub fn shapes(&self) -> &[LayerShapes] {
        &self.shapes
    }

    /// Multiplications that each layer makes for an image, padding's included; pools make none.
    pub fn multiplications(&self) -> Vec<usize> {
        let layers = self.model.network.layers.iter().zip(&self.shapes);
        let of = layers.map(|(layer, shapes)| match layer.operation.has_weights() {
            true => shapes.output.volume() * shapes.inputs(),
            false => 0,
        });
        of.collect()
    }

    /// Buffers for [`IntegerNetwork::run`].
    pub fn workspace(&self) -> Workspace {
        let last = self.shapes.len() - 1;
        let mut padded = Vec::new();
        let mut most = self.shapes[last].output.volume();
        for (step, shapes) in self.steps.iter().zip(&self.shapes) {
            match step {
                Step::Convolution {
                    convolution,
                    padded: number,
                } if *number == padded.len() => padded.push(convolution.padded()),
                Step::Convolution { .. } => {}
                _ => most = most.max(shapes.output.volume()),
            }
        }
        Workspace {
            tensors: (0..=last)
                .map(|tensor| vec![0; self.tensor_shape(tensor).volume()])
                .collect(),
            padded,
            accumulators: vec![0; most],
            results: vec![0; self.shapes[last].output.channels],
        }
    }

    /// Runs one image, given as activations `[row][column][channel]`.
    ///
    /// # Panics
    /// If the input does not have the model's size, or the workspace is another network's.
    pub fn run(&self, input: &[i8], workspace: &mut Workspace) {
        workspace.tensors[0].copy_from_slice(input);
        self.run_from(0, workspace);
    }

    /// Runs the layers before `end`, which is not after the last one.
    pub(super) fn run_before(&self, end: usize, workspace: &mut Workspace) {
        for layer in 0..end {
            self.run_hidden(layer, workspace);
        }
    }

    /// Runs the layers from `first` on; what they read must be in the workspace.
    pub(super) fn run_from(&self, first: usize, workspace: &mut Workspace) {
        let last = self.shapes.len() - 1;
        for layer in first..last {
            self.run_hidden(layer, workspace);
        }
        self.run_last(last, workspace);
    }

    /// A layer that writes activations.
    fn run_hidden(&self, layer: usize, workspace: &mut Workspace) {
        let shapes = &self.shapes[layer];
        let epilogue = &self.epilogues[layer];
        let (before, after) = workspace.tensors.split_at_mut(layer + 1);
        let this = &self.model.network.layers[layer];
        let (source, output) = (&before[this.source()], &mut after[0]);
        let accumulators = &mut workspace.accumulators;
        match &self.steps[layer] {
            Step::Convolution {
                convolution,
                padded,
            } => {
                let residual = this.operand().zip(this.operation.residual());
                let operand = residual.map(|(tensor, r)| Operand {
                    tensor: &before[tensor],
                    shape: self.tensor_shape(tensor),
                    stride: r.stride,
                });
                let target = Target::Activations {
                    epilogue,
                    operand,
                    output,
                };
                convolution.run(source, &mut workspace.padded[*padded], target);
                return;
            }
            Step::MaxPool => max_pool(shapes, source, &mut accumulators[..output.len()]),
            Step::GlobalAveragePool => {
                average_pool(shapes, source, &mut accumulators[..output.len()]);
            }
        }
        let channels = shapes.output.channels;
        let pixels = output.chunks_exact_mut(channels);
        for (y, acc) in pixels.zip(accumulators.chunks_exact(channels)) {
            requantize(self.instructions, epilogue, acc, &[], y);
        }
    }

    /// The last layer, whose one pixel is as wide as the accumulators.
    fn run_last(&self, layer: usize, workspace: &mut Workspace) {
        let shapes = &self.shapes[layer];
        let source = &workspace.tensors[self.model.network.layers[layer].source()];
        let accumulators = &mut workspace.accumulators[..workspace.results.len()];
        match &self.steps[layer] {
            Step::Convolution {
                convolution,
                padded,
            } => {
                let padded = &mut workspace.padded[*padded];
                convolution.run(source, padded, Target::Accumulators(accumulators));
            }
            Step::MaxPool => max_pool(shapes, source, accumulators),
            Step::GlobalAveragePool => average_pool(shapes, source, accumulators),
        }
        let Epilogue {
            channels, output, ..
        } = &self.epilogues[layer];
        let none = ResidualScale::default();
        for ((y, &acc), &c) in workspace
            .results
            .iter_mut()
            .zip(&*accumulators)
            .zip(channels)
        {
            *y = widen(sum(acc, c, output.shift, 0i8, none), output.shift);
        }
    }

    /// The weight tensors of the layers before `layer`.
    pub(super) fn weights_before(&self, layer: usize) -> &[Vec<i8>] {
        let layers = &self.model.network.layers[..layer];
        let count = layers.iter().filter(|l| l.operation.has_weights()).count();
        &self.weights[..count]
    }

    /// The shape of the input, or of what layer `tensor` − 1 writes.
    pub(super) fn tensor_shape(&self, tensor: usize) -> Shape {
        match tensor {
            0 => self.model.network.input,
            k => self.shapes[k - 1].output,
        }
    }
}

/// Refuses tensors that are not one of the right size for each layer with weights.
fn check_tensors<T: AsRef<[i8]>>(
    model: &IntegerModel,
    shapes: &[LayerShapes],
    weights: &[T],
) -> Result<(), TensorError> {
    let layers = model.network.layers.iter().zip(shapes).enumerate();
    let with_weights: Vec<_> = layers
        .filter(|(_, (layer, _))| layer.operation.has_weights())
        .collect();
    if weights.len() != with_weights.len() {
        return Err(TensorError::Count {
            expected: with_weights.len(),
            found: weights.len(),
        });
    }
    for ((index, (layer, s)), tensor) in with_weights.into_iter().zip(weights) {
        let expected = s.weights();
        let found = tensor.as_ref().len();
        if found != expected {
            return Err(TensorError::Length {
                layer: index,
                name: layer.name.clone(),
                expected,
                found,
            });
        }
    }
    Ok(())
}

#[cfg(test)]
#[path = "network_tests.rs"]
mod tests;
