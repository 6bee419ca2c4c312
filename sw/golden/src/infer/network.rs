//! The network's layers in integers.

use super::Workspace;
use super::kernel::{
    Accumulate, Aligned, Convolution, Epilogue, Frame, Instructions, Operand, Second, Target,
    concat, neighbours, requantize,
};
use super::tensors::{TensorError, check_tensors};
use crate::model::{IntegerModel, LayerTensors, accumulator_bound};
use brownout_spec::arithmetic::{self, TABLE_ENTRIES, lookup, sum, widen};
use brownout_spec::program::{Divisors, LayerShapes, Operation, Shape, Window};

/// A model with the weights that it multiplies with, ready to run images.
#[derive(Clone, Debug)]
pub struct IntegerNetwork<'m> {
    pub(super) model: &'m IntegerModel,
    instructions: Instructions,
    shapes: Vec<LayerShapes>,
    steps: Vec<Step>,
    /// One epilogue for each set of a layer's parameters.
    epilogues: Vec<Vec<Epilogue>>,
    /// The weight tensors as they were given.
    weights: Vec<Vec<i8>>,
}

/// What makes a layer's values.
#[derive(Clone, Debug)]
enum Step {
    Convolution {
        convolution: Convolution,
        /// Which of the workspace's padded inputs it reads.
        padded: usize,
    },
    Pixels {
        accumulate: Accumulate,
        /// Which set of parameters a pixel takes, where there are several.
        divisors: Divisors,
        /// What activations are replaced by.
        table: Option<Box<[i8; TABLE_ENTRIES]>>,
    },
    Concat,
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
        let mut network = Self {
            model,
            instructions,
            steps: Vec::with_capacity(shapes.len()),
            epilogues: Vec::with_capacity(shapes.len()),
            shapes,
            weights: Vec::new(),
        };
        for index in 0..network.shapes.len() {
            let tensor = match model.network.layers[index].operation.has_weights() {
                true => tensors.next().map_or(&[][..], Vec::as_slice),
                false => &[],
            };
            let step = network.step(index, tensor, &mut frames);
            network.steps.push(step);
            network.epilogues.push(network.layer_epilogues(index));
        }
        network.weights = weights;
        Ok(network)
    }

    /// A layer's step, whose padded input is one of the `frames`, or a new one.
    fn step(&self, index: usize, tensor: &[i8], frames: &mut Vec<Frame>) -> Step {
        let (shapes, layer) = (&self.shapes[index], &self.model.network.layers[index]);
        let LayerTensors { table, .. } = &self.model.layers[index];
        if let Some(accumulate) = Accumulate::of(&layer.operation) {
            let divisors = match layer.operation {
                Operation::AveragePool { window, counted } => {
                    Divisors::new(&window, shapes.input, counted)
                        .expect("a validated model's average pools have divisors")
                }
                _ => Divisors::One(1),
            };
            return Step::Pixels {
                accumulate,
                divisors,
                table: table.map(Box::new),
            };
        }
        if layer.operation == Operation::Concat {
            return Step::Concat;
        }
        let zero = self.model.network.zero(layer.source());
        let every = layer.operation.residual().map_or(1, |r| r.stride);
        let shapes = match every {
            1 => in_one_row(shapes),
            _ => *shapes,
        };
        let convolution = Convolution::new(self.instructions, &shapes, zero, tensor);
        let padded = frames.iter().position(|f| f == convolution.frame());
        let padded = padded.unwrap_or_else(|| {
            frames.push(convolution.frame().clone());
            frames.len() - 1
        });
        Step::Convolution {
            convolution,
            padded,
        }
    }

    /// A layer's epilogues, one for each set of its parameters.
    fn layer_epilogues(&self, index: usize) -> Vec<Epilogue> {
        let (shapes, layer) = (&self.shapes[index], &self.model.network.layers[index]);
        let zero = |tensor: usize| self.model.network.zero(tensor);
        let second = layer.operation.operand_scale().map(|scale| Second {
            scale,
            zero: zero(layer.reads[1]),
        });
        let source = zero(layer.source());
        let bits = self.model.weight_bits;
        let bound = accumulator_bound(&layer.operation, shapes, bits, source);
        let channels = shapes.output.channels;
        let sets = self.model.layers[index].channels.chunks(channels);
        let second = second.unwrap_or_default();
        let epilogue = |set| match &self.steps[index] {
            Step::Convolution { convolution, .. } => {
                convolution.epilogue(set, layer.output, second, bound)
            }
            _ => {
                let lanes = neighbours(channels, channels);
                Epilogue::new(set, &lanes, layer.output, second, bound)
            }
        };
        sets.map(epilogue).collect()
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
        let mut most = 0;
        for (step, shapes) in self.steps.iter().zip(&self.shapes) {
            if let Step::Convolution {
                convolution,
                padded: number,
            } = step
                && *number == padded.len()
            {
                padded.push(convolution.padded());
            }
            most = most.max(shapes.output.channels);
        }
        Workspace {
            tensors: (0..=last)
                .map(|tensor| Aligned::new(0, self.tensor_shape(tensor).volume()))
                .collect(),
            padded,
            accumulators: vec![0; most.max(self.shapes[last].output.volume())],
            results: vec![0; self.shapes[last].output.volume()],
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
        for layer in first..self.shapes.len() {
            self.run_layer(layer, workspace);
        }
    }

    /// Runs one layer on what the workspace holds of the layers before it.
    ///
    /// # Panics
    /// If the network has no such layer, or the workspace is another network's.
    pub fn run_layer(&self, layer: usize, workspace: &mut Workspace) {
        match layer + 1 == self.shapes.len() {
            true => self.run_last(layer, workspace),
            false => self.run_hidden(layer, workspace),
        }
    }

    /// A layer that writes activations.
    fn run_hidden(&self, layer: usize, workspace: &mut Workspace) {
        let (before, after) = workspace.tensors.split_at_mut(layer + 1);
        let this = &self.model.network.layers[layer];
        let (source, output) = (&before[this.source()], &mut after[0]);
        match &self.steps[layer] {
            Step::Convolution {
                convolution,
                padded,
            } => {
                let target = Target::Activations {
                    epilogue: &self.epilogues[layer][0],
                    operand: self.operand(layer, before),
                    output,
                };
                convolution.run(source, &mut workspace.padded[*padded], target);
            }
            Step::Pixels { .. } => {
                self.run_pixels(layer, before, &mut workspace.accumulators, output);
            }
            Step::Concat => self.concat(layer, before, output),
        }
    }

    /// The second operand of a layer that has one.
    fn operand<'t>(&self, layer: usize, tensors: &'t [Aligned<i8>]) -> Option<Operand<'t>> {
        let this = &self.model.network.layers[layer];
        this.operation.operand_scale().map(|_| Operand {
            tensor: &tensors[this.reads[1]],
            shape: self.tensor_shape(this.reads[1]),
            stride: this.operation.residual().map_or(1, |r| r.stride),
        })
    }

    /// A layer without weights that computes, pixel by pixel.
    fn run_pixels(
        &self,
        layer: usize,
        tensors: &[Aligned<i8>],
        accumulators: &mut [i32],
        output: &mut [i8],
    ) {
        let Step::Pixels {
            divisors, table, ..
        } = &self.steps[layer]
        else {
            return;
        };
        let operand = self.operand(layer, tensors);
        let Shape {
            height,
            width,
            channels,
        } = self.shapes[layer].output;
        let accumulators = &mut accumulators[..channels];
        for (pixel, y) in output.chunks_exact_mut(channels).enumerate() {
            let place = (pixel / width, pixel % width);
            self.accumulate(layer, tensors, place, accumulators);
            let epilogue = &self.epilogues[layer][divisors.set(place, (height, width))];
            let operand = operand.map(|o| o.pixel(place.0, place.1));
            requantize(self.instructions, epilogue, accumulators, operand, y);
            if let Some(table) = table {
                y.iter_mut().for_each(|y| *y = lookup(table, *y));
            }
        }
    }

    /// The accumulators of one pixel of a layer without weights.
    fn accumulate(
        &self,
        layer: usize,
        tensors: &[Aligned<i8>],
        place: (usize, usize),
        accumulators: &mut [i32],
    ) {
        if let Step::Pixels { accumulate, .. } = &self.steps[layer] {
            let source = self.model.network.layers[layer].source();
            let read = (&tensors[source][..], self.model.network.zero(source));
            accumulate.pixel(&self.shapes[layer], read, place, accumulators);
        }
    }

    fn concat(&self, layer: usize, tensors: &[Aligned<i8>], output: &mut [i8]) {
        let reads = self.model.network.layers[layer].reads.iter();
        let parts = reads.map(|&t| (&tensors[t][..], self.tensor_shape(t).channels));
        concat(parts, self.shapes[layer].output.channels, output);
    }

    /// The last layer, whose values are as wide as the accumulators.
    fn run_last(&self, layer: usize, workspace: &mut Workspace) {
        let this = &self.model.network.layers[layer];
        let Workspace {
            tensors,
            padded,
            accumulators,
            results,
        } = workspace;
        let map = self.shapes[layer].output;
        let accumulators = &mut accumulators[..results.len()];
        match &self.steps[layer] {
            Step::Convolution {
                convolution,
                padded: number,
            } => {
                let target = Target::Accumulators(accumulators);
                convolution.run(&tensors[this.source()], &mut padded[*number], target);
            }
            Step::Pixels { .. } => {
                for (pixel, sums) in accumulators.chunks_exact_mut(map.channels).enumerate() {
                    let place = (pixel / map.width, pixel % map.width);
                    self.accumulate(layer, tensors, place, sums);
                }
            }
            Step::Concat => {
                let mut values = vec![0; results.len()];
                self.concat(layer, tensors, &mut values);
                let pairs = results.iter_mut().zip(values);
                pairs.for_each(|(y, value)| *y = value.into());
                return;
            }
        }
        let operand = self.operand(layer, tensors);
        let pixels = results.chunks_exact_mut(map.channels);
        let sums = accumulators.chunks_exact(map.channels);
        for (pixel, (results, sums)) in pixels.zip(sums).enumerate() {
            let (row, column) = (pixel / map.width, pixel % map.width);
            let set = match &self.steps[layer] {
                Step::Pixels { divisors, .. } => {
                    divisors.set((row, column), (map.height, map.width))
                }
                _ => 0,
            };
            let operand = operand.map_or(&[][..], |o| o.pixel(row, column));
            self.widen(layer, set, sums, operand, results);
        }
    }

    /// Results of one pixel of the last layer, with one set of its parameters.
    fn widen(
        &self,
        layer: usize,
        set: usize,
        accumulators: &[i32],
        operand: &[i8],
        results: &mut [i32],
    ) {
        let Epilogue {
            channels,
            output,
            second,
            ..
        } = &self.epilogues[layer][set];
        let operand = operand
            .iter()
            .map(|&q| i16::from(q) - i16::from(second.zero));
        let operand = operand.chain(std::iter::repeat(0));
        let values = results.iter_mut().zip(accumulators).zip(channels);
        for (((y, &acc), &channel), r) in values.zip(operand) {
            let sum = sum(acc, channel, output.shift, r, second.scale);
            *y = match &self.model.layers[layer].table {
                Some(table) => lookup(table, arithmetic::requantize(sum, *output)).into(),
                None => widen(sum, output.shift),
            };
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

/// Where each output pixel is made of the same pixel of the input, all of them can lie in one row,
/// which is cut into fewer tiles; other shapes as they are.
fn in_one_row(shapes: &LayerShapes) -> LayerShapes {
    if shapes.window != Window::square(1, 1, 0) {
        return *shapes;
    }
    let row = |shape: Shape| Shape {
        height: 1,
        width: shape.pixels(),
        ..shape
    };
    LayerShapes {
        input: row(shapes.input),
        output: row(shapes.output),
        ..*shapes
    }
}

#[cfg(test)]
#[path = "network_tests.rs"]
mod tests;
