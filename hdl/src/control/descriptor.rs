//! The registers of a step's descriptor, and what they say; `decode` says in which bits.

mod decode;

use brownout_spec::program::descriptor as field;
use rust_hdl::prelude::*;

/// Holds a descriptor while its layer runs.
#[derive(LogicBlock, Default)]
pub struct DescriptorRegisters {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Takes the next word.
    pub shift: Signal<In, Bit>,
    /// Takes the last word.
    pub take_last: Signal<In, Bit>,
    /// The word.
    pub word: Signal<In, Bits<32>>,
    /// Words of weights lie on diagonals.
    pub diagonal: Signal<Out, Bit>,
    /// Inputs of a group - 1.
    pub group_inputs: Signal<Out, Bits<14>>,
    /// Outputs of a group - 1.
    pub group_outputs: Signal<Out, Bits<14>>,
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
    /// Nine sets of parameters.
    pub sets: Signal<Out, Bit>,
    /// Outputs are looked up in a table.
    pub tabled: Signal<Out, Bit>,
    /// Buffer read by the array.
    pub source: Signal<Out, Bits<2>>,
    /// Buffer written.
    pub destination: Signal<Out, Bits<2>>,
    /// Buffer read by the operand port.
    pub operand_source: Signal<Out, Bits<2>>,
    /// Pixels between residual operands.
    pub operand_stride: Signal<Out, Bits<2>>,
    /// Address of the output's first word, or results of a pixel.
    pub destination_base: Signal<Out, Bits<16>>,
    /// Tile of columns at which the output begins in its first word.
    pub destination_tile: Signal<Out, Bits<4>>,
    /// Lane of that tile in which the output begins.
    pub destination_lane: Signal<Out, Bits<6>>,
    /// The output is written across tiles of columns.
    pub split: Signal<Out, Bit>,
    /// Lanes beyond the output's channels are kept.
    pub keep: Signal<Out, Bit>,
    /// Window rows - 1.
    pub kernel_height: Signal<Out, Bits<6>>,
    /// Window columns - 1.
    pub kernel_width: Signal<Out, Bits<6>>,
    /// Rows from one window to the next.
    pub stride_rows: Signal<Out, Bits<3>>,
    /// Columns from one window to the next.
    pub stride_columns: Signal<Out, Bits<3>>,
    /// Rows of padding above the map.
    pub padding_above: Signal<Out, Bits<6>>,
    /// Columns of padding in front of the map.
    pub padding_in_front: Signal<Out, Bits<6>>,
    /// Rows from one tap to the next.
    pub dilation_rows: Signal<Out, Bits<6>>,
    /// Columns from one tap to the next.
    pub dilation_columns: Signal<Out, Bits<6>>,
    /// Output rows that a row of windows gives - 1.
    pub repeat_rows: Signal<Out, Bits<3>>,
    /// Output columns that a window gives - 1.
    pub repeat_columns: Signal<Out, Bits<3>>,
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
    /// Address of the operand's first word.
    pub operand_base: Signal<Out, Bits<16>>,
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
    /// Columns of a tile beyond its whole groups.
    pub group_rest: Signal<Out, Bits<7>>,
    /// Inputs of these whole groups.
    pub group_rows: Signal<Out, Bits<14>>,
    /// Which table.
    pub table_number: Signal<Out, Bits<5>>,
    /// Zero point of what the array reads.
    pub source_zero: Signal<Out, Bits<8>>,
    /// Zero point of the residual operand.
    pub operand_zero: Signal<Out, Bits<8>>,
    words: Vec<DFF<Bits<32>>>,
}

impl DescriptorRegisters {
    /// As many registers as a descriptor has words.
    pub fn new() -> Self {
        Self {
            words: (0..field::WORDS).map(|_| Default::default()).collect(),
            ..Self::default()
        }
    }
}
