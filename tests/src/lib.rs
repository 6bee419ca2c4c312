//! What the end-to-end tests share: configurations, random graphs, sessions on
//! simulated accelerators, and readers of what comes from outside.

pub mod bench;
pub mod census;
pub mod conditions;
pub mod configurations;
pub mod cover;
pub mod definition;
pub mod formal;
pub mod graph;
pub mod icarus;
pub mod lanes;
pub mod limited;
pub mod lockstep;
pub mod macros;
pub mod mutant;
pub mod mutation;
pub mod places;
pub mod read_back;
pub mod readers;
pub mod session;
pub mod synthesis;
pub mod tensors;
