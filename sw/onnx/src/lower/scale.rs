//! Factors and summands, and norms: what becomes part of which layer, and what is a layer of its
//! own.
//!
//! Behind a convolution, a dense layer or an average they are that layer's. A norm anywhere else
//! stays a norm, of a copy without weights. A factor and a summand wait for who reads them: the
//! weights of a layer that they can be part of exactly, or else a copy as well.

use super::node::{Each, Learned, Node};
use super::value::{SAME, Source, Value};
use super::{Lowering, shape};
use crate::network::{Affine, BatchNorm};
use crate::quantization::of_channel;
use brownout_golden::network::{Epsilon, Norm, Style};
use brownout_spec::program::{Padding, Shape};

impl<'n> Lowering<'n> {
    /// A batch norm: part of the convolution or the average in front of it, or of a copy.
    pub(super) fn norm(&mut self, index: usize, norm: &BatchNorm) -> Result<Value, String> {
        let layer = &self.network.layers[index];
        let tensor = layer.reads[0];
        let value = self.value(tensor)?;
        let epsilon = Epsilon::new(norm.epsilon)?;
        let wide = |values: &[f32]| values.iter().map(|&v| f64::from(v)).collect();
        let parts: [Vec<f64>; 4] = [
            wide(&norm.gain),
            wide(&norm.shift),
            wide(&norm.mean),
            wide(&norm.variance),
        ];
        let style = Style {
            norm: Norm::Batch,
            epsilon,
            ..Style::default()
        };
        if value.flat.is_some() {
            // What is normalised value by value has no channels.
            return self.affine(index, &folded(norm));
        }
        if let Some(node) = self.joins(&value) {
            if node.is_linear() {
                let learned = node.learned.as_mut();
                let learned = learned.filter(|l| l.factor.iter().all(|&f| f == 1.0));
                let Some(learned) = learned.filter(|_| node.style.norm == Norm::None) else {
                    return self.affine(index, &folded(norm));
                };
                let outputs = learned.bias.len();
                learned.norm = Some(parts.map(|part| each_of(&part, outputs)));
                node.style = Style {
                    offset: learned.offset,
                    ..style
                };
                return Ok(value);
            }
            if node.is_average() && node.each.is_none() {
                node.each = Some(Each::Norm(parts));
                node.style = style;
                return Ok(value);
            }
        }
        let source = self.commit(tensor)?;
        let mut node = Node::copy(&layer.name, source);
        node.each = Some(Each::Norm(parts));
        node.style = style;
        Ok(self.push(node))
    }

    /// A factor and a summand: part of the layer in front of it, or left to who reads them.
    pub(super) fn affine(&mut self, index: usize, affine: &Affine) -> Result<Value, String> {
        let tensor = self.network.layers[index].reads[0];
        let value = self.value(tensor)?;
        let is_each = affine.scale.len().max(affine.offset.len()) > 1;
        // Values of a vector that was a map are many for each channel.
        let joins = !(is_each && value.flat.is_some());
        if let Some(node) = self.joins(&value).filter(|_| joins)
            && scaled(node, affine)
        {
            return Ok(value);
        }
        // Behind zeros around a map a summand is one of these as well; channels of zeros have
        // others than the map's.
        let is_padded = value.padding != Padding::NONE || value.front + value.behind > 0;
        let value = match is_padded && (is_each || affine.offset.iter().any(|&o| o != 0.0)) {
            true => Value::of(self.commit(tensor)?).flattened(value.flat),
            false => value,
        };
        if let (&[scale], &[offset], None) = (&affine.scale[..], &affine.offset[..], value.each) {
            let (before, after) = value.affine;
            return Ok(Value {
                affine: (before * scale, after * scale + offset),
                ..value
            });
        }
        let shape = shape(self.network.tensors[tensor].shape);
        let values = match value.flat {
            Some(_) => shape.volume(),
            None => shape.channels,
        };
        let (mut factors, mut summands) = self.of_each(&value, values);
        for place in 0..values {
            let scale = of_channel(&affine.scale, place);
            factors[place] *= scale;
            summands[place] = summands[place] * scale + of_channel(&affine.offset, place);
        }
        Ok(self.waiting(value, factors, summands))
    }

    /// The value with factors and summands that wait.
    fn waiting(&mut self, value: Value, scale: Vec<f64>, offset: Vec<f64>) -> Value {
        self.waiting.push(Affine { scale, offset });
        Value {
            each: Some(self.waiting.len() - 1),
            ..value.unscaled()
        }
    }

    /// The factors and summands of so many channels, or values of a vector.
    fn of_each(&self, value: &Value, values: usize) -> (Vec<f64>, Vec<f64>) {
        match value.each.and_then(|place| self.waiting.get(place)) {
            Some(affine) => (
                each_of(&affine.scale, values),
                each_of(&affine.offset, values),
            ),
            None => (vec![value.affine.0; values], vec![value.affine.1; values]),
        }
    }

    /// Whether something is added to a value.
    pub(super) fn has_summand(&self, value: &Value) -> bool {
        match value.each.and_then(|place| self.waiting.get(place)) {
            Some(affine) => affine.offset.iter().any(|&o| o != 0.0),
            None => value.affine.1 != 0.0,
        }
    }

    /// A map's factors and summands where it becomes a vector: those of its channels, at each of
    /// their values.
    pub(super) fn scaled_vector(&mut self, value: Value, map: Shape, channels_last: bool) -> Value {
        if value.each.is_none() || map.pixels() == 1 {
            return value;
        }
        let (factors, summands) = self.of_each(&value, map.channels);
        let channel = |place: usize| match channels_last {
            true => place % map.channels,
            false => place / map.pixels(),
        };
        let of = |values: &[f64]| {
            (0..map.volume())
                .map(|place| values[channel(place)])
                .collect()
        };
        let (factors, summands) = (of(&factors), of(&summands));
        self.waiting(value, factors, summands)
    }

    /// What a value is multiplied with becomes part of the weights of the layer that reads it, and
    /// what is added, where nothing is padded, of its bias.
    pub(super) fn fold(
        &self,
        learned: &mut Learned<'_>,
        value: &Value,
        groups: usize,
    ) -> Result<(), String> {
        let extents = learned.weights.shape();
        let taps: usize = extents.iter().skip(2).product();
        let (outputs, inputs) = (learned.bias.len(), extents.get(1).copied().unwrap_or(0));
        let all = inputs * groups;
        let (factors, summands) = match value.each {
            Some(place) => {
                let there = self
                    .waiting
                    .get(place)
                    .map_or(0, |affine| affine.scale.len());
                if there != all {
                    return Err(format!(
                        "it reads {all} values, and {there} are scaled in front of it; allowed is one of each"
                    ));
                }
                self.of_each(value, all)
            }
            None if value.affine == SAME => return Ok(()),
            None => self.of_each(value, all),
        };
        if summands.iter().any(|&summand| summand != 0.0) {
            let values = learned.weights.values();
            let values = values.floats();
            let of_output = (inputs * taps).max(1);
            for (output, weights) in values.chunks(of_output).take(outputs).enumerate() {
                let first = output * groups / outputs * inputs;
                let sum = weights
                    .iter()
                    .enumerate()
                    .map(|(at, &weight)| f64::from(weight) * summands[first + at / taps.max(1)]);
                learned.bias[output] += sum.sum::<f64>();
            }
            learned.offset = true;
        }
        match value.each {
            // One factor for all is one of each output just as well.
            None => learned.factor.iter_mut().for_each(|f| *f *= value.affine.0),
            Some(_) => learned.inputs = Some(factors),
        }
        Ok(())
    }

    /// A copy of a source with a value's factors and summands.
    pub(super) fn scaled_copy(&mut self, name: &str, value: &Value) -> Result<Source, String> {
        let (factors, summands) = match value.each.and_then(|place| self.waiting.get(place)) {
            Some(affine) => (affine.scale.clone(), affine.offset.clone()),
            None => (vec![value.affine.0], vec![value.affine.1]),
        };
        if value.flat.is_some() && factors.len().max(summands.len()) > 1 {
            return Err(
                "it reads what has a factor or a summand for each value of what was a map; allowed are such in front of a dense layer, whose weights they become part of, and such for each channel in front of what makes a vector of a map"
                    .to_owned(),
            );
        }
        let mut node = Node::copy(name, value.of);
        node.each = Some(Each::Affine(factors, summands));
        node.style.norm = Norm::Affine;
        Ok(self.push(node).of)
    }
}

/// Makes a factor and a summand part of a layer, if nothing else has been done behind it.
fn scaled(node: &mut Node<'_>, affine: &Affine) -> bool {
    if node.is_linear()
        && let Some(learned) = node.learned.as_mut()
    {
        match &mut learned.norm {
            Some([gain, shift, ..]) => multiply(gain, shift, affine),
            None => {
                let (factor, bias) = (&mut learned.factor, &mut learned.bias);
                multiply(factor, bias, affine);
                learned.offset = true;
            }
        }
        return true;
    }
    if !node.is_average() {
        return false;
    }
    let each = node.each.get_or_insert_with(|| {
        node.style.norm = Norm::Affine;
        Each::Affine(vec![1.0], vec![0.0])
    });
    let (factor, summand) = each.ends();
    let channels = [&affine.scale, &affine.offset, factor, summand].map(|v| v.len());
    let channels = channels.into_iter().max().unwrap_or(1);
    (*factor, *summand) = (each_of(factor, channels), each_of(summand, channels));
    multiply(factor, summand, affine);
    true
}

/// A factor and a summand behind others.
fn multiply(factors: &mut [f64], summands: &mut [f64], by: &Affine) {
    for (channel, (factor, summand)) in factors.iter_mut().zip(summands).enumerate() {
        let scale = of_channel(&by.scale, channel);
        *factor *= scale;
        *summand = *summand * scale + of_channel(&by.offset, channel);
    }
}

/// A value for each of so many channels.
fn each_of(values: &[f64], channels: usize) -> Vec<f64> {
    (0..channels).map(|c| of_channel(values, c)).collect()
}

/// A norm with its own ε as factors and summands.
pub(crate) fn folded(norm: &BatchNorm) -> Affine {
    let channels = norm.gain.len();
    let mut affine = Affine {
        scale: Vec::with_capacity(channels),
        offset: Vec::with_capacity(channels),
    };
    for channel in 0..channels {
        let of = |values: &[f32]| f64::from(of_channel(values, channel));
        let deviation = (of(&norm.variance) + f64::from(norm.epsilon)).sqrt();
        let scale = of(&norm.gain) / deviation;
        affine.scale.push(scale);
        affine.offset.push(of(&norm.shift) - of(&norm.mean) * scale);
    }
    affine
}
