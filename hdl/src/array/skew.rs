//! Delay lines of growing length, which turn a row of simultaneous values into a diagonal.

use crate::comment;
use rust_hdl::prelude::*;

/// Delays lane `j` by `j` clock cycles, of those in which it is enabled.
///
/// Fed with the lanes in opposite order it undoes a skew: what arrived one cycle
/// later in each lane leaves in one cycle.
#[derive(LogicBlock)]
pub struct Skew<const W: usize> {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Something is on its way; otherwise all registers rest.
    pub enable: Signal<In, Bit>,
    /// Simultaneous values.
    pub lane: Vec<Signal<In, Bits<W>>>,
    /// Lane `j` as it was `j` cycles ago; lane 0 passes through.
    pub skewed: Vec<Signal<Out, Bits<W>>>,
    stage: Vec<DFF<Bits<W>>>,
    _lanes: usize,
    _stages: usize,
}

impl<const W: usize> Skew<W> {
    /// A skew of `lanes` lanes, at least two.
    pub fn new(lanes: usize) -> Self {
        assert!(lanes >= 2, "a skew needs at least two lanes");
        let stages = lanes * (lanes - 1) / 2;
        Self {
            clock: Default::default(),
            enable: Default::default(),
            lane: (0..lanes).map(|_| Default::default()).collect(),
            skewed: (0..lanes).map(|_| Default::default()).collect(),
            stage: (0..stages).map(|_| Default::default()).collect(),
            _lanes: lanes,
            _stages: stages,
        }
    }
}

impl<const W: usize> Logic for Skew<W> {
    // The delay lines lie end to end in `stage`: lane j owns the j registers from
    // j(j-1)/2. All are first chained, then the head of each line takes its lane.
    #[hdl_gen]
    fn update(&mut self) {
        comment!("module skew: Delays lane j by j clocks.");
        comment!("ports enable: the lanes move");
        comment!("ports lane: lanes of one clock");
        comment!("ports skewed: one diagonal");
        for q in 0..self._stages {
            self.stage[q].clock.next = self.clock.val();
            self.stage[q].d.next = self.stage[q].q.val();
        }
        if self.enable.val() {
            for q in 1..self._stages {
                self.stage[q].d.next = self.stage[q - 1].q.val();
            }
            for j in 1..self._lanes {
                self.stage[j * (j - 1) / 2].d.next = self.lane[j].val();
            }
        }
        self.skewed[0].next = self.lane[0].val();
        for j in 1..self._lanes {
            self.skewed[j].next = self.stage[j * (j + 1) / 2 - 1].q.val();
        }
    }
}
