//! Which macro a memory is made of, and how many of them.

use crate::memory::Shape;
use brownout_spec::macros::Macro;

/// Most macros that one memory may be made of.
pub const MOST_TILES: usize = 4096;

/// How macros of one kind make up a memory.
///
/// A lane takes whole mask parts, so that it can be written alone; parts follow each other through
/// the macros that stand side by side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tiling {
    /// Macros one behind another: the upper bits of the address choose.
    pub deep: usize,
    /// Macros side by side.
    pub wide: usize,
    /// Mask parts of a lane.
    pub parts: usize,
}

impl Tiling {
    /// A memory of one kind of macro.
    pub fn new(shape: Shape, one: &Macro) -> Self {
        let parts = shape.lane_bits.div_ceil(one.mask_bits());
        Self {
            deep: shape.words.div_ceil(one.words),
            wide: (parts * shape.lanes).div_ceil(one.mask_parts()),
            parts,
        }
    }

    /// Macros of one memory.
    pub fn count(&self) -> usize {
        self.deep * self.wide
    }

    /// Words that the macros have beyond the memory's.
    pub fn unused_words(&self, shape: Shape, one: &Macro) -> usize {
        self.deep * one.words - shape.words
    }

    /// Bits that the macros' words have beyond the memory's.
    pub fn unused_bits(&self, shape: Shape, one: &Macro) -> usize {
        self.wide * one.width - shape.width()
    }
}

/// The macro that takes the fewest bit cells, those with two ports counted twice; of equal ones
/// that of which the fewest are needed, then the first in the list. `None` if the memory needs two
/// ports and no macro has them.
pub fn choose(shape: Shape, one_port: bool, macros: &[Macro]) -> Option<usize> {
    let fits = |one: &Macro| one_port || one.ports.read_while_writing();
    let cost = |one: &Macro| {
        let count = Tiling::new(shape, one).count();
        let ports = 1 + usize::from(one.ports.read_while_writing());
        (count * one.words * one.width * ports, count)
    };
    let suited = macros.iter().enumerate().filter(|(_, one)| fits(one));
    suited.min_by_key(|(_, one)| cost(one)).map(|(at, _)| at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use brownout_spec::macros::{Pins, Ports};

    fn one(words: usize, width: usize, mask: usize, ports: Ports) -> Macro {
        Macro {
            name: "m".to_owned(),
            words,
            width,
            mask: Some(mask),
            ports,
            pins: Pins::Plain,
            column_mux: 1,
        }
    }

    fn shape(words: usize, lanes: usize, lane_bits: usize) -> Shape {
        Shape {
            words,
            lanes,
            lane_bits,
        }
    }

    #[test]
    fn a_memory_is_as_deep_and_wide_as_it_must_be_and_what_is_left_over_is_counted() {
        for (memory, (words, width, mask), (deep, wide, spare_words, spare_bits)) in [
            // Exactly, one word more, one word less.
            (shape(256, 1, 32), (256, 32, 32), (1, 1, 0, 0)),
            (shape(257, 1, 32), (256, 32, 32), (2, 1, 255, 0)),
            (shape(255, 1, 33), (256, 32, 32), (1, 2, 1, 31)),
            // Lanes share a macro whose mask parts divide them.
            (shape(1024, 8, 8), (256, 32, 8), (4, 2, 0, 0)),
            (shape(1024, 8, 8), (256, 32, 1), (4, 2, 0, 0)),
            // A mask as wide as the word: each lane needs a macro of its own.
            (shape(1024, 8, 8), (1024, 32, 32), (1, 8, 0, 192)),
            // Mask parts that do not divide a lane: a lane of 8 bits takes two of 5.
            (shape(16, 4, 8), (16, 20, 5), (1, 2, 0, 8)),
            // 72 bits written together may cross macros anywhere.
            (shape(4096, 1, 72), (1024, 64, 8), (4, 2, 0, 56)),
            (shape(1, 1, 32), (2, 1, 1), (1, 32, 1, 0)),
        ] {
            let one = one(words, width, mask, Ports::Two);
            let tiling = Tiling::new(memory, &one);
            assert_eq!((tiling.deep, tiling.wide), (deep, wide), "{memory:?}");
            assert_eq!(tiling.unused_words(memory, &one), spare_words, "{memory:?}");
            assert_eq!(tiling.unused_bits(memory, &one), spare_bits, "{memory:?}");
        }
    }

    #[test]
    fn the_fewest_bit_cells_are_taken_and_two_ports_only_where_they_must_be() {
        let list = [
            one(1024, 64, 8, Ports::Two),
            one(256, 64, 8, Ports::One),
            one(1024, 64, 8, Ports::One),
            one(1024, 64, 64, Ports::One),
        ];
        // Four small or one large with one port: equal cells, fewer macros.
        assert_eq!(choose(shape(1024, 8, 8), true, &list), Some(2));
        assert_eq!(choose(shape(1024, 8, 8), false, &list), Some(0));
        assert_eq!(choose(shape(200, 8, 8), true, &list), Some(1));
        assert_eq!(choose(shape(200, 8, 8), false, &list[1..]), None);
    }
}
