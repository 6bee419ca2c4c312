//! Images side by side.

use super::error::check_size;
use super::{Counters, Driver, DriverError, ImageRun, PATIENCE, SURPLUS_CLOCKS};
use crate::beats;
use crate::link::LaneLink;
use brownout_spec::quantity::Pass;
use brownout_spec::registers::{self as map, LoadTarget, Register};

impl<L: LaneLink> Driver<L> {
    /// How many images run side by side.
    pub fn lanes(&self) -> usize {
        self.link.lanes()
    }

    /// The number of the next pass: lane k has `first` + k.
    ///
    /// # Errors
    /// When the wire fails, or passes are not apart in this accelerator.
    pub fn set_passes(&mut self, first: Pass) -> Result<(), DriverError> {
        let passes = (0..self.lanes() as u32).map(|lane| first.0.wrapping_add(lane));
        let passes: Vec<u32> = passes.collect();
        Ok(self.link.write_register_each(map::PASS, &passes)?)
    }

    /// Runs images side by side, one a lane, as [`Driver::run_image`] does with one. Lanes that are
    /// left over run the last image, and nothing is said about them.
    ///
    /// # Errors
    /// As [`Driver::run_image`], and when lanes come apart.
    ///
    /// # Panics
    /// If there are more images than lanes, or none.
    pub fn run_images(&mut self, images: &[&[i8]]) -> Result<Vec<ImageRun>, DriverError> {
        let lanes = self.lanes();
        assert!(
            (1..=lanes).contains(&images.len()),
            "images for {lanes} lanes"
        );
        let program = self.program()?;
        let (input, expected) = (program.input, program.results());
        let predicted = self.predicted()?;
        let mut data = Vec::with_capacity(lanes);
        for image in images {
            check_size("the image", "values", image.len(), input.volume())?;
            data.push(beats::activations(&self.configuration, input, image));
        }
        data.resize(lanes, data[images.len() - 1].clone());
        self.link
            .write_register(map::LOAD_TARGET, LoadTarget::Activations as u32)?;
        self.link.send_each(&data)?;
        self.link.write_register(map::CONTROL, map::CONTROL_START)?;
        let clocks = PATIENCE * predicted;
        let results = self.link.receive_each(expected, clocks)?;
        let found = results[0].len();
        if found < expected || !self.ends_within(clocks)? {
            return Err(DriverError::Unfinished {
                found,
                expected,
                clocks,
                predicted,
            });
        }
        if !self.link.receive_each(1, SURPLUS_CLOCKS)?[0].is_empty() {
            return Err(DriverError::Surplus { expected });
        }
        let counters = self.counters_each()?;
        let runs = results.into_iter().zip(counters).take(images.len());
        Ok(runs
            .map(|(results, counters)| ImageRun {
                logits: results.into_iter().map(|word| word as i32).collect(),
                counters,
            })
            .collect())
    }

    /// The counters of the last pass, lane by lane.
    ///
    /// # Errors
    /// When the wire fails.
    pub fn counters_each(&mut self) -> Result<Vec<Counters>, DriverError> {
        let [cycles, busy, words, corrected, detected, disturbed, flipped] = [
            [map::CYCLES_LOW, map::CYCLES_HIGH],
            [map::BUSY_LOW, map::BUSY_HIGH],
            [map::WORDS_READ_LOW, map::WORDS_READ_HIGH],
            [map::CORRECTED_LOW, map::CORRECTED_HIGH],
            [map::DETECTED_LOW, map::DETECTED_HIGH],
            [map::DISTURBED_LOW, map::DISTURBED_HIGH],
            [map::FLIPPED_LOW, map::FLIPPED_HIGH],
        ]
        .map(|[low, high]| self.counter_each(low, high));
        let (cycles, busy, words) = (cycles?, busy?, words?);
        let (corrected, detected) = (corrected?, detected?);
        let (disturbed, flipped) = (disturbed?, flipped?);
        let last = self.link.read_register_each(map::LAST_DETECTED)?;
        let lanes = 0..self.lanes();
        Ok(lanes
            .map(|lane| Counters {
                cycles: cycles[lane],
                busy: busy[lane],
                words_read: words[lane],
                corrected: corrected[lane],
                detected: detected[lane],
                last_detected: last[lane].into(),
                disturbed: disturbed[lane],
                flipped: flipped[lane],
            })
            .collect())
    }

    /// Reading the low half latches the high half.
    fn counter_each(&mut self, low: Register, high: Register) -> Result<Vec<u64>, DriverError> {
        let low = self.link.read_register_each(low)?;
        let high = self.link.read_register_each(high)?;
        let halves = high.into_iter().zip(low);
        Ok(halves
            .map(|(h, l)| u64::from(h) << 32 | u64::from(l))
            .collect())
    }
}
