//! Many images side by side: the engine behind the same driver.
//!
//! `brownout-engine` writes the accelerator as C++ whose vector lanes hold runs of different images;
//! this builds and loads it. On one chip control is the same for all images. What the host promises
//! to be equal is said here and checked by the model: program, weights, parameters, tables and, where
//! passes differ, all registers that the host writes but their number.

mod leaves;
mod library;
mod link;

pub use brownout_engine::Register;
pub use library::{EngineLibrary, EngineModel, LanePort};
pub use link::EngineLink;

use crate::build::{BuildOptions, Direction, PortInfo, compile_engine, engine_key};
use crate::cache::ModelCache;
use crate::driver::Driver;
use crate::simulator::SimulatorError;
use crate::toolchain::Toolchain;
use brownout_engine::{self as engine, Options, Source};
use brownout_hdl::generate::generate_netlist;
use brownout_spec::config::Configuration;
use brownout_spec::fault::FaultMode;
use leaves::leaf;
use std::sync::Arc;

/// What differs between the lanes besides their images.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Apart {
    /// Nothing: all lanes read the same weights.
    #[default]
    Images,
    /// The number of the pass, and with it what transient faults flip.
    Passes,
}

impl Apart {
    /// What a fault mode needs.
    pub fn of(mode: FaultMode) -> Self {
        match mode {
            FaultMode::Transient => Self::Passes,
            _ => Self::Images,
        }
    }
}

/// A compiled engine, of which any number of instances can run.
#[derive(Clone)]
pub struct Engine {
    configuration: Configuration,
    apart: Apart,
    library: Arc<EngineLibrary>,
}

impl Engine {
    /// Writes and compiles a configuration for so many images side by side, or takes the result from
    /// the cache.
    ///
    /// # Errors
    /// When a number of lanes is asked for that no vector has, a tool is missing or refuses, or the
    /// cache cannot be written.
    pub fn build(
        toolchain: &Toolchain,
        cache: &ModelCache,
        configuration: &Configuration,
        lanes: usize,
        apart: Apart,
    ) -> Result<Self, SimulatorError> {
        let source = source(configuration, lanes, apart)?;
        Self::from_source(toolchain, cache, configuration, source, lanes, apart)
    }

    /// The same from given C++, which claims to be the configuration's.
    ///
    /// # Errors
    /// As [`Engine::build`].
    pub fn from_source(
        toolchain: &Toolchain,
        cache: &ModelCache,
        configuration: &Configuration,
        source: Source,
        lanes: usize,
        apart: Apart,
    ) -> Result<Self, SimulatorError> {
        let key = engine_key(toolchain, &source.text);
        let top = &configuration.name;
        let options = BuildOptions::default();
        let compiled = cache.get_as(toolchain, top, options, &key, &|folder, progress| {
            compile_engine(toolchain, top, &source.text, folder, progress)?;
            Ok(ports(&source))
        })?;
        let library = EngineLibrary::open(&compiled, &source, lanes)?;
        Ok(Self {
            configuration: configuration.clone(),
            apart,
            library,
        })
    }

    /// The accelerator's configuration.
    pub fn configuration(&self) -> &Configuration {
        &self.configuration
    }

    /// The code.
    pub fn library(&self) -> &Arc<EngineLibrary> {
        &self.library
    }

    /// Images side by side.
    pub fn lanes(&self) -> usize {
        self.library.lanes()
    }

    /// What differs between lanes.
    pub fn apart(&self) -> Apart {
        self.apart
    }

    /// Whether faults of this mode can be emulated with a pass of its own in each lane.
    pub fn suits(&self, mode: FaultMode) -> bool {
        self.apart == Apart::Passes || Apart::of(mode) == Apart::Images
    }

    /// A new accelerator after reset, with registers and memories at zero.
    ///
    /// # Errors
    /// When the model's identification registers deny the configuration.
    pub fn driver(&self) -> Result<Driver<EngineLink>, SimulatorError> {
        let link = EngineLink::new(EngineModel::new(&self.library)?)?;
        Ok(Driver::new(link, &self.configuration)?)
    }
}

/// The C++ of a configuration.
///
/// # Errors
/// When the configuration or the number of lanes is not allowed.
pub fn source(
    configuration: &Configuration,
    lanes: usize,
    apart: Apart,
) -> Result<Source, SimulatorError> {
    let mut options = Options {
        lanes,
        differing: vec!["input_data".into()],
        equal: [
            "program_memory",
            "weight_path.memory",
            "columns.column$#.parameters",
        ]
        .map(String::from)
        .into(),
        excepted: Vec::new(),
    };
    if configuration.tables > 0 {
        // Each lane looks up a value of its own.
        options.equal.push("columns.column$#.tables".into());
        options
            .excepted
            .push("columns.column$#.tables$#$read_data".into());
    }
    if apart == Apart::Passes {
        options.differing.push("register_write_data".into());
        options.equal.push("registers".into());
        for own in [
            "pass_register",
            "last_detected",
            "high_latch",
            "read_data_register",
        ] {
            options.excepted.push(format!("registers.{own}"));
        }
    }
    let netlist = generate_netlist(configuration)?;
    Ok(engine::write(&netlist, &leaf, &options)?)
}

/// The ports as the cache keeps them.
fn ports(source: &Source) -> Vec<PortInfo> {
    let port = |port: &engine::Port| PortInfo {
        name: port.name.clone(),
        direction: match port.input {
            true => Direction::Input,
            false => Direction::Output,
        },
        bits: port.width as u32,
    };
    source.ports.iter().map(port).collect()
}
