//! Simulated accelerators, one for each code, built once and cached.

use crate::configuration::Chosen;
use crate::error::Error;
use brownout_hdl::emit::Emitted;
use brownout_sim::build::BuildOptions;
use brownout_sim::cache::ModelCache;
use brownout_sim::engine::{Apart, Engine};
use brownout_sim::simulator::{Simulator, SimulatorError, source};
use brownout_sim::toolchain::Toolchain;
use std::path::PathBuf;

/// What simulated accelerators are built with and kept in.
pub struct Workshop {
    toolchain: Toolchain,
    cache: ModelCache,
}

impl Workshop {
    /// Looks for the tools.
    ///
    /// # Errors
    /// When one is missing, with what to do about it.
    pub fn locate() -> Result<Self, Error> {
        let toolchain = Toolchain::locate().map_err(SimulatorError::from)?;
        let cache = ModelCache::locate(&toolchain);
        Ok(Self { toolchain, cache })
    }

    /// The files in which builds say how far they are.
    pub fn progress(&self) -> PathBuf {
        self.cache.progress()
    }

    /// The versions of Verilator and the compiler.
    pub fn versions(&self) -> [String; 2] {
        let tools = &self.toolchain;
        [tools.verilator_version(), tools.compiler_version()].map(str::to_owned)
    }

    /// The accelerator of a configuration, from its Verilog.
    ///
    /// # Errors
    /// When a tool refuses, or the cache cannot be written.
    pub fn build(
        &self,
        chosen: &Chosen,
        verilog: &Emitted,
        trace: bool,
    ) -> Result<Simulator, Error> {
        let options = BuildOptions {
            trace,
            ..BuildOptions::default()
        };
        Ok(Simulator::from_verilog(
            &self.toolchain,
            &self.cache,
            &chosen.configuration,
            &source(verilog),
            options,
        )?)
    }

    /// The accelerator of a configuration for so many images side by side; `transient` if faults
    /// shall differ between them.
    ///
    /// # Errors
    /// When the compiler refuses, or the cache cannot be written.
    pub fn engine(&self, chosen: &Chosen, lanes: usize, transient: bool) -> Result<Engine, Error> {
        let apart = match transient {
            true => Apart::Passes,
            false => Apart::Images,
        };
        let (tools, cache) = (&self.toolchain, &self.cache);
        Ok(Engine::build(
            tools,
            cache,
            &chosen.configuration,
            lanes,
            apart,
        )?)
    }
}
