//! Wires that measure: one that times what a driver does with the model's own
//! wire, and one that crosses into the model at every clock.

use super::clock::ProcessorTime;
use brownout_sim::link::{Link, LinkError, ModelLink};
use brownout_sim::model::{Model, ModelError, Port};
use brownout_spec::registers::{CONTROL, Register};
use std::time::Duration;

/// A wire whose clocks can be read.
pub trait Clocked: Link {
    /// Clocks since the model was made.
    fn clocks(&self) -> u64;
}

impl Clocked for ModelLink {
    fn clocks(&self) -> u64 {
        ModelLink::clocks(self)
    }
}

/// Time and clocks of some part of a session.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Effort {
    /// Processor time.
    pub time: Duration,
    /// Simulated clocks.
    pub clocks: u64,
}

impl Effort {
    /// Clocks per second.
    pub fn speed(self) -> f64 {
        self.clocks as f64 / self.time.as_secs_f64()
    }
}

/// Another wire, with the effort of its passes: from the start command until the
/// last result has come. Images, counters and all that a driver does between two
/// passes are no part of them.
pub struct Timed<L> {
    link: L,
    passes: Effort,
    started: bool,
}

impl<L: Clocked> Timed<L> {
    /// Measures a wire.
    pub fn new(link: L) -> Self {
        Self {
            link,
            passes: Effort::default(),
            started: false,
        }
    }

    /// The effort of all passes so far.
    pub fn passes(&self) -> Effort {
        self.passes
    }
}

impl<L: Clocked> Clocked for Timed<L> {
    fn clocks(&self) -> u64 {
        self.link.clocks()
    }
}

impl<L: Clocked> Link for Timed<L> {
    fn write_register(&mut self, register: Register, value: u32) -> Result<(), LinkError> {
        self.started |= register == CONTROL;
        self.link.write_register(register, value)
    }

    fn read_register(&mut self, register: Register) -> Result<u32, LinkError> {
        self.link.read_register(register)
    }

    fn send(&mut self, beats: &[u32]) -> Result<(), LinkError> {
        self.link.send(beats)
    }

    fn receive(&mut self, count: usize, clocks: u64) -> Result<Vec<u32>, LinkError> {
        let (before, start) = (self.link.clocks(), ProcessorTime::now());
        let results = self.link.receive(count, clocks)?;
        if std::mem::take(&mut self.started) {
            self.passes.time += start.elapsed();
            self.passes.clocks += self.link.clocks() - before;
        }
        Ok(results)
    }

    fn wait(&mut self, clocks: u64) -> Result<(), LinkError> {
        self.link.wait(clocks)
    }
}

/// The model's own wire, but for results: there it steps and looks at every clock,
/// where [`ModelLink`] lets the model run until a result is there.
pub struct ClockByClock {
    model: Model,
    ports: Ports,
}

/// Ports of the accelerator's top module.
#[derive(Clone, Copy)]
struct Ports {
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

impl ClockByClock {
    /// Connects to a new model and resets it.
    ///
    /// # Errors
    /// When the model's top module is no accelerator: a port is missing.
    pub fn new(mut model: Model) -> Result<Self, ModelError> {
        let ports = Ports {
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
        };
        let reset = model.port("reset")?;
        model.write(reset, 1);
        model.step();
        model.step();
        model.write(reset, 0);
        Ok(Self { model, ports })
    }
}

impl Clocked for ClockByClock {
    fn clocks(&self) -> u64 {
        self.model.cycles()
    }
}

impl Link for ClockByClock {
    fn write_register(&mut self, register: Register, value: u32) -> Result<(), LinkError> {
        let (model, p) = (&mut self.model, self.ports);
        model.write(p.register_address, register.address.into());
        model.write(p.register_write_data, value.into());
        model.write(p.register_write, 1);
        model.step();
        model.write(p.register_write, 0);
        Ok(())
    }

    fn read_register(&mut self, register: Register) -> Result<u32, LinkError> {
        let (model, p) = (&mut self.model, self.ports);
        model.write(p.register_address, register.address.into());
        model.write(p.register_read, 1);
        model.step();
        model.write(p.register_read, 0);
        model.settle();
        Ok(model.read(p.register_read_data) as u32)
    }

    fn send(&mut self, beats: &[u32]) -> Result<(), LinkError> {
        let (model, p) = (&mut self.model, self.ports);
        model.write(p.input_valid, 1);
        for &beat in beats {
            model.write(p.input_data, beat.into());
            loop {
                model.settle();
                let accepted = model.read(p.input_ready) == 1;
                model.edge();
                if accepted {
                    break;
                }
            }
        }
        model.write(p.input_valid, 0);
        Ok(())
    }

    fn receive(&mut self, count: usize, clocks: u64) -> Result<Vec<u32>, LinkError> {
        let (model, p) = (&mut self.model, self.ports);
        let mut results = Vec::with_capacity(count);
        model.write(p.output_ready, 1);
        for _ in 0..clocks {
            let valid = model.read(p.output_valid) == 1;
            if valid {
                results.push(model.read(p.output_data) as u32);
            }
            model.step();
            if results.len() == count {
                break;
            }
        }
        model.write(p.output_ready, 0);
        Ok(results)
    }

    fn wait(&mut self, clocks: u64) -> Result<(), LinkError> {
        for _ in 0..clocks {
            self.model.step();
        }
        Ok(())
    }
}
