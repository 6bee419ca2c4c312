//! Weight tensors that are given to a model, and whether they are its own.

use crate::model::IntegerModel;
use brownout_spec::program::LayerShapes;
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

/// Refuses tensors that are not one of the right size for each layer with weights.
pub(super) fn check_tensors<T: AsRef<[i8]>>(
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
