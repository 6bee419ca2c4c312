//! The file on its way: what is known between two layers, and what they share.

use super::constant::Rounding;
use super::dialect::{Dialect, Rounded};
use super::message::{Attribute, Graph};
use super::metadata::LayerMetadata;
use brownout_golden::model::IntegerModel;
use brownout_spec::program::{Layer, LayerShapes, Operation, Padding, Shape, Steps, Window};

/// Name of the file's image.
pub(super) const INPUT: &str = "input";
/// Name of its results.
pub(super) const OUTPUT: &str = "output";
/// Largest relative distance of a mean's factor from one that is no factor: half a unit of the
/// multiplier's 15 bits, which is what rounding it has left.
const LEFT_BY_ROUNDING: f64 = 1.0 / 32_768.0;

/// How a node divides that gives means.
pub(super) struct Means<'a> {
    /// The divisor of each set of multipliers.
    pub divisors: &'a [usize],
    /// For each pixel of the output its set; empty where there is one.
    pub sets: &'a [usize],
    /// Whether a factor stands behind it even if that is one.
    pub scaled: bool,
}

/// A tensor of the network as the file has it.
#[derive(Clone, Debug)]
pub(super) struct Tensor {
    /// Real numbers, and integers where the dialect has them.
    pub names: Rounded,
    /// Whether it is a row of values for each image, and no map.
    pub flat: bool,
}

/// The file on its way.
pub(super) struct Writer<'m> {
    pub model: &'m IntegerModel,
    pub shapes: &'m [LayerShapes],
    pub steps: &'m [f64],
    pub dialect: Dialect,
    pub graph: Graph,
    /// The tensors so far.
    pub tensors: Vec<Tensor>,
    /// What no node says, of each layer so far.
    pub metadata: Vec<LayerMetadata>,
    /// Name of each layer's output.
    pub outputs: Vec<String>,
}

impl<'m> Writer<'m> {
    /// A file of nothing yet.
    pub fn new(
        model: &'m IntegerModel,
        shapes: &'m [LayerShapes],
        steps: &'m [f64],
        dialect: Dialect,
    ) -> Self {
        let mut graph = Graph::default();
        dialect.declare(&mut graph);
        graph.take_name(INPUT);
        graph.take_name(OUTPUT);
        let layers = model.network.layers.iter();
        let names = layers.map(|layer| graph.take_name(&layer.name)).collect();
        Self {
            model,
            shapes,
            steps,
            dialect,
            graph,
            tensors: Vec::new(),
            metadata: Vec::new(),
            outputs: names,
        }
    }

    /// The graph, what no node says, and the value of each layer's output.
    pub fn into_parts(self) -> (Graph, Vec<LayerMetadata>, Vec<String>) {
        let outputs = self.tensors.into_iter().skip(1);
        let names = outputs.map(|tensor| tensor.names.real).collect();
        (self.graph, self.metadata, names)
    }

    /// Whether a layer's output is a row of values: a dense layer's, and what others make of rows.
    pub fn is_flat(&self, index: usize) -> bool {
        let (layer, shapes) = (self.layer(index), &self.shapes[index]);
        let of_rows = layer.reads.iter().all(|&tensor| self.tensors[tensor].flat);
        match layer.operation {
            Operation::Convolution { residual, .. } => {
                let window = &shapes.window;
                let whole =
                    (window.height, window.width) == (shapes.input.height, shapes.input.width);
                let padded = window.padding.sides().iter().any(|&(_, pixels)| pixels > 0);
                whole && !padded && shapes.groups == 1 && residual.is_none()
            }
            Operation::Add { .. } | Operation::Concat | Operation::Pointwise => of_rows,
            _ => false,
        }
    }

    pub fn layer(&self, index: usize) -> &'m Layer {
        &self.model.network.layers[index]
    }

    /// The name of a layer's output.
    pub fn output(&self, index: usize) -> &str {
        &self.outputs[index]
    }

    /// A name for a part of a layer.
    pub fn name(&self, index: usize, part: &str) -> String {
        format!("{}.{part}", self.outputs[index])
    }

    pub fn rounding(&self, index: usize) -> Rounding {
        let layer = self.layer(index);
        Rounding {
            shift: layer.output.shift,
            operand: layer.operation.operand_scale(),
            zero: layer.zero,
        }
    }

    /// Whether a layer gives the results.
    pub fn is_last(&self, index: usize) -> bool {
        index + 1 == self.shapes.len()
    }

    /// Real numbers of a layer's output for a unit of m / 2^s of a tensor that it reads.
    pub fn factor(&self, index: usize, tensor: usize) -> f64 {
        let shift = self.layer(index).output.shift;
        self.steps[index + 1] / self.steps[tensor] / f64::from(shift).exp2()
    }

    /// The tensor that a layer reads in that place, as a row of values for each image.
    pub fn row(&mut self, index: usize, place: usize) -> String {
        let tensor = self.tensors[self.layer(index).reads[place]].clone();
        match tensor.flat {
            true => tensor.names.real,
            false => {
                let name = self.name(index, "flat");
                self.graph
                    .node("Flatten", &name, &[&tensor.names.real], &[])
            }
        }
    }

    /// The tensor that a layer reads in that place, as maps.
    pub fn map(&mut self, index: usize, place: usize) -> String {
        let tensor = self.tensors[self.layer(index).reads[place]].clone();
        match tensor.flat {
            false => tensor.names.real,
            true => {
                let name = self.name(index, "map");
                let axes = self.graph.longs(&format!("{name}.axes"), &[2, 3]);
                let operands = [&tensor.names.real[..], &axes];
                let map = self.graph.node("Unsqueeze", &name, &operands, &[]);
                Dialect::moved(&mut self.graph, &name, &tensor.names, map)
            }
        }
    }

    /// The tensor that a layer reads in that place, as rows or as maps.
    pub fn read(&mut self, index: usize, place: usize, flat: bool) -> String {
        match flat {
            true => self.row(index, place),
            false => self.map(index, place),
        }
    }

    /// What a layer without weights makes of the values that its operation has moved: times the
    /// multipliers, unless these only pass them on, and with the constants.
    pub fn passed_on(&mut self, index: usize, value: String, means: Option<Means<'_>>) -> String {
        let flat = self.is_flat(index);
        let unit = self.factor(index, self.layer(index).source());
        let multipliers = self.model.layers[index].channels.iter();
        let multipliers = multipliers.map(|c| f64::from(c.multiplier) * unit);
        let channels = self.shapes[index].output.channels;
        let factors: Vec<f64> = match &means {
            None => multipliers.collect(),
            Some(means) => multipliers
                .enumerate()
                .map(|(at, m)| m * means.divisors[at / channels] as f64)
                .collect(),
        };
        let (near, scaled) = match &means {
            None => (0.0, false),
            Some(means) => (LEFT_BY_ROUNDING, means.scaled),
        };
        let sets = means.as_ref().map(|means| means.sets);
        let value = match !scaled && factors.iter().all(|f| (f - 1.0).abs() <= near) {
            true => value,
            false => {
                let factors = self.of_channels(index, &factors, sets, flat);
                let name = self.name(index, "scaled");
                self.graph.node("Mul", &name, &[&value, &factors], &[])
            }
        };
        self.shifted(index, value, sets, flat)
    }

    /// With each channel's constant, unless all are 0.
    pub fn shifted(
        &mut self,
        index: usize,
        value: String,
        sets: Option<&[usize]>,
        flat: bool,
    ) -> String {
        let (rounding, step) = (self.rounding(index), self.steps[index + 1]);
        let last = self.is_last(index);
        let channels = self.model.layers[index].channels.iter();
        let constants = channels.map(|&channel| match last {
            true => rounding.wide(channel),
            false => rounding.constant(channel),
        });
        let constants: Vec<f64> = constants.map(|units| units * step).collect();
        if constants.iter().all(|&constant| constant == 0.0) {
            return value;
        }
        let constants = self.of_channels(index, &constants, sets, flat);
        let name = self.name(index, "shifted");
        self.graph.node("Add", &name, &[&value, &constants], &[])
    }

    /// A constant that goes with a layer's output: one number where all are the same, else one for
    /// each channel, or with `sets` for each channel and pixel.
    pub fn of_channels(
        &mut self,
        index: usize,
        values: &[f64],
        sets: Option<&[usize]>,
        flat: bool,
    ) -> String {
        let values: Vec<f32> = values.iter().map(|&value| value as f32).collect();
        let output = self.shapes[index].output;
        let name = self.name(index, "constants");
        let same = values.iter().all(|value| *value == values[0]);
        let sets = sets.filter(|_| values.len() > output.channels);
        match (same, sets) {
            (true, _) => self.graph.floats(&name, &[], &values[..1]),
            (false, None) => {
                let dims = [1, values.len(), 1, 1];
                let dims = if flat { &dims[..2] } else { &dims[..] };
                self.graph.floats(&name, dims, &values)
            }
            (false, Some(sets)) => {
                let planes = (0..output.channels).flat_map(|channel| {
                    let values = &values;
                    sets.iter()
                        .map(move |set| values[set * output.channels + channel])
                });
                let planes: Vec<f32> = planes.collect();
                let dims = [1, output.channels, output.height, output.width];
                self.graph.floats(&name, &dims, &planes)
            }
        }
    }

    /// What a layer's second operand is multiplied with, in real numbers.
    pub fn operand_factor(&self, index: usize) -> f64 {
        let layer = self.layer(index);
        let scale = layer.operation.operand_scale().unwrap_or_default();
        let steps = self.steps[index + 1] / self.steps[layer.reads[1]];
        f64::from(scale.multiplier) * f64::from(-i32::from(scale.shift)).exp2() * steps
    }

    /// A value times a number, unless that is one.
    pub fn times(&mut self, name: &str, value: String, factor: f64) -> String {
        if factor == 1.0 {
            return value;
        }
        let constant = self
            .graph
            .floats(&format!("{name}.factor"), &[], &[factor as f32]);
        self.graph.node("Mul", name, &[&value, &constant], &[])
    }

    /// Zeros around a map.
    pub fn zeros(&mut self, name: &str, source: &str, padding: Padding) -> String {
        self.padded(name, source, (padding, 0.0))
    }

    /// One number around a map.
    pub fn padded(&mut self, name: &str, source: &str, (padding, with): (Padding, f32)) -> String {
        let Padding {
            top,
            left,
            bottom,
            right,
        } = padding;
        let pads = [0, 0, top, left, 0, 0, bottom, right].map(|pixels| pixels as i64);
        let pads = self.graph.longs(&format!("{name}.pads"), &pads);
        let with = self.graph.floats(&format!("{name}.with"), &[], &[with]);
        self.graph.node("Pad", name, &[source, &pads, &with], &[])
    }
}

/// Extents behind the batch.
pub(super) fn extents(shape: Shape, flat: bool) -> Vec<usize> {
    match flat {
        true => vec![shape.volume()],
        false => vec![shape.channels, shape.height, shape.width],
    }
}

/// A node's attributes of a window; dilations only where there are some.
pub(super) fn window_attributes(window: &Window) -> Vec<(&'static str, Attribute)> {
    let Padding {
        top,
        left,
        bottom,
        right,
    } = window.padding;
    let two = |steps: Steps| Attribute::Ints(vec![steps.rows, steps.columns]);
    let dilated = window.dilation != Steps::ONE;
    let always = [
        (
            "kernel_shape",
            Attribute::Ints(vec![window.height, window.width]),
        ),
        ("strides", two(window.stride)),
        ("pads", Attribute::Ints(vec![top, left, bottom, right])),
    ];
    let dilations = dilated.then(|| ("dilations", two(window.dilation)));
    always.into_iter().chain(dilations).collect()
}
