//! What each layer computes, as nodes on real numbers.

use super::dialect::Dialect;
use super::message::{Attribute, Graph};
use brownout_golden::model::IntegerModel;
use brownout_spec::program::{LayerShapes, Operation, Padding, Residual, Window};

/// The file on its way.
pub(super) struct Writer<'m> {
    model: &'m IntegerModel,
    shapes: &'m [LayerShapes],
    steps: &'m [f64],
    dialect: Dialect,
    graph: Graph,
    /// The names of the tensors so far, as real numbers.
    tensors: Vec<String>,
    negated: Vec<(usize, Vec<usize>)>,
}

impl<'m> Writer<'m> {
    pub fn new(
        model: &'m IntegerModel,
        shapes: &'m [LayerShapes],
        steps: &'m [f64],
        dialect: Dialect,
    ) -> Self {
        let mut graph = Graph::default();
        dialect.declare(&mut graph);
        Self {
            model,
            shapes,
            steps,
            dialect,
            graph,
            tensors: Vec::new(),
            negated: Vec::new(),
        }
    }

    /// The graph, and by layer the channels that were negated.
    pub fn into_parts(self) -> (Graph, Vec<(usize, Vec<usize>)>) {
        (self.graph, self.negated)
    }

    /// The image, rounded to its step.
    pub fn input(&mut self) {
        let input = self.model.network.input;
        let mut image = "image".to_owned();
        if input.pixels() == 1 {
            let dims = [0, input.channels as i64, 1, 1];
            let dims = self.graph.longs("image.shape", &dims);
            image = self
                .graph
                .node("Reshape", "image.map", &[&image, &dims], &[]);
        }
        let (step, zero) = (self.steps[0] as f32, self.model.network.input_zero);
        let name = ("image.rounded", &image[..]);
        let rounded = self.dialect.activation(&mut self.graph, name, step, zero);
        self.tensors.push(rounded);
    }

    /// The last layer's numbers as one row an image; its name.
    pub fn result(&mut self) -> String {
        let last = self.tensors.pop().unwrap_or_default();
        self.graph.node("Flatten", "results", &[&last], &[])
    }

    /// Everything of one layer.
    pub fn layer(&mut self, index: usize) -> Result<(), String> {
        let layer = &self.model.network.layers[index];
        let name = format!("layer{index}");
        let reads: Vec<String> = layer
            .reads
            .iter()
            .map(|&t| self.tensors[t].clone())
            .collect();
        let window = self.shapes[index].window;
        let sums = format!("{name}.sums");
        let made = match layer.operation {
            Operation::Convolution { residual, .. } => {
                let sums = self.convolution(index, &reads[0])?;
                match (residual, reads.get(1)) {
                    (Some(with), Some(operand)) => self.added(index, &sums, operand, with),
                    _ => sums,
                }
            }
            Operation::MaxPool { .. } => self.pool("MaxPool", &sums, &reads[0], window, None),
            Operation::AveragePool { counted, .. } => {
                self.pool("AveragePool", &sums, &reads[0], window, Some(counted))
            }
            Operation::GlobalAveragePool => {
                self.graph
                    .node("GlobalAveragePool", &sums, &[&reads[0]], &[])
            }
            Operation::Add { scale } => {
                let factor =
                    f64::from(scale.multiplier) * f64::from(-i32::from(scale.shift)).exp2();
                let factor = factor * self.steps[index + 1] / self.steps[layer.reads[1]];
                let own = self.scaled(index, &reads[0], "first");
                let other = self.times(&format!("{name}.second"), &reads[1], factor);
                let sums = self.graph.node("Add", &sums, &[&own, &other], &[]);
                self.shifted(index, &sums)
            }
            Operation::Concat => {
                let parts: Vec<&str> = reads.iter().map(String::as_str).collect();
                let joined =
                    self.graph
                        .node("Concat", &name, &parts, &[("axis", Attribute::Int(1))]);
                self.tensors.push(joined);
                return Ok(());
            }
            Operation::Resize { factors } => {
                let scales = [1.0, 1.0, factors.rows as f32, factors.columns as f32];
                let scales = self.graph.floats(&format!("{name}.factors"), &[4], &scales);
                let attributes = [
                    ("mode", Attribute::Text("nearest")),
                    (
                        "coordinate_transformation_mode",
                        Attribute::Text("asymmetric"),
                    ),
                    ("nearest_mode", Attribute::Text("floor")),
                ];
                self.graph
                    .node("Resize", &sums, &[&reads[0], "", &scales], &attributes)
            }
            Operation::Pad { padding } => self.padded(&sums, &reads[0], padding, 0.0),
            Operation::Pointwise => self.table(index, &reads[0]),
        };
        let made = match layer.operation {
            Operation::Convolution { .. } | Operation::Add { .. } | Operation::Pointwise => made,
            _ => {
                let scaled = self.scaled(index, &made, "scaled");
                self.shifted(index, &scaled)
            }
        };
        let rounded = match index + 1 == self.shapes.len() {
            true => made,
            false => self.rounded(index, &made),
        };
        self.tensors.push(rounded);
        Ok(())
    }

    /// Clipped to the layer's bounds and rounded to its step.
    fn rounded(&mut self, index: usize, value: &str) -> String {
        let (layer, name) = (&self.model.network.layers[index], format!("layer{index}"));
        let (output, zero) = (layer.output, layer.zero);
        let step = self.steps[index + 1];
        let end = |integer: i8| ((f64::from(integer) - f64::from(zero)) * step) as f32;
        let mut value = value.to_owned();
        if (output.low, output.high) == (zero, i8::MAX) {
            value = self
                .graph
                .node("Relu", &format!("{name}.clipped"), &[&value], &[]);
        } else if (output.low, output.high) != (i8::MIN, i8::MAX) {
            let low = self
                .graph
                .floats(&format!("{name}.low"), &[], &[end(output.low)]);
            let high = self
                .graph
                .floats(&format!("{name}.high"), &[], &[end(output.high)]);
            let clipped = format!("{name}.clipped");
            value = self
                .graph
                .node("Clip", &clipped, &[&value, &low, &high], &[]);
        }
        let named = (&name[..], &value[..]);
        self.dialect
            .activation(&mut self.graph, named, step as f32, zero)
    }

    /// What a layer's constant adds to each channel, in real numbers: less the rounding half and
    /// the zero point.
    fn constants(&self, index: usize) -> Vec<f32> {
        let layer = &self.model.network.layers[index];
        let (unit, step) = (f64::from(layer.output.shift).exp2(), self.steps[index + 1]);
        let wide = index + 1 == self.shapes.len();
        let channels = self.model.layers[index].channels.iter();
        channels
            .map(|channel| {
                // The last layer's integers are what the result shows, to the floor.
                let half = if wide { 0.0 } else { 0.5 };
                let units = channel.bias as f64 / unit - half - f64::from(layer.zero);
                (units * step) as f32
            })
            .collect()
    }

    /// The factor that a layer without weights has for each channel, beside what its operation is.
    fn factors(&self, index: usize) -> Vec<f64> {
        let layer = &self.model.network.layers[index];
        let unit = f64::from(layer.output.shift).exp2();
        let steps = self.steps[index + 1] / self.steps[layer.source()];
        let taps = match layer.operation {
            Operation::AveragePool { .. } | Operation::GlobalAveragePool => {
                self.shapes[index].window.taps() as f64
            }
            _ => 1.0,
        };
        let channels = self.model.layers[index].channels.iter();
        let channels = channels.take(self.shapes[index].output.channels);
        channels
            .map(|channel| f64::from(channel.multiplier) / unit * steps * taps)
            .collect()
    }

    /// Multiplied with each channel's factor, unless all are one.
    fn scaled(&mut self, index: usize, value: &str, what: &str) -> String {
        let factors: Vec<f32> = self.factors(index).iter().map(|&f| f as f32).collect();
        if factors.iter().all(|&factor| factor == 1.0) {
            return value.to_owned();
        }
        let name = format!("layer{index}.{what}");
        let dims = [1, factors.len(), 1, 1];
        let factors = self
            .graph
            .floats(&format!("{name}.factors"), &dims, &factors);
        self.graph.node("Mul", &name, &[value, &factors], &[])
    }

    /// With each channel's constant, unless all are zero.
    fn shifted(&mut self, index: usize, value: &str) -> String {
        let channels = self.shapes[index].output.channels;
        let mut constants = self.constants(index);
        constants.truncate(channels);
        if constants.iter().all(|&constant| constant == 0.0) {
            return value.to_owned();
        }
        let name = format!("layer{index}.shifted");
        let dims = [1, channels, 1, 1];
        let constants = self
            .graph
            .floats(&format!("{name}.constants"), &dims, &constants);
        self.graph.node("Add", &name, &[value, &constants], &[])
    }

    fn times(&mut self, name: &str, value: &str, factor: f64) -> String {
        if factor as f32 == 1.0 {
            return value.to_owned();
        }
        let constant = self
            .graph
            .floats(&format!("{name}.factor"), &[], &[factor as f32]);
        self.graph.node("Mul", name, &[value, &constant], &[])
    }

    /// The sums of products and the constants.
    fn convolution(&mut self, index: usize, source: &str) -> Result<String, String> {
        let (layer, shapes) = (&self.model.network.layers[index], &self.shapes[index]);
        let name = format!("layer{index}");
        let Some(weights) = &self.model.layers[index].weights else {
            return Err(format!("layer {index} ({}): it has no weights", layer.name));
        };
        let unit = f64::from(layer.output.shift).exp2();
        let steps = self.steps[index + 1] / self.steps[layer.source()];
        let mut integers = weights.integers.clone();
        let mut negated = Vec::new();
        let mut scales = Vec::with_capacity(integers.dim().0);
        let lowest = self.model.weight_bits.range().0;
        for (channel, parameters) in self.model.layers[index].channels.iter().enumerate() {
            let mut of = integers.index_axis_mut(ndarray::Axis(0), channel);
            let multiplier = f64::from(parameters.multiplier);
            if multiplier < 0.0 {
                if of.iter().any(|&w| w == lowest) {
                    return Err(format!(
                        "layer {index} ({}): output channel {channel} has a negative multiplier and the weight {lowest}, whose opposite {}-bit weights lack; allowed are weights from {} on in such channels",
                        layer.name,
                        self.model.weight_bits,
                        lowest + 1
                    ));
                }
                of.mapv_inplace(|w| -w);
                negated.push(channel);
            }
            if multiplier == 0.0 {
                of.fill(0);
            }
            // Any step will do for a channel of zeros.
            scales.push(match multiplier {
                0.0 => 1.0,
                m => (m.abs() / unit * steps) as f32,
            });
        }
        if !negated.is_empty() {
            self.negated.push((index, negated));
        }
        let (o, i, h, w) = integers.dim();
        let values = integers.as_slice().unwrap_or_default();
        let bits = self.model.weight_bits.bits();
        let weights = self.dialect.weights(
            &mut self.graph,
            &format!("{name}.weights"),
            (&[o, i, h, w], values),
            (&scales, bits),
        );
        let constants = self.constants(index);
        let bias = self.graph.floats(&format!("{name}.bias"), &[o], &constants);
        let window = shapes.window;
        let Padding {
            top,
            left,
            bottom,
            right,
        } = window.padding;
        let attributes = [
            ("kernel_shape", Attribute::Ints(&[h, w])),
            (
                "strides",
                Attribute::Ints(&[window.stride.rows, window.stride.columns]),
            ),
            ("pads", Attribute::Ints(&[top, left, bottom, right])),
            (
                "dilations",
                Attribute::Ints(&[window.dilation.rows, window.dilation.columns]),
            ),
            ("group", Attribute::Int(shapes.groups as i64)),
        ];
        let sums = format!("{name}.sums");
        Ok(self
            .graph
            .node("Conv", &sums, &[source, &weights, &bias], &attributes))
    }

    /// The sums with the residual operand: every `stride`-th pixel, missing channels zero.
    fn added(&mut self, index: usize, sums: &str, operand: &str, with: Residual) -> String {
        let layer = &self.model.network.layers[index];
        let name = format!("layer{index}.operand");
        let tensor = layer.reads[1];
        let channels = match tensor.checked_sub(1) {
            None => self.model.network.input.channels,
            Some(layer) => self.shapes[layer].output.channels,
        };
        let mut operand = operand.to_owned();
        if with.stride != 1 {
            let attributes = [
                ("kernel_shape", Attribute::Ints(&[1, 1])),
                ("strides", Attribute::Ints(&[with.stride, with.stride])),
            ];
            let every = format!("{name}.every");
            operand = self.graph.node("MaxPool", &every, &[&operand], &attributes);
        }
        let missing = self.shapes[index].output.channels - channels;
        if missing > 0 {
            let pads = [0, 0, 0, 0, 0, missing as i64, 0, 0];
            let pads = self.graph.longs(&format!("{name}.pads"), &pads);
            let padded = format!("{name}.padded");
            operand = self.graph.node("Pad", &padded, &[&operand, &pads], &[]);
        }
        let factor =
            f64::from(with.scale.multiplier) * f64::from(-i32::from(with.scale.shift)).exp2();
        let factor = factor * self.steps[index + 1] / self.steps[tensor];
        let operand = self.times(&format!("{name}.scaled"), &operand, factor);
        let name = format!("layer{index}.added");
        self.graph.node("Add", &name, &[sums, &operand], &[])
    }

    /// A pool. Padding that counts into a mean becomes zeros in front of it, so that what is there
    /// only to round the number of windows up does not count.
    fn pool(
        &mut self,
        operator: &str,
        name: &str,
        source: &str,
        window: Window,
        counted: Option<Padding>,
    ) -> String {
        let mut source = source.to_owned();
        let mut padding = window.padding;
        if let Some(counted) = counted.filter(|&counted| counted != Padding::NONE) {
            source = self.padded(&format!("{name}.padded"), &source, counted, 0.0);
            padding = Padding {
                top: padding.top - counted.top,
                left: padding.left - counted.left,
                bottom: padding.bottom - counted.bottom,
                right: padding.right - counted.right,
            };
        }
        let Padding {
            top,
            left,
            bottom,
            right,
        } = padding;
        let pads = [top, left, bottom, right];
        let kernel = [window.height, window.width];
        let strides = [window.stride.rows, window.stride.columns];
        let dilations = [window.dilation.rows, window.dilation.columns];
        let attributes = [
            ("kernel_shape", Attribute::Ints(&kernel)),
            ("strides", Attribute::Ints(&strides)),
            ("pads", Attribute::Ints(&pads)),
            ("dilations", Attribute::Ints(&dilations)),
        ];
        self.graph.node(operator, name, &[&source], &attributes)
    }

    fn padded(&mut self, name: &str, source: &str, padding: Padding, with: f32) -> String {
        let Padding {
            top,
            left,
            bottom,
            right,
        } = padding;
        let pads = [0, 0, top, left, 0, 0, bottom, right].map(|p| p as i64);
        let pads = self.graph.longs(&format!("{name}.pads"), &pads);
        let with = self.graph.floats(&format!("{name}.with"), &[], &[with]);
        self.graph.node("Pad", name, &[source, &pads, &with], &[])
    }

    /// The value of a table at each activation.
    fn table(&mut self, index: usize, source: &str) -> String {
        source.to_owned() + &index.to_string()
    }
}
