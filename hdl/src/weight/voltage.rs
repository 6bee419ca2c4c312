//! From millivolts to the fault threshold.

use crate::comment;
use crate::fixed::Fixed;
use brownout_spec::voltage::Rom;
use rust_hdl::prelude::*;

/// One threshold per millivolt; a voltage outside takes the nearest. Two clocks.
#[derive(LogicBlock, Default)]
pub struct VoltageRom {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Supply voltage in millivolts.
    pub millivolts: Signal<In, Bits<16>>,
    /// Threshold of the voltage presented two cycles earlier.
    pub threshold: Signal<Out, Bits<32>>,
    nearest: DFF<Bits<16>>,
    threshold_register: DFF<Bits<32>>,
    lowest: Fixed<Bits<16>>,
    highest: Fixed<Bits<16>>,
    thresholds: Vec<Fixed<Bits<32>>>,
    _first: usize,
    _end: usize,
}

impl VoltageRom {
    /// The ROM of a voltage model.
    pub fn new(rom: &Rom) -> Self {
        let first = usize::from(rom.first.0);
        Self {
            lowest: Fixed::new(rom.first.0),
            highest: Fixed::new(rom.last().0),
            thresholds: rom.thresholds.iter().map(|t| Fixed::new(t.0)).collect(),
            _first: first,
            _end: first + rom.thresholds.len(),
            ..Self::default()
        }
    }
}

impl Logic for VoltageRom {
    #[hdl_gen]
    fn update(&mut self) {
        comment!("module voltage_rom: Fault threshold of a supply voltage, two clocks later.");
        comment!(
            "One entry per millivolt of the voltage model that the configuration names, unless it \
             is zero; a voltage outside takes the nearest. A cell is faulty if its 32-bit draw is \
             less than the threshold: behind each line stands the bit error rate of its first \
             entry, threshold / 2^32."
        );
        comment!("ports millivolts: supply voltage");
        comment!("ports threshold: what the fault pipeline compares with");
        dff_setup!(self, clock, nearest, threshold_register);
        self.nearest.d.next = self.millivolts.val();
        if self.millivolts.val() < self.lowest.val() {
            self.nearest.d.next = self.lowest.val();
        }
        if self.millivolts.val() > self.highest.val() {
            self.nearest.d.next = self.highest.val();
        }
        self.threshold_register.d.next = 0.into();
        for first in self._first..(self._first + 1) {
            for supply in self._first..self._end {
                if self.nearest.q.val().index() == supply {
                    comment!("{thresholds[supply-first]:rate}");
                    self.threshold_register.d.next = self.thresholds[supply - first].val();
                }
            }
        }
        self.threshold.next = self.threshold_register.q.val();
    }
}
