//! Layers without weights that are no pools: sums, concats, repeated pixels, zeros and tables.

use super::dialect::Grid;
use super::message::Attribute;
use super::writer::Writer;
use brownout_spec::arithmetic::{TABLE_ENTRIES, requantize};
use brownout_spec::program::Operation;

/// ONNX's number of the type of 32-bit integers, for casts.
const INT32: i64 = 6;

impl Writer<'_> {
    /// The sum of two tensors.
    pub(super) fn add(&mut self, index: usize, flat: bool) -> String {
        let [first, second] = [0, 1].map(|place| self.read(index, place, flat));
        let unit = self.factor(index, self.layer(index).source());
        let multipliers = self.model.layers[index].channels.iter();
        let multipliers: Vec<f64> = multipliers
            .map(|c| f64::from(c.multiplier) * unit)
            .collect();
        let name = self.name(index, "first");
        let first = match multipliers.iter().all(|&m| m == multipliers[0]) {
            true => self.times(&name, first, multipliers[0]),
            false => {
                let factors = self.of_channels(index, &multipliers, None, flat);
                self.graph.node("Mul", &name, &[&first, &factors], &[])
            }
        };
        let factor = self.operand_factor(index);
        let second = self.times(&self.name(index, "second"), second, factor);
        let sum = self.name(index, "sum");
        let sum = self.graph.take_name(&sum);
        let node = self.output(index).to_owned();
        self.graph
            .node_of("", ("Add", &node), &[&first, &second], &sum, &[]);
        self.shifted(index, sum, None, flat)
    }

    /// The channels of several tensors.
    pub(super) fn concat(&mut self, index: usize, flat: bool) -> String {
        let parts = 0..self.layer(index).reads.len();
        let parts: Vec<String> = parts.map(|place| self.read(index, place, flat)).collect();
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        let joined = self.name(index, "joined");
        let joined = self.graph.take_name(&joined);
        let node = self.output(index).to_owned();
        let axis = [("axis", Attribute::Int(1))];
        self.graph
            .node_of("", ("Concat", &node), &parts, &joined, &axis);
        joined
    }

    /// Each pixel repeated.
    pub(super) fn resize(&mut self, index: usize) -> String {
        let Operation::Resize { factors } = self.layer(index).operation else {
            unreachable!("the caller has matched it");
        };
        let source = self.map(index, 0);
        let factors = [1.0, 1.0, factors.rows as f32, factors.columns as f32];
        let factors = self
            .graph
            .floats(&self.name(index, "factors"), &[4], &factors);
        let attributes = [
            ("mode", Attribute::Text("nearest")),
            (
                "coordinate_transformation_mode",
                Attribute::Text("asymmetric"),
            ),
            ("nearest_mode", Attribute::Text("floor")),
        ];
        let value = self.name(index, "values");
        let value = self.graph.take_name(&value);
        let node = self.output(index).to_owned();
        let operands = [&source[..], "", &factors];
        self.graph
            .node_of("", ("Resize", &node), &operands, &value, &attributes);
        self.passed_on(index, value, None)
    }

    /// Values that a table has at the integers of a tensor: `Gather`, from −128 on.
    ///
    /// Most layers look up the integers of their input as they are; others are first brought to
    /// a grid of their own.
    pub(super) fn table(&mut self, index: usize, flat: bool) -> String {
        let layer = self.layer(index);
        let source = layer.source();
        let read = self.read(index, 0, flat);
        let (value, integers, grid) = match self.is_looked_up_as_is(index) {
            true => {
                let grid = Grid::whole(self.model.network.zero(source), self.steps[source]);
                let names = self.tensors[source].names.clone();
                let integers = names.integers.map(|[integers, ..]| integers);
                (read, integers, grid)
            }
            false => self.index_of_table(index, read, flat),
        };
        let at = self.entries(index, value, integers, &grid);
        let step = self.steps[index + 1];
        let output = Grid::whole(layer.zero, step);
        let table = self.model.layers[index].table.unwrap_or([0; TABLE_ENTRIES]);
        let values = table.map(|integer| output.real(integer));
        let name = self.name(index, "table");
        let table = self.graph.floats(&name, &[TABLE_ENTRIES], &values);
        let value = self.name(index, "values");
        let value = self.graph.take_name(&value);
        let node = self.output(index).to_owned();
        self.graph
            .node_of("", ("Gather", &node), &[&table, &at], &value, &[]);
        value
    }

    /// Whether a layer's index into its table is the integer that it reads.
    fn is_looked_up_as_is(&self, index: usize) -> bool {
        let layer = self.layer(index);
        let zero = self.model.network.zero(layer.source());
        let mut channels = self.model.layers[index].channels.iter();
        channels.all(|channel| {
            (i8::MIN..=i8::MAX).all(|x| {
                let operand = i64::from(x) - i64::from(zero);
                let sum = operand * i64::from(channel.multiplier) + channel.bias;
                requantize(sum, layer.output) == x
            })
        })
    }

    /// The index into a table where it is no integer that is there: rounded as any output is.
    fn index_of_table(
        &mut self,
        index: usize,
        read: String,
        flat: bool,
    ) -> (String, Option<String>, Grid) {
        let layer = self.layer(index);
        // A grid of its own, whose zero point is the output's, as the constants have it.
        let grid = Grid::of(layer.output, layer.zero, self.steps[index + 1]);
        let unit = self.factor(index, layer.source());
        let multipliers = self.model.layers[index].channels.iter();
        let multipliers: Vec<f64> = multipliers
            .map(|c| f64::from(c.multiplier) * unit)
            .collect();
        let factors = self.of_channels(index, &multipliers, None, flat);
        let name = self.name(index, "scaled");
        let value = self.graph.node("Mul", &name, &[&read, &factors], &[]);
        let (rounding, step) = (self.rounding(index), self.steps[index + 1]);
        let constants = self.model.layers[index].channels.iter();
        let constants: Vec<f64> = constants.map(|&c| rounding.constant(c) * step).collect();
        let constants = self.of_channels(index, &constants, None, flat);
        let name = self.name(index, "shifted");
        let value = self.graph.node("Add", &name, &[&value, &constants], &[]);
        let name = self.name(index, "index");
        let name = self.graph.take_name(&name);
        let names = self
            .dialect
            .activation(&mut self.graph, (&name, &value), &grid);
        let integers = names.integers.map(|[integers, ..]| integers);
        (names.real, integers, grid)
    }

    /// From an activation to the entry of a table: 0 is that of −128.
    fn entries(
        &mut self,
        index: usize,
        value: String,
        integers: Option<String>,
        grid: &Grid,
    ) -> String {
        let to = [("to", Attribute::Int(INT32))];
        let [cast, entry] = ["integers", "entries"].map(|part| self.name(index, part));
        let first = self.name(index, "first");
        match integers {
            Some(integers) => {
                let integers = self.graph.node("Cast", &cast, &[&integers], &to);
                let first = self.graph.integer(&first, 128);
                self.graph.node("Add", &entry, &[&integers, &first], &[])
            }
            None => {
                let name = self.name(index, "units");
                let units = self.times(&name, value, 1.0 / grid.step);
                // A cast cuts off what is behind the point, and what is not negative is rounded
                // by a half in front of it.
                let first = 128.5 + f32::from(grid.zero);
                let first = self.graph.floats(&self.name(index, "first"), &[], &[first]);
                let name = self.name(index, "from_first");
                let value = self.graph.node("Add", &name, &[&units, &first], &[]);
                self.graph.node("Cast", &entry, &[&value], &to)
            }
        }
    }
}
