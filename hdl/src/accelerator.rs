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
use crate::memory::{Memory, address_bits};
use crate::weight::{Spread, VoltageRom, WeightPath};
use brownout_spec::config::{Configuration, ConfigurationError};
use brownout_spec::cycles;
use brownout_spec::program::descriptor;
use brownout_spec::voltage::VoltageModel;
use rust_hdl::prelude::*;

/// Behind the issue registers: clocks until a pixel's activations enter the array,
const CONTROL_STAGES: usize = cycles::ISSUE_LATENCY - 1;
/// and until a swap does, a clock ahead of its pixel.
const SWAP_STAGES: usize = CONTROL_STAGES - 1;

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
    // In the clocks of a word before padding is told apart, while it is, and at the array.
    early_weight_valid: DFF<Bit>,
    spread_weight_valid: DFF<Bit>,
    weight_valid: DFF<Bit>,
    early_weight_row: DFF<Bits<6>>,
    spread_weight_row: DFF<Bits<6>>,
    weight_row: DFF<Bits<6>>,
    early_weight_group: DFF<Bits<4>>,
    spread_weight_group: DFF<Bits<4>>,
    weight_group: DFF<Bits<4>>,
    swap: Vec<DFF<Bit>>,
    early_weight_diagonal: DFF<Bit>,
    early_weight_from: Vec<DFF<Bits<7>>>,
    early_weight_to: Vec<DFF<Bits<7>>>,
    early_weight: Vec<DFF<Bits<WB>>>,
    spread: Spread<WB>,
    weight: Vec<DFF<Bits<WB>>>,
    valid_delay: StrobeDelay,
    // First, last and the accumulator's address, from bit 0 on; then, the parameters'.
    control: Signal<Local, Bits<18>>,
    early_control: DFF<Bits<18>>,
    control_wanted: Signal<Local, Bits<30>>,
    control_delay: Delay<Bits<30>>,
    // Residual, enable, selection, columns and address, from bit 0 on.
    operand_wanted: Signal<Local, Bits<29>>,
    operand_delay: Delay<Bits<29>>,
    threshold: Signal<Local, Bits<32>>,
    clear: Signal<Local, Bit>,
    _accumulator_bits: usize,
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
            early_weight_valid: Default::default(),
            spread_weight_valid: Default::default(),
            weight_valid: Default::default(),
            early_weight_row: Default::default(),
            spread_weight_row: Default::default(),
            weight_row: Default::default(),
            early_weight_group: Default::default(),
            spread_weight_group: Default::default(),
            weight_group: Default::default(),
            swap: (0..SWAP_STAGES).map(|_| Default::default()).collect(),
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
            control: Default::default(),
            early_control: Default::default(),
            control_wanted: Default::default(),
            control_delay: Delay::new(rows + CONTROL_STAGES - 1),
            operand_wanted: Default::default(),
            operand_delay: Delay::new(rows + 1),
            threshold: Default::default(),
            clear: Default::default(),
            _accumulator_bits: address_bits(c.depths.accumulators),
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
