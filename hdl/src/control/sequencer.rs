//! The sequencer: fetches a layer's descriptor, then streams its tiles.
//!
//! [`TilePosition`] counts pixels and tiles; [`WindowAddress`], [`OperandAddress`] and
//! [`ParameterAddress`] turn them into addresses; here they are put together and handed to the data path through registers.

mod run;

use super::{GroupWalk, OperandAddress, ParameterAddress, TilePosition, WindowAddress};
use crate::fixed::Fixed;
use brownout_spec::config::Configuration;
use brownout_spec::cycles;
use brownout_spec::program::descriptor;
use rust_hdl::prelude::*;

/// What the sequencer is doing.
#[derive(Copy, Clone, PartialEq, Debug, LogicState)]
pub enum SequencerState {
    /// Waits for a start command.
    Idle,
    /// Reads the layer's descriptor.
    Fetch,
    /// Begins the layer, as soon as the first tile's weights are loaded.
    Setup,
    /// Issues pixels.
    Stream,
    /// Waits for the last pixel to reach its destination.
    Drain,
}

/// Runs a program.
#[derive(LogicBlock, Default)]
pub struct Sequencer {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Synchronous reset.
    pub reset: Signal<In, Bit>,
    /// Begin a pass; ignored while one runs.
    pub start: Signal<In, Bit>,
    /// Last layer to run; 255: all.
    pub stop_after_layer: Signal<In, Bits<8>>,
    /// The next tile's weights will be in place.
    pub load_ready: Signal<In, Bit>,
    /// Address of the program memory.
    pub program_address: Signal<Out, Bits<12>>,
    /// A pass is running, or begins in this clock.
    pub running: Signal<Out, Bit>,
    /// A pass begins in this clock.
    pub begin_pass: Signal<Out, Bit>,
    /// A pass ends in this clock.
    pub end_pass: Signal<Out, Bit>,
    /// A layer began in the clock before.
    pub begin_layer: Signal<Out, Bit>,
    /// The next tile's weights may be loaded from this clock on.
    pub load_start: Signal<Out, Bit>,
    /// These are not the next input channels of a tap, but begin with the first of one.
    pub load_restart: Signal<Out, Bit>,
    /// They lie on diagonals.
    pub load_diagonal: Signal<Out, Bit>,
    /// Inputs of their groups - 1; this and the next three one clock after `load_start`.
    pub load_group_inputs: Signal<Out, Bits<14>>,
    /// Outputs of their groups - 1.
    pub load_group_outputs: Signal<Out, Bits<14>>,
    /// Columns that the tap's first group still has, less one.
    pub load_columns_left: Signal<Out, Bits<14>>,
    /// Row of its first input.
    pub load_first_row: Signal<Out, Bits<6>>,
    /// The program memory's word, from a register behind it: the first one of the next layer, but
    /// while one is fetched.
    pub program_word: Signal<In, Bits<32>>,
    /// An activation enters row 0 for this slot.
    pub issue_valid: Signal<Out, Bit>,
    /// First pixel of a convolution's tile.
    pub swap: Signal<Out, Bit>,
    /// Activation word that the array reads.
    pub source_address: Signal<Out, Bits<16>>,
    /// The pixel lies in the map.
    pub source_inside: Signal<Out, Bit>,
    /// Tile of rows within the activation word.
    pub source_select: Signal<Out, Bits<4>>,
    /// Rows in use.
    pub source_rows: Signal<Out, Bits<7>>,
    /// A partial sum will reach the columns for this slot.
    pub valid: Signal<Out, Bit>,
    /// The tile is the first of its output tile.
    pub first: Signal<Out, Bit>,
    /// The tile is the last of its output tile.
    pub last: Signal<Out, Bit>,
    /// Output pixel.
    pub accumulator_address: Signal<Out, Bits<16>>,
    /// Output tile of the whole program, one clock later than the rest.
    pub parameter_address: Signal<Out, Bits<12>>,
    /// What the operand port reads for this slot is a residual, not a pool's tap.
    pub operand_residual: Signal<Out, Bit>,
    /// The operand port is read for this slot.
    pub operand_enable: Signal<Out, Bit>,
    /// Activation word that the operand port reads.
    pub operand_address: Signal<Out, Bits<16>>,
    /// Tile of columns within the activation word.
    pub operand_select: Signal<Out, Bits<4>>,
    /// Columns with an operand.
    pub operand_columns: Signal<Out, Bits<7>>,
    /// The descriptor takes the program memory's word.
    pub descriptor_shift: Signal<Out, Bit>,
    /// The descriptor takes the program memory's word as its last.
    pub descriptor_last: Signal<Out, Bit>,
    /// Descriptor field.
    pub layer_diagonal: Signal<In, Bit>,
    /// Descriptor field.
    pub layer_group_inputs: Signal<In, Bits<14>>,
    /// Descriptor field.
    pub layer_group_outputs: Signal<In, Bits<14>>,
    /// Descriptor field.
    pub layer_group_rest: Signal<In, Bits<7>>,
    /// Descriptor field.
    pub layer_group_rows: Signal<In, Bits<14>>,
    /// Descriptor field.
    pub layer_output_width: Signal<In, Bits<12>>,
    /// Descriptor field.
    pub layer_output_height: Signal<In, Bits<12>>,
    /// Descriptor field.
    pub layer_wide: Signal<In, Bit>,
    /// Descriptor field.
    pub layer_split: Signal<In, Bit>,
    /// Descriptor field.
    pub layer_pool: Signal<In, Bit>,
    /// Descriptor field.
    pub layer_input_tiles: Signal<In, Bits<12>>,
    /// Descriptor field.
    pub layer_kernel_width: Signal<In, Bits<6>>,
    /// Descriptor field.
    pub layer_kernel_height: Signal<In, Bits<6>>,
    /// Descriptor field.
    pub layer_output_tiles: Signal<In, Bits<12>>,
    /// Descriptor field.
    pub layer_last: Signal<In, Bit>,
    /// Descriptor field.
    pub layer_origin: Signal<In, Bits<16>>,
    /// Descriptor field.
    pub layer_stride_rows: Signal<In, Bits<3>>,
    /// Descriptor field.
    pub layer_stride_columns: Signal<In, Bits<3>>,
    /// Descriptor field.
    pub layer_padding_above: Signal<In, Bits<6>>,
    /// Descriptor field.
    pub layer_padding_in_front: Signal<In, Bits<6>>,
    /// Descriptor field.
    pub layer_dilation_rows: Signal<In, Bits<6>>,
    /// Descriptor field.
    pub layer_dilation_columns: Signal<In, Bits<6>>,
    /// Descriptor field.
    pub layer_repeat_rows: Signal<In, Bits<3>>,
    /// Descriptor field.
    pub layer_repeat_columns: Signal<In, Bits<3>>,
    /// Descriptor field.
    pub layer_input_height: Signal<In, Bits<12>>,
    /// Descriptor field.
    pub layer_input_width: Signal<In, Bits<12>>,
    /// Descriptor field.
    pub layer_input_plane: Signal<In, Bits<16>>,
    /// Descriptor field.
    pub layer_row_step: Signal<In, Bits<16>>,
    /// Descriptor field.
    pub layer_tap_row_step: Signal<In, Bits<16>>,
    /// Descriptor field.
    pub layer_operand_stride: Signal<In, Bits<2>>,
    /// Descriptor field.
    pub layer_operand_row_step: Signal<In, Bits<16>>,
    /// Descriptor field.
    pub layer_operand_plane: Signal<In, Bits<16>>,
    /// Descriptor field.
    pub layer_operand_base: Signal<In, Bits<16>>,
    /// Descriptor field.
    pub layer_last_rows: Signal<In, Bits<7>>,
    /// Descriptor field.
    pub layer_sets: Signal<In, Bit>,
    /// Descriptor field.
    pub layer_parameter_base: Signal<In, Bits<12>>,
    /// Descriptor field.
    pub layer_operand: Signal<In, Bit>,
    /// Descriptor field.
    pub layer_operand_tiles: Signal<In, Bits<12>>,
    /// Descriptor field.
    pub layer_last_operand_columns: Signal<In, Bits<7>>,
    position: TilePosition,
    window_walk: WindowAddress,
    operand_walk: OperandAddress,
    parameter_walk: ParameterAddress,
    group_walk: GroupWalk,
    state: DFF<SequencerState>,
    layer_number: DFF<Bits<8>>,
    program_pointer: DFF<Bits<12>>,
    fetch_count: DFF<Bits<5>>,
    drain_count: DFF<Bits<8>>,
    begins: DFF<Bit>,
    runs: DFF<Bit>,
    streams: DFF<Bit>,
    shifts: DFF<Bit>,
    takes_last: DFF<Bit>,
    layer_begins: DFF<Bit>,
    layer_began: DFF<Bit>,
    loads: DFF<Bit>,
    two_before_end: DFF<Bit>,
    one_before_end: DFF<Bit>,
    layer_ends: DFF<Bit>,
    stops: DFF<Bit>,
    loads_next_layer: DFF<Bit>,
    loads_next_output_tile: DFF<Bit>,
    next_group_inputs: DFF<Bits<14>>,
    next_group_outputs: DFF<Bits<14>>,
    issue_valid_register: DFF<Bit>,
    swap_register: DFF<Bit>,
    source_address_register: DFF<Bits<16>>,
    source_inside_register: DFF<Bit>,
    source_select_register: DFF<Bits<4>>,
    source_rows_register: DFF<Bits<7>>,
    valid_register: DFF<Bit>,
    first_register: DFF<Bit>,
    last_register: DFF<Bit>,
    accumulator_address_register: DFF<Bits<16>>,
    operand_residual_register: DFF<Bit>,
    operand_enable_register: DFF<Bit>,
    operand_address_register: DFF<Bits<16>>,
    operand_select_register: DFF<Bits<4>>,
    operand_columns_register: DFF<Bits<7>>,
    issues: Signal<Local, Bit>,
    residual_slot: Signal<Local, Bit>,
    tap_slot: Signal<Local, Bit>,
    weights_ready: Signal<Local, Bit>,
    layer_start: Signal<Local, Bit>,
    starts: Signal<Local, Bit>,
    last_drain_clock_but_three: Fixed<Bits<8>>,
    load_next_layer: Signal<Local, Bit>,
    last_shifted_word: Fixed<Bits<5>>,
    rows: Fixed<Bits<7>>,
    columns: Fixed<Bits<7>>,
}

impl Sequencer {
    /// The sequencer of a configuration.
    pub fn new(configuration: &Configuration) -> Self {
        let lanes = configuration.activation_lanes();
        Self {
            position: TilePosition::new(configuration),
            window_walk: WindowAddress::new(lanes / configuration.rows),
            operand_walk: OperandAddress::new(lanes / configuration.columns),
            last_drain_clock_but_three: Fixed::new(cycles::drain(configuration) - 4),
            group_walk: GroupWalk::new(configuration),
            last_shifted_word: Fixed::new(descriptor::WORDS - 3),
            rows: Fixed::new(configuration.rows),
            columns: Fixed::new(configuration.columns),
            ..Self::default()
        }
    }
}
