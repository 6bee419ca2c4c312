//! What was drawn: counts of the features that the random graphs must cover.

use crate::graph::Graph;
use crate::session::Conditions;
use brownout_spec::config::Configuration;
use brownout_spec::program::{Operation, Step, Window};
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

impl Census {
    /// Counts one graph.
    pub fn add(
        &mut self,
        configuration: &Configuration,
        graph: &Graph,
        conditions: &Conditions,
        stalls: f64,
    ) {
        let mut found: Vec<String> = graph
            .program
            .steps
            .iter()
            .filter_map(|step| Some((step, &graph.model.network.layers[step.layer()?])))
            .flat_map(|(step, layer)| layer_features(configuration, step, &layer.operation))
            .map(str::to_owned)
            .collect();
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
        FEATURES
            .iter()
            .map(|&feature| (feature, self.0.get(feature).copied().unwrap_or(0)))
            .filter(|(_, count)| *count < least)
            .collect()
    }
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
    found
}
