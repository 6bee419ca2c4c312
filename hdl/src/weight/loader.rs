//! When words go to the array, and which rows and columns they belong to.

use crate::comment;
use crate::fixed::Fixed;
use brownout_spec::config::Configuration;
use rust_hdl::prelude::*;

/// Pops the words of one tile after each `load_start` and tells where they belong.
///
/// Word k of a tile holds the weights of row `k / groups` and of column group
/// `k % groups`, or, where rows are shorter than a word, of the k-th group of rows.
#[derive(LogicBlock, Default)]
pub struct TileLoader {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Synchronous reset.
    pub reset: Signal<In, Bit>,
    /// Begins a pass; the first tile is then loaded without a `load_start`.
    pub start: Signal<In, Bit>,
    /// Loads the next tile, from this cycle on; only where `load_ready` was set.
    pub load_start: Signal<In, Bit>,
    /// The FIFO has a word.
    pub available: Signal<In, Bit>,
    /// It will have one in the next clock.
    pub available_next: Signal<In, Bit>,
    /// The pass has no more words: behind its last tile there is nothing to wait for.
    pub exhausted: Signal<In, Bit>,
    /// It will have none from the next clock on.
    pub exhausted_next: Signal<In, Bit>,
    /// Takes it.
    pub pop: Signal<Out, Bit>,
    /// The last word of the tile leaves the FIFO in this cycle or has left it. A register, so
    /// that the end of a tile does not wait for the FIFO's counters; it does not know of a
    /// `load_start` in the same cycle, in which no tile ends.
    pub load_ready: Signal<Out, Bit>,
    /// The word popped one cycle earlier is at the array's port.
    pub weight_valid: Signal<Out, Bit>,
    /// Its first row, in units of the rows of a word.
    pub weight_row: Signal<Out, Bits<6>>,
    /// Its group of columns.
    pub weight_group: Signal<Out, Bits<4>>,
    loading: DFF<Bit>,
    row: DFF<Bits<6>>,
    group: DFF<Bits<4>>,
    valid: DFF<Bit>,
    popped_row: DFF<Bits<6>>,
    popped_group: DFF<Bits<4>>,
    at_last_word: DFF<Bit>,
    ready: DFF<Bit>,
    loading_next: Signal<Local, Bit>,
    at_last_word_next: Signal<Local, Bit>,
    active: Signal<Local, Bit>,
    end_of_row: Signal<Local, Bit>,
    end_of_tile: Signal<Local, Bit>,
    last_group: Fixed<Bits<4>>,
    grouped: Fixed<Bit>,
    single: Fixed<Bit>,
    next_to_last_row: Fixed<Bits<6>>,
    next_to_last_group: Fixed<Bits<4>>,
}

impl TileLoader {
    /// The loader for the tiles of a configuration.
    pub fn new(configuration: &Configuration) -> Self {
        let groups = (configuration.columns / configuration.weights_per_word()).max(1);
        let rows = configuration.words_per_tile() / groups;
        let next_to_last = (rows * groups).saturating_sub(2);
        Self {
            last_group: Fixed::new(groups - 1),
            grouped: Fixed::flag(groups > 1),
            single: Fixed::flag(rows * groups == 1),
            next_to_last_row: Fixed::new(next_to_last / groups),
            next_to_last_group: Fixed::new(next_to_last % groups),
            ..Self::default()
        }
    }
}

impl Logic for TileLoader {
    #[hdl_gen]
    fn update(&mut self) {
        comment!(
            "module tile_loader: Pops the words of a tile and says which rows and columns they hold."
        );
        comment!(
            "Stands behind the FIFO, whose word is at the array's port one clock after `pop`."
        );
        comment!("ports start: the pass begins; its first tile is loaded without a `load_start`");
        comment!("ports load_start: sequencer");
        comment!("ports available: FIFO");
        comment!("ports exhausted: every word of the pass has left the FIFO");
        comment!("ports pop: FIFO");
        comment!("ports load_ready: the tile's last word leaves the FIFO now or has left it");
        comment!("ports weight_valid: array: the word popped one clock earlier");
        dff_setup!(
            self,
            clock,
            loading,
            row,
            group,
            valid,
            popped_row,
            popped_group,
            at_last_word,
            ready
        );
        self.active.next = (self.loading.q.val() || self.load_start.val()) && !self.exhausted.val();
        self.pop.next = self.active.val() && self.available.val() && !self.start.val();
        if self.grouped.val() {
            self.end_of_row.next = self.group.q.val() == self.last_group.val();
        } else {
            self.end_of_row.next = true;
        }
        self.end_of_tile.next = self.pop.val() && self.at_last_word.q.val();
        self.loading_next.next = self.active.val() && !self.end_of_tile.val();
        self.at_last_word_next.next = self.at_last_word.q.val();
        if self.pop.val() {
            if self.end_of_row.val() {
                self.group.d.next = 0.into();
                self.row.d.next = self.row.q.val() + 1;
            } else {
                self.group.d.next = self.group.q.val() + 1;
            }
        }
        if self.pop.val() && !self.single.val() {
            self.at_last_word_next.next = !self.at_last_word.q.val()
                && (self.row.q.val() == self.next_to_last_row.val())
                && (self.group.q.val() == self.next_to_last_group.val());
        }
        if self.end_of_tile.val() {
            self.row.d.next = 0.into();
        }
        self.valid.d.next = self.pop.val();
        self.popped_row.d.next = self.row.q.val();
        self.weight_valid.next = self.valid.q.val();
        self.weight_row.next = self.popped_row.q.val();
        if self.grouped.val() {
            self.popped_group.d.next = self.group.q.val();
            self.weight_group.next = self.popped_group.q.val();
        } else {
            self.weight_group.next = 0.into();
        }
        if self.start.val() {
            self.loading_next.next = true;
            self.row.d.next = 0.into();
            self.group.d.next = 0.into();
            self.at_last_word_next.next = self.single.val();
        }
        comment!("whether the tile's last word leaves in the next clock, or will have left");
        self.ready.d.next = !self.loading_next.val()
            || self.exhausted_next.val()
            || (self.at_last_word_next.val() && self.available_next.val());
        self.loading.d.next = self.loading_next.val();
        self.at_last_word.d.next = self.at_last_word_next.val();
        self.load_ready.next = self.ready.q.val();
        if self.reset.val() {
            self.loading.d.next = false;
            self.valid.d.next = false;
        }
    }
}
