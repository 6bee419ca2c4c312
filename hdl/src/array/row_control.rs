//! The control of the array: load enables, one cycle later in every row, and on which
//! diagonals of the array swaps and weight words are.

use crate::comment;
use rust_hdl::prelude::*;

/// Delays `swap` by `i + j` cycles for cell (i, j), and decodes which rows a weight word loads.
#[derive(LogicBlock)]
pub struct RowControl {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// One cycle ahead of the first activation that meets the new weights in row 0.
    pub swap: Signal<In, Bit>,
    /// A weight word is presented.
    pub weight_valid: Signal<In, Bit>,
    /// First row of that word, divided by the rows per word.
    pub weight_row: Signal<In, Bits<6>>,
    /// `swap` of `d` cycles ago, for the cells (i, j) with i + j = d.
    pub diagonal_swap: Vec<Signal<Out, Bit>>,
    /// A word was presented `d` cycles ago: it is on the bus of these cells.
    pub diagonal_valid: Vec<Signal<Out, Bit>>,
    /// The word of `i` cycles ago, if there is one, belongs to row `i`.
    pub row_load: Vec<Signal<Out, Bit>>,
    swap_stage: Vec<DFF<Bit>>,
    valid_stage: Vec<DFF<Bit>>,
    row_stage: Vec<DFF<Bits<6>>>,
    row_at: Vec<Signal<Local, Bits<6>>>,
    _rows: usize,
    _diagonals: usize,
    _rows_per_word: usize,
    _words: usize,
}

impl RowControl {
    /// Control of `rows` rows, of which a weight word carries `rows_per_word`, a divisor.
    pub fn new(rows: usize, columns: usize, rows_per_word: usize) -> Self {
        assert!(
            rows >= 2 && rows_per_word >= 1 && rows.is_multiple_of(rows_per_word),
            "the rows per word must divide the rows"
        );
        let diagonals = rows + columns - 1;
        Self {
            clock: Default::default(),
            swap: Default::default(),
            weight_valid: Default::default(),
            weight_row: Default::default(),
            diagonal_swap: (0..diagonals).map(|_| Default::default()).collect(),
            diagonal_valid: (0..diagonals).map(|_| Default::default()).collect(),
            row_load: (0..rows).map(|_| Default::default()).collect(),
            swap_stage: (1..diagonals).map(|_| Default::default()).collect(),
            valid_stage: (1..diagonals).map(|_| Default::default()).collect(),
            row_stage: (1..rows).map(|_| Default::default()).collect(),
            row_at: (0..rows).map(|_| Default::default()).collect(),
            _rows: rows,
            _diagonals: diagonals,
            _rows_per_word: rows_per_word,
            _words: rows / rows_per_word,
        }
    }
}

impl Logic for RowControl {
    #[hdl_gen]
    fn update(&mut self) {
        comment!("module row_control: Load enables of each row, i clocks late in row i.");
        comment!(
            "Swaps and words reach the cells of diagonal d, those of row i and column d - i, d \
             clocks after they were presented."
        );
        comment!("ports swap: as the array gets them");
        comment!("ports diagonal_swap: as the cells get them");
        self.diagonal_swap[0].next = self.swap.val();
        self.diagonal_valid[0].next = self.weight_valid.val();
        self.row_at[0].next = self.weight_row.val();
        for i in 1..self._rows {
            self.row_at[i].next = self.row_stage[i - 1].q.val();
            self.row_stage[i - 1].clock.next = self.clock.val();
            self.row_stage[i - 1].d.next = self.row_at[i - 1].val();
        }
        for d in 1..self._diagonals {
            self.diagonal_swap[d].next = self.swap_stage[d - 1].q.val();
            self.swap_stage[d - 1].clock.next = self.clock.val();
            self.swap_stage[d - 1].d.next = self.diagonal_swap[d - 1].val();
            self.diagonal_valid[d].next = self.valid_stage[d - 1].q.val();
            self.valid_stage[d - 1].clock.next = self.clock.val();
            self.valid_stage[d - 1].d.next = self.diagonal_valid[d - 1].val();
        }
        for n in self._rows_per_word..(self._rows_per_word + 1) {
            for word in 0..self._words {
                for k in 0..self._rows_per_word {
                    self.row_load[word * n + k].next =
                        self.row_at[word * n + k].val().index() == word;
                }
            }
        }
    }
}
