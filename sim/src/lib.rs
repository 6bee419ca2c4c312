//! Co-simulation of the emitted Verilog against the golden model.

pub mod build;
pub mod cache;
pub mod model;
pub mod toolchain;
mod trace;
