//! What is evaluated: a network whose weights are integers in a memory.

use crate::data::{Dataset, Pixels};
use crate::infer::{IntegerNetwork, Prefix, Workspace, first_difference};
use crate::model::{InputMap, InputTable, IntegerModel};
use crate::network::{Evaluator, Values};
use crate::quantize::BitWidth;
use crate::quantized::{QuantizedNetwork, StoredWeights};
use crate::train::{arg_max, rank};
use brownout_spec::code::CodeName;
use brownout_spec::image::LayerShape;
use brownout_spec::program::Shape;
use rayon::prelude::*;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

/// Images that one thread classifies before it takes the next.
const BATCH: usize = 32;
/// Most bytes of activations that are kept, of all images: a ResNet-20 with 10 000 has 160 MB.
const MOST_KEPT: usize = 512 << 20;
/// Share of the multiplications before a layer from which they are kept for it: less is not
/// worth the memory.
const WORTH_KEEPING: f64 = 0.25;

/// A network whose weights are integers in a memory.
#[derive(Clone, Debug)]
pub enum Subject {
    /// One that hardware runs; it computes in integers.
    Integer(Box<IntegerModel>),
    /// One of the laboratory, with any quantizer and width; it computes in floating point
    /// with what the integers stand for.
    Quantized(Box<QuantizedNetwork>),
}

impl From<IntegerModel> for Subject {
    fn from(model: IntegerModel) -> Self {
        Self::Integer(Box::new(model))
    }
}

impl From<QuantizedNetwork> for Subject {
    fn from(network: QuantizedNetwork) -> Self {
        Self::Quantized(Box::new(network))
    }
}

impl Subject {
    /// Name of the network.
    pub fn network(&self) -> &str {
        match self {
            Self::Integer(model) => &model.origin.name,
            Self::Quantized(network) => &network.model.architecture.name,
        }
    }

    /// What it computes with: `integer` or `floating point`.
    pub fn arithmetic(&self) -> &'static str {
        match self {
            Self::Integer(_) => "integer",
            Self::Quantized(_) => "floating point",
        }
    }

    /// Live bits of a weight.
    pub fn width(&self) -> BitWidth {
        match self {
            Self::Integer(model) => model.weight_bits.into(),
            Self::Quantized(network) => network.quantization.width,
        }
    }

    /// The code in whose words the weights can be stored.
    pub fn code(&self) -> CodeName {
        match self {
            Self::Integer(model) => model.code,
            Self::Quantized(network) => network.quantization.storable_code(),
        }
    }

    /// Shape of its images.
    pub fn image(&self) -> Shape {
        match self {
            Self::Integer(model) => model.network.input,
            Self::Quantized(network) => network.model.image,
        }
    }

    /// Whether it takes images of a shape.
    pub fn takes(&self, image: Shape) -> bool {
        match self {
            Self::Integer(model) => model.takes(image),
            Self::Quantized(network) => network.model.image == image,
        }
    }

    /// What pixels mean to it.
    pub fn input(&self) -> InputMap {
        match self {
            Self::Integer(model) => model.input,
            Self::Quantized(network) => network.model.input,
        }
    }

    /// How many classes it tells apart; none if it gives a map.
    pub fn classes(&self) -> usize {
        match self {
            Self::Integer(model) => model.classes().unwrap_or(0),
            Self::Quantized(network) => network.model.architecture.classes(),
        }
    }

    /// Shapes of the weight tensors, in image order.
    pub fn weight_shapes(&self) -> Vec<LayerShape> {
        match self {
            Self::Integer(model) => model.weight_shapes(),
            Self::Quantized(network) => network.model.weight_shapes(),
        }
    }

    /// The stored integers: one flattened tensor per layer with weights, in image order.
    pub fn tensors(&self) -> Vec<Vec<i8>> {
        match self {
            Self::Integer(model) => {
                let tensors = model.weight_tensors().into_iter();
                tensors.map(<[i8]>::to_vec).collect()
            }
            Self::Quantized(network) => network.stored().to_image_order(),
        }
    }

    pub(super) fn classifier<'s>(&'s self, data: &'s Dataset) -> Classifier<'s> {
        let arithmetic = match self {
            Self::Integer(model) => Arithmetic::Integer {
                clean: IntegerNetwork::undisturbed(model),
                model,
                input: model.input.table(),
                kept: Mutex::default(),
            },
            Self::Quantized(network) => Arithmetic::Quantized {
                network,
                stored: network.stored(),
                input: match network.quantization.activations[0] {
                    Some(_) => network.model.input.rounded_table(),
                    None => network.model.input.real_table(),
                },
            },
        };
        Classifier { data, arithmetic }
    }
}

/// A subject prepared for many sets of weights and the same images.
pub(super) struct Classifier<'s> {
    data: &'s Dataset,
    arithmetic: Arithmetic<'s>,
}

enum Arithmetic<'s> {
    Integer {
        model: &'s IntegerModel,
        clean: IntegerNetwork<'s>,
        input: InputTable<i8>,
        /// What the undisturbed network's first layers give for all images, if it was of use.
        kept: Mutex<Option<Arc<Prefix>>>,
    },
    Quantized {
        network: &'s QuantizedNetwork,
        /// For the tensors' shapes.
        stored: StoredWeights,
        input: InputTable<f32>,
    },
}

impl Classifier<'_> {
    /// The class of every image with these weights, by all threads.
    pub fn all(&self, tensors: &[Vec<i8>]) -> Vec<u16> {
        let data = self.data;
        match &self.arithmetic {
            Arithmetic::Integer { model, .. } => {
                let network = integer_network(model, tensors);
                match self.prefix(tensors) {
                    Some(prefix) => network.classes_from(&prefix),
                    None => network.classes(data),
                }
            }
            Arithmetic::Quantized {
                network,
                stored,
                input,
            } => {
                let evaluator = network.evaluator(&stored.with_image_order(tensors));
                in_batches(
                    data,
                    || evaluator.values(),
                    |values, image| real_class(&evaluator, input, data.image(image), values),
                )
            }
        }
    }

    /// Number of images whose label is among so many largest logits, with the network's own weights.
    pub fn among(&self, most: usize) -> usize {
        let data = self.data;
        let label = |image: usize| usize::from(data.labels[image]);
        let found = match &self.arithmetic {
            Arithmetic::Integer { clean, input, .. } => in_batches(
                data,
                || clean.workspace(),
                |workspace, image| {
                    integer_class(clean, input, data.image(image), workspace);
                    rank(workspace.logits(), label(image)) < most
                },
            ),
            Arithmetic::Quantized {
                network,
                stored,
                input,
            } => {
                let evaluator = network.evaluator(stored);
                in_batches(
                    data,
                    || evaluator.values(),
                    |values, image| {
                        real_class(&evaluator, input, data.image(image), values);
                        rank(values.logits(), label(image)) < most
                    },
                )
            }
        };
        found.into_iter().filter(|&is_among| is_among).count()
    }

    /// The class of one image with these weights, by the thread that asks.
    pub fn one(&self, tensors: &[Vec<i8>], image: Pixels<'_>) -> u16 {
        match &self.arithmetic {
            Arithmetic::Integer { model, input, .. } => {
                let network = integer_network(model, tensors);
                integer_class(&network, input, image, &mut network.workspace())
            }
            Arithmetic::Quantized {
                network,
                stored,
                input,
            } => {
                let evaluator = network.evaluator(&stored.with_image_order(tensors));
                real_class(&evaluator, input, image, &mut evaluator.values())
            }
        }
    }
}

impl Classifier<'_> {
    /// Kept activations that serve these weights, made if there are none yet.
    ///
    /// Those that are kept are replaced only by an earlier layer's, which serve more: so they
    /// are made at most once a layer, and each time for a run that would compute them anyway.
    fn prefix(&self, tensors: &[Vec<i8>]) -> Option<Arc<Prefix>> {
        let Arithmetic::Integer {
            model, clean, kept, ..
        } = &self.arithmetic
        else {
            return None;
        };
        let first = first_difference(model, &model.weight_tensors(), tensors)?;
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(prefix) = kept.as_ref().filter(|prefix| prefix.layer() <= first) {
            return Some(Arc::clone(prefix));
        }
        let bytes = Prefix::bytes_per_image(clean, first) * self.data.len();
        if bytes > MOST_KEPT || share_before(clean, first) < WORTH_KEEPING {
            return None;
        }
        // Two are never held at once.
        *kept = None;
        let prefix = Arc::new(Prefix::new(clean, first, self.data));
        *kept = Some(Arc::clone(&prefix));
        Some(prefix)
    }

    /// The layer up to which activations are kept.
    #[cfg(test)]
    pub fn kept_layer(&self) -> Option<usize> {
        let Arithmetic::Integer { kept, .. } = &self.arithmetic else {
            return None;
        };
        kept.lock().unwrap().as_ref().map(|prefix| prefix.layer())
    }
}

/// Share of a network's multiplications that the layers before one make.
fn share_before(network: &IntegerNetwork<'_>, layer: usize) -> f64 {
    let all = network.multiplications();
    let before: usize = all[..layer].iter().sum();
    before as f64 / all.iter().sum::<usize>() as f64
}

fn integer_network<'m>(model: &'m IntegerModel, tensors: &[Vec<i8>]) -> IntegerNetwork<'m> {
    IntegerNetwork::new(model, tensors).expect("the memory holds the model's own tensors")
}

fn integer_class(
    network: &IntegerNetwork<'_>,
    input: &InputTable<i8>,
    image: Pixels<'_>,
    workspace: &mut Workspace,
) -> u16 {
    let activations: Vec<i8> = input.apply(image).collect();
    network.run(&activations, workspace);
    workspace.class() as u16
}

fn real_class(
    evaluator: &Evaluator<'_>,
    input: &InputTable<f32>,
    image: Pixels<'_>,
    values: &mut Values,
) -> u16 {
    evaluator.run(input.apply(image), values);
    arg_max(values.logits()) as u16
}

/// What comes of each image by its number, in batches that threads share; in the images' order.
fn in_batches<B, R: Clone + Send>(
    data: &Dataset,
    buffers: impl Fn() -> B + Sync + Send,
    result: impl Fn(&mut B, usize) -> R + Sync + Send,
) -> Vec<R> {
    let starts: Vec<usize> = (0..data.len()).step_by(BATCH).collect();
    let of = |buffer: &mut B, numbers: Range<usize>| -> Vec<R> {
        numbers.map(|i| result(buffer, i)).collect()
    };
    let batches: Vec<Vec<R>> = starts
        .into_par_iter()
        .map_init(&buffers, |buffer, start| {
            of(buffer, start..(start + BATCH).min(data.len()))
        })
        .collect();
    batches.concat()
}
