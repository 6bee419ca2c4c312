//! Making networks: training, and rounding without training.

use super::keys::weights_of;
use super::ledger::NetworkResult;
use super::recipe::{Network, Rounded, settings};
use super::steps::{CHECKPOINT, MODEL, Work, entry};
use crate::error::Error;
use crate::files;
use crate::judgement::{self, CALIBRATION_IMAGES};
use crate::provenance::digest;
use crate::train::{self, Plan};
use brownout_golden::export::{check_start, export};
use brownout_golden::float::{Checkpoint, FloatModel, MAX_FILE_BYTES};
use brownout_golden::infer::IntegerNetwork;
use brownout_golden::model::InputMap;
use brownout_golden::network::{Builtin, Epsilon};
use brownout_golden::quantize::Granularity;
use brownout_golden::state_dict::{Metadata, Target, state_dict_from};
use brownout_golden::train::TrainingOptions;
use std::time::Instant;

/// Ending of the state of a training that is not done; another training has another one.
fn state(key: &str) -> String {
    format!("{}.state", key.get(..8).unwrap_or(key))
}

/// What is said where a trained network is needed and none is given.
pub(super) fn no_start() -> Error {
    Error::Recipe("--start FILE is missing; the study starts from a trained network".to_owned())
}

impl Work<'_> {
    /// The network that a network's training starts from.
    fn first(&mut self, network: &Network, options: &TrainingOptions) -> Result<FloatModel, Error> {
        let study = self.study;
        if let Some(from) = study.origin(network) {
            return Ok(FloatModel::read(&self.checkpoint(from)?)?);
        }
        if network.network.is_none() && study.start.is_some() {
            return self.start_model();
        }
        let form = study.form(network).map_err(Error::Recipe)?;
        let builtin = form.builtin().ok_or_else(no_start)?;
        let data = self.source()?;
        train::fresh((builtin, study.classes), data, self.split()?, options)
    }

    /// The network of `--start`, and from then on no other one.
    pub(super) fn start_model(&mut self) -> Result<FloatModel, Error> {
        let study = self.study;
        let start = study.start.as_ref().expect("asked for where there is one");
        let path = self.start.ok_or_else(no_start)?;
        let bytes = files::read_up_to(path, MAX_FILE_BYTES)?;
        let model = if Checkpoint::recognizes(&bytes) {
            FloatModel::from_bytes(&bytes, path)?
        } else {
            let network = study.common().map_err(Error::Recipe)?;
            let refused = |field: &str, found: &str, allowed: &str| {
                Error::Recipe(format!(
                    "{field} {found}; {allowed}, since {} is a state dict",
                    path.display()
                ))
            };
            let network = network.builtin().ok_or_else(|| {
                let allowed = "allowed is one of the built-in networks, or a checkpoint for --start (import --onnx writes one)";
                refused("network", &format!("is {network}"), allowed)
            })?;
            let input = start.input.as_ref().ok_or_else(|| {
                refused(
                    "[start] input",
                    "is missing",
                    "it has to say how pixels were normalised",
                )
            })?;
            let metadata = Metadata::from_bytes(&bytes, path)?;
            let said = (start.epsilon).or(metadata.map(|own| own.epsilon));
            let epsilon = said.unwrap_or(Epsilon::DEFAULT);
            if said.is_none() {
                self.output.remark(format!(
                    "nobody says the epsilon of the norms of {}: {epsilon} is assumed ([start] epsilon says another)",
                    path.display()
                ));
            }
            let source = self.source()?.clone();
            let split = self.split()?;
            let (image, outputs) = (split.train.shape(), source.outputs(split));
            let input: InputMap = input.parse().map_err(Error::Recipe)?;
            let input = input.for_channels(image.channels);
            let target = Target {
                network,
                image,
                classes: study.classes.unwrap_or(outputs),
                input: input.map_err(|e| Error::Recipe(format!("start.input: {e}")))?,
                epsilon,
            };
            state_dict_from(&bytes, path, &target)?
        };
        let wanted = study.common().map_err(Error::Recipe)?;
        if model.network != wanted {
            return Err(Error::flag(
                "--start",
                format!("{}, which is {}", path.display(), model.network),
                format!("{wanted}, the study's network"),
            ));
        }
        // Where the file came from is not what the network is.
        let digest = digest(&[&FloatModel {
            origin: String::new(),
            ..model.clone()
        }
        .to_bytes()]);
        match &self.ledger.start {
            Some(other) if *other != digest => Err(Error::flag(
                "--start",
                path.display(),
                format!(
                    "the network that the results in {} started from, or another folder for the results (--out)",
                    self.folder.display()
                ),
            )),
            _ => {
                self.ledger.start = Some(digest);
                Ok(model)
            }
        }
    }

    /// How a network is trained; `None` if it is not.
    pub(super) fn options(&self, network: &Network) -> Result<Option<TrainingOptions>, Error> {
        let Some(own) = &network.training else {
            return Ok(None);
        };
        let mut options: TrainingOptions = settings(&self.study.training(own), "training")?;
        let named = |e| Error::Recipe(format!("training: {e}"));
        options.validate().map_err(named)?;
        options.quiet = self.output.quiet;
        Ok(Some(options))
    }

    /// Makes a network, unless it is done and its files are there or not needed.
    ///
    /// # Errors
    /// When a setting or a file is not allowed, or training is interrupted.
    pub(super) fn network(&mut self, network: &Network) -> Result<bool, Error> {
        if network.file.is_some() {
            if self.misses(network)? {
                self.readable(network)?;
            }
            let weights = self.weights(network)?;
            self.ledger.networks.remove(&network.name);
            self.ledger.weights.insert(weights_of(network), weights);
            return Ok(false);
        }
        // Files that are not there are only missed where something is still to be measured.
        let is_done = self.network_is_done(network)?;
        if is_done && !self.misses(network)? {
            return Ok(false);
        }
        let key = self.network_key(network);
        let known = self.ledger.networks.get(&network.name);
        self.output
            .remark(match known.is_some_and(|entry| entry.is(&key)) {
                true if is_done => format!("network {}, whose files are needed", network.name),
                true => format!(
                    "network {}, whose files the ledger does not know",
                    network.name
                ),
                false => format!("network {}", network.name),
            });
        let start = Instant::now();
        let result = match (self.options(network)?, network.rounded) {
            (Some(options), _) => self.train(network, options)?,
            (None, Some(rounded)) => self.round(network, rounded)?,
            (None, None) => return Ok(false),
        };
        let seconds = match &result {
            NetworkResult::Trained(done) => done.seconds,
            NetworkResult::Rounded { .. } => start.elapsed().as_secs_f64(),
        };
        let state = self.file(network, &state(&key));
        let entry = entry(key, seconds, result);
        // What the ledger remembers of files that are written over is no longer so.
        self.ledger.weights.remove(&weights_of(network));
        let weights = self.weights(network)?;
        self.ledger.weights.insert(weights_of(network), weights);
        self.ledger.networks.insert(network.name.clone(), entry);
        self.ledger.write(self.folder)?;
        // It is of no use any more, and larger than the network.
        let _ = std::fs::remove_file(state);
        Ok(true)
    }

    fn train(
        &mut self,
        network: &Network,
        options: TrainingOptions,
    ) -> Result<NetworkResult, Error> {
        let start = self.first(network, &options)?;
        let exportable = check_start(&start, &options).is_ok();
        let model = self.file(network, MODEL);
        if !exportable && model.exists() {
            // Of an earlier training; it would be taken for this one's.
            std::fs::remove_file(&model).map_err(Error::file("remove", &model))?;
        }
        let plan = Plan {
            // What is trained is `start`; of a graph there is no other.
            network: start.network.builtin().unwrap_or(Builtin::Cnn),
            from: None,
            own_grids: false,
            said: train::Said::default(),
            data: self.source()?.clone(),
            train_images: self.study.train_images,
            classes: self.study.classes,
            out: exportable.then_some(model),
            checkpoint: Some(self.file(network, CHECKPOINT)),
            state: Some(self.file(network, &state(&self.network_key(network)))),
            options,
            accept: self.accept,
        };
        let output = self.output;
        let (done, _) = train::complete(start.into(), self.split()?, &plan, output)?;
        Ok(NetworkResult::Trained(done))
    }

    fn round(&mut self, network: &Network, rounded: Rounded) -> Result<NetworkResult, Error> {
        let options = TrainingOptions {
            weight_bits: rounded.weight_bits,
            code: rounded.code,
            granularity: match rounded.per_channel {
                true => Granularity::Channel,
                false => Granularity::Tensor,
            },
            ..TrainingOptions::default()
        };
        options
            .validate()
            .map_err(|e| Error::Recipe(format!("network {:?}: {e}", network.name)))?;
        let start = self.start_model()?;
        let (checkpoint, model) = (self.file(network, CHECKPOINT), self.file(network, MODEL));
        let (accept, output) = (self.accept, self.output);
        let split = self.split()?;
        let count = CALIBRATION_IMAGES.min(split.train.len());
        let calibration = split.train.first(count);
        let quantized = start.calibrate(&calibration, &options)?;
        let exported = export(&quantized, None)?;
        judgement::check(&quantized, &exported, &calibration, accept, output)?;
        let accuracy = IntegerNetwork::undisturbed(&exported).accuracy(&split.test);
        let images = split.test.len();
        files::write(&checkpoint, &quantized.to_bytes())?;
        train::write(&exported, &model)?;
        Ok(NetworkResult::Rounded {
            accuracy_integer: accuracy,
            images,
        })
    }
}
