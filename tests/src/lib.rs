//! What the end-to-end tests share: configurations, random graphs, and sessions
//! on simulated accelerators.

pub mod census;
pub mod configurations;
pub mod graph;
pub mod mutant;
pub mod session;
pub mod tensors;
