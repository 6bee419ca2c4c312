//! From millivolts to the fault threshold.

use crate::comment;
use brownout_spec::voltage::Rom;
use rust_hdl::prelude::*;

/// One threshold per millivolt; a voltage outside takes the nearest. Two clocks.
#[derive(LogicBlock)]
pub struct VoltageRom {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Supply voltage in millivolts.
    pub millivolts: Signal<In, Bits<16>>,
    /// Threshold of the voltage presented two cycles earlier.
    pub threshold: Signal<Out, Bits<32>>,
    entry: DFF<Bits<16>>,
    value: DFF<Bits<32>>,
    first: Constant<Bits<16>>,
    last: Constant<Bits<16>>,
    last_entry: Constant<Bits<16>>,
    thresholds: Vec<Constant<Bits<32>>>,
    _entries: usize,
}

impl VoltageRom {
    /// The ROM of a voltage model.
    pub fn new(rom: &Rom) -> Self {
        let entries = rom.thresholds.len();
        Self {
            clock: Default::default(),
            millivolts: Default::default(),
            threshold: Default::default(),
            entry: Default::default(),
            value: Default::default(),
            first: Constant::new(u64::from(rom.first.0).into()),
            last: Constant::new(u64::from(rom.last().0).into()),
            last_entry: Constant::new((entries as u64 - 1).into()),
            thresholds: rom
                .thresholds
                .iter()
                .map(|threshold| Constant::new(u64::from(threshold.0).into()))
                .collect(),
            _entries: entries,
        }
    }
}

impl Logic for VoltageRom {
    #[hdl_gen]
    fn update(&mut self) {
        comment!(
            "module voltage_rom: threshold of each millivolt, nearest entry outside the model"
        );
        dff_setup!(self, clock, entry, value);
        self.entry.d.next = self.millivolts.val() - self.first.val();
        if self.millivolts.val() < self.first.val() {
            self.entry.d.next = 0.into();
        }
        if self.millivolts.val() > self.last.val() {
            self.entry.d.next = self.last_entry.val();
        }
        self.value.d.next = 0.into();
        for i in 0..self._entries {
            if self.entry.q.val().index() == i {
                self.value.d.next = self.thresholds[i].val();
            }
        }
        self.threshold.next = self.value.q.val();
    }
}
