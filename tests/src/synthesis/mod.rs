//! Synthesis and place-and-route of generated accelerators on a Lattice ECP5.
//!
//! Yosys and nextpnr-ecp5 are the pinned ones of `tools/requirements-synthesis.txt`; `make`
//! puts them on the `PATH`. The host side's ports go to pins of nextpnr's choice: the accelerator
//! is a block of a larger design, and only paths between its registers count.

mod blocks;
mod datasheet;
mod families;
mod floorplan;
mod hsiao;
mod paths;
mod portability;
mod sdf;
mod tools;

pub use blocks::{BlockRegisters, Mapped};
pub use datasheet::{Figures, SEEDS, datasheet};
pub use families::{FAMILIES, Family, Kind};
pub use hsiao::plain_decoder;
pub use paths::{PathGroup, slow_groups};
pub use portability::{FamilyFigures, Module, family_table, measure_family, measure_module};
pub use sdf::{Delays, SdfError};
pub use tools::{
    ACCELERATOR_SCRIPT, CONSTRAINTS, NEXTPNR_OPTIONS, Netlist, SynthesisError, Timing, WANTED_MHZ,
    YOSYS_SCRIPT, count_cells, pin_blocks, place_and_route, synthesize, version,
};

use brownout_spec::code::{CodeName, Storage};
use brownout_spec::config::{Configuration, Depths, VoltageModelChoice, WeightBits};

/// Device and speed grade of every figure.
pub const DEVICE: &str = "Lattice ECP5 LFE5U-85F, speed grade 6";
/// The 8 × 8 accelerator of the datasheet, with 8-bit weights.
pub fn datasheet_configuration(code: CodeName, fault_emulation: bool) -> Configuration {
    Configuration {
        name: "brownout".into(),
        rows: 8,
        columns: 8,
        weight_bits: WeightBits::Eight,
        code,
        storage: Storage::Coset,
        depths: Depths {
            weights: 16_384,
            activations: 1024,
            accumulators: 1024,
            parameters: 64,
            layers: 16,
            results: Depths::RESULTS,
        },
        voltage_model: VoltageModelChoice::Fdx22nm,
        vmin_mv: None,
        fault_emulation,
        zero_points: false,
        tables: 0,
    }
}
