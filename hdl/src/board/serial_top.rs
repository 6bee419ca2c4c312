//! An accelerator behind a serial line.

use super::{AcceleratorSocket, BoardReset, SerialBridge, UartReceiver, UartTransmitter};
use crate::comment;
use rust_hdl::prelude::*;

/// Everything of a board's top but the names of its pins.
#[derive(LogicBlock)]
pub struct SerialTop {
    /// Clock of everything.
    pub clock: Signal<In, Clock>,
    /// A pressed reset button, at any time.
    pub button: Signal<In, Bit>,
    /// Line from the host; it rests high.
    pub line_in: Signal<In, Bit>,
    /// Line to the host; it rests high.
    pub line_out: Signal<Out, Bit>,
    /// For lamps: bit 0 no pass is running, 1 a result waits, 2 receiving, 3 sending.
    pub lamps: Signal<Out, Bits<4>>,
    board_reset: BoardReset,
    receiver: UartReceiver,
    transmitter: UartTransmitter,
    bridge: SerialBridge,
    accelerator: AcceleratorSocket,
}

impl SerialTop {
    /// The accelerator that is printed as `module`, behind a line whose bits last `clocks` clocks.
    pub fn new(module: &str, clocks: u32) -> Self {
        Self {
            clock: Default::default(),
            button: Default::default(),
            line_in: Default::default(),
            line_out: Default::default(),
            lamps: Default::default(),
            board_reset: Default::default(),
            receiver: UartReceiver::new(clocks),
            transmitter: UartTransmitter::new(clocks),
            bridge: SerialBridge::new(),
            accelerator: AcceleratorSocket::new(module),
        }
    }
}

impl Logic for SerialTop {
    #[hdl_gen]
    fn update(&mut self) {
        comment!("module serial_top: The accelerator behind a serial line.");
        comment!("ports button: a pressed reset button, at any time");
        comment!("ports line_in: serial line, from the host and to it; rests high");
        comment!("ports lamps: bit 0 no pass is running, 1 a result waits, 2 receiving, 3 sending");
        self.board_reset.clock.next = self.clock.val();
        self.receiver.clock.next = self.clock.val();
        self.transmitter.clock.next = self.clock.val();
        self.bridge.clock.next = self.clock.val();
        self.accelerator.clock.next = self.clock.val();
        self.board_reset.button.next = self.button.val();
        self.receiver.reset.next = self.board_reset.held.val();
        self.transmitter.reset.next = self.board_reset.held.val();
        self.bridge.reset.next = self.board_reset.held.val();
        self.accelerator.reset.next = self.board_reset.held.val();

        comment!("serial line");
        self.receiver.line.next = self.line_in.val();
        self.line_out.next = self.transmitter.line.val();
        self.bridge.received_valid.next = self.receiver.valid.val();
        self.bridge.received_byte.next = self.receiver.data.val();
        self.bridge.received_broken.next = self.receiver.broken.val();
        self.bridge.sent_ready.next = self.transmitter.ready.val();
        self.transmitter.valid.next = self.bridge.sent_valid.val();
        self.transmitter.data.next = self.bridge.sent_byte.val();

        comment!("accelerator");
        self.accelerator.register_write.next = self.bridge.register_write.val();
        self.accelerator.register_read.next = self.bridge.register_read.val();
        self.accelerator.register_address.next = self.bridge.register_address.val();
        self.accelerator.register_write_data.next = self.bridge.register_write_data.val();
        self.bridge.register_read_data.next = self.accelerator.register_read_data.val();
        self.accelerator.input_valid.next = self.bridge.input_valid.val();
        self.accelerator.input_data.next = self.bridge.input_data.val();
        self.bridge.input_ready.next = self.accelerator.input_ready.val();
        self.bridge.output_valid.next = self.accelerator.output_valid.val();
        self.bridge.output_data.next = self.accelerator.output_data.val();
        self.accelerator.output_ready.next = self.bridge.output_ready.val();

        self.lamps.next = 0.into();
        self.lamps.next = self
            .lamps
            .val()
            .replace_bit(0, self.accelerator.input_ready.val());
        self.lamps.next = self
            .lamps
            .val()
            .replace_bit(1, self.accelerator.output_valid.val());
        self.lamps.next = self.lamps.val().replace_bit(2, self.receiver.busy.val());
        self.lamps.next = self
            .lamps
            .val()
            .replace_bit(3, !self.transmitter.ready.val());
    }
}
