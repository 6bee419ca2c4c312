//! Concatenated tensors: which of their parts are written straight into their slices.
//!
//! A concat takes no pass where its parts' producers write into it and the part lies nowhere else.
//! It is free where each slice begins at a multiple of the columns; elsewhere columns are written
//! from a lane of their tile on, and what reaches beyond it in a clock of its own. What cannot be
//! written so is copied by a pass.

use super::{Network, Operation, Shape};
use crate::config::Configuration;

/// A tensor as a range of channels of the map that it is stored in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Slice {
    /// The tensor whose whole map is stored: itself, or a concatenated one.
    pub root: usize,
    /// Channels of that map before it.
    pub channel: usize,
}

/// A part of a concatenated tensor that is copied into its slice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Copied {
    /// The concat.
    pub layer: usize,
    /// The tensor that it reads.
    pub tensor: usize,
    /// Where in the concatenated tensor it begins.
    pub channel: usize,
}

/// How a part of a concatenated tensor comes into its slice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// The concat.
    pub layer: usize,
    /// The tensor that it reads.
    pub tensor: usize,
    /// Where in the concatenated tensor it begins.
    pub channel: usize,
    /// Whether a pass copies it; else who makes it writes it there.
    pub copied: bool,
    /// Lane of a tile of columns in which it begins; from another one than 0 on, a pixel takes two
    /// clocks where it reaches beyond the tile.
    pub lane: usize,
}

/// How every tensor of a network is stored.
#[derive(Clone, Debug)]
pub(super) struct Slices {
    /// For each tensor, where it lies.
    pub of: Vec<Slice>,
    /// Parts that are copied, in the order of the layers.
    pub copied: Vec<Copied>,
    /// For each tensor the concat whose part it is without a copy.
    joined: Vec<Option<usize>>,
}

impl Slices {
    /// Decides it for a network whose tensors have these shapes.
    pub fn new(configuration: &Configuration, network: &Network, tensors: &[Shape]) -> Self {
        let whole = |root| Slice { root, channel: 0 };
        let mut slices = Self {
            of: (0..tensors.len()).map(whole).collect(),
            copied: Vec::new(),
            joined: vec![None; tensors.len()],
        };
        // From the last one back, so that what a concat is itself a part of is known.
        for layer in (0..network.layers.len()).rev() {
            if network.layers[layer].operation == Operation::Concat {
                slices.join(configuration, network, tensors, layer);
            }
        }
        slices.copied.sort_by_key(|part| (part.layer, part.channel));
        slices
    }

    fn join(
        &mut self,
        configuration: &Configuration,
        network: &Network,
        tensors: &[Shape],
        layer: usize,
    ) {
        let to = self.of[layer + 1];
        let mut channel = 0;
        for &tensor in &network.layers[layer].reads {
            let slice = Slice {
                root: to.root,
                channel: to.channel + channel,
            };
            if self.joins(configuration, network, layer, tensor, slice) {
                self.of[tensor] = slice;
                self.joined[tensor] = Some(layer);
            } else {
                self.copied.push(Copied {
                    layer,
                    tensor,
                    channel,
                });
            }
            channel += tensors[tensor].channels;
        }
    }

    /// Whether a tensor is a part of a concat that needs no copy.
    pub fn is_part(&self, concat: usize, tensor: usize) -> bool {
        self.joined[tensor] == Some(concat)
    }

    /// Every part of every concat, in the order of the layers and of what they read.
    pub fn parts(&self, columns: usize, network: &Network, tensors: &[Shape]) -> Vec<Part> {
        let mut parts = Vec::new();
        for (layer, this) in network.layers.iter().enumerate() {
            if this.operation != Operation::Concat {
                continue;
            }
            let mut channel = 0;
            for &tensor in &this.reads {
                parts.push(Part {
                    layer,
                    tensor,
                    channel,
                    copied: !self.is_part(layer, tensor),
                    lane: (self.of[layer + 1].channel + channel) % columns,
                });
                channel += tensors[tensor].channels;
            }
        }
        parts
    }

    /// Whether who writes `part` so many channels behind the first one of a tensor must leave the
    /// lanes beyond it as they are: another part of the map may lie there, or the map may end.
    pub fn keeps(
        &self,
        columns: usize,
        tensors: &[Shape],
        tensor: usize,
        channel: usize,
        part: usize,
    ) -> bool {
        let slice = self.of[tensor];
        let first = slice.channel + channel;
        let end = first + tensors[part].channels;
        let within = |channel: usize| !channel.is_multiple_of(columns);
        within(first) || (within(end) && end < tensors[slice.root].channels)
    }

    /// Whether lanes beyond a tensor's channels, up to the next multiple of the columns, are zero.
    pub fn is_padded(
        &self,
        columns: usize,
        network: &Network,
        tensors: &[Shape],
        tensor: usize,
    ) -> bool {
        let layer = tensor.checked_sub(1).map(|layer| &network.layers[layer]);
        match layer.filter(|layer| layer.operation == Operation::Concat) {
            None => !self.keeps(columns, tensors, tensor, 0, tensor),
            Some(concat) => {
                let last = concat.reads[concat.reads.len() - 1];
                let channel = tensors[tensor].channels - tensors[last].channels;
                match self.is_part(tensor - 1, last) {
                    true => self.is_padded(columns, network, tensors, last),
                    false => !self.keeps(columns, tensors, tensor, channel, last),
                }
            }
        }
    }

    /// Whether a tensor can lie in a slice of another one and nowhere else.
    fn joins(
        &self,
        configuration: &Configuration,
        network: &Network,
        concat: usize,
        tensor: usize,
        slice: Slice,
    ) -> bool {
        // The host writes the input; a tensor lies in one place only, and once.
        let times = |layer: usize| {
            let reads = network.layers[layer].reads.iter();
            reads.filter(|&&read| read == tensor).count()
        };
        if tensor == 0 || self.of[tensor].root != tensor || times(concat) != 1 {
            return false;
        }
        // The array and the operand port read maps that begin with a word.
        let alone = network.readers()[tensor] == [concat];
        let aligned = slice
            .channel
            .is_multiple_of(configuration.activation_lanes());
        if !alone && !aligned {
            return false;
        }
        // A buffer is read or written by a pass, and for one purpose: nothing that is read
        // together with a part of the map, or to make one, may lie in the map.
        let inside = |other: usize| other == tensor || self.of[other].root == slice.root;
        let is_part = |of: usize, read: usize| match read == tensor {
            true => of == concat,
            false => self.is_part(of, read),
        };
        network.layers.iter().enumerate().all(|(index, layer)| {
            let reads = layer.reads.iter().filter(|&&read| inside(read));
            match (inside(index + 1), layer.operation == Operation::Concat) {
                (true, true) => reads.copied().all(|read| is_part(index, read)),
                (true, false) => reads.count() == 0,
                (false, true) => true,
                (false, false) => reads.count() <= 1,
            }
        })
    }
}

#[cfg(test)]
mod tests;
