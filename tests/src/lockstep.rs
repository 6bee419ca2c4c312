//! An engine and, for each of its lanes, a Verilator model of its own, clock by clock.

use crate::places::{Place, Places};
use crate::session::tools;
use brownout_hdl::generate::{generate, generate_netlist};
use brownout_sim::build::BuildOptions;
use brownout_sim::engine::{Engine, EngineModel, LanePort};
use brownout_sim::link::{LaneLink, Link, LinkError};
use brownout_sim::model::{Model, ModelError, Port, Signal};
use brownout_sim::simulator::Simulator;
use brownout_spec::config::Configuration;
use brownout_spec::registers::Register;
use std::collections::HashMap;

/// Clocks without an accepted beat after which the input stream is stuck.
const PATIENCE: u64 = 1_000;
/// Inputs of the accelerator.
const INPUTS: [&str; 8] = [
    "reset",
    "register_write",
    "register_read",
    "register_address",
    "register_write_data",
    "input_valid",
    "input_data",
    "output_ready",
];
/// Outputs of the accelerator.
const OUTPUTS: [&str; 4] = [
    "register_read_data",
    "input_ready",
    "output_valid",
    "output_data",
];

/// A register on both sides.
struct Watched {
    register: brownout_sim::engine::Register,
    place: Place,
    /// In each lane's model.
    signals: Vec<Signal>,
}

/// The wire to an engine whose every lane is compared with a Verilator model after every clock.
pub struct Lockstep {
    engine: EngineModel,
    models: Vec<Model>,
    ports: HashMap<&'static str, (LanePort, Port)>,
    watched: Vec<Watched>,
    unwatched: Vec<String>,
    clocks: u64,
    difference: Option<String>,
}

impl Lockstep {
    /// Connects and resets.
    ///
    /// # Errors
    /// When one of the models has no memory or lacks a port.
    ///
    /// # Panics
    /// If the Verilator model cannot be built.
    pub fn new(configuration: &Configuration, engine: &Engine) -> Result<Self, ModelError> {
        let options = BuildOptions {
            public_signals: true,
            ..BuildOptions::default()
        };
        let (toolchain, cache) = tools();
        let simulator = Simulator::build(&toolchain, &cache, configuration, options)
            .unwrap_or_else(|error| panic!("{error}"));
        let emitted = generate(configuration).unwrap_or_else(|error| panic!("{error}"));
        let netlist = generate_netlist(configuration).unwrap_or_else(|error| panic!("{error}"));
        let places = Places::of(&netlist, &emitted);
        let library = engine.library();
        let engine = EngineModel::new(library)?;
        let models: Vec<Model> = (0..library.lanes())
            .map(|_| Model::new(simulator.library()))
            .collect();
        let mut ports = HashMap::new();
        for name in INPUTS.into_iter().chain(OUTPUTS) {
            ports.insert(name, (engine.port(name)?, models[0].port(name)?));
        }
        let (mut watched, mut unwatched) = (Vec::new(), Vec::new());
        for register in library.registers() {
            let place = places.get(&register.path);
            let signals = place.as_ref().and_then(|place| {
                let of = models.iter().map(|m| m.signal(&place.scope, &place.name));
                of.collect::<Option<Vec<_>>>()
            });
            match (place, signals) {
                (Some(place), Some(signals)) => watched.push(Watched {
                    register: register.clone(),
                    place,
                    signals,
                }),
                _ => unwatched.push(register.path.clone()),
            }
        }
        let mut link = Self {
            engine,
            models,
            ports,
            watched,
            unwatched,
            clocks: 0,
            difference: None,
        };
        link.reset();
        Ok(link)
    }

    /// Registers that are compared.
    pub fn watched(&self) -> usize {
        self.watched.len()
    }

    /// Registers of the engine that have no name in the Verilog.
    pub fn unwatched(&self) -> &[String] {
        &self.unwatched
    }

    /// Clocks after which all registers of all lanes were compared.
    pub fn clocks(&self) -> u64 {
        self.clocks
    }

    /// The first difference.
    pub fn difference(&self) -> Option<&str> {
        self.difference.as_deref()
    }

    /// Idle inputs, and reset for two clocks.
    pub fn reset(&mut self) {
        for name in INPUTS {
            self.write(name, 0);
        }
        self.write("reset", 1);
        self.edge();
        self.edge();
        self.write("reset", 0);
    }

    fn write(&mut self, name: &'static str, value: u64) {
        let (ours, theirs) = self.ports[name];
        self.engine.write(ours, value);
        self.models.iter_mut().for_each(|m| m.write(theirs, value));
    }

    fn write_each(&mut self, name: &'static str, values: &[u32]) -> Result<(), LinkError> {
        let (ours, theirs) = self.ports[name];
        let wide = values.iter().map(|v| u64::from(*v));
        self.engine.write_each(ours, name, wide)?;
        for (model, value) in self.models.iter_mut().zip(values) {
            model.write(theirs, (*value).into());
        }
        Ok(())
    }

    fn settle(&mut self) {
        self.engine.settle();
        self.models.iter_mut().for_each(Model::settle);
        self.compare_outputs("before");
    }

    fn edge(&mut self) {
        self.engine.edge();
        self.models.iter_mut().for_each(Model::step);
        self.clocks += 1;
        self.compare_outputs("after");
        self.compare_registers();
    }

    fn compare_outputs(&mut self, when: &str) {
        for name in OUTPUTS {
            let (ours, theirs) = self.ports[name];
            for (lane, model) in self.models.iter().enumerate() {
                let (found, expected) = (self.engine.read(ours, lane), model.read(theirs));
                if found != expected && self.difference.is_none() {
                    self.difference = Some(format!(
                        "{when} clock {}, lane {lane}: {name} is {found:#x} instead of {expected:#x}",
                        self.clocks
                    ));
                }
            }
        }
    }

    fn compare_registers(&mut self) {
        if self.difference.is_some() {
            return;
        }
        for watched in &self.watched {
            let Watched {
                register,
                place,
                signals,
            } = watched;
            for (lane, (model, signal)) in self.models.iter().zip(signals).enumerate() {
                let found = self.engine.register(register, lane);
                // SAFETY: the place is the register's own in this model, as wide as it.
                let expected = unsafe { model.signal_bits(*signal, place.low, register.width) };
                if found != expected {
                    self.difference = Some(format!(
                        "after clock {}, lane {lane}: register {} ({}.{}, bit {}) is {found:#x} instead of {expected:#x}",
                        self.clocks, register.path, place.scope, place.name, place.low
                    ));
                    return;
                }
            }
        }
    }

    fn offer(&mut self, sent: usize, beats: usize) -> Result<(), LinkError> {
        for _ in 0..PATIENCE {
            self.settle();
            let ready = self.ports["input_ready"].0;
            let accepted = self.engine.read(ready, 0) == 1;
            self.edge();
            if accepted {
                return Ok(());
            }
        }
        Err(LinkError::Stuck {
            sent,
            beats,
            clocks: PATIENCE,
        })
    }

    fn strobe(&mut self, strobe: &'static str, register: Register) -> Result<(), LinkError> {
        self.write("register_address", register.address.into());
        self.write(strobe, 1);
        self.edge();
        self.write(strobe, 0);
        self.write("register_write_data", 0);
        self.settle();
        self.engine.together()
    }
}

impl Link for Lockstep {
    fn write_register(&mut self, register: Register, value: u32) -> Result<(), LinkError> {
        self.write("register_write_data", value.into());
        self.strobe("register_write", register)
    }

    fn read_register(&mut self, register: Register) -> Result<u32, LinkError> {
        Ok(self.read_register_each(register)?[0])
    }

    fn send(&mut self, beats: &[u32]) -> Result<(), LinkError> {
        self.send_each(&vec![beats.to_vec(); self.models.len()])
    }

    fn receive(&mut self, count: usize, clocks: u64) -> Result<Vec<u32>, LinkError> {
        Ok(self.receive_each(count, clocks)?.swap_remove(0))
    }

    fn wait(&mut self, clocks: u64) -> Result<(), LinkError> {
        (0..clocks).for_each(|_| self.edge());
        self.engine.together()
    }
}

impl LaneLink for Lockstep {
    fn lanes(&self) -> usize {
        self.models.len()
    }

    fn write_register_each(&mut self, register: Register, values: &[u32]) -> Result<(), LinkError> {
        self.write_each("register_write_data", values)?;
        self.strobe("register_write", register)
    }

    fn read_register_each(&mut self, register: Register) -> Result<Vec<u32>, LinkError> {
        self.strobe("register_read", register)?;
        let port = self.ports["register_read_data"].0;
        let lanes = 0..self.models.len();
        Ok(lanes
            .map(|lane| self.engine.read(port, lane) as u32)
            .collect())
    }

    fn send_each(&mut self, beats: &[Vec<u32>]) -> Result<(), LinkError> {
        let count = beats.first().map_or(0, Vec::len);
        self.write("input_valid", 1);
        for at in 0..count {
            let values: Vec<u32> = beats.iter().map(|lane| lane[at]).collect();
            self.write_each("input_data", &values)?;
            self.offer(at, count)?;
        }
        self.write("input_valid", 0);
        self.engine.together()
    }

    fn receive_each(&mut self, count: usize, clocks: u64) -> Result<Vec<Vec<u32>>, LinkError> {
        let mut results = vec![Vec::new(); self.models.len()];
        let (valid, data) = (self.ports["output_valid"].0, self.ports["output_data"].0);
        self.write("output_ready", 1);
        for _ in 0..clocks {
            if results[0].len() == count {
                break;
            }
            self.settle();
            if self.engine.read(valid, 0) == 1 {
                for (lane, results) in results.iter_mut().enumerate() {
                    results.push(self.engine.read(data, lane) as u32);
                }
            }
            self.edge();
        }
        self.write("output_ready", 0);
        self.engine.together()?;
        Ok(results)
    }
}
