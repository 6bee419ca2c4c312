//! The systolic array: weight-stationary, with shadow weights that travel like the data.
//!
//! Input channels are rows, output channels are columns. Activations enter at the
//! left and move right; partial sums move down; the next tile's weights move down
//! a bus beside them while the current tile still streams. Everything that enters
//! cell (i, j) does so i + j cycles after it entered cell (0, 0): activation, swap,
//! weights and load enables. So a tile may be loaded while the swap to the previous
//! one is still on its way to the far corner, and no cycle is lost between tiles.
//!
//! | presented | effect |
//! | --- | --- |
//! | `activation` in cycle t | column j's partial sum in cycle t + rows + 1 + j |
//! | `swap` in cycle t − 1 | the activation of cycle t is the first to meet the new weights |
//! | `weight` in cycle t | a swap presented in t + 1 or later activates it; one in t does not |
//!
//! A swap leaves zeros in the shadows: what is not loaded until the next one multiplies nothing.

mod pe;
mod row_control;
mod skew;
mod weight_skew;

pub use pe::Pe;
pub use row_control::RowControl;
pub use skew::Skew;
pub use weight_skew::WeightSkew;

use crate::comment;
use rust_hdl::prelude::*;

/// `rows` × `columns` cells with activations of `AB` and weights of `WB` bits, and their edges.
#[derive(LogicBlock)]
pub struct Array<const AB: usize, const WB: usize> {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// One pixel: all rows in the same cycle.
    pub activation: Vec<Signal<In, Bits<AB>>>,
    /// One cycle ahead of the first pixel of a tile.
    pub swap: Signal<In, Bit>,
    /// Lanes of one weight word.
    pub weight: Vec<Signal<In, Bits<WB>>>,
    /// A word is presented.
    pub weight_valid: Signal<In, Bit>,
    /// Its first row, divided by the rows per word.
    pub weight_row: Signal<In, Bits<6>>,
    /// Its first column, divided by the weights per word; 0 if a word spans all columns.
    pub weight_group: Signal<In, Bits<4>>,
    /// Partial sums, column j one cycle after column j − 1.
    pub partial_sum: Vec<Signal<Out, Bits<32>>>,
    activation_skew: Skew<AB>,
    row_control: RowControl,
    weight_skew: WeightSkew<WB>,
    pe: Vec<Pe<AB, WB>>,
    _rows: usize,
    _columns: usize,
    _ways: usize,
    _gates: usize,
    _gated: usize,
    _weights: usize,
}

impl<const AB: usize, const WB: usize> Array<AB, WB> {
    /// An array whose weights arrive in words of `weights_per_word`, a power of two as
    /// `rows` and `columns` are.
    pub fn new(rows: usize, columns: usize, weights_per_word: usize) -> Self {
        let ways = (weights_per_word / columns).max(1);
        let gated = columns > weights_per_word;
        Self {
            clock: Default::default(),
            activation: (0..rows).map(|_| Default::default()).collect(),
            swap: Default::default(),
            weight: (0..weights_per_word).map(|_| Default::default()).collect(),
            weight_valid: Default::default(),
            weight_row: Default::default(),
            weight_group: Default::default(),
            partial_sum: (0..columns).map(|_| Default::default()).collect(),
            activation_skew: Skew::new(rows),
            row_control: RowControl::new(rows, columns, ways),
            weight_skew: WeightSkew::new(columns, weights_per_word),
            pe: (0..rows * columns).map(|_| Pe::new(ways, gated)).collect(),
            _rows: rows,
            _columns: columns,
            _ways: ways,
            _gates: usize::from(gated),
            _gated: if gated { columns } else { 0 },
            _weights: weights_per_word,
        }
    }
}

impl<const AB: usize, const WB: usize> Logic for Array<AB, WB> {
    #[hdl_gen]
    fn update(&mut self) {
        comment!("module array: Systolic array, weight-stationary with shadow weights.");
        comment!(
            "Activations move right, one column a clock, and enter row i with i clocks of skew; \
             partial sums move down. While a tile is multiplied, the next tile's weights come \
             down into shadow registers; `swap` keeps step with a tile's first pixel and puts \
             them to use. Weights that do not come are zeros."
        );
        comment!("ports activation: one pixel's input channels, one per row");
        comment!("ports swap: the pixel of the next clock is the first one of its tile");
        comment!("ports weight: a word of the next tile's weights, and its place in the tile");
        comment!(
            "ports partial_sum: one output channel per column, each column a clock later than the \
             one before"
        );
        self.activation_skew.clock.next = self.clock.val();
        self.activation_skew.enable.next = true;
        self.row_control.clock.next = self.clock.val();
        self.row_control.swap.next = self.swap.val();
        self.row_control.weight_valid.next = self.weight_valid.val();
        self.row_control.weight_row.next = self.weight_row.val();
        self.weight_skew.clock.next = self.clock.val();
        self.weight_skew.weight_group.next = self.weight_group.val();
        for l in 0..self._weights {
            self.weight_skew.weight[l].next = self.weight[l].val();
        }
        for d in 1..self._gated {
            self.weight_skew.diagonal_valid[d - 1].next =
                self.row_control.diagonal_valid[d - 1].val();
        }
        for i in 0..self._rows {
            self.activation_skew.lane[i].next = self.activation[i].val();
        }
        for c in self._columns..(self._columns + 1) {
            for i in 0..self._rows {
                self.pe[i * c].activation_in.next = self.activation_skew.skewed[i].val();
                self.pe[i * c].load_in.next = self.row_control.row_load[i].val();
                for j in 0..self._columns {
                    self.pe[i * c + j].clock.next = self.clock.val();
                    self.pe[i * c + j].swap_in.next = self.row_control.diagonal_swap[i + j].val();
                    self.pe[i * c + j].valid_in.next = self.row_control.diagonal_valid[i + j].val();
                }
                for j in 1..self._columns {
                    self.pe[i * c + j].activation_in.next =
                        self.pe[i * c + j - 1].activation_out.val();
                    self.pe[i * c + j].load_in.next = self.pe[i * c + j - 1].load_out.val();
                }
            }
            for j in 0..self._columns {
                self.pe[j].sum_in.next = 0.into();
                for k in 0..self._ways {
                    self.pe[j].bus_in[k].next = self.weight_skew.bus[k * c + j].val();
                }
                for g in 0..self._gates {
                    self.pe[j].gate_in[g].next = self.weight_skew.gate[j].val();
                }
                for i in 1..self._rows {
                    self.pe[i * c + j].sum_in.next = self.pe[i * c + j - c].sum_out.val();
                    for k in 0..self._ways {
                        self.pe[i * c + j].bus_in[k].next = self.pe[i * c + j - c].bus_out[k].val();
                    }
                    for g in 0..self._gates {
                        self.pe[i * c + j].gate_in[g].next =
                            self.pe[i * c + j - c].gate_out[g].val();
                    }
                }
            }
            for i in (self._rows - 1)..self._rows {
                for j in 0..self._columns {
                    self.partial_sum[j].next = self.pe[i * c + j].sum_out.val();
                }
            }
        }
    }
}
