//! Which word is asked for next, and whether there is room for it.

use crate::comment;
use crate::fixed::Fixed;
use rust_hdl::prelude::*;

/// Counts through the words of a pass, as long as words under way fit into the FIFO.
#[derive(LogicBlock, Default)]
pub struct AddressCounter {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Synchronous reset.
    pub reset: Signal<In, Bit>,
    /// Begins again at address 0; words under way are forgotten.
    pub start: Signal<In, Bit>,
    /// Address of the last word of the pass.
    pub last_address: Signal<In, Bits<23>>,
    /// A word leaves the FIFO.
    pub pop: Signal<In, Bit>,
    /// A word is asked for.
    pub issue: Signal<Out, Bit>,
    /// Its address.
    pub address: Signal<Out, Bits<23>>,
    /// Every word of the pass has left the FIFO.
    pub exhausted: Signal<Out, Bit>,
    /// `exhausted` of the next cycle.
    pub exhausted_next: Signal<Out, Bit>,
    drained: DFF<Bit>,
    drained_next: Signal<Local, Bit>,
    running: DFF<Bit>,
    address_register: DFF<Bits<23>>,
    pending: DFF<Bits<7>>,
    depth: Fixed<Bits<7>>,
}

impl AddressCounter {
    /// A counter for a FIFO of `depth` words, at most 64.
    pub fn new(depth: usize) -> Self {
        assert!(depth <= 64, "the credit counter has seven bits");
        Self {
            depth: Fixed::new(depth),
            ..Self::default()
        }
    }
}

impl Logic for AddressCounter {
    #[hdl_gen]
    fn update(&mut self) {
        comment!(
            "module weight_address: Asks for the words of a pass in order, as long as all words under way fit into the FIFO."
        );
        comment!("ports start: begins again at address 0; words under way are forgotten");
        comment!("ports pop: a word leaves the FIFO");
        comment!("ports issue: a word is asked for");
        comment!("ports exhausted: every word of the pass has left the FIFO");
        dff_setup!(self, clock, running, address_register, pending, drained);
        self.address.next = self.address_register.q.val();
        self.issue.next = self.running.q.val() && (self.pending.q.val() != self.depth.val());
        self.exhausted.next = self.drained.q.val();
        self.drained_next.next = self.drained.q.val();
        if self.issue.val() {
            self.address_register.d.next = self.address_register.q.val() + 1;
            if self.address_register.q.val() == self.last_address.val() {
                self.running.d.next = false;
            }
        }
        if self.pop.val() && !self.running.q.val() && (self.pending.q.val() == 1) {
            self.drained_next.next = true;
        }
        if self.issue.val() && !self.pop.val() {
            self.pending.d.next = self.pending.q.val() + 1;
        }
        if !self.issue.val() && self.pop.val() {
            self.pending.d.next = self.pending.q.val() - 1;
        }
        if self.start.val() {
            self.running.d.next = true;
            self.drained_next.next = false;
            self.address_register.d.next = 0.into();
            self.pending.d.next = 0.into();
        }
        self.drained.d.next = self.drained_next.val();
        self.exhausted_next.next = self.drained_next.val();
        if self.reset.val() {
            self.drained.d.next = true;
            self.running.d.next = false;
            self.pending.d.next = 0.into();
        }
    }
}
