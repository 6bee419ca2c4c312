//! What becomes part of which layer.

use super::node::{Learned, Node};
use super::value::{Source, Value};
use super::{Lowering, shape};
use crate::network::{self, Convolution, Dense, Weights};
use crate::quantization::{IntQuant, Linear, of_channel};
use brownout_golden::network::Bounds;
use brownout_spec::arithmetic::ResidualScale;
use brownout_spec::program::{Operation, Padding, Residual, Shape, Steps, Window};

/// The ReLU that ONNX's quantizer implies, where 0 is its smallest value: tools leave the node out
/// then. Its other ends only follow from the values that were seen.
pub(super) fn relu_of_linear(linear: &Linear) -> Option<Bounds> {
    let (low, _) = linear.element.range();
    let implied = linear.zero_point.iter().all(|&zero| zero == low);
    implied.then_some(Bounds::RELU)
}

/// The range that QONNX's quantizer clips to, which was learned.
pub(super) fn range_of_quant(quant: &IntQuant) -> Result<Bounds, String> {
    let (low, high) = quant.range();
    let zero = |channel| f64::from(of_channel(&quant.zero_point, channel));
    widest(&quant.scale, (f64::from(low), f64::from(high)), zero)
}

/// What every channel's range is a part of.
fn widest(
    scales: &[f32],
    (low, high): (f64, f64),
    zero: impl Fn(usize) -> f64,
) -> Result<Bounds, String> {
    let ends = scales.iter().enumerate().map(|(channel, &scale)| {
        let (zero, scale) = (zero(channel), f64::from(scale));
        ((low - zero) * scale, (high - zero) * scale)
    });
    let (low, high) = ends.fold((f64::INFINITY, f64::NEG_INFINITY), |all, end| {
        (all.0.min(end.0), all.1.max(end.1))
    });
    Bounds::new(low as f32, high as f32)
}

/// A window as the specification has it, without what reaches over the padded image.
pub(crate) fn window(of: &network::Window) -> Window {
    let [rows, columns] = of.strides;
    let [down, across] = of.dilations;
    Window {
        height: of.kernel[0],
        width: of.kernel[1],
        stride: Steps { rows, columns },
        padding: Padding {
            top: of.padding.top,
            left: of.padding.left,
            bottom: of.padding.bottom,
            right: of.padding.right,
        },
        dilation: Steps {
            rows: down,
            columns: across,
        },
    }
}

/// The window with as much padding below and behind as its last positions reach over.
pub(crate) fn reaching(mut window: Window, input: Shape, output: Shape) -> Window {
    let reach = window.reach();
    let padding = &mut window.padding;
    let over = |windows: usize, stride: usize, reach: usize, there: usize| {
        (windows.saturating_sub(1) * stride + reach).saturating_sub(there)
    };
    let rows = input.height + padding.top + padding.bottom;
    let columns = input.width + padding.left + padding.right;
    padding.bottom += over(output.height, window.stride.rows, reach.0, rows);
    padding.right += over(output.width, window.stride.columns, reach.1, columns);
    window
}

/// The window with the smallest steps that leave a single position alone, where there is one.
pub(crate) fn single(mut window: Window, input: Shape, output: Shape) -> Window {
    let (reach, padding, stride) = (window.reach(), window.padding, &mut window.stride);
    let rows = input.height + padding.top + padding.bottom;
    let columns = input.width + padding.left + padding.right;
    if output.height == 1 {
        stride.rows = stride.rows.min(rows.saturating_sub(reach.0) + 1);
    }
    if output.width == 1 {
        stride.columns = stride.columns.min(columns.saturating_sub(reach.1) + 1);
    }
    window
}

/// A bias in double precision; zeros where there is none.
pub(crate) fn bias(of: Option<&Weights>, outputs: usize) -> Vec<f64> {
    let values = of.map(Weights::values);
    match &values {
        None => vec![0.0; outputs],
        Some(values) => {
            let values = values.floats();
            (0..outputs)
                .map(|channel| f64::from(of_channel(&values, channel)))
                .collect()
        }
    }
}

impl<'n> Lowering<'n> {
    /// A convolution; zeros around what it reads become its own padding where they can.
    pub(super) fn convolution(
        &mut self,
        index: usize,
        convolution: &'n Convolution,
    ) -> Result<Value, String> {
        let layer = &self.network.layers[index];
        let value = self.value(layer.reads[0])?;
        let mut window = window(&convolution.window);
        let (reach, own, around) = (window.reach(), window.padding, value.padding);
        let whole = Padding {
            top: own.top + around.top,
            left: own.left + around.left,
            bottom: own.bottom + around.bottom,
            right: own.right + around.right,
        };
        let fits = whole.top.max(whole.bottom) < reach.0 && whole.left.max(whole.right) < reach.1;
        let plain = Value {
            padding: Padding::NONE,
            ..value.unscaled()
        };
        // A summand in front of zeros is none behind them.
        let passes = whole == Padding::NONE || !self.has_summand(&value);
        let joins = fits && passes && Value::of(value.of) == plain;
        let source = match joins {
            true => {
                window.padding = whole;
                value.of
            }
            false => self.commit(layer.reads[0])?,
        };
        let output = shape(self.network.tensors[layer.writes].shape);
        // Of what the layer itself reads: zeros around it are the window's, or a layer's.
        let input = shape(self.network.tensors[layer.reads[0]].shape);
        let input = Shape {
            height: input.height + own.top + own.bottom,
            width: input.width + own.left + own.right,
            ..input
        };
        let free = Window {
            padding: Padding::NONE,
            ..window
        };
        window.stride = single(free, input, output).stride;
        if value.flat.is_some() {
            return Err("it convolves a vector that was a map; allowed are maps".to_owned());
        }
        let outputs = convolution.weights.shape()[0];
        let operation = Operation::Convolution {
            window,
            groups: convolution.groups,
            output_channels: outputs,
            residual: None,
        };
        let mut learned = Learned {
            weights: &convolution.weights,
            factor: vec![1.0; outputs],
            inputs: None,
            bias: bias(convolution.bias.as_ref(), outputs),
            flat: None,
            image: None,
            norm: None,
            offset: convolution.bias.is_some(),
        };
        if joins {
            self.fold(&mut learned, &value, convolution.groups)?;
        }
        let mut node = Node::new(&layer.name, operation, vec![source]);
        node.learned = Some(learned);
        Ok(self.push(node))
    }

    /// A dense layer: a convolution whose kernel is the whole map.
    pub(super) fn dense(&mut self, index: usize, dense: &'n Dense) -> Result<Value, String> {
        let layer = &self.network.layers[index];
        let tensor = layer.reads[0];
        let value = self.value(tensor)?;
        let scaled = value.unscaled();
        let source = match scaled.is_plain() {
            true => value.of,
            false => self.commit(tensor)?,
        };
        let mut map = value.viewed(self.shape_of(value.of)?);
        let mut image = None;
        if source == Source::Input && value.flat.is_some() && map.pixels() == 1 {
            // Another layer has made a vector of the image already.
            image = Some(self.image);
        } else if source == Source::Input && self.nodes.is_empty() && map.pixels() > 1 {
            // A layer that sees the whole image reads its values one after the other.
            image = Some(map);
            map = Shape {
                height: 1,
                width: 1,
                channels: map.volume(),
            };
            self.input = map;
        }
        let outputs = dense.weights.shape()[0];
        let mut node = Node::new(&layer.name, Operation::dense(map, outputs), vec![source]);
        let mut learned = Learned {
            weights: &dense.weights,
            factor: vec![1.0; outputs],
            inputs: None,
            bias: bias(dense.bias.as_ref(), outputs),
            flat: Some(value.flat.unwrap_or(true)),
            image,
            norm: None,
            offset: dense.bias.is_some(),
        };
        if scaled.is_plain() {
            self.fold(&mut learned, &value, 1)?;
        }
        node.learned = Some(learned);
        Ok(self.push(node))
    }

    /// The map that a source is.
    pub(super) fn shape_of(&self, source: Source) -> Result<Shape, String> {
        let Source::Node(node) = source else {
            return Ok(self.input);
        };
        let written = self.values.iter().zip(&self.network.tensors);
        let mut plain = written.filter(|(value, _)| {
            value
                .is_some_and(|value| value.of == Source::Node(node) && value == Value::of(value.of))
        });
        if let Some((_, tensor)) = plain.next() {
            return Ok(shape(tensor.shape));
        }
        // What works on a vector that is a map keeps the map's shape.
        let made = &self.nodes[node];
        let keeps = match made.operation {
            Operation::Pointwise | Operation::Add { .. } => true,
            Operation::Concat => {
                let mut parts = made.reads.iter().map(|&read| self.shape_of(read));
                let first = parts.next().unwrap_or(Ok(self.input))?;
                return parts.try_fold(first, |all, part| {
                    Ok(Shape {
                        channels: all.channels + part?.channels,
                        ..all
                    })
                });
            }
            Operation::AveragePool { window, .. } => window == Window::square(1, 1, 0),
            _ => false,
        };
        match keeps {
            true => self.shape_of(made.reads[0]),
            false => {
                Err("it reads a view that is no tensor of the file; allowed are maps".to_owned())
            }
        }
    }

    /// A sum: part of a convolution that nobody else reads, or a layer of its own.
    pub(super) fn add(&mut self, index: usize) -> Result<Value, String> {
        let layer = &self.network.layers[index];
        let &[first, second] = &layer.reads[..] else {
            return Err(format!(
                "it adds {} tensors; allowed are two",
                layer.reads.len()
            ));
        };
        let (a, b) = (self.value(first)?, self.value(second)?);
        let flat = a.flat.or(b.flat);
        if a.flat != b.flat {
            return Err("it adds a map and a vector; allowed are two of a kind".to_owned());
        }
        // The later one, so that what it adds is there.
        let mut pairs = [(a, b), (b, a)];
        pairs.sort_by_key(|(host, _)| match host.of {
            Source::Input => 0,
            Source::Node(node) => node + 1,
        });
        for (host, other) in pairs.into_iter().rev() {
            if let Some(value) = self.host(host, other) {
                return Ok(value.flattened(flat));
            }
        }
        let reads = self.committed(index)?;
        let operation = Operation::Add {
            scale: ResidualScale::default(),
        };
        Ok(self
            .push(Node::new(&layer.name, operation, reads))
            .flattened(flat))
    }

    /// The convolution behind `host` with `other` added, if it can add it.
    fn host(&mut self, host: Value, other: Value) -> Option<Value> {
        let before = match (host.of, other.of) {
            (Source::Node(host), Source::Node(other)) => other < host,
            (Source::Node(_), Source::Input) => true,
            (Source::Input, _) => false,
        };
        let square = other.stride.rows == other.stride.columns && other.stride.rows <= 2;
        if !before || !square || other.padding != Padding::NONE || other != other.unscaled() {
            return None;
        }
        let node = self.joins(&host).filter(|node| node.is_linear())?;
        node.operation = node.operation.with_residual(Residual {
            stride: other.stride.rows,
            scale: ResidualScale::default(),
        });
        node.reads.push(other.of);
        node.front = other.front;
        Some(host)
    }
}
