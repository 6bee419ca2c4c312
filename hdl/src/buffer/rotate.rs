//! One stage of a rotation of lanes.

use crate::comment;
use rust_hdl::prelude::*;

/// Moves lanes up by a power of two, the highest ones to the bottom, or leaves them.
///
/// Stages of 1, 2, 4, ... lanes make any rotation out of two-to-one choices.
#[derive(LogicBlock)]
pub struct RotationStage {
    /// Whether to move.
    pub moves: Signal<In, Bit>,
    /// Values: whether a lane has one, and an activation.
    pub lane: Vec<Signal<In, Bits<9>>>,
    /// The same values, moved.
    pub rotated: Vec<Signal<Out, Bits<9>>>,
    _lanes: usize,
    _distance: usize,
}

impl RotationStage {
    /// A stage of so many lanes, by a distance below it.
    pub fn new(lanes: usize, distance: usize) -> Self {
        Self {
            moves: Default::default(),
            lane: (0..lanes).map(|_| Default::default()).collect(),
            rotated: (0..lanes).map(|_| Default::default()).collect(),
            _lanes: lanes,
            _distance: distance,
        }
    }
}

impl Logic for RotationStage {
    #[hdl_gen]
    fn update(&mut self) {
        comment!("module rotation_stage: One stage of a rotation of lanes.");
        comment!("ports moves: whether to move by this stage's distance");
        comment!("ports lane: values before and after");
        for n in self._lanes..(self._lanes + 1) {
            for d in self._distance..(self._distance + 1) {
                for l in 0..self._lanes {
                    self.rotated[l].next = self.lane[l].val();
                    if self.moves.val() {
                        self.rotated[l].next = self.lane[(l + n - d) % n].val();
                    }
                }
            }
        }
    }
}
