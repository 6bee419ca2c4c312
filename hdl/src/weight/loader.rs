//! When words go to the array, and which rows and columns they belong to.

use crate::comment;
use crate::fixed::Fixed;
use brownout_spec::config::Configuration;
use brownout_spec::image::Grid;
use rust_hdl::prelude::*;

/// Pops the words of one tile after each `load_start`; [`BlockWalk`](super::BlockWalk) tells where they belong.
///
/// Word k of a full tile holds the weights of row `k / groups` and of column group
/// `k % groups`, or, where rows are shorter than a word, of the k-th group of rows. A word of a
/// diagonal holds one weight for each of several rows: it stays at the port while they are loaded.
#[derive(LogicBlock, Default)]
pub struct TileLoader {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Synchronous reset.
    pub reset: Signal<In, Bit>,
    /// Begins a pass; the first tile is then loaded without a `load_start`, and is said by the
    /// other ports.
    pub start: Signal<In, Bit>,
    /// Loads the next tile, from this cycle on; only where `load_ready` was set.
    pub load_start: Signal<In, Bit>,
    /// With `load_start`: it begins with the first input channels of a tap.
    pub load_restart: Signal<In, Bit>,
    /// With that: words lie on diagonals.
    pub load_diagonal: Signal<In, Bit>,
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
    /// The last word of the tile leaves the FIFO in this cycle or has left it, and what is loaded
    /// of it. A register, so that the end of a tile does not wait for the FIFO's counters; it does
    /// not know of a `load_start` in the same cycle, in which no tile ends.
    pub load_ready: Signal<Out, Bit>,
    /// A tile is opened: what belongs to it is presented from the next clock on.
    pub opens: Signal<Out, Bit>,
    /// It begins with the first input channels of a tap.
    pub reopens: Signal<Out, Bit>,
    /// The words popped one cycle earlier lie on diagonals.
    pub diagonal_late: Signal<Out, Bit>,
    /// The word popped one cycle earlier, or one before, is at the FIFO's port.
    pub weight_valid: Signal<Out, Bit>,
    loading: DFF<Bit>,
    diagonal: DFF<Bit>,
    left: DFF<Bits<10>>,
    at_last: DFF<Bit>,
    used: DFF<Bits<5>>,
    needs_word: DFF<Bit>,
    valid: DFF<Bit>,
    ready: DFF<Bit>,
    active: Signal<Local, Bit>,
    present: Signal<Local, Bit>,
    loading_next: Signal<Local, Bit>,
    diagonal_now: Signal<Local, Bit>,
    left_now: Signal<Local, Bits<10>>,
    at_last_now: Signal<Local, Bit>,
    at_last_next: Signal<Local, Bit>,
    used_now: Signal<Local, Bits<5>>,
    needs_word_now: Signal<Local, Bit>,
    needs_word_next: Signal<Local, Bit>,
    last_of_tile: Fixed<Bits<10>>,
    single: Fixed<Bit>,
    last_of_diagonal: Fixed<Bits<10>>,
    single_diagonal: Fixed<Bit>,
    last_use: Fixed<Bits<5>>,
}

impl TileLoader {
    /// The loader for the tiles of a configuration.
    pub fn new(configuration: &Configuration) -> Self {
        let grid = Grid::of(configuration);
        let (tile, diagonal) = (grid.clocks_per_tile(), grid.clocks_per_diagonal());
        let rows_per_word = configuration.rows_per_word();
        let uses = grid.per_word.min(grid.columns) / rows_per_word;
        Self {
            last_of_tile: Fixed::new(tile - 1),
            single: Fixed::flag(tile == 1),
            last_of_diagonal: Fixed::new(diagonal - 1),
            single_diagonal: Fixed::flag(diagonal == 1),
            last_use: Fixed::new(uses - 1),
            ..Self::default()
        }
    }
}

impl Logic for TileLoader {
    #[hdl_gen]
    fn update(&mut self) {
        comment!("module tile_loader: Pops the words of a tile when they are loaded.");
        comment!(
            "Stands behind the FIFO, whose word is at its port from one clock after `pop` on."
        );
        comment!("ports start: the pass begins; its first tile is loaded without a `load_start`");
        comment!("ports load_start: sequencer");
        comment!("ports available: FIFO");
        comment!("ports exhausted: every word of the pass has left the FIFO");
        comment!("ports pop: FIFO");
        comment!("ports load_ready: the tile's last word leaves the FIFO now or has left it");
        comment!("ports opens: what is loaded next, from the next clock on");
        comment!(
            "ports diagonal_late: whether the word lies on a diagonal, a clock after its `pop`"
        );
        comment!("ports weight_valid: a word is at the FIFO's port");
        comment!("table last_of_tile: loads of a tile, and those that a word of a diagonal serves");
        dff_setup!(
            self, clock, loading, diagonal, left, at_last, used, needs_word, valid, ready
        );
        self.opens.next = self.start.val() || self.load_start.val();
        self.reopens.next = self.start.val() || (self.load_start.val() && self.load_restart.val());

        comment!("where the tile is, which may be opened in this clock");
        self.diagonal_now.next = self.diagonal.q.val();
        self.used_now.next = self.used.q.val();
        self.needs_word_now.next = self.needs_word.q.val();
        if self.reopens.val() {
            self.diagonal_now.next = self.load_diagonal.val();
            self.used_now.next = 0.into();
            self.needs_word_now.next = true;
        }
        self.left_now.next = self.left.q.val();
        self.at_last_now.next = self.at_last.q.val();
        if self.opens.val() {
            self.left_now.next = self.last_of_tile.val();
            self.at_last_now.next = self.single.val();
            if self.diagonal_now.val() {
                self.left_now.next = self.last_of_diagonal.val();
                self.at_last_now.next = self.single_diagonal.val();
            }
        }
        self.diagonal.d.next = self.diagonal_now.val();
        self.diagonal_late.next = self.diagonal.q.val();

        self.active.next = (self.loading.q.val() || self.opens.val())
            && !(self.needs_word_now.val() && self.exhausted.val());
        self.present.next = self.active.val()
            && (self.available.val() || !self.needs_word_now.val())
            && !self.start.val();
        self.pop.next = self.present.val() && self.needs_word_now.val();

        self.left.d.next = self.left_now.val();
        self.at_last_next.next = self.at_last_now.val();
        self.used.d.next = self.used_now.val();
        self.needs_word_next.next = self.needs_word_now.val();
        if self.present.val() {
            self.left.d.next = self.left_now.val() - 1;
            self.at_last_next.next = self.left_now.val() == 1;
            self.needs_word_next.next = true;
            self.used.d.next = 0.into();
            if self.diagonal_now.val() && (self.used_now.val() != self.last_use.val()) {
                self.needs_word_next.next = false;
                self.used.d.next = self.used_now.val() + 1;
            }
        }
        self.at_last.d.next = self.at_last_next.val();
        self.needs_word.d.next = self.needs_word_next.val();
        self.loading_next.next =
            self.active.val() && !(self.present.val() && self.at_last_now.val());
        if self.start.val() {
            self.loading_next.next = true;
        }
        self.valid.d.next = self.present.val();
        self.weight_valid.next = self.valid.q.val();

        comment!("whether the tile's last word leaves in the next clock, or will have left");
        self.ready.d.next = !self.loading_next.val()
            || (self.needs_word_next.val() && self.exhausted_next.val())
            || (self.at_last_next.val()
                && (self.available_next.val() || !self.needs_word_next.val()));
        self.loading.d.next = self.loading_next.val();
        self.load_ready.next = self.ready.q.val();
        if self.reset.val() {
            self.loading.d.next = false;
            self.valid.d.next = false;
        }
    }
}
