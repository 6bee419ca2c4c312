//! A network on its way to integers, and what is known of its tensors.

use super::first::First;
use super::node::Node;
use super::value::{Image, Open, Stored, Sum, Value, View};
use crate::lower::shape;
use crate::network::{Expression, Network, Operator, TensorId};
use brownout_golden::model::InputMap;
use brownout_spec::program::{MAX_CHANNELS, Operation, Padding, Shape, Window};
use std::sync::Arc;

/// What a sentence allows where a quantizer is missing.
pub(super) const MISSING: &str =
    "allowed in an integer model is a quantizer (QuantizeLinear, Quant) between two layers";

/// Most channels of all layers that wait for a quantizer, together: some hundred thousand are
/// those of a large network.
const MOST_WAITING: usize = 1 << 20;

/// A network on its way to integers.
pub(super) struct Building<'n> {
    pub network: &'n Network,
    /// What a pixel means to the network.
    pub pixels: InputMap,
    pub values: Vec<Option<Value<'n>>>,
    pub nodes: Vec<Node<'n>>,
    /// Shape of the network's input.
    pub input: Shape,
    /// Shape of the images.
    pub image: Shape,
    pub first: Option<First>,
    pub remarks: Vec<String>,
    /// The layer of the results that a quantizer stands behind, where its bounds are left out.
    pub rounded_results: Option<String>,
    /// For each tensor a clip that alone reads it.
    pub clipped: Vec<Option<Clipped>>,
    /// Channels that have waited for a quantizer so far.
    waited: usize,
}

/// A clip's ends, and the tensor that it makes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clipped {
    pub ends: (f32, f32),
    pub writes: TensorId,
}

/// For each tensor of a network a clip that alone reads it.
fn clipped(network: &Network) -> Vec<Option<Clipped>> {
    let mut readers = vec![0usize; network.tensors.len()];
    for &read in network.layers.iter().flat_map(|layer| &layer.reads) {
        readers[read] += 1;
    }
    readers[network.output] += 1;
    let mut clipped = vec![None; network.tensors.len()];
    for layer in &network.layers {
        if let (Operator::Clip(low, high), [read]) = (&layer.operator, &layer.reads[..])
            && readers[*read] == 1
        {
            clipped[*read] = Some(Clipped {
                ends: (*low, *high),
                writes: layer.writes,
            });
        }
    }
    clipped
}

impl<'n> Building<'n> {
    pub fn new(network: &'n Network, pixels: InputMap) -> Self {
        let mut values = vec![None; network.tensors.len()];
        values[network.input] = Some(Value::Image(Image {
            factor: vec![1.0],
            offset: vec![0.0],
            ends: (f64::NEG_INFINITY, f64::INFINITY),
            flat: None,
        }));
        let image = shape(network.tensors[network.input].shape);
        Self {
            network,
            pixels,
            values,
            nodes: Vec::new(),
            input: image,
            image,
            first: None,
            remarks: Vec::new(),
            rounded_results: None,
            clipped: clipped(network),
            waited: 0,
        }
    }

    /// Counts channels whose factors are kept.
    ///
    /// # Errors
    /// More than any network of this hardware has.
    pub fn wait(&mut self, channels: usize) -> Result<(), String> {
        self.waited = self.waited.saturating_add(channels);
        if channels > MAX_CHANNELS {
            return Err(format!(
                "it has {channels} channels; allowed in an integer model are at most {MAX_CHANNELS}"
            ));
        }
        if self.waited > MOST_WAITING {
            return Err(format!(
                "it and the layers in front of it have more than {MOST_WAITING} channels; allowed are fewer"
            ));
        }
        Ok(())
    }

    /// The value of a tensor that a layer reads.
    pub fn value(&self, tensor: TensorId) -> Result<Value<'n>, String> {
        let value = self.values.get(tensor).and_then(Option::as_ref);
        value
            .cloned()
            .ok_or_else(|| "it reads a tensor that no layer in front of it writes".to_owned())
    }

    /// The shape of a tensor of the integer network.
    pub fn shape(&self, tensor: usize) -> Shape {
        match tensor {
            0 => self.input,
            k => self.nodes[k - 1].shape,
        }
    }

    /// What a step of a tensor of the integer network stands for; none where that differs from
    /// channel to channel.
    pub fn step(&self, tensor: usize) -> Option<f64> {
        match tensor {
            0 => self.first.as_ref().map(First::unit),
            k => self.nodes[k - 1].meaning.step,
        }
    }

    /// The zero point of a tensor of the integer network.
    pub fn zero(&self, tensor: usize) -> i8 {
        match tensor {
            0 => self.first.as_ref().map_or(0, |first| first.zero),
            k => self.nodes[k - 1].zero,
        }
    }

    /// A copy of a tensor that waits for its quantizer.
    pub fn opened(&mut self, value: Value<'n>, name: &str) -> Result<Box<Open<'n>>, String> {
        match value {
            Value::Open(open) => {
                self.wait(open.offset.len())?;
                Ok(open)
            }
            Value::Stored(Stored { tensor, grid, view }) => {
                let shape = self.shape(tensor);
                self.wait(shape.channels)?;
                let factor = spread(&grid.scale, shape.channels)?;
                let zero = i64::from(self.zero(tensor));
                // The copy takes the tensor's own zero point off.
                let offset = factor.iter().map(|f| f * (zero - grid.zero) as f64);
                Ok(Box::new(Open {
                    offset: offset.collect(),
                    low: vec![f64::NEG_INFINITY; shape.channels],
                    high: vec![f64::INFINITY; shape.channels],
                    factor,
                    operand: None,
                    expression: Some(Arc::new(Expression::X)),
                    is_line: true,
                    view,
                    norm: None,
                    sum: Sum {
                        name: name.to_owned(),
                        operation: Operation::AveragePool {
                            window: Window::square(1, 1, 0),
                            counted: Padding::NONE,
                        },
                        reads: vec![tensor],
                        learned: None,
                        front: 0,
                        shape,
                        copied: Some(grid),
                        then: Vec::new(),
                    },
                }))
            }
            Value::Image(_) => Err(format!("it reads the image as it is; {MISSING}")),
            Value::Parts(..) => Err(format!(
                "it reads parts side by side whose integers differ; {MISSING}"
            )),
        }
    }

    /// Channels of a value.
    pub fn channels(&self, value: &Value<'_>) -> usize {
        match value {
            Value::Image(_) => self.input.channels,
            Value::Stored(stored) => stored.view.viewed(self.shape(stored.tensor)).channels,
            Value::Open(open) => open.view.viewed(open.sum.shape).channels,
            Value::Parts(parts, _) => parts.iter().map(|part| self.channels(part)).sum(),
        }
    }
}

/// One value for each channel.
pub(super) fn spread(values: &[f64], channels: usize) -> Result<Vec<f64>, String> {
    match values {
        [one] => Ok(vec![*one; channels]),
        all if all.len() == channels => Ok(all.to_vec()),
        all => Err(format!(
            "it has scales of {} channels beside {channels}; allowed is one for all or one for each",
            all.len()
        )),
    }
}

impl<'n> Sum<'n> {
    /// The sum, as long as nothing else is known of it.
    pub fn waiting(self, factor: Vec<f64>, offset: Vec<f64>) -> Value<'n> {
        let channels = offset.len();
        Value::Open(Box::new(Open {
            sum: self,
            factor,
            operand: None,
            offset,
            low: vec![f64::NEG_INFINITY; channels],
            high: vec![f64::INFINITY; channels],
            expression: None,
            is_line: true,
            view: View::PLAIN,
            norm: None,
        }))
    }
}
