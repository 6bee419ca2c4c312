//! The layer descriptor: which bits of which 32-bit word say what.
//!
//! The program memory holds [`WORDS`] words for each step: a layer, or a copy. The RTL's field decoder,
//! the encoder below and the register documentation all come from these fields.

/// 32-bit words of one step's descriptor.
///
/// The first one says how weights are loaded. It is seen while the step before still runs, so
/// that the first tile's weights are loaded ahead; where a step has none, it is that of the next
/// step that has.
pub const WORDS: usize = 15;

/// A field of the descriptor: `bits` bits of word `word`, from bit `lsb` on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// Name, for documentation and messages.
    pub name: &'static str,
    /// Word of the descriptor.
    pub word: usize,
    /// Least significant bit within the word.
    pub lsb: usize,
    /// Width in bits.
    pub bits: usize,
    /// Meaning.
    pub doc: &'static str,
}

macro_rules! fields {
    ($($constant:ident: $word:literal, $lsb:literal, $bits:literal, $doc:literal;)*) => {
        $(#[doc = $doc]
        pub const $constant: Field = Field {
            name: stringify!($constant), word: $word, lsb: $lsb, bits: $bits, doc: $doc,
        };)*
        /// Every field, in order of word and bit.
        pub const FIELDS: &[Field] = &[$($constant),*];
    };
}

fields! {
    DIAGONAL: 0, 0, 1, "1: every output reads one input of its own, and a word holds weights side by side; 0: full tiles";
    GROUP_INPUTS: 0, 2, 14, "inputs of a group - 1; of a single group, in whole tiles of rows";
    GROUP_OUTPUTS: 0, 16, 14, "outputs of a group - 1";
    POOL: 1, 0, 1, "1: pooling, the operand port feeds the columns; 0: convolution";
    AVERAGE: 1, 1, 1, "1: a pool sums; 0: it takes the maximum";
    WIDE: 1, 2, 1, "1: int32 results go to the result stream";
    OPERAND: 1, 3, 1, "1: the operand port reads a residual operand with the last tap, which a pool does not fold";
    LAST: 1, 4, 1, "1: the program ends after this step";
    SETS: 1, 5, 1, "1: nine sets of parameters, chosen by the output pixel's place: first, in between or last row, then column; 0: one";
    TABLED: 1, 6, 1, "1: outputs are looked up in a table before they are written";
    SOURCE: 1, 8, 2, "activation buffer that the array reads, or the taps of a pool";
    DESTINATION: 1, 10, 2, "activation buffer that is written";
    OPERAND_SOURCE: 1, 12, 2, "activation buffer of the residual operand";
    OPERAND_STRIDE: 1, 14, 2, "pixels between residual operands in a row: 1 or 2";
    DESTINATION_BASE: 1, 16, 16, "address of the output's first word; with wide results, those of a pixel: all channels";
    KERNEL_HEIGHT: 2, 0, 6, "window rows - 1";
    KERNEL_WIDTH: 2, 6, 6, "window columns - 1";
    STRIDE_ROWS: 2, 12, 3, "rows from one window to the next";
    STRIDE_COLUMNS: 2, 15, 3, "columns from one window to the next";
    PADDING_ABOVE: 2, 18, 6, "rows of padding above the map";
    PADDING_IN_FRONT: 2, 24, 6, "columns of padding in front of the map";
    INPUT_HEIGHT: 3, 0, 12, "rows of the input map";
    INPUT_WIDTH: 3, 12, 12, "columns of the input map";
    DILATION_ROWS: 3, 24, 6, "rows from one tap to the next";
    OUTPUT_HEIGHT: 4, 0, 12, "rows of the output map - 1";
    OUTPUT_WIDTH: 4, 12, 12, "columns of the output map - 1";
    DILATION_COLUMNS: 4, 24, 6, "columns from one tap to the next";
    INPUT_TILES: 5, 0, 12, "input tiles - 1; 0 in a pool";
    OUTPUT_TILES: 5, 12, 12, "output tiles - 1";
    REPEAT_ROWS: 5, 24, 3, "output rows that each row of windows gives - 1";
    REPEAT_COLUMNS: 5, 27, 3, "output columns that each window of a row gives - 1";
    INPUT_PLANE: 6, 0, 16, "words of one channel group of the input: rows * columns";
    ROW_STEP: 6, 16, 16, "stride of the rows * columns of the input";
    TAP_ROW_STEP: 7, 0, 16, "from the last column of a window row to the first of the next, modulo 2^16";
    ORIGIN: 7, 16, 16, "address of the first window's first pixel, modulo 2^16";
    LAST_ROWS: 8, 0, 7, "rows in use in the last input tile";
    LAST_COLUMNS: 8, 7, 7, "columns in use in the last output tile";
    LAST_OPERAND_COLUMNS: 8, 14, 7, "columns with an operand in the last output tile that has one";
    SHIFT: 8, 21, 5, "s";
    RESIDUAL_SHIFT: 8, 26, 5, "sr, at most s";
    OPERAND_ROW_STEP: 9, 0, 16, "operand stride * columns of the operand map";
    OPERAND_PLANE: 9, 16, 16, "words of one channel group of the operand (of the input, in a pool)";
    PARAMETER_BASE: 10, 0, 12, "parameter address of the first output tile";
    OPERAND_BASE: 10, 16, 16, "address of the residual operand's first word";
    OPERAND_TILES: 11, 0, 12, "output tiles with an operand - 1";
    DESTINATION_TILE: 11, 12, 4, "tile of columns in a word of the destination at which the first output tile is written";
    LOW: 11, 16, 8, "smallest activation, two's complement";
    HIGH: 11, 24, 8, "largest activation, two's complement";
    RESIDUAL_MULTIPLIER: 12, 0, 16, "mr, two's complement";
    OUTPUT_PLANE: 12, 16, 16, "words of one channel group of the output - 1";
    GROUP_REST: 13, 0, 7, "columns that are left of a tile when as many whole groups as fit are taken";
    GROUP_ROWS: 13, 8, 14, "inputs of these whole groups; 0 with one output tile";
    TABLE: 13, 22, 5, "which table";
    SOURCE_ZERO: 14, 0, 8, "zero point of what the array reads, or the taps of a pool, two's complement";
    OPERAND_ZERO: 14, 8, 8, "zero point of the residual operand, two's complement";
    DESTINATION_LANE: 14, 16, 6, "lane of that tile of columns in which column 0 is written";
    SPLIT: 14, 22, 1, "1: what reaches beyond a tile of columns is written in a clock of its own, so the last tile of each output tile gives a pixel every two clocks";
    KEEP: 14, 23, 1, "1: lanes beyond the layer's channels are left as they are; 0: they are written as zero";
}

/// A descriptor as it is written to the program memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Descriptor(pub [u32; WORDS]);

impl Descriptor {
    /// Sets a field to a value that it can hold, as [`Network::shapes`] has checked.
    ///
    /// [`Network::shapes`]: super::Network::shapes
    pub(super) fn set(&mut self, field: Field, value: usize) {
        let mask = (1u64 << field.bits) - 1;
        assert!(
            value as u64 <= mask,
            "descriptor field {} holds at most {mask}, not {value}",
            field.name
        );
        self.0[field.word] |= (value as u32) << field.lsb;
    }

    /// Sets a two's complement or modular field.
    pub(super) fn set_wrapped(&mut self, field: Field, value: i64) {
        let mask = (1i64 << field.bits) - 1;
        self.set(field, (value & mask) as usize);
    }

    /// Reads a field back.
    pub fn get(&self, field: Field) -> u32 {
        (self.0[field.word] >> field.lsb) & (((1u64 << field.bits) - 1) as u32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_fields_share_a_bit_and_none_crosses_a_word() {
        let mut used = [0u32; WORDS];
        for field in FIELDS {
            assert!(field.lsb + field.bits <= 32, "{} crosses", field.name);
            let mask = (((1u64 << field.bits) - 1) as u32) << field.lsb;
            assert_eq!(used[field.word] & mask, 0, "{} overlaps", field.name);
            used[field.word] |= mask;
        }
    }

    #[test]
    fn a_field_reads_back_what_was_written() {
        let mut descriptor = Descriptor::default();
        descriptor.set(KERNEL_WIDTH, 14);
        descriptor.set_wrapped(ORIGIN, -17);
        descriptor.set_wrapped(LOW, -128);
        assert_eq!(descriptor.get(KERNEL_WIDTH), 14);
        assert_eq!(descriptor.get(ORIGIN), 0xffef);
        assert_eq!(descriptor.get(LOW), 0x80);
        assert_eq!(descriptor.get(HIGH), 0);
    }
}
