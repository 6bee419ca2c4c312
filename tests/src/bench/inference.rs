//! Images per second of inference in integers, in turn with onnxruntime's in 8 bits where it is
//! installed, and how fast depthwise layers multiply.

use super::networks::{MOBILENET, image, model, noise};
use super::report::{Aim, BenchError, Figure};
use super::rival::Rival;
use super::{Options, pythons};
use brownout_golden::export::export;
use brownout_golden::infer::{IntegerNetwork, Workspace};
use brownout_golden::model::IntegerModel;
use brownout_golden::train::TrainingOptions;
use brownout_spec::program::Operation;
use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};

/// Images of onnxruntime's batches.
const BATCH: usize = 128;
/// Batches of one turn: fewer would be over before all cores are awake.
const BATCHES: usize = 16;
/// Images that ranges of activations are observed on.
const OBSERVED: usize = 32;
/// How long one layer is run again and again.
const LONG: Duration = Duration::from_millis(5);
/// A ResNet-20 that onnxruntime's static quantizer made, uint8 activations and int8 weights. It is
/// not in the repository, but where the tests' data are.
const RESNET20: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../shared/data/networks/resnet20-qdq-u8s8.onnx"
);

/// A network here, what onnxruntime is asked to run, and the least share of its speed.
struct Contest {
    network: &'static str,
    theirs: Option<&'static str>,
    aim: f64,
}

/// Speeds, ratios to onnxruntime's, and shares of the multiply rate.
pub fn measure(options: &Options) -> Result<Vec<Figure>, BenchError> {
    let threads = std::thread::available_parallelism().map_or(1, |n| n.get());
    let mut onnxruntime = pythons::onnxruntime(threads);
    match &onnxruntime {
        Some(it) => println!("\nin turn with {}, {threads} threads each", it.version()),
        None => println!(
            "\nonnxruntime is not installed: nothing is compared with it \
             (make tools, or BROWNOUT_PYTHON names the Python that has it)"
        ),
    }
    let contests = [
        Contest {
            network: "resnet20",
            theirs: Path::new(RESNET20).is_file().then_some(RESNET20),
            aim: 1.5,
        },
        Contest {
            network: MOBILENET,
            theirs: Some(MOBILENET),
            aim: 1.0,
        },
    ];
    let mut figures = Vec::new();
    for contest in contests {
        figures.extend(contest.measure(options, onnxruntime.as_mut())?);
    }
    figures.extend(depthwise(options)?);
    Ok(figures)
}

fn integers(network: &str) -> Result<IntegerModel, BenchError> {
    let settings = TrainingOptions {
        quiet: true,
        ..TrainingOptions::default()
    };
    let data = noise(image(network), OBSERVED);
    Ok(export(&model(network)?.calibrate(&data, &settings)?, None)?)
}

impl Contest {
    fn measure(
        &self,
        options: &Options,
        mut onnxruntime: Option<&mut Rival>,
    ) -> Result<Vec<Figure>, BenchError> {
        let (batch, batches) = match options.quick {
            true => (OBSERVED, 1),
            false => (BATCH, BATCHES),
        };
        let images = batch * batches;
        let model = integers(self.network)?;
        let data = noise(image(self.network), images);
        let network = IntegerNetwork::undisturbed(&model);
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        // The first turn finds out what is needed, and is not counted.
        for turn in 0..=options.repetitions {
            let start = Instant::now();
            black_box(network.count_correct(&data));
            let speed = images as f64 / start.elapsed().as_secs_f64();
            ours.extend((turn > 0).then_some(speed));
            if let (Some(onnxruntime), Some(name)) = (&mut onnxruntime, self.theirs) {
                let asked = format!("infer\t{name}\t{batch}\t{batches}");
                let speed = images as f64 / onnxruntime.time(&asked)?.as_secs_f64();
                theirs.extend((turn > 0).then_some(speed));
            }
        }
        let conditions = format!("{}, batch {batch}", self.network);
        let figure = |name, values| Figure::new(name, &conditions, "images/s", values);
        let mut figures = vec![figure("inference in integers", ours.clone())];
        if !theirs.is_empty() {
            let ratios = ours.iter().zip(&theirs).map(|(ours, theirs)| ours / theirs);
            let share = format!("{conditions}, of onnxruntime's int8, in turn");
            let ratio = Figure::new("inference in integers", &share, "1", ratios.collect());
            figures.push(figure("onnxruntime int8", theirs));
            figures.push(ratio.against(Aim::AtLeast(self.aim)));
        }
        Ok(figures)
    }
}

/// How fast the depthwise layers of a MobileNet multiply, of all layers of a ResNet-20, on one
/// thread and in turn: those of either stride, all together and the slowest.
fn depthwise(options: &Options) -> Result<Vec<Figure>, BenchError> {
    let (resnet, mobilenet) = (integers("resnet20")?, integers(MOBILENET)?);
    let whole = Layers::new(&resnet, |_| true);
    let strides = [1, 2].map(|stride| {
        let of = move |operation: &Operation| match *operation {
            Operation::Convolution { window, groups, .. } => {
                groups > 1 && window.stride.rows == stride
            }
            _ => false,
        };
        (stride, Layers::new(&mobilenet, of))
    });
    let mut figures = Vec::new();
    for (stride, mut layers) in strides {
        let mut whole = whole.clone();
        let (mut all, mut slowest) = (Vec::new(), Vec::new());
        for _ in 0..options.repetitions {
            let resnet = whole.rates(options).0;
            let (together, least) = layers.rates(options);
            all.push(together / resnet);
            slowest.push(least / resnet);
        }
        let of = |which: &str| format!("{which} of {MOBILENET}'s with stride {stride}");
        let name = "depthwise, of resnet20's multiply rate";
        let all = Figure::new(name, &of("all"), "1", all);
        figures.push(all.against(Aim::AtLeast(0.2)));
        figures.push(Figure::new(name, &of("slowest"), "1", slowest));
    }
    Ok(figures)
}

/// Some layers with weights of a network, and what they read.
#[derive(Clone)]
struct Layers<'m> {
    network: IntegerNetwork<'m>,
    chosen: Vec<usize>,
    workspace: Workspace,
}

impl<'m> Layers<'m> {
    fn new(model: &'m IntegerModel, is_wanted: impl Fn(&Operation) -> bool) -> Self {
        let network = IntegerNetwork::undisturbed(model);
        let mut workspace = network.workspace();
        let image = noise(model.network.input, 1);
        network.run(&model.quantize(image.image(0)), &mut workspace);
        let layers = model.network.layers.iter().enumerate();
        let wanted = layers
            .filter(|(_, layer)| layer.operation.has_weights() && is_wanted(&layer.operation));
        Self {
            chosen: wanted.map(|(index, _)| index).collect(),
            network,
            workspace,
        }
    }

    /// Multiplications a second of all chosen layers together, and of the slowest.
    fn rates(&mut self, options: &Options) -> (f64, f64) {
        let least = if options.quick { Duration::ZERO } else { LONG };
        let multiplications = self.network.multiplications();
        let (mut count, mut seconds, mut slowest) = (0, 0.0, f64::INFINITY);
        for &layer in &self.chosen {
            let (start, mut runs) = (Instant::now(), 0);
            while runs == 0 || start.elapsed() < least {
                for _ in 0..16 {
                    self.network.run_layer(layer, &mut self.workspace);
                }
                runs += 16;
            }
            let once = start.elapsed().as_secs_f64() / f64::from(runs);
            count += multiplications[layer];
            seconds += once;
            slowest = slowest.min(multiplications[layer] as f64 / once);
        }
        (count as f64 / seconds, slowest)
    }
}
