//! Co-simulation of the emitted Verilog against the golden model.

pub mod beats;
pub mod build;
pub mod cache;
pub mod campaign;
pub mod compare;
pub mod driver;
pub mod engine;
pub mod link;
pub mod model;
pub mod serial;
pub mod simulator;
pub mod toolchain;
mod trace;
pub mod waveform;
