//! 64-bit counters.

use crate::comment;
use rust_hdl::prelude::*;

/// Counts the clocks in which an event is set; `clear` wins.
#[derive(LogicBlock, Default)]
pub struct EventCounter {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Back to zero.
    pub clear: Signal<In, Bit>,
    /// Add one.
    pub increment: Signal<In, Bit>,
    /// The sum.
    pub count: Signal<Out, Bits<64>>,
    count_register: DFF<Bits<64>>,
}

impl Logic for EventCounter {
    #[hdl_gen]
    fn update(&mut self) {
        comment!(
            "module event_counter: Counts the clocks in which `increment` is set; `clear` wins."
        );
        dff_setup!(self, clock, count_register);
        if self.increment.val() {
            self.count_register.d.next = self.count_register.q.val() + 1;
        }
        if self.clear.val() {
            self.count_register.d.next = 0.into();
        }
        self.count.next = self.count_register.q.val();
    }
}

/// Adds up to 127 in every clock; `clear` wins.
#[derive(LogicBlock, Default)]
pub struct SumCounter {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Back to zero.
    pub clear: Signal<In, Bit>,
    /// How much to add.
    pub amount: Signal<In, Bits<7>>,
    /// The sum.
    pub count: Signal<Out, Bits<64>>,
    count_register: DFF<Bits<64>>,
}

impl Logic for SumCounter {
    #[hdl_gen]
    fn update(&mut self) {
        comment!("module sum_counter: Adds `amount` in every clock; `clear` wins.");
        comment!("ports clear: what is counted, and the count");
        dff_setup!(self, clock, count_register);
        self.count_register.d.next =
            self.count_register.q.val() + bit_cast::<64, 7>(self.amount.val());
        if self.clear.val() {
            self.count_register.d.next = 0.into();
        }
        self.count.next = self.count_register.q.val();
    }
}
