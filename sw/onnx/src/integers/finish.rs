//! The last step: the results, which channel goes where, and everything as integers.

use super::building::Building;
use super::first::First;
use super::node::{Meaning, Node, WHOLE};
use super::order::orders;
use super::value::{Grid, Learned, Open, Stored, Value, View};
use super::{Integers, Said};
use crate::network::Weights;
use crate::quantization::of_channel;
use brownout_golden::export::{RealScale, fitted};
use brownout_golden::model::{IntegerModel, LayerTensors, LayerWeights, Origin, accumulator_bound};
use brownout_spec::arithmetic::{ChannelParameters, OutputScale};
use brownout_spec::code::CodeName;
use brownout_spec::config::WeightBits;
use brownout_spec::image::MAX_NAME_BYTES;
use brownout_spec::program::{Layer, LayerShapes, Network, Operation, Window};
use brownout_spec::text::printable;
use ndarray::Array4;

/// Integers of four bits.
const NIBBLE: std::ops::RangeInclusive<i8> = -8..=7;

/// Layers whose channels and shapes are known, and no scale yet.
pub(super) struct Ordered {
    pub first: First,
    /// For each tensor, which channel of the file each channel is.
    pub orders: Vec<Vec<usize>>,
    pub network: Network,
    pub shapes: Vec<LayerShapes>,
}

impl<'n> Building<'n> {
    /// The layers that the results need, in order.
    pub fn ordered(&mut self) -> Result<Ordered, String> {
        let output = self.value(self.network.output)?;
        let last = self.results(output)?;
        self.fold_clips(last);
        self.prune(last);
        let Some(first) = self.first.clone() else {
            return Err(
                "no node quantizes the image; allowed in an integer model are images behind a quantizer"
                    .to_owned(),
            );
        };
        let orders = orders(&self.nodes, self.input.channels)?;
        let network = self.graph(first.zero);
        let shapes = network.maps().map_err(|problem| problem.to_string())?;
        self.check_shapes(&shapes)?;
        let lengths = orders.iter().skip(1).map(Vec::len);
        if !lengths.eq(shapes.iter().map(|shapes| shapes.output.channels)) {
            return Err("the channels of its layers do not fit together".to_owned());
        }
        Ok(Ordered {
            first,
            orders,
            network,
            shapes,
        })
    }

    /// The model.
    pub fn finish(mut self, (name, origin): (&str, &str)) -> Result<Integers, String> {
        let Ordered {
            first,
            orders,
            mut network,
            shapes,
        } = self.ordered()?;
        if let Some(name) = &self.rounded_results {
            self.remarks.push(format!(
                "the results of {name} are in the steps of the quantizer behind it, but in 32 bits: its bounds and its zero point are left out"
            ));
        }
        let bits = self.weight_bits();
        let count = self.nodes.len();
        let mut layers = Vec::with_capacity(count);
        for (index, node) in self.nodes.iter().enumerate() {
            let order = &orders[index + 1];
            let known = (&shapes[index], bits);
            let ends = (index + 1 < count).then_some(node.bounds);
            let second = network.layers[index].operation.operand_scale();
            let second = second.map_or(0, |_| network.zero(node.reads[1]));
            let zeros = (network.zero(node.reads[0]), second);
            let (layer, channels) = node.scaled(order, known, zeros, ends)?;
            let place = &mut network.layers[index];
            (place.operation, place.output) = (layer.0, layer.1);
            let source = &orders[node.reads[0]];
            layers.push(LayerTensors {
                channels,
                weights: node
                    .learned
                    .map(|learned| weights(&learned, &shapes[index], (source, order))),
                table: node.table,
            });
        }
        let said = self.nodes.iter().zip(&orders[1..]).map(|(node, order)| {
            let (tensor, recentred) = node.said?;
            Some(Said {
                tensor,
                recentred,
                order: order.clone(),
            })
        });
        let tensors = said.collect();
        let input = self.input_map(&first)?;
        let model = IntegerModel {
            origin: Origin {
                name: name.to_owned(),
                dataset: origin.to_owned(),
                accuracy: None,
                training: None,
            },
            weight_bits: bits,
            code: CodeName::None,
            input,
            network,
            layers,
        };
        model.validate().map_err(|problem| problem.to_string())?;
        Ok(Integers {
            model,
            image: self.image,
            tensors,
            remarks: self.remarks,
        })
    }

    /// The node that gives the results, as wide as they come.
    fn results(&mut self, value: Value<'n>) -> Result<usize, String> {
        let map = match &value {
            Value::Stored(stored) => stored.view.viewed(self.shape(stored.tensor)),
            Value::Open(open) => open.view.viewed(open.sum.shape),
            Value::Image(_) | Value::Parts(..) => self.input,
        };
        if value.flat() == Some(false) && map.pixels() > 1 && map.channels > 1 {
            return Err(format!(
                "the results are a map of {map} as a vector with its channels first; allowed are values of one pixel, a map as it is, or a vector with channels last"
            ));
        }
        match value {
            Value::Open(open) => {
                let plain = open.view.is_plain() || open.sum.shape.pixels() == 1;
                let line = open.is_line && open.sum.then.is_empty() && plain;
                if let (true, Some(tensor)) = (line, same_class(&open)) {
                    return self.integer_results(tensor);
                }
                if !line || is_clipped(&open) {
                    return Err(format!(
                        "the results are what {} computes, clipped or through a function, and no quantizer rounds them; allowed are results as they come, or a quantizer behind them",
                        open.sum.name
                    ));
                }
                self.push(wide(&open))
            }
            Value::Image(_) => Err("the network computes nothing".to_owned()),
            other => {
                let stored = self.committed(other)?;
                let uniform = stored.grid.scale.windows(2).all(|pair| pair[0] == pair[1]);
                match uniform {
                    true => self.integer_results(stored.tensor),
                    // Each channel's results have a unit of their own.
                    false => {
                        let open = self.opened(Value::Stored(stored), "results")?;
                        self.push(wide(&open))
                    }
                }
            }
        }
    }

    /// The results that are integers: rounded to the last quantizer's steps, but in 32 bits and
    /// without its zero point, where nothing else reads them and nothing but its range clips them.
    fn integer_results(&mut self, tensor: usize) -> Result<usize, String> {
        let Some(index) = tensor.checked_sub(1) else {
            return Err("the network computes nothing".to_owned());
        };
        let read = self.nodes.iter().any(|node| node.reads.contains(&tensor));
        let node = &mut self.nodes[index];
        match (&node.open, &node.table) {
            (Some(open), _) if !read && !is_clipped(open) => {
                let zero = std::mem::take(&mut node.zero);
                let constants = node.real.constants.iter_mut();
                constants.for_each(|constant| *constant -= f64::from(zero));
                if let Some((_, more)) = &mut node.said {
                    *more += i64::from(zero);
                }
                self.rounded_results = Some(node.name.clone());
                Ok(tensor)
            }
            (_, Some(_)) if !read => {
                node.zero = 0;
                Ok(tensor)
            }
            _ => {
                let stored = Stored {
                    tensor,
                    grid: Grid {
                        scale: vec![1.0],
                        zero: i64::from(self.zero(tensor)),
                    },
                    view: View::PLAIN,
                };
                let mut open = self.opened(Value::Stored(stored), "results")?;
                let window = Window::square(1, 1, 0);
                open.sum.operation = Operation::MaxPool { window };
                self.push(wide(&open))
            }
        }
    }

    /// Drops nodes that the last one does not need.
    fn prune(&mut self, last: usize) {
        let mut used = vec![false; self.nodes.len() + 1];
        used[last] = true;
        for tensor in (1..=last).rev() {
            if used[tensor] {
                for &read in &self.nodes[tensor - 1].reads {
                    used[read] = true;
                }
            }
        }
        let mut places = vec![0; self.nodes.len() + 1];
        let mut kept = Vec::new();
        for (index, mut node) in std::mem::take(&mut self.nodes).into_iter().enumerate() {
            if used[index + 1] {
                node.reads.iter_mut().for_each(|read| *read = places[*read]);
                kept.push(node);
                places[index + 1] = kept.len();
            }
        }
        self.nodes = kept;
    }

    /// The layers, before anything is known of shifts.
    fn graph(&self, input_zero: i8) -> Network {
        let layer = |node: &Node<'_>| {
            // Of `node "conv1" (Conv)` the name.
            let name = printable(node.name.split('"').nth(1).unwrap_or(&node.name));
            let ends = name.char_indices().map(|(at, c)| at + c.len_utf8());
            let end = ends.take_while(|&end| end <= MAX_NAME_BYTES).last();
            Layer {
                name: name[..end.unwrap_or(0)].to_owned(),
                reads: node.reads.clone(),
                operation: node.operation,
                output: OutputScale {
                    shift: 1,
                    low: node.bounds.0,
                    high: node.bounds.1,
                },
                zero: node.zero,
            }
        };
        Network {
            input: self.input,
            input_zero,
            layers: self.nodes.iter().map(layer).collect(),
        }
    }

    /// Checks that each layer makes what the file says, and that weights are as many.
    fn check_shapes(&self, shapes: &[LayerShapes]) -> Result<(), String> {
        for (node, shapes) in self.nodes.iter().zip(shapes) {
            if shapes.output != node.shape {
                return Err(format!(
                    "{}: it makes {} in the file and {} in integers; allowed are layers that keep their shapes",
                    node.name, node.shape, shapes.output
                ));
            }
            let Some(learned) = &node.learned else {
                continue;
            };
            let there: usize = learned.weights.shape().iter().product();
            if there != shapes.weights() {
                return Err(format!(
                    "{}: it has {there} weights; allowed are {}, as what it reads has",
                    node.name,
                    shapes.weights()
                ));
            }
        }
        Ok(())
    }

    /// The narrower width that all weights fit.
    pub fn weight_bits(&mut self) -> WeightBits {
        let fits = |node: &&Node<'_>| {
            let grid = node.learned.and_then(|learned| learned.weights.grid());
            grid.is_none_or(|grid| {
                let integers = grid.integers.integers();
                integers
                    .iter()
                    .all(|&w| NIBBLE.contains(&(w.clamp(-128, 127) as i8)))
            })
        };
        let weighted = || self.nodes.iter().filter(|node| node.learned.is_some());
        let (all, narrow) = (weighted().count(), weighted().filter(fits).count());
        match narrow {
            n if n == all => WeightBits::Four,
            0 => WeightBits::Eight,
            n => {
                self.remarks.push(format!(
                    "{n} of {all} layers have weights of 4 bits or fewer, and the others more: all are stored in 8"
                ));
                WeightBits::Eight
            }
        }
    }
}

/// Whether a sum has bounds.
fn is_clipped(open: &Open<'_>) -> bool {
    let bounded = |ends: &[f64]| ends.iter().any(|end| end.is_finite());
    bounded(&open.low) || bounded(&open.high)
}

/// The tensor that a copy copies, where its largest channel is the same.
fn same_class(open: &Open<'_>) -> Option<usize> {
    let uniform = |values: &[f64]| values.windows(2).all(|pair| pair[0] == pair[1]);
    let same = open.sum.copied.is_some()
        && uniform(&open.factor)
        && uniform(&open.offset)
        && open.factor.first().is_some_and(|&factor| factor > 0.0)
        && !is_clipped(open);
    match open.sum.reads.as_slice() {
        &[tensor] if same => Some(tensor),
        _ => None,
    }
}

/// The node that gives sums as they are, in units of its coarsest accumulator.
fn wide<'n>(open: &Open<'n>) -> Node<'n> {
    let coarsest = open
        .factor
        .iter()
        .fold(0.0, |most: f64, f| most.max(f.abs()));
    let unit = match coarsest {
        0.0 => 1.0,
        coarsest => coarsest,
    };
    let channels = open.offset.len();
    let sets = open.factor.len() / channels.max(1);
    let constants = (0..sets * channels).map(|at| open.offset[at % channels] / unit);
    Node {
        name: open.sum.name.clone(),
        operation: open.sum.operation,
        reads: open.sum.reads.clone(),
        learned: open.sum.learned,
        front: open.sum.front,
        shape: open.sum.shape,
        real: RealScale {
            multipliers: open.factor.iter().map(|factor| factor / unit).collect(),
            constants: constants.collect(),
            residual: open.operand.map(|operand| operand / unit),
        },
        zero: 0,
        bounds: WHOLE,
        table: None,
        said: None,
        open: None,
        meaning: Meaning {
            norm: open.norm.clone(),
            ..Meaning::of(Some(unit))
        },
    }
}

type Shifted = ((Operation, OutputScale), Vec<ChannelParameters>);

impl Node<'_> {
    /// The operation and output with their scales, and the channels' parameters in this order.
    fn scaled(
        &self,
        order: &[usize],
        (shapes, bits): (&LayerShapes, WeightBits),
        (zero, second): (i8, i8),
        ends: Option<(i8, i8)>,
    ) -> Result<Shifted, String> {
        let mut operation = self.operation;
        if operation == Operation::Concat {
            let output = OutputScale {
                shift: 1,
                low: i8::MIN,
                high: i8::MAX,
            };
            return Ok(((operation, output), Vec::new()));
        }
        let ordered = |values: &[f64]| -> Vec<f64> {
            let sets = values.chunks_exact(order.len().max(1));
            sets.flat_map(|set| order.iter().map(|&channel| set[channel]))
                .collect()
        };
        let real = RealScale {
            multipliers: ordered(&self.real.multipliers),
            constants: ordered(&self.real.constants),
            residual: self.real.residual,
        };
        let bound = accumulator_bound(&operation, shapes, bits, zero);
        let scaled = fitted(&real, (bound, second), self.bounds, ends).ok_or_else(|| {
            let largest = |values: &[f64]| values.iter().fold(0.0, |m: f64, v| m.max(v.abs()));
            format!(
                "{}: its output scale is too coarse for a 16-bit multiplier and a 48-bit sum at any shift (largest multiplier {:e}, largest constant {:e}); allowed are steps of outputs that are no smaller than 1/32767 of an accumulator's",
                self.name,
                largest(&real.multipliers),
                largest(&real.constants)
            )
        })?;
        match &mut operation {
            Operation::Convolution {
                residual: Some(residual),
                ..
            } => residual.scale = scaled.residual,
            Operation::Add { scale } => *scale = scaled.residual,
            _ => {}
        }
        Ok(((operation, scaled.output), scaled.channels))
    }
}

/// Weights in the order of the tensors that a layer reads and writes.
pub(super) fn weights(
    learned: &Learned<'_>,
    shapes: &LayerShapes,
    (source, order): (&[usize], &[usize]),
) -> LayerWeights {
    let (integers, scale) = match learned.weights {
        Weights::Grid(grid) => (grid.integers.integers(), grid.scale.clone()),
        // That there are integers was checked.
        Weights::Numbers(tensor) => (tensor.integers(), vec![1.0]),
    };
    let (height, width) = (shapes.window.height, shapes.window.width);
    let inputs = shapes.group_channels();
    let of_output = inputs * height * width;
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
    let shape = (order.len(), inputs, height, width);
    let integers = Array4::from_shape_fn(shape, |(output, channel, row, column)| {
        let at = order[output] * of_output + place(channel, row, column);
        // That they fit was checked.
        let integer = integers.get(at).copied().unwrap_or_default();
        integer.clamp(-128, 127) as i8
    });
    LayerWeights {
        integers,
        scales: order
            .iter()
            .map(|&output| of_channel(&scale, output))
            .collect(),
    }
}
