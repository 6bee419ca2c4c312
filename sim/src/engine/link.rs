//! The wire to accelerators side by side.

use super::library::{EngineModel, LanePort};
use crate::link::{LaneLink, Link, LinkError};
use crate::model::ModelError;
use brownout_spec::registers::Register;

/// Clocks without an accepted beat after which the input stream is stuck.
const PATIENCE: u64 = 1_000;

/// Ports of the accelerator's top module.
#[derive(Clone, Copy, Debug)]
struct Ports {
    reset: LanePort,
    register_write: LanePort,
    register_read: LanePort,
    register_address: LanePort,
    register_write_data: LanePort,
    register_read_data: LanePort,
    input_valid: LanePort,
    input_data: LanePort,
    input_ready: LanePort,
    output_valid: LanePort,
    output_data: LanePort,
    output_ready: LanePort,
}

impl Ports {
    fn find(model: &EngineModel) -> Result<Self, ModelError> {
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

/// The wire to accelerators that run side by side, one image in each.
pub struct EngineLink {
    model: EngineModel,
    ports: Ports,
}

impl EngineLink {
    /// Connects to a model and resets it.
    ///
    /// # Errors
    /// When the model is no accelerator: a port is missing.
    pub fn new(model: EngineModel) -> Result<Self, ModelError> {
        let ports = Ports::find(&model)?;
        let mut link = Self { model, ports };
        link.reset();
        Ok(link)
    }

    /// The model.
    pub fn model(&self) -> &EngineModel {
        &self.model
    }

    /// Clocks since the model was made.
    pub fn clocks(&self) -> u64 {
        self.model.clocks()
    }

    /// Idle inputs, and reset for two clocks; memories keep what they hold.
    pub fn reset(&mut self) {
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
        self.model.edge();
        self.model.edge();
        self.model.write(p.reset, 0);
    }

    /// Offers one beat until it is accepted.
    fn offer(&mut self, sent: usize, beats: usize) -> Result<(), LinkError> {
        for _ in 0..PATIENCE {
            self.model.settle();
            let accepted = self.model.read_one(self.ports.input_ready, "input_ready")? == 1;
            self.model.edge();
            if accepted {
                return Ok(());
            }
        }
        self.model.write(self.ports.input_valid, 0);
        Err(LinkError::Stuck {
            sent,
            beats,
            clocks: PATIENCE,
        })
    }

    fn strobe_write(&mut self, register: Register) -> Result<(), LinkError> {
        let p = self.ports;
        self.model
            .write(p.register_address, register.address.into());
        self.model.write(p.register_write, 1);
        self.model.edge();
        self.model.write(p.register_write, 0);
        // Between writes nothing differs.
        self.model.write(p.register_write_data, 0);
        self.model.together()
    }

    fn strobe_read(&mut self, register: Register) -> Result<(), LinkError> {
        let p = self.ports;
        self.model
            .write(p.register_address, register.address.into());
        self.model.write(p.register_read, 1);
        self.model.edge();
        self.model.write(p.register_read, 0);
        self.model.settle();
        self.model.together()
    }
}

impl Link for EngineLink {
    fn write_register(&mut self, register: Register, value: u32) -> Result<(), LinkError> {
        self.model
            .write(self.ports.register_write_data, value.into());
        self.strobe_write(register)
    }

    fn read_register(&mut self, register: Register) -> Result<u32, LinkError> {
        self.strobe_read(register)?;
        // Of words that nobody wrote for this image the debug window shows what lanes had before.
        Ok(self.model.read(self.ports.register_read_data, 0) as u32)
    }

    fn send(&mut self, beats: &[u32]) -> Result<(), LinkError> {
        let p = self.ports;
        self.model.write(p.input_valid, 1);
        for (sent, &beat) in beats.iter().enumerate() {
            self.model.write(p.input_data, beat.into());
            self.offer(sent, beats.len())?;
        }
        self.model.write(p.input_valid, 0);
        self.model.together()
    }

    fn receive(&mut self, count: usize, clocks: u64) -> Result<Vec<u32>, LinkError> {
        let lanes = self.receive_each(count, clocks)?;
        match lanes.iter().all(|lane| *lane == lanes[0]) {
            true => Ok(lanes.into_iter().next().unwrap_or_default()),
            false => Err(LinkError::Apart("output_data".to_owned())),
        }
    }

    fn wait(&mut self, clocks: u64) -> Result<(), LinkError> {
        for _ in 0..clocks {
            self.model.edge();
        }
        self.model.together()
    }
}

impl LaneLink for EngineLink {
    fn lanes(&self) -> usize {
        self.model.library().lanes()
    }

    fn write_register_each(&mut self, register: Register, values: &[u32]) -> Result<(), LinkError> {
        let port = self.ports.register_write_data;
        let values = values.iter().map(|v| u64::from(*v));
        self.model.write_each(port, register.name, values)?;
        self.strobe_write(register)
    }

    fn read_register_each(&mut self, register: Register) -> Result<Vec<u32>, LinkError> {
        self.strobe_read(register)?;
        let lanes = 0..self.lanes();
        let port = self.ports.register_read_data;
        Ok(lanes
            .map(|lane| self.model.read(port, lane) as u32)
            .collect())
    }

    fn send_each(&mut self, beats: &[Vec<u32>]) -> Result<(), LinkError> {
        let p = self.ports;
        let count = beats.first().map_or(0, Vec::len);
        self.model.write(p.input_valid, 1);
        for at in 0..count {
            let values = beats.iter().map(|lane| u64::from(lane[at]));
            self.model.write_each(p.input_data, "input_data", values)?;
            self.offer(at, count)?;
        }
        self.model.write(p.input_valid, 0);
        self.model.together()
    }

    fn receive_each(&mut self, count: usize, clocks: u64) -> Result<Vec<Vec<u32>>, LinkError> {
        let p = self.ports;
        let mut results = vec![Vec::with_capacity(count); self.lanes()];
        let (mut came, mut left) = (0, clocks);
        self.model.write(p.output_ready, 1);
        while came < count && left > 0 {
            let Some(waited) = self.model.run_until(p.output_valid, left)? else {
                break;
            };
            // This result is taken at the coming clock edge.
            for (lane, results) in results.iter_mut().enumerate() {
                results.push(self.model.read(p.output_data, lane) as u32);
            }
            self.model.edge();
            came += 1;
            left = left.saturating_sub(waited + 1);
        }
        self.model.write(p.output_ready, 0);
        self.model.together()?;
        Ok(results)
    }
}
