//! What long runs take: a campaign of many chips on many images, and a training. Whether they
//! slow down as they go on, and how much memory they need at most.

use super::Options;
use super::networks::{image, model, noise};
use super::report::{Aim, BenchError, Figure};
use brownout_golden::evaluate::statistics::Bootstrap;
use brownout_golden::evaluate::{Chips, Plan, Point, Subject, evaluate};
use brownout_golden::export::export;
use brownout_golden::quantize::Exposure;
use brownout_golden::quantized::MemoryRules;
use brownout_golden::train::{Run, TrainingOptions};
use brownout_spec::code::{CodeName, Policy, Storage};
use brownout_spec::fault::FaultMode;
use brownout_spec::quantity::{BitErrorRate, ChipSeed};
use std::fs;
use std::path::Path;
use std::time::Instant;

const NETWORK: &str = "resnet20";
/// Images that ranges of activations are observed on.
const OBSERVED: usize = 32;
/// The share of a run, at its start and at its end, whose speeds are compared.
const FIFTH: usize = 5;

/// Speeds, slowing down and memory.
pub fn measure(options: &Options) -> Result<Vec<Figure>, BenchError> {
    Ok([campaign(options)?, training(options)?].concat())
}

/// Persistent faults: a chip's weights are read once and classify all images.
fn campaign(options: &Options) -> Result<Vec<Figure>, BenchError> {
    let (images, chips) = match options.quick {
        true => (32, 5),
        false => (10_000, 50),
    };
    let data = noise(image(NETWORK), images);
    let settings = TrainingOptions::default();
    let quantized = model(NETWORK)?.calibrate(&data.first(OBSERVED), &settings)?;
    let subject = Subject::from(export(&quantized, None)?);
    let rate = BitErrorRate::new(1e-2).expect("it is one");
    let plan = Plan {
        memory: MemoryRules {
            rows: 16,
            columns: 16,
            code: CodeName::Inplace64_57,
            storage: Storage::Coset,
            policy: Policy::Keep,
            exposure: Exposure::WholeLane,
        },
        points: vec![Point::at_rate(rate, FaultMode::Persistent)],
        chips: Chips {
            first: ChipSeed(100),
            count: chips,
        },
        offsets: 1,
        yield_at: None,
        guarantee: None,
        bootstrap: Bootstrap::default(),
    };
    let memory = Peak::start()?;
    let mut ends = vec![Instant::now()];
    evaluate(&subject, &data, &plan, || ends.push(Instant::now())).map_err(Box::new)?;
    let conditions = format!(
        "{NETWORK} in integers, {chips} chips x {images} images, 1 % faulty cells, inplace-64-57"
    );
    let [speed, slowing] = speeds("campaign", &conditions, images, &ends);
    Ok(vec![
        speed.against(Aim::AtLeast(8000.0)),
        slowing,
        memory.figure("campaign", &conditions)?,
    ])
}

fn training(options: &Options) -> Result<Vec<Figure>, BenchError> {
    let (batch, steps) = match options.quick {
        true => (32, 5),
        false => (128, 150),
    };
    let data = noise(image(NETWORK), 2 * batch);
    let settings = TrainingOptions {
        epochs: 10_000,
        batch,
        learning_rate: 1e-3,
        float_share: 0.0,
        quiet: true,
        ..TrainingOptions::default()
    };
    let memory = Peak::start()?;
    let mut run = Run::new(model(NETWORK)?, &data, &settings)?;
    let mut ends = vec![Instant::now()];
    for _ in 0..steps {
        run.step()?;
        ends.push(Instant::now());
    }
    let conditions = format!("{NETWORK} rounded, {steps} steps of {batch} images");
    let [speed, slowing] = speeds("training", &conditions, batch, &ends);
    let memory = memory.figure("training", &conditions)?;
    Ok(vec![speed, slowing, memory])
}

/// Speed of each part of a run, and that of the last fifth of the parts against the first.
fn speeds(name: &str, conditions: &str, images: usize, ends: &[Instant]) -> [Figure; 2] {
    let parts = ends.windows(2).map(|ends| ends[1] - ends[0]);
    let speeds: Vec<f64> = parts.map(|p| images as f64 / p.as_secs_f64()).collect();
    let fifth = speeds.len().div_ceil(FIFTH);
    let median = |part: &[f64]| Figure::new(name, conditions, "images/s", part.to_vec()).median;
    let (first, last) = (&speeds[..fifth], &speeds[speeds.len() - fifth..]);
    let ratio = median(last) / median(first);
    let slowing = format!("{name}, its last fifth of its first");
    [
        Figure::new(name, conditions, "images/s", speeds),
        Figure::new(&slowing, conditions, "1", vec![ratio]).against(Aim::AtLeast(0.8)),
    ]
}

/// The most memory that this program has held since a moment, with what it held already: topics
/// that were measured before leave some.
struct Peak;

impl Peak {
    /// From now on; the kernel's mark is put back.
    fn start() -> Result<Self, BenchError> {
        let marks = Path::new("/proc/self/clear_refs");
        fs::write(marks, "5").map_err(BenchError::file(marks))?;
        Ok(Self)
    }

    fn figure(self, name: &str, conditions: &str) -> Result<Figure, BenchError> {
        let status = Path::new("/proc/self/status");
        let text = fs::read_to_string(status).map_err(BenchError::file(status))?;
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let number = line.and_then(|line| line.trim().strip_suffix(" kB"));
        let kib: f64 = number.and_then(|n| n.parse().ok()).unwrap_or(f64::NAN);
        let name = format!("{name}, most memory");
        let figure = Figure::new(&name, conditions, "MiB", vec![kib / 1024.0]);
        Ok(figure.against(Aim::Below(2048.0)))
    }
}
