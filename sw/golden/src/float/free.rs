//! What a network's function does not depend on, and what decides the steps of its rounding.

use super::FloatModel;
use crate::data::Dataset;
use crate::network::{Evaluator, Norm, Parameters};
use crate::quantized::QuantizedNetwork;
use ndarray::Axis;

/// How many times the median channel's a channel's values reach where their common step is too
/// coarse for the others: at 8 bits these have at most three bits left.
const WIDE: f32 = 16.0;
/// Images on which values are looked at.
const IMAGES: usize = 64;

impl FloatModel {
    /// The parameters of the same function without what is free in them: weights behind a gain of
    /// zero, and channels that nobody reads, are zero. What they happen to be must widen no range
    /// that others share.
    pub(super) fn without_free_values(&self) -> Parameters {
        let (architecture, mut parameters) = (&self.architecture, self.parameters.clone());
        for (layer, style) in parameters.layers.iter_mut().zip(&architecture.styles) {
            let Some(layer) = layer else { continue };
            let scale = layer.scale(style.norm).unwrap_or_default();
            let free = scale.iter().enumerate().filter(|(_, scale)| **scale == 0.0);
            for (channel, _) in free {
                layer.weight.index_axis_mut(Axis(0), channel).fill(0.0);
            }
        }
        let read = architecture.read_channels(|layer, output, input| {
            let weight = parameters.layers[layer].as_ref().map(|l| &l.weight);
            weight.is_some_and(|weight| {
                let of = weight.index_axis(Axis(0), output);
                of.index_axis(Axis(2), input).iter().any(|&w| w != 0.0)
            })
        });
        for (index, layer) in parameters.layers.iter_mut().enumerate() {
            // A group's moments are those of all its channels, read or not.
            let grouped = matches!(architecture.styles[index].norm, Norm::Group { .. });
            let Some(layer) = layer.as_mut().filter(|_| !grouped) else {
                continue;
            };
            let unread = read[index + 1]
                .iter()
                .enumerate()
                .filter(|(_, read)| !**read);
            for (channel, _) in unread {
                layer.weight.index_axis_mut(Axis(0), channel).fill(0.0);
                (layer.bias[channel], layer.mean[channel]) = (0.0, 0.0);
                if let Some(offset) = &mut layer.offset {
                    offset[channel] = 0.0;
                }
            }
        }
        parameters
    }

    /// A sentence for each layer whose weights, or whose output, have a step that one channel
    /// decides and that is coarse for the others; for who asks why rounding costs so much.
    pub fn wide_channels(&self, rounded: &QuantizedNetwork, data: &Dataset) -> Vec<String> {
        let parameters = self.without_free_values();
        let evaluator = Evaluator::exact(&self.architecture, &parameters);
        let (mut values, table) = (evaluator.values(), self.input.rounded_table());
        let tensors = self.architecture.tensors();
        let mut reach: Vec<Vec<f32>> = tensors.iter().map(|t| vec![0.0; t.channels]).collect();
        for image in 0..data.len().min(IMAGES) {
            evaluator.run(table.apply(data.image(image)), &mut values);
            for (tensor, reach) in reach.iter_mut().enumerate() {
                for pixel in values.tensor(tensor).chunks_exact(reach.len()) {
                    let pairs = reach.iter_mut().zip(pixel);
                    pairs.for_each(|(most, &value)| *most = most.max(value));
                }
            }
        }
        let mut sentences = Vec::new();
        for (index, layer) in self.architecture.network.layers.iter().enumerate() {
            let name = format!("layer {index} ({})", layer.name);
            let grid = rounded.quantization.grids[index].as_ref();
            if let (Some(grid), Some(layer)) = (grid, &parameters.layers[index])
                && grid.len() == 1
            {
                let largest = |w: &f32, most: f32| w.abs().max(most);
                let channels = layer.weight.outer_iter();
                let reach = channels.map(|c| c.iter().fold(0.0, |most, w| largest(w, most)));
                if let Some((channel, times)) = widest(&reach.collect::<Vec<_>>()) {
                    sentences.push(format!(
                        "{name}: all weights share one step, and those of channel {channel} reach {times:.0} times the median channel's (--scale channel gives each a step)"
                    ));
                }
            }
            let is_rounded = rounded.quantization.activations[index + 1].is_some();
            if let (Some((channel, times)), true) = (widest(&reach[index + 1]), is_rounded) {
                sentences.push(format!(
                    "{name}: all of its output shares one step, and channel {channel} reaches {times:.0} times the median channel"
                ));
            }
        }
        sentences
    }
}

/// The channel that reaches farthest, and how many times as far as the median of those that
/// reach anywhere, if that is far.
fn widest(reach: &[f32]) -> Option<(usize, f32)> {
    let mut living: Vec<f32> = reach.iter().copied().filter(|&r| r > 0.0).collect();
    living.sort_by(f32::total_cmp);
    let median = *living.get(living.len() / 2)?;
    let channel = (0..reach.len()).max_by(|&a, &b| reach[a].total_cmp(&reach[b]))?;
    let times = reach[channel] / median;
    (times > WIDE).then_some((channel, times))
}
