//! How the parts of the accelerator are wired.

use super::{Accelerator, SWAP_STAGES};
use crate::comment;
use rust_hdl::prelude::*;

impl<const N: usize, const WB: usize, const AB: usize> Logic for Accelerator<N, WB, AB> {
    #[hdl_gen]
    fn update(&mut self) {
        comment!(
            "module accelerator: Systolic accelerator for neural networks with a weight memory \
             that may fail at low voltage."
        );
        comment!(
            "The host side is described in registers.md, configuration and code in the header above."
        );
        comment!(
            "ports register_write: registers: write strobe, read strobe, read data one clock later"
        );
        comment!("ports input_valid: input stream: weights, program, parameters, image");
        comment!("ports output_valid: result stream: int32, pixel by pixel, channels inside");
        dff_setup!(
            self,
            clock,
            program_word,
            early_control,
            early_weight_valid,
            spread_weight_valid,
            weight_valid,
            early_weight_row,
            spread_weight_row,
            weight_row,
            early_weight_group,
            spread_weight_group,
            weight_group,
            early_weight_diagonal
        );
        self.registers.clock.next = self.clock.val();
        self.loader.clock.next = self.clock.val();
        self.program_memory.clock.next = self.clock.val();
        self.sequencer.clock.next = self.clock.val();
        self.weight_path.clock.next = self.clock.val();
        self.buffers.clock.next = self.clock.val();
        self.array.clock.next = self.clock.val();
        self.columns.clock.next = self.clock.val();
        self.writer.clock.next = self.clock.val();
        self.results.clock.next = self.clock.val();
        self.registers.reset.next = self.reset.val();
        self.loader.reset.next = self.reset.val();
        self.sequencer.reset.next = self.reset.val();
        self.weight_path.reset.next = self.reset.val();
        self.columns.reset.next = self.reset.val();
        self.results.reset.next = self.reset.val();

        comment!("host");
        self.registers.register_write.next = self.register_write.val();
        self.registers.register_read.next = self.register_read.val();
        self.registers.register_address.next = self.register_address.val();
        self.registers.write_data.next = self.register_write_data.val();
        self.register_read_data.next = self.registers.read_data.val();
        self.registers.running.next = self.sequencer.running.val();
        self.registers.begin_pass.next = self.sequencer.begin_pass.val();
        self.registers.end_pass.next = self.sequencer.end_pass.val();
        self.registers.debug_data.next = self.buffers.debug_data.val();
        self.registers.detected.next = self.weight_path.detected.val();
        self.registers.detected_address.next = self.weight_path.detected_address.val();
        self.registers.accepting.next = self.results.empty.val() && !self.sequencer.running.val();
        self.loader.idle.next = !self.sequencer.running.val();
        self.loader.target.next = self.registers.load_target.val();
        self.loader.to_tables.next = self.registers.load_tables.val();
        self.loader.restart.next = self.registers.load_restart.val();
        self.loader.input_valid.next = self.input_valid.val();
        self.loader.input_data.next = self.input_data.val();
        self.input_ready.next = self.loader.input_ready.val();
        self.program_memory.read_enable.next = true;
        self.program_memory.write_enable[0].next = self.loader.program_write.val();
        self.program_memory.write_address.next = self.loader.address.val();
        self.program_memory.write_data[0].next = self.loader.data.val();
        self.program_memory.read_address.next =
            bit_cast::<23, 12>(self.sequencer.program_address.val());

        comment!("sequencer");
        self.sequencer.start.next = self.registers.start.val();
        self.sequencer.stop_after_layer.next = self.registers.stop_after_layer.val();
        self.sequencer.load_ready.next = self.weight_path.load_ready.val();
        self.descriptor.clock.next = self.clock.val();
        self.descriptor.shift.next = self.sequencer.descriptor_shift.val();
        self.descriptor.take_last.next = self.sequencer.descriptor_last.val();
        self.program_word.d.next = self.program_memory.read_data[0].val();
        self.descriptor.word.next = self.program_word.q.val();
        self.sequencer.program_word.next = self.program_word.q.val();
        self.sequencer.layer_diagonal.next = self.descriptor.diagonal.val();
        self.sequencer.layer_group_inputs.next = self.descriptor.group_inputs.val();
        self.sequencer.layer_group_outputs.next = self.descriptor.group_outputs.val();
        self.sequencer.layer_group_rest.next = self.descriptor.group_rest.val();
        self.sequencer.layer_group_rows.next = self.descriptor.group_rows.val();
        self.sequencer.layer_output_width.next = self.descriptor.output_width.val();
        self.sequencer.layer_output_height.next = self.descriptor.output_height.val();
        self.sequencer.layer_wide.next = self.descriptor.wide.val();
        self.sequencer.layer_split.next = self.descriptor.split.val();
        self.sequencer.layer_pool.next = self.descriptor.pool.val();
        self.sequencer.layer_input_tiles.next = self.descriptor.input_tiles.val();
        self.sequencer.layer_kernel_width.next = self.descriptor.kernel_width.val();
        self.sequencer.layer_kernel_height.next = self.descriptor.kernel_height.val();
        self.sequencer.layer_output_tiles.next = self.descriptor.output_tiles.val();
        self.sequencer.layer_last.next = self.descriptor.last.val();
        self.sequencer.layer_origin.next = self.descriptor.origin.val();
        self.sequencer.layer_stride_rows.next = self.descriptor.stride_rows.val();
        self.sequencer.layer_stride_columns.next = self.descriptor.stride_columns.val();
        self.sequencer.layer_padding_above.next = self.descriptor.padding_above.val();
        self.sequencer.layer_padding_in_front.next = self.descriptor.padding_in_front.val();
        self.sequencer.layer_dilation_rows.next = self.descriptor.dilation_rows.val();
        self.sequencer.layer_dilation_columns.next = self.descriptor.dilation_columns.val();
        self.sequencer.layer_repeat_rows.next = self.descriptor.repeat_rows.val();
        self.sequencer.layer_repeat_columns.next = self.descriptor.repeat_columns.val();
        self.sequencer.layer_input_height.next = self.descriptor.input_height.val();
        self.sequencer.layer_input_width.next = self.descriptor.input_width.val();
        self.sequencer.layer_input_plane.next = self.descriptor.input_plane.val();
        self.sequencer.layer_row_step.next = self.descriptor.row_step.val();
        self.sequencer.layer_tap_row_step.next = self.descriptor.tap_row_step.val();
        self.sequencer.layer_operand_stride.next = self.descriptor.operand_stride.val();
        self.sequencer.layer_operand_row_step.next = self.descriptor.operand_row_step.val();
        self.sequencer.layer_operand_plane.next = self.descriptor.operand_plane.val();
        self.sequencer.layer_operand_base.next = self.descriptor.operand_base.val();
        self.sequencer.layer_sets.next = self.descriptor.sets.val();
        self.sequencer.layer_last_rows.next = self.descriptor.last_rows.val();
        self.sequencer.layer_parameter_base.next = self.descriptor.parameter_base.val();
        self.sequencer.layer_operand.next = self.descriptor.operand.val();
        self.sequencer.layer_operand_tiles.next = self.descriptor.operand_tiles.val();
        self.sequencer.layer_last_operand_columns.next = self.descriptor.last_operand_columns.val();

        comment!("weight path");
        self.weight_path.start.next = self.sequencer.begin_pass.val();
        self.weight_path.weight_words.next = self.registers.weight_words.val();
        self.weight_path.load_start.next = self.sequencer.load_start.val();
        self.weight_path.load_restart.next = self.sequencer.load_restart.val();
        self.weight_path.load_diagonal.next = self.sequencer.load_diagonal.val();
        self.weight_path.load_group_inputs.next = self.sequencer.load_group_inputs.val();
        self.weight_path.load_group_outputs.next = self.sequencer.load_group_outputs.val();
        self.weight_path.load_columns_left.next = self.sequencer.load_columns_left.val();
        self.weight_path.load_first_row.next = self.sequencer.load_first_row.val();
        for b in 0..self._beats {
            self.weight_path.write_lane[b].next = self.loader.weight_lane[b].val();
        }
        self.weight_path.write_address.next = self.loader.address.val();
        self.weight_path.write_data.next = self.loader.data.val();
        self.weight_path.policy.next = self.registers.policy.val();
        self.weight_path.chip_seed_low.next = self.registers.seed_low.val();
        self.weight_path.chip_seed_high.next = self.registers.seed_high.val();
        self.weight_path.pass.next = self.registers.pass.val();
        self.weight_path.fault_mode.next = self.registers.fault_mode.val();
        self.weight_path.ones_share.next = self.registers.ones_share.val();
        self.threshold.next = self.registers.threshold.val();
        for f in 0..self._faults {
            self.voltage_rom[f].clock.next = self.clock.val();
            self.voltage_rom[f].millivolts.next = self.registers.voltage.val();
            if !self.registers.threshold_select.val() {
                self.threshold.next = self.voltage_rom[f].threshold.val();
            }
        }
        self.weight_path.threshold.next = self.threshold.val();

        comment!("activation buffers");
        self.buffers.pool.next = self.descriptor.pool.val();
        self.buffers.average.next = self.descriptor.average.val();
        self.buffers.source.next = self.descriptor.source.val();
        self.buffers.operand_source.next = self.descriptor.operand_source.val();
        self.buffers.source_zero.next = self.descriptor.source_zero.val();
        self.buffers.operand_zero.next = self.descriptor.operand_zero.val();
        self.buffers.source_address.next = self.sequencer.source_address.val();
        self.buffers.source_inside.next = self.sequencer.source_inside.val();
        self.buffers.source_select.next = self.sequencer.source_select.val();
        self.buffers.source_rows.next = self.sequencer.source_rows.val();
        self.operand_wanted.next = 0.into();
        self.operand_wanted.next = self
            .operand_wanted
            .val()
            .replace_bit(0, self.sequencer.operand_residual.val());
        self.operand_wanted.next = self
            .operand_wanted
            .val()
            .replace_bit(1, self.sequencer.operand_enable.val());
        for b in 0..4 {
            self.operand_wanted.next = self
                .operand_wanted
                .val()
                .replace_bit(b + 2, self.sequencer.operand_select.val().get_bit(b));
        }
        for b in 0..7 {
            self.operand_wanted.next = self
                .operand_wanted
                .val()
                .replace_bit(b + 6, self.sequencer.operand_columns.val().get_bit(b));
        }
        for b in 0..16 {
            self.operand_wanted.next = self
                .operand_wanted
                .val()
                .replace_bit(b + 13, self.sequencer.operand_address.val().get_bit(b));
        }
        self.operand_delay.clock.next = self.clock.val();
        self.operand_delay.value.next = self.operand_wanted.val();
        self.buffers.operand_residual.next = self.operand_delay.delayed.val().get_bit(0);
        self.buffers.operand_enable.next = self.operand_delay.delayed.val().get_bit(1);
        self.buffers.operand_select.next = self.operand_delay.delayed.val().get_bits::<4>(2);
        self.buffers.operand_columns.next = self.operand_delay.delayed.val().get_bits::<7>(6);
        self.buffers.operand_address.next = self.operand_delay.delayed.val().get_bits::<16>(13);
        self.buffers.debug.next = !self.sequencer.running.val();
        self.buffers.debug_address.next = self.registers.debug_address.val();
        self.buffers.debug_buffer.next = self.registers.debug_buffer.val();
        self.buffers.debug_group.next = self.registers.debug_group.val();

        comment!(
            "array: swap one clock ahead of its pixel, weights never ahead of the swap, no padding"
        );
        self.array.clock.next = self.clock.val();
        self.swap[0].d.next = self.sequencer.swap.val();
        for stage in 1..SWAP_STAGES {
            self.swap[stage].d.next = self.swap[stage - 1].q.val();
        }
        for stage in 0..SWAP_STAGES {
            self.swap[stage].clock.next = self.clock.val();
        }
        for last in (SWAP_STAGES - 1)..SWAP_STAGES {
            self.array.swap.next = self.swap[last].q.val();
        }
        for i in 0..self._rows {
            self.array.activation[i].next = self.buffers.row[i].val();
        }
        self.early_weight_valid.d.next = self.weight_path.weight_valid.val();
        self.spread_weight_valid.d.next = self.early_weight_valid.q.val();
        self.weight_valid.d.next = self.spread_weight_valid.q.val();
        self.array.weight_valid.next = self.weight_valid.q.val();
        self.early_weight_row.d.next = self.weight_path.weight_row.val();
        self.spread_weight_row.d.next = self.early_weight_row.q.val();
        self.weight_row.d.next = self.spread_weight_row.q.val();
        self.array.weight_row.next = self.weight_row.q.val();
        self.early_weight_group.d.next = self.weight_path.weight_group.val();
        self.spread_weight_group.d.next = self.early_weight_group.q.val();
        self.weight_group.d.next = self.spread_weight_group.q.val();
        self.array.weight_group.next = self.weight_group.q.val();
        self.spread.clock.next = self.clock.val();
        self.early_weight_diagonal.d.next = self.weight_path.weight_diagonal.val();
        self.spread.diagonal.next = self.early_weight_diagonal.q.val();
        self.spread.group.next = self.early_weight_group.q.val();
        for k in 0..self._rows_per_word {
            self.early_weight_from[k].clock.next = self.clock.val();
            self.early_weight_to[k].clock.next = self.clock.val();
            self.early_weight_from[k].d.next = self.weight_path.weight_from[k].val();
            self.early_weight_to[k].d.next = self.weight_path.weight_to[k].val();
            self.spread.from[k].next = self.early_weight_from[k].q.val();
            self.spread.to[k].next = self.early_weight_to[k].q.val();
        }
        for l in 0..self._weights {
            self.weight[l].clock.next = self.clock.val();
            self.early_weight[l].clock.next = self.clock.val();
            self.early_weight[l].d.next = self.weight_path.weight[l].val();
            self.spread.weight[l].next = self.early_weight[l].q.val();
            self.weight[l].d.next = self.spread.kept[l].val();
            self.array.weight[l].next = self.weight[l].q.val();
        }
        if self.reset.val() {
            for stage in 0..SWAP_STAGES {
                self.swap[stage].d.next = false;
            }
            self.early_weight_valid.d.next = false;
            self.spread_weight_valid.d.next = false;
            self.weight_valid.d.next = false;
        }

        comment!("columns: control arrives with column 0's partial sum");
        self.valid_delay.clock.next = self.clock.val();
        self.valid_delay.reset.next = self.reset.val();
        self.valid_delay.value.next = self.sequencer.valid.val();
        self.columns.valid.next = self.valid_delay.delayed.val();
        self.control.next = 0.into();
        self.control.next = self
            .control
            .val()
            .replace_bit(0, self.sequencer.first.val());
        self.control.next = self.control.val().replace_bit(1, self.sequencer.last.val());
        for b in 0..self._accumulator_bits {
            self.control.next = self
                .control
                .val()
                .replace_bit(b + 2, self.sequencer.accumulator_address.val().get_bit(b));
        }
        comment!("parameters' addresses come a clock later");
        self.early_control.d.next = self.control.val();
        self.control_wanted.next = 0.into();
        for b in 0..(self._accumulator_bits + 2) {
            self.control_wanted.next = self
                .control_wanted
                .val()
                .replace_bit(b, self.early_control.q.val().get_bit(b));
        }
        for lsb in (self._accumulator_bits + 2)..(self._accumulator_bits + 3) {
            for b in 0..12 {
                self.control_wanted.next = self
                    .control_wanted
                    .val()
                    .replace_bit(b + lsb, self.sequencer.parameter_address.val().get_bit(b));
            }
            self.columns.parameter_address.next =
                self.control_delay.delayed.val().get_bits::<12>(lsb);
        }
        self.control_delay.clock.next = self.clock.val();
        self.control_delay.value.next = self.control_wanted.val();
        self.columns.first.next = self.control_delay.delayed.val().get_bit(0);
        self.columns.last.next = self.control_delay.delayed.val().get_bit(1);
        self.columns.accumulator_address.next = self.control_delay.delayed.val().get_bits::<16>(2);
        self.columns.pool.next = self.descriptor.pool.val();
        self.columns.residual.next = self.descriptor.operand.val();
        self.columns.average.next = self.descriptor.average.val();
        self.columns.wide.next = self.descriptor.wide.val();
        self.columns.shift.next = self.descriptor.output_shift.val();
        self.columns.residual_shift.next = self.descriptor.residual_shift.val();
        self.columns.low.next = self.descriptor.low.val();
        self.columns.high.next = self.descriptor.high.val();
        self.columns.residual_multiplier.next = self.descriptor.residual_multiplier.val();
        self.columns.parameter_half.next = self.loader.parameter_half.val();
        self.columns.parameter_write_address.next = self.loader.address.val().get_bits::<12>(0);
        self.columns.parameter_data.next = self.loader.data.val();
        self.columns.tabled.next = self.descriptor.tabled.val();
        self.columns.table_number.next = self.descriptor.table_number.val();
        self.columns.table_write.next = self.loader.table_write.val();
        self.columns.table_write_address.next = self.loader.address.val().get_bits::<13>(0);
        self.columns.table_data.next = self.loader.data.val().get_bits::<8>(0);
        for j in 0..self._columns {
            self.columns.partial_sum[j].next = self.array.partial_sum[j].val();
            self.columns.operand[j].next = self.buffers.operand[j].val();
            self.columns.parameter_write[j].next = self.loader.parameter_write[j].val();
        }

        comment!("outputs: back into a buffer, or to the host");
        self.writer.layer_start.next = self.sequencer.begin_layer.val();
        self.writer.destination.next = self.descriptor.destination.val();
        self.writer.destination_base.next = self.descriptor.destination_base.val();
        self.writer.destination_tile.next = self.descriptor.destination_tile.val();
        self.writer.destination_lane.next = self.descriptor.destination_lane.val();
        self.writer.split.next = self.descriptor.split.val();
        self.writer.keep.next = self.descriptor.keep.val();
        self.writer.output_plane.next = self.descriptor.output_plane.val();
        self.writer.output_tiles.next = self.descriptor.output_tiles.val();
        self.writer.last_columns.next = self.descriptor.last_columns.val();
        self.writer.activation_valid.next = self.columns.activation_valid.val();
        for j in 0..self._columns {
            self.writer.activation[j].next = self.columns.activation[j].val();
        }
        self.writer.host_write.next = self.loader.activation_write.val();
        self.writer.host_address.next = self.loader.address.val().get_bits::<16>(0);
        self.writer.host_group.next = self.loader.activation_group.val();
        self.writer.host_data.next = self.loader.data.val();
        self.buffers.write_buffer.next = self.writer.write_buffer.val();
        self.buffers.write_address.next = self.writer.write_address.val();
        for l in 0..self._lanes {
            self.buffers.write_lane[l].next = self.writer.write_lane[l].val();
            self.buffers.write_data[l].next = self.writer.write_data[l].val();
        }
        self.results.layer_start.next = self.sequencer.begin_layer.val();
        self.results.output_tiles.next = self.descriptor.output_tiles.val();
        self.results.last_pixel.next = self.descriptor.output_plane.val().get_bits::<10>(0);
        self.results.channels.next = self.descriptor.destination_base.val().get_bits::<11>(0);
        self.results.last_columns.next = self.descriptor.last_columns.val();
        self.results.push.next = self.columns.result_valid.val();
        self.results.data.next = self.columns.result.val();
        self.output_valid.next = self.results.output_valid.val();
        self.output_data.next = self.results.output_data.val();
        self.results.output_ready.next = self.output_ready.val();

        self.clear.next = self.sequencer.begin_pass.val() || self.reset.val();
        comment!("counters of the last pass, in order of their registers");
        self.cycle_counter.clock.next = self.clock.val();
        self.cycle_counter.clear.next = self.clear.val();
        self.cycle_counter.increment.next = self.sequencer.running.val();
        self.registers.counters[0].next = self.cycle_counter.count.val();
        self.busy_counter.clock.next = self.clock.val();
        self.busy_counter.clear.next = self.clear.val();
        self.busy_counter.increment.next = self.sequencer.issue_valid.val();
        self.registers.counters[1].next = self.busy_counter.count.val();
        self.word_counter.clock.next = self.clock.val();
        self.word_counter.clear.next = self.clear.val();
        self.word_counter.increment.next = self.weight_path.word_read.val();
        self.registers.counters[2].next = self.word_counter.count.val();
        self.corrected_counter.clock.next = self.clock.val();
        self.corrected_counter.clear.next = self.clear.val();
        self.corrected_counter.increment.next = self.weight_path.corrected.val();
        self.registers.counters[3].next = self.corrected_counter.count.val();
        self.detected_counter.clock.next = self.clock.val();
        self.detected_counter.clear.next = self.clear.val();
        self.detected_counter.increment.next = self.weight_path.detected.val();
        self.registers.counters[4].next = self.detected_counter.count.val();
        for f in 0..self._faults {
            self.disturbed_counter[f].clock.next = self.clock.val();
            self.disturbed_counter[f].clear.next = self.clear.val();
            self.disturbed_counter[f].increment.next = self.weight_path.disturbed.val();
            self.registers.counters[5].next = self.disturbed_counter[f].count.val();
            self.flipped_counter[f].clock.next = self.clock.val();
            self.flipped_counter[f].clear.next = self.clear.val();
            self.flipped_counter[f].amount.next = self.weight_path.flipped.val();
            self.registers.counters[6].next = self.flipped_counter[f].count.val();
        }
    }
}
