//! The golden model.

pub mod data;
pub mod model;
pub mod network;
pub mod train;
