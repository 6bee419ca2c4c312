//! A small top for a board: the accelerator behind a serial line.
//!
//! ```text
//!  pins ─► board's top (names of its pins)
//!            └─► serial top ─┬─► reset at power-up and by a button
//!                            ├─► receiver ─► bridge ─► transmitter
//!                            └─► accelerator, printed elsewhere
//! ```
//!
//! The commands on the line are those of `brownout_spec::serial`. Everything
//! runs on the board's oscillator; a design that wants another clock puts a
//! PLL between the pin and the serial top.

mod bridge;
mod reset;
mod serial_top;
mod socket;
mod tops;
mod uart;

pub use bridge::SerialBridge;
pub use reset::BoardReset;
pub use serial_top::SerialTop;
pub use socket::AcceleratorSocket;
pub use tops::{ArtyA7, Ulx3s};
pub use uart::{UartReceiver, UartTransmitter};

use crate::emit::{Emitted, Emitter};
use crate::generate::{GenerateError, header};
use brownout_spec::config::Configuration;
use brownout_spec::serial::Board;
use rust_hdl::prelude::Block;

/// The modules around the accelerator of a configuration, for a board: top
/// `<name>_<board>`, serial line, reset. The accelerator's own modules, of
/// which `<name>` is the top, are not among them.
///
/// # Errors
/// As [`generate`](crate::generate).
pub fn generate_board(
    configuration: &Configuration,
    board: Board,
) -> Result<Emitted, GenerateError> {
    configuration.validate()?;
    let serial = SerialTop::new(&configuration.name, board.clocks_per_bit());
    match board {
        Board::Ulx3s => emit(configuration, board, Ulx3s::new(serial)),
        Board::ArtyA7 => emit(configuration, board, ArtyA7::new(serial)),
    }
}

fn emit<B: Block>(
    configuration: &Configuration,
    board: Board,
    mut top: B,
) -> Result<Emitted, GenerateError> {
    top.connect_all();
    let name = &configuration.name;
    let emitter = Emitter::new(&format!("{name}_{}", board.name()))
        .prefix(name)
        .header(&header(configuration));
    Ok(emitter.emit(&top)?)
}
