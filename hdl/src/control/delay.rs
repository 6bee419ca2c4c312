//! A shift register: control that must arrive together with its data.

use crate::comment;
use rust_hdl::prelude::*;

/// Delays a value by a number of clock cycles fixed at generation.
#[derive(LogicBlock)]
pub struct Delay<T: Synth> {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Value to delay.
    pub value: Signal<In, T>,
    /// The value of `stages` cycles ago.
    pub delayed: Signal<Out, T>,
    stage: Vec<DFF<T>>,
    _stages: usize,
}

impl<T: Synth> Delay<T> {
    /// A delay of `stages` cycles, at least one.
    pub fn new(stages: usize) -> Self {
        assert!(stages >= 1, "a delay needs at least one stage");
        Self {
            clock: Default::default(),
            value: Default::default(),
            delayed: Default::default(),
            stage: (0..stages).map(|_| Default::default()).collect(),
            _stages: stages,
        }
    }
}

impl<T: Synth> Logic for Delay<T> {
    #[hdl_gen]
    fn update(&mut self) {
        comment!("module delay_{stage}x{value:bits}: Gives a value back {stage} clocks later.");
        comment!("ports value: value");
        for i in 0..self._stages {
            self.stage[i].clock.next = self.clock.val();
        }
        self.stage[0].d.next = self.value.val();
        for i in 1..self._stages {
            self.stage[i].d.next = self.stage[i - 1].q.val();
        }
        for i in (self._stages - 1)..self._stages {
            self.delayed.next = self.stage[i].q.val();
        }
    }
}

/// Delays a strobe; a reset clears those on their way, so that none from before it arrives.
#[derive(LogicBlock)]
pub struct StrobeDelay {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Synchronous reset.
    pub reset: Signal<In, Bit>,
    /// Strobe to delay.
    pub value: Signal<In, Bit>,
    /// The strobe of `stages` cycles ago.
    pub delayed: Signal<Out, Bit>,
    stage: Vec<DFF<Bit>>,
    _stages: usize,
}

impl StrobeDelay {
    /// A delay of `stages` cycles, at least one.
    pub fn new(stages: usize) -> Self {
        assert!(stages >= 1, "a delay needs at least one stage");
        Self {
            clock: Default::default(),
            reset: Default::default(),
            value: Default::default(),
            delayed: Default::default(),
            stage: (0..stages).map(|_| Default::default()).collect(),
            _stages: stages,
        }
    }
}

impl Logic for StrobeDelay {
    #[hdl_gen]
    fn update(&mut self) {
        comment!(
            "module strobe_delay: Gives a strobe back {stage} clocks later; a reset clears those on their way."
        );
        for i in 0..self._stages {
            self.stage[i].clock.next = self.clock.val();
        }
        self.stage[0].d.next = self.value.val();
        for i in 1..self._stages {
            self.stage[i].d.next = self.stage[i - 1].q.val();
        }
        if self.reset.val() {
            for i in 0..self._stages {
                self.stage[i].d.next = false;
            }
        }
        for i in (self._stages - 1)..self._stages {
            self.delayed.next = self.stage[i].q.val();
        }
    }
}
