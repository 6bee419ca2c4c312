//! Where a descriptor's fields lie in its registers.
//!
//! Words arrive one after the other and are shifted through, so that word 0 lies
//! in register 0 when the last but one has arrived; the first one is taken before the layer is fetched,
//! the last one while it begins. Positions of the fields come from
//! [`brownout_spec::program::descriptor`]; a loop over a single index is how
//! `#[hdl_gen]` takes a constant.

use super::DescriptorRegisters;
use crate::comment;
use brownout_spec::program::descriptor as field;
use rust_hdl::prelude::*;

// The braces are needed where `#[hdl_gen]` keeps the expression, and not where it repeats it.
#[allow(unused_braces)]
impl Logic for DescriptorRegisters {
    #[hdl_gen]
    fn update(&mut self) {
        comment!("module descriptor: The running layer's descriptor, shifted in word by word.");
        comment!(
            "registers.md describes the fields; counts and sizes are as it says, mostly less one."
        );
        comment!("ports shift: program memory's word of a descriptor, word 0 first");
        comment!("ports diagonal: weights and groups");
        comment!("ports pool: kind of layer");
        comment!("ports source: activation buffers");
        comment!("ports kernel_height: window");
        comment!("ports input_height: maps and tiles");
        comment!("ports input_plane: address steps");
        comment!("ports last_rows: lanes in use in the last tile");
        comment!("ports operand_row_step: residual operand");
        comment!("ports parameter_base: requantization");
        comment!("ports group_rest: where the groups of the next output tile begin");
        for i in 0..field::WORDS {
            self.words[i].clock.next = self.clock.val();
            self.words[i].d.next = self.words[i].q.val();
        }
        if self.shift.val() {
            for i in 1..(field::WORDS - 1) {
                self.words[i - 1].d.next = self.words[i].q.val();
            }
            for i in (field::WORDS - 2)..(field::WORDS - 1) {
                self.words[i].d.next = self.word.val();
            }
        }
        if self.take_last.val() {
            for i in (field::WORDS - 1)..field::WORDS {
                self.words[i].d.next = self.word.val();
            }
        }
        for word in field::DIAGONAL.word..(field::DIAGONAL.word + 1) {
            for lsb in field::DIAGONAL.lsb..(field::DIAGONAL.lsb + 1) {
                self.diagonal.next = self.words[word].q.val().get_bit(lsb);
            }
        }
        for word in field::GROUP_INPUTS.word..(field::GROUP_INPUTS.word + 1) {
            for lsb in field::GROUP_INPUTS.lsb..(field::GROUP_INPUTS.lsb + 1) {
                self.group_inputs.next = self.words[word]
                    .q
                    .val()
                    .get_bits::<{ field::GROUP_INPUTS.bits }>(lsb);
            }
        }
        for word in field::GROUP_OUTPUTS.word..(field::GROUP_OUTPUTS.word + 1) {
            for lsb in field::GROUP_OUTPUTS.lsb..(field::GROUP_OUTPUTS.lsb + 1) {
                self.group_outputs.next = self.words[word]
                    .q
                    .val()
                    .get_bits::<{ field::GROUP_OUTPUTS.bits }>(lsb);
            }
        }
        for word in field::GROUP_REST.word..(field::GROUP_REST.word + 1) {
            for lsb in field::GROUP_REST.lsb..(field::GROUP_REST.lsb + 1) {
                self.group_rest.next = self.words[word]
                    .q
                    .val()
                    .get_bits::<{ field::GROUP_REST.bits }>(lsb);
            }
        }
        for word in field::GROUP_ROWS.word..(field::GROUP_ROWS.word + 1) {
            for lsb in field::GROUP_ROWS.lsb..(field::GROUP_ROWS.lsb + 1) {
                self.group_rows.next = self.words[word]
                    .q
                    .val()
                    .get_bits::<{ field::GROUP_ROWS.bits }>(lsb);
            }
        }
        for word in field::POOL.word..(field::POOL.word + 1) {
            for lsb in field::POOL.lsb..(field::POOL.lsb + 1) {
                self.pool.next = self.words[word].q.val().get_bit(lsb);
            }
        }
        for word in field::AVERAGE.word..(field::AVERAGE.word + 1) {
            for lsb in field::AVERAGE.lsb..(field::AVERAGE.lsb + 1) {
                self.average.next = self.words[word].q.val().get_bit(lsb);
            }
        }
        for word in field::WIDE.word..(field::WIDE.word + 1) {
            for lsb in field::WIDE.lsb..(field::WIDE.lsb + 1) {
                self.wide.next = self.words[word].q.val().get_bit(lsb);
            }
        }
        for word in field::OPERAND.word..(field::OPERAND.word + 1) {
            for lsb in field::OPERAND.lsb..(field::OPERAND.lsb + 1) {
                self.operand.next = self.words[word].q.val().get_bit(lsb);
            }
        }
        for word in field::LAST.word..(field::LAST.word + 1) {
            for lsb in field::LAST.lsb..(field::LAST.lsb + 1) {
                self.last.next = self.words[word].q.val().get_bit(lsb);
            }
        }
        for word in field::SETS.word..(field::SETS.word + 1) {
            for lsb in field::SETS.lsb..(field::SETS.lsb + 1) {
                self.sets.next = self.words[word].q.val().get_bit(lsb);
            }
        }
        for word in field::SOURCE.word..(field::SOURCE.word + 1) {
            for lsb in field::SOURCE.lsb..(field::SOURCE.lsb + 1) {
                self.source.next = self.words[word]
                    .q
                    .val()
                    .get_bits::<{ field::SOURCE.bits }>(lsb);
            }
        }
        for word in field::DESTINATION.word..(field::DESTINATION.word + 1) {
            for lsb in field::DESTINATION.lsb..(field::DESTINATION.lsb + 1) {
                self.destination.next = self.words[word]
                    .q
                    .val()
                    .get_bits::<{ field::DESTINATION.bits }>(lsb);
            }
        }
        for word in field::OPERAND_SOURCE.word..(field::OPERAND_SOURCE.word + 1) {
            for lsb in field::OPERAND_SOURCE.lsb..(field::OPERAND_SOURCE.lsb + 1) {
                self.operand_source.next = self.words[word]
                    .q
                    .val()
                    .get_bits::<{ field::OPERAND_SOURCE.bits }>(lsb);
            }
        }
        for word in field::OPERAND_STRIDE.word..(field::OPERAND_STRIDE.word + 1) {
            for lsb in field::OPERAND_STRIDE.lsb..(field::OPERAND_STRIDE.lsb + 1) {
                self.operand_stride.next = self.words[word]
                    .q
                    .val()
                    .get_bits::<{ field::OPERAND_STRIDE.bits }>(lsb);
            }
        }
        for word in field::DESTINATION_BASE.word..(field::DESTINATION_BASE.word + 1) {
            for lsb in field::DESTINATION_BASE.lsb..(field::DESTINATION_BASE.lsb + 1) {
                self.destination_base.next = self.words[word]
                    .q
                    .val()
                    .get_bits::<{ field::DESTINATION_BASE.bits }>(lsb);
            }
        }
        for word in field::DESTINATION_TILE.word..(field::DESTINATION_TILE.word + 1) {
            for lsb in field::DESTINATION_TILE.lsb..(field::DESTINATION_TILE.lsb + 1) {
                self.destination_tile.next = self.words[word]
                    .q
                    .val()
                    .get_bits::<{ field::DESTINATION_TILE.bits }>(lsb);
            }
        }
        for word in field::DESTINATION_LANE.word..(field::DESTINATION_LANE.word + 1) {
            for lsb in field::DESTINATION_LANE.lsb..(field::DESTINATION_LANE.lsb + 1) {
                self.destination_lane.next = self.words[word]
                    .q
                    .val()
                    .get_bits::<{ field::DESTINATION_LANE.bits }>(lsb);
            }
        }
        for word in field::SPLIT.word..(field::SPLIT.word + 1) {
            for lsb in field::SPLIT.lsb..(field::SPLIT.lsb + 1) {
                self.split.next = self.words[word].q.val().get_bit(lsb);
            }
        }
        for word in field::KEEP.word..(field::KEEP.word + 1) {
            for lsb in field::KEEP.lsb..(field::KEEP.lsb + 1) {
                self.keep.next = self.words[word].q.val().get_bit(lsb);
            }
        }
        for word in field::KERNEL_HEIGHT.word..(field::KERNEL_HEIGHT.word + 1) {
            for lsb in field::KERNEL_HEIGHT.lsb..(field::KERNEL_HEIGHT.lsb + 1) {
                self.kernel_height.next = self.words[word]
                    .q
                    .val()
                    .get_bits::<{ field::KERNEL_HEIGHT.bits }>(lsb);
            }
        }
        for word in field::KERNEL_WIDTH.word..(field::KERNEL_WIDTH.word + 1) {
            for lsb in field::KERNEL_WIDTH.lsb..(field::KERNEL_WIDTH.lsb + 1) {
                self.kernel_width.next = self.words[word]
                    .q
                    .val()
                    .get_bits::<{ field::KERNEL_WIDTH.bits }>(lsb);
            }
        }
        for word in field::STRIDE_ROWS.word..(field::STRIDE_ROWS.word + 1) {
            for lsb in field::STRIDE_ROWS.lsb..(field::STRIDE_ROWS.lsb + 1) {
                self.stride_rows.next = self.words[word]
                    .q
                    .val()
                    .get_bits::<{ field::STRIDE_ROWS.bits }>(lsb);
            }
        }
        for word in field::STRIDE_COLUMNS.word..(field::STRIDE_COLUMNS.word + 1) {
            for lsb in field::STRIDE_COLUMNS.lsb..(field::STRIDE_COLUMNS.lsb + 1) {
                self.stride_columns.next = self.words[word]
                    .q
                    .val()
                    .get_bits::<{ field::STRIDE_COLUMNS.bits }>(lsb);
            }
        }
        for word in field::PADDING_ABOVE.word..(field::PADDING_ABOVE.word + 1) {
            for lsb in field::PADDING_ABOVE.lsb..(field::PADDING_ABOVE.lsb + 1) {
                self.padding_above.next = self.words[word]
                    .q
                    .val()
                    .get_bits::<{ field::PADDING_ABOVE.bits }>(lsb);
            }
        }
        for word in field::PADDING_IN_FRONT.word..(field::PADDING_IN_FRONT.word + 1) {
            for lsb in field::PADDING_IN_FRONT.lsb..(field::PADDING_IN_FRONT.lsb + 1) {
                self.padding_in_front.next = self.words[word]
                    .q
                    .val()
                    .get_bits::<{ field::PADDING_IN_FRONT.bits }>(lsb);
            }
        }
        for word in field::DILATION_ROWS.word..(field::DILATION_ROWS.word + 1) {
            for lsb in field::DILATION_ROWS.lsb..(field::DILATION_ROWS.lsb + 1) {
                self.dilation_rows.next = self.words[word]
                    .q
                    .val()
                    .get_bits::<{ field::DILATION_ROWS.bits }>(lsb);
            }
        }
        for word in field::DILATION_COLUMNS.word..(field::DILATION_COLUMNS.word + 1) {
            for lsb in field::DILATION_COLUMNS.lsb..(field::DILATION_COLUMNS.lsb + 1) {
                self.dilation_columns.next = self.words[word]
                    .q
                    .val()
                    .get_bits::<{ field::DILATION_COLUMNS.bits }>(lsb);
            }
        }
        for word in field::REPEAT_ROWS.word..(field::REPEAT_ROWS.word + 1) {
            for lsb in field::REPEAT_ROWS.lsb..(field::REPEAT_ROWS.lsb + 1) {
                self.repeat_rows.next = self.words[word]
                    .q
                    .val()
                    .get_bits::<{ field::REPEAT_ROWS.bits }>(lsb);
            }
        }
        for word in field::REPEAT_COLUMNS.word..(field::REPEAT_COLUMNS.word + 1) {
            for lsb in field::REPEAT_COLUMNS.lsb..(field::REPEAT_COLUMNS.lsb + 1) {
                self.repeat_columns.next = self.words[word]
                    .q
                    .val()
                    .get_bits::<{ field::REPEAT_COLUMNS.bits }>(lsb);
            }
        }
        for word in field::INPUT_HEIGHT.word..(field::INPUT_HEIGHT.word + 1) {
            for lsb in field::INPUT_HEIGHT.lsb..(field::INPUT_HEIGHT.lsb + 1) {
                self.input_height.next = self.words[word]
                    .q
                    .val()
                    .get_bits::<{ field::INPUT_HEIGHT.bits }>(lsb);
            }
        }
        for word in field::INPUT_WIDTH.word..(field::INPUT_WIDTH.word + 1) {
            for lsb in field::INPUT_WIDTH.lsb..(field::INPUT_WIDTH.lsb + 1) {
                self.input_width.next = self.words[word]
                    .q
                    .val()
                    .get_bits::<{ field::INPUT_WIDTH.bits }>(lsb);
            }
        }
        for word in field::OUTPUT_HEIGHT.word..(field::OUTPUT_HEIGHT.word + 1) {
            for lsb in field::OUTPUT_HEIGHT.lsb..(field::OUTPUT_HEIGHT.lsb + 1) {
                self.output_height.next = self.words[word]
                    .q
                    .val()
                    .get_bits::<{ field::OUTPUT_HEIGHT.bits }>(lsb);
            }
        }
        for word in field::OUTPUT_WIDTH.word..(field::OUTPUT_WIDTH.word + 1) {
            for lsb in field::OUTPUT_WIDTH.lsb..(field::OUTPUT_WIDTH.lsb + 1) {
                self.output_width.next = self.words[word]
                    .q
                    .val()
                    .get_bits::<{ field::OUTPUT_WIDTH.bits }>(lsb);
            }
        }
        for word in field::INPUT_TILES.word..(field::INPUT_TILES.word + 1) {
            for lsb in field::INPUT_TILES.lsb..(field::INPUT_TILES.lsb + 1) {
                self.input_tiles.next = self.words[word]
                    .q
                    .val()
                    .get_bits::<{ field::INPUT_TILES.bits }>(lsb);
            }
        }
        for word in field::OUTPUT_TILES.word..(field::OUTPUT_TILES.word + 1) {
            for lsb in field::OUTPUT_TILES.lsb..(field::OUTPUT_TILES.lsb + 1) {
                self.output_tiles.next = self.words[word]
                    .q
                    .val()
                    .get_bits::<{ field::OUTPUT_TILES.bits }>(lsb);
            }
        }
        for word in field::INPUT_PLANE.word..(field::INPUT_PLANE.word + 1) {
            for lsb in field::INPUT_PLANE.lsb..(field::INPUT_PLANE.lsb + 1) {
                self.input_plane.next = self.words[word]
                    .q
                    .val()
                    .get_bits::<{ field::INPUT_PLANE.bits }>(lsb);
            }
        }
        for word in field::ROW_STEP.word..(field::ROW_STEP.word + 1) {
            for lsb in field::ROW_STEP.lsb..(field::ROW_STEP.lsb + 1) {
                self.row_step.next = self.words[word]
                    .q
                    .val()
                    .get_bits::<{ field::ROW_STEP.bits }>(lsb);
            }
        }
        for word in field::TAP_ROW_STEP.word..(field::TAP_ROW_STEP.word + 1) {
            for lsb in field::TAP_ROW_STEP.lsb..(field::TAP_ROW_STEP.lsb + 1) {
                self.tap_row_step.next = self.words[word]
                    .q
                    .val()
                    .get_bits::<{ field::TAP_ROW_STEP.bits }>(lsb);
            }
        }
        for word in field::ORIGIN.word..(field::ORIGIN.word + 1) {
            for lsb in field::ORIGIN.lsb..(field::ORIGIN.lsb + 1) {
                self.origin.next = self.words[word]
                    .q
                    .val()
                    .get_bits::<{ field::ORIGIN.bits }>(lsb);
            }
        }
        for word in field::LAST_ROWS.word..(field::LAST_ROWS.word + 1) {
            for lsb in field::LAST_ROWS.lsb..(field::LAST_ROWS.lsb + 1) {
                self.last_rows.next = self.words[word]
                    .q
                    .val()
                    .get_bits::<{ field::LAST_ROWS.bits }>(lsb);
            }
        }
        for word in field::LAST_COLUMNS.word..(field::LAST_COLUMNS.word + 1) {
            for lsb in field::LAST_COLUMNS.lsb..(field::LAST_COLUMNS.lsb + 1) {
                self.last_columns.next = self.words[word]
                    .q
                    .val()
                    .get_bits::<{ field::LAST_COLUMNS.bits }>(lsb);
            }
        }
        for word in field::LAST_OPERAND_COLUMNS.word..(field::LAST_OPERAND_COLUMNS.word + 1) {
            for lsb in field::LAST_OPERAND_COLUMNS.lsb..(field::LAST_OPERAND_COLUMNS.lsb + 1) {
                self.last_operand_columns.next = self.words[word]
                    .q
                    .val()
                    .get_bits::<{ field::LAST_OPERAND_COLUMNS.bits }>(lsb);
            }
        }
        for word in field::OPERAND_ROW_STEP.word..(field::OPERAND_ROW_STEP.word + 1) {
            for lsb in field::OPERAND_ROW_STEP.lsb..(field::OPERAND_ROW_STEP.lsb + 1) {
                self.operand_row_step.next = self.words[word]
                    .q
                    .val()
                    .get_bits::<{ field::OPERAND_ROW_STEP.bits }>(lsb);
            }
        }
        for word in field::OPERAND_PLANE.word..(field::OPERAND_PLANE.word + 1) {
            for lsb in field::OPERAND_PLANE.lsb..(field::OPERAND_PLANE.lsb + 1) {
                self.operand_plane.next = self.words[word]
                    .q
                    .val()
                    .get_bits::<{ field::OPERAND_PLANE.bits }>(lsb);
            }
        }
        for word in field::OPERAND_BASE.word..(field::OPERAND_BASE.word + 1) {
            for lsb in field::OPERAND_BASE.lsb..(field::OPERAND_BASE.lsb + 1) {
                self.operand_base.next = self.words[word]
                    .q
                    .val()
                    .get_bits::<{ field::OPERAND_BASE.bits }>(lsb);
            }
        }
        for word in field::OPERAND_TILES.word..(field::OPERAND_TILES.word + 1) {
            for lsb in field::OPERAND_TILES.lsb..(field::OPERAND_TILES.lsb + 1) {
                self.operand_tiles.next = self.words[word]
                    .q
                    .val()
                    .get_bits::<{ field::OPERAND_TILES.bits }>(lsb);
            }
        }
        for word in field::PARAMETER_BASE.word..(field::PARAMETER_BASE.word + 1) {
            for lsb in field::PARAMETER_BASE.lsb..(field::PARAMETER_BASE.lsb + 1) {
                self.parameter_base.next = self.words[word]
                    .q
                    .val()
                    .get_bits::<{ field::PARAMETER_BASE.bits }>(lsb);
            }
        }
        for word in field::SHIFT.word..(field::SHIFT.word + 1) {
            for lsb in field::SHIFT.lsb..(field::SHIFT.lsb + 1) {
                self.output_shift.next = self.words[word]
                    .q
                    .val()
                    .get_bits::<{ field::SHIFT.bits }>(lsb);
            }
        }
        for word in field::RESIDUAL_SHIFT.word..(field::RESIDUAL_SHIFT.word + 1) {
            for lsb in field::RESIDUAL_SHIFT.lsb..(field::RESIDUAL_SHIFT.lsb + 1) {
                self.residual_shift.next = self.words[word]
                    .q
                    .val()
                    .get_bits::<{ field::RESIDUAL_SHIFT.bits }>(lsb);
            }
        }
        for word in field::LOW.word..(field::LOW.word + 1) {
            for lsb in field::LOW.lsb..(field::LOW.lsb + 1) {
                self.low.next = self.words[word]
                    .q
                    .val()
                    .get_bits::<{ field::LOW.bits }>(lsb);
            }
        }
        for word in field::HIGH.word..(field::HIGH.word + 1) {
            for lsb in field::HIGH.lsb..(field::HIGH.lsb + 1) {
                self.high.next = self.words[word]
                    .q
                    .val()
                    .get_bits::<{ field::HIGH.bits }>(lsb);
            }
        }
        for word in field::RESIDUAL_MULTIPLIER.word..(field::RESIDUAL_MULTIPLIER.word + 1) {
            for lsb in field::RESIDUAL_MULTIPLIER.lsb..(field::RESIDUAL_MULTIPLIER.lsb + 1) {
                self.residual_multiplier.next = self.words[word]
                    .q
                    .val()
                    .get_bits::<{ field::RESIDUAL_MULTIPLIER.bits }>(lsb);
            }
        }
        for word in field::OUTPUT_PLANE.word..(field::OUTPUT_PLANE.word + 1) {
            for lsb in field::OUTPUT_PLANE.lsb..(field::OUTPUT_PLANE.lsb + 1) {
                self.output_plane.next = self.words[word]
                    .q
                    .val()
                    .get_bits::<{ field::OUTPUT_PLANE.bits }>(lsb);
            }
        }
        for word in field::TABLED.word..(field::TABLED.word + 1) {
            for lsb in field::TABLED.lsb..(field::TABLED.lsb + 1) {
                self.tabled.next = self.words[word].q.val().get_bit(lsb);
            }
        }
        for word in field::TABLE.word..(field::TABLE.word + 1) {
            for lsb in field::TABLE.lsb..(field::TABLE.lsb + 1) {
                self.table_number.next = self.words[word]
                    .q
                    .val()
                    .get_bits::<{ field::TABLE.bits }>(lsb);
            }
        }
        for word in field::SOURCE_ZERO.word..(field::SOURCE_ZERO.word + 1) {
            for lsb in field::SOURCE_ZERO.lsb..(field::SOURCE_ZERO.lsb + 1) {
                self.source_zero.next = self.words[word]
                    .q
                    .val()
                    .get_bits::<{ field::SOURCE_ZERO.bits }>(lsb);
            }
        }
        for word in field::OPERAND_ZERO.word..(field::OPERAND_ZERO.word + 1) {
            for lsb in field::OPERAND_ZERO.lsb..(field::OPERAND_ZERO.lsb + 1) {
                self.operand_zero.next = self.words[word]
                    .q
                    .val()
                    .get_bits::<{ field::OPERAND_ZERO.bits }>(lsb);
            }
        }
    }
}
