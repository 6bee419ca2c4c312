//! Bytes on a serial line: a start bit, eight bits, lowest first, a stop bit.

use crate::comment;
use crate::fixed::Fixed;
use brownout_spec::serial::{BITS_PER_BYTE, MAX_CLOCKS_PER_BIT, MIN_CLOCKS_PER_BIT};
use rust_hdl::prelude::*;

/// What the receiver is at.
#[derive(Copy, Clone, PartialEq, Debug, LogicState)]
pub enum ReceiverState {
    /// The line rests.
    Idle,
    /// Start bit, bits and stop bit.
    Byte,
    /// The stop bit was missing: wait until the line rests.
    Break,
}

/// Bytes from a line that is not synchronous to the clock.
///
/// Every bit is sampled once, in its middle, counted from the edge of the start bit.
#[derive(LogicBlock, Default)]
pub struct UartReceiver {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Synchronous reset.
    pub reset: Signal<In, Bit>,
    /// The line, at any time; it rests high.
    pub line: Signal<In, Bit>,
    /// For one clock: a byte has come.
    pub valid: Signal<Out, Bit>,
    /// The byte.
    pub data: Signal<Out, Bits<8>>,
    /// For one clock: a byte without its stop bit has come.
    pub broken: Signal<Out, Bit>,
    /// A byte is on its way.
    pub busy: Signal<Out, Bit>,
    line_first: DFF<Bit>,
    line_second: DFF<Bit>,
    state: DFF<ReceiverState>,
    count: DFF<Bits<16>>,
    place: DFF<Bits<4>>,
    shift: DFF<Bits<8>>,
    valid_register: DFF<Bit>,
    broken_register: DFF<Bit>,
    half_bit: Fixed<Bits<16>>,
    whole_bit: Fixed<Bits<16>>,
    stop_place: Fixed<Bits<4>>,
}

impl UartReceiver {
    /// A receiver of bits that last `clocks` clocks.
    pub fn new(clocks: u32) -> Self {
        check(clocks);
        Self {
            // The first sample lies this and one clock behind the start bit's first.
            half_bit: Fixed::new((clocks - 1) / 2 - 1),
            whole_bit: Fixed::new(clocks - 1),
            stop_place: Fixed::new(BITS_PER_BYTE - 1),
            ..Self::default()
        }
    }
}

fn check(clocks: u32) {
    assert!(
        (MIN_CLOCKS_PER_BIT..=MAX_CLOCKS_PER_BIT).contains(&clocks),
        "a bit lasts {MIN_CLOCKS_PER_BIT} to {MAX_CLOCKS_PER_BIT} clocks, not {clocks}"
    );
}

impl Logic for UartReceiver {
    #[hdl_gen]
    fn update(&mut self) {
        comment!("module uart_receiver: Bytes from a serial line.");
        comment!("Samples every bit in its middle, counted from the edge of the start bit.");
        comment!("ports line: serial line, at any time; rests high");
        comment!("ports valid: a byte has come (strobe)");
        comment!("ports broken: a byte without its stop bit has come (strobe)");
        comment!("ports busy: a byte is on its way");
        dff_setup!(
            self,
            clock,
            line_first,
            line_second,
            state,
            count,
            place,
            shift,
            valid_register,
            broken_register
        );
        comment!("synchronizer");
        self.line_first.d.next = self.line.val();
        self.line_second.d.next = self.line_first.q.val();

        self.valid_register.d.next = false;
        self.broken_register.d.next = false;
        self.count.d.next = self.count.q.val() - 1;
        match self.state.q.val() {
            ReceiverState::Idle => {
                self.count.d.next = self.half_bit.val();
                self.place.d.next = 0.into();
                if !self.line_second.q.val() {
                    self.state.d.next = ReceiverState::Byte;
                }
            }
            ReceiverState::Byte => {
                if self.count.q.val() == 0 {
                    self.count.d.next = self.whole_bit.val();
                    self.place.d.next = self.place.q.val() + 1;
                    for b in 0..7 {
                        self.shift.d.next = self
                            .shift
                            .d
                            .val()
                            .replace_bit(b, self.shift.q.val().get_bit(b + 1));
                    }
                    self.shift.d.next = self.shift.d.val().replace_bit(7, self.line_second.q.val());
                    if (self.place.q.val() == 0) && self.line_second.q.val() {
                        comment!("a start bit that does not last is none");
                        self.state.d.next = ReceiverState::Idle;
                    }
                    if self.place.q.val() == self.stop_place.val() {
                        comment!("the byte stays as it is");
                        self.shift.d.next = self.shift.q.val();
                        self.valid_register.d.next = self.line_second.q.val();
                        self.broken_register.d.next = !self.line_second.q.val();
                        self.state.d.next = ReceiverState::Idle;
                        if !self.line_second.q.val() {
                            self.state.d.next = ReceiverState::Break;
                        }
                    }
                }
            }
            ReceiverState::Break => {
                if self.line_second.q.val() {
                    self.state.d.next = ReceiverState::Idle;
                }
            }
            _ => {
                self.state.d.next = ReceiverState::Idle;
            }
        }
        if self.reset.val() {
            comment!("a line that is low now must rest first");
            self.state.d.next = ReceiverState::Break;
            self.valid_register.d.next = false;
            self.broken_register.d.next = false;
        }
        self.valid.next = self.valid_register.q.val();
        self.data.next = self.shift.q.val();
        self.broken.next = self.broken_register.q.val();
        self.busy.next = self.state.q.val() == ReceiverState::Byte;
    }
}

/// Bytes onto a line.
#[derive(LogicBlock, Default)]
pub struct UartTransmitter {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Synchronous reset.
    pub reset: Signal<In, Bit>,
    /// A byte can be sent.
    pub ready: Signal<Out, Bit>,
    /// Send a byte; it is taken where `ready` is set.
    pub valid: Signal<In, Bit>,
    /// The byte.
    pub data: Signal<In, Bits<8>>,
    /// The line; it rests high.
    pub line: Signal<Out, Bit>,
    // Start bit, bits and stop bit, inverted: what an FPGA starts with is a resting line.
    inverted: DFF<Bits<10>>,
    count: DFF<Bits<16>>,
    left: DFF<Bits<4>>,
    idle: Signal<Local, Bit>,
    whole_bit: Fixed<Bits<16>>,
    places: Fixed<Bits<4>>,
}

impl UartTransmitter {
    /// A transmitter of bits that last `clocks` clocks.
    pub fn new(clocks: u32) -> Self {
        check(clocks);
        Self {
            whole_bit: Fixed::new(clocks - 1),
            places: Fixed::new(BITS_PER_BYTE),
            ..Self::default()
        }
    }
}

impl Logic for UartTransmitter {
    #[hdl_gen]
    fn update(&mut self) {
        comment!("module uart_transmitter: Bytes onto a serial line.");
        comment!("ports ready: byte to send (handshake)");
        comment!("ports line: serial line; rests high");
        dff_setup!(self, clock, inverted, count, left);
        self.idle.next = self.left.q.val() == 0;
        self.count.d.next = self.count.q.val() - 1;
        if self.idle.val() {
            if self.valid.val() {
                self.count.d.next = self.whole_bit.val();
                self.left.d.next = self.places.val();
                self.inverted.d.next = 1.into();
                for b in 0..8 {
                    self.inverted.d.next = self
                        .inverted
                        .d
                        .val()
                        .replace_bit(b + 1, !self.data.val().get_bit(b));
                }
            }
        } else if self.count.q.val() == 0 {
            self.count.d.next = self.whole_bit.val();
            self.left.d.next = self.left.q.val() - 1;
            self.inverted.d.next = self.inverted.q.val() >> 1;
        }
        if self.reset.val() {
            self.left.d.next = 0.into();
            self.inverted.d.next = 0.into();
        }
        self.ready.next = self.idle.val();
        self.line.next = !self.inverted.q.val().get_bit(0);
    }
}
