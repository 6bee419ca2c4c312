//! The fixed list of accelerators that random graphs run on.
//!
//! At most eight, since each is verilated and compiled once: every code, both
//! weight widths, rows equal to and different from columns in both directions,
//! words of several rows and rows of several words, stored plain and as a coset,
//! with and without fault emulation, zero points and tables, and depths that are no powers of two.

use brownout_spec::code::{CodeName, Storage};
use brownout_spec::config::{Configuration, Depths, VoltageModelChoice, WeightBits};
use brownout_spec::quantity::Millivolts;

/// An accelerator and how its model is built.
#[derive(Clone, Debug)]
pub struct Bench {
    /// The accelerator.
    pub configuration: Configuration,
    /// Registers and memories start at random values.
    pub random_initial: bool,
}

/// A configuration with small memories and fault emulation.
pub fn configuration(
    rows: usize,
    columns: usize,
    weight_bits: WeightBits,
    code: CodeName,
) -> Configuration {
    Configuration {
        name: "brownout".into(),
        rows,
        columns,
        weight_bits,
        code,
        storage: Storage::Coset,
        depths: Depths {
            weights: 3000,
            activations: 400,
            accumulators: 200,
            parameters: 40,
            layers: 9,
            results: Depths::RESULTS,
        },
        voltage_model: VoltageModelChoice::Fdx22nm,
        vmin_mv: None,
        fault_emulation: true,
        zero_points: false,
        tables: 0,
    }
}

/// The list.
pub fn benches() -> Vec<Bench> {
    use CodeName::{Inplace32_26, Inplace64_57, None, Secded72_64};
    use WeightBits::{Eight, Four};
    let plain = |rows, columns, bits, code| Bench {
        configuration: configuration(rows, columns, bits, code),
        random_initial: false,
    };
    let mut benches = vec![
        plain(4, 4, Eight, None),
        plain(4, 8, Eight, Inplace64_57),
        plain(8, 4, Four, None),
        plain(8, 8, Eight, Inplace64_57),
        plain(8, 8, Eight, Secded72_64),
        plain(16, 8, Four, Inplace32_26),
        plain(8, 16, Four, Inplace64_57),
        plain(8, 8, Eight, None),
    ];
    benches[3].random_initial = true;
    benches[3].configuration.storage = Storage::Plain;
    benches[4].configuration.voltage_model = VoltageModelChoice::Finfet14nm;
    benches[4].configuration.vmin_mv = Some(Millivolts(600));
    // Both, and each alone.
    for (number, zero_points, tables) in [(1, true, 5), (2, true, 4), (5, true, 0), (6, false, 31)]
    {
        benches[number].configuration.zero_points = zero_points;
        benches[number].configuration.tables = tables;
    }
    // Room for the built-in MLP.
    benches[5].configuration.depths.weights = 12_000;
    benches[7].configuration.fault_emulation = false;
    benches[0].configuration.depths.results = 1000;
    benches[1].configuration.depths.results = 1024;
    benches[2].configuration.depths.results = 700;
    benches[6].configuration.depths.results = 900;
    benches
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_configurations_are_valid_and_cover_every_code() {
        let benches = benches();
        assert!(benches.len() <= 8);
        for bench in &benches {
            bench
                .configuration
                .validate()
                .unwrap_or_else(|e| panic!("{e}"));
        }
        for code in CodeName::ALL {
            assert!(benches.iter().any(|b| b.configuration.code == code));
        }
        let coded = |b: &&Bench| b.configuration.code != CodeName::None;
        for storage in Storage::ALL {
            let mut coded = benches.iter().filter(coded);
            assert!(coded.any(|b| b.configuration.storage == storage));
        }
        assert!(benches.iter().any(|b| b.random_initial));
        assert!(benches.iter().any(|b| !b.configuration.fault_emulation));
    }
}
