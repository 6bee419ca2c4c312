//! The left edge of the array: swap and load enables, one cycle later in every row.

use crate::comment;
use rust_hdl::prelude::*;

/// Delays `swap` by `i` cycles for row `i`, and decodes which rows a weight word loads.
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
    /// `swap` of `i` cycles ago.
    pub row_swap: Vec<Signal<Out, Bit>>,
    /// The word of `i` cycles ago belongs to row `i`.
    pub row_load: Vec<Signal<Out, Bit>>,
    swap_stage: Vec<DFF<Bit>>,
    valid_stage: Vec<DFF<Bit>>,
    row_stage: Vec<DFF<Bits<6>>>,
    valid_at: Vec<Signal<Local, Bit>>,
    row_at: Vec<Signal<Local, Bits<6>>>,
    _rows: usize,
    _rows_per_word: usize,
    _words: usize,
}

impl RowControl {
    /// Control of `rows` rows, of which a weight word carries `rows_per_word`, a divisor.
    pub fn new(rows: usize, rows_per_word: usize) -> Self {
        assert!(
            rows >= 2 && rows_per_word >= 1 && rows.is_multiple_of(rows_per_word),
            "the rows per word must divide the rows"
        );
        Self {
            clock: Default::default(),
            swap: Default::default(),
            weight_valid: Default::default(),
            weight_row: Default::default(),
            row_swap: (0..rows).map(|_| Default::default()).collect(),
            row_load: (0..rows).map(|_| Default::default()).collect(),
            swap_stage: (1..rows).map(|_| Default::default()).collect(),
            valid_stage: (1..rows).map(|_| Default::default()).collect(),
            row_stage: (1..rows).map(|_| Default::default()).collect(),
            valid_at: (0..rows).map(|_| Default::default()).collect(),
            row_at: (0..rows).map(|_| Default::default()).collect(),
            _rows: rows,
            _rows_per_word: rows_per_word,
            _words: rows / rows_per_word,
        }
    }
}

impl Logic for RowControl {
    #[hdl_gen]
    fn update(&mut self) {
        comment!("module row_control: Swap and load enables of each row, i clocks late in row i.");
        comment!("ports swap: as the array gets them");
        comment!("ports row_swap: as the rows get them");
        self.row_swap[0].next = self.swap.val();
        self.valid_at[0].next = self.weight_valid.val();
        self.row_at[0].next = self.weight_row.val();
        for i in 1..self._rows {
            self.row_swap[i].next = self.swap_stage[i - 1].q.val();
            self.valid_at[i].next = self.valid_stage[i - 1].q.val();
            self.row_at[i].next = self.row_stage[i - 1].q.val();
            self.swap_stage[i - 1].clock.next = self.clock.val();
            self.valid_stage[i - 1].clock.next = self.clock.val();
            self.row_stage[i - 1].clock.next = self.clock.val();
            self.swap_stage[i - 1].d.next = self.row_swap[i - 1].val();
            self.valid_stage[i - 1].d.next = self.valid_at[i - 1].val();
            self.row_stage[i - 1].d.next = self.row_at[i - 1].val();
        }
        for n in self._rows_per_word..(self._rows_per_word + 1) {
            for word in 0..self._words {
                for k in 0..self._rows_per_word {
                    self.row_load[word * n + k].next = self.valid_at[word * n + k].val()
                        && (self.row_at[word * n + k].val().index() == word);
                }
            }
        }
    }
}
