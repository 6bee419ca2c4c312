//! The accelerator, described in rust-hdl; `brownout-emitter` prints it as Verilog.
//!
//! This crate knows the specification (`brownout-spec`) and nothing about training
//! or simulation.

pub mod accelerator;
pub mod array;
pub mod board;
pub mod buffer;
pub mod column;
pub mod control;
mod fixed;
pub mod generate;
pub mod host;
pub mod macros;
pub mod memory;
pub mod weight;

pub use board::generate_board;
pub use brownout_emitter as emit;
pub(crate) use brownout_emitter::comment;
pub use generate::{GenerateError, generate};

/// Widths that the RTL states in its types are the specification's.
const _: () = {
    use brownout_spec::{arithmetic, config, program, registers};
    assert!(config::WEIGHT_ADDRESS_BITS == 23);
    assert!(config::ACTIVATION_ADDRESS_BITS == 16);
    assert!(config::ACCUMULATOR_ADDRESS_BITS == 16);
    assert!(config::PARAMETER_ADDRESS_BITS == 12);
    assert!(config::MAX_TABLES < 1 << 5 && arithmetic::TABLE_ENTRIES == 1 << 8);
    assert!(config::RESULT_ADDRESS_BITS == 10);
    assert!(config::MAX_LAYERS * program::descriptor::WORDS <= 1 << 12);
    assert!(arithmetic::SUM_BITS == 48);
    assert!(registers::LANES_PER_BEAT == 4);
    assert!(registers::DEBUG_BUFFER_LSB == 16 && registers::DEBUG_GROUP_LSB == 18);
};
