//! The accumulator: sums or maxima over taps and input tiles, in a memory of its own.

use crate::comment;
use crate::memory::Memory;
use rust_hdl::prelude::*;

/// Adds a column's partial sums (or pool operands) to what its memory holds.
///
/// Cycles, counted from the one in which the control reaches the column: 0 the
/// memory is read, 1 the operand joins, 2 the value is written back, or leaves
/// if it was the last one. So an address may be read again three cycles later.
#[derive(LogicBlock)]
pub struct Accumulator {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Synchronous reset.
    pub reset: Signal<In, Bit>,
    /// Address to read, cycle 0.
    pub read_address: Signal<In, Bits<14>>,
    /// A value arrives, cycle 1.
    pub valid: Signal<In, Bit>,
    /// It starts a new accumulation, cycle 1.
    pub first: Signal<In, Bit>,
    /// It completes one and is not written back, cycle 1.
    pub last: Signal<In, Bit>,
    /// Where to write it back, cycle 1.
    pub address: Signal<In, Bits<14>>,
    /// From the array, cycle 1.
    pub partial_sum: Signal<In, Bits<32>>,
    /// Activation to pool, cycle 1.
    pub operand: Signal<In, Bits<8>>,
    /// The layer pools: the operand counts, not the partial sum.
    pub pool: Signal<In, Bit>,
    /// The layer takes maxima.
    pub maximum: Signal<In, Bit>,
    /// Accumulated value, cycle 2.
    pub value: Signal<Out, Bits<32>>,
    memory: Memory<32>,
    accumulated: DFF<Bits<32>>,
    write: DFF<Bit>,
    write_address: DFF<Bits<14>>,
    stored: Signal<Local, Signed<8>>,
    operand_signed: Signal<Local, Signed<8>>,
    operand_wide: Signal<Local, Signed<32>>,
    term: Signal<Local, Bits<32>>,
    base: Signal<Local, Bits<32>>,
}

impl Accumulator {
    /// An accumulator of `depth` addresses.
    pub fn new(depth: usize) -> Self {
        Self {
            clock: Default::default(),
            reset: Default::default(),
            read_address: Default::default(),
            valid: Default::default(),
            first: Default::default(),
            last: Default::default(),
            address: Default::default(),
            partial_sum: Default::default(),
            operand: Default::default(),
            pool: Default::default(),
            maximum: Default::default(),
            value: Default::default(),
            memory: Memory::new(depth, 1),
            accumulated: Default::default(),
            write: Default::default(),
            write_address: Default::default(),
            stored: Default::default(),
            operand_signed: Default::default(),
            operand_wide: Default::default(),
            term: Default::default(),
            base: Default::default(),
        }
    }
}

impl Logic for Accumulator {
    // A maximum never leaves the range of an activation, so eight bits decide it.
    #[hdl_gen]
    fn update(&mut self) {
        comment!("module accumulator: Sums or maxima of one column's output pixels, in a memory.");
        comment!(
            "A pixel's value is read, changed and written back in 3 clocks, so a pixel comes back \
             no sooner; the last tile's values are only given out."
        );
        comment!("ports read_address: output pixel, one clock ahead of its partial sum");
        comment!("ports valid: a partial sum, and its tile");
        comment!(
            "ports partial_sum: what is folded in: of the array, or in pools of the operand port"
        );
        comment!("ports pool: the layer");
        comment!("ports value: the result, one clock later");
        dff_setup!(self, clock, accumulated, write, write_address);
        self.memory.clock.next = self.clock.val();
        self.memory.read_enable.next = true;
        self.memory.read_address.next = bit_cast::<20, 14>(self.read_address.val());

        self.operand_signed.next = signed_cast(self.operand.val());
        self.operand_wide.next = signed_bit_cast::<32, 8>(self.operand_signed.val());
        self.term.next = self.partial_sum.val();
        if self.pool.val() {
            self.term.next = unsigned_cast(self.operand_wide.val());
        }
        self.base.next = self.memory.read_data[0].val();
        if self.first.val() || self.maximum.val() {
            self.base.next = 0.into();
        }
        self.stored.next = signed_cast(self.memory.read_data[0].val().get_bits::<8>(0));
        if self.valid.val() {
            self.accumulated.d.next = self.base.val() + self.term.val();
            if self.maximum.val()
                && !self.first.val()
                && (self.stored.val() > self.operand_signed.val())
            {
                self.accumulated.d.next = self.memory.read_data[0].val();
            }
        }

        self.write.d.next = self.valid.val() && !self.last.val();
        self.write_address.d.next = self.address.val();
        self.memory.write_address.next = bit_cast::<20, 14>(self.write_address.q.val());
        self.memory.write_enable[0].next = self.write.q.val();
        self.memory.write_data[0].next = self.accumulated.q.val();
        self.value.next = self.accumulated.q.val();
        if self.reset.val() {
            self.write.d.next = false;
        }
    }
}
