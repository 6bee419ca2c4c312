//! Images per second of training and inference in software, in turn with PyTorch where it
//! is installed. Both use all processors; a turn's speeds are compared with each other only.

use super::networks::{MOBILENET, image, model, noise};
use super::report::{Aim, BenchError, Figure};
use super::rival::Rival;
use super::{Options, pythons};
use brownout_golden::data::Dataset;
use brownout_golden::export::export;
use brownout_golden::float::FloatModel;
use brownout_golden::infer::IntegerNetwork;
use brownout_golden::model::IntegerModel;
use brownout_golden::network::Precision;
use brownout_golden::train::{Run, TrainingOptions};
use std::fmt;
use std::hint::black_box;
use std::time::Instant;

/// Images of a step, and of PyTorch's batches.
const BATCH: usize = 128;
const CHUNK: usize = 32;
/// Batches of one turn.
const BATCHES: usize = 2;
/// The same of inference in integers, of which 256 images are over before all cores are awake.
const INTEGER_BATCHES: usize = 8;

/// What PyTorch is asked to do.
#[derive(Clone, Debug)]
struct Request {
    /// `train` or `eval`.
    kind: &'static str,
    network: &'static str,
    /// `fp32` or `bf16`.
    precision: &'static str,
    /// Images of a step.
    batch: usize,
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            kind,
            network,
            precision,
            batch,
        } = self;
        write!(f, "{kind} {network} {precision} {batch}")
    }
}

/// Something that is timed in turn with PyTorch.
struct Contest {
    name: &'static str,
    network: &'static str,
    ours: Work,
    /// What it is compared with, and the least share of its speed.
    theirs: Vec<(Request, Option<Aim>)>,
}

/// What Brownout does.
enum Work {
    /// Steps of training, with weights and activations rounded or not.
    Train {
        quantized: bool,
        precision: Precision,
    },
    /// Inference in floating point.
    Score,
    /// Inference in integers.
    Count,
}

/// What is measured: the networks of the papers, and those with other shapes.
fn contests(quick: bool) -> Vec<Contest> {
    let request = |kind, network, precision| Request {
        kind,
        network,
        precision,
        batch: if quick { CHUNK } else { BATCH },
    };
    let train = |network, quantized, aim| Contest {
        name: match quantized {
            true => "training, quantized",
            false => "training",
        },
        network,
        ours: Work::Train {
            quantized,
            precision: Precision::Single,
        },
        theirs: vec![(request("train", network, "fp32"), aim)],
    };
    let mut single = train("resnet20", false, Some(Aim::AtLeast(1.3)));
    (single.theirs).push((request("train", "resnet20", "bf16"), None));
    let fast = Precision::Bfloat16.has_instructions();
    let bfloat16 = Contest {
        name: "training in bfloat16",
        network: "resnet20",
        ours: Work::Train {
            quantized: false,
            precision: Precision::Bfloat16,
        },
        theirs: vec![(
            request("train", "resnet20", "bf16"),
            fast.then_some(Aim::AtLeast(1.2)),
        )],
    };
    let no_cliff = Some(Aim::AtLeast(1.0 / 1.5));
    let mut contests = vec![
        single,
        bfloat16,
        train("resnet20", true, None),
        Contest {
            name: "inference",
            network: "resnet20",
            ours: Work::Score,
            theirs: vec![(request("eval", "resnet20", "fp32"), Some(Aim::AtLeast(1.6)))],
        },
        Contest {
            name: "inference in integers",
            network: "resnet20",
            ours: Work::Count,
            theirs: vec![(request("eval", "resnet20", "bf16"), Some(Aim::AtLeast(3.0)))],
        },
        train(MOBILENET, false, Some(Aim::AtLeast(1.0))),
    ];
    if !quick {
        let others = [
            "resnet56",
            "resnet20-b",
            "simplenet-bn:16",
            "simplenet:32",
            "cnn",
            "mlp",
        ];
        contests.extend(others.map(|network| train(network, false, no_cliff)));
    }
    contests
}

/// Speeds, and ratios to PyTorch's.
pub fn measure(options: &Options) -> Result<Vec<Figure>, BenchError> {
    let threads = std::thread::available_parallelism().map_or(1, |n| n.get());
    let mut pytorch = pythons::pytorch(threads);
    match &pytorch {
        Some(pytorch) => println!(
            "\nin turn with {}, {threads} threads each",
            pytorch.version()
        ),
        None => println!(
            "\nPyTorch is not installed: nothing is compared with it \
             (BROWNOUT_PYTHON names the Python that has it)"
        ),
    }
    let mut figures = Vec::new();
    for contest in contests(options.quick) {
        figures.extend(contest.measure(options, pytorch.as_mut())?);
    }
    Ok(figures)
}

impl Contest {
    fn measure(
        &self,
        options: &Options,
        mut pytorch: Option<&mut Rival>,
    ) -> Result<Vec<Figure>, BenchError> {
        let (batch, batches) = match (options.quick, &self.ours) {
            (true, _) => (CHUNK, 1),
            (false, Work::Count) => (BATCH, INTEGER_BATCHES),
            (false, _) => (BATCH, BATCHES),
        };
        let images = (batch * batches) as f64;
        let data = noise(image(self.network), batch * batches);
        let mut side = Side::new(self, batch, &data)?;
        let mut ours = Vec::new();
        let mut theirs = vec![Vec::new(); self.theirs.len()];
        // The first turn finds out what is needed, and is not counted.
        for turn in 0..=options.repetitions {
            let start = Instant::now();
            side.work(batches)?;
            let speed = images / start.elapsed().as_secs_f64();
            ours.extend((turn > 0).then_some(speed));
            let Some(pytorch) = &mut pytorch else {
                continue;
            };
            for ((request, _), speeds) in self.theirs.iter().zip(&mut theirs) {
                let speed = images / pytorch.time(&format!("{request} {batches}"))?.as_secs_f64();
                speeds.extend((turn > 0).then_some(speed));
            }
        }
        let conditions = format!("{}, batch {batch}", self.network);
        let mut figures = vec![Figure::new(
            self.name,
            &conditions,
            "images/s",
            ours.clone(),
        )];
        let compared = self.theirs.iter().zip(theirs);
        for ((request, aim), theirs) in compared.filter(|(_, theirs)| !theirs.is_empty()) {
            let ratios = ours.iter().zip(&theirs).map(|(ours, theirs)| ours / theirs);
            let share = format!(
                "{conditions}, of PyTorch's in {}, in turn",
                request.precision
            );
            let ratio = Figure::new(self.name, &share, "1", ratios.collect());
            let name = format!("PyTorch {} {}", request.kind, request.precision);
            figures.push(Figure::new(&name, &conditions, "images/s", theirs));
            figures.push(match aim {
                Some(aim) => ratio.against(*aim),
                None => ratio,
            });
        }
        Ok(figures)
    }
}

/// What works on Brownout's side.
enum Side<'d> {
    Training(Box<Run<'d>>),
    Scoring(Box<FloatModel>, &'d Dataset),
    Counting(Box<IntegerModel>, &'d Dataset),
}

impl<'d> Side<'d> {
    fn new(contest: &Contest, batch: usize, data: &'d Dataset) -> Result<Self, BenchError> {
        let model = model(contest.network)?;
        let settings = TrainingOptions {
            epochs: 10_000,
            batch,
            chunk: CHUNK,
            // Noise is not learned; small steps keep the loss finite.
            learning_rate: 1e-3,
            float_share: match contest.ours {
                Work::Train {
                    quantized: false, ..
                } => 0.99,
                _ => 0.0,
            },
            precision: match contest.ours {
                Work::Train { precision, .. } => precision,
                _ => Precision::Single,
            },
            frozen_share: 0.0,
            quiet: true,
            ..TrainingOptions::default()
        };
        Ok(match contest.ours {
            Work::Train { .. } => Self::Training(Box::new(Run::new(model, data, &settings)?)),
            Work::Score => Self::Scoring(Box::new(model), data),
            Work::Count => {
                let quantized = model.calibrate(&data.first(CHUNK), &settings)?;
                Self::Counting(Box::new(export(&quantized, None)?), data)
            }
        })
    }

    /// So many steps, or all images once.
    fn work(&mut self, steps: usize) -> Result<(), BenchError> {
        match self {
            Self::Training(run) => {
                for _ in 0..steps {
                    run.step()?;
                }
            }
            Self::Scoring(model, data) => {
                black_box(model.score(data));
            }
            Self::Counting(model, data) => {
                black_box(IntegerNetwork::undisturbed(model).count_correct(data));
            }
        }
        Ok(())
    }
}
