//! A run that survives its process: everything that the next step depends on, as a file.
//!
//! It is a checkpoint of the network as it is, with the part `training` in its JSON
//! text, and the optimizer's velocities as tensors `velocity{i}.weight`, `.offset`,
//! `.bias` and `.gain` of layer i. Order of images, augmentation and disturbed cells
//! follow from the seed and the number of the step, so they are not kept. A run that
//! goes on from it ends with the same bits as one that was never broken off.

use super::error::TrainError;
use super::options::TrainingOptions;
use super::quantizer::LayerQuantizer;
use super::run::Run;
use super::start::Start;
use crate::data::Dataset;
use crate::float::{Form, Part, StateParts, Taker, decode, encode};
use crate::model::InputMap;
use crate::network::{Epsilon, LayerGradients, LayerParameters, Parameters};
use crate::quantize::{Granularity, WeightGrid};
use brownout_spec::program::Shape;
use brownout_spec::text::printable;
use serde::{Deserialize, Serialize};

/// Version of the state that this program writes and goes on from.
pub const STATE_VERSION: u32 = 2;

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct State {
    version: u32,
    options: TrainingOptions,
    start: StartMark,
    data: DataMark,
    step: usize,
    gate: bool,
    losses: Vec<f32>,
    epoch_loss: f32,
    ranges: Vec<f32>,
    /// `None` until quantization has begun, and in layers without weights.
    quantizers: Vec<Option<QuantizerState>>,
    /// Velocities of what the quantizers have learned.
    learned: Vec<Vec<f32>>,
    /// Velocities of the ranges.
    range_velocities: Vec<f32>,
}

/// The part that must be understood before anything else is.
#[derive(Deserialize)]
struct Version {
    version: u32,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct QuantizerState {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    fixed: Option<WeightGrid>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    learned: Vec<f32>,
}

/// What tells one data set from another.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct DataMark {
    name: String,
    images: usize,
    /// BLAKE3 of pixels and labels, in hexadecimal.
    hash: String,
}

impl DataMark {
    fn of(data: &Dataset) -> Self {
        let mut hasher = blake3::Hasher::new();
        for image in 0..data.len() {
            hasher.update(&data.image(image).identity());
        }
        hasher.update(&data.label_identity());
        Self {
            name: data.name.clone(),
            images: data.len(),
            hash: hasher.finalize().to_hex().to_string(),
        }
    }
}

/// What tells the network that a run started from from others.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StartMark {
    network: String,
    image: Shape,
    classes: usize,
    input: InputMap,
    /// BLAKE3 of its parameters, in hexadecimal; and of its ε, where that is not the usual one, or
    /// of the layers of a graph, and of its own grids, if it goes on from them.
    hash: String,
}

impl StartMark {
    pub fn of(start: &Start) -> Self {
        let model = &start.model;
        let mut hasher = blake3::Hasher::new();
        let mut add = |values: &mut dyn Iterator<Item = &f32>| {
            for value in values {
                hasher.update(&value.to_le_bytes());
            }
        };
        for layer in model.parameters.layers.iter().flatten() {
            add(&mut layer.weight.iter());
            let optional = [&layer.offset, &layer.gain].into_iter().flatten();
            let vectors = [&layer.bias, &layer.mean, &layer.variance];
            for vector in vectors.into_iter().chain(optional) {
                add(&mut vector.iter());
            }
        }
        match &model.network {
            // Only another one, so that older states keep their meaning.
            Form::Builtin(_) => {
                let epsilon = model.architecture.epsilon().unwrap_or_default();
                if epsilon != Epsilon::DEFAULT {
                    add(&mut [epsilon.value()].iter());
                }
            }
            // A name says nothing of its layers.
            Form::Graph(_) => {
                let architecture = &model.architecture;
                let layers = (&architecture.network, &architecture.styles);
                let text = serde_json::to_vec(&layers).expect("layers are plain data");
                hasher.update(&text);
            }
        }
        if let Some(grids) = &start.grids {
            hasher.update(&serde_json::to_vec(grids).expect("grids are plain data"));
        }
        Self {
            network: model.network.to_string(),
            image: model.image,
            classes: model.architecture.classes(),
            input: model.input,
            hash: hasher.finalize().to_hex().to_string(),
        }
    }
}

const PARTS: [&str; 4] = ["weight", "offset", "bias", "gain"];

fn fields(layer: &LayerGradients) -> [&Vec<f32>; 4] {
    [&layer.weight, &layer.offset, &layer.bias, &layer.gain]
}

fn fields_mut(layer: &mut LayerGradients) -> [&mut Vec<f32>; 4] {
    [
        &mut layer.weight,
        &mut layer.offset,
        &mut layer.bias,
        &mut layer.gain,
    ]
}

impl<'d> Run<'d> {
    /// The bytes of the state.
    pub fn to_bytes(&self) -> Vec<u8> {
        let quantizers = self.quantizers.iter().map(|quantizer| {
            let quantizer = quantizer.as_ref()?;
            Some(QuantizerState {
                fixed: match quantizer {
                    LayerQuantizer::Fixed(grid) => Some(grid.clone()),
                    _ => None,
                },
                learned: quantizer.learned(),
            })
        });
        let state = State {
            version: STATE_VERSION,
            options: self.options.clone(),
            start: self.start.clone(),
            data: DataMark::of(self.data),
            step: self.step,
            gate: self.gate,
            losses: self.losses.clone(),
            epoch_loss: self.epoch_loss,
            ranges: self.ranges.clone(),
            quantizers: quantizers.collect(),
            learned: self.optimizer.learned.clone(),
            range_velocities: self.optimizer.ranges.clone(),
        };
        let velocities = self.optimizer.velocities.iter().enumerate();
        let tensors = velocities
            .filter_map(|(index, layer)| Some((index, layer.as_ref()?)))
            .flat_map(|(index, layer)| {
                PARTS
                    .iter()
                    .zip(fields(layer))
                    .map(move |(part, values)| Part {
                        name: format!("velocity{index}.{part}"),
                        shape: vec![values.len()],
                        values: values.into(),
                    })
            });
        let parts = StateParts {
            header: serde_json::to_value(&state).expect("a state is plain data"),
            tensors: tensors.collect(),
        };
        encode(&self.model, None, Some(parts))
    }

    /// The run that wrote these bytes, with the network that it started from, the data and
    /// the options that it had.
    ///
    /// # Errors
    /// A sentence when they are no state, or one of another network, other data or options.
    pub fn resume(
        bytes: &[u8],
        start: impl Into<Start>,
        data: &'d Dataset,
        options: &TrainingOptions,
    ) -> Result<Self, TrainError> {
        let start = start.into();
        let (checkpoint, (state, velocities)) = decode(bytes, |text, parameters, taker| {
            read(text, parameters, taker, (&start, data, options))
        })
        .map_err(TrainError::State)?;
        let now = Start {
            model: checkpoint.model,
            grids: start.grids,
        };
        let mut run = Self::new(now, data, options)?;
        let problem = |problem: &str| TrainError::State(problem.to_owned());
        let layers = run.model.parameters.layers.len();
        if state.quantizers.len() != layers
            || state.learned.len() != layers
            || state.ranges.len() != layers + 1
            || state.range_velocities.len() != layers + 1
        {
            return Err(problem("the state is one of another network"));
        }
        if state.step > run.steps() || state.losses.len() != state.step / run.steps_an_epoch() {
            return Err(problem(
                "the state has taken more steps or finished other epochs than such a run has",
            ));
        }
        let numbers = state.ranges.iter().chain(&state.range_velocities);
        let numbers = numbers.chain(&state.losses).chain([&state.epoch_loss]);
        if !(numbers.chain(state.learned.iter().flatten())).all(|n| n.is_finite()) {
            return Err(problem("a number of the state is not finite"));
        }
        let begun = state.step > run.float_steps();
        for (index, saved) in state.quantizers.into_iter().enumerate() {
            let layer = run.model.parameters.layers[index].as_ref();
            let layer = layer.filter(|layer| layer.has_weights());
            let (saved, layer) = match (saved, layer) {
                (Some(saved), Some(layer)) if begun => (saved, layer),
                (None, Some(_)) if !begun => continue,
                (None, None) => continue,
                _ => {
                    return Err(problem(
                        "the state has quantizers where its run has none, or none where it has some",
                    ));
                }
            };
            let quantizer = quantizer(saved, layer, options)
                .map_err(|e| TrainError::State(format!("layer {index}: {e}")))?;
            let velocities = state.learned[index].len();
            if velocities != quantizer.learned().len() {
                return Err(problem(
                    "the state has other velocities than learned ranges",
                ));
            }
            run.quantizers[index] = Some(quantizer);
        }
        run.optimizer.velocities = velocities;
        run.optimizer.learned = state.learned;
        run.optimizer.ranges = state.range_velocities;
        run.start = state.start;
        run.ranges = state.ranges;
        run.gate = state.gate;
        run.step = state.step;
        run.losses = state.losses;
        run.epoch_loss = state.epoch_loss;
        Ok(run)
    }
}

/// A layer's quantizer as it was kept.
fn quantizer(
    saved: QuantizerState,
    layer: &LayerParameters,
    options: &TrainingOptions,
) -> Result<LayerQuantizer, String> {
    let outputs = layer.bias.len();
    let expected = match options.granularity {
        Granularity::Tensor => 1,
        Granularity::Channel => outputs,
    };
    let quantizer = LayerQuantizer::resume(saved.fixed, &saved.learned, options)?;
    let grid = quantizer.grid(&layer.weight, options);
    let grid = grid.map_err(|e| e.to_string())?;
    grid.validate(outputs, options.weight_bits)?;
    if grid.len() != expected {
        return Err(format!(
            "the state has {} grids; its run has {expected}",
            grid.len()
        ));
    }
    Ok(quantizer)
}

type Velocities = Vec<Option<LayerGradients>>;

fn read(
    header: Option<serde_json::Value>,
    parameters: &Parameters,
    taker: &mut Taker<'_, '_>,
    (start, data, options): (&Start, &Dataset, &TrainingOptions),
) -> Result<(State, Velocities), String> {
    let header = header.ok_or("this is a network without the state of its training")?;
    let unreadable = |e: serde_json::Error| {
        let problem = printable(&e.to_string());
        format!("its training state cannot be read: {problem}")
    };
    let Version { version } = Version::deserialize(&header).map_err(unreadable)?;
    if version != STATE_VERSION {
        return Err(format!(
            "the version of its training state is {version}; allowed is {STATE_VERSION}"
        ));
    }
    let state: State = serde_json::from_value(header).map_err(unreadable)?;
    if let Some(difference) = difference(&state.options, options) {
        return Err(difference);
    }
    let mark = StartMark::of(start);
    if state.start != mark {
        return Err(format!(
            "it belongs to another run: it started from network {} with parameters of hash {}, this run from {} with {}",
            printable(&state.start.network),
            printable(&state.start.hash),
            mark.network,
            mark.hash
        ));
    }
    let mark = DataMark::of(data);
    if state.data != mark {
        return Err(format!(
            "its training data are {} with {} images and hash {}; this run has {} with {} and {}",
            printable(&state.data.name),
            state.data.images,
            printable(&state.data.hash),
            mark.name,
            mark.images,
            mark.hash
        ));
    }
    let mut velocities = Vec::with_capacity(parameters.layers.len());
    for (index, layer) in parameters.layers.iter().enumerate() {
        let Some(layer) = layer else {
            velocities.push(None);
            continue;
        };
        let mut velocity = LayerGradients::zeros(layer);
        for (part, values) in PARTS.iter().zip(fields_mut(&mut velocity)) {
            *values = taker.take(&format!("velocity{index}.{part}"), &[values.len()])?;
        }
        velocities.push(Some(velocity));
    }
    taker.finish()?;
    Ok((state, velocities))
}

/// The first setting that differs, as a sentence.
fn difference(written: &TrainingOptions, now: &TrainingOptions) -> Option<String> {
    let fields = |options: &TrainingOptions| match serde_json::to_value(options) {
        Ok(serde_json::Value::Object(mut fields)) => {
            // Not written where nothing is rounded, so that older files keep their meaning.
            let precision = fields.entry("precision");
            precision.or_insert_with(|| "single".into());
            fields
        }
        _ => serde_json::Map::new(),
    };
    let (written, now) = (fields(written), fields(now));
    let keys = written.keys().chain(now.keys());
    let none = serde_json::Value::Null;
    for key in keys {
        let (a, b) = (
            written.get(key).unwrap_or(&none),
            now.get(key).unwrap_or(&none),
        );
        if a != b {
            // Settings are f32; their values here are f64.
            let text = |value: &serde_json::Value| match value.as_f64() {
                Some(number) => (number as f32).to_string(),
                None => value.to_string(),
            };
            return Some(format!(
                "it belongs to another run: its {key} is {}, this run's is {}",
                printable(&text(a)),
                printable(&text(b))
            ));
        }
    }
    None
}

#[cfg(test)]
#[path = "state_tests.rs"]
mod tests;
