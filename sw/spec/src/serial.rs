//! How a host talks to an accelerator over a serial line, and on which boards.
//!
//! One table of commands for the RTL's bridge (`hdl/src/board`), the serial
//! link of the driver and the generated documentation.
//!
//! The line carries bytes: a start bit, eight bits with the lowest first, a
//! stop bit, no parity. Every command has a fixed length and so has its answer;
//! no command waits for the accelerator, so that none can hang.

use crate::registers::LANES_PER_BEAT;
use std::fmt::Write;

/// Bits of a byte on the line, start and stop bit included.
pub const BITS_PER_BYTE: u32 = 10;
/// Bits per second on every board.
///
/// It divides the boards' clocks without a remainder, and USB bridges from
/// FTDI make it exactly.
pub const BAUD: u32 = 1_000_000;
/// Fewest clocks that a bit may last: the receiver samples in its middle.
pub const MIN_CLOCKS_PER_BIT: u32 = 4;
/// Most clocks that a bit may last: the width of the hardware's counters.
pub const MAX_CLOCKS_PER_BIT: u32 = 1 << 16;

/// First byte of an answer that says whether something was done: it was.
pub const DONE: u8 = 1;
/// First byte of an answer that says whether something was done: it was not.
pub const NOT_DONE: u8 = 0;

/// A command: one byte, then what it carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Command {
    /// Name in the documentation.
    pub name: &'static str,
    /// The byte that opens the command.
    pub opcode: u8,
    /// Bytes that follow.
    pub bytes: usize,
    /// Bytes of the answer.
    pub answer: usize,
    /// What follows, what is done and what is answered.
    pub doc: &'static str,
}

/// Writes a register.
pub const WRITE: Command = Command {
    name: "write",
    opcode: b'W',
    bytes: 5,
    answer: 1,
    doc: "register number, then the value in four bytes, lowest first; the answer is 1",
};
/// Reads a register.
pub const READ: Command = Command {
    name: "read",
    opcode: b'R',
    bytes: 1,
    answer: 4,
    doc: "register number; the answer is the register's value, lowest byte first",
};
/// Sends a beat into the input stream.
pub const PUSH: Command = Command {
    name: "push",
    opcode: b'P',
    bytes: 4,
    answer: 1,
    doc: "a beat of the input stream, lowest byte first; the answer is 1 if the stream took it, 0 if \
          it was not ready, as while a pass runs",
};
/// Takes a word from the result stream.
pub const TAKE: Command = Command {
    name: "take",
    opcode: b'T',
    bytes: 0,
    answer: 5,
    doc: "the answer is 1 and the oldest result, lowest byte first, or 0 and four bytes without \
          meaning if none waits",
};
/// Every command.
pub const COMMANDS: [Command; 4] = [WRITE, READ, PUSH, TAKE];

const _: () = assert!(LANES_PER_BEAT == 4, "a beat is four bytes");

/// What the table of commands cannot say.
pub const PROTOCOL: &str = "\
A byte is a start bit, eight bits with the lowest first, and a stop bit. A host waits for a \
command's answer before it sends the next one; writes and pushes may follow one another without \
waiting, since they are longer than their answers. If one of several pushes was refused, those \
behind it may have been taken: write LOAD_TARGET and begin again. Bytes that open no command are \
ignored. A byte without its stop bit, as a break is, abandons the command that it interrupts; a \
host that can send no break sends five zero bytes instead, which may end a write of another value.
";

/// A board for which pins are known (`constraints/`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Board {
    /// Radiona ULX3S with an ECP5-85F.
    Ulx3s,
    /// Digilent Arty A7-100T with an Artix-7 100T.
    ArtyA7,
}

impl Board {
    /// Every board.
    pub const ALL: [Self; 2] = [Self::Ulx3s, Self::ArtyA7];

    /// The name in file names, and on the command line with `-` for `_`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ulx3s => "ulx3s",
            Self::ArtyA7 => "arty_a7",
        }
    }

    /// Name of the port that carries the clock.
    pub fn clock(self) -> &'static str {
        match self {
            Self::Ulx3s => "clk_25mhz",
            Self::ArtyA7 => "clk_100mhz",
        }
    }

    /// Frequency of the board's oscillator, which clocks everything.
    pub fn clock_hertz(self) -> u32 {
        match self {
            Self::Ulx3s => 25_000_000,
            Self::ArtyA7 => 100_000_000,
        }
    }

    /// How long a bit lasts on the serial line, in clocks.
    pub fn clocks_per_bit(self) -> u32 {
        self.clock_hertz() / BAUD
    }
}

/// The serial line of a board as Markdown.
pub fn markdown(board: Board) -> String {
    let mut text = format!(
        "The board clocks everything with its {} MHz; the serial line runs at {BAUD} baud, {} \
         clocks a bit.\n\n{PROTOCOL}\n\
         | command | first byte | bytes behind it | bytes of the answer | meaning |\n\
         | --- | --- | ---: | ---: | --- |\n",
        board.clock_hertz() / 1_000_000,
        board.clocks_per_bit()
    );
    for command in COMMANDS {
        writeln!(
            text,
            "| {} | `{}` = {:#04x} | {} | {} | {} |",
            command.name,
            char::from(command.opcode),
            command.opcode,
            command.bytes,
            command.answer,
            command.doc
        )
        .expect("writing to a string cannot fail");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_board_makes_the_baud_rate_exactly() {
        for board in Board::ALL {
            let clocks = board.clocks_per_bit();
            assert_eq!(clocks * BAUD, board.clock_hertz(), "{board:?}");
            assert!((MIN_CLOCKS_PER_BIT..=MAX_CLOCKS_PER_BIT).contains(&clocks));
        }
    }

    #[test]
    fn opcodes_differ_and_the_end_of_a_break_is_none_of_them() {
        for (index, command) in COMMANDS.iter().enumerate() {
            let others = &COMMANDS[index + 1..];
            assert!(others.iter().all(|other| other.opcode != command.opcode));
            // A line that rises within a byte gives zeros below ones.
            let zeros = command.opcode.trailing_zeros();
            assert_ne!(command.opcode >> zeros, 0xff >> zeros, "{}", command.name);
        }
    }

    #[test]
    fn commands_that_may_follow_one_another_are_longer_than_their_answers() {
        for command in [WRITE, PUSH] {
            assert!(1 + command.bytes > command.answer, "{}", command.name);
        }
        // The zeros that end any command that was begun.
        assert!(COMMANDS.iter().all(|command| command.bytes <= 5));
    }

    #[test]
    fn the_page_lists_every_command() {
        let page = markdown(Board::Ulx3s);
        for command in COMMANDS {
            assert!(page.contains(command.doc), "{}", command.name);
        }
        assert!(page.contains("25 clocks"), "{page}");
    }
}
