//! Proofs about emitted modules, made by Yosys.
//!
//! What is proved is the text that `brownout generate` writes ([`netlist`] cuts
//! modules out of it); what it is proved against is plain Verilog written here
//! from the specification's tables and formulas, without a look at `hdl`.
//! [`yosys`] says how a claim becomes a proof and what counts as one. Then one
//! file per kind of module: its claims, and mutants that its claims reject.
//!
//! Two kinds of claims add up. A claim of **function** is about the module with
//! its registers replaced by wires: what comes out, for all values of all inputs,
//! when inputs are held. A claim of **time** is about the module as it is, from
//! any state: at which clocks inputs are looked at, and that those of no other
//! clock matter. A held input is the same at every clock, so a module whose output
//! depends on its inputs at certain clocks only is, by the two, known at every clock.

pub mod board_reset;
pub mod clearing;
pub mod decoder;
pub mod delay;
pub mod fifo;
pub mod gates;
pub mod loader;
pub mod memory;
pub mod multiplier;
pub mod netlist;
pub mod pe;
pub mod plain_path;
pub mod registers;
pub mod requantizer;
pub mod window;
pub mod yosys;
