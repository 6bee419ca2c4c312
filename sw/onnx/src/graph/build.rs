//! Puts a graph together and checks that every value is defined, once.

use super::{Graph, Input, Node, Value, ValueId, order};
use crate::error::quoted;
use crate::tensor::Tensor;
use std::collections::HashMap;
use std::collections::hash_map::Entry;

/// A graph in the making: values by name.
#[derive(Debug, Default)]
pub struct GraphBuilder {
    values: Vec<Value>,
    by_name: HashMap<String, ValueId>,
    nodes: Vec<Node>,
}

impl GraphBuilder {
    /// The value of that name, which may be defined later.
    pub fn value(&mut self, name: &str) -> ValueId {
        match self.by_name.entry(name.to_owned()) {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(free) => {
                let name = name.to_owned();
                self.values.push(Value {
                    name,
                    constant: None,
                });
                *free.insert(self.values.len() - 1)
            }
        }
    }

    /// Defines a constant.
    ///
    /// # Errors
    /// A name that is there twice.
    pub fn constant(&mut self, name: &str, tensor: Tensor) -> Result<(), String> {
        let id = self.value(name);
        let place = &mut self.values[id].constant;
        match place.replace(tensor) {
            None => Ok(()),
            Some(_) => Err(format!(
                "two initializers are named {}; allowed is one",
                quoted(name)
            )),
        }
    }

    /// Whether that name is a constant's.
    pub fn is_constant(&self, name: &str) -> bool {
        let known = self.by_name.get(name);
        known.is_some_and(|&id| self.values[id].constant.is_some())
    }

    /// Adds a node, in any order.
    pub fn node(&mut self, node: Node) {
        self.nodes.push(node);
    }

    /// The graph, its nodes in order, those left out that the output does not need.
    ///
    /// # Errors
    /// A value that is defined twice or never, or a circle.
    pub fn finish(self, input: Input, output: ValueId) -> Result<Graph, String> {
        let mut makers: Vec<Option<usize>> = vec![None; self.values.len()];
        for (at, node) in self.nodes.iter().enumerate() {
            for &value in node.outputs.iter().flatten() {
                let name = &self.values[value].name;
                if self.values[value].constant.is_some() || value == input.value {
                    return Err(format!(
                        "{} computes {}, which is also an input or initializer; allowed are \
                         names that are defined once",
                        node.label(),
                        quoted(name)
                    ));
                }
                if let Some(other) = makers[value].replace(at) {
                    return Err(format!(
                        "{} and {} both compute {}; allowed are names that are defined once",
                        self.nodes[other].label(),
                        node.label(),
                        quoted(name)
                    ));
                }
            }
        }
        let defined = |value: ValueId| {
            makers[value].is_some() || value == input.value || self.values[value].constant.is_some()
        };
        for node in &self.nodes {
            if let Some(&value) = node.inputs.iter().flatten().find(|&&v| !defined(v)) {
                return Err(format!(
                    "{} reads {}, which nothing defines; allowed are the graph's inputs, \
                     initializers and the results of nodes",
                    node.label(),
                    quoted(&self.values[value].name)
                ));
            }
        }
        if !defined(output) {
            return Err(format!(
                "the output {} is computed by no node",
                quoted(&self.values[output].name)
            ));
        }
        let order = order::order(&self.nodes, &makers)?;
        let needed = order::needed(&self.nodes, &makers, output);
        let mut unused = Vec::new();
        let mut places: Vec<Option<Node>> = self.nodes.into_iter().map(Some).collect();
        let mut nodes = Vec::with_capacity(order.len());
        for at in order {
            match places[at].take() {
                Some(node) if needed[at] => nodes.push(node),
                Some(node) => unused.push(node.label()),
                None => {}
            }
        }
        Ok(Graph {
            values: self.values,
            nodes,
            input,
            output,
            unused,
        })
    }
}
