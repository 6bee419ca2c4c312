//! The accumulator: sums or maxima over taps and input tiles, in a memory of its own.

use crate::comment;
use crate::memory::Memory;
use rust_hdl::prelude::*;

/// Adds a column's partial sums (or pool operands, of `AB` bits) to what its memory holds.
///
/// Cycles, counted from the one in which the control reaches the column: 0 the
/// memory is read, 1 its word and the new term are registered, 2 they are added and
/// compared, 3 one of them is chosen, 4 the value is written back, or leaves if it was the
/// last one. So an address may be read again five cycles later. Block RAM is slow to answer:
/// nothing but one register stands behind it, which can be the block's own.
#[derive(LogicBlock)]
pub struct Accumulator<const AB: usize> {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Synchronous reset.
    pub reset: Signal<In, Bit>,
    /// Address to read, cycle 0.
    pub read_address: Signal<In, Bits<16>>,
    /// A value arrives, cycle 1.
    pub valid: Signal<In, Bit>,
    /// It starts a new accumulation, cycle 1.
    pub first: Signal<In, Bit>,
    /// It completes one and is not written back, cycle 1.
    pub last: Signal<In, Bit>,
    /// Where to write it back, cycle 1.
    pub address: Signal<In, Bits<16>>,
    /// From the array, cycle 1.
    pub partial_sum: Signal<In, Bits<32>>,
    /// Activation to pool, cycle 1.
    pub operand: Signal<In, Bits<AB>>,
    /// The layer pools: the operand counts, not the partial sum.
    pub pool: Signal<In, Bit>,
    /// The layer adds a residual, which a pool does not fold.
    pub residual: Signal<In, Bit>,
    /// The layer takes maxima.
    pub maximum: Signal<In, Bit>,
    /// Accumulated value, cycle 4.
    pub value: Signal<Out, Bits<32>>,
    memory: Memory<32>,
    stored: DFF<Bits<32>>,
    alone: DFF<Bit>,
    term: DFF<Bits<32>>,
    added: DFF<Bit>,
    compared: DFF<Bit>,
    kept: DFF<Bit>,
    sum_address: DFF<Bits<16>>,
    sum: DFF<Bits<32>>,
    greatest: DFF<Bits<AB>>,
    greater: DFF<Bit>,
    chosen: DFF<Bit>,
    kept_late: DFF<Bit>,
    late_address: DFF<Bits<16>>,
    accumulated: DFF<Bits<32>>,
    write: DFF<Bit>,
    write_address: DFF<Bits<16>>,
    operand_signed: Signal<Local, Signed<AB>>,
    operand_wide: Signal<Local, Signed<32>>,
    base: Signal<Local, Bits<32>>,
    stored_signed: Signal<Local, Signed<AB>>,
    greatest_signed: Signal<Local, Signed<AB>>,
    greatest_wide: Signal<Local, Signed<32>>,
    term_signed: Signal<Local, Signed<AB>>,
}

impl<const AB: usize> Accumulator<AB> {
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
            residual: Default::default(),
            maximum: Default::default(),
            value: Default::default(),
            memory: Memory::new(depth, 1),
            stored: Default::default(),
            alone: Default::default(),
            term: Default::default(),
            added: Default::default(),
            compared: Default::default(),
            kept: Default::default(),
            sum_address: Default::default(),
            sum: Default::default(),
            greatest: Default::default(),
            greater: Default::default(),
            chosen: Default::default(),
            kept_late: Default::default(),
            late_address: Default::default(),
            accumulated: Default::default(),
            write: Default::default(),
            write_address: Default::default(),
            operand_signed: Default::default(),
            operand_wide: Default::default(),
            base: Default::default(),
            stored_signed: Default::default(),
            greatest_signed: Default::default(),
            greatest_wide: Default::default(),
            term_signed: Default::default(),
        }
    }
}

impl<const AB: usize> Logic for Accumulator<AB> {
    // A maximum never leaves the range of an operand, so its bits decide it.
    #[hdl_gen]
    fn update(&mut self) {
        comment!("module accumulator: Sums or maxima of one column's output pixels, in a memory.");
        comment!(
            "A pixel's value is read, changed and written back in 5 clocks, so a pixel comes back \
             no sooner; the last tile's values are only given out."
        );
        comment!("ports read_address: output pixel, one clock ahead of its partial sum");
        comment!("ports valid: a partial sum, and its tile");
        comment!(
            "ports partial_sum: what is folded in: of the array, or in pools of the operand port"
        );
        comment!("ports pool: the layer");
        comment!("ports value: the result, three clocks later");
        dff_setup!(
            self,
            clock,
            stored,
            alone,
            term,
            added,
            compared,
            kept,
            sum_address,
            sum,
            greatest,
            greater,
            chosen,
            kept_late,
            late_address,
            accumulated,
            write,
            write_address
        );
        self.memory.clock.next = self.clock.val();
        self.memory.read_enable.next = true;
        self.memory.read_address.next = bit_cast::<23, 16>(self.read_address.val());

        comment!("cycle 1: the memory's word, and what joins it");
        self.stored.d.next = self.memory.read_data[0].val();
        self.alone.d.next = self.first.val() || self.maximum.val();
        self.operand_signed.next = signed_cast(self.operand.val());
        self.operand_wide.next = signed_bit_cast::<32, AB>(self.operand_signed.val());
        if self.valid.val() {
            self.term.d.next = self.partial_sum.val();
            if self.pool.val() {
                self.term.d.next = unsigned_cast(self.operand_wide.val());
                if self.residual.val() && self.last.val() {
                    self.term.d.next = 0.into();
                }
            }
        }
        self.added.d.next = self.valid.val();
        self.compared.d.next = self.maximum.val() && !self.first.val();
        self.kept.d.next = self.valid.val() && !self.last.val();
        self.sum_address.d.next = self.address.val();

        comment!("cycle 2: the sum, and whether the stored maximum is greater");
        self.base.next = self.stored.q.val();
        if self.alone.q.val() {
            self.base.next = 0.into();
        }
        self.stored_signed.next = signed_cast(self.stored.q.val().get_bits::<AB>(0));
        self.term_signed.next = signed_cast(self.term.q.val().get_bits::<AB>(0));
        if self.added.q.val() {
            self.sum.d.next = self.base.val() + self.term.q.val();
            self.greatest.d.next = unsigned_cast(self.stored_signed.val());
            self.greater.d.next =
                self.compared.q.val() && (self.stored_signed.val() > self.term_signed.val());
        }
        self.chosen.d.next = self.added.q.val();
        self.kept_late.d.next = self.kept.q.val();
        self.late_address.d.next = self.sum_address.q.val();

        comment!("cycle 3: one of them");
        self.greatest_signed.next = signed_cast(self.greatest.q.val());
        self.greatest_wide.next = signed_bit_cast::<32, AB>(self.greatest_signed.val());
        if self.chosen.q.val() {
            self.accumulated.d.next = self.sum.q.val();
            if self.greater.q.val() {
                self.accumulated.d.next = unsigned_cast(self.greatest_wide.val());
            }
        }
        self.write.d.next = self.kept_late.q.val();
        self.write_address.d.next = self.late_address.q.val();

        comment!("cycle 4: back into the memory");
        self.memory.write_address.next = bit_cast::<23, 16>(self.write_address.q.val());
        self.memory.write_enable[0].next = self.write.q.val();
        self.memory.write_data[0].next = self.accumulated.q.val();
        self.value.next = self.accumulated.q.val();
        if self.reset.val() {
            self.added.d.next = false;
            self.kept.d.next = false;
            self.chosen.d.next = false;
            self.kept_late.d.next = false;
            self.write.d.next = false;
        }
    }
}
