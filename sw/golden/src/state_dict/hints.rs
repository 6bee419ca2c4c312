//! What the shapes of tensors say about a network, before it is known for which images and
//! classes it is.

use super::layout::{WeightForm, layer_names};
use super::names::StateDict;
use crate::foreign::not_safetensors;
use crate::model::FileError;
use crate::network::{Architecture, Builtin, Depth, Shortcut};
use brownout_spec::program::Shape;
use safetensors::SafeTensors;
use std::path::Path;

/// Images of CIFAR and of MNIST, and each with the other's channels: what is assumed where the
/// tensors do not contradict, in this order.
const USUAL: [(usize, usize); 4] = [(32, 3), (28, 1), (28, 3), (32, 1)];
/// Classes while nothing says how many.
const CLASSES: usize = 10;

/// What is known from shapes alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hints {
    /// Outputs of the last layer; `None` if there is no such tensor.
    pub classes: Option<usize>,
    /// The most usual images whose channels, and in networks with dense layers sides, have the
    /// weights that are there; `None` if none has.
    pub image: Option<Shape>,
}

/// What a state dict's shapes say when it is that of a network.
///
/// # Errors
/// One sentence naming the file, when it is none, or has the network twice.
pub fn hints(bytes: &[u8], path: &Path, network: Builtin) -> Result<Hints, FileError> {
    let tensors = SafeTensors::deserialize(bytes).map_err(|e| not_safetensors(bytes, &e));
    let all = tensors.and_then(|tensors| {
        let shapes = USUAL.iter().map(|&(side, channels)| square(side, channels));
        let known = shapes.map(|image| of(&tensors, image, network));
        known.collect::<Result<Vec<_>, String>>()
    });
    let all = all.map_err(|problem| FileError::Format {
        path: path.to_owned(),
        problem,
    })?;
    let fitting = all.iter().flatten().find(|hints| hints.image.is_some());
    let any = fitting.or_else(|| all.iter().flatten().find(|h| h.classes.is_some()));
    Ok(any.copied().unwrap_or(Hints {
        classes: None,
        image: None,
    }))
}

/// The built-in network that all names are of; `None` if there is none.
pub(super) fn network_of(tensors: &SafeTensors<'_>) -> Option<Builtin> {
    let resnets = Depth::ALL.into_iter().flat_map(|depth| {
        [Shortcut::Plain, Shortcut::Projection].map(|shortcut| Builtin::Resnet(depth, shortcut))
    });
    // A width that any narrow image suits: names do not depend on it.
    let simple = [false, true].map(|batch_norm| Builtin::SimpleNet {
        width: Some(2),
        batch_norm,
    });
    let mut all = [Builtin::Mlp, Builtin::Cnn]
        .into_iter()
        .chain(resnets)
        .chain(simple);
    all.find_map(|network| {
        let mut images = USUAL.iter().map(|&(side, channels)| square(side, channels));
        images.find_map(|image| {
            let architecture = Architecture::builtin(network, image, CLASSES).ok()?;
            let dict = StateDict::new(tensors, &architecture, String::new()).ok()?;
            let layers = architecture.network.layers.iter();
            let mut layers = layers.filter(|layer| layer.operation.has_weights());
            let whole = layers.all(|layer| {
                dict.weight_shape(&dict.choose(&layer_names(&layer.name)))
                    .is_some()
            });
            if !whole || !dict.knows_all() {
                return None;
            }
            let first = dict.weight_shape(&architecture.network.layers[0].name);
            Some(match network {
                Builtin::SimpleNet { batch_norm, .. } => Builtin::SimpleNet {
                    width: first.and_then(|shape| shape.first().copied()),
                    batch_norm,
                },
                other => other,
            })
        })
    })
}

/// The same for a file's bytes.
pub fn likely_network(bytes: &[u8]) -> Option<Builtin> {
    network_of(&SafeTensors::deserialize(bytes).ok()?)
}

fn square(side: usize, channels: usize) -> Shape {
    Shape {
        height: side,
        width: side,
        channels,
    }
}

/// What they say if the images are such; `None` where the network has no form for these.
fn of(tensors: &SafeTensors<'_>, image: Shape, network: Builtin) -> Result<Option<Hints>, String> {
    let Ok(architecture) = Architecture::builtin(network, image, CLASSES) else {
        return Ok(None);
    };
    let dict = StateDict::new(tensors, &architecture, format!("network {network}"))?;
    let layers = architecture.network.layers.iter().enumerate();
    let layers = layers.filter(|(_, layer)| layer.operation.has_weights());
    let mut shapes = Vec::new();
    for (index, layer) in layers {
        let name = dict.choose(&layer_names(&layer.name));
        if let Some(found) = dict.weight_shape(&name) {
            shapes.push((index, found));
        }
    }
    let last = architecture.network.layers.len() - 1;
    let classes = shapes.iter().find(|(index, _)| *index == last);
    let inputs = |shape: &[usize]| shape.iter().skip(1).product::<usize>();
    let of_last = inputs(&WeightForm::of(&architecture, image, last).whole);
    let outputs = |shape: &[usize]| match *shape {
        // Inputs first, as Keras has them; whoever reads the tensor says so.
        [rows, columns] if rows == of_last && columns != of_last => Some(columns),
        _ => shape.first().copied(),
    };
    let fits = shapes.iter().all(|(index, found)| {
        inputs(found) == inputs(&WeightForm::of(&architecture, image, *index).whole)
    });
    Ok(Some(Hints {
        classes: classes.and_then(|(_, shape)| outputs(shape)),
        image: (fits && !shapes.is_empty()).then_some(image),
    }))
}
