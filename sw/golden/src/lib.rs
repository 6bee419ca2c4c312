//! The golden model.

pub mod data;
pub mod network;
