//! Where feature maps lie in the activation buffers.

use super::Shape;
use crate::config::Configuration;

/// Number of activation buffers.
pub const BUFFERS: usize = 3;

/// Where a tensor begins.
///
/// Channel *c* of pixel *p* lies in word `base` + ((`lane` + c) / lanes) · pixels + p, lane
/// (`lane` + c) mod lanes, with lanes = max(rows, columns) of the array.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Which of the buffers, 0 to 2.
    pub buffer: usize,
    /// Address of its first word.
    pub base: usize,
    /// Lane of its first channel in that word; 0 but in a slice of a concatenated tensor, and in
    /// one that is read a multiple of the columns.
    pub lane: usize,
}

/// A run of words in a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Spot {
    /// Which buffer.
    pub buffer: usize,
    /// Address of its first word.
    pub base: usize,
}

impl Spot {
    /// The place of what begins so many channels behind the first one of a map that lies here.
    pub fn place(self, configuration: &Configuration, map: Shape, channel: usize) -> Place {
        let lanes = configuration.activation_lanes();
        Place {
            buffer: self.buffer,
            base: self.base + channel / lanes * map.pixels(),
            lane: channel % lanes,
        }
    }
}

/// Words that a map takes: one for each pixel and group of max(rows, columns) channels.
pub fn map_words(configuration: &Configuration, map: Shape) -> usize {
    map.channels.div_ceil(configuration.activation_lanes()) * map.pixels()
}
