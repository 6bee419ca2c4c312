//! From a configuration to drivers of its simulated hardware.

use crate::build::{BuildError, BuildOptions, ModelSource};
use crate::cache::{CompiledModel, ModelCache};
use crate::driver::{Driver, DriverError};
use crate::link::{LinkError, ModelLink, Stalls};
use crate::model::{Model, ModelError, ModelLibrary};
use crate::toolchain::{Toolchain, ToolchainError};
use brownout_engine::EngineError;
use brownout_hdl::emit::Emitted;
use brownout_hdl::generate::{GenerateError, generate};
use brownout_spec::config::Configuration;
use std::sync::Arc;
use thiserror::Error;

/// Why hardware cannot be simulated.
#[derive(Debug, Error)]
pub enum SimulatorError {
    /// A tool is missing.
    #[error(transparent)]
    Toolchain(#[from] ToolchainError),
    /// No Verilog was made.
    #[error(transparent)]
    Generate(#[from] GenerateError),
    /// The Verilog could not be compiled.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// The design could not be written as C++.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The compiled model could not be loaded.
    #[error(transparent)]
    Load(#[from] ModelError),
    /// The model is no accelerator of this configuration.
    #[error(transparent)]
    Driver(#[from] DriverError),
}

impl From<LinkError> for SimulatorError {
    fn from(error: LinkError) -> Self {
        Self::Driver(error.into())
    }
}

/// A simulated accelerator, of which any number of instances can run.
#[derive(Clone)]
pub struct Simulator {
    configuration: Configuration,
    compiled: CompiledModel,
    library: Arc<ModelLibrary>,
}

impl Simulator {
    /// Emits, verilates and compiles a configuration, or takes the result from the cache.
    ///
    /// # Errors
    /// When a tool is missing or refuses, or the cache cannot be written.
    pub fn build(
        toolchain: &Toolchain,
        cache: &ModelCache,
        configuration: &Configuration,
        options: BuildOptions,
    ) -> Result<Self, SimulatorError> {
        let source = source(&generate(configuration)?);
        Self::from_verilog(toolchain, cache, configuration, &source, options)
    }

    /// The same from given Verilog, which claims to be the configuration's.
    ///
    /// # Errors
    /// As [`Simulator::build`].
    pub fn from_verilog(
        toolchain: &Toolchain,
        cache: &ModelCache,
        configuration: &Configuration,
        source: &ModelSource,
        options: BuildOptions,
    ) -> Result<Self, SimulatorError> {
        let compiled = cache.get(toolchain, source, options)?;
        let library = ModelLibrary::open(&compiled)?;
        Ok(Self {
            configuration: configuration.clone(),
            compiled,
            library,
        })
    }

    /// The accelerator's configuration.
    pub fn configuration(&self) -> &Configuration {
        &self.configuration
    }

    /// The compiled model.
    pub fn compiled(&self) -> &CompiledModel {
        &self.compiled
    }

    /// The code of the model.
    pub fn library(&self) -> &Arc<ModelLibrary> {
        &self.library
    }

    /// A new accelerator after reset, with memories at zero.
    ///
    /// # Errors
    /// When the model's identification registers deny the configuration.
    pub fn driver(&self, stalls: Stalls) -> Result<Driver<ModelLink>, SimulatorError> {
        self.connect(Model::new(&self.library), stalls)
    }

    /// A new accelerator whose registers and memories start at random values,
    /// if the model was built for that.
    ///
    /// # Errors
    /// As [`Simulator::driver`].
    pub fn driver_from_random(
        &self,
        stalls: Stalls,
        seed: u32,
    ) -> Result<Driver<ModelLink>, SimulatorError> {
        self.connect(Model::with_seed(&self.library, seed), stalls)
    }

    fn connect(&self, model: Model, stalls: Stalls) -> Result<Driver<ModelLink>, SimulatorError> {
        let link = ModelLink::new(model, stalls)?;
        Ok(Driver::new(link, &self.configuration)?)
    }
}

/// Emitted Verilog as a model's source.
pub fn source(emitted: &Emitted) -> ModelSource {
    let top = emitted.top().name.clone();
    ModelSource {
        clock: Some("clock".to_owned()),
        files: vec![(format!("{top}.v"), emitted.text())],
        top,
    }
}
