//! FPGA families: how Yosys is called for each, what its cells are, and what is asked of them.

use super::SynthesisError;

/// What a primitive cell counts as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A look-up table of any size.
    Lut,
    /// A flip-flop.
    FlipFlop,
    /// A hard multiplier.
    Multiplier,
    /// A block of RAM.
    Block,
    /// RAM made of look-up tables.
    LutRam,
}

/// A family.
#[derive(Debug)]
pub struct Family {
    /// How `make synth FAMILY=` names it.
    pub name: &'static str,
    /// For the table.
    pub title: &'static str,
    /// Yosys' command, to which `-top NAME` is added.
    pub script: &'static str,
    /// Beginnings of its cells' names; the first that fits counts.
    cells: &'static [(Kind, &'static str)],
    /// Multipliers and blocks of RAM of the datasheet's accelerator without fault emulation and
    /// with code inplace-64-57; none where nobody has measured it whole.
    pub measured: Option<[u64; 2]>,
    /// Why not every product of the array is a hard multiplier of its own, if it is not.
    pub without_multipliers: Option<&'static str>,
    /// Why the weights do not lie in blocks alone, if they do not.
    pub without_blocks: Option<&'static str>,
}

impl Family {
    /// What a cell counts as; carry chains, buffers and constants count as nothing.
    pub fn kind(&self, cell: &str) -> Option<Kind> {
        let found = self.cells.iter().find(|(_, start)| cell.starts_with(start));
        found.map(|(kind, _)| *kind)
    }

    /// The family of a name.
    ///
    /// # Errors
    /// With all names, for any other.
    pub fn named(name: &str) -> Result<&'static Self, SynthesisError> {
        let found = FAMILIES.iter().find(|family| family.name == name);
        found.ok_or_else(|| SynthesisError::Family {
            found: name.to_owned(),
            allowed: format!(
                "all, {}",
                FAMILIES.each_ref().map(|family| family.name).join(", ")
            ),
        })
    }
}

use Kind::{Block, FlipFlop, Lut, LutRam, Multiplier};

/// All families.
pub const FAMILIES: [Family; 8] = [
    Family {
        name: "ecp5",
        title: "Lattice ECP5",
        script: "synth_ecp5 -nowidelut",
        cells: &[
            (Multiplier, "MULT18X18"),
            (Block, "DP16KD"),
            (LutRam, "TRELLIS_DPR16X4"),
            (FlipFlop, "TRELLIS_FF"),
            (Lut, "LUT4"),
        ],
        measured: Some([88, 110]),
        without_multipliers: None,
        without_blocks: None,
    },
    Family {
        name: "xilinx7",
        title: "Xilinx 7 series",
        script: "synth_xilinx -flatten -family xc7",
        cells: &[
            (Multiplier, "DSP48"),
            (Block, "RAMB"),
            (LutRam, "RAM"),
            (FlipFlop, "FD"),
            (Lut, "LUT"),
            (Lut, "INV"),
        ],
        measured: Some([88, 48]),
        without_multipliers: None,
        without_blocks: None,
    },
    Family {
        name: "gowin",
        title: "Gowin GW2A",
        script: "synth_gowin -family gw2a",
        cells: &[
            (Multiplier, "MULT"),
            (Block, "DPB"),
            (Block, "DPX9B"),
            (Block, "SDP"),
            (Block, "SP"),
            (LutRam, "RAM16"),
            (FlipFlop, "DFF"),
            (Lut, "LUT"),
        ],
        measured: Some([88, 110]),
        without_multipliers: None,
        without_blocks: None,
    },
    Family {
        name: "cyclonev",
        title: "Intel Cyclone V",
        script: "synth_intel_alm -family cyclonev",
        cells: &[
            (Multiplier, "MISTRAL_MUL"),
            (Block, "MISTRAL_M10K"),
            (LutRam, "MISTRAL_MLAB"),
            (FlipFlop, "MISTRAL_FF"),
            (Lut, "MISTRAL_ALUT"),
            (Lut, "MISTRAL_NOT"),
        ],
        measured: Some([88, 260]),
        without_multipliers: None,
        without_blocks: None,
    },
    Family {
        name: "polarfire",
        title: "Microchip PolarFire",
        script: "synth_microchip -family polarfire",
        cells: &[
            (Multiplier, "MACC_PA"),
            (Block, "RAM1K20"),
            (LutRam, "RAM64x12"),
            (FlipFlop, "SLE"),
            (Lut, "CFG"),
        ],
        measured: Some([88, 82]),
        without_multipliers: None,
        without_blocks: None,
    },
    Family {
        name: "nexus",
        title: "Lattice Nexus",
        script: "synth_nexus",
        cells: &[
            (Multiplier, "MULT"),
            (Multiplier, "MULTADDSUB"),
            (Block, "PDPSC16K"),
            (Block, "PDP16K"),
            (Block, "DP16K"),
            (LutRam, "DPR16X4"),
            (FlipFlop, "FD1P3"),
            (Lut, "LUT4"),
            (Lut, "WIDEFN9"),
            (Lut, "INV"),
        ],
        measured: Some([88, 110]),
        without_multipliers: None,
        without_blocks: None,
    },
    Family {
        name: "gatemate",
        title: "Cologne Chip GateMate",
        script: "synth_gatemate",
        cells: &[
            (Multiplier, "CC_MULT"),
            (Block, "CC_BRAM"),
            (FlipFlop, "CC_DFF"),
            (Lut, "CC_LUT"),
            (Lut, "CC_L2T"),
            (Lut, "CC_MX"),
        ],
        measured: Some([88, 51]),
        without_multipliers: None,
        without_blocks: None,
    },
    Family {
        name: "efinix",
        title: "Efinix Trion",
        script: "synth_efinix",
        cells: &[
            (Block, "EFX_RAM_5K"),
            (FlipFlop, "EFX_FF"),
            (Lut, "EFX_LUT4"),
        ],
        measured: Some([0, 352]),
        without_multipliers: Some(
            "Yosys infers no multiplier of Efinix; products are made of look-up tables and adders",
        ),
        without_blocks: None,
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_that_is_not_known_is_answered_with_those_that_are() {
        let error = Family::named("stratix").expect_err("no such family");
        let message = error.to_string();
        assert!(
            message.contains("stratix") && message.contains("ecp5, xilinx7"),
            "{message}"
        );
        assert_eq!(
            Family::named("nexus").expect("a family").title,
            "Lattice Nexus"
        );
    }

    #[test]
    fn cells_count_as_what_they_are() {
        let kind = |family, cell| Family::named(family).expect("a family").kind(cell);
        // RAM of look-up tables begins as blocks do.
        assert_eq!(kind("xilinx7", "RAMB36E1"), Some(Block));
        assert_eq!(kind("xilinx7", "RAM64M"), Some(LutRam));
        assert_eq!(kind("gowin", "DPX9B"), Some(Block));
        assert_eq!(kind("gowin", "DFFE"), Some(FlipFlop));
        assert_eq!(kind("ecp5", "CCU2C"), None);
        assert_eq!(kind("nexus", "MULTADDSUB9X9WIDE"), Some(Multiplier));
    }
}
