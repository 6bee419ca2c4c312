//! From a network as it was understood to one that is trained here: layers of the
//! specification, in floating point, with channels last.
//!
//! What belongs to a convolution (its norm, a sum with what is there already, a clip) becomes
//! part of its layer, so that nothing is rounded twice on an accelerator. Quantizers of
//! activations are left out but for a ReLU that they imply, and for the ranges of QONNX, which
//! were learned: training rounds by its own grids.
//!
//! [`node`] has the layers while they are put together, [`value`] what flows between them,
//! [`join`] and, for factors and norms, [`scale`] decide what becomes part of which layer, and
//! [`finish`] gives channels and weights their places.

mod finish;
pub(crate) mod function;
pub(crate) mod join;
mod node;
pub(crate) mod scale;
mod value;

use crate::network::{self, Network, Operator, Pool, QuantizedForm};
use brownout_golden::network::{Architecture, Bounds, Parameters, Style};
use brownout_spec::program::{Operation, Padding, Shape, Steps, Window};
use node::Node;
use value::{Source, Value};

/// A network in floating point, ready to be trained.
#[derive(Clone, Debug)]
pub struct Lowered {
    /// Its layers.
    pub architecture: Architecture,
    /// What they have learned.
    pub parameters: Parameters,
    /// Shape of the images, also where the network takes their values one after the other.
    pub image: Shape,
    /// What the user should know: what was left out or moved, and why.
    pub remarks: Vec<String>,
}

/// The network in floating point, by the name that reports will give it.
///
/// # Errors
/// What has no form here: a sentence with the node, what was found and what is allowed.
pub fn lower(network: &Network, name: &str) -> Result<Lowered, String> {
    let mut lowering = Lowering::new(network);
    for (index, layer) in network.layers.iter().enumerate() {
        let made = lowering
            .layer(index)
            .map_err(|problem| format!("{}: {problem}", layer.name))?;
        lowering.write(layer, made);
    }
    lowering.finish(name)
}

/// A network on its way.
struct Lowering<'n> {
    network: &'n Network,
    /// How many layers read each tensor; the result counts as read once more.
    readers: Vec<usize>,
    values: Vec<Option<Value>>,
    nodes: Vec<Node<'n>>,
    /// Of each node, how many reads of it and of its views have not become part of it.
    loose: Vec<usize>,
    /// Factors and summands that values have, and no layer yet.
    waiting: Vec<network::Affine>,
    /// Shape of the network's input.
    input: Shape,
    /// Shape of the images.
    image: Shape,
    remarks: Vec<String>,
    /// Quantizers of activations that were left out.
    quantizers: usize,
}

impl<'n> Lowering<'n> {
    fn new(network: &'n Network) -> Self {
        let mut readers = vec![0; network.tensors.len()];
        for &tensor in network.layers.iter().flat_map(|layer| &layer.reads) {
            readers[tensor] += 1;
        }
        readers[network.output] += 1;
        let mut values = vec![None; network.tensors.len()];
        values[network.input] = Some(Value::of(Source::Input));
        Self {
            network,
            readers,
            values,
            nodes: Vec::new(),
            loose: Vec::new(),
            waiting: Vec::new(),
            input: shape(network.tensors[network.input].shape),
            image: shape(network.tensors[network.input].shape),
            remarks: Vec::new(),
            quantizers: 0,
        }
    }

    /// The value of a tensor that a layer reads.
    fn value(&self, tensor: usize) -> Result<Value, String> {
        let value = self.values.get(tensor).and_then(Option::as_ref);
        value
            .cloned()
            .ok_or_else(|| "it reads a tensor that no layer in front of it writes".to_owned())
    }

    /// Remembers what a layer writes, and that what it reads of the same node is part of that.
    fn write(&mut self, layer: &network::Layer, made: Value) {
        if let Source::Node(node) = made.of {
            let own = |&&tensor: &&usize| self.values[tensor].is_some_and(|v| v.of == made.of);
            let joined = layer.reads.iter().filter(own).count();
            self.loose[node] = self.loose[node] + self.readers[layer.writes] - joined;
        }
        self.values[layer.writes] = Some(made);
    }

    /// What a layer makes.
    fn layer(&mut self, index: usize) -> Result<Value, String> {
        let layer = &self.network.layers[index];
        let read = layer.reads[0];
        match &layer.operator {
            Operator::Convolution(convolution) => self.convolution(index, convolution),
            Operator::Dense(dense) => self.dense(index, dense),
            Operator::BatchNorm(norm) => self.norm(index, norm),
            Operator::Affine(affine) => self.affine(index, affine),
            Operator::Add => self.add(index),
            Operator::Concat => self.concat(index),
            Operator::Pool(pool) => self.pool(index, pool),
            Operator::Clip(low, high) => self.clip(index, *low, *high),
            Operator::Pointwise(expression) => {
                let function = function::function(expression)?;
                let mut node = Node::new(&layer.name, Operation::Pointwise, self.committed(index)?);
                node.style = Style::of_function(function);
                let flat = self.value(read)?.flat;
                Ok(self.push(node).flattened(flat))
            }
            Operator::Resize([rows, columns]) => {
                let factors = Steps {
                    rows: *rows,
                    columns: *columns,
                };
                let reads = self.maps(index)?;
                Ok(self.push(Node::new(&layer.name, Operation::Resize { factors }, reads)))
            }
            Operator::Pad(padding, [front, behind]) => {
                let value = self.value(read)?;
                // Zeros have no summand, and other channels have other factors.
                let channels = front + behind > 0;
                let value = match self.has_summand(&value) || channels && value.each.is_some() {
                    true => Value::of(self.commit(read)?).flattened(value.flat),
                    false => value,
                };
                let padding = Padding {
                    top: padding.top,
                    left: padding.left,
                    bottom: padding.bottom,
                    right: padding.right,
                };
                value.padded(padding, (*front, *behind))
            }
            Operator::Subsample([rows, columns]) => {
                let value = self.value(read)?;
                value.every(Steps {
                    rows: *rows,
                    columns: *columns,
                })
            }
            Operator::Reshape([from_last, to_last]) => self.reshape(index, (*from_last, *to_last)),
            Operator::Quantizer(form) => self.quantizer(index, form),
        }
    }

    /// Adds a layer.
    fn push(&mut self, node: Node<'n>) -> Value {
        self.nodes.push(node);
        self.loose.push(0);
        Value::of(Source::Node(self.nodes.len() - 1))
    }

    /// The sources that a layer reads, in a form that any operation can read.
    fn committed(&mut self, index: usize) -> Result<Vec<Source>, String> {
        let reads = self.network.layers[index].reads.iter();
        reads.map(|&tensor| self.commit(tensor)).collect()
    }

    /// As [`Self::committed`], of maps alone: channels of a vector that was one are elsewhere.
    fn maps(&mut self, index: usize) -> Result<Vec<Source>, String> {
        for &tensor in &self.network.layers[index].reads {
            if self.value(tensor)?.flat.is_some() {
                return Err("it reads a vector that was a map; allowed are maps".to_owned());
            }
        }
        self.committed(index)
    }

    /// The source of a tensor, with layers for what is only a view of another one.
    fn commit(&mut self, tensor: usize) -> Result<Source, String> {
        let value = self.value(tensor)?;
        if value.front > 0 || value.behind > 0 {
            return Err(
                "it reads channels of zeros; allowed are such in front of a sum with a convolution"
                    .to_owned(),
            );
        }
        let name = self.network.tensors[tensor].name.clone();
        let mut source = value.of;
        if value != value.unscaled() {
            source = self.scaled_copy(&name, &value)?;
        }
        if value.stride != Steps::ONE {
            let window = Window {
                stride: value.stride,
                ..Window::square(1, 1, 0)
            };
            let node = Node::new(&name, Operation::MaxPool { window }, vec![source]);
            source = self.push(node).of;
        }
        if value.padding != Padding::NONE {
            let padding = value.padding;
            let node = Node::new(&name, Operation::Pad { padding }, vec![source]);
            source = self.push(node).of;
        }
        Ok(source)
    }

    /// Channels side by side. Vectors that were maps of the same rows and columns, channels first,
    /// are side by side just as their maps are.
    fn concat(&mut self, index: usize) -> Result<Value, String> {
        let layer = &self.network.layers[index];
        let values = layer.reads.iter().map(|&tensor| self.value(tensor));
        let values = values.collect::<Result<Vec<_>, _>>()?;
        if values.iter().all(|value| value.flat.is_none()) {
            let reads = self.committed(index)?;
            return Ok(self.push(Node::new(&layer.name, Operation::Concat, reads)));
        }
        let mut sides = Vec::with_capacity(values.len());
        for value in &values {
            let map = value.viewed(self.shape_of(value.of)?);
            sides.push((map.height, map.width));
        }
        let first = values.iter().all(|value| value.flat == Some(false));
        if !first || sides.iter().any(|side| *side != sides[0]) {
            return Err(
                "it joins vectors that were maps; allowed are such of maps with the same rows and columns, channels first, or the maps themselves"
                    .to_owned(),
            );
        }
        let reads = self.committed(index)?;
        let node = Node::new(&layer.name, Operation::Concat, reads);
        Ok(self.push(node).flattened(Some(false)))
    }

    fn pool(&mut self, index: usize, pool: &Pool) -> Result<Value, String> {
        let layer = &self.network.layers[index];
        let (input, output) = (
            shape(self.network.tensors[layer.reads[0]].shape),
            shape(self.network.tensors[layer.writes].shape),
        );
        let one = |window| join::single(window, input, output);
        let operation = match *pool {
            Pool::GlobalAverage => Operation::GlobalAveragePool,
            Pool::GlobalMax => Operation::MaxPool {
                window: Window::whole(input),
            },
            Pool::Max(of) => Operation::MaxPool {
                window: one(join::reaching(join::window(&of), input, output)),
            },
            Pool::Average(of, counts) => {
                let window = join::window(&of);
                let counted = match counts {
                    true => window.padding,
                    false => Padding::NONE,
                };
                match one(join::reaching(window, input, output)) {
                    window if window == Window::whole(input) => Operation::GlobalAveragePool,
                    window => Operation::AveragePool { window, counted },
                }
            }
        };
        let reads = self.maps(index)?;
        Ok(self.push(Node::new(&layer.name, operation, reads)))
    }

    /// A flattened map, or a vector that is a map after all.
    fn reshape(
        &mut self,
        index: usize,
        (from_last, to_last): (bool, bool),
    ) -> Result<Value, String> {
        let layer = &self.network.layers[index];
        let value = self.value(layer.reads[0])?;
        let (from, to) = (
            shape(self.network.tensors[layer.reads[0]].shape),
            shape(self.network.tensors[layer.writes].shape),
        );
        if from == to && (from_last == to_last || from.pixels() == 1 || from.channels == 1) {
            return Ok(value);
        }
        if to.pixels() == 1 && value.flat.is_none() {
            if value.front + value.behind > 0 {
                // No dense layer reads channels of zeros.
                self.commit(layer.reads[0])?;
            }
            let channels_last = from_last || from.pixels() == 1 || from.channels == 1;
            let value = self.scaled_vector(value, from, channels_last);
            return Ok(value.flattened((from.pixels() > 1).then_some(channels_last)));
        }
        let is_image = value.of == Source::Input && from.pixels() == 1 && self.nodes.is_empty();
        if is_image && (to_last || to.channels == 1) {
            // Images are maps with channels last from the beginning.
            (self.input, self.image) = (to, to);
            return Ok(value);
        }
        Err(format!(
            "it makes {to} of {from}; allowed are a map that becomes a vector, and a vector that becomes an image with channels last"
        ))
    }

    /// What is left of a quantizer: what it clips.
    fn quantizer(&mut self, index: usize, form: &QuantizedForm) -> Result<Value, String> {
        let range = match form {
            QuantizedForm::Quantize(linear) => join::relu_of_linear(linear),
            QuantizedForm::IntQuant(quant) if !quant.is_bipolar() => {
                Some(join::range_of_quant(quant)?)
            }
            QuantizedForm::Dequantize(_) | QuantizedForm::Trunc(_) => None,
            QuantizedForm::IntQuant(_) | QuantizedForm::Bipolar(_) => {
                return Err(
                    "it keeps a sign alone, which no function with a gradient stands for; allowed are quantizers of two bits or more"
                        .to_owned(),
                );
            }
        };
        self.quantizers += usize::from(!matches!(form, QuantizedForm::Dequantize(_)));
        // What only rounds an image is its map's business.
        let value = self.value(self.network.layers[index].reads[0])?;
        // What is only looked at in another way has been rounded where it was made.
        match range {
            Some(bounds)
                if value.each.is_some() || value.of != Source::Input && value.is_plain() =>
            {
                self.clip(index, bounds.low(), bounds.high())
            }
            _ => Ok(value),
        }
    }

    fn clip(&mut self, index: usize, low: f32, high: f32) -> Result<Value, String> {
        let layer = &self.network.layers[index];
        let tensor = layer.reads[0];
        let value = self.value(tensor)?;
        let bounds = Bounds::new(low, high)?;
        if let Some(node) = self.joins(&value)
            && let Some(clipped) = node.clipped(bounds)
        {
            node.style.bounds = clipped;
            return Ok(value);
        }
        let source = self.commit(tensor)?;
        let scaled = value != value.unscaled();
        if let Source::Node(node) = source
            && scaled
            && value.unscaled().is_plain()
        {
            // The copy that has just been made for this layer alone.
            self.nodes[node].style.bounds = bounds;
            return Ok(Value::of(source).flattened(value.flat));
        }
        let mut node = Node::copy(&layer.name, source);
        node.style.bounds = bounds;
        Ok(self.push(node).flattened(value.flat))
    }

    /// The layer that a value comes from, if nothing but the layer that asks reads it, as it is or
    /// as a view.
    fn joins(&mut self, value: &Value) -> Option<&mut Node<'n>> {
        let plain = value.is_plain();
        match value.of {
            Source::Node(node) if plain && self.loose[node] == 1 => Some(&mut self.nodes[node]),
            _ => None,
        }
    }
}

/// The extents with channels last.
pub(crate) fn shape(of: crate::network::Shape) -> Shape {
    Shape {
        height: of.height,
        width: of.width,
        channels: of.channels,
    }
}
