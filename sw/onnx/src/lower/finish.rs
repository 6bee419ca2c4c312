//! The last step: which channel goes where, and weights in that order.

use super::node::{Each, Learned, Node};
use super::value::Source;
use super::{Lowered, Lowering, shape};
use crate::error::quoted;
use crate::quantization::of_channel;
use brownout_golden::network::{Architecture, LayerParameters, Parameters};
use brownout_spec::arithmetic::{OutputScale, ResidualScale};
use brownout_spec::program::{Layer, LayerShapes, Network, Operation};
use brownout_spec::text::printable;
use ndarray::{Array1, Array4};

/// Most characters of a layer's name.
const MOST_OF_A_NAME: usize = 120;

impl Lowering<'_> {
    /// The network that gives the result.
    pub(super) fn finish(mut self, name: &str) -> Result<Lowered, String> {
        let output = &self.network.tensors[self.network.output].name;
        let output = format!("the result {}", quoted(output));
        let result = self.commit(self.network.output);
        let result = result.map_err(|problem| format!("{output}: {problem}"))?;
        let result = self.without_last_operand(result);
        let Source::Node(last) = result else {
            return Err(format!(
                "{output} is the image itself; allowed are networks with at least one layer"
            ));
        };
        let used = self.used(last);
        if used.last() != Some(&last) {
            return Err(format!("{output} is not what its last layer writes"));
        }
        let place = |source: Source| match source {
            Source::Input => 0,
            Source::Node(node) => used.partition_point(|&other| other < node) + 1,
        };
        let network = Network {
            input: self.input,
            input_zero: 0,
            layers: used
                .iter()
                .map(|&node| layer(&self.nodes[node], place))
                .collect(),
        };
        let styles = used.iter().map(|&node| self.nodes[node].style.clone());
        let architecture = Architecture::new(name, network, styles.collect())
            .map_err(|problem| problem.to_string())?;
        self.check_shapes(&architecture, &used)?;
        let nodes: Vec<&Node<'_>> = used.iter().map(|&node| &self.nodes[node]).collect();
        let orders = orders(&architecture, &nodes)?;
        if !is_plain(&orders[nodes.len()]) {
            return Err(format!(
                "{output} has its channels in the order of a sum that pads channels in front; allowed are such sums inside the network"
            ));
        }
        let layers = nodes.iter().enumerate().map(|(index, node)| {
            if let Some(each) = &node.each {
                return Some(scaled(each, &orders[index + 1]));
            }
            let learned = node.learned.as_ref()?;
            let shapes = &architecture.shapes()[index];
            let source = &orders[architecture.source(index)];
            Some(parameters(learned, shapes, (source, &orders[index + 1])))
        });
        let layers: Vec<_> = layers.collect();
        let is_wrong = |layer: &Option<_>| layer.as_ref().is_some_and(|layer| !is_finite(layer));
        if let Some(index) = layers.iter().position(is_wrong) {
            return Err(format!(
                "{}: its parameters are not finite once scaled; allowed are finite numbers",
                nodes[index].name
            ));
        }
        if self.quantizers > 0 {
            self.remarks.push(format!(
                "{} quantizers of activations were left out but for what they clip: training rounds by its own grids",
                self.quantizers
            ));
        }
        Ok(Lowered {
            architecture,
            parameters: Parameters { layers },
            image: self.image,
            remarks: self.remarks,
        })
    }

    /// A sum that gives the results is a layer of its own: what the last layer gives is as wide as
    /// it comes, and has no operand.
    fn without_last_operand(&mut self, result: Source) -> Source {
        let Source::Node(last) = result else {
            return result;
        };
        let node = &mut self.nodes[last];
        let residual = node.operation.residual();
        if residual.is_none_or(|residual| residual.stride != 1) || node.front > 0 {
            return result;
        }
        let Some(operand) = node.reads.pop() else {
            return result;
        };
        if let Operation::Convolution { residual, .. } = &mut node.operation {
            *residual = None;
        }
        let bounds = std::mem::take(&mut node.style.bounds);
        let scale = ResidualScale::default();
        let name = node.name.clone();
        let mut sum = Node::new(&name, Operation::Add { scale }, vec![result, operand]);
        sum.style.bounds = bounds;
        self.push(sum).of
    }

    /// Checks that each tensor has as many values here as in the file, and a map its rows, columns
    /// and channels.
    fn check_shapes(&self, architecture: &Architecture, used: &[usize]) -> Result<(), String> {
        for (value, tensor) in self.values.iter().zip(&self.network.tensors) {
            let Some((value, Source::Node(node))) = value.map(|value| (value, value.of)) else {
                continue;
            };
            let Ok(place) = used.binary_search(&node) else {
                continue;
            };
            let made = value.viewed(architecture.shapes()[place].output);
            let said = shape(tensor.shape);
            let agree = match value.flat {
                None => made == said,
                Some(_) => made.volume() == said.volume(),
            };
            if !agree {
                return Err(format!(
                    "tensor {:?} is {said} in the file and {made} in the layers made of it; allowed are layers that keep their shapes",
                    tensor.name
                ));
            }
        }
        for (&node, shapes) in used.iter().zip(architecture.shapes()) {
            let node = &self.nodes[node];
            let Some(learned) = &node.learned else {
                continue;
            };
            let pixels = shapes.window.height * shapes.window.width;
            let outputs = shapes.output.channels;
            let needed = outputs * pixels * shapes.group_channels();
            let there: usize = learned.weights.shape().iter().product();
            if there != needed || learned.bias.len() != outputs {
                return Err(format!(
                    "{}: it has {there} weights for {} outputs; allowed are {needed} for {outputs}, as what it reads has",
                    node.name,
                    learned.bias.len()
                ));
            }
        }
        Ok(())
    }

    /// The layers that the last one needs, itself included, in order.
    fn used(&self, last: usize) -> Vec<usize> {
        let mut used = vec![false; self.nodes.len()];
        used[last] = true;
        for node in (0..=last).rev().filter(|&node| node <= last) {
            if used[node] {
                for &read in &self.nodes[node].reads {
                    if let Source::Node(read) = read {
                        used[read] = true;
                    }
                }
            }
        }
        (0..used.len()).filter(|&node| used[node]).collect()
    }
}

fn layer(node: &Node<'_>, place: impl Fn(Source) -> usize) -> Layer {
    // Of `node "conv1" (Conv)` the name.
    let name = node.name.split('"').nth(1).unwrap_or(&node.name);
    let name: String = printable(name).chars().take(MOST_OF_A_NAME).collect();
    Layer {
        name,
        reads: node.reads.iter().map(|&source| place(source)).collect(),
        operation: node.operation,
        output: OutputScale {
            shift: 1,
            low: if node.style.bounds.low() == 0.0 {
                0
            } else {
                i8::MIN
            },
            high: i8::MAX,
        },
        zero: 0,
    }
}

/// For each tensor, which channel of the file each channel is.
///
/// A sum that pads channels in front of its operand's has these first, since an accelerator has
/// only zeros behind them.
fn orders(architecture: &Architecture, nodes: &[&Node<'_>]) -> Result<Vec<Vec<usize>>, String> {
    let mut orders: Vec<Vec<usize>> = vec![(0..architecture.network.input.channels).collect()];
    for (index, node) in nodes.iter().enumerate() {
        let layer = &architecture.network.layers[index];
        let shapes = &architecture.shapes()[index];
        let of = |read: usize| &orders[layer.reads[read]];
        let refuse = |what: &str| {
            Err(format!(
                "{}: {what}, whose channels are in another order, since a sum pads channels in front; allowed is that they agree",
                layer.name
            ))
        };
        let order = match layer.operation {
            Operation::Convolution { groups, .. } => {
                let channels = shapes.output.channels;
                let depthwise = groups == shapes.input.channels && groups == channels;
                let own: Vec<usize> = match depthwise {
                    true => of(0).clone(),
                    false => (0..channels).collect(),
                };
                if groups > 1 && !depthwise && !is_plain(of(0)) {
                    return refuse("it has groups of what it reads");
                }
                let added = layer.operand().map(|_| summed(of(1), node.front, channels));
                match added {
                    Some(added) if groups == 1 => added,
                    Some(added) if added != own => return refuse("it adds to groups of channels"),
                    _ => own,
                }
            }
            Operation::Add { .. } if of(0) != of(1) => return refuse("it adds two tensors"),
            Operation::Concat => {
                let mut order = Vec::with_capacity(shapes.output.channels);
                for read in 0..layer.reads.len() {
                    let before = order.len();
                    order.extend(of(read).iter().map(|channel| before + channel));
                }
                order
            }
            _ => of(0).clone(),
        };
        orders.push(order);
    }
    Ok(orders)
}

/// The order of a sum of so many channels with an operand that has `front` zeros in front.
fn summed(operand: &[usize], front: usize, channels: usize) -> Vec<usize> {
    let behind = front + operand.len()..channels;
    let padded = operand.iter().map(|channel| front + channel);
    padded.chain(0..front).chain(behind).collect()
}

fn is_plain(order: &[usize]) -> bool {
    order
        .iter()
        .enumerate()
        .all(|(place, &channel)| place == channel)
}

/// The parameters of a layer in the order of the tensors that it reads and writes.
fn parameters(
    learned: &Learned<'_>,
    shapes: &LayerShapes,
    (source, order): (&[usize], &[usize]),
) -> LayerParameters {
    let values = learned.weights.values();
    let values = values.floats();
    let (height, width) = (shapes.window.height, shapes.window.width);
    let inputs = shapes.group_channels();
    let of_output = inputs * height * width;
    // Where the file has the weight of an input channel, row and column, within an output's.
    let input = |channel: usize| match shapes.groups {
        1 => source[channel],
        // The channels of a group are in the file's order, as was checked.
        _ => channel,
    };
    let place = |channel: usize, row: usize, column: usize| match learned.flat {
        Some(false) if let Some(image) = learned.image => {
            let (pixel, channel) = (channel / image.channels, channel % image.channels);
            channel * image.pixels() + pixel
        }
        Some(true) => (row * width + column) * inputs + input(channel),
        Some(false) | None => (input(channel) * height + row) * width + column,
    };
    let shape = (order.len(), height, width, inputs);
    let taps: usize = learned.weights.shape().iter().skip(2).product();
    let outputs_of_group = (order.len() / shapes.groups).max(1);
    let weight = Array4::from_shape_fn(shape, |(output, row, column, channel)| {
        let output = order[output];
        let place = place(channel, row, column);
        let value = values[output * of_output + place];
        let of_input = learned.inputs.as_ref().map_or(1.0, |factors| {
            factors[output / outputs_of_group * inputs + place / taps]
        });
        match learned.factor[output] * of_input {
            1.0 => value,
            factor => (f64::from(value) * factor) as f32,
        }
    });
    let ordered =
        |values: &[f64]| -> Array1<f32> { order.iter().map(|&c| values[c] as f32).collect() };
    let outputs = order.len();
    match &learned.norm {
        None => LayerParameters {
            weight,
            offset: None,
            bias: ordered(&learned.bias),
            gain: None,
            mean: Array1::zeros(outputs),
            variance: Array1::ones(outputs),
        },
        Some([gain, shift, mean, variance]) => LayerParameters {
            weight,
            offset: learned.offset.then(|| ordered(&learned.bias)),
            bias: ordered(shift),
            gain: Some(ordered(gain)),
            mean: ordered(mean),
            variance: ordered(variance),
        },
    }
}

/// What an average has learned, in the order of the tensor that it writes.
fn scaled(each: &Each, order: &[usize]) -> LayerParameters {
    let ordered = |values: &[f64]| -> Array1<f32> {
        order
            .iter()
            .map(|&c| of_channel(values, c) as f32)
            .collect()
    };
    match each {
        Each::Affine(factor, summand) => {
            LayerParameters::weightless(ordered(factor), ordered(summand))
        }
        Each::Norm([gain, shift, mean, variance]) => LayerParameters {
            mean: ordered(mean),
            variance: ordered(variance),
            ..LayerParameters::weightless(ordered(gain), ordered(shift))
        },
    }
}

/// Whether all of a layer's parameters are finite.
fn is_finite(layer: &LayerParameters) -> bool {
    let vectors = [
        Some(&layer.bias),
        layer.offset.as_ref(),
        layer.gain.as_ref(),
    ];
    let vectors = vectors.into_iter().flatten().flatten();
    layer.weight.iter().chain(vectors).all(|v| v.is_finite())
}
