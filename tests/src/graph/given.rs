//! Graphs of given operations, with drawn tensors and scales.

use super::{Graph, Node, chain, zeros};
use crate::tensors;
use brownout_golden::model::{InputMap, IntegerModel, Origin};
use brownout_spec::arithmetic::OutputScale;
use brownout_spec::config::Configuration;
use brownout_spec::program::{Layer, Network, Operation, Program, Shape};
use rand::Rng;

/// The nodes as a network whose scales say nothing yet.
pub(super) fn network(input: Shape, nodes: &[Node]) -> Network {
    let layer = |(index, node): (usize, &Node)| Layer {
        name: format!("layer{index}"),
        reads: node.reads.clone(),
        operation: node.operation,
        output: OutputScale {
            shift: 16,
            low: -128,
            high: 127,
        },
        zero: 0,
    };
    Network {
        input,
        input_zero: 0,
        layers: nodes.iter().enumerate().map(layer).collect(),
    }
}

/// A chain of given operations with drawn tensors and scales.
///
/// `None` if the configuration cannot run it.
pub fn with_operations(
    configuration: &Configuration,
    input: Shape,
    operations: &[Operation],
    random: &mut impl Rng,
) -> Option<Graph> {
    with_nodes(configuration, input, &chain(operations), random)
}

/// A graph of given nodes with drawn tensors and scales, those of operands included.
///
/// `None` if the configuration cannot run it.
pub fn with_nodes(
    configuration: &Configuration,
    input: Shape,
    nodes: &[Node],
    random: &mut impl Rng,
) -> Option<Graph> {
    let mut network = network(input, nodes);
    if configuration.zero_points {
        zeros::draw(&mut network, random);
    }
    let shapes = network.shapes().ok()?;
    let mut layers = Vec::new();
    for (layer, shapes) in network.layers.iter_mut().zip(&shapes) {
        let wide = layers.len() + 1 == nodes.len();
        let drawn = tensors::draw(configuration, layer.operation, shapes, wide, random);
        let zero = i64::from(layer.zero) << drawn.output.shift;
        let mut drawn = drawn;
        for channel in &mut drawn.tensors.channels {
            channel.bias += zero;
        }
        layer.operation = drawn.operation;
        layer.output = drawn.output;
        layers.push(drawn.tensors);
    }
    let program = Program::new(configuration, &network).ok()?;
    let model = IntegerModel {
        origin: Origin {
            name: "random graph".into(),
            dataset: "none".into(),
            accuracy: None,
            training: None,
        },
        weight_bits: configuration.weight_bits,
        code: configuration.code,
        input: InputMap::Centre,
        network,
        layers,
    };
    model.validate().ok()?;
    Some(Graph { model, program })
}
