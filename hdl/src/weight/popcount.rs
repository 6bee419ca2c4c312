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
    bit: Vec<Signal<Local, Bits<4>>>,
    ones_of_byte: Vec<DFF<Bits<4>>>,
    /// A heap: node i is the sum of nodes 2i and 2i + 1, the bytes are the last ones.
    sum: Vec<Signal<Local, Bits<7>>>,
    count_register: DFF<Bits<7>>,
    _bytes: usize,
}

impl<const N: usize> Default for PopCount<N> {
    fn default() -> Self {
        Self {
            clock: Default::default(),
            word: Default::default(),
            count: Default::default(),
            bit: (0..N).map(|_| Default::default()).collect(),
            ones_of_byte: (0..N / 8).map(|_| Default::default()).collect(),
            sum: (0..2 * (N / 8)).map(|_| Default::default()).collect(),
            count_register: Default::default(),
            _bytes: N / 8,
        }
    }
}

impl<const N: usize> Logic for PopCount<N> {
    #[hdl_gen]
    fn update(&mut self) {
        comment!("module popcount: Ones of a word, two clocks later.");
        comment!("Counts the bits that the fault emulation flips, in weight_path.");
        comment!("ports word: what is counted, and the count");
        dff_setup!(self, clock, count_register);
        comment!("first clock: the ones of each byte");
        for i in 0..N {
            self.bit[i].next = self.word.val().get_bits::<1>(i).index().to_bits::<4>();
        }
        for b in 0..self._bytes {
            self.ones_of_byte[b].clock.next = self.clock.val();
            self.ones_of_byte[b].d.next = ((self.bit[8 * b].val() + self.bit[8 * b + 1].val())
                + (self.bit[8 * b + 2].val() + self.bit[8 * b + 3].val()))
                + ((self.bit[8 * b + 4].val() + self.bit[8 * b + 5].val())
                    + (self.bit[8 * b + 6].val() + self.bit[8 * b + 7].val()));
        }
        comment!("second clock: their sum, pair by pair");
        for bytes in self._bytes..(self._bytes + 1) {
            for b in 0..self._bytes {
                self.sum[bytes + b].next = self.ones_of_byte[b].q.val().index().to_bits::<7>();
            }
            for i in 1..self._bytes {
                self.sum[bytes - i].next =
                    self.sum[2 * (bytes - i)].val() + self.sum[2 * (bytes - i) + 1].val();
            }
        }
        self.count_register.d.next = self.sum[1].val();
        self.count.next = self.count_register.q.val();
    }
}
