//! The whole accelerator: its parts; `wiring` says how they are wired.
//!
//! ```text
//!  input stream ─► loader ─► weight, program, parameter memories, tables, buffer 0
//!  program memory ─► sequencer ─┬─► activation buffers ─► array ─► columns ─┬─► writer ─► buffers
//!                               └─► weight path ────────────┘               └─► result FIFO ─► result stream
//! ```
//!
//! A pixel decided in cycle x reaches row 0 in x + 6 and column 0's control in
//! x + 6 + rows; `brownout_spec::cycles` holds these numbers.

mod wiring;

use crate::array::Array;
use crate::buffer::{ActivationBuffers, Writer};
use crate::column::Columns;
use crate::control::{Delay, DescriptorRegisters, Sequencer, StrobeDelay};
use crate::host::{EventCounter, Loader, RegisterFile, ResultFifo, SumCounter};
use crate::memory::Memory;
use crate::weight::{Spread, VoltageRom, WeightPath};
use brownout_spec::config::{Configuration, ConfigurationError};
use brownout_spec::cycles;
use brownout_spec::program::descriptor;
use brownout_spec::voltage::VoltageModel;
use rust_hdl::prelude::*;

/// Behind the issue registers: clocks until a pixel's activations enter the array,
const CONTROL_STAGES: usize = cycles::ISSUE_LATENCY - 1;
/// until a swap does, a clock ahead of its pixel,
const SWAP_STAGES: usize = CONTROL_STAGES - 1;
/// and from the weight path to the array: a register, which weights are padding, and without it.
const WEIGHT_STAGES: usize = 3;

/// An accelerator with code words of `N` bits, weights of `WB` bits and activations of `AB` bits in
/// array and columns.
#[derive(LogicBlock)]
pub struct Accelerator<const N: usize, const WB: usize, const AB: usize> {
    /// Clock of everything.
    pub clock: Signal<In, Clock>,
    /// Synchronous reset, active high.
    pub reset: Signal<In, Bit>,
    /// Register bus: write strobe.
    pub register_write: Signal<In, Bit>,
    /// Register bus: read strobe.
    pub register_read: Signal<In, Bit>,
    /// Register bus: register number.
    pub register_address: Signal<In, Bits<8>>,
    /// Register bus: what to write.
    pub register_write_data: Signal<In, Bits<32>>,
    /// Register bus: what was read, one clock after the strobe.
    pub register_read_data: Signal<Out, Bits<32>>,
    /// Input stream.
    pub input_valid: Signal<In, Bit>,
    /// Input stream.
    pub input_data: Signal<In, Bits<32>>,
    /// Input stream.
    pub input_ready: Signal<Out, Bit>,
    /// Result stream.
    pub output_valid: Signal<Out, Bit>,
    /// Result stream.
    pub output_data: Signal<Out, Bits<32>>,
    /// Result stream.
    pub output_ready: Signal<In, Bit>,
    registers: RegisterFile,
    loader: Loader,
    program_memory: Memory<32>,
    sequencer: Sequencer,
    descriptor: DescriptorRegisters,
    weight_path: WeightPath<N, WB>,
    voltage_rom: Vec<VoltageRom>,
    buffers: ActivationBuffers<AB>,
    array: Array<AB, WB>,
    columns: Columns<AB>,
    writer: Writer,
    results: ResultFifo,
    cycle_counter: EventCounter,
    busy_counter: EventCounter,
    word_counter: EventCounter,
    corrected_counter: EventCounter,
    detected_counter: EventCounter,
    disturbed_counter: Vec<EventCounter>,
    flipped_counter: Vec<SumCounter>,
    program_word: DFF<Bits<32>>,
    swap_delay: StrobeDelay,
    weight_valid_delay: StrobeDelay,
    weight_row_delay: Delay<Bits<6>>,
    early_weight_group: DFF<Bits<4>>,
    weight_group_delay: Delay<Bits<4>>,
    early_weight_diagonal: DFF<Bit>,
    early_weight_from: Vec<DFF<Bits<7>>>,
    early_weight_to: Vec<DFF<Bits<7>>>,
    early_weight: Vec<DFF<Bits<WB>>>,
    spread: Spread<WB>,
    weight: Vec<DFF<Bits<WB>>>,
    valid_delay: StrobeDelay,
    first_delay: Delay<Bit>,
    last_delay: Delay<Bit>,
    accumulator_delay: Delay<Bits<16>>,
    parameter_delay: Delay<Bits<12>>,
    operand_residual_delay: Delay<Bit>,
    operand_enable_delay: Delay<Bit>,
    operand_address_delay: Delay<Bits<16>>,
    operand_select_delay: Delay<Bits<4>>,
    operand_columns_delay: Delay<Bits<7>>,
    threshold: Signal<Local, Bits<32>>,
    clear: Signal<Local, Bit>,
    _rows: usize,
    _columns: usize,
    _lanes: usize,
    _weights: usize,
    _rows_per_word: usize,
    _beats: usize,
    _faults: usize,
}

impl<const N: usize, const WB: usize, const AB: usize> Accelerator<N, WB, AB> {
    /// The accelerator of a valid configuration whose code and weights have these widths.
    pub fn new(configuration: &Configuration) -> Result<Self, ConfigurationError> {
        fn some<T>(present: bool, make: impl FnOnce() -> T) -> Vec<T> {
            present.then(make).into_iter().collect()
        }
        let c = configuration;
        let (rows, columns, faults) = (c.rows, c.columns, c.fault_emulation);
        let rom = VoltageModel::from_configuration(c)?.rom();
        let program_depth = c.depths.layers * descriptor::WORDS;
        Ok(Self {
            clock: Default::default(),
            reset: Default::default(),
            register_write: Default::default(),
            register_read: Default::default(),
            register_address: Default::default(),
            register_write_data: Default::default(),
            register_read_data: Default::default(),
            input_valid: Default::default(),
            input_data: Default::default(),
            input_ready: Default::default(),
            output_valid: Default::default(),
            output_data: Default::default(),
            output_ready: Default::default(),
            registers: RegisterFile::new(c),
            loader: Loader::new(c),
            program_memory: Memory::new(program_depth, 1),
            program_word: Default::default(),
            sequencer: Sequencer::new(c),
            descriptor: DescriptorRegisters::new(),
            weight_path: WeightPath::new(c),
            voltage_rom: some(faults, || VoltageRom::new(&rom)),
            buffers: ActivationBuffers::new(c),
            array: Array::new(rows, columns, c.weights_per_word()),
            columns: Columns::new(c),
            writer: Writer::new(c),
            results: ResultFifo::new(columns, c.depths.results),
            cycle_counter: Default::default(),
            busy_counter: Default::default(),
            word_counter: Default::default(),
            corrected_counter: Default::default(),
            detected_counter: Default::default(),
            disturbed_counter: some(faults, Default::default),
            flipped_counter: some(faults, Default::default),
            swap_delay: StrobeDelay::new(SWAP_STAGES),
            weight_valid_delay: StrobeDelay::new(WEIGHT_STAGES),
            weight_row_delay: Delay::new(WEIGHT_STAGES),
            early_weight_group: Default::default(),
            weight_group_delay: Delay::new(WEIGHT_STAGES - 1),
            early_weight_diagonal: Default::default(),
            early_weight_from: (0..c.rows_per_word()).map(|_| Default::default()).collect(),
            early_weight_to: (0..c.rows_per_word()).map(|_| Default::default()).collect(),
            spread: Spread::new(c),
            early_weight: (0..c.weights_per_word())
                .map(|_| Default::default())
                .collect(),
            weight: (0..c.weights_per_word())
                .map(|_| Default::default())
                .collect(),
            valid_delay: StrobeDelay::new(rows + CONTROL_STAGES),
            first_delay: Delay::new(rows + CONTROL_STAGES),
            last_delay: Delay::new(rows + CONTROL_STAGES),
            accumulator_delay: Delay::new(rows + CONTROL_STAGES),
            parameter_delay: Delay::new(rows + CONTROL_STAGES - 1),
            operand_residual_delay: Delay::new(rows + 1),
            operand_enable_delay: Delay::new(rows + 1),
            operand_address_delay: Delay::new(rows + 1),
            operand_select_delay: Delay::new(rows + 1),
            operand_columns_delay: Delay::new(rows + 1),
            threshold: Default::default(),
            clear: Default::default(),
            _rows: rows,
            _columns: columns,
            _lanes: c.activation_lanes(),
            _weights: c.weights_per_word(),
            _rows_per_word: c.rows_per_word(),
            _beats: c.code.word_bits().div_ceil(32),
            _faults: usize::from(faults),
        })
    }
}
