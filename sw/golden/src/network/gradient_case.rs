//! What a network's gradients are compared with in tests: central differences of the loss
//! Σ gᵢ·logitᵢ.

use super::{Architecture, Bounds, Chunk, Epsilon, Norm, Parameters, Prepared, Statistics, Style};
use crate::quantize::ActivationGrid;
use brownout_spec::program::{Operation, Shape, Window};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const IMAGES: usize = 3;
const MOST_IMAGES: usize = 6;
/// Linear layers have no truncation error, so a large step keeps the rounding error small.
const STEP: f32 = 1e-2;

pub(super) const PLAIN: Style = Style {
    norm: Norm::None,
    epsilon: Epsilon::DEFAULT,
    offset: false,
    function: None,
    bounds: Bounds::NONE,
};
pub(super) const NORMALIZED: Style = Style {
    norm: Norm::Batch,
    epsilon: Epsilon::DEFAULT,
    offset: true,
    function: None,
    bounds: Bounds::NONE,
};

pub(super) fn convolution(
    channels: usize,
    kernel: (usize, usize),
    stride: usize,
    padding: usize,
) -> Operation {
    Operation::convolution(
        Window {
            height: kernel.0,
            width: kernel.1,
            ..Window::square(1, stride, padding)
        },
        channels,
    )
}

pub(super) struct Case {
    pub architecture: Architecture,
    pub parameters: Parameters,
    pub input: Vec<f32>,
    pub weights: Vec<f32>,
    pub statistics: Statistics,
    pub images: usize,
    /// Step of the first layer's activations.
    pub step: Option<f32>,
}

impl Case {
    pub fn new(architecture: Architecture, statistics: Statistics) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(5);
        let mut draw =
            |n: usize| -> Vec<f32> { (0..n).map(|_| random.random_range(-1.0..1.0)).collect() };
        let mut parameters = Parameters::random(&architecture, 9, 0);
        for layer in parameters.layers.iter_mut().flatten() {
            let count = layer.bias.len();
            layer.bias = draw(count).into();
            layer.mean = draw(count).into();
            layer.variance = draw(count).iter().map(|v| v + 1.5).collect();
            if layer.offset.is_some() {
                layer.offset = Some(draw(count).into());
            }
            if layer.gain.is_some() {
                layer.gain = Some(draw(count).iter().map(|g| 2.0 * g).collect());
            }
        }
        Self {
            input: draw(MOST_IMAGES * architecture.network.input.volume()),
            weights: draw(MOST_IMAGES * architecture.classes()),
            images: IMAGES,
            step: None,
            architecture,
            parameters,
            statistics,
        }
    }

    pub fn run(&self, parameters: &Parameters, input: &[f32], backward: bool) -> (f64, Chunk) {
        let others = vec![None; self.architecture.network.layers.len() - 1];
        let first = [None, self.step.map(ActivationGrid::hardware)];
        let grids = [&first[..], &others].concat();
        self.run_with(parameters, input, grids, backward)
    }

    /// Forward and backward with these grids of activations, and with the gradients of ranges.
    pub fn run_on(&self, grids: Vec<Option<ActivationGrid>>) -> Chunk {
        self.run_with(&self.parameters, &self.input, grids, true).1
    }

    fn run_with(
        &self,
        parameters: &Parameters,
        input: &[f32],
        grids: Vec<Option<ActivationGrid>>,
        backward: bool,
    ) -> (f64, Chunk) {
        let weights = vec![None; parameters.layers.len()];
        let architecture = &self.architecture;
        let mut prepared =
            Prepared::new(architecture, parameters, &weights, self.statistics, grids);
        prepared.ceilings = true;
        let mut chunk = Chunk::new(&self.architecture, parameters, self.images);
        let volume = chunk.input_mut().len();
        chunk.input_mut().copy_from_slice(&input[..volume]);
        let weights = &self.weights[..chunk.logits().len()];
        chunk.forward(&prepared);
        let loss = chunk
            .logits()
            .iter()
            .zip(weights)
            .map(|(l, w)| f64::from(*l) * f64::from(*w))
            .sum();
        if backward {
            chunk.backward(&prepared, weights, true);
        }
        (loss, chunk)
    }

    /// Compares up to 40 entries of each gradient with central differences.
    pub fn check(&self) {
        let (_, chunk) = self.run(&self.parameters, &self.input, true);
        let compare = |name: String, analytic: f32, numeric: f64| {
            let tolerance = 0.01 * (1.0 + numeric.abs());
            let difference = (f64::from(analytic) - numeric).abs();
            assert!(
                difference < tolerance,
                "{name}: {analytic} is not {numeric}"
            );
        };
        let values = chunk.input_gradient().len();
        for i in (0..values).step_by(values.div_ceil(40)) {
            let at = |delta: f32| {
                let mut input = self.input.clone();
                input[i] += delta;
                self.run(&self.parameters, &input, false).0
            };
            let numeric = (at(STEP) - at(-STEP)) / f64::from(2.0 * STEP);
            compare(format!("input {i}"), chunk.input_gradient()[i], numeric);
        }
        for (index, gradients) in chunk.gradients().iter().enumerate() {
            let Some(gradients) = gradients else { continue };
            for (part, values) in [
                &gradients.weight,
                &gradients.bias,
                &gradients.offset,
                &gradients.gain,
            ]
            .into_iter()
            .enumerate()
            {
                for i in (0..values.len()).step_by(values.len().div_ceil(40).max(1)) {
                    let at = |delta: f32| {
                        let mut parameters = self.parameters.clone();
                        nudge(&mut parameters, index, part, i, delta);
                        self.run(&parameters, &self.input, false).0
                    };
                    let numeric = (at(STEP) - at(-STEP)) / f64::from(2.0 * STEP);
                    compare(
                        format!("layer {index} part {part} [{i}]"),
                        values[i],
                        numeric,
                    );
                }
            }
        }
    }
}

fn nudge(parameters: &mut Parameters, layer: usize, part: usize, i: usize, delta: f32) {
    let layer = parameters.layers[layer].as_mut().unwrap();
    match part {
        0 => layer.weight.as_slice_mut().unwrap()[i] += delta,
        1 => layer.bias[i] += delta,
        2 => {
            if let Some(offset) = &mut layer.offset {
                offset[i] += delta;
            }
        }
        _ => {
            if let Some(gain) = &mut layer.gain {
                gain[i] += delta;
            }
        }
    }
}

pub(super) fn input(height: usize, width: usize, channels: usize) -> Shape {
    Shape {
        height,
        width,
        channels,
    }
}
