//! The sequencer: fetches a layer's descriptor, then streams its tiles.
//!
//! [`TilePosition`] counts pixels and tiles; [`WindowAddress`], [`OperandAddress`] and
//! [`ParameterAddress`] turn them into addresses; here they are put together and handed to the data path through registers.

use super::{GroupWalk, OperandAddress, ParameterAddress, TilePosition, WindowAddress};
use crate::comment;
use crate::fixed::Fixed;
use brownout_spec::config::Configuration;
use brownout_spec::cycles;
use brownout_spec::program::descriptor as field;
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
    /// A pass is running.
    pub running: Signal<Out, Bit>,
    /// A pass begins in this clock.
    pub begin_pass: Signal<Out, Bit>,
    /// A pass ends in this clock.
    pub end_pass: Signal<Out, Bit>,
    /// A layer begins in this clock.
    pub begin_layer: Signal<Out, Bit>,
    /// The next tile's weights may be loaded from this clock on.
    pub load_start: Signal<Out, Bit>,
    /// These are not the next input channels of a tap, but begin with the first of one.
    pub load_restart: Signal<Out, Bit>,
    /// They lie on diagonals.
    pub load_diagonal: Signal<Out, Bit>,
    /// Inputs of their groups - 1.
    pub load_group_inputs: Signal<Out, Bits<14>>,
    /// Columns of their groups, at most those of the array.
    pub load_group_columns: Signal<Out, Bits<7>>,
    /// Columns of the tap's first group.
    pub load_first_columns: Signal<Out, Bits<7>>,
    /// Row of its first input.
    pub load_first_row: Signal<Out, Bits<6>>,
    /// The program memory's word: the first one of the next layer, but while one is fetched.
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
    residual_slot: Signal<Local, Bit>,
    weights_ready: Signal<Local, Bit>,
    layer_start: Signal<Local, Bit>,
    last_drain_clock: Fixed<Bits<8>>,
    load_next_layer: Signal<Local, Bit>,
    load_group_outputs: Signal<Local, Bits<14>>,
    load_columns_left: Signal<Local, Bits<14>>,
    last_shifted_word: Fixed<Bits<5>>,
    columns_wide: Fixed<Bits<14>>,
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
            last_drain_clock: Fixed::new(cycles::drain(configuration) - 1),
            group_walk: GroupWalk::new(configuration),
            last_shifted_word: Fixed::new(field::WORDS - 2),
            columns_wide: Fixed::new(configuration.columns),
            rows: Fixed::new(configuration.rows),
            columns: Fixed::new(configuration.columns),
            ..Self::default()
        }
    }
}

// The braces are needed where `#[hdl_gen]` keeps the expression, and not where it repeats it.
#[allow(unused_braces)]
impl Logic for Sequencer {
    #[hdl_gen]
    fn update(&mut self) {
        comment!("module sequencer: Runs a program, layer by layer, tile by tile.");
        comment!(
            "Fetches a layer's descriptor, waits for the first weights, issues its pixels, and \
             waits until the last one has reached its destination. What is issued for a pixel \
             (`issue_valid` to `operand_columns`) leaves through registers, one clock later."
        );
        comment!("table last_drain_clock: sizes of the accelerator");
        comment!("ports start: commands of the host");
        comment!("ports load_ready: weight path");
        comment!("ports program_address: program memory");
        comment!("ports running: the pass and its layers");
        comment!("ports load_start: weight path: the next tile's weights may be loaded, and which");
        comment!("ports issue_valid: issued for the array: a pixel enters row 0");
        comment!("ports valid: issued for the columns: a partial sum will arrive");
        comment!("ports operand_enable: issued for the operand port");
        comment!(
            "ports descriptor_shift: descriptor registers, and the running layer's descriptor"
        );
        dff_setup!(
            self,
            clock,
            state,
            layer_number,
            program_pointer,
            fetch_count,
            drain_count,
            issue_valid_register,
            swap_register,
            source_address_register,
            source_inside_register,
            source_select_register,
            source_rows_register,
            valid_register,
            first_register,
            last_register,
            accumulator_address_register,
            operand_residual_register,
            operand_enable_register,
            operand_address_register,
            operand_select_register,
            operand_columns_register
        );
        self.position.clock.next = self.clock.val();
        self.window_walk.clock.next = self.clock.val();
        self.operand_walk.clock.next = self.clock.val();
        self.parameter_walk.clock.next = self.clock.val();
        self.group_walk.clock.next = self.clock.val();
        self.weights_ready.next = self.layer_pool.val() || self.load_ready.val();
        self.layer_start.next =
            (self.state.q.val() == SequencerState::Setup) && self.weights_ready.val();

        self.end_pass.next = false;
        match self.state.q.val() {
            SequencerState::Idle => {
                self.fetch_count.d.next = 0.into();
                self.program_pointer.d.next = 0.into();
                self.layer_number.d.next = 0.into();
                if self.start.val() {
                    self.state.d.next = SequencerState::Fetch;
                    self.program_pointer.d.next = 1.into();
                }
            }
            SequencerState::Fetch => {
                self.fetch_count.d.next = self.fetch_count.q.val() + 1;
                self.program_pointer.d.next = self.program_pointer.q.val() + 1;
                if self.fetch_count.q.val() == self.last_shifted_word.val() {
                    self.state.d.next = SequencerState::Setup;
                }
            }
            SequencerState::Setup => {
                self.fetch_count.d.next = 0.into();
                if self.weights_ready.val() {
                    self.state.d.next = SequencerState::Stream;
                }
            }
            SequencerState::Stream => {
                self.drain_count.d.next = 0.into();
                if self.position.layer_end.val() {
                    self.state.d.next = SequencerState::Drain;
                }
            }
            SequencerState::Drain => {
                self.drain_count.d.next = self.drain_count.q.val() + 1;
                if self.drain_count.q.val() == self.last_drain_clock.val() {
                    self.layer_number.d.next = self.layer_number.q.val() + 1;
                    self.state.d.next = SequencerState::Fetch;
                    self.program_pointer.d.next = self.program_pointer.q.val() + 1;
                    if self.layer_last.val()
                        || (self.layer_number.q.val() == self.stop_after_layer.val())
                    {
                        self.state.d.next = SequencerState::Idle;
                        self.program_pointer.d.next = 0.into();
                        self.end_pass.next = true;
                    }
                }
            }
            _ => {
                self.state.d.next = SequencerState::Idle;
            }
        }
        self.program_address.next = self.program_pointer.q.val();
        self.running.next = self.state.q.val() != SequencerState::Idle;
        self.begin_pass.next = (self.state.q.val() == SequencerState::Idle) && self.start.val();
        self.begin_layer.next = self.layer_start.val();
        self.load_start.next =
            self.position.issue.val() && self.position.fresh.val() && !self.layer_pool.val();

        comment!(
            "the descriptor arrives one clock after its address; its first word is there before"
        );
        self.descriptor_shift.next = self.state.q.val() == SequencerState::Fetch;
        self.descriptor_last.next =
            (self.state.q.val() == SequencerState::Setup) && self.fetch_count.q.val().any();

        comment!("which weights are loaded: those of the tile that follows");
        self.load_next_layer.next =
            (self.state.q.val() != SequencerState::Stream) || self.position.layer_tile.val();
        self.load_restart.next = !self.position.next_input_tile.val();
        self.load_diagonal.next = self.layer_diagonal.val();
        self.load_group_inputs.next = self.layer_group_inputs.val();
        self.load_group_outputs.next = self.layer_group_outputs.val();
        self.load_columns_left.next = self.group_walk.columns.val();
        self.load_first_row.next = self.group_walk.row.val();
        if self.position.last_tile.val() {
            self.load_columns_left.next = self.group_walk.next_columns.val();
            self.load_first_row.next = self.group_walk.next_row.val();
        }
        if self.load_next_layer.val() {
            for lsb in field::DIAGONAL.lsb..(field::DIAGONAL.lsb + 1) {
                self.load_diagonal.next = self.program_word.val().get_bit(lsb);
            }
            for lsb in field::GROUP_INPUTS.lsb..(field::GROUP_INPUTS.lsb + 1) {
                self.load_group_inputs.next = self
                    .program_word
                    .val()
                    .get_bits::<{ field::GROUP_INPUTS.bits }>(lsb);
            }
            for lsb in field::GROUP_OUTPUTS.lsb..(field::GROUP_OUTPUTS.lsb + 1) {
                self.load_group_outputs.next = self
                    .program_word
                    .val()
                    .get_bits::<{ field::GROUP_OUTPUTS.bits }>(lsb);
            }
            self.load_columns_left.next = self.load_group_outputs.val();
            self.load_first_row.next = 0.into();
        }
        self.load_group_columns.next = self.columns.val();
        if self.load_group_outputs.val() < self.columns_wide.val() {
            self.load_group_columns.next = self.load_group_outputs.val().get_bits::<7>(0) + 1;
        }
        self.load_first_columns.next = self.columns.val();
        if self.load_columns_left.val() < self.columns_wide.val() {
            self.load_first_columns.next = self.load_columns_left.val().get_bits::<7>(0) + 1;
        }

        self.position.stream.next = self.state.q.val() == SequencerState::Stream;
        self.position.layer_start.next = self.layer_start.val();
        self.position.weights_ready.next = self.weights_ready.val();
        self.position.wide.next = self.layer_wide.val();
        self.position.split.next = self.layer_split.val();
        self.position.pool.next = self.layer_pool.val();
        self.position.diagonal.next = self.layer_diagonal.val();
        self.position.output_width.next = self.layer_output_width.val();
        self.position.output_height.next = self.layer_output_height.val();
        self.position.kernel_width.next = self.layer_kernel_width.val();
        self.position.kernel_height.next = self.layer_kernel_height.val();
        self.position.input_tiles.next = self.layer_input_tiles.val();
        self.position.output_tiles.next = self.layer_output_tiles.val();

        self.window_walk.layer_start.next = self.layer_start.val();
        self.window_walk.advance.next = self.position.advance.val();
        self.window_walk.row_end.next = self.position.row_end.val();
        self.window_walk.next_input_tile.next = self.position.next_input_tile.val();
        self.window_walk.next_tap.next = self.position.next_tap.val();
        self.window_walk.next_tap_row.next = self.position.next_tap_row.val();
        self.window_walk.tile_end.next = self.position.tile_end.val();
        self.group_walk.layer_start.next = self.layer_start.val();
        self.group_walk.advance.next =
            self.position.tile_end.val() && self.position.last_tile.val();
        self.group_walk.group_inputs.next = self.layer_group_inputs.val();
        self.group_walk.group_outputs.next = self.layer_group_outputs.val();
        self.group_walk.group_rest.next = self.layer_group_rest.val();
        self.group_walk.group_rows.next = self.layer_group_rows.val();
        self.group_walk.input_plane.next = self.layer_input_plane.val();
        self.window_walk.first_select.next = self.group_walk.select.val();
        self.window_walk.next_select.next = self.group_walk.next_select.val();
        self.window_walk.next_base.next = self.group_walk.next_base.val();
        if self.layer_pool.val() {
            self.window_walk.next_base.next = self.operand_walk.next_base.val();
        }
        self.window_walk.origin.next = self.layer_origin.val();
        self.window_walk.stride_rows.next = self.layer_stride_rows.val();
        self.window_walk.stride_columns.next = self.layer_stride_columns.val();
        self.window_walk.padding_above.next = self.layer_padding_above.val();
        self.window_walk.padding_in_front.next = self.layer_padding_in_front.val();
        self.window_walk.dilation_rows.next = self.layer_dilation_rows.val();
        self.window_walk.dilation_columns.next = self.layer_dilation_columns.val();
        self.window_walk.repeat_rows.next = self.layer_repeat_rows.val();
        self.window_walk.repeat_columns.next = self.layer_repeat_columns.val();
        self.window_walk.input_height.next = self.layer_input_height.val();
        self.window_walk.input_width.next = self.layer_input_width.val();
        self.window_walk.input_plane.next = self.layer_input_plane.val();
        self.window_walk.row_step.next = self.layer_row_step.val();
        self.window_walk.tap_row_step.next = self.layer_tap_row_step.val();
        self.operand_walk.layer_start.next = self.layer_start.val();
        self.operand_walk.advance.next = self.position.advance.val();
        self.operand_walk.row_end.next = self.position.row_end.val();
        self.operand_walk.tile_end.next = self.position.tile_end.val();
        self.operand_walk.last_tile.next = self.position.last_tile.val();
        self.operand_walk.operand_stride.next = self.layer_operand_stride.val();
        self.operand_walk.operand_row_step.next = self.layer_operand_row_step.val();
        self.operand_walk.operand_plane.next = self.layer_operand_plane.val();
        self.operand_walk.operand_base.next = self.layer_operand_base.val();
        self.parameter_walk.output_tile.next = self.position.output_tile.val();
        self.parameter_walk.first_row.next = self.position.first_row.val();
        self.parameter_walk.last_row.next = self.position.last_row.val();
        self.parameter_walk.first_column.next = self.position.first_column.val();
        self.parameter_walk.last_column.next = self.position.row_end.val();
        self.parameter_walk.sets.next = self.layer_sets.val();
        self.parameter_walk.parameter_base.next = self.layer_parameter_base.val();
        self.parameter_walk.output_tiles.next = self.layer_output_tiles.val();

        comment!("what is issued for a pixel");
        self.issue_valid_register.d.next = self.position.issue.val() && !self.layer_pool.val();
        comment!("a pass begins with a swap, which leaves no weight of the one before behind");
        self.swap_register.d.next = self.load_start.val() || self.begin_pass.val();
        self.source_address_register.d.next = self.window_walk.address.val();
        self.source_inside_register.d.next = self.window_walk.in_map.val();
        self.source_select_register.d.next = self.window_walk.select.val();
        self.source_rows_register.d.next = self.rows.val();
        if self.position.last_input_tile.val() {
            self.source_rows_register.d.next = self.layer_last_rows.val();
        }
        self.valid_register.d.next = self.position.issue.val();
        self.first_register.d.next = self.position.first_tile.val();
        self.last_register.d.next = self.position.last_tile.val();
        self.accumulator_address_register.d.next = self.position.pixel.val();
        self.residual_slot.next = self.layer_operand.val() && self.position.last_tile.val();
        self.operand_residual_register.d.next = self.residual_slot.val();
        self.operand_address_register.d.next = self.operand_walk.address.val();
        self.operand_select_register.d.next = self.operand_walk.select.val();
        self.operand_enable_register.d.next = self.residual_slot.val()
            && (self.position.output_tile.val() <= self.layer_operand_tiles.val());
        self.operand_columns_register.d.next = self.columns.val();
        if self.position.output_tile.val() == self.layer_operand_tiles.val() {
            self.operand_columns_register.d.next = self.layer_last_operand_columns.val();
        }
        if self.layer_pool.val() && !self.residual_slot.val() {
            self.operand_address_register.d.next = self.window_walk.address.val();
            self.operand_enable_register.d.next = self.window_walk.in_map.val();
        }
        if self.reset.val() {
            self.state.d.next = SequencerState::Idle;
            self.program_pointer.d.next = 0.into();
            self.issue_valid_register.d.next = false;
            self.valid_register.d.next = false;
        }
        self.issue_valid.next = self.issue_valid_register.q.val();
        self.swap.next = self.swap_register.q.val();
        self.source_address.next = self.source_address_register.q.val();
        self.source_inside.next = self.source_inside_register.q.val();
        self.source_select.next = self.source_select_register.q.val();
        self.source_rows.next = self.source_rows_register.q.val();
        self.valid.next = self.valid_register.q.val();
        self.first.next = self.first_register.q.val();
        self.last.next = self.last_register.q.val();
        self.accumulator_address.next = self.accumulator_address_register.q.val();
        self.parameter_address.next = self.parameter_walk.address.val();
        self.operand_residual.next = self.operand_residual_register.q.val();
        self.operand_enable.next = self.operand_enable_register.q.val();
        self.operand_address.next = self.operand_address_register.q.val();
        self.operand_select.next = self.operand_select_register.q.val();
        self.operand_columns.next = self.operand_columns_register.q.val();
    }
}
