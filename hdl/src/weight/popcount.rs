//! How many bits of a word were flipped.

use crate::comment;
use rust_hdl::prelude::*;

/// Counts the ones of a word, eight lanes at a time and then all; two clocks.
#[derive(LogicBlock)]
pub struct PopCount<const N: usize> {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Bits to count.
    pub word: Signal<In, Bits<N>>,
    /// Ones of the word presented two cycles earlier.
    pub count: Signal<Out, Bits<7>>,
    ones: Vec<Signal<Local, Bits<4>>>,
    ones_of_byte: Vec<DFF<Bits<4>>>,
    wide: Vec<Signal<Local, Bits<7>>>,
    sum: Signal<Local, Bits<7>>,
    total: DFF<Bits<7>>,
    _bytes: usize,
}

impl<const N: usize> Default for PopCount<N> {
    fn default() -> Self {
        Self {
            clock: Default::default(),
            word: Default::default(),
            count: Default::default(),
            ones: (0..N / 8).map(|_| Default::default()).collect(),
            ones_of_byte: (0..N / 8).map(|_| Default::default()).collect(),
            wide: (0..N / 8).map(|_| Default::default()).collect(),
            sum: Default::default(),
            total: Default::default(),
            _bytes: N / 8,
        }
    }
}

impl<const N: usize> Logic for PopCount<N> {
    #[hdl_gen]
    fn update(&mut self) {
        comment!("module popcount: ones of a word");
        dff_setup!(self, clock, total);
        self.sum.next = 0.into();
        for byte in 0..self._bytes {
            self.ones_of_byte[byte].clock.next = self.clock.val();
            self.ones[byte].next = 0.into();
            for bit in 0..8 {
                if self.word.val().get_bit(8 * byte + bit) {
                    self.ones[byte].next = self.ones[byte].val() + 1;
                }
            }
            self.ones_of_byte[byte].d.next = self.ones[byte].val();
            self.wide[byte].next = self.ones_of_byte[byte].q.val().index().to_bits::<7>();
            self.sum.next = self.sum.val() + self.wide[byte].val();
        }
        self.total.d.next = self.sum.val();
        self.count.next = self.total.q.val();
    }
}
