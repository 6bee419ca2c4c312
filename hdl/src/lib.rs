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
pub mod generate;
pub mod host;
pub mod memory;
pub mod weight;

pub use generate::{GenerateError, generate};
