//! What was drawn: counts of the features that the random graphs must cover.

use crate::graph::Graph;
use crate::session::Conditions;
use brownout_spec::config::Configuration;
use brownout_spec::program::{Operation, Origin, Padding, Step, Steps, Window};
use std::collections::BTreeMap;

/// How often each feature was drawn, in graphs.
#[derive(Clone, Debug, Default)]
pub struct Census(BTreeMap<String, usize>);

/// Every feature that must be drawn, but for policies and fault modes.
const FEATURES: &[&str] = &[
    "convolution",
    "dense layer over a flat input",
    "dense layer over a map",
    "max pool",
    "global average pool",
    "stride 2",
    "padding 0",
    "padding 1",
    "padding 2",
    "even side",
    "odd side",
    "residual at stride 1",
    "residual at stride 2",
    "residual with widening channels",
    "residual over several tiles of channels",
    "pool over several tiles of channels",
    "rows not filled",
    "columns not filled",
    "fewer than 4 pixels",
    "as many pixels as words in a tile",
    "kernel that is not square",
    "padded max pool",
    "depthwise layer",
    "depthwise layer over several tiles of channels",
    "two depthwise or grouped layers in a row",
    "grouped layer",
    "grouped layer over several tiles of channels",
    "groups that cross tiles",
    "depthwise layer first in a program",
    "grouped layer behind a pool",
    "negative multiplier",
    "zero multiplier",
    "policy keep",
    "policy zero",
    "policy zero-constrained",
    "mode none",
    "mode persistent",
    "mode transient",
    "mode stuck-at",
    "mode map",
    "stalls 0.1",
    "stalls 0.5",
    "stalls 0.9",
];

/// Every feature of graphs that must be drawn.
const OF_GRAPHS: &[&str] = &[
    "strides of their own",
    "paddings of their own",
    "dilation",
    "dilations of their own",
    "max pool with strides of their own",
    "dilated pool",
    "average pool",
    "average pool with nine sets of parameters",
    "average pool over several tiles of channels",
    "add",
    "add over several tiles of channels",
    "resize",
    "resize by factors of their own",
    "pad",
    "concat",
    "concat without a copy",
    "concat with a copied part",
    "part of a concat that others read",
    "slice that begins within a word",
    "slice that begins within a tile of columns",
    "slice that is written across tiles of columns",
    "slice that begins with a tile and leaves its last lanes to others",
    "copied part that begins within a tile of columns",
    "map as result",
    "map as result over several tiles of columns",
    "more than 256 results",
    "results from a concat",
    "copy of a whole tensor",
    "source behind the beginning of a buffer",
    "operand behind the beginning of a buffer",
    "output behind the beginning of a buffer",
    "zero points",
    "zero point of padding",
    "zero point of a padded max pool",
    "zero point of a padded average pool",
    "zero point of lanes beyond the channels",
    "zero point of a depthwise layer",
    "zero point of a grouped layer",
    "zero points of an add",
    "zero point of a residual operand",
    "zero point of a resize",
    "zero point of a pad",
    "zero point of a copy",
    "pointwise",
    "pointwise over several tiles of channels",
    "pointwise on a zero point",
    "two tables",
    "results from a pointwise layer",
    "zero points and tables beside another feature",
    "three features of graphs at once",
];

impl Census {
    /// Counts one graph.
    pub fn add(
        &mut self,
        configuration: &Configuration,
        graph: &Graph,
        conditions: &Conditions,
        stalls: f64,
    ) {
        let mut features = graph_features(configuration.columns, graph);
        features.extend(zero_features(configuration, graph));
        let at_once = GRAPH_FEATURES
            .iter()
            .filter(|&feature| features.contains(feature))
            .count();
        let both = ["zero points", "pointwise"];
        let both = both.iter().all(|feature| features.contains(feature));
        let mut found: Vec<String> = graph
            .program
            .steps
            .iter()
            .filter_map(|step| Some((step, &graph.model.network.layers[step.layer()?])))
            .flat_map(|(step, layer)| layer_features(configuration, step, &layer.operation))
            .map(str::to_owned)
            .collect();
        found.extend(features.into_iter().map(str::to_owned));
        if at_once >= 3 && both {
            found.push("zero points and tables beside another feature".into());
        }
        if at_once >= 3 {
            found.push("three features of graphs at once".into());
        }
        let grouped = |step: &&Step| step.shapes.groups > 1;
        let steps = &graph.program.steps;
        if steps
            .windows(2)
            .any(|two| two.iter().all(|step| grouped(&step)))
        {
            found.push("two depthwise or grouped layers in a row".into());
        }
        let diagonal = |step: &Step| step.tiling.is_some_and(|tiling| tiling.is_diagonal());
        if diagonal(&steps[0]) {
            found.push("depthwise layer first in a program".into());
        }
        if steps
            .windows(2)
            .any(|two| !two[0].convolution && grouped(&&two[1]))
        {
            found.push("grouped layer behind a pool".into());
        }
        let multipliers = || {
            let layers = graph.model.layers.iter();
            layers.flat_map(|l| l.channels.iter().map(|c| c.multiplier))
        };
        if multipliers().any(|m| m < 0) {
            found.push("negative multiplier".into());
        }
        if multipliers().any(|m| m == 0) {
            found.push("zero multiplier".into());
        }
        let mode = conditions.mode.to_string();
        let mode = mode.split(':').next().unwrap_or_default();
        found.push(format!("mode {mode}"));
        found.push(format!("policy {}", conditions.policy));
        found.push(format!("stalls {stalls}"));
        found.sort();
        found.dedup();
        for feature in found {
            *self.0.entry(feature).or_default() += 1;
        }
    }

    /// Adds another census.
    pub fn merge(&mut self, other: Self) {
        for (feature, count) in other.0 {
            *self.0.entry(feature).or_default() += count;
        }
    }

    /// The features drawn in fewer than `least` graphs, with their counts.
    pub fn rare(&self, least: usize) -> Vec<(&'static str, usize)> {
        let chains = self.rare_of(FEATURES, least);
        chains
            .into_iter()
            .chain(self.rare_of_graphs(least))
            .collect()
    }

    /// As [`Census::rare`], of what no chain of square windows has.
    pub fn rare_of_graphs(&self, least: usize) -> Vec<(&'static str, usize)> {
        self.rare_of(OF_GRAPHS, least)
    }

    fn rare_of(&self, features: &[&'static str], least: usize) -> Vec<(&'static str, usize)> {
        let counts = features
            .iter()
            .map(|&feature| (feature, self.count(feature)));
        counts.filter(|(_, count)| *count < least).collect()
    }

    /// In how many graphs a feature was drawn.
    pub fn count(&self, feature: &str) -> usize {
        self.0.get(feature).copied().unwrap_or(0)
    }
}

/// Of which three at once count.
const GRAPH_FEATURES: &[&str] = &[
    "strides of their own",
    "paddings of their own",
    "dilation",
    "average pool",
    "add",
    "resize",
    "pad",
    "concat",
    "copy of a whole tensor",
    "zero points",
    "pointwise",
];

/// What a graph has that no chain of square windows has.
fn graph_features(columns: usize, graph: &Graph) -> Vec<&'static str> {
    let mut found = Vec::new();
    let mut add = |present: bool, feature| {
        if present {
            found.push(feature);
        }
    };
    let network = &graph.model.network;
    let program = &graph.program;
    let readers = network.readers();
    for step in &program.steps {
        let window = step.window();
        let (stride, dilation, padding) = (window.stride, window.dilation, window.padding);
        let own_strides = stride.rows != stride.columns;
        add(own_strides, "strides of their own");
        let pool = !step.convolution && step.taps() > 1 && !step.operand_tap;
        add(
            pool && !step.sums && own_strides,
            "max pool with strides of their own",
        );
        let windowed = step.convolution || pool;
        let sides = padding.sides().map(|(_, side)| side);
        let own_padding = sides.iter().any(|side| *side != sides[0]);
        add(windowed && own_padding, "paddings of their own");
        let dilated = dilation != Steps::ONE && step.taps() > 1;
        add(dilated, "dilation");
        add(dilated && pool, "dilated pool");
        add(
            dilated && dilation.rows != dilation.columns,
            "dilations of their own",
        );
        let several = step.output_tiles > 1;
        add(step.sets > 1, "average pool with nine sets of parameters");
        add(
            step.sets > 1 && several,
            "average pool over several tiles of channels",
        );
        add(
            step.operand_tap && several,
            "add over several tiles of channels",
        );
        add(
            step.repeats.0 != step.repeats.1,
            "resize by factors of their own",
        );
        add(
            step.source.base > 0,
            "source behind the beginning of a buffer",
        );
        let operand = step.operand.map_or(0, |operand| operand.place.base);
        add(operand > 0, "operand behind the beginning of a buffer");
        add(
            !step.wide && step.destination.base > 0,
            "output behind the beginning of a buffer",
        );
        add(
            !step.wide && step.destination.lane > 0,
            "slice that begins within a word",
        );
        let within = step.destination.lane % columns > 0;
        add(within, "slice that begins within a tile of columns");
        add(step.split, "slice that is written across tiles of columns");
        add(
            step.keep && !within,
            "slice that begins with a tile and leaves its last lanes to others",
        );
        add(
            within && step.layer().is_none(),
            "copied part that begins within a tile of columns",
        );
        add(step.wide && step.pixels() > 1, "map as result");
        add(
            step.wide && step.pixels() > 1 && several,
            "map as result over several tiles of columns",
        );
        let results = step.shapes.output.volume();
        add(step.wide && results > 256, "more than 256 results");
        let maps = program.stays.iter();
        let whole = maps.filter(|stay| {
            let place = (stay.buffer, stay.base);
            place == (step.destination.buffer, step.destination.base)
                && step.origin == Origin::Copy(stay.tensor)
        });
        add(whole.count() > 0, "copy of a whole tensor");
    }
    for (index, layer) in network.layers.iter().enumerate() {
        if layer.operation != Operation::Concat {
            continue;
        }
        add(true, "concat");
        if index + 1 == network.layers.len() {
            add(true, "results from a concat");
            continue;
        }
        let copied = |tensor: &&usize| {
            let output = program.outputs[index];
            program.steps.iter().any(|step| {
                step.origin == Origin::Copy(**tensor)
                    && step.destination.buffer == output.place.buffer
            })
        };
        let copies = layer.reads.iter().filter(copied).count();
        add(copies == 0, "concat without a copy");
        add(copies > 0, "concat with a copied part");
        let shared = layer.reads.iter().any(|&tensor| {
            tensor > 0
                && readers[tensor].len() > 1
                && program.outputs[tensor - 1].place.buffer == program.outputs[index].place.buffer
        });
        add(shared, "part of a concat that others read");
    }
    found
}

/// What a graph has that needs zero points or tables.
fn zero_features(configuration: &Configuration, graph: &Graph) -> Vec<&'static str> {
    let mut found = Vec::new();
    let mut add = |present: bool, feature| {
        if present {
            found.push(feature);
        }
    };
    let network = &graph.model.network;
    for step in &graph.program.steps {
        let source = step.source_zero != 0;
        let operand = step.operand.map_or(0, |operand| operand.zero) != 0;
        let padded = step.window().padding != Padding::NONE;
        add(source || operand, "zero points");
        add(
            source && step.convolution && padded,
            "zero point of padding",
        );
        if let Origin::Copy(tensor) = step.origin {
            add(network.zero(tensor) != 0, "zero point of a copy");
        }
        let rest = step.shapes.input.channels % configuration.rows != 0;
        add(
            source && step.convolution && rest,
            "zero point of lanes beyond the channels",
        );
        if let Some(tiling) = step.tiling.filter(|tiling| tiling.groups() > 1) {
            let diagonal = tiling.is_diagonal();
            add(source && diagonal, "zero point of a depthwise layer");
            add(source && !diagonal, "zero point of a grouped layer");
        }
        add(
            source && operand && step.operand_tap,
            "zero points of an add",
        );
        add(
            operand && step.convolution,
            "zero point of a residual operand",
        );
        add(step.table.is_some(), "pointwise");
        add(step.table > Some(0), "two tables");
        add(
            step.table.is_some() && step.output_tiles > 1,
            "pointwise over several tiles of channels",
        );
        add(step.table.is_some() && source, "pointwise on a zero point");
        let Some(layer) = step.layer() else { continue };
        match network.layers[layer].operation {
            Operation::MaxPool { .. } => {
                add(source && padded, "zero point of a padded max pool");
            }
            Operation::AveragePool { .. } => {
                add(source && padded, "zero point of a padded average pool");
            }
            Operation::Resize { .. } => add(source, "zero point of a resize"),
            Operation::Pad { .. } => add(source && padded, "zero point of a pad"),
            Operation::Pointwise => add(
                layer + 1 == network.layers.len(),
                "results from a pointwise layer",
            ),
            _ => {}
        }
    }
    found
}

fn layer_features(
    configuration: &Configuration,
    step: &Step,
    operation: &Operation,
) -> Vec<&'static str> {
    let s = &step.shapes;
    let mut found = vec![operation.kind()];
    let mut add = |present: bool, feature| {
        if present {
            found.push(feature);
        }
    };
    let window = s.window;
    let padding = window.padding.top;
    let dense = step.convolution && window == Window::whole(s.input);
    add(
        dense && s.input.pixels() == 1,
        "dense layer over a flat input",
    );
    add(dense && s.input.pixels() > 1, "dense layer over a map");
    add(window.stride.rows == 2, "stride 2");
    add(step.convolution && padding == 0, "padding 0");
    add(step.convolution && padding == 1, "padding 1");
    add(step.convolution && padding == 2, "padding 2");
    add(!step.convolution && padding > 0, "padded max pool");
    for side in [s.input.height, s.input.width] {
        add(side.is_multiple_of(2), "even side");
        add(side > 1 && !side.is_multiple_of(2), "odd side");
    }
    if let Some(operand) = step.operand.filter(|_| step.convolution) {
        add(operand.stride == 1, "residual at stride 1");
        add(operand.stride == 2, "residual at stride 2");
        let widening = operand.shape.channels < s.output.channels;
        add(widening, "residual with widening channels");
        let several = operand.shape.channels > configuration.columns;
        add(several, "residual over several tiles of channels");
    }
    let several = s.output.channels > configuration.columns;
    add(
        !step.convolution && several,
        "pool over several tiles of channels",
    );
    let rows_left = !s.input.channels.is_multiple_of(configuration.rows);
    add(step.convolution && rows_left, "rows not filled");
    let columns_left = !s.output.channels.is_multiple_of(configuration.columns);
    add(columns_left, "columns not filled");
    add(step.pixels() < 4, "fewer than 4 pixels");
    add(
        step.convolution && step.pixels() == configuration.words_per_tile(),
        "as many pixels as words in a tile",
    );
    add(window.height != window.width, "kernel that is not square");
    if let Some(tiling) = step.tiling.filter(|_| s.groups > 1) {
        let diagonal = tiling.is_diagonal();
        add(diagonal, "depthwise layer");
        add(
            diagonal && several,
            "depthwise layer over several tiles of channels",
        );
        add(!diagonal, "grouped layer");
        add(
            !diagonal && several,
            "grouped layer over several tiles of channels",
        );
        let (inputs, outputs) = (tiling.group_inputs(), tiling.group_outputs());
        let crosses = !configuration.rows.is_multiple_of(inputs)
            || !configuration.columns.is_multiple_of(outputs);
        add(!diagonal && several && crosses, "groups that cross tiles");
    }
    found
}
