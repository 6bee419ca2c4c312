//! The weights of a word as the array gets them: zeros in the place of padding.

use crate::comment;
use crate::fixed::Fixed;
use brownout_spec::config::Configuration;
use rust_hdl::prelude::*;

/// Puts zeros where a word has padding, whatever is stored there, one clock later.
///
/// A word of a diagonal has its weights for one row after the other: every row gets the same lanes,
/// and keeps its own.
#[derive(LogicBlock)]
pub struct Spread<const WB: usize> {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// The weights of a word.
    pub weight: Vec<Signal<In, Bits<WB>>>,
    /// Its group of columns.
    pub group: Signal<In, Bits<4>>,
    /// It lies on a diagonal.
    pub diagonal: Signal<In, Bit>,
    /// For each of its rows, the first column that is not padding.
    pub from: Vec<Signal<In, Bits<7>>>,
    /// The first column behind those.
    pub to: Vec<Signal<In, Bits<7>>>,
    /// The weights without padding, a clock later.
    pub kept: Vec<Signal<Out, Bits<WB>>>,
    base: Signal<Local, Bits<7>>,
    first: Vec<Signal<Local, Bits<7>>>,
    behind: Vec<Signal<Local, Bits<7>>>,
    column: Vec<Fixed<Bits<7>>>,
    word: Vec<DFF<Bits<WB>>>,
    used: Vec<DFF<Bit>>,
    repeated: DFF<Bit>,
    _words: usize,
    _rows_per_word: usize,
    _lanes: usize,
    _group_shift: usize,
    _group_bits: usize,
}

impl<const WB: usize> Spread<WB> {
    /// For the words of a configuration.
    pub fn new(configuration: &Configuration) -> Self {
        fn many<T: Default>(count: usize) -> Vec<T> {
            (0..count).map(|_| T::default()).collect()
        }
        let rows_per_word = configuration.rows_per_word();
        let lanes = configuration.weights_per_word() / rows_per_word;
        Self {
            clock: Default::default(),
            word: many(configuration.weights_per_word()),
            used: many(configuration.weights_per_word()),
            repeated: Default::default(),
            _words: configuration.weights_per_word(),
            weight: many(configuration.weights_per_word()),
            group: Default::default(),
            diagonal: Default::default(),
            from: many(rows_per_word),
            to: many(rows_per_word),
            kept: many(configuration.weights_per_word()),
            base: Default::default(),
            first: many(rows_per_word),
            behind: many(rows_per_word),
            column: (0..lanes).map(Fixed::new).collect(),
            _rows_per_word: rows_per_word,
            _lanes: lanes,
            _group_shift: lanes.trailing_zeros() as usize,
            _group_bits: (7 - lanes.trailing_zeros() as usize).min(4),
        }
    }
}

impl<const WB: usize> Logic for Spread<WB> {
    #[hdl_gen]
    fn update(&mut self) {
        comment!("module weight_spread: Zeros in the place of a word's padding.");
        comment!("ports weight: a word, and which columns it holds weights of");
        comment!("ports kept: as the array gets it, one clock later");
        dff_setup!(self, clock, repeated);
        for l in 0..self._words {
            self.word[l].clock.next = self.clock.val();
            self.used[l].clock.next = self.clock.val();
            self.word[l].d.next = self.weight[l].val();
        }
        self.repeated.d.next = self.diagonal.val();
        self.base.next = 0.into();
        for shift in self._group_shift..(self._group_shift + 1) {
            for bit in 0..self._group_bits {
                self.base.next = self
                    .base
                    .val()
                    .replace_bit(bit + shift, self.group.val().get_bit(bit));
            }
        }
        comment!("columns counted from the word's first");
        for k in 0..self._rows_per_word {
            self.first[k].next = 0.into();
            if self.from[k].val() > self.base.val() {
                self.first[k].next = self.from[k].val() - self.base.val();
            }
            self.behind[k].next = 0.into();
            if self.to[k].val() > self.base.val() {
                self.behind[k].next = self.to[k].val() - self.base.val();
            }
        }
        for n in self._lanes..(self._lanes + 1) {
            for k in 0..self._rows_per_word {
                for j in 0..self._lanes {
                    self.used[k * n + j].d.next = (self.column[j].val() >= self.first[k].val())
                        && (self.column[j].val() < self.behind[k].val());
                }
            }
            comment!("one clock later");
            for j in 0..self._lanes {
                self.kept[j].next = 0.into();
                if self.used[j].q.val() {
                    self.kept[j].next = self.word[j].q.val();
                }
            }
            for k in 1..self._rows_per_word {
                for j in 0..self._lanes {
                    self.kept[k * n + j].next = 0.into();
                    if self.used[k * n + j].q.val() {
                        self.kept[k * n + j].next = self.word[k * n + j].q.val();
                        if self.repeated.q.val() {
                            self.kept[k * n + j].next = self.word[j].q.val();
                        }
                    }
                }
            }
        }
    }
}
