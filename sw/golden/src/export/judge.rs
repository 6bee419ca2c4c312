//! What the integers of a model lose against the rounded network that they came from.
//!
//! Hardware and golden model agree on whatever integers they are given, so nothing after an
//! export can see that these are too coarse. Here each layer runs in floating point on what
//! the integer model gave it, and the whole is compared by the images that are classified right.

use super::plan::Plan;
use super::scale::{self, RealScale};
use crate::data::{Dataset, Pixels};
use crate::infer::IntegerNetwork;
use crate::model::IntegerModel;
use crate::network::Evaluator;
use crate::quantized::QuantizedNetwork;
use brownout_spec::arithmetic::ACTIVATION_MAGNITUDE;
use rayon::prelude::*;

/// Images on which layers are compared value by value; all are classified.
const LAYER_IMAGES: usize = 128;
/// The least multiplier that is fine enough: rounding changes it by less than 0.8 %.
const LEAST_MULTIPLIER: u16 = 64;
/// Steps by which a value may differ.
const STEPS: f32 = 2.0;
/// Share of a layer's values that may differ by more.
const SHARE: f64 = 0.01;
/// Share of images that may be lost, half a point.
const LOSS: f64 = 0.005;
/// Standard deviations by which a loss has to exceed chance: where as many images are won as
/// lost, the difference of n of them deviates by √n (sign test), and of a few dozen images
/// one is half a point by itself.
const DEVIATIONS: usize = 2;

/// How an integer model compares with its rounded network on some images.
#[derive(Clone, Debug, PartialEq)]
pub struct Judgement {
    /// Images that were classified.
    pub images: usize,
    /// Of these right in floating point, with rounded weights and activations.
    pub rounded_correct: usize,
    /// Of these right in integers.
    pub integer_correct: usize,
    /// Images on whose class both disagree and one is right.
    pub disputed: usize,
    /// Every layer.
    pub layers: Vec<LayerJudgement>,
}

/// How a layer of an integer model compares with that of the rounded network, on the same inputs.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerJudgement {
    /// Index of the layer in the integer model, which may have more than the network.
    pub layer: usize,
    /// Its name.
    pub name: String,
    /// Values that were compared; none of the last layer, whose results are not rounded.
    pub values: usize,
    /// Of these further apart than two steps.
    pub different: usize,
    /// Multiplier of each output channel.
    pub multipliers: Vec<i16>,
    /// Channels that compute something, with a multiplier below 64.
    pub coarse: Vec<usize>,
    /// The multiplier of a residual operand, if it is below 64 and the operand counts.
    pub coarse_residual: Option<i16>,
}

/// Compares a model with the network that it was exported from.
///
/// # Panics
/// If the model is another network's, or the images do not have the network's size.
pub fn judge(trained: &QuantizedNetwork, model: &IntegerModel, data: &Dataset) -> Judgement {
    let stored = trained.stored();
    let network = IntegerNetwork::undisturbed(model);
    let evaluator = trained.evaluator(&stored);
    let read = scale::read_channels(trained, &stored);
    let images = data.len().min(LAYER_IMAGES);
    let places = Plan::new(trained).places;
    let none = || vec![(0, 0); places.len()];
    let counts = (0..images)
        .into_par_iter()
        .map(|image| {
            differences(
                trained,
                (model, &read, &places),
                (&network, &evaluator),
                data.image(image),
            )
        })
        .reduce(none, |a, b| {
            let pairs = a.into_iter().zip(b);
            pairs.map(|(a, b)| (a.0 + b.0, a.1 + b.1)).collect()
        });
    let layers = counts.into_iter().enumerate();
    let right = |classes: Vec<u16>| -> Vec<bool> {
        let pairs = classes.into_iter().zip(&data.labels);
        pairs.map(|(class, &label)| class == label).collect()
    };
    let rounded = right(evaluator.classes(&trained.model.input.rounded_table(), data));
    let integer = right(network.classes(data));
    let count = |right: &[bool]| right.iter().filter(|&&right| right).count();
    let pairs = rounded.iter().zip(&integer);
    Judgement {
        images: data.len(),
        rounded_correct: count(&rounded),
        integer_correct: count(&integer),
        disputed: pairs.filter(|(a, b)| a != b).count(),
        layers: layers
            .map(|(layer, (values, different))| {
                let place = places[layer];
                let (coarse, coarse_residual) =
                    coarse(trained, model, (layer, place), &read[layer + 1]);
                let channels = model.layers[place].channels.iter();
                LayerJudgement {
                    layer: place,
                    name: model.network.layers[place].name.clone(),
                    values,
                    different,
                    multipliers: channels.map(|c| c.multiplier).collect(),
                    coarse,
                    coarse_residual,
                }
            })
            .collect(),
    }
}

/// Of each layer the values compared on an image, of channels that somebody reads, and those that are further apart than two steps.
fn differences(
    trained: &QuantizedNetwork,
    (model, read, places): (&IntegerModel, &[Vec<bool>], &[usize]),
    (network, evaluator): (&IntegerNetwork<'_>, &Evaluator<'_>),
    image: Pixels<'_>,
) -> Vec<(usize, usize)> {
    let (mut workspace, mut values) = (network.workspace(), evaluator.values());
    network.run(&model.quantize(image), &mut workspace);
    let grid = |tensor: usize| {
        let grid = trained.quantization.activations[tensor];
        grid.map(|grid| (grid.step, f32::from(grid.zero())))
    };
    let real = |integers: &[i8], (step, zero): (f32, f32)| -> Vec<f32> {
        let steps = integers.iter().map(|&q| f32::from(q) - zero);
        steps.map(|steps| steps * step).collect()
    };
    values.put(0, &real(workspace.input(), grid(0).unwrap_or((1.0, 0.0))));
    let layers = places.iter().enumerate();
    layers
        .map(|(layer, &place)| {
            let (Some(integers), Some((step, zero))) =
                (workspace.activations(place), grid(layer + 1))
            else {
                return (0, 0);
            };
            let floating = evaluator.run_layer(layer, &mut values);
            let read = read[layer + 1].iter().cycle();
            let pairs = integers.iter().zip(floating).zip(read);
            let compared = pairs.filter(|(_, read)| **read);
            let apart = |&((&q, y), _): &((&i8, &f32), &bool)| {
                (f32::from(q) - zero - y / step).abs() > STEPS
            };
            let (mut count, mut different) = (0, 0);
            for pair in compared {
                count += 1;
                different += usize::from(apart(&pair));
            }
            // What follows reads what the integer model has.
            values.put(layer + 1, &real(integers, (step, zero)));
            (count, different)
        })
        .collect()
}

/// The channels, and the residual operand, whose multipliers are too small for what they multiply.
fn coarse(
    trained: &QuantizedNetwork,
    model: &IntegerModel,
    (layer, place): (usize, usize),
    read: &[bool],
) -> (Vec<usize>, Option<i16>) {
    let Some(parameters) = trained.model.parameters.layers[layer].as_ref() else {
        return (Vec::new(), None);
    };
    let is_small = |multiplier: i16| multiplier.unsigned_abs() < LEAST_MULTIPLIER;
    let Some(weights) = &model.layers[place].weights else {
        // A norm or a scale of averages, of which only the sums of one map have to be known.
        let shapes = &trained.model.architecture.shapes()[layer];
        let real = scale::average(trained, layer, &[shapes.window.taps()], read);
        let taps = shapes.window.taps() as i64;
        let channels = model.layers[place].channels.iter().take(read.len());
        let coarse = channels
            .enumerate()
            .filter(|(c, channel)| is_small(channel.multiplier) && is_living(&real, *c, taps));
        return (coarse.map(|(c, _)| c).collect(), None);
    };
    // In the order of the network in floating point, in which only the channels count.
    let integers = weights
        .integers
        .view()
        .permuted_axes([0, 2, 3, 1])
        .to_owned();
    let Ok(real) = scale::convolution(trained, layer, parameters, (&integers, read)) else {
        return (Vec::new(), None);
    };
    let channels = model.layers[place].channels.iter().enumerate();
    let coarse = channels.filter(|(c, channel)| {
        let weights = integers.index_axis(ndarray::Axis(0), *c);
        let sum: i64 = weights.iter().map(|&w| i64::from(w).abs()).sum();
        is_small(channel.multiplier) && is_living(&real, *c, sum)
    });
    let operand = model.network.layers[place].operation.residual();
    let operand = operand.map(|operand| operand.scale.multiplier);
    let counts = real.residual.unwrap_or(0.0).abs() * ACTIVATION_MAGNITUDE as f64 >= 1.0;
    let coarse_residual = operand.filter(|&m| counts && is_small(m));
    (coarse.map(|(c, _)| c).collect(), coarse_residual)
}

/// Whether a channel, the sum of whose weights' magnitudes is given (of an average the taps), can
/// move its output by a step.
fn is_living(real: &RealScale, channel: usize, sum: i64) -> bool {
    (sum * ACTIVATION_MAGNITUDE) as f64 * real.multipliers[channel].abs() >= 1.0
}

impl Judgement {
    /// Share of images lost, in points of one: negative if the integers do better.
    pub fn loss(&self) -> f64 {
        let lost = self.rounded_correct as f64 - self.integer_correct as f64;
        lost / self.images.max(1) as f64
    }

    /// Whether no more than half a point is lost.
    pub fn loses_no_more_than_half_a_point(&self) -> bool {
        self.loss() <= LOSS
    }

    /// Whether no more than half a point is lost, or no more than chance may give.
    pub fn is_faithful(&self) -> bool {
        let lost = self.rounded_correct.saturating_sub(self.integer_correct);
        let may_be_chance = lost.pow(2) <= DEVIATIONS.pow(2) * self.disputed;
        self.loses_no_more_than_half_a_point() || may_be_chance
    }

    /// One sentence for each layer whose integers are coarse.
    pub fn remarks(&self) -> Vec<String> {
        let layers = self.layers.iter();
        layers.flat_map(LayerJudgement::remarks).collect()
    }
}

impl LayerJudgement {
    /// Whether more than one value in a hundred is further apart than two steps.
    pub fn is_apart(&self) -> bool {
        self.different as f64 > SHARE * self.values as f64
    }

    fn remarks(&self) -> impl Iterator<Item = String> {
        let name = format!("layer {} ({})", self.layer, self.name);
        let channels = self.coarse.first().map(|&first| {
            let magnitude = |c: &usize| self.multipliers[*c].unsigned_abs();
            let all = 0..self.multipliers.len();
            let largest = all.max_by_key(magnitude).unwrap_or(first);
            format!(
                "{name}: {} of {} output channels have a multiplier below {LEAST_MULTIPLIER} (channel {first}: {}), because channel {largest} needs {} at the same shift; their values are coarse",
                self.coarse.len(),
                self.multipliers.len(),
                self.multipliers[first],
                self.multipliers[largest]
            )
        });
        let operand = self.coarse_residual.map(|multiplier| {
            format!(
                "{name}: the multiplier of its residual operand is {multiplier}, below {LEAST_MULTIPLIER}; what it adds is coarse"
            )
        });
        let apart = self.is_apart().then(|| {
            format!(
                "{name}: {:.1} % of its values differ by more than two steps from those of the rounded network",
                100.0 * self.different as f64 / self.values as f64
            )
        });
        channels.into_iter().chain(operand).chain(apart)
    }
}
