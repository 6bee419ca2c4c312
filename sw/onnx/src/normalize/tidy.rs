//! The last pass: layers that the output does not need go, and the account says where.

use super::value::Value;
use super::walk::Walk;
use crate::error::quoted;
use crate::network::{Entry, Fate, Layer, Network, TensorId, TensorInfo};

impl Walk<'_> {
    /// The network.
    ///
    /// # Errors
    /// An output that does not depend on the input, or no layer at all.
    pub fn finish(mut self) -> Result<Network, String> {
        let name = quoted(&self.graph.values[self.graph.output].name);
        match &self.values[self.graph.output] {
            Some(Value::Activation(output)) => self.network.output = output.tensor,
            _ => {
                return Err(format!(
                    "the output {name} does not depend on the network's input"
                ));
            }
        }
        for node in &self.graph.unused {
            let reason = "the output does not need it".to_owned();
            let (node, fate) = (node.clone(), Fate::Dropped(reason));
            self.network.account.push(Entry { node, fate });
        }
        let network = needed(self.network);
        match network.layers.is_empty() {
            false => Ok(network),
            true => Err(format!(
                "no node between the input and the output {name} computes"
            )),
        }
    }
}

/// The network without what its output does not need.
fn needed(network: Network) -> Network {
    let mut wanted = vec![false; network.tensors.len()];
    wanted[network.output] = true;
    for layer in network.layers.iter().rev() {
        if wanted[layer.writes] {
            for &read in &layer.reads {
                wanted[read] = true;
            }
        }
    }
    // The input stays, whatever becomes of it.
    wanted[network.input] = true;
    let mut places = vec![0; network.tensors.len()];
    let mut tensors: Vec<TensorInfo> = Vec::new();
    for (at, tensor) in network.tensors.into_iter().enumerate() {
        places[at] = tensors.len();
        if wanted[at] {
            tensors.push(tensor);
        }
    }
    let place = |tensor: TensorId| places[tensor];
    let mut layers = Vec::new();
    let mut moved = Vec::new();
    for layer in network.layers {
        let kept = wanted[layer.writes];
        moved.push(kept.then_some(layers.len()));
        if kept {
            layers.push(Layer {
                reads: layer.reads.iter().map(|&t| place(t)).collect(),
                writes: place(layer.writes),
                ..layer
            });
        }
    }
    let account = network.account.into_iter().map(|entry| {
        let Fate::Layers(old) = &entry.fate else {
            return entry;
        };
        let new: Vec<usize> = old.iter().filter_map(|&at| moved[at]).collect();
        let fate = match new.is_empty() {
            true => Fate::Merged("a later node does its part".to_owned()),
            false => Fate::Layers(new),
        };
        Entry { fate, ..entry }
    });
    Network {
        account: account.collect(),
        tensors,
        layers,
        input: place(network.input),
        output: place(network.output),
        ..network
    }
}
