//! The sequencer: fetches a layer's descriptor, then streams its tiles.
//!
//! For every output tile, kernel row, kernel column and input tile, in this
//! order, all output pixels are issued, one a clock. A tile lasts
//! max(M, words per tile, A) clocks, as `brownout_spec::cycles` says; the weight
//! path loads the next tile's shadow weights meanwhile.

use super::{OperandAddress, WindowAddress};
use crate::comment;
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
#[derive(LogicBlock)]
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
    pub accumulator_address: Signal<Out, Bits<14>>,
    /// Output tile of the whole program.
    pub parameter_address: Signal<Out, Bits<12>>,
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
    /// Descriptor field.
    pub layer_output_width: Signal<In, Bits<12>>,
    /// Descriptor field.
    pub layer_output_height: Signal<In, Bits<12>>,
    /// Descriptor field.
    pub layer_wide: Signal<In, Bit>,
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
    pub layer_stride: Signal<In, Bits<3>>,
    /// Descriptor field.
    pub layer_padding: Signal<In, Bits<6>>,
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
    pub layer_last_rows: Signal<In, Bits<7>>,
    /// Descriptor field.
    pub layer_parameter_base: Signal<In, Bits<12>>,
    /// Descriptor field.
    pub layer_operand: Signal<In, Bit>,
    /// Descriptor field.
    pub layer_operand_tiles: Signal<In, Bits<12>>,
    /// Descriptor field.
    pub layer_last_operand_columns: Signal<In, Bits<7>>,
    window_walk: WindowAddress,
    operand_walk: OperandAddress,
    state: DFF<SequencerState>,
    layer_number: DFF<Bits<8>>,
    program_pointer: DFF<Bits<12>>,
    fetch_count: DFF<Bits<5>>,
    drain_count: DFF<Bits<8>>,
    streaming: DFF<Bit>,
    fresh: DFF<Bit>,
    first_tile: DFF<Bit>,
    age: DFF<Bits<10>>,
    pixel: DFF<Bits<14>>,
    x: DFF<Bits<12>>,
    y: DFF<Bits<12>>,
    kernel_x: DFF<Bits<6>>,
    kernel_y: DFF<Bits<6>>,
    input_tile: DFF<Bits<12>>,
    output_tile: DFF<Bits<12>>,
    issue_valid_register: DFF<Bit>,
    swap_register: DFF<Bit>,
    source_address_register: DFF<Bits<16>>,
    source_inside_register: DFF<Bit>,
    source_select_register: DFF<Bits<4>>,
    source_rows_register: DFF<Bits<7>>,
    valid_register: DFF<Bit>,
    first_register: DFF<Bit>,
    last_register: DFF<Bit>,
    accumulator_address_register: DFF<Bits<14>>,
    parameter_address_register: DFF<Bits<12>>,
    operand_enable_register: DFF<Bit>,
    operand_address_register: DFF<Bits<16>>,
    operand_select_register: DFF<Bits<4>>,
    operand_columns_register: DFF<Bits<7>>,
    issue: Signal<Local, Bit>,
    row_end: Signal<Local, Bit>,
    last_pixel: Signal<Local, Bit>,
    minimum_age: Signal<Local, Bits<10>>,
    old_enough: Signal<Local, Bit>,
    weights_ready: Signal<Local, Bit>,
    tile_end: Signal<Local, Bit>,
    last_input_tile: Signal<Local, Bit>,
    last_tap: Signal<Local, Bit>,
    last_tap_row: Signal<Local, Bit>,
    last_output_tile: Signal<Local, Bit>,
    last_of_output_tile: Signal<Local, Bit>,
    layer_end: Signal<Local, Bit>,
    advance: Signal<Local, Bit>,
    layer_start: Signal<Local, Bit>,
    next_output_tile: Signal<Local, Bit>,
    pass_end: Signal<Local, Bit>,
    pool_age: Constant<Bits<10>>,
    convolution_age: Constant<Bits<10>>,
    wide_pool_age: Constant<Bits<10>>,
    wide_age: Constant<Bits<10>>,
    drain: Constant<Bits<8>>,
    words: Constant<Bits<5>>,
    rows: Constant<Bits<7>>,
    columns: Constant<Bits<7>>,
}

impl Sequencer {
    /// The sequencer of a configuration.
    pub fn new(configuration: &Configuration) -> Self {
        let lanes = configuration.activation_lanes();
        let period = |wide, convolution| {
            let shortest = cycles::shortest_period(configuration, convolution, wide);
            Constant::new((shortest as u64 - 1).into())
        };
        Self {
            clock: Default::default(),
            reset: Default::default(),
            start: Default::default(),
            stop_after_layer: Default::default(),
            load_ready: Default::default(),
            program_address: Default::default(),
            running: Default::default(),
            begin_pass: Default::default(),
            end_pass: Default::default(),
            begin_layer: Default::default(),
            load_start: Default::default(),
            issue_valid: Default::default(),
            swap: Default::default(),
            source_address: Default::default(),
            source_inside: Default::default(),
            source_select: Default::default(),
            source_rows: Default::default(),
            valid: Default::default(),
            first: Default::default(),
            last: Default::default(),
            accumulator_address: Default::default(),
            parameter_address: Default::default(),
            operand_enable: Default::default(),
            operand_address: Default::default(),
            operand_select: Default::default(),
            operand_columns: Default::default(),
            descriptor_shift: Default::default(),
            layer_output_width: Default::default(),
            layer_output_height: Default::default(),
            layer_wide: Default::default(),
            layer_pool: Default::default(),
            layer_input_tiles: Default::default(),
            layer_kernel_width: Default::default(),
            layer_kernel_height: Default::default(),
            layer_output_tiles: Default::default(),
            layer_last: Default::default(),
            layer_origin: Default::default(),
            layer_stride: Default::default(),
            layer_padding: Default::default(),
            layer_input_height: Default::default(),
            layer_input_width: Default::default(),
            layer_input_plane: Default::default(),
            layer_row_step: Default::default(),
            layer_tap_row_step: Default::default(),
            layer_operand_stride: Default::default(),
            layer_operand_row_step: Default::default(),
            layer_operand_plane: Default::default(),
            layer_last_rows: Default::default(),
            layer_parameter_base: Default::default(),
            layer_operand: Default::default(),
            layer_operand_tiles: Default::default(),
            layer_last_operand_columns: Default::default(),
            window_walk: WindowAddress::new(lanes / configuration.rows),
            operand_walk: OperandAddress::new(lanes / configuration.columns),
            state: Default::default(),
            layer_number: Default::default(),
            program_pointer: Default::default(),
            fetch_count: Default::default(),
            drain_count: Default::default(),
            streaming: Default::default(),
            fresh: Default::default(),
            first_tile: Default::default(),
            age: Default::default(),
            pixel: Default::default(),
            x: Default::default(),
            y: Default::default(),
            kernel_x: Default::default(),
            kernel_y: Default::default(),
            input_tile: Default::default(),
            output_tile: Default::default(),
            issue_valid_register: Default::default(),
            swap_register: Default::default(),
            source_address_register: Default::default(),
            source_inside_register: Default::default(),
            source_select_register: Default::default(),
            source_rows_register: Default::default(),
            valid_register: Default::default(),
            first_register: Default::default(),
            last_register: Default::default(),
            accumulator_address_register: Default::default(),
            parameter_address_register: Default::default(),
            operand_enable_register: Default::default(),
            operand_address_register: Default::default(),
            operand_select_register: Default::default(),
            operand_columns_register: Default::default(),
            issue: Default::default(),
            row_end: Default::default(),
            last_pixel: Default::default(),
            minimum_age: Default::default(),
            old_enough: Default::default(),
            weights_ready: Default::default(),
            tile_end: Default::default(),
            last_input_tile: Default::default(),
            last_tap: Default::default(),
            last_tap_row: Default::default(),
            last_output_tile: Default::default(),
            last_of_output_tile: Default::default(),
            layer_end: Default::default(),
            advance: Default::default(),
            layer_start: Default::default(),
            next_output_tile: Default::default(),
            pass_end: Default::default(),
            pool_age: period(false, false),
            convolution_age: period(false, true),
            wide_pool_age: period(true, false),
            wide_age: period(true, true),
            drain: Constant::new((cycles::drain(configuration) as u64 - 1).into()),
            words: Constant::new((field::WORDS as u64).into()),
            rows: Constant::new((configuration.rows as u64).into()),
            columns: Constant::new((configuration.columns as u64).into()),
        }
    }
}

impl Logic for Sequencer {
    #[hdl_gen]
    fn update(&mut self) {
        comment!("module sequencer: runs a program, layer by layer, tile by tile");
        dff_setup!(
            self,
            clock,
            state,
            layer_number,
            program_pointer,
            fetch_count,
            drain_count,
            streaming,
            fresh,
            first_tile,
            age,
            pixel,
            x,
            y,
            kernel_x,
            kernel_y,
            input_tile,
            output_tile,
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
            parameter_address_register,
            operand_enable_register,
            operand_address_register,
            operand_select_register,
            operand_columns_register
        );
        self.window_walk.clock.next = self.clock.val();
        self.operand_walk.clock.next = self.clock.val();

        comment!(
            "a tile ends when its pixels are issued, its period has passed and the next weights are in place"
        );
        self.issue.next = self.streaming.q.val() && (self.state.q.val() == SequencerState::Stream);
        self.row_end.next = self.x.q.val() == self.layer_output_width.val();
        self.last_pixel.next =
            self.row_end.val() && (self.y.q.val() == self.layer_output_height.val());
        self.minimum_age.next = self.convolution_age.val();
        if self.layer_wide.val() {
            self.minimum_age.next = self.wide_age.val();
        }
        if self.layer_pool.val() {
            self.minimum_age.next = self.pool_age.val();
            if self.layer_wide.val() {
                self.minimum_age.next = self.wide_pool_age.val();
            }
        }
        self.old_enough.next = self.age.q.val() == self.minimum_age.val();
        self.weights_ready.next = self.layer_pool.val() || self.load_ready.val();
        self.tile_end.next = (self.state.q.val() == SequencerState::Stream)
            && (self.last_pixel.val() || !self.streaming.q.val())
            && self.old_enough.val()
            && self.weights_ready.val();

        comment!("position of the tile in its layer");
        self.last_input_tile.next = self.input_tile.q.val() == self.layer_input_tiles.val();
        self.last_tap.next = self.kernel_x.q.val() == self.layer_kernel_width.val();
        self.last_tap_row.next = self.kernel_y.q.val() == self.layer_kernel_height.val();
        self.last_output_tile.next = self.output_tile.q.val() == self.layer_output_tiles.val();
        self.last_of_output_tile.next =
            self.last_input_tile.val() && self.last_tap.val() && self.last_tap_row.val();
        self.next_output_tile.next =
            self.tile_end.val() && self.last_of_output_tile.val() && !self.last_output_tile.val();
        self.layer_end.next =
            self.tile_end.val() && self.last_of_output_tile.val() && self.last_output_tile.val();
        self.layer_start.next =
            (self.state.q.val() == SequencerState::Setup) && self.weights_ready.val();
        self.advance.next = self.issue.val() && !self.last_pixel.val();
        self.pass_end.next = false;

        comment!("pixels");
        if self.issue.val() {
            self.fresh.d.next = false;
            self.pixel.d.next = self.pixel.q.val() + 1;
            self.x.d.next = self.x.q.val() + 1;
            if self.row_end.val() {
                self.x.d.next = 0.into();
                self.y.d.next = self.y.q.val() + 1;
            }
            if self.last_pixel.val() {
                self.streaming.d.next = false;
            }
        }
        if !self.old_enough.val() {
            self.age.d.next = self.age.q.val() + 1;
        }
        if self.tile_end.val() || self.layer_start.val() {
            self.streaming.d.next = true;
            self.fresh.d.next = true;
            self.age.d.next = 0.into();
            self.pixel.d.next = 0.into();
            self.x.d.next = 0.into();
            self.y.d.next = 0.into();
        }

        comment!("tiles: output tile, kernel row, kernel column, input tile");
        if self.tile_end.val() {
            self.first_tile.d.next = false;
            self.input_tile.d.next = self.input_tile.q.val() + 1;
            if self.last_input_tile.val() {
                self.input_tile.d.next = 0.into();
                self.kernel_x.d.next = self.kernel_x.q.val() + 1;
                if self.last_tap.val() {
                    self.kernel_x.d.next = 0.into();
                    self.kernel_y.d.next = self.kernel_y.q.val() + 1;
                    if self.last_tap_row.val() {
                        self.kernel_y.d.next = 0.into();
                        self.output_tile.d.next = self.output_tile.q.val() + 1;
                        self.first_tile.d.next = true;
                    }
                }
            }
        }
        if self.layer_start.val() {
            self.first_tile.d.next = true;
            self.input_tile.d.next = 0.into();
            self.kernel_x.d.next = 0.into();
            self.kernel_y.d.next = 0.into();
            self.output_tile.d.next = 0.into();
        }

        match self.state.q.val() {
            SequencerState::Idle => {
                self.fetch_count.d.next = 0.into();
                self.program_pointer.d.next = 0.into();
                self.layer_number.d.next = 0.into();
                if self.start.val() {
                    self.state.d.next = SequencerState::Fetch;
                }
            }
            SequencerState::Fetch => {
                self.fetch_count.d.next = self.fetch_count.q.val() + 1;
                if self.fetch_count.q.val() == self.words.val() {
                    self.state.d.next = SequencerState::Setup;
                } else {
                    self.program_pointer.d.next = self.program_pointer.q.val() + 1;
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
                if self.layer_end.val() {
                    self.state.d.next = SequencerState::Drain;
                }
            }
            SequencerState::Drain => {
                self.drain_count.d.next = self.drain_count.q.val() + 1;
                if self.drain_count.q.val() == self.drain.val() {
                    self.layer_number.d.next = self.layer_number.q.val() + 1;
                    self.state.d.next = SequencerState::Fetch;
                    if self.layer_last.val()
                        || (self.layer_number.q.val() == self.stop_after_layer.val())
                    {
                        self.state.d.next = SequencerState::Idle;
                        self.pass_end.next = true;
                    }
                }
            }
            _ => {
                self.state.d.next = SequencerState::Idle;
            }
        }
        if self.reset.val() {
            self.state.d.next = SequencerState::Idle;
        }
        self.program_address.next = self.program_pointer.q.val();
        self.running.next = self.state.q.val() != SequencerState::Idle;
        self.begin_pass.next = (self.state.q.val() == SequencerState::Idle) && self.start.val();
        self.end_pass.next = self.pass_end.val();
        self.begin_layer.next = self.layer_start.val();
        self.load_start.next = self.issue.val() && self.fresh.q.val() && !self.layer_pool.val();

        comment!("the descriptor arrives one clock after its address");
        self.descriptor_shift.next =
            (self.state.q.val() == SequencerState::Fetch) && (self.fetch_count.q.val() != 0);

        self.window_walk.layer_start.next = self.layer_start.val();
        self.window_walk.advance.next = self.advance.val();
        self.window_walk.row_end.next = self.row_end.val();
        self.window_walk.next_input_tile.next = self.tile_end.val() && !self.last_input_tile.val();
        self.window_walk.next_tap.next =
            self.tile_end.val() && self.last_input_tile.val() && !self.last_tap.val();
        self.window_walk.next_tap_row.next = self.tile_end.val()
            && self.last_input_tile.val()
            && self.last_tap.val()
            && !self.last_tap_row.val();
        self.window_walk.next_output_tile.next = self.next_output_tile.val();
        self.window_walk.next_base.next = 0.into();
        if self.layer_pool.val() {
            self.window_walk.next_base.next = self.operand_walk.next_base.val();
        }
        self.window_walk.origin.next = self.layer_origin.val();
        self.window_walk.stride.next = self.layer_stride.val();
        self.window_walk.padding.next = self.layer_padding.val();
        self.window_walk.input_height.next = self.layer_input_height.val();
        self.window_walk.input_width.next = self.layer_input_width.val();
        self.window_walk.input_plane.next = self.layer_input_plane.val();
        self.window_walk.row_step.next = self.layer_row_step.val();
        self.window_walk.tap_row_step.next = self.layer_tap_row_step.val();
        self.operand_walk.layer_start.next = self.layer_start.val();
        self.operand_walk.advance.next = self.advance.val();
        self.operand_walk.row_end.next = self.row_end.val();
        self.operand_walk.restart.next = self.tile_end.val() && !self.last_of_output_tile.val();
        self.operand_walk.next_output_tile.next = self.next_output_tile.val();
        self.operand_walk.operand_stride.next = self.layer_operand_stride.val();
        self.operand_walk.operand_row_step.next = self.layer_operand_row_step.val();
        self.operand_walk.operand_plane.next = self.layer_operand_plane.val();

        comment!("issue registers");
        self.issue_valid_register.d.next = self.issue.val() && !self.layer_pool.val();
        self.swap_register.d.next =
            self.issue.val() && self.fresh.q.val() && !self.layer_pool.val();
        self.source_address_register.d.next = self.window_walk.address.val();
        self.source_inside_register.d.next = self.window_walk.in_map.val();
        self.source_select_register.d.next = self.window_walk.select.val();
        self.source_rows_register.d.next = self.rows.val();
        if self.last_input_tile.val() {
            self.source_rows_register.d.next = self.layer_last_rows.val();
        }
        self.valid_register.d.next = self.issue.val();
        if self.reset.val() {
            self.issue_valid_register.d.next = false;
            self.valid_register.d.next = false;
        }
        self.first_register.d.next = self.first_tile.q.val();
        self.last_register.d.next = self.last_of_output_tile.val();
        self.accumulator_address_register.d.next = self.pixel.q.val();
        self.parameter_address_register.d.next =
            self.layer_parameter_base.val() + self.output_tile.q.val();
        self.operand_address_register.d.next = self.operand_walk.address.val();
        self.operand_select_register.d.next = self.operand_walk.select.val();
        self.operand_enable_register.d.next = self.layer_operand.val()
            && self.last_of_output_tile.val()
            && (self.output_tile.q.val() <= self.layer_operand_tiles.val());
        self.operand_columns_register.d.next = self.columns.val();
        if self.output_tile.q.val() == self.layer_operand_tiles.val() {
            self.operand_columns_register.d.next = self.layer_last_operand_columns.val();
        }
        if self.layer_pool.val() {
            self.operand_address_register.d.next = self.window_walk.address.val();
            self.operand_enable_register.d.next = self.window_walk.in_map.val();
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
        self.parameter_address.next = self.parameter_address_register.q.val();
        self.operand_enable.next = self.operand_enable_register.q.val();
        self.operand_address.next = self.operand_address_register.q.val();
        self.operand_select.next = self.operand_select_register.q.val();
        self.operand_columns.next = self.operand_columns_register.q.val();
    }
}
