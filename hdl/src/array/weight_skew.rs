//! The upper edge of the array: the lanes of a weight word, one cycle later in every column.

use crate::comment;
use rust_hdl::prelude::*;

/// Spreads the lanes of a weight word over the columns and delays column `j` by `j` cycles.
///
/// A word narrower than the array serves one *group* of columns at a time: column
/// `j` sees lane `j % lanes`, and its gate is open for words of group `j / lanes`.
/// A word wider than the array carries `ways` rows: column `j` sees lanes
/// `j, j + columns, ..` and there is no gate.
#[derive(LogicBlock)]
pub struct WeightSkew<const WB: usize> {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Lanes of one word.
    pub weight: Vec<Signal<In, Bits<WB>>>,
    /// Group of columns that the word belongs to.
    pub weight_group: Signal<In, Bits<4>>,
    /// A word was presented `d` cycles ago. Lines beyond the first group move only while
    /// one passes, as the cells' buses do, of which synthesis then finds them to be copies.
    pub diagonal_valid: Vec<Signal<In, Bit>>,
    /// Way `k` of column `j` at `k * columns + j`.
    pub bus: Vec<Signal<Out, Bits<WB>>>,
    /// One bit a column, or none if every word serves all columns.
    pub gate: Vec<Signal<Out, Bit>>,
    stage: Vec<DFF<Bits<WB>>>,
    further: Vec<DFF<Bits<WB>>>,
    group: Vec<DFF<Bits<4>>>,
    group_at: Vec<Signal<Local, Bits<4>>>,
    _columns: usize,
    _lanes: usize,
    _ways: usize,
    _stages: usize,
    _triangle: usize,
    _further: usize,
    _gated: usize,
    _groups: usize,
}

impl<const WB: usize> WeightSkew<WB> {
    /// A skew of words of `weights_per_word` lanes over `columns` columns, one a multiple
    /// of the other.
    pub fn new(columns: usize, weights_per_word: usize) -> Self {
        let lanes = columns.min(weights_per_word);
        let ways = weights_per_word / lanes;
        let groups = columns / lanes;
        assert!(
            lanes >= 2 && ways * lanes == weights_per_word && groups * lanes == columns,
            "columns and weights per word must be multiples of each other"
        );
        let triangle = lanes * (lanes - 1) / 2;
        let gated = if groups > 1 { columns } else { 0 };
        Self {
            clock: Default::default(),
            weight: (0..weights_per_word).map(|_| Default::default()).collect(),
            weight_group: Default::default(),
            diagonal_valid: (1..gated).map(|_| Default::default()).collect(),
            bus: (0..ways * columns).map(|_| Default::default()).collect(),
            gate: (0..gated).map(|_| Default::default()).collect(),
            stage: (0..ways * triangle).map(|_| Default::default()).collect(),
            further: (0..(columns - lanes) * lanes)
                .map(|_| Default::default())
                .collect(),
            group: (0..gated).skip(1).map(|_| Default::default()).collect(),
            group_at: (0..gated).map(|_| Default::default()).collect(),
            _columns: columns,
            _lanes: lanes,
            _ways: ways,
            _stages: ways * triangle,
            _triangle: triangle,
            _further: (columns - lanes) * lanes,
            _gated: gated,
            _groups: gated / lanes,
        }
    }
}

impl<const WB: usize> Logic for WeightSkew<WB> {
    // As in `Skew`, delay lines lie end to end: first all registers are chained,
    // then the head of each line takes its lane. Columns beyond the first group
    // continue the line of the column `lanes` before them.
    #[hdl_gen]
    fn update(&mut self) {
        comment!("module weight_skew: Lanes of a weight word, j clocks late in column j.");
        comment!("ports weight: a word and its group of columns");
        comment!("ports bus: down into the columns");
        for q in 0..self._stages {
            self.stage[q].clock.next = self.clock.val();
        }
        for q in 1..self._stages {
            self.stage[q].d.next = self.stage[q - 1].q.val();
        }
        for c in self._columns..(self._columns + 1) {
            for n in self._lanes..(self._lanes + 1) {
                for t in self._triangle..(self._triangle + 1) {
                    for k in 0..self._ways {
                        self.bus[k * c].next = self.weight[k * n].val();
                        for j in 1..self._lanes {
                            self.stage[k * t + j * (j - 1) / 2].d.next =
                                self.weight[k * n + j].val();
                            self.bus[k * c + j].next =
                                self.stage[k * t + j * (j + 1) / 2 - 1].q.val();
                        }
                    }
                }
            }
        }
        for q in 0..self._further {
            self.further[q].clock.next = self.clock.val();
            self.further[q].d.next = self.further[q].q.val();
        }
        for n in self._lanes..(self._lanes + 1) {
            for j in self._lanes..self._columns {
                self.bus[j].next = self.further[(j - n) * n + n - 1].q.val();
                if self.diagonal_valid[j - n].val() {
                    self.further[(j - n) * n].d.next = self.bus[j - n].val();
                }
                for s in 1..self._lanes {
                    if self.diagonal_valid[j - n + s].val() {
                        self.further[(j - n) * n + s].d.next =
                            self.further[(j - n) * n + s - 1].q.val();
                    }
                }
            }
        }
        for j in 1..self._gated {
            self.group[j - 1].clock.next = self.clock.val();
            self.group_at[j].next = self.group[j - 1].q.val();
        }
        for n in self._lanes..(self._lanes + 1) {
            for g in 0..self._groups {
                for l in 0..self._lanes {
                    if g + l == 0 {
                        self.group_at[0].next = self.weight_group.val();
                    }
                    self.gate[g * n + l].next = self.group_at[g * n + l].val().index() == g;
                }
            }
        }
        for j in 1..self._gated {
            self.group[j - 1].d.next = self.group_at[j - 1].val();
        }
    }
}
