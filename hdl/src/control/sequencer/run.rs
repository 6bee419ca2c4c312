//! What the sequencer does in each clock: states, the weights that follow, and what is issued.

use super::{Sequencer, SequencerState};
use crate::comment;
use brownout_spec::program::descriptor as field;
use rust_hdl::prelude::*;

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
        comment!("table last_drain_clock_but_three: sizes of the accelerator");
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
            begins,
            runs,
            streams,
            shifts,
            takes_last,
            layer_begins,
            layer_began,
            loads,
            two_before_end,
            one_before_end,
            layer_ends,
            stops,
            loads_next_layer,
            loads_next_output_tile,
            next_group_inputs,
            next_group_outputs,
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
        self.layer_start.next = self.layer_begins.q.val();
        self.starts.next = self.start.val() && !self.runs.q.val();

        comment!("what happens in the next clock is decided in this one");
        self.begins.d.next = self.starts.val();
        self.shifts.d.next = self.starts.val() || self.begins.q.val();
        self.takes_last.d.next = false;
        self.layer_begins.d.next = false;
        self.layer_began.d.next = self.layer_begins.q.val();
        self.two_before_end.d.next = false;
        self.one_before_end.d.next = self.two_before_end.q.val();
        self.layer_ends.d.next = self.one_before_end.q.val();
        self.stops.d.next =
            self.layer_last.val() || (self.layer_number.q.val() == self.stop_after_layer.val());
        self.end_pass.next = self.layer_ends.q.val() && self.stops.q.val();
        match self.state.q.val() {
            SequencerState::Idle => {
                self.fetch_count.d.next = 0.into();
                self.program_pointer.d.next = 0.into();
                self.layer_number.d.next = 0.into();
                if self.starts.val() {
                    self.runs.d.next = true;
                    self.program_pointer.d.next = 2.into();
                }
                if self.begins.q.val() {
                    self.state.d.next = SequencerState::Fetch;
                    self.program_pointer.d.next = 3.into();
                }
            }
            SequencerState::Fetch => {
                self.fetch_count.d.next = self.fetch_count.q.val() + 1;
                if self.fetch_count.q.val() == self.last_shifted_word.val() {
                    self.takes_last.d.next = true;
                    self.state.d.next = SequencerState::Setup;
                } else {
                    self.shifts.d.next = true;
                    self.program_pointer.d.next = self.program_pointer.q.val() + 1;
                }
            }
            SequencerState::Setup => {
                self.fetch_count.d.next = 0.into();
                if self.layer_begins.q.val() {
                    self.streams.d.next = true;
                    self.state.d.next = SequencerState::Stream;
                } else {
                    self.layer_begins.d.next = self.weights_ready.val();
                }
            }
            SequencerState::Stream => {
                self.drain_count.d.next = 0.into();
                if self.position.layer_end.val() {
                    self.streams.d.next = false;
                    self.state.d.next = SequencerState::Drain;
                }
            }
            SequencerState::Drain => {
                self.drain_count.d.next = self.drain_count.q.val() + 1;
                self.two_before_end.d.next =
                    self.drain_count.q.val() == self.last_drain_clock_but_three.val();
                if self.two_before_end.q.val() || self.one_before_end.q.val() {
                    self.program_pointer.d.next = self.program_pointer.q.val() + 1;
                }
                if self.one_before_end.q.val() && !self.stops.q.val() {
                    self.shifts.d.next = true;
                }
                if self.layer_ends.q.val() {
                    self.layer_number.d.next = self.layer_number.q.val() + 1;
                    if self.stops.q.val() {
                        self.runs.d.next = false;
                        self.state.d.next = SequencerState::Idle;
                        self.program_pointer.d.next = 0.into();
                    } else {
                        self.shifts.d.next = true;
                        self.state.d.next = SequencerState::Fetch;
                        self.program_pointer.d.next = self.program_pointer.q.val() + 1;
                    }
                }
            }
            _ => {
                self.state.d.next = SequencerState::Idle;
            }
        }
        self.running.next = self.runs.q.val();
        self.begin_pass.next = self.begins.q.val();
        self.begin_layer.next = self.layer_began.q.val();
        self.loads.d.next = ((self.position.tile_end.val() && !self.position.layer_tile.val())
            || self.layer_start.val())
            && !self.layer_pool.val();
        self.load_start.next = self.loads.q.val();

        comment!(
            "a descriptor's word arrives two clocks after its address; its first one is there before, \
             and is taken in the last clock of the layer before, or in that in which the pass begins"
        );
        self.program_address.next = self.program_pointer.q.val();
        if self.starts.val() {
            self.program_address.next = 1.into();
        }
        self.descriptor_shift.next = self.shifts.q.val();
        self.descriptor_last.next = self.takes_last.q.val();

        comment!("which weights are loaded: those of the tile that follows");
        self.load_next_layer.next = !self.streams.q.val() || self.position.layer_tile.val();
        self.load_restart.next = !self.position.next_input_tile.val();
        self.load_diagonal.next = self.layer_diagonal.val();
        if self.load_next_layer.val() {
            for lsb in field::DIAGONAL.lsb..(field::DIAGONAL.lsb + 1) {
                self.load_diagonal.next = self.program_word.val().get_bit(lsb);
            }
        }
        comment!("and, one clock later, their groups");
        self.loads_next_layer.d.next = self.load_next_layer.val();
        self.loads_next_output_tile.d.next = self.position.last_tile.val();
        for lsb in field::GROUP_INPUTS.lsb..(field::GROUP_INPUTS.lsb + 1) {
            self.next_group_inputs.d.next = self
                .program_word
                .val()
                .get_bits::<{ field::GROUP_INPUTS.bits }>(lsb);
        }
        for lsb in field::GROUP_OUTPUTS.lsb..(field::GROUP_OUTPUTS.lsb + 1) {
            self.next_group_outputs.d.next = self
                .program_word
                .val()
                .get_bits::<{ field::GROUP_OUTPUTS.bits }>(lsb);
        }
        self.load_group_inputs.next = self.layer_group_inputs.val();
        self.load_group_outputs.next = self.layer_group_outputs.val();
        self.load_columns_left.next = self.group_walk.columns.val();
        self.load_first_row.next = self.group_walk.row.val();
        if self.loads_next_output_tile.q.val() {
            self.load_columns_left.next = self.group_walk.next_columns.val();
            self.load_first_row.next = self.group_walk.next_row.val();
        }
        if self.loads_next_layer.q.val() {
            self.load_group_inputs.next = self.next_group_inputs.q.val();
            self.load_group_outputs.next = self.next_group_outputs.q.val();
            self.load_columns_left.next = self.next_group_outputs.q.val();
            self.load_first_row.next = 0.into();
        }

        self.position.stream.next = self.streams.q.val();
        self.position.layer_start.next = self.layer_start.val();
        self.position.weights_ready.next = self.load_ready.val();
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
        self.issues.next = self.position.issue.val() && !self.layer_pool.val();
        self.issue_valid_register.d.next = self.issues.val();
        comment!("a pass begins with a swap, which leaves no weight of the one before behind");
        self.swap_register.d.next = self.loads.q.val() || self.begins.q.val();
        self.source_address_register.d.next = self.window_walk.address.val();
        self.source_inside_register.d.next = self.window_walk.in_map.val() && self.issues.val();
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
        self.operand_columns_register.d.next = self.columns.val();
        if self.position.output_tile.val() == self.layer_operand_tiles.val() {
            self.operand_columns_register.d.next = self.layer_last_operand_columns.val();
        }
        self.tap_slot.next = self.layer_pool.val() && !self.residual_slot.val();
        if self.tap_slot.val() {
            self.operand_address_register.d.next = self.window_walk.address.val();
        }
        comment!("no word is read without a pixel: nobody may have written it");
        self.operand_enable_register.d.next = self.position.issue.val()
            && ((self.residual_slot.val()
                && (self.position.output_tile.val() <= self.layer_operand_tiles.val()))
                || (self.tap_slot.val() && self.window_walk.in_map.val()));
        if self.reset.val() {
            self.state.d.next = SequencerState::Idle;
            self.program_pointer.d.next = 0.into();
            self.begins.d.next = false;
            self.runs.d.next = false;
            self.streams.d.next = false;
            self.shifts.d.next = false;
            self.takes_last.d.next = false;
            self.layer_begins.d.next = false;
            self.layer_began.d.next = false;
            self.loads.d.next = false;
            self.two_before_end.d.next = false;
            self.one_before_end.d.next = false;
            self.layer_ends.d.next = false;
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
