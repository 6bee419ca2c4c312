//! An accelerator behind a serial line, as boards have it.
//!
//! [`SerialLink`] speaks the commands of [`brownout_spec::serial`] over any
//! stream of bytes: the serial port of a board, or [`SimulatedLine`], which is
//! the line of a simulated board, bit by bit.

use crate::link::{Link, LinkError};
use crate::model::{Model, ModelError, Port};
use brownout_spec::registers::{self, Register};
use brownout_spec::serial::{BITS_PER_BYTE, COMMANDS, Command, DONE, NOT_DONE};
use brownout_spec::serial::{PUSH, READ, TAKE, WRITE};
use std::collections::VecDeque;
use std::io::{self, Read, Write};

/// Beats whose answers are not waited for one by one: less than any serial port's buffer.
const BEATS_AT_ONCE: usize = 64;
/// Bytes that an answer may take to begin; the hardware needs a few clocks.
const PATIENCE_BYTES: u64 = 64;

/// Bytes of the longest answer.
const LONGEST_ANSWER: usize = {
    let (mut longest, mut at) = (0, 0);
    while at < COMMANDS.len() {
        if COMMANDS[at].answer > longest {
            longest = COMMANDS[at].answer;
        }
        at += 1;
    }
    longest
};

/// The wire of an accelerator behind a serial line.
///
/// It has no clock to look at: it counts time in bytes, which cannot take less.
pub struct SerialLink<S> {
    stream: S,
    clocks_per_byte: u64,
}

impl<S: Read + Write> SerialLink<S> {
    /// A link over a stream at whose other end a bit lasts `clocks_per_bit` of the
    /// accelerator's clocks.
    pub fn new(stream: S, clocks_per_bit: u32) -> Self {
        Self {
            stream,
            clocks_per_byte: u64::from(clocks_per_bit) * u64::from(BITS_PER_BYTE),
        }
    }

    /// The stream, for what is special to it.
    pub fn stream_mut(&mut self) -> &mut S {
        &mut self.stream
    }

    /// Sends a command; its answer lies in the first bytes of what is returned.
    fn command(
        &mut self,
        command: Command,
        bytes: &[u8],
    ) -> Result<[u8; LONGEST_ANSWER], LinkError> {
        let mut answer = [0; LONGEST_ANSWER];
        self.stream
            .write_all(&[&[command.opcode], bytes].concat())?;
        self.stream.flush()?;
        self.stream.read_exact(&mut answer[..command.answer])?;
        Ok(answer)
    }

    /// How long a command takes at least. The last byte may be known before it has ended.
    fn clocks_of(&self, command: Command) -> u64 {
        (command.bytes + command.answer) as u64 * self.clocks_per_byte
    }
}

/// Whether something was done, as the first byte of an answer says.
fn was_done(command: Command, answer: u8) -> Result<bool, LinkError> {
    match answer {
        DONE => Ok(true),
        NOT_DONE => Ok(false),
        other => Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!(
                "the board answered {other:#04x} to a {}; allowed are {NOT_DONE} and {DONE}; the \
                 baud rates may differ",
                command.name
            ),
        )
        .into()),
    }
}

/// Four bytes, lowest first.
fn word(bytes: &[u8]) -> u32 {
    let value = |(place, byte): (usize, &u8)| u32::from(*byte) << (8 * place);
    bytes.iter().take(4).enumerate().map(value).sum()
}

impl<S: Read + Write> Link for SerialLink<S> {
    fn write_register(&mut self, register: Register, value: u32) -> Result<(), LinkError> {
        let [a, b, c, d] = value.to_le_bytes();
        let answer = self.command(WRITE, &[register.address, a, b, c, d])?;
        if was_done(WRITE, answer[0])? {
            return Ok(());
        }
        let refused = format!("the board refused to write {}", register.name);
        Err(io::Error::new(io::ErrorKind::InvalidData, refused).into())
    }

    fn read_register(&mut self, register: Register) -> Result<u32, LinkError> {
        let answer = self.command(READ, &[register.address])?;
        Ok(word(&answer))
    }

    fn send(&mut self, beats: &[u32]) -> Result<(), LinkError> {
        let mut sent = 0;
        for some in beats.chunks(BEATS_AT_ONCE) {
            let mut bytes = Vec::with_capacity(some.len() * (1 + PUSH.bytes));
            for beat in some {
                bytes.push(PUSH.opcode);
                bytes.extend(beat.to_le_bytes());
            }
            self.stream.write_all(&bytes)?;
            self.stream.flush()?;
            let mut answers = [NOT_DONE; BEATS_AT_ONCE];
            self.stream.read_exact(&mut answers[..some.len()])?;
            for answer in &answers[..some.len()] {
                if !was_done(PUSH, *answer)? {
                    return Err(LinkError::Stuck {
                        sent,
                        beats: beats.len(),
                        clocks: self.clocks_of(PUSH),
                    });
                }
                sent += 1;
            }
        }
        Ok(())
    }

    fn receive(&mut self, count: usize, clocks: u64) -> Result<Vec<u32>, LinkError> {
        let mut results = Vec::with_capacity(count);
        let mut left = clocks;
        while results.len() < count && left > 0 {
            let answer = self.command(TAKE, &[])?;
            // A result that has come has cost the line's time, not the accelerator's.
            if was_done(TAKE, answer[0])? {
                results.push(word(&answer[1..]));
            } else {
                left = left.saturating_sub(self.clocks_of(TAKE));
            }
        }
        Ok(results)
    }

    fn wait(&mut self, clocks: u64) -> Result<(), LinkError> {
        // Reading a register that never changes passes the time.
        for _ in 0..clocks.div_ceil(self.clocks_of(READ)) {
            self.read_register(registers::IDENTIFICATION)?;
        }
        Ok(())
    }
}

/// Both ends of a serial line to a simulated board: what is written becomes
/// bits on an input of the model, bits on an output become what is read.
pub struct SimulatedLine {
    model: Model,
    to_board: Port,
    from_board: Port,
    clocks_per_bit: u32,
    receiver: Receiver,
}

/// The host's receiver, which samples in the middle of a bit.
#[derive(Default)]
struct Receiver {
    /// Clocks until the next sample; none while the line rests.
    until: Option<u32>,
    /// Samples of this byte so far, and their values.
    taken: u32,
    bits: u16,
    bytes: VecDeque<u8>,
}

impl Receiver {
    /// One clock with the line at `level`.
    fn clock(&mut self, level: bool, clocks_per_bit: u32) {
        self.until = match self.until {
            None if level => None,
            None => {
                (self.taken, self.bits) = (0, 0);
                Some(clocks_per_bit / 2)
            }
            Some(0) => {
                self.bits |= u16::from(level) << self.taken;
                self.taken += 1;
                if self.taken == BITS_PER_BYTE {
                    self.bytes.push_back((self.bits >> 1) as u8);
                    None
                } else {
                    Some(clocks_per_bit - 1)
                }
            }
            Some(clocks) => Some(clocks - 1),
        };
    }
}

impl SimulatedLine {
    /// The line at ports `to_board` and `from_board` of a model, at which the
    /// host's bits last `clocks_per_bit` clocks.
    ///
    /// # Errors
    /// When the model lacks a port.
    pub fn new(
        mut model: Model,
        to_board: &str,
        from_board: &str,
        clocks_per_bit: u32,
    ) -> Result<Self, ModelError> {
        let (to_board, from_board) = (model.port(to_board)?, model.port(from_board)?);
        model.write(to_board, 1);
        Ok(Self {
            model,
            to_board,
            from_board,
            clocks_per_bit,
            receiver: Receiver::default(),
        })
    }

    /// The board.
    pub fn model_mut(&mut self) -> &mut Model {
        &mut self.model
    }

    /// Holds the line at a level; a low one that outlasts a byte is a break.
    pub fn hold(&mut self, level: bool, clocks: u64) {
        self.model.write(self.to_board, u64::from(level));
        for _ in 0..clocks {
            self.model.step();
            let level = self.model.read(self.from_board) == 1;
            self.receiver.clock(level, self.clocks_per_bit);
        }
    }
}

impl Write for SimulatedLine {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for byte in bytes {
            let bits = u16::from(*byte) << 1 | 1 << (BITS_PER_BYTE - 1);
            for place in 0..BITS_PER_BYTE {
                self.hold(bits >> place & 1 == 1, self.clocks_per_bit.into());
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Read for SimulatedLine {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut clocks = PATIENCE_BYTES * u64::from(BITS_PER_BYTE * self.clocks_per_bit);
        while self.receiver.bytes.is_empty() {
            if clocks == 0 {
                return Err(io::ErrorKind::TimedOut.into());
            }
            self.hold(true, 1);
            clocks -= 1;
        }
        let count = buffer.len().min(self.receiver.bytes.len());
        for (slot, byte) in buffer.iter_mut().zip(self.receiver.bytes.drain(..count)) {
            *slot = byte;
        }
        Ok(count)
    }
}
