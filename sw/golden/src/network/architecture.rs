//! What a network looks like, before it has any weights.

use super::limits::check_layers;
use super::{Epsilon, Style};
use brownout_spec::program::{LayerShapes, Network, ProgramError, Shape};
use thiserror::Error;

/// A network's layers and shapes; the scales in `network` are placeholders until export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Architecture {
    /// Name for files and reports.
    pub name: String,
    /// Layers in the specification's form.
    pub network: Network,
    /// One style a layer.
    pub styles: Vec<Style>,
    shapes: Vec<LayerShapes>,
}

/// Why an architecture cannot be built.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ArchitectureError {
    /// A layer does not fit the specification.
    #[error(transparent)]
    Program(#[from] ProgramError),
    /// There is no network of that name.
    #[error("network {0:?} is unknown; allowed are {allowed}", allowed = super::builtin::ALLOWED)]
    Unknown(String),
    /// A network has no form for such images.
    #[error("network {network} takes images of {allowed}; the data's are {input}")]
    Input {
        /// Name of the network.
        network: String,
        /// Shape of the images.
        input: Shape,
        /// What it takes.
        allowed: &'static str,
    },
    /// The map from pixels is not one for such images.
    #[error("{0}")]
    Map(String),
    /// There is not one style a layer.
    #[error(
        "the network has {layers} layers, and what training does with them is said of {styles}; they must agree"
    )]
    Styles {
        /// Number of styles.
        styles: usize,
        /// Number of layers.
        layers: usize,
    },
    /// A layer cannot be trained or evaluated.
    #[error("layer {layer} ({name}): {problem}")]
    Layer {
        /// Index of the layer.
        layer: usize,
        /// Its name.
        name: String,
        /// What is wrong, and what is allowed.
        problem: String,
    },
    /// All layers together are too large.
    #[error("{0}")]
    Size(String),
}

impl Architecture {
    /// A network of these layers, one style for each; scales may say anything.
    ///
    /// # Errors
    /// A sentence naming the first layer that the specification does not allow, that has a style
    /// which is not one of its operation, or that is larger than what is run here.
    pub fn new(
        name: &str,
        network: Network,
        styles: Vec<Style>,
    ) -> Result<Self, ArchitectureError> {
        if styles.len() != network.layers.len() {
            return Err(ArchitectureError::Styles {
                layers: network.layers.len(),
                styles: styles.len(),
            });
        }
        let shapes = network.shapes()?;
        check_results(&network, &shapes)?;
        check_layers(&network, &shapes, &styles)?;
        Ok(Self {
            name: name.to_owned(),
            network,
            styles,
            shapes,
        })
    }

    /// Whether a layer learns anything: weights, or a gain and a bias of each channel.
    pub fn learns(&self, layer: usize) -> bool {
        let operation = &self.network.layers[layer].operation;
        operation.has_weights() || self.styles[layer].is_normalized()
    }

    /// Input and output of every layer.
    pub fn shapes(&self) -> &[LayerShapes] {
        &self.shapes
    }

    /// The same network with another ε in all its norms.
    #[must_use]
    pub fn with_epsilon(mut self, epsilon: Epsilon) -> Self {
        let norms = self.styles.iter_mut().filter(|s| s.has_moments());
        norms.for_each(|style| style.epsilon = epsilon);
        self
    }

    /// The ε of its norms, which is one in the built-in networks; `None` without norms.
    pub fn epsilon(&self) -> Option<Epsilon> {
        let norm = self.styles.iter().find(|style| style.has_moments());
        norm.map(|style| style.epsilon)
    }

    /// Weights of all layers.
    pub fn weights(&self) -> usize {
        let layers = self.network.layers.iter().zip(&self.shapes);
        let weighted = layers.filter(|(layer, _)| layer.operation.has_weights());
        weighted.map(|(_, shapes)| shapes.weights()).sum()
    }

    /// Number of results: channels of the last layer.
    pub fn classes(&self) -> usize {
        self.shapes.last().map_or(0, |s| s.output.channels)
    }

    /// Shapes of all tensors: the input, then every layer's output.
    pub fn tensors(&self) -> Vec<Shape> {
        std::iter::once(self.network.input)
            .chain(self.shapes.iter().map(|s| s.output))
            .collect()
    }

    /// Shape of a tensor: 0 is the input, k the output of layer k − 1.
    pub fn tensor(&self, tensor: usize) -> Shape {
        match tensor.checked_sub(1) {
            Some(layer) => self.shapes[layer].output,
            None => self.network.input,
        }
    }

    /// The tensor that a layer's operation works on.
    pub fn source(&self, layer: usize) -> usize {
        self.network.layers[layer].source()
    }

    /// The tensors that a layer's operation works on, each once: all that it reads but a residual
    /// operand.
    pub(super) fn operands(&self, layer: usize) -> Vec<usize> {
        let layer = &self.network.layers[layer];
        let mut operands = layer.reads.clone();
        operands.truncate(match layer.operation.has_weights() {
            true => 1,
            false => operands.len(),
        });
        operands.sort_unstable();
        operands.dedup();
        operands
    }

    /// The residual operand of a layer as (tensor, stride).
    pub fn residual(&self, layer: usize) -> Option<(usize, usize)> {
        let layer = &self.network.layers[layer];
        Some((layer.operand()?, layer.operation.residual()?.stride))
    }
}

/// Refuses a map as result, which has no class: what is trained and evaluated here gives one value
/// for each.
fn check_results(network: &Network, shapes: &[LayerShapes]) -> Result<(), ArchitectureError> {
    let Some((layer, last)) = network.layers.iter().zip(shapes).next_back() else {
        return Ok(());
    };
    if last.output.pixels() == 1 {
        return Ok(());
    }
    Err(ArchitectureError::Layer {
        layer: shapes.len() - 1,
        name: layer.name.clone(),
        problem: format!(
            "output is {}; allowed is one pixel, a value for each class, as a dense layer or a pool of the whole image gives it",
            last.output
        ),
    })
}

#[cfg(test)]
#[path = "architecture_tests.rs"]
mod tests;
