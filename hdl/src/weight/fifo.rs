//! Decoded words that wait for their tile.

use crate::comment;
use crate::memory::Memory;
use rust_hdl::prelude::*;

/// A FIFO of words of `lanes` weights; the memory's output register is the array's port.
///
/// It has no full flag: [`AddressCounter`](super::AddressCounter) never asks for more than fits.
#[derive(LogicBlock)]
pub struct WordFifo<const WB: usize> {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Synchronous reset.
    pub reset: Signal<In, Bit>,
    /// Forgets all words.
    pub clear: Signal<In, Bit>,
    /// Takes a word.
    pub write: Signal<In, Bit>,
    /// The word's weights.
    pub write_weight: Vec<Signal<In, Bits<WB>>>,
    /// Takes the oldest word out; only while one is available.
    pub pop: Signal<In, Bit>,
    /// Whether there is a word.
    pub available: Signal<Out, Bit>,
    /// Whether there will be one in the next cycle.
    pub available_next: Signal<Out, Bit>,
    /// The word popped last, from one cycle after on.
    pub weight: Vec<Signal<Out, Bits<WB>>>,
    memory: Memory<WB>,
    // Wider than an address, so that a full FIFO differs from an empty one.
    head: DFF<Bits<7>>,
    tail: DFF<Bits<7>>,
    stored: DFF<Bits<7>>,
    any_stored: DFF<Bit>,
    any_next: Signal<Local, Bit>,
    _lanes: usize,
}

impl<const WB: usize> WordFifo<WB> {
    /// A FIFO of `depth` words, a power of two of at most 64, of `lanes` weights.
    pub fn new(depth: usize, lanes: usize) -> Self {
        assert!(
            depth.is_power_of_two() && depth <= 64,
            "the pointers have seven bits and wrap at a power of two"
        );
        Self {
            clock: Default::default(),
            reset: Default::default(),
            clear: Default::default(),
            write: Default::default(),
            write_weight: (0..lanes).map(|_| Default::default()).collect(),
            pop: Default::default(),
            available: Default::default(),
            available_next: Default::default(),
            weight: (0..lanes).map(|_| Default::default()).collect(),
            memory: Memory::new(depth, lanes),
            head: Default::default(),
            tail: Default::default(),
            stored: Default::default(),
            any_stored: Default::default(),
            any_next: Default::default(),
            _lanes: lanes,
        }
    }
}

impl<const WB: usize> Logic for WordFifo<WB> {
    #[hdl_gen]
    fn update(&mut self) {
        comment!("module weight_fifo: Decoded words that wait for their tile.");
        comment!(
            "It cannot overflow: no more words are asked for than fit. A popped word stands at \
             the output from one clock later on, until the next one does."
        );
        comment!("ports clear: forgets all words");
        comment!("ports write: decoder");
        comment!("ports pop: array");
        dff_setup!(self, clock, head, tail, stored, any_stored);
        self.memory.clock.next = self.clock.val();
        self.memory.read_enable.next = self.pop.val();
        self.memory.read_address.next = bit_cast::<23, 7>(self.head.q.val());
        self.memory.write_address.next = bit_cast::<23, 7>(self.tail.q.val());
        for l in 0..self._lanes {
            self.memory.write_enable[l].next = self.write.val();
            self.memory.write_data[l].next = self.write_weight[l].val();
            self.weight[l].next = self.memory.read_data[l].val();
        }
        self.available.next = self.any_stored.q.val();
        self.any_next.next = self.any_stored.q.val();
        if self.write.val() {
            self.tail.d.next = self.tail.q.val() + 1;
        }
        if self.pop.val() {
            self.head.d.next = self.head.q.val() + 1;
        }
        if self.write.val() && !self.pop.val() {
            self.stored.d.next = self.stored.q.val() + 1;
        }
        if self.pop.val() && !self.write.val() {
            self.stored.d.next = self.stored.q.val() - 1;
            self.any_next.next = self.stored.q.val() != 1;
        }
        if self.write.val() {
            self.any_next.next = true;
        }
        if self.clear.val() || self.reset.val() {
            self.stored.d.next = 0.into();
            self.any_next.next = false;
            self.head.d.next = 0.into();
            self.tail.d.next = 0.into();
        }
        self.any_stored.d.next = self.any_next.val();
        self.available_next.next = self.any_next.val();
    }
}
