//! Commands on a serial line to registers and streams.

use crate::comment;
use crate::fixed::Fixed;
use brownout_spec::serial::{Command, DONE, PUSH, READ, TAKE, WRITE};
use rust_hdl::prelude::*;

/// Where a command is.
#[derive(Copy, Clone, PartialEq, Debug, LogicState)]
pub enum BridgeState {
    /// The next byte opens a command.
    Idle,
    /// The next byte is a register number.
    Address,
    /// The next byte is one of a value or a beat.
    Value,
    /// The accelerator sees the command.
    Act,
    /// The register that was asked for is read.
    Fetch,
    /// The answer is sent.
    Answer,
}

/// Carries out the commands of `brownout_spec::serial`, one at a time.
#[derive(LogicBlock, Default)]
pub struct SerialBridge {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Synchronous reset.
    pub reset: Signal<In, Bit>,
    /// Received byte.
    pub received_valid: Signal<In, Bit>,
    /// Received byte.
    pub received_byte: Signal<In, Bits<8>>,
    /// A byte was damaged.
    pub received_broken: Signal<In, Bit>,
    /// Byte to send.
    pub sent_ready: Signal<In, Bit>,
    /// Byte to send.
    pub sent_valid: Signal<Out, Bit>,
    /// Byte to send.
    pub sent_byte: Signal<Out, Bits<8>>,
    /// Register bus.
    pub register_write: Signal<Out, Bit>,
    /// Register bus.
    pub register_read: Signal<Out, Bit>,
    /// Register bus.
    pub register_address: Signal<Out, Bits<8>>,
    /// Register bus.
    pub register_write_data: Signal<Out, Bits<32>>,
    /// Register bus.
    pub register_read_data: Signal<In, Bits<32>>,
    /// Input stream.
    pub input_valid: Signal<Out, Bit>,
    /// Input stream.
    pub input_data: Signal<Out, Bits<32>>,
    /// Input stream.
    pub input_ready: Signal<In, Bit>,
    /// Result stream.
    pub output_valid: Signal<In, Bit>,
    /// Result stream.
    pub output_data: Signal<In, Bits<32>>,
    /// Result stream.
    pub output_ready: Signal<Out, Bit>,
    state: DFF<BridgeState>,
    opcode: DFF<Bits<8>>,
    address: DFF<Bits<8>>,
    value: DFF<Bits<32>>,
    answer: DFF<Bits<40>>,
    left: DFF<Bits<3>>,
    act: Signal<Local, Bit>,
    write_opcode: Fixed<Bits<8>>,
    read_opcode: Fixed<Bits<8>>,
    push_opcode: Fixed<Bits<8>>,
    take_opcode: Fixed<Bits<8>>,
    value_bytes: Fixed<Bits<3>>,
    write_answer: Fixed<Bits<3>>,
    read_answer: Fixed<Bits<3>>,
    push_answer: Fixed<Bits<3>>,
    take_answer: Fixed<Bits<3>>,
    done: Fixed<Bits<40>>,
}

impl SerialBridge {
    /// The bridge.
    pub fn new() -> Self {
        let opcode = |command: Command| Fixed::new(command.opcode);
        let answer = |command: Command| Fixed::new(command.answer);
        Self {
            write_opcode: opcode(WRITE),
            read_opcode: opcode(READ),
            push_opcode: opcode(PUSH),
            take_opcode: opcode(TAKE),
            value_bytes: Fixed::new(PUSH.bytes),
            write_answer: answer(WRITE),
            read_answer: answer(READ),
            push_answer: answer(PUSH),
            take_answer: answer(TAKE),
            done: Fixed::new(DONE),
            ..Self::default()
        }
    }
}

/// Writes are a register number and then what pushes are.
const _: () = assert!(WRITE.bytes == READ.bytes + PUSH.bytes && TAKE.bytes == 0);
/// NOT_DONE is a cleared DONE.
const _: () = assert!(DONE == 1 && brownout_spec::serial::NOT_DONE == 0);

impl Logic for SerialBridge {
    #[hdl_gen]
    fn update(&mut self) {
        comment!("module serial_bridge: Commands on a serial line to registers and streams.");
        comment!(
            "The commands are described in serial.md. None waits for the accelerator, so none \
             can hang."
        );
        comment!("ports received_valid: bytes from the line; `broken` abandons a command");
        comment!("ports sent_ready: bytes onto the line");
        comment!("ports register_write: registers");
        comment!("ports input_valid: input stream");
        comment!("ports output_valid: result stream");
        dff_setup!(self, clock, state, opcode, address, value, answer, left);
        self.act.next = self.state.q.val() == BridgeState::Act;
        match self.state.q.val() {
            BridgeState::Idle => {
                self.left.d.next = self.value_bytes.val();
                if self.received_valid.val() {
                    self.opcode.d.next = self.received_byte.val();
                    if (self.received_byte.val() == self.write_opcode.val())
                        || (self.received_byte.val() == self.read_opcode.val())
                    {
                        self.state.d.next = BridgeState::Address;
                    }
                    if self.received_byte.val() == self.push_opcode.val() {
                        self.state.d.next = BridgeState::Value;
                    }
                    if self.received_byte.val() == self.take_opcode.val() {
                        self.state.d.next = BridgeState::Act;
                    }
                }
            }
            BridgeState::Address => {
                if self.received_valid.val() {
                    self.address.d.next = self.received_byte.val();
                    self.state.d.next = BridgeState::Act;
                    if self.opcode.q.val() == self.write_opcode.val() {
                        self.state.d.next = BridgeState::Value;
                    }
                }
                if self.received_broken.val() {
                    self.state.d.next = BridgeState::Idle;
                }
            }
            BridgeState::Value => {
                if self.received_valid.val() {
                    comment!("lowest byte first");
                    for b in 0..24 {
                        self.value.d.next = self
                            .value
                            .d
                            .val()
                            .replace_bit(b, self.value.q.val().get_bit(b + 8));
                    }
                    for b in 0..8 {
                        self.value.d.next = self
                            .value
                            .d
                            .val()
                            .replace_bit(b + 24, self.received_byte.val().get_bit(b));
                    }
                    self.left.d.next = self.left.q.val() - 1;
                    if self.left.q.val() == 1 {
                        self.state.d.next = BridgeState::Act;
                    }
                }
                if self.received_broken.val() {
                    self.state.d.next = BridgeState::Idle;
                }
            }
            BridgeState::Act => {
                self.state.d.next = BridgeState::Answer;
                self.answer.d.next = self.done.val();
                self.left.d.next = self.write_answer.val();
                if self.opcode.q.val() == self.read_opcode.val() {
                    self.state.d.next = BridgeState::Fetch;
                }
                if self.opcode.q.val() == self.push_opcode.val() {
                    self.left.d.next = self.push_answer.val();
                    self.answer.d.next = 0.into();
                    self.answer.d.next = self.answer.d.val().replace_bit(0, self.input_ready.val());
                }
                if self.opcode.q.val() == self.take_opcode.val() {
                    self.left.d.next = self.take_answer.val();
                    self.answer.d.next = 0.into();
                    self.answer.d.next =
                        self.answer.d.val().replace_bit(0, self.output_valid.val());
                    for b in 0..32 {
                        self.answer.d.next = self
                            .answer
                            .d
                            .val()
                            .replace_bit(b + 8, self.output_data.val().get_bit(b));
                    }
                }
            }
            BridgeState::Fetch => {
                self.answer.d.next = bit_cast::<40, 32>(self.register_read_data.val());
                self.left.d.next = self.read_answer.val();
                self.state.d.next = BridgeState::Answer;
            }
            BridgeState::Answer => {
                if self.sent_ready.val() {
                    self.answer.d.next = self.answer.q.val() >> 8;
                    self.left.d.next = self.left.q.val() - 1;
                    if self.left.q.val() == 1 {
                        self.state.d.next = BridgeState::Idle;
                    }
                }
            }
            _ => {
                self.state.d.next = BridgeState::Idle;
            }
        }
        if self.reset.val() {
            self.state.d.next = BridgeState::Idle;
        }
        self.sent_valid.next = self.state.q.val() == BridgeState::Answer;
        self.sent_byte.next = self.answer.q.val().get_bits::<8>(0);
        self.register_write.next =
            self.act.val() && (self.opcode.q.val() == self.write_opcode.val());
        self.register_read.next = self.act.val() && (self.opcode.q.val() == self.read_opcode.val());
        self.register_address.next = self.address.q.val();
        self.register_write_data.next = self.value.q.val();
        self.input_valid.next = self.act.val() && (self.opcode.q.val() == self.push_opcode.val());
        self.input_data.next = self.value.q.val();
        self.output_ready.next = self.act.val() && (self.opcode.q.val() == self.take_opcode.val());
    }
}
