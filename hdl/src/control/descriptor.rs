//! The layer descriptor's registers and its fields.
//!
//! Words arrive one after the other and are shifted through, so that word 0 lies
//! in register 0 when the last one has arrived. Positions of the fields come from
//! [`brownout_spec::program::descriptor`]; a loop over a single index is how
//! `#[hdl_gen]` takes a constant.

use crate::comment;
use brownout_spec::program::descriptor as field;
use rust_hdl::prelude::*;

/// Holds a descriptor while its layer runs.
#[derive(LogicBlock)]
pub struct DescriptorRegisters {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Takes the next word.
    pub shift: Signal<In, Bit>,
    /// The word.
    pub word: Signal<In, Bits<32>>,
    /// Pooling layer.
    pub pool: Signal<Out, Bit>,
    /// Average instead of maximum.
    pub average: Signal<Out, Bit>,
    /// int32 results.
    pub wide: Signal<Out, Bit>,
    /// Residual operand present.
    pub operand: Signal<Out, Bit>,
    /// Last layer of the program.
    pub last: Signal<Out, Bit>,
    /// Buffer read by the array.
    pub source: Signal<Out, Bits<2>>,
    /// Buffer written.
    pub destination: Signal<Out, Bits<2>>,
    /// Buffer read by the operand port.
    pub operand_source: Signal<Out, Bits<2>>,
    /// Pixels between residual operands.
    pub operand_stride: Signal<Out, Bits<2>>,
    /// Window rows - 1.
    pub kernel_height: Signal<Out, Bits<6>>,
    /// Window columns - 1.
    pub kernel_width: Signal<Out, Bits<6>>,
    /// Step.
    pub stride: Signal<Out, Bits<3>>,
    /// Padding.
    pub padding: Signal<Out, Bits<6>>,
    /// Input rows.
    pub input_height: Signal<Out, Bits<12>>,
    /// Input columns.
    pub input_width: Signal<Out, Bits<12>>,
    /// Output rows - 1.
    pub output_height: Signal<Out, Bits<12>>,
    /// Output columns - 1.
    pub output_width: Signal<Out, Bits<12>>,
    /// Input tiles - 1.
    pub input_tiles: Signal<Out, Bits<12>>,
    /// Output tiles - 1.
    pub output_tiles: Signal<Out, Bits<12>>,
    /// Words of an input channel group.
    pub input_plane: Signal<Out, Bits<16>>,
    /// Address step of an output row.
    pub row_step: Signal<Out, Bits<16>>,
    /// Address step to the next window row.
    pub tap_row_step: Signal<Out, Bits<16>>,
    /// Address of the first window.
    pub origin: Signal<Out, Bits<16>>,
    /// Rows in use in the last input tile.
    pub last_rows: Signal<Out, Bits<7>>,
    /// Columns in use in the last output tile.
    pub last_columns: Signal<Out, Bits<7>>,
    /// Columns with an operand in its last tile.
    pub last_operand_columns: Signal<Out, Bits<7>>,
    /// Address step of an operand row.
    pub operand_row_step: Signal<Out, Bits<16>>,
    /// Words of an operand channel group.
    pub operand_plane: Signal<Out, Bits<16>>,
    /// Output tiles with an operand - 1.
    pub operand_tiles: Signal<Out, Bits<12>>,
    /// Parameter address of the first output tile.
    pub parameter_base: Signal<Out, Bits<12>>,
    /// s.
    pub output_shift: Signal<Out, Bits<5>>,
    /// sr, at most s.
    pub residual_shift: Signal<Out, Bits<5>>,
    /// Smallest activation.
    pub low: Signal<Out, Bits<8>>,
    /// Largest activation.
    pub high: Signal<Out, Bits<8>>,
    /// mr.
    pub residual_multiplier: Signal<Out, Bits<16>>,
    /// Words of an output channel group - 1.
    pub output_plane: Signal<Out, Bits<16>>,
    words: Vec<DFF<Bits<32>>>,
}

impl Default for DescriptorRegisters {
    fn default() -> Self {
        Self {
            clock: Default::default(),
            shift: Default::default(),
            word: Default::default(),
            pool: Default::default(),
            average: Default::default(),
            wide: Default::default(),
            operand: Default::default(),
            last: Default::default(),
            source: Default::default(),
            destination: Default::default(),
            operand_source: Default::default(),
            operand_stride: Default::default(),
            kernel_height: Default::default(),
            kernel_width: Default::default(),
            stride: Default::default(),
            padding: Default::default(),
            input_height: Default::default(),
            input_width: Default::default(),
            output_height: Default::default(),
            output_width: Default::default(),
            input_tiles: Default::default(),
            output_tiles: Default::default(),
            input_plane: Default::default(),
            row_step: Default::default(),
            tap_row_step: Default::default(),
            origin: Default::default(),
            last_rows: Default::default(),
            last_columns: Default::default(),
            last_operand_columns: Default::default(),
            operand_row_step: Default::default(),
            operand_plane: Default::default(),
            operand_tiles: Default::default(),
            parameter_base: Default::default(),
            output_shift: Default::default(),
            residual_shift: Default::default(),
            low: Default::default(),
            high: Default::default(),
            residual_multiplier: Default::default(),
            output_plane: Default::default(),
            words: (0..field::WORDS).map(|_| Default::default()).collect(),
        }
    }
}

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
        comment!("ports pool: kind of layer");
        comment!("ports source: activation buffers");
        comment!("ports kernel_height: window");
        comment!("ports input_height: maps and tiles");
        comment!("ports input_plane: address steps");
        comment!("ports last_rows: lanes in use in the last tile");
        comment!("ports operand_row_step: residual operand");
        comment!("ports parameter_base: requantization");
        for i in 0..field::WORDS {
            self.words[i].clock.next = self.clock.val();
            self.words[i].d.next = self.words[i].q.val();
        }
        if self.shift.val() {
            for i in 1..field::WORDS {
                self.words[i - 1].d.next = self.words[i].q.val();
            }
            for i in (field::WORDS - 1)..field::WORDS {
                self.words[i].d.next = self.word.val();
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
        for word in field::STRIDE.word..(field::STRIDE.word + 1) {
            for lsb in field::STRIDE.lsb..(field::STRIDE.lsb + 1) {
                self.stride.next = self.words[word]
                    .q
                    .val()
                    .get_bits::<{ field::STRIDE.bits }>(lsb);
            }
        }
        for word in field::PADDING.word..(field::PADDING.word + 1) {
            for lsb in field::PADDING.lsb..(field::PADDING.lsb + 1) {
                self.padding.next = self.words[word]
                    .q
                    .val()
                    .get_bits::<{ field::PADDING.bits }>(lsb);
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
    }
}
