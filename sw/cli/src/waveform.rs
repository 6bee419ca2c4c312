//! Shows the layer in which RTL and golden model first differ: a waveform of its clocks, and lists
//! of its signals for viewers.
//!
//! What goes wrong here is told and ends nothing: the difference is what the command ends with.

use crate::error::Error;
use crate::files;
use crate::output::Output;
use crate::placement::Placement;
use crate::run::{Placed, Run, Simulation, in_waveform};
use crate::shell;
use brownout_sim::campaign::{LayerWaveform, MOST_BYTES, Point};
use brownout_sim::compare::Mismatch;
use brownout_sim::simulator::Simulator;
use brownout_sim::waveform::{gtkwave, surfer};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// The waveform's file where nobody names one.
pub const DEFAULT: &str = "mismatch.vcd";

/// The waveform's file, and those of the lists beside it.
pub struct Files {
    /// The waveform.
    pub waveform: PathBuf,
    /// GTKWave's save file.
    pub gtkwave: PathBuf,
    /// Surfer's commands.
    pub surfer: PathBuf,
}

impl Files {
    /// The files of a waveform.
    pub fn of(waveform: &Path) -> Self {
        Self {
            waveform: waveform.to_owned(),
            gtkwave: waveform.with_extension("gtkw"),
            surfer: waveform.with_extension("sucl"),
        }
    }

    /// All of them.
    pub fn all(&self) -> [&PathBuf; 3] {
        [&self.waveform, &self.gtkwave, &self.surfer]
    }
}

/// How a layer is shown.
pub struct Show<'a> {
    /// Where.
    pub files: Files,
    /// Builds an accelerator that can write waveforms.
    pub build: &'a dyn Fn(&Placement) -> Result<Simulator, Error>,
    /// Where to say what takes a while.
    pub output: Output,
}

impl Show<'_> {
    /// Writes the files, and says what is in them or why they are not there.
    pub fn layer(&self, run: &Run, placed: &Placed, point: &Point, mismatch: &Mismatch) -> String {
        self.written(run, placed, point, mismatch)
            .unwrap_or_else(|error| format!("there is no waveform of the layer: {error}"))
    }

    fn written(
        &self,
        run: &Run,
        placed: &Placed,
        point: &Point,
        mismatch: &Mismatch,
    ) -> Result<String, Error> {
        // Before a model is built for it.
        files::check_writable(&self.files.waveform)?;
        let traceable = self.traceable(placed)?;
        let refusal = || alone(placed, mismatch);
        let layer = self.waveform(run, &traceable, point, mismatch, &refusal)?;
        let text = |path: &Path| path.display().to_string();
        let Files {
            waveform,
            gtkwave,
            surfer,
        } = &self.files;
        let what = format!("{layer}, are in {}", text(waveform));
        Ok(match self.lists(&layer) {
            Ok(()) => {
                let first = shell::command(&["gtkwave".into(), text(waveform), text(gtkwave)]);
                let flag = "--command-file".to_owned();
                let second = ["surfer".into(), text(waveform), flag, text(surfer)];
                format!("{what}: {first}, or {}", shell::command(&second))
            }
            Err(error) => format!("{what}, without lists of signals: {error}"),
        })
    }

    /// The accelerator, built for waveforms.
    fn traceable(&self, placed: &Placed) -> Result<Placed, Error> {
        self.output
            .remark("RTL and golden model differ; a waveform of the layer that differs follows");
        let started = Instant::now();
        let simulator = (self.build)(&placed.placement)?;
        if simulator.compiled().is_fresh() {
            self.output.remark(format!(
                "built a simulation that writes waveforms in {:.0} s; the next run finds it in the \
                 cache",
                started.elapsed().as_secs_f64()
            ));
        }
        Ok(Placed {
            placement: placed.placement.clone(),
            simulation: Simulation::One(simulator),
        })
    }

    fn waveform(
        &self,
        run: &Run,
        traceable: &Placed,
        point: &Point,
        mismatch: &Mismatch,
        refusal: &dyn Fn() -> Error,
    ) -> Result<LayerWaveform, Error> {
        let file = &self.files.waveform;
        let mut layer = None;
        files::write_with(file, |temporary| {
            layer = run.campaign(traceable, |campaign| {
                campaign
                    .trace_layer(point, mismatch, temporary, MOST_BYTES)
                    .map_err(|error| in_waveform(file, error))
            })?;
            match layer {
                Some(_) => Ok(()),
                None => Err(refusal()),
            }
        })?;
        layer.ok_or_else(refusal)
    }

    fn lists(&self, layer: &LayerWaveform) -> Result<(), Error> {
        let files = &self.files;
        let groups = layer
            .groups()
            .map_err(|missing| Error::Mismatch(missing.to_string()))?;
        let whole = |path: &Path| fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let waveform = whole(&files.waveform);
        let save = waveform.with_extension("gtkw");
        let text = gtkwave(&waveform, &save, &groups, layer.marked());
        files::write(&files.gtkwave, text.as_bytes())?;
        let text = surfer(&groups, layer.marked());
        files::write(&files.surfer, text.as_bytes())
    }
}

/// Why a difference cannot be shown where the image alone does not differ.
fn alone(placed: &Placed, mismatch: &Mismatch) -> Error {
    let image = mismatch.image;
    Error::Mismatch(match placed.simulation {
        Simulation::One(_) => format!(
            "image {image} does not differ when it runs alone, so what differs depends on the images \
             before"
        ),
        Simulation::SideBySide(_) => format!(
            "image {image} does not differ when it runs alone in Verilator's model, so what differs \
             depends on the images before or is a mistake of the engine"
        ),
    })
}
