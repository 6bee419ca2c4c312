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
use crate::data::Dataset;
use crate::float::{Part, StateParts, Taker, decode, encode};
use crate::network::{LayerGradients, Parameters};
use crate::quantize::WeightGrid;
use brownout_spec::text::printable;
use serde::{Deserialize, Serialize};

/// Version of the state that this program writes and goes on from.
pub const STATE_VERSION: u32 = 1;

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct State {
    version: u32,
    options: TrainingOptions,
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
            hasher.update(data.image(image));
        }
        hasher.update(&data.labels);
        Self {
            name: data.name.clone(),
            images: data.len(),
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
                        bytes: values.iter().flat_map(|v| v.to_le_bytes()).collect(),
                    })
            });
        let parts = StateParts {
            header: serde_json::to_value(&state).expect("a state is plain data"),
            tensors: tensors.collect(),
        };
        encode(&self.model, None, Some(parts))
    }

    /// The run that wrote these bytes, with the data and the options that it had.
    ///
    /// # Errors
    /// A sentence when they are no state, or one of other data or options.
    pub fn resume(
        bytes: &[u8],
        data: &'d Dataset,
        options: &TrainingOptions,
    ) -> Result<Self, TrainError> {
        let (checkpoint, (state, velocities)) = decode(bytes, |text, parameters, taker| {
            read(text, parameters, taker, data, options)
        })
        .map_err(TrainError::State)?;
        let mut run = Self::new(checkpoint.model, data, options)?;
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
        let mut numbers = state.ranges.iter().chain(&state.range_velocities);
        if !numbers.all(|r| r.is_finite()) {
            return Err(problem("a range of the state is not finite"));
        }
        for (index, saved) in state.quantizers.into_iter().enumerate() {
            let Some(saved) = saved else { continue };
            let Some(layer) = &run.model.parameters.layers[index] else {
                return Err(problem(
                    "the state has a quantizer of a layer without weights",
                ));
            };
            let outputs = layer.bias.len();
            let quantizer = LayerQuantizer::resume(saved.fixed, &saved.learned, options)
                .and_then(|quantizer| {
                    let grid = quantizer.grid(&layer.weight, options);
                    let grid = grid.map_err(|e| e.to_string())?;
                    grid.validate(outputs, options.weight_bits)?;
                    Ok(quantizer)
                })
                .map_err(|e| TrainError::State(format!("layer {index}: {e}")))?;
            if state.learned[index].len() > quantizer.learned().len() {
                return Err(problem("the state has more velocities than learned ranges"));
            }
            run.quantizers[index] = Some(quantizer);
        }
        run.optimizer.velocities = velocities;
        run.optimizer.learned = state.learned;
        run.optimizer.ranges = state.range_velocities;
        run.ranges = state.ranges;
        run.gate = state.gate;
        run.step = state.step;
        run.losses = state.losses;
        run.epoch_loss = state.epoch_loss;
        Ok(run)
    }
}

type Velocities = Vec<Option<LayerGradients>>;

fn read(
    header: Option<serde_json::Value>,
    parameters: &Parameters,
    taker: &mut Taker<'_, '_>,
    data: &Dataset,
    options: &TrainingOptions,
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
        Ok(serde_json::Value::Object(fields)) => fields,
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
