//! Forward and backward through all layers for one chunk of images.

use super::convolution::Geometry;
use super::kernel::{LANES, convolve, correlate};
use super::normalization::{
    Moments, affine_gradients, channel_sums, group_input_gradient, input_gradient, normalize,
    normalize_groups,
};
use super::parameters::{LayerGradients, Parameters};
use super::residual::{add_operand, operand_gradient};
use super::{Architecture, Norm, pooling};
use brownout_spec::program::{LayerShapes, Operation};
use ndarray::Array4;

/// Which moments a normalised layer uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Statistics {
    /// Those of the chunk.
    Batch,
    /// The running ones, as inference does.
    Running,
}

/// Everything that the chunks of one step share: packed weights and quantization steps.
#[derive(Clone, Debug)]
pub struct Prepared<'a> {
    /// Biases, gains and running moments.
    pub parameters: &'a Parameters,
    /// Which moments to use.
    pub statistics: Statistics,
    /// Step of each tensor's 8-bit activations; `None` leaves it in floating point.
    pub steps: Vec<Option<f32>>,
    packed: Vec<Option<(Vec<f32>, Vec<f32>)>>,
    /// What each layer's normalised values are multiplied with.
    scales: Vec<Option<Vec<f32>>>,
}

impl<'a> Prepared<'a> {
    /// Packs the weights that the layers multiply with: the parameters' own, or quantized ones.
    pub fn new(
        architecture: &Architecture,
        parameters: &'a Parameters,
        weights: &[Option<Array4<f32>>],
        statistics: Statistics,
        steps: Vec<Option<f32>>,
    ) -> Self {
        let layers = parameters.layers.iter().zip(weights);
        let packed = layers
            .zip(architecture.shapes())
            .map(|((layer, quantized), shapes)| {
                let weight = quantized.as_ref().or(layer.as_ref().map(|l| &l.weight))?;
                let weight = weight.as_slice().expect("weights are in standard layout");
                let forward = Geometry::forward(shapes, 1);
                let backward = Geometry::backward(shapes, 1);
                let mut packed = vec![0.0; forward.packed_length()];
                forward.pack(weight, &mut packed);
                let mut mirrored = vec![0.0; backward.packed_length()];
                backward.pack_mirrored(weight, &mut mirrored);
                Some((packed, mirrored))
            })
            .collect();
        let styles = parameters.layers.iter().zip(&architecture.styles);
        let scales = styles
            .map(|(layer, style)| layer.as_ref()?.scale(style.norm))
            .collect();
        Self {
            parameters,
            statistics,
            steps,
            packed,
            scales,
        }
    }
}

/// Buffers of one layer.
#[derive(Debug)]
enum LayerState {
    Convolution(Box<ConvolutionState>),
    MaxPool { winners: Vec<u32> },
    Average,
}

#[derive(Debug)]
struct ConvolutionState {
    forward: Geometry,
    backward: Geometry,
    /// The layer's input inside its zero border.
    padded: Vec<f32>,
    /// The convolution's result; normalised in place.
    linear: Vec<f32>,
    inverse: Vec<f32>,
    moments: Moments,
    /// One where the gradient passes ReLU and clipping, zero elsewhere.
    pass: Vec<f32>,
    /// The output's gradient, spread out for the backward convolution.
    spread: Vec<f32>,
    /// The output's gradient in blocks of lanes.
    blocks: Vec<[f32; LANES]>,
    packed_gradient: Vec<f32>,
    input_gradient: Vec<f32>,
}

impl ConvolutionState {
    fn new(shapes: &LayerShapes, images: usize) -> Self {
        let forward = Geometry::forward(shapes, images);
        let backward = Geometry::backward(shapes, images);
        let values = images * shapes.output.volume();
        Self {
            padded: vec![0.0; forward.padded_length()],
            linear: vec![0.0; values],
            inverse: Vec::new(),
            moments: Moments::default(),
            pass: vec![0.0; values],
            spread: vec![0.0; backward.padded_length()],
            blocks: vec![[0.0; LANES]; forward.pixels() * forward.outputs().div_ceil(LANES)],
            packed_gradient: vec![0.0; forward.packed_length()],
            input_gradient: vec![0.0; images * shapes.input.volume()],
            forward,
            backward,
        }
    }
}

/// A fixed number of images on their way through a network, with all intermediate values.
#[derive(Debug)]
pub struct Chunk {
    architecture: Architecture,
    images: usize,
    layers: Vec<LayerState>,
    /// The input and every layer's output, `[image][row][column][channel]`.
    tensors: Vec<Array4<f32>>,
    tensor_gradients: Vec<Vec<f32>>,
    gradients: Vec<Option<LayerGradients>>,
    maxima: Vec<f32>,
}

impl Chunk {
    /// Buffers for `images` images.
    pub fn new(architecture: &Architecture, parameters: &Parameters, images: usize) -> Self {
        let tensors: Vec<_> = architecture
            .tensors()
            .iter()
            .map(|s| Array4::zeros((images, s.height, s.width, s.channels)))
            .collect();
        let layers = architecture
            .network
            .layers
            .iter()
            .zip(architecture.shapes());
        Self {
            architecture: architecture.clone(),
            images,
            layers: layers
                .map(|(layer, shapes)| match layer.operation {
                    Operation::Convolution { .. } => {
                        LayerState::Convolution(Box::new(ConvolutionState::new(shapes, images)))
                    }
                    Operation::MaxPool { .. } => LayerState::MaxPool {
                        winners: vec![0; images * shapes.output.volume()],
                    },
                    Operation::GlobalAveragePool => LayerState::Average,
                })
                .collect(),
            tensor_gradients: tensors.iter().map(|t| vec![0.0; t.len()]).collect(),
            maxima: vec![0.0; tensors.len()],
            tensors,
            gradients: parameters
                .layers
                .iter()
                .map(|l| l.as_ref().map(LayerGradients::zeros))
                .collect(),
        }
    }

    /// Images of the chunk.
    pub fn images(&self) -> usize {
        self.images
    }

    /// The input, to be filled before [`Chunk::forward`].
    pub fn input_mut(&mut self) -> &mut [f32] {
        slice_mut(&mut self.tensors[0])
    }

    /// The last layer's output, `[image][class]`.
    pub fn logits(&self) -> &[f32] {
        slice(&self.tensors[self.tensors.len() - 1])
    }

    /// The output of `layer` as it is after [`Chunk::forward`].
    pub fn output(&self, layer: usize) -> &Array4<f32> {
        &self.tensors[layer + 1]
    }

    /// Largest value of each tensor before its quantization, in the last forward pass.
    pub fn maxima(&self) -> &[f32] {
        &self.maxima
    }

    /// Parameter gradients after [`Chunk::backward`].
    pub fn gradients(&self) -> &[Option<LayerGradients>] {
        &self.gradients
    }

    /// The gradient of the input after [`Chunk::backward`], if it was asked for.
    pub fn input_gradient(&self) -> &[f32] {
        &self.tensor_gradients[0]
    }

    /// Mean and variance that a normalised layer saw, per channel.
    pub fn moments(&self, layer: usize) -> Option<(&[f32], &[f32])> {
        match &self.layers[layer] {
            LayerState::Convolution(c) if !c.moments.mean.is_empty() => {
                Some((&c.moments.mean, &c.moments.variance))
            }
            _ => None,
        }
    }

    /// Computes every layer's output from the input.
    pub fn forward(&mut self, prepared: &Prepared<'_>) {
        for index in 0..self.layers.len() {
            let shapes = self.architecture.shapes()[index];
            let (before, after) = self.tensors.split_at_mut(index + 1);
            let source = self.architecture.source(index);
            let x = slice(&before[source]);
            let y = slice_mut(&mut after[0]);
            match &mut self.layers[index] {
                LayerState::MaxPool { winners } => {
                    pooling::max_forward(&shapes, x, y, winners);
                    // A maximum is one of its inputs: its range is theirs.
                    self.maxima[index + 1] = self.maxima[source];
                }
                LayerState::Average => {
                    pooling::average_forward(&shapes, x, y);
                    self.maxima[index + 1] = largest(y);
                    if let Some(step) = prepared.steps[index + 1] {
                        quantize(y, step);
                    }
                }
                LayerState::Convolution(state) => {
                    let norm = self.architecture.styles[index].norm;
                    convolution_forward(state, prepared, (index, norm), x, y);
                    if let Some((from, stride)) = self.architecture.residual(index) {
                        let operand = self.architecture.tensor(from);
                        add_operand(slice(&before[from]), operand, stride, shapes.output, y);
                    }
                    self.maxima[index + 1] = largest(y);
                    let rectified = self.architecture.styles[index].rectified;
                    activate(y, &mut state.pass, rectified, prepared.steps[index + 1]);
                }
            }
        }
    }

    /// Computes the gradients of all parameters from that of the logits; also the
    /// input's, if `to_input` says so.
    pub fn backward(&mut self, prepared: &Prepared<'_>, logits: &[f32], to_input: bool) {
        self.tensor_gradients.iter_mut().for_each(|g| g.fill(0.0));
        let last = self.tensor_gradients.len() - 1;
        self.tensor_gradients[last].copy_from_slice(logits);
        for index in (0..self.layers.len()).rev() {
            let shapes = self.architecture.shapes()[index];
            let (before, after) = self.tensor_gradients.split_at_mut(index + 1);
            let dy = &mut after[0][..];
            let source = self.architecture.source(index);
            match &mut self.layers[index] {
                LayerState::MaxPool { winners } => {
                    pooling::max_backward(dy, winners, &mut before[source]);
                }
                LayerState::Average => {
                    pooling::average_backward(&shapes, dy, &mut before[source]);
                }
                LayerState::Convolution(state) => {
                    for (d, pass) in dy.iter_mut().zip(&state.pass) {
                        *d *= pass;
                    }
                    if let Some((from, stride)) = self.architecture.residual(index) {
                        let operand = self.architecture.tensor(from);
                        operand_gradient(dy, shapes.output, stride, operand, &mut before[from]);
                    }
                    let wanted = source > 0 || to_input;
                    let dx = wanted.then_some(&mut before[source][..]);
                    let gradients = self.gradients[index]
                        .as_mut()
                        .expect("a convolution has parameters");
                    let norm = self.architecture.styles[index].norm;
                    convolution_backward(state, prepared, (index, norm), dy, dx, gradients);
                }
            }
        }
    }
}

fn slice(tensor: &Array4<f32>) -> &[f32] {
    tensor.as_slice().expect("tensors are in standard layout")
}

fn slice_mut(tensor: &mut Array4<f32>) -> &mut [f32] {
    tensor
        .as_slice_mut()
        .expect("tensors are in standard layout")
}

fn convolution_forward(
    state: &mut ConvolutionState,
    prepared: &Prepared<'_>,
    (index, norm): (usize, Norm),
    x: &[f32],
    y: &mut [f32],
) {
    let (packed, _) = prepared.packed[index]
        .as_ref()
        .expect("a convolution has weights");
    let parameters = prepared.parameters.layers[index]
        .as_ref()
        .expect("a convolution has parameters");
    let outputs = state.forward.outputs();
    state.forward.pad(x, &mut state.padded);
    convolve(
        &state.padded,
        &state.forward.window(),
        packed,
        outputs,
        &mut state.linear,
    );
    if let Some(offset) = &parameters.offset {
        for pixel in state.linear.chunks_exact_mut(outputs) {
            for (x, o) in pixel.iter_mut().zip(offset) {
                *x += o;
            }
        }
    }
    match norm {
        Norm::None => {}
        Norm::Batch => {
            state.moments = match prepared.statistics {
                Statistics::Batch => Moments::of(&state.linear, outputs),
                Statistics::Running => Moments {
                    mean: parameters.mean.to_vec(),
                    variance: parameters.variance.to_vec(),
                },
            };
            state.inverse = state.moments.inverse_deviation();
            normalize(&mut state.linear, &state.moments.mean, &state.inverse);
        }
        Norm::Group { groups } => {
            let shape = (state.forward.images(), outputs);
            state.inverse = normalize_groups(&mut state.linear, shape, groups);
        }
    }
    for (y, linear) in y
        .chunks_exact_mut(outputs)
        .zip(state.linear.chunks_exact(outputs))
    {
        match &prepared.scales[index] {
            Some(gain) => {
                for (((y, x), g), b) in y.iter_mut().zip(linear).zip(gain).zip(&parameters.bias) {
                    *y = x * g + b;
                }
            }
            None => {
                for ((y, x), b) in y.iter_mut().zip(linear).zip(&parameters.bias) {
                    *y = x + b;
                }
            }
        }
    }
}

fn convolution_backward(
    state: &mut ConvolutionState,
    prepared: &Prepared<'_>,
    (index, norm): (usize, Norm),
    dy: &mut [f32],
    dx: Option<&mut [f32]>,
    gradients: &mut LayerGradients,
) {
    let parameters = prepared.parameters.layers[index]
        .as_ref()
        .expect("a convolution has parameters");
    affine_gradients(dy, &state.linear, &mut gradients.gain, &mut gradients.bias);
    match (norm, &prepared.scales[index]) {
        (Norm::Batch, Some(scale)) => input_gradient(
            dy,
            &state.linear,
            (scale, &state.inverse),
            (&gradients.gain, &gradients.bias),
            prepared.statistics == Statistics::Batch,
        ),
        (Norm::Group { groups }, Some(scale)) => {
            let sizes = (state.forward.images(), groups);
            group_input_gradient(dy, &state.linear, scale, &state.inverse, sizes);
        }
        _ => gradients.gain.fill(0.0),
    }
    match parameters.offset {
        Some(_) => channel_sums(dy, &mut gradients.offset),
        None => gradients.offset.fill(0.0),
    }
    let (outputs, pixels) = (state.forward.outputs(), state.forward.pixels());
    for (block, target) in state.blocks.chunks_exact_mut(pixels).enumerate() {
        let lanes = LANES.min(outputs - block * LANES);
        for (target, dy) in target.iter_mut().zip(dy.chunks_exact(outputs)) {
            target[..lanes].copy_from_slice(&dy[block * LANES..][..lanes]);
        }
    }
    correlate(
        &state.padded,
        &state.forward.window(),
        &state.blocks,
        &mut state.packed_gradient,
    );
    state
        .forward
        .unpack(&state.packed_gradient, &mut gradients.weight);
    if let Some(dx) = dx {
        let (_, mirrored) = prepared.packed[index]
            .as_ref()
            .expect("a convolution has weights");
        state.backward.spread(dy, &mut state.spread);
        let inputs = state.backward.outputs();
        convolve(
            &state.spread,
            &state.backward.window(),
            mirrored,
            inputs,
            &mut state.input_gradient,
        );
        for (dx, d) in dx.iter_mut().zip(&state.input_gradient) {
            *dx += d;
        }
    }
}

pub(super) fn largest(values: &[f32]) -> f32 {
    // Eight running maxima, so that the loop is not one chain of comparisons.
    let mut best = [f32::MIN; 8];
    for group in values.chunks(8) {
        for (b, &v) in best.iter_mut().zip(group) {
            *b = if v > *b { v } else { *b };
        }
    }
    best.into_iter().fold(f32::MIN, f32::max)
}

/// ReLU and 8-bit quantization; `pass` records where the straight-through gradient flows.
fn activate(y: &mut [f32], pass: &mut [f32], rectified: bool, step: Option<f32>) {
    let low = match (rectified, step) {
        (true, _) => 0.0,
        (false, Some(step)) => -128.0 * step,
        (false, None) => f32::NEG_INFINITY,
    };
    let high = step.map_or(f32::INFINITY, |step| 127.0 * step);
    for (y, pass) in y.iter_mut().zip(pass) {
        *pass = f32::from(u8::from(*y > low && *y < high));
        *y = y.clamp(low, high);
    }
    if let Some(step) = step {
        quantize(y, step);
    }
}

/// Rounds to multiples of `step` in [-128, 127], halves upwards as the requantizer does.
pub(super) fn quantize(y: &mut [f32], step: f32) {
    let inverse = 1.0 / step;
    for y in y {
        // Shifted to be positive, truncation is the floor that x + 1/2 needs.
        let shifted = (*y * inverse + 128.5).clamp(0.0, 255.0);
        *y = (shifted as i32 - 128) as f32 * step;
    }
}
