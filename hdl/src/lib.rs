//! The accelerator, described in rust-hdl, and the emitter that prints it as Verilog.
//!
//! This crate knows the specification (`brownout-spec`) and nothing about training
//! or simulation.

pub mod accelerator;
pub mod array;
pub mod buffer;
pub mod column;
pub mod control;
pub mod emit;
pub mod host;
pub mod memory;
pub mod weight;

/// A comment in the emitted Verilog; `#[hdl_gen]` keeps its text, Rust drops it.
#[macro_export]
macro_rules! comment {
    ($text:literal) => {};
}
