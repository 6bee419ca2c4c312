//! Which cells of the array a word is for: its rows and columns, and of them the weights' own.

use crate::comment;
use crate::fixed::Fixed;
use brownout_spec::config::Configuration;
use rust_hdl::prelude::*;

/// Walks over the rows of a tile, and over the groups of channels that they belong to.
///
/// The columns of a group are those from `from` up to `to`; all other weights that a word has for
/// the row are padding, and must become zeros. A group's columns are followed by those of the next
/// one when its rows are used up. An ungrouped layer has one group, and a diagonal groups of
/// one row and one column.
#[derive(LogicBlock)]
pub struct BlockWalk {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// A tile is opened; what is loaded belongs to it from the clock after the next on.
    pub opens: Signal<In, Bit>,
    /// It begins with the first input channels of a tap, which the ports below describe in the next
    /// clock.
    pub reopens: Signal<In, Bit>,
    /// Words lie on diagonals.
    pub load_diagonal: Signal<In, Bit>,
    /// Inputs of a group - 1.
    pub load_group_inputs: Signal<In, Bits<14>>,
    /// Outputs of a group - 1.
    pub load_group_outputs: Signal<In, Bits<14>>,
    /// Columns that the first group still has, less one; more than the array's are all of these.
    pub load_columns_left: Signal<In, Bits<14>>,
    /// Row of its first input.
    pub load_first_row: Signal<In, Bits<6>>,
    /// A word is loaded.
    pub valid: Signal<In, Bit>,
    /// Its first row, in units of the rows of a word.
    pub weight_row: Signal<Out, Bits<6>>,
    /// Its group of columns.
    pub weight_group: Signal<Out, Bits<4>>,
    /// It lies on a diagonal.
    pub weight_diagonal: Signal<Out, Bit>,
    /// For each row of the word, the first column that is not padding.
    pub weight_from: Vec<Signal<Out, Bits<7>>>,
    /// The first column behind those.
    pub weight_to: Vec<Signal<Out, Bits<7>>>,
    opening: DFF<Bit>,
    reopening: DFF<Bit>,
    diagonal: DFF<Bit>,
    group_inputs: DFF<Bits<14>>,
    // Columns of a group and of the first one, at most those of the array.
    group_columns: DFF<Bits<7>>,
    first_columns: Signal<Local, Bits<7>>,
    first_row_now: Signal<Local, Bits<6>>,
    first_row: DFF<Bits<6>>,
    row: DFF<Bits<6>>,
    column_group: DFF<Bits<4>>,
    skip: DFF<Bits<6>>,
    from: DFF<Bits<7>>,
    to: DFF<Bits<7>>,
    left: DFF<Bits<14>>,
    row_now: Signal<Local, Bits<6>>,
    column_group_now: Signal<Local, Bits<4>>,
    end_of_row: Signal<Local, Bit>,
    // The state before the first row of a word, and behind each of its rows.
    skip_at: Vec<Signal<Local, Bits<6>>>,
    from_at: Vec<Signal<Local, Bits<7>>>,
    to_at: Vec<Signal<Local, Bits<7>>>,
    left_at: Vec<Signal<Local, Bits<14>>>,
    // First column behind the group that follows the row's, but for the array's edge.
    to_wide: Vec<Signal<Local, Bits<8>>>,
    group_wide: Signal<Local, Bits<8>>,
    beyond: Vec<Signal<Local, Bits<8>>>,
    columns: Fixed<Bits<7>>,
    columns_edge: Fixed<Bits<8>>,
    columns_wide: Fixed<Bits<14>>,
    last_group: Fixed<Bits<4>>,
    grouped: Fixed<Bit>,
    _rows_per_word: usize,
    _row_shift: usize,
    _group_shift: usize,
}

impl BlockWalk {
    /// The walk over the tiles of a configuration.
    pub fn new(configuration: &Configuration) -> Self {
        fn many<T: Default>(count: usize) -> Vec<T> {
            (0..count).map(|_| T::default()).collect()
        }
        let rows_per_word = configuration.rows_per_word();
        let lanes = configuration.columns.min(configuration.weights_per_word());
        let groups = configuration.columns / lanes;
        Self {
            clock: Default::default(),
            opens: Default::default(),
            reopens: Default::default(),
            load_diagonal: Default::default(),
            load_group_inputs: Default::default(),
            load_group_outputs: Default::default(),
            load_columns_left: Default::default(),
            load_first_row: Default::default(),
            valid: Default::default(),
            weight_row: Default::default(),
            weight_group: Default::default(),
            weight_diagonal: Default::default(),
            weight_from: many(rows_per_word),
            weight_to: many(rows_per_word),
            opening: Default::default(),
            reopening: Default::default(),
            diagonal: Default::default(),
            group_inputs: Default::default(),
            group_columns: Default::default(),
            first_columns: Default::default(),
            first_row_now: Default::default(),
            first_row: Default::default(),
            row: Default::default(),
            column_group: Default::default(),
            skip: Default::default(),
            from: Default::default(),
            to: Default::default(),
            left: Default::default(),
            row_now: Default::default(),
            column_group_now: Default::default(),
            end_of_row: Default::default(),
            skip_at: many(rows_per_word + 1),
            from_at: many(rows_per_word + 1),
            to_at: many(rows_per_word + 1),
            left_at: many(rows_per_word + 1),
            to_wide: many(rows_per_word),
            group_wide: Default::default(),
            beyond: many(rows_per_word),
            columns: Fixed::new(configuration.columns),
            columns_edge: Fixed::new(configuration.columns),
            columns_wide: Fixed::new(configuration.columns),
            last_group: Fixed::new(groups - 1),
            grouped: Fixed::flag(groups > 1),
            _rows_per_word: rows_per_word,
            _row_shift: rows_per_word.trailing_zeros() as usize,
            _group_shift: lanes.trailing_zeros() as usize,
        }
    }
}

impl Logic for BlockWalk {
    #[hdl_gen]
    fn update(&mut self) {
        comment!(
            "module block_walk: Rows and columns of a word, and which of them are no padding."
        );
        comment!("ports opens: tile loader");
        comment!("ports load_diagonal: the tap's groups, one clock after it is opened");
        comment!("ports valid: a word, from two clocks after that on");
        comment!("ports weight_row: where the word belongs");
        dff_setup!(
            self,
            clock,
            opening,
            reopening,
            diagonal,
            group_inputs,
            group_columns,
            first_row,
            row,
            column_group,
            skip,
            from,
            to,
            left
        );
        comment!("the tap's groups, one clock later; columns beyond the array's do not count");
        self.opening.d.next = self.opens.val();
        self.reopening.d.next = self.reopens.val();
        if self.reopening.q.val() {
            self.diagonal.d.next = self.load_diagonal.val();
            self.group_inputs.d.next = self.load_group_inputs.val();
            self.group_columns.d.next = self.columns.val();
            if self.load_group_outputs.val() < self.columns_wide.val() {
                self.group_columns.d.next = self.load_group_outputs.val().get_bits::<7>(0) + 1;
            }
        }
        self.first_columns.next = self.columns.val();
        if self.load_columns_left.val() < self.columns_wide.val() {
            self.first_columns.next = self.load_columns_left.val().get_bits::<7>(0) + 1;
        }
        self.first_row_now.next = self.first_row.q.val();
        if self.reopening.q.val() {
            self.first_row_now.next = self.load_first_row.val();
        }
        self.first_row.d.next = self.first_row_now.val();

        comment!("where the word is");
        self.row_now.next = self.row.q.val();
        self.column_group_now.next = self.column_group.q.val();
        self.skip_at[0].next = self.skip.q.val();
        self.from_at[0].next = self.from.q.val();
        self.to_at[0].next = self.to.q.val();
        self.left_at[0].next = self.left.q.val();
        if self.diagonal.q.val() {
            for bit in self._group_shift..(self._group_shift + 1) {
                self.column_group_now.next =
                    bit_cast::<12, 7>(self.from_at[0].val()).get_bits::<4>(bit);
            }
        }

        self.group_wide.next = bit_cast::<8, 7>(self.group_columns.q.val());
        comment!("row by row of the word: rows before the first group, then group after group");
        for k in 0..self._rows_per_word {
            self.weight_from[k].next = self.from_at[k].val();
            self.weight_to[k].next = self.to_at[k].val();
            self.skip_at[k + 1].next = 0.into();
            self.from_at[k + 1].next = self.from_at[k].val();
            self.to_at[k + 1].next = self.to_at[k].val();
            self.left_at[k + 1].next = self.left_at[k].val() - 1;
            self.to_wide[k].next = self.to_at[k].val().index().to_bits::<8>();
            self.beyond[k].next = self.to_wide[k].val() + self.group_wide.val();
            if !self.left_at[k].val().any() {
                self.left_at[k + 1].next = self.group_inputs.q.val();
                self.from_at[k + 1].next = self.to_at[k].val();
                self.to_at[k + 1].next = self.beyond[k].val().get_bits::<7>(0);
                if self.beyond[k].val() >= self.columns_edge.val() {
                    self.to_at[k + 1].next = self.columns.val();
                }
            }
            if self.skip_at[k].val().any() {
                self.weight_to[k].next = 0.into();
                self.skip_at[k + 1].next = self.skip_at[k].val() - 1;
                self.left_at[k + 1].next = self.left_at[k].val();
                self.from_at[k + 1].next = self.from_at[k].val();
                self.to_at[k + 1].next = self.to_at[k].val();
            }
        }

        comment!("the next word, of the next row or of further columns");
        self.end_of_row.next = true;
        if self.grouped.val() {
            self.end_of_row.next =
                self.diagonal.q.val() || (self.column_group_now.val() == self.last_group.val());
        }
        self.row.d.next = self.row_now.val();
        self.column_group.d.next = self.column_group_now.val();
        self.skip.d.next = self.skip_at[0].val();
        self.from.d.next = self.from_at[0].val();
        self.to.d.next = self.to_at[0].val();
        self.left.d.next = self.left_at[0].val();
        if self.valid.val() {
            if self.end_of_row.val() {
                self.row.d.next = self.row_now.val() + 1;
                self.column_group.d.next = 0.into();
                for n in self._rows_per_word..(self._rows_per_word + 1) {
                    self.skip.d.next = self.skip_at[n].val();
                    self.from.d.next = self.from_at[n].val();
                    self.to.d.next = self.to_at[n].val();
                    self.left.d.next = self.left_at[n].val();
                }
            } else {
                self.column_group.d.next = self.column_group_now.val() + 1;
            }
        }
        comment!("or the first one of a tile, or of a tap");
        if self.opening.q.val() {
            self.row.d.next = 0.into();
            self.column_group.d.next = 0.into();
            if self.load_diagonal.val() {
                for bit in self._row_shift..(self._row_shift + 1) {
                    self.row.d.next =
                        bit_cast::<12, 6>(self.first_row_now.val()).get_bits::<6>(bit);
                }
            }
        }
        if self.reopening.q.val() {
            self.skip.d.next = self.load_first_row.val();
            if self.load_diagonal.val() {
                self.skip.d.next = 0.into();
            }
            self.from.d.next = 0.into();
            self.to.d.next = self.first_columns.val();
            self.left.d.next = self.load_group_inputs.val();
        }
        self.weight_row.next = self.row_now.val();
        self.weight_diagonal.next = self.diagonal.q.val();
        if self.grouped.val() {
            self.weight_group.next = self.column_group_now.val();
        } else {
            self.weight_group.next = 0.into();
        }
    }
}
