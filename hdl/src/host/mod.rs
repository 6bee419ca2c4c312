//! The host's side: registers, counters, the input stream and the result stream.

mod counter;
mod loader;
mod registers;
mod results;

pub use counter::{EventCounter, SumCounter};
pub use loader::Loader;
pub use registers::{RegisterFile, register_labels};
pub use results::ResultFifo;
