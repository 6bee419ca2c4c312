//! The wire between a host and an accelerator: registers and two streams.
//!
//! [`Driver`](crate::driver::Driver) speaks through the [`Link`] trait only, so
//! that the same driver can talk to a board. [`ModelLink`] is the wire of a
//! simulated accelerator; it moves the ports of the top module, one clock at a
//! time, and can let both streams stall at random.

use crate::model::{Model, ModelError, Port};
use brownout_spec::registers::Register;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::path::Path;
use thiserror::Error;

/// Clocks without an accepted beat, at no stalls, after which an input stream is stuck.
const SEND_PATIENCE: u64 = 1_000;

/// What a host can do with an accelerator.
pub trait Link {
    /// Writes a register.
    ///
    /// # Errors
    /// When the wire fails.
    fn write_register(&mut self, register: Register, value: u32) -> Result<(), LinkError>;

    /// Reads a register.
    ///
    /// # Errors
    /// When the wire fails.
    fn read_register(&mut self, register: Register) -> Result<u32, LinkError>;

    /// Sends all beats into the input stream.
    ///
    /// # Errors
    /// When the wire fails or the accelerator stops accepting beats.
    fn send(&mut self, beats: &[u32]) -> Result<(), LinkError>;

    /// Takes results from the result stream, until `count` have come or `clocks` have passed.
    ///
    /// # Errors
    /// When the wire fails; too few results are no error here.
    fn receive(&mut self, count: usize, clocks: u64) -> Result<Vec<u32>, LinkError>;

    /// Lets at least `clocks` clocks pass, with nothing taken from the result stream.
    ///
    /// # Errors
    /// When the wire fails.
    fn wait(&mut self, clocks: u64) -> Result<(), LinkError>;
}

/// What a host can do with accelerators side by side: each lane is one, with data of its own.
///
/// What [`Link`] does, it does in all of them; registers it reads in the first, results must be equal.
pub trait LaneLink: Link {
    /// How many there are.
    fn lanes(&self) -> usize;

    /// Writes a register, in each lane with a value of its own.
    ///
    /// # Errors
    /// When the wire fails or the register is one for all lanes.
    fn write_register_each(&mut self, register: Register, values: &[u32]) -> Result<(), LinkError>;

    /// Reads a register, lane by lane.
    ///
    /// # Errors
    /// When the wire fails.
    fn read_register_each(&mut self, register: Register) -> Result<Vec<u32>, LinkError>;

    /// Sends beats into the input streams, as many in each lane.
    ///
    /// # Errors
    /// As [`Link::send`].
    fn send_each(&mut self, beats: &[Vec<u32>]) -> Result<(), LinkError>;

    /// Takes results as [`Link::receive`], lane by lane.
    ///
    /// # Errors
    /// As [`Link::receive`].
    fn receive_each(&mut self, count: usize, clocks: u64) -> Result<Vec<Vec<u32>>, LinkError>;
}

/// Why a wire failed.
#[derive(Debug, Error)]
pub enum LinkError {
    /// The input stream is not ready any more.
    #[error(
        "the accelerator accepted {sent} of {beats} beats and then none for {clocks} clocks; \
         a pass may be running, which blocks the input stream"
    )]
    Stuck {
        /// Beats accepted.
        sent: usize,
        /// Beats to be sent.
        beats: usize,
        /// How long was waited for the next one.
        clocks: u64,
    },
    /// Lanes differ where one value stands for all.
    #[error("the lanes have come apart at `{0}`, which must be equal in all of them")]
    Apart(String),
    /// The simulated top module lacks a port, or is not traceable.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The operating system refused (links to boards).
    #[error("the link to the accelerator failed: {0}")]
    Io(#[from] std::io::Error),
}

/// How often the host holds up the streams: random back-pressure.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Stalls {
    /// Probability, per clock, that no beat is offered; below 1.
    pub input: f64,
    /// Probability, per clock, that no result is accepted; below 1.
    pub output: f64,
    /// Seed of the draws.
    pub seed: u64,
}

/// Draws whether a stream stalls in a clock.
#[derive(Debug)]
struct StallDraws {
    input: u32,
    output: u32,
    random: ChaCha8Rng,
}

impl StallDraws {
    fn new(stalls: Stalls) -> Self {
        // The cast saturates; a clamped probability leaves room for progress.
        let parts = |p: f64| (p.clamp(0.0, 0.999) * f64::from(u32::MAX)) as u32;
        Self {
            input: parts(stalls.input),
            output: parts(stalls.output),
            random: ChaCha8Rng::seed_from_u64(stalls.seed),
        }
    }

    fn input(&mut self) -> bool {
        self.input != 0 && self.random.next_u32() < self.input
    }

    fn output(&mut self) -> bool {
        self.output != 0 && self.random.next_u32() < self.output
    }

    /// Patience grows with the share of stalled clocks, as beats become rarer.
    fn patience(&self) -> u64 {
        let stalled = f64::from(self.input) / f64::from(u32::MAX);
        (SEND_PATIENCE as f64 / (1.0 - stalled)) as u64
    }
}

/// Ports of the accelerator's top module.
#[derive(Clone, Copy, Debug)]
struct Ports {
    reset: Port,
    register_write: Port,
    register_read: Port,
    register_address: Port,
    register_write_data: Port,
    register_read_data: Port,
    input_valid: Port,
    input_data: Port,
    input_ready: Port,
    output_valid: Port,
    output_data: Port,
    output_ready: Port,
}

impl Ports {
    fn find(model: &Model) -> Result<Self, ModelError> {
        Ok(Self {
            reset: model.port("reset")?,
            register_write: model.port("register_write")?,
            register_read: model.port("register_read")?,
            register_address: model.port("register_address")?,
            register_write_data: model.port("register_write_data")?,
            register_read_data: model.port("register_read_data")?,
            input_valid: model.port("input_valid")?,
            input_data: model.port("input_data")?,
            input_ready: model.port("input_ready")?,
            output_valid: model.port("output_valid")?,
            output_data: model.port("output_data")?,
            output_ready: model.port("output_ready")?,
        })
    }
}

/// The wire of a simulated accelerator.
pub struct ModelLink {
    model: Model,
    ports: Ports,
    stalls: StallDraws,
}

impl ModelLink {
    /// Connects to a model and resets it.
    ///
    /// # Errors
    /// When the model's top module is no accelerator: a port is missing.
    pub fn new(model: Model, stalls: Stalls) -> Result<Self, ModelError> {
        let ports = Ports::find(&model)?;
        let mut link = Self {
            model,
            ports,
            stalls: StallDraws::new(stalls),
        };
        link.reset();
        Ok(link)
    }

    /// Back-pressure from now on.
    pub fn set_stalls(&mut self, stalls: Stalls) {
        self.stalls = StallDraws::new(stalls);
    }

    /// Writes a waveform of everything from now on.
    ///
    /// # Errors
    /// When the model was built without waveforms or the file cannot be created.
    pub fn trace_to(&mut self, path: &Path) -> Result<(), ModelError> {
        self.model.trace_to(path)
    }

    /// Lets clocks pass, as [`Link::wait`] does, and writes their waveform: at most `clocks`, and
    /// no more than a file of `most` bytes has room for. The file is complete then.
    ///
    /// # Errors
    /// When the model was built without waveforms or not all of the file could be written.
    pub fn trace_clocks(&mut self, path: &Path, clocks: u64, most: u64) -> Result<(), ModelError> {
        self.model.trace_up_to(path, most)?;
        for _ in 0..clocks {
            if self.model.trace_is_full() {
                break;
            }
            self.model.step();
        }
        self.model.stop_trace()
    }

    /// Ends the waveform; the file is complete then.
    ///
    /// # Errors
    /// When not all of it could be written.
    pub fn end_trace(&mut self) -> Result<(), ModelError> {
        self.model.stop_trace()
    }

    /// Clocks since the model was made.
    pub fn clocks(&self) -> u64 {
        self.model.cycles()
    }

    /// Idle inputs, and reset for two clocks; memories keep what they hold.
    pub fn reset(&mut self) {
        self.reset_for(2);
    }

    /// Idle inputs, and reset for so many clocks, of which one is enough.
    pub fn reset_for(&mut self, clocks: u64) {
        let p = self.ports;
        for idle in [
            p.register_write,
            p.register_read,
            p.register_address,
            p.register_write_data,
            p.input_valid,
            p.input_data,
            p.output_ready,
        ] {
            self.model.write(idle, 0);
        }
        self.model.write(p.reset, 1);
        for _ in 0..clocks {
            self.model.step();
        }
        self.model.write(p.reset, 0);
    }

    /// Receives without stalls: the model runs on its own between results.
    fn receive_freely(&mut self, count: usize, clocks: u64) -> Vec<u32> {
        let p = self.ports;
        let mut results = Vec::with_capacity(count);
        let mut left = clocks;
        self.model.write(p.output_ready, 1);
        while results.len() < count && left > 0 {
            let Some(waited) = self.model.run_until(p.output_valid, left) else {
                break;
            };
            // This result is taken at the coming clock edge.
            results.push(self.model.read(p.output_data) as u32);
            self.model.step();
            left = left.saturating_sub(waited + 1);
        }
        self.model.write(p.output_ready, 0);
        results
    }

    fn receive_with_stalls(&mut self, count: usize, clocks: u64) -> Vec<u32> {
        let p = self.ports;
        let mut results = Vec::with_capacity(count);
        for _ in 0..clocks {
            if results.len() == count {
                break;
            }
            let ready = !self.stalls.output();
            self.model.write(p.output_ready, u64::from(ready));
            self.model.settle();
            if ready && self.model.read(p.output_valid) == 1 {
                results.push(self.model.read(p.output_data) as u32);
            }
            self.model.edge();
        }
        self.model.write(p.output_ready, 0);
        results
    }
}

impl Link for ModelLink {
    fn write_register(&mut self, register: Register, value: u32) -> Result<(), LinkError> {
        let p = self.ports;
        self.model
            .write(p.register_address, register.address.into());
        self.model.write(p.register_write_data, value.into());
        self.model.write(p.register_write, 1);
        self.model.step();
        self.model.write(p.register_write, 0);
        Ok(())
    }

    fn read_register(&mut self, register: Register) -> Result<u32, LinkError> {
        let p = self.ports;
        self.model
            .write(p.register_address, register.address.into());
        self.model.write(p.register_read, 1);
        self.model.step();
        self.model.write(p.register_read, 0);
        self.model.settle();
        Ok(self.model.read(p.register_read_data) as u32)
    }

    fn send(&mut self, beats: &[u32]) -> Result<(), LinkError> {
        let p = self.ports;
        let patience = self.stalls.patience();
        for (sent, &beat) in beats.iter().enumerate() {
            let mut waited = 0;
            loop {
                let offered = !self.stalls.input();
                // A beat that is not offered must not matter: its data is wrong.
                let data = if offered { beat } else { !beat };
                self.model.write(p.input_data, data.into());
                self.model.write(p.input_valid, u64::from(offered));
                self.model.settle();
                let accepted = offered && self.model.read(p.input_ready) == 1;
                self.model.edge();
                if accepted {
                    break;
                }
                waited += 1;
                if waited > patience {
                    self.model.write(p.input_valid, 0);
                    return Err(LinkError::Stuck {
                        sent,
                        beats: beats.len(),
                        clocks: waited,
                    });
                }
            }
        }
        self.model.write(p.input_valid, 0);
        Ok(())
    }

    fn receive(&mut self, count: usize, clocks: u64) -> Result<Vec<u32>, LinkError> {
        Ok(if self.stalls.output == 0 {
            self.receive_freely(count, clocks)
        } else {
            self.receive_with_stalls(count, clocks)
        })
    }

    fn wait(&mut self, clocks: u64) -> Result<(), LinkError> {
        for _ in 0..clocks {
            self.model.step();
        }
        Ok(())
    }
}
