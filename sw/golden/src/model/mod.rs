//! The integer model.

mod input;

pub use input::InputMap;
