//! The layer in which an image first differs, run again with a waveform of its clocks.

use super::CampaignError;
use super::work::Work;
use crate::compare::{Mismatch, Place};
use crate::driver::DriverError;
use crate::link::Link;
use crate::model::ModelError;
use crate::waveform::{Contents, Group, MissingPart, groups};
use brownout_spec::cycles::{START_LATENCY, clocks_after_write, step_clocks};
use brownout_spec::program::Step;
use std::fmt;
use std::ops::Range;
use std::path::Path;

/// Most bytes of a layer's waveform.
pub const MOST_BYTES: u64 = 50_000_000;
/// Clocks behind the one in which the first wrong value is written.
const BEHIND: u64 = 16;
/// Attempts to have that one in a file that has no room for the whole layer.
const ATTEMPTS: usize = 3;

/// A waveform of a layer, or of the whole pass where only a counter differs.
#[derive(Clone, Debug)]
pub struct LayerWaveform {
    /// The first value that differs; none where only a counter does.
    pub place: Option<Place>,
    /// Clocks of the layer, counted from the pass's first.
    pub clocks: Range<u64>,
    /// Those of them that the waveform holds.
    pub held: Range<u64>,
    /// The clock of the pass behind whose edge the first wrong value stands where it is written, in
    /// hardware that keeps the formula of cycles; the first one where only a counter differs.
    pub written: u64,
    /// Bytes that the file may have.
    pub most: u64,
    /// The pass's first clock, counted as the waveform does.
    pub begin: u64,
    /// What is in the file.
    pub contents: Contents,
    /// The column that computed the value.
    pub column: usize,
}

impl LayerWaveform {
    /// Signals to look at, in groups.
    ///
    /// # Errors
    /// When the simulated design is no accelerator.
    pub fn groups(&self) -> Result<Vec<Group>, MissingPart> {
        groups(&self.contents, self.column)
    }

    /// The clock to look at, counted as the waveform does.
    pub fn marked(&self) -> u64 {
        let last = self.held.end.saturating_sub(1).max(self.held.start);
        self.begin + self.written.clamp(self.held.start, last)
    }
}

impl fmt::Display for LayerWaveform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let last = |clocks: &Range<u64>| clocks.end.saturating_sub(1);
        let (held, clocks) = (&self.held, &self.clocks);
        let what = match &self.place {
            Some(place) => format!("layer {} ({})", place.layer, place.name),
            None => "a pass of which only a counter differs".to_owned(),
        };
        if held.is_empty() {
            let most = self.most;
            return write!(
                f,
                "no clock of {what}, which does not fit into {most} bytes"
            );
        }
        write!(f, "clocks {} to {} of the pass, ", held.start, last(held))?;
        if held == clocks {
            return write!(f, "all of {what}");
        }
        let [first, last] = [clocks.start, last(clocks)];
        let most = self.most / 1_000_000;
        write!(
            f,
            "of {what}, which takes clocks {first} to {last} and more than {most} MB"
        )
    }
}

impl Work<'_> {
    /// Runs the image of a mismatch alone, and again with a waveform of at most `most` bytes of the
    /// layer in which it first differs; none if it does not differ alone.
    ///
    /// Where the layer has no room, the waveform ends behind the first wrong value.
    pub(super) fn replay(
        &self,
        mismatch: &Mismatch,
        path: &Path,
        most: u64,
    ) -> Result<Option<LayerWaveform>, CampaignError> {
        let index = mismatch.image - self.campaign.first_image;
        let mut driver = self.driver(self.traceable()?, 0)?;
        let (_, found) = self.run_image(index, &mut driver, &mut None)?;
        let Some(found) = found else { return Ok(None) };
        let (clocks, written) = self.clocks_of(found.place.as_ref());
        let columns = self.campaign.hardware.configuration().columns;
        let mut waveform = LayerWaveform {
            column: found.place.as_ref().map_or(0, |p| p.channel % columns),
            place: found.place,
            held: clocks.clone(),
            clocks,
            written,
            most,
            begin: 0,
            contents: Contents::default(),
        };
        self.trace_from(waveform.clocks.start, index, &mut waveform, path)?;
        // Not all clocks are alike, so one attempt more may not be enough.
        for _ in 0..ATTEMPTS {
            if waveform.held.end > written {
                break;
            }
            let room = waveform.held.end - waveform.held.start;
            let behind = BEHIND.min(room / 4);
            let from = (written + behind).saturating_sub(room - room / 10);
            let from = from.max(waveform.clocks.start);
            self.trace_from(from, index, &mut waveform, path)?;
        }
        Ok(Some(waveform))
    }

    /// The clocks of the layer of a place, and when the value there is written.
    fn clocks_of(&self, place: Option<&Place>) -> (Range<u64>, u64) {
        let configuration = self.campaign.hardware.configuration();
        let program = self.campaign.program;
        let all = step_clocks(configuration, program);
        let end = all.last().map_or(0, |clocks| clocks.end);
        let Some(place) = place else {
            return (0..end, 0);
        };
        let of_layer = |step: &Step| step.layer() == Some(place.layer);
        let Some(number) = program.steps.iter().rposition(of_layer) else {
            // A concat is written by the layers that it joins, of which this is the last.
            let clocks = all[program.outputs[place.layer].step].clone();
            return (clocks.clone(), clocks.end - 1);
        };
        let (step, clocks) = (&program.steps[number], all[number].clone());
        let pixel = place.y * step.shapes.output.width + place.x;
        let after = clocks_after_write(configuration, step, pixel, place.channel);
        let written = (clocks.end - 1).saturating_sub(after).max(clocks.start);
        (clocks, written)
    }

    /// Writes the waveform of the layer's clocks from one of them on.
    fn trace_from(
        &self,
        from: u64,
        index: usize,
        waveform: &mut LayerWaveform,
        path: &Path,
    ) -> Result<(), CampaignError> {
        let mut driver = self.driver(self.traceable()?, 0)?;
        self.begin_image(index, &mut driver)?;
        let link = driver.link_mut();
        waveform.begin = link.clocks() + START_LATENCY;
        link.wait(START_LATENCY + from).map_err(DriverError::from)?;
        link.trace_clocks(path, waveform.clocks.end - from, waveform.most)?;
        let read = Contents::read(path).map_err(|source| ModelError::Trace {
            path: path.to_path_buf(),
            source,
        })?;
        waveform.held = match read.clocks.is_empty() {
            true => from..from,
            false => read.clocks.start - waveform.begin..read.clocks.end - waveform.begin,
        };
        waveform.contents = read;
        Ok(())
    }
}
