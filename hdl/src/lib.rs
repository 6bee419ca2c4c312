//! The accelerator, described in rust-hdl, and the emitter that prints it as Verilog.
//!
//! This crate knows the specification (`brownout-spec`) and nothing about training
//! or simulation.

pub mod memory;
