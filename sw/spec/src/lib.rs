//! The one description of a Brownout accelerator.
//!
//! Everything that both worlds must agree on is defined here, once: what a
//! configuration may be ([`config`]), how a memory word is coded ([`code`]),
//! where bit *k* of weight *i* lives ([`image`]), which cells fail at a given
//! voltage ([`fault`], [`voltage`]), how integers are multiplied and rounded
//! ([`arithmetic`]), what a program says ([`program`]), how long it takes
//! ([`cycles`]), how a host talks to the hardware ([`registers`], [`serial`]), which memory macros a
//! process has ([`macros`]), and how
//! foreign text looks in a message ([`text`]).
//!
//! This crate depends on neither the golden model nor the RTL; both depend on it.
#![deny(missing_docs)]
#![forbid(unsafe_code)]

pub mod arithmetic;
pub mod code;
pub mod config;
pub mod cycles;
pub mod fault;
pub mod image;
pub mod macros;
pub mod program;
pub mod quantity;
pub mod registers;
pub mod serial;
pub mod text;
pub mod voltage;
