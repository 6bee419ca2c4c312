//! What an inference costs: accesses per memory, counted from the program, and a price for each.
//!
//! The prices are those of an Eyeriss-like design in the reference output of
//! Accelergy (Accelergy-Project/timeloop-accelergy-exercises, commit
//! 2d551080, `eyeriss_like`, flattened to 32 nm), in picojoules per action.
//! They are all *array* energies: no clock tree, no control, no leakage over
//! time, no DRAM. The ratio between two voltages of the weight memory is the
//! part to trust; absolute values carry the reference's technology and sizes.

use brownout_spec::code::CodeName;
use brownout_spec::config::Configuration;
use brownout_spec::program::{Program, Step};
use brownout_spec::quantity::Millivolts;
use brownout_spec::voltage::{VoltageError, VoltageModel};

/// Read of 64 bits from a 16384 × 64 bit SRAM (`shared_glb` read).
pub const BUFFER_READ_PJ: f64 = 18.183829;
/// Write of 64 bits to a 16384 × 64 bit SRAM (`shared_glb` write).
pub const BUFFER_WRITE_PJ: f64 = 14.137929;
/// Read of 16 bits from a small accumulator memory (`psum_spad` read).
pub const ACCUMULATOR_READ_PJ: f64 = 0.2513;
/// Write of 16 bits to a small accumulator memory (`psum_spad` write).
pub const ACCUMULATOR_WRITE_PJ: f64 = 0.2191;
/// Read of 16 bits from a 192 × 16 bit memory (`weights_spad` read).
pub const PARAMETER_READ_PJ: f64 = 1.976602;
/// One multiply-accumulate (`mac` compute).
pub const MULTIPLY_PJ: f64 = 0.207692;

const BUFFER_BITS: f64 = 64.0;
const SMALL_BITS: f64 = 16.0;
const ACCUMULATOR_BITS: f64 = 32.0;
/// An entry of a table, which is priced as a parameter memory of as many bits.
const TABLE_BITS: f64 = 8.0;
/// m of 16 bits and b of 48.
const PARAMETER_BITS: f64 = 64.0;

/// Accesses of one inference.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Accesses {
    /// Code words read from the weight memory.
    pub weight_words: u64,
    /// Activation words read, padding zeros and residual operands included.
    pub activation_reads: u64,
    /// Activation words written.
    pub activation_writes: u64,
    /// Partial sums read, 32 bits each.
    pub accumulator_reads: u64,
    /// Partial sums written, 32 bits each.
    pub accumulator_writes: u64,
    /// Pairs (m, b) read, one per column, output tile and set.
    pub parameter_reads: u64,
    /// Entries of tables read, one per column and output of a pointwise layer.
    pub table_reads: u64,
    /// Multiplications by the array, unused rows and columns included.
    pub multiplications: u64,
}

impl Accesses {
    /// Counts the accesses of one pass of a program.
    ///
    /// The first tap of an output tile writes its partial sums without reading;
    /// the last one goes to the requantizer without being written.
    pub fn count(configuration: &Configuration, program: &Program) -> Self {
        let mut total = Self {
            weight_words: program.weight_words as u64,
            ..Self::default()
        };
        for step in &program.steps {
            total.add_step(configuration, step);
        }
        total
    }

    fn add_step(&mut self, configuration: &Configuration, step: &Step) {
        let [tiles, outputs, pixels, columns, rows] = [
            step.tiles(),
            step.output_tiles,
            step.pixels(),
            configuration.columns,
            configuration.rows,
        ]
        .map(|n| n as u64);
        self.activation_reads += tiles * pixels;
        // A stand-alone addition reads its operand in a tap of its own, counted with the others.
        if let Some(operand) = step.operand.filter(|_| !step.operand_tap) {
            let tiles = operand.shape.channels.div_ceil(configuration.columns);
            self.activation_reads += tiles as u64 * pixels;
        }
        if !step.wide {
            self.activation_writes += outputs * pixels;
        }
        // Every tile but the last of each output tile is kept, and read again.
        let kept = (tiles - outputs) * pixels * columns;
        self.accumulator_reads += kept;
        self.accumulator_writes += kept;
        self.parameter_reads += step.parameter_tiles() as u64 * columns;
        if step.table.is_some() {
            self.table_reads += outputs * pixels * columns;
        }
        if step.convolution {
            self.multiplications += tiles * pixels * rows * columns;
        }
    }

    /// The energy of these accesses, with the weight memory's scaled by its supply voltage.
    ///
    /// `weight_scale` is the voltage model's relative energy: 1 at its nominal voltage.
    pub fn energy(&self, configuration: &Configuration, weight_scale: f64) -> Energy {
        let word = configuration.code.word_bits() as f64 / BUFFER_BITS;
        let activation = configuration.activation_lanes() as f64 * 8.0 / BUFFER_BITS;
        let wide = ACCUMULATOR_BITS / SMALL_BITS;
        let count = |n: u64| n as f64;
        Energy {
            weights_pj: count(self.weight_words) * BUFFER_READ_PJ * word * weight_scale,
            activations_pj: activation
                * (count(self.activation_reads) * BUFFER_READ_PJ
                    + count(self.activation_writes) * BUFFER_WRITE_PJ),
            accumulators_pj: wide
                * (count(self.accumulator_reads) * ACCUMULATOR_READ_PJ
                    + count(self.accumulator_writes) * ACCUMULATOR_WRITE_PJ),
            parameters_pj: PARAMETER_READ_PJ / SMALL_BITS
                * (count(self.parameter_reads) * PARAMETER_BITS
                    + count(self.table_reads) * TABLE_BITS),
            multiplications_pj: count(self.multiplications) * MULTIPLY_PJ,
        }
    }
}

/// Energy of one inference by consumer, in picojoules. Only the weights' share falls with the voltage.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Energy {
    /// Weight memory.
    pub weights_pj: f64,
    /// Activation buffers.
    pub activations_pj: f64,
    /// Accumulators.
    pub accumulators_pj: f64,
    /// Multipliers, constants and tables of the output channels.
    pub parameters_pj: f64,
    /// The array.
    pub multiplications_pj: f64,
}

impl Energy {
    /// All of it, in picojoules.
    pub fn total_pj(&self) -> f64 {
        self.weights_pj
            + self.activations_pj
            + self.accumulators_pj
            + self.parameters_pj
            + self.multiplications_pj
    }
}

/// Cells stored per cell that holds a weight's bit: 72/64 for `secded-72-64`, otherwise 1.
pub fn stored_bits_ratio(code: CodeName) -> f64 {
    code.word_bits() as f64 / code.weight_field_bits() as f64
}

/// Energy of the weight memory relative to the same weights without a code at the
/// model's nominal voltage: the voltage's relative energy times the stored bits.
///
/// # Errors
/// When the voltage is outside the model.
pub fn relative_sram_energy(
    model: &VoltageModel,
    supply: Millivolts,
    code: CodeName,
) -> Result<f64, VoltageError> {
    Ok(model.relative_energy(supply)? * stored_bits_ratio(code))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::Architecture;
    use brownout_spec::code::Storage;
    use brownout_spec::config::{Depths, VoltageModelChoice, WeightBits};
    use brownout_spec::program::Shape;

    fn configuration(code: CodeName) -> Configuration {
        Configuration {
            name: "test".into(),
            rows: 8,
            columns: 8,
            weight_bits: WeightBits::Eight,
            code,
            storage: Storage::Coset,
            depths: Depths {
                weights: 1 << 14,
                activations: 1024,
                accumulators: 1024,
                parameters: 64,
                layers: 8,
                results: Depths::RESULTS,
            },
            voltage_model: VoltageModelChoice::Fdx22nm,
            vmin_mv: None,
            fault_emulation: true,
            zero_points: false,
            tables: 0,
        }
    }

    #[test]
    fn the_mlp_reads_every_weight_word_once() {
        let input = Shape {
            height: 28,
            width: 28,
            channels: 1,
        };
        let network = Architecture::mlp(input, 10).unwrap().network;
        let configuration = configuration(CodeName::None);
        let program = Program::new(&configuration, &network).unwrap();
        let accesses = Accesses::count(&configuration, &program);
        // 98 x 13 tiles of the hidden layer and 13 x 2 of the last, 8 words each.
        assert_eq!(accesses.weight_words, (98 * 13 + 13 * 2) * 8);
        assert_eq!(accesses.activation_reads, 98 * 13 + 13 * 2);
        assert_eq!(accesses.activation_writes, 13, "the last layer is wide");
        assert_eq!(accesses.accumulator_reads, (97 * 13 + 12 * 2) * 8);
        assert_eq!(accesses.parameter_reads, 15 * 8);
    }

    #[test]
    fn a_look_up_costs_an_eighth_of_a_pair_of_parameters() {
        let one = |parameter_reads, table_reads| {
            let accesses = Accesses {
                parameter_reads,
                table_reads,
                ..Accesses::default()
            };
            let energy = accesses.energy(&configuration(CodeName::None), 1.0);
            energy.total_pj()
        };
        assert_eq!(one(0, 8), one(1, 0));
        assert_eq!(one(1, 0), 4.0 * PARAMETER_READ_PJ);
    }

    #[test]
    fn a_wider_word_costs_an_eighth_more_at_the_same_voltage() {
        let model = VoltageModel::from_configuration(&configuration(CodeName::None)).unwrap();
        let at = |mv, code| relative_sram_energy(&model, Millivolts(mv), code).unwrap();
        assert_eq!(at(800, CodeName::None), 1.0);
        assert_eq!(at(800, CodeName::Secded72_64), 1.125);
        assert_eq!(at(400, CodeName::Inplace64_57), 0.25);
        assert!(relative_sram_energy(&model, Millivolts(900), CodeName::None).is_err());
    }

    #[test]
    fn only_the_weight_memory_follows_the_voltage() {
        let accesses = Accesses {
            weight_words: 10,
            activation_reads: 10,
            ..Accesses::default()
        };
        let configuration = configuration(CodeName::None);
        let full = accesses.energy(&configuration, 1.0);
        let low = accesses.energy(&configuration, 0.25);
        assert_eq!(low.weights_pj, full.weights_pj / 4.0);
        assert_eq!(low.activations_pj, full.activations_pj);
        assert!((full.total_pj() - 20.0 * BUFFER_READ_PJ).abs() < 1e-9);
    }
}
