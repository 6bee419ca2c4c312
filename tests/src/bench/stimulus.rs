//! A session with an accelerator, recorded as what the driver does with the wire.
//!
//! [`Recorder`] is a wire that notes what the driver asks of it and every word that
//! the driver reads. The C++ harness plays the record to the same model and must
//! read the same words, in as many clocks.

use super::report::BenchError;
use brownout_sim::link::{Link, LinkError, ModelLink};
use brownout_spec::registers::Register;
use std::fs;
use std::path::Path;

/// What the harness does next, with the words that follow.
#[derive(Clone, Copy)]
enum Operation {
    /// Resets the accelerator.
    Reset = 0,
    /// Writes a register: address, value.
    Write = 1,
    /// Reads a register: address.
    Read = 2,
    /// Sends beats: their number, the beats.
    Send = 3,
    /// Takes results: how many, and within how many clocks.
    Receive = 4,
    /// Lets clocks pass: how many.
    Wait = 5,
    /// From here on, time is measured.
    Start = 6,
}

/// A recorded session.
#[derive(Clone, Debug, Default)]
pub struct Stimulus {
    words: Vec<u32>,
    /// Hash of all words read.
    pub checksum: u64,
    /// Clocks from the start of the time on.
    pub clocks: u64,
}

impl Stimulus {
    fn note(&mut self, operation: Operation, words: &[u32]) {
        self.words.push(operation as u32);
        self.words.extend(words);
    }

    fn fold(&mut self, word: u32) {
        // FNV-1a with words in place of bytes, as in the harness.
        self.checksum = (self.checksum ^ u64::from(word)).wrapping_mul(0x0000_0100_0000_01b3);
    }

    /// Writes the record for the harness: 32-bit words, little-endian.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), BenchError> {
        let words = self.words.iter();
        let bytes: Vec<u8> = words.flat_map(|word| word.to_le_bytes()).collect();
        fs::write(path, bytes).map_err(BenchError::file(path))
    }
}

/// A wire that records.
pub struct Recorder {
    link: ModelLink,
    stimulus: Stimulus,
    started: u64,
}

impl Recorder {
    /// Takes over a wire that was just made, and notes the reset it has done.
    pub fn new(link: ModelLink) -> Self {
        let mut stimulus = Stimulus::default();
        stimulus.note(Operation::Reset, &[]);
        Self {
            link,
            stimulus,
            started: 0,
        }
    }

    /// Notes that time is measured from here on.
    pub fn start(&mut self) {
        self.stimulus.note(Operation::Start, &[]);
        self.started = self.link.clocks();
    }

    /// The record.
    pub fn finish(&self) -> Stimulus {
        Stimulus {
            clocks: self.link.clocks() - self.started,
            ..self.stimulus.clone()
        }
    }
}

impl Link for Recorder {
    fn write_register(&mut self, register: Register, value: u32) -> Result<(), LinkError> {
        let address = register.address.into();
        self.stimulus.note(Operation::Write, &[address, value]);
        self.link.write_register(register, value)
    }

    fn read_register(&mut self, register: Register) -> Result<u32, LinkError> {
        self.stimulus
            .note(Operation::Read, &[register.address.into()]);
        let value = self.link.read_register(register)?;
        self.stimulus.fold(value);
        Ok(value)
    }

    fn send(&mut self, beats: &[u32]) -> Result<(), LinkError> {
        self.stimulus.note(Operation::Send, &[beats.len() as u32]);
        self.stimulus.words.extend(beats);
        self.link.send(beats)
    }

    fn receive(&mut self, count: usize, clocks: u64) -> Result<Vec<u32>, LinkError> {
        // The driver's patience is some passes long and fits.
        self.stimulus
            .note(Operation::Receive, &[count as u32, clocks as u32]);
        let results = self.link.receive(count, clocks)?;
        for &result in &results {
            self.stimulus.fold(result);
        }
        Ok(results)
    }

    fn wait(&mut self, clocks: u64) -> Result<(), LinkError> {
        self.stimulus.note(Operation::Wait, &[clocks as u32]);
        self.link.wait(clocks)
    }
}
