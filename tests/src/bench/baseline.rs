//! Another build of `brownout`, which simulates the same network in turn: what is gained by what
//! lies between two commits.

use super::report::BenchError;
use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Names the other build's program, with the co-simulation in it.
const PROGRAM: &str = "BROWNOUT_BASELINE";
/// Images that it simulates more in one of two runs, whose times are subtracted.
const IMAGES: usize = 20;
/// Images of the other run, in which it loads its model and the network.
const FEW: usize = 2;

/// The other build.
pub struct Baseline {
    program: PathBuf,
    /// CIFAR-10's binary batches.
    images: PathBuf,
}

impl Baseline {
    /// The one that the environment names, if it names one.
    ///
    /// # Errors
    /// When there are no images for it, which are not part of the repository.
    pub fn from_environment() -> Result<Option<Self>, BenchError> {
        let Some(program) = env::var_os(PROGRAM).filter(|program| !program.is_empty()) else {
            return Ok(None);
        };
        let data = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../shared/data/cifar-10-batches-bin"
        );
        let images = PathBuf::from(data);
        images
            .read_dir()
            .map_err(BenchError::file(&images))
            .map(|_| {
                Some(Self {
                    program: program.into(),
                    images,
                })
            })
    }

    /// What it is called in a table.
    pub fn name(&self) -> String {
        format!("{PROGRAM}={}", self.program.display())
    }

    /// Images a second on one thread, without what a run takes before its first image.
    ///
    /// # Errors
    /// When it does not start, or does not end well.
    pub fn speed(&self, model: &Path, configuration: &Path, code: &str) -> Result<f64, BenchError> {
        let run = |images| self.time(model, configuration, code, images);
        let (few, many) = (run(FEW)?, run(FEW + IMAGES)?);
        Ok(IMAGES as f64 / many.saturating_sub(few).as_secs_f64())
    }

    fn time(
        &self,
        model: &Path,
        configuration: &Path,
        code: &str,
        images: usize,
    ) -> Result<Duration, BenchError> {
        let mut command = Command::new(&self.program);
        command.arg("simulate").arg(model);
        command.arg("--config").arg(configuration);
        command.args(["--codes", code, "--threads", "1"]);
        // One point: nominal voltage, at which no cell fails.
        command.args(["--voltages", "800", "--modes", "none"]);
        command.args(["--images", &images.to_string(), "--quiet", "--data"]);
        command.arg(format!("cifar10:{}", self.images.display()));
        let refusal = |answer: String| BenchError::Rival {
            name: self.name(),
            request: format!("simulate {images} images"),
            answer,
        };
        let start = Instant::now();
        let output = command.stdout(Stdio::null()).output();
        let output = output.map_err(|error| refusal(error.to_string()))?;
        match output.status.success() {
            true => Ok(start.elapsed()),
            false => Err(refusal(
                String::from_utf8_lossy(&output.stderr).into_owned(),
            )),
        }
    }
}
