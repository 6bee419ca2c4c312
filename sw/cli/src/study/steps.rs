//! Doing what is not in the ledger yet: training, rounding and measuring.

use super::energy;
use super::ledger::{AttackResult, Entry, Ledger, NetworkResult, ReadingPoint, ReadingResult, key};
use super::recipe::{Attack, Network, Reading, Rounded, Study, settings};
use crate::arguments::{AttackSettings, EvaluateSettings};
use crate::data::DataSource;
use crate::error::Error;
use crate::output::Output;
use crate::train::{self, Plan};
use crate::{attack, configuration, evaluate, files, provenance};
use brownout_golden::data::Split;
use brownout_golden::evaluate::{Record, RecordedPoint};
use brownout_golden::export::{check_form, check_options, export};
use brownout_golden::files::folder_of;
use brownout_golden::float::{Checkpoint, FloatModel, MAX_FILE_BYTES};
use brownout_golden::import::{Target, read_state_dict};
use brownout_golden::infer::IntegerNetwork;
use brownout_golden::model::IntegerModel;
use brownout_golden::quantize::Granularity;
use brownout_golden::train::TrainingOptions;
use brownout_spec::quantity::Millivolts;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Training images on which activations are observed where a network is not trained.
const CALIBRATION_IMAGES: usize = 1000;
/// Seed of the intervals of means.
const SEED: u64 = 1;
/// Ending of checkpoints.
const CHECKPOINT: &str = "float";
/// Ending of integer models.
const MODEL: &str = "safetensors";
/// Ending of the states of trainings that are not done.
const STATE: &str = "state";

/// A study at work.
pub struct Work<'a> {
    /// What is to be done.
    pub study: &'a Study,
    /// Folder of the recipe, from which other studies' files are named.
    pub beside: &'a Path,
    /// Folder of results.
    pub folder: &'a Path,
    /// Images.
    pub data: Option<&'a DataSource>,
    /// The network that trainings start from.
    pub start: Option<&'a Path>,
    /// What is done.
    pub ledger: Ledger,
    /// How much to say.
    pub output: Output,
    /// All images, once they are needed.
    split: Option<Split>,
}

impl<'a> Work<'a> {
    /// Nothing is done yet but what is in the folder's ledger.
    ///
    /// # Errors
    /// When the ledger cannot be read, or is about other images.
    pub fn new(
        study: &'a Study,
        (recipe, folder): (&'a Path, &'a Path),
        (data, start): (Option<&'a DataSource>, Option<&'a Path>),
        output: Output,
    ) -> Result<Self, Error> {
        let mut ledger = Ledger::read(folder)?;
        if let Some(data) = data {
            let kind = kind(data);
            match &ledger.data {
                Some(other) if *other != kind => {
                    return Err(Error::flag(
                        "--data",
                        data,
                        format!(
                            "{other}, which the results in {} are about, or another folder for the results (--out)",
                            folder.display()
                        ),
                    ));
                }
                _ => ledger.data = Some(kind),
            }
        }
        Ok(Self {
            study,
            beside: folder_of(recipe),
            folder,
            data,
            start,
            ledger,
            output,
            split: None,
        })
    }

    /// Does everything that is not done yet; says how much that was.
    ///
    /// # Errors
    /// When a setting or a file is not allowed, or a training is interrupted. What is done by then
    /// is in the ledger.
    pub fn all(&mut self) -> Result<usize, Error> {
        let study = self.study;
        // Settings are looked at before any of them costs time.
        for network in &study.networks {
            self.options(network)?;
        }
        for reading in &study.readings {
            self.reading_settings(reading)?;
        }
        for attack in &study.attacks {
            self.attack_settings(attack)?;
        }
        let mut done = 0;
        for network in &study.networks {
            done += usize::from(self.network(network)?);
        }
        for reading in &study.readings {
            for network in study.chosen(&reading.networks) {
                done += usize::from(self.reading(reading, network)?);
            }
        }
        for attack in &study.attacks {
            for network in study.chosen(&attack.networks) {
                done += usize::from(self.attack(attack, network)?);
            }
        }
        for silicon in &study.silicon {
            for network in study.chosen(&silicon.networks) {
                done += usize::from(self.silicon(silicon, network)?);
            }
        }
        Ok(done)
    }

    /// What decides a network.
    ///
    /// # Errors
    /// When another study's file cannot be read.
    pub fn network_key(&self, network: &Network) -> Result<String, Error> {
        let study = self.study;
        if let Some(own) = &network.training {
            let base = study.network.as_deref().unwrap_or_default();
            let images = study.train_images.map_or(String::new(), |n| n.to_string());
            let training = study.training(own).to_string();
            return Ok(key(&[
                b"training",
                base.as_bytes(),
                images.as_bytes(),
                training.as_bytes(),
            ]));
        }
        if let Some(rounded) = network.rounded {
            return Ok(key(&[b"rounded", format!("{rounded:?}").as_bytes()]));
        }
        let path = self.readable(network)?;
        let bytes = files::read_up_to(&path, MAX_FILE_BYTES)?;
        Ok(key(&[b"file", &bytes]))
    }

    /// A file of a network.
    pub(super) fn file(&self, network: &Network, ending: &str) -> PathBuf {
        let stem = match &network.file {
            Some(file) => self.beside.join(file),
            None => self.folder.join(&network.name),
        };
        let mut name = stem.into_os_string();
        name.push(".");
        name.push(ending);
        name.into()
    }

    /// The integer model of a network, or its checkpoint if it has no integer form.
    pub(super) fn readable(&self, network: &Network) -> Result<PathBuf, Error> {
        let paths = [MODEL, CHECKPOINT].map(|ending| self.file(network, ending));
        let found = paths.iter().find(|path| path.exists());
        found.cloned().ok_or_else(|| {
            Error::Recipe(format!(
                "network {:?} has neither {} nor {}",
                network.name,
                paths[0].display(),
                paths[1].display()
            ))
        })
    }

    /// The integer model of a network.
    #[cfg(feature = "simulate")]
    pub(super) fn model(&self, network: &Network) -> PathBuf {
        self.file(network, MODEL)
    }

    /// The images; they are needed now.
    pub(super) fn source(&self) -> Result<&'a DataSource, Error> {
        self.data.ok_or_else(|| {
            Error::Recipe(
                "--data SOURCE is missing; it is needed for what is not done yet".to_owned(),
            )
        })
    }

    fn split(&mut self) -> Result<&Split, Error> {
        if self.split.is_none() {
            let split = self.source()?.split(self.study.train_images, self.output)?;
            self.split = Some(split);
        }
        Ok(self.split.as_ref().expect("it was read just now"))
    }

    /// The network that training starts from, and from then on no other one.
    fn start_model(&mut self) -> Result<FloatModel, Error> {
        let study = self.study;
        let builtin = study.builtin().map_err(Error::Recipe)?;
        let Some(start) = &study.start else {
            let data = self.source()?;
            let seed = SEED;
            let split = self.split()?;
            let images = (split.train.shape(), split.train.classes);
            return Ok(FloatModel::random(builtin, images, data.input_map(), seed)?);
        };
        let path = self.start.ok_or_else(|| {
            Error::Recipe(
                "--start FILE is missing; the study starts from a trained network".to_owned(),
            )
        })?;
        let bytes = files::read_up_to(path, MAX_FILE_BYTES)?;
        let model = if Checkpoint::recognizes(&bytes) {
            FloatModel::from_bytes(&bytes, path)?
        } else {
            let split = self.split()?;
            let target = Target {
                network: builtin,
                image: split.train.shape(),
                classes: split.train.classes,
                input: start.input.parse().map_err(Error::Recipe)?,
            };
            read_state_dict(path, &target)?
        };
        // Where the file came from is not what the network is.
        let digest = key(&[&FloatModel {
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

    fn options(&self, network: &Network) -> Result<Option<TrainingOptions>, Error> {
        let Some(own) = &network.training else {
            return Ok(None);
        };
        let of = format!("training of network {:?}", network.name);
        let mut options: TrainingOptions = settings(&self.study.training(own), &of)?;
        let named = |e| Error::Recipe(format!("{of}: {e}"));
        options.validate().map_err(named)?;
        options.quiet = self.output.quiet;
        Ok(Some(options))
    }

    fn network(&mut self, network: &Network) -> Result<bool, Error> {
        if network.file.is_some() {
            self.readable(network)?;
            return Ok(false);
        }
        let key = self.network_key(network)?;
        let done = self.ledger.networks.get(&network.name);
        // Files that are not there are only missed where something is still to be measured.
        if done.is_some_and(|entry| entry.is(&key)) && !self.misses(network, &key)? {
            return Ok(false);
        }
        self.output.remark(format!("network {}", network.name));
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
        let entry = entry(key, seconds, result);
        self.ledger.networks.insert(network.name.clone(), entry);
        self.ledger.write(self.folder)?;
        // It is of no use any more, and larger than the network.
        let _ = std::fs::remove_file(self.file(network, STATE));
        Ok(true)
    }

    /// Whether a network's files are not there but something is to be measured on it.
    fn misses(&self, network: &Network, network_key: &str) -> Result<bool, Error> {
        if self.readable(network).is_ok() {
            return Ok(false);
        }
        let study = self.study;
        let name = |of: &str| format!("{of}/{}", network.name);
        for reading in &study.readings {
            let key = self.reading_key(network_key, reading)?;
            let entry = self.ledger.readings.get(&name(&reading.name));
            let wanted = study
                .chosen(&reading.networks)
                .any(|n| n.name == network.name);
            if wanted && !entry.is_some_and(|e| e.is(&key)) {
                return Ok(true);
            }
        }
        for attack in &study.attacks {
            let key = attack_key(network_key, attack);
            let entry = self.ledger.attacks.get(&name(&attack.name));
            let wanted = study
                .chosen(&attack.networks)
                .any(|n| n.name == network.name);
            if wanted && !entry.is_some_and(|e| e.is(&key)) {
                return Ok(true);
            }
        }
        Ok(!study.silicon.is_empty())
    }

    fn train(
        &mut self,
        network: &Network,
        options: TrainingOptions,
    ) -> Result<NetworkResult, Error> {
        let start = self.start_model()?;
        let exportable = check_form(&start.architecture).is_ok() && check_options(&options).is_ok();
        let plan = Plan {
            network: self.study.builtin().map_err(Error::Recipe)?,
            from: None,
            data: self.source()?.clone(),
            train_images: self.study.train_images,
            out: exportable.then(|| self.file(network, MODEL)),
            checkpoint: Some(self.file(network, CHECKPOINT)),
            state: Some(self.file(network, STATE)),
            options,
        };
        let output = self.output;
        let done = train::complete(start, self.split()?, &plan, output)?;
        Ok(NetworkResult::Trained(done))
    }

    fn round(&mut self, network: &Network, rounded: Rounded) -> Result<NetworkResult, Error> {
        let start = self.start_model()?;
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
        let (checkpoint, model) = (self.file(network, CHECKPOINT), self.file(network, MODEL));
        let split = self.split()?;
        let count = CALIBRATION_IMAGES.min(split.train.len());
        let quantized = start.calibrate(&split.train.first(count), &options)?;
        let exported = export(&quantized, None)?;
        let accuracy = IntegerNetwork::undisturbed(&exported).accuracy(&split.test);
        let images = split.test.len();
        files::write(&checkpoint, &quantized.to_bytes())?;
        train::write(&exported, &model)?;
        Ok(NetworkResult::Rounded {
            accuracy_integer: accuracy,
            images,
        })
    }

    fn reading_settings(&self, reading: &Reading) -> Result<EvaluateSettings, Error> {
        let of = format!("reading {:?}", reading.name);
        let found: EvaluateSettings = settings(&reading.evaluate, &of)?;
        let files = [
            found.file.is_some(),
            found.data.is_some(),
            found.out_csv.is_some(),
            found.out_json.is_some(),
        ];
        if files.contains(&true) {
            return Err(Error::Recipe(format!(
                "{of}: file, data, out_csv and out_json are the study's; allowed is evaluate without them"
            )));
        }
        let beside = |path: PathBuf| self.beside.join(path);
        Ok(EvaluateSettings {
            config: found.config.map(beside),
            map: found.map.map(beside),
            ..found
        })
    }

    /// What decides a reading of a network.
    fn reading_key(&self, network_key: &str, reading: &Reading) -> Result<String, Error> {
        let settings = self.reading_settings(reading)?;
        let text = reading.evaluate.to_string();
        let mut parts = vec![b"reading".to_vec(), network_key.into(), text.into()];
        for path in [settings.config, settings.map].into_iter().flatten() {
            parts.push(files::read(&path)?);
        }
        Ok(key(&parts.iter().map(Vec::as_slice).collect::<Vec<_>>()))
    }

    fn reading(&mut self, reading: &Reading, network: &Network) -> Result<bool, Error> {
        let key = self.reading_key(&self.network_key(network)?, reading)?;
        let name = format!("{}/{}", reading.name, network.name);
        if self.ledger.readings.get(&name).is_some_and(|e| e.is(&key)) {
            return Ok(false);
        }
        self.output
            .remark(format!("reading {} of {}", reading.name, network.name));
        let settings = self.reading_settings(reading)?;
        let start = Instant::now();
        let file = self.readable(network)?;
        let record = evaluate::measure(&file, self.source()?, &settings, SEED, self.output)?;
        let path = self
            .folder
            .join(format!("{}.{}.json", reading.name, network.name));
        files::write(&path, record.to_json().as_bytes())?;
        let mut result = reading_result(record);
        if let Some(config) = &settings.config {
            price(&mut result, config, &file)?;
        }
        let entry = entry(key, start.elapsed().as_secs_f64(), result);
        self.ledger.readings.insert(name, entry);
        self.ledger.write(self.folder)?;
        Ok(true)
    }

    fn attack_settings(&self, attack: &Attack) -> Result<AttackSettings, Error> {
        let of = format!("attack {:?}", attack.name);
        let found: AttackSettings = settings(&attack.attack, &of)?;
        match found.checkpoint.is_some() || found.data.is_some() || found.log.is_some() {
            true => Err(Error::Recipe(format!(
                "{of}: checkpoint, data and log are the study's; allowed is attack without them"
            ))),
            false => Ok(found),
        }
    }

    fn attack(&mut self, attack: &Attack, network: &Network) -> Result<bool, Error> {
        let key = attack_key(&self.network_key(network)?, attack);
        let name = format!("{}/{}", attack.name, network.name);
        if self.ledger.attacks.get(&name).is_some_and(|e| e.is(&key)) {
            return Ok(false);
        }
        self.output
            .remark(format!("attack {} on {}", attack.name, network.name));
        let settings = AttackSettings {
            checkpoint: Some(self.file(network, CHECKPOINT)),
            data: Some(self.source()?.clone()),
            ..self.attack_settings(attack)?
        };
        let start = Instant::now();
        let (report, logs) = attack::measure(settings, attack.first_seed, self.output)?;
        let mut flips_per_layer = Vec::new();
        let flips = logs.iter().flat_map(|log| &log.flips);
        for weight in flips.filter_map(|flip| flip.weight.as_ref()) {
            let layers = flips_per_layer.len().max(weight.layer + 1);
            flips_per_layer.resize(layers, 0);
            flips_per_layer[weight.layer] += 1;
        }
        let result = AttackResult {
            memory: report.memory,
            images: report.settings.images,
            attack_images: report.settings.attack_images,
            stop_accuracy: report.stop_accuracy,
            max_flips: report.settings.max_flips,
            attacks: report.settings.seeds,
            succeeded: report.succeeded,
            n_flip: report.n_flip,
            accuracy_after: report.accuracy_after,
            success: report.success,
            flips_per_layer,
        };
        let entry = entry(key, start.elapsed().as_secs_f64(), result);
        self.ledger.attacks.insert(name, entry);
        self.ledger.write(self.folder)?;
        Ok(true)
    }
}

/// Which images, without their folder.
fn kind(data: &DataSource) -> String {
    match data {
        DataSource::Glyphs { .. } => data.to_string(),
        DataSource::Idx(_) => "idx".to_owned(),
        DataSource::Cifar10(_) => "cifar10".to_owned(),
    }
}

fn attack_key(network: &str, attack: &Attack) -> String {
    let settings = format!("{}\n{}", attack.first_seed, attack.attack);
    key(&[b"attack", network.as_bytes(), settings.as_bytes()])
}

/// A result of this program.
pub(super) fn entry<T>(key: String, seconds: f64, result: T) -> Entry<T> {
    Entry {
        key,
        commit: provenance::commit().map(str::to_owned),
        seconds,
        result,
    }
}

/// Says what images cost, of integer models at voltages.
fn price(result: &mut ReadingResult, config: &Path, file: &Path) -> Result<(), Error> {
    let mut configuration = configuration::read(Some(config))?.configuration;
    configuration.code = result.protocol.memory.code;
    let bytes = files::read_up_to(file, MAX_FILE_BYTES)?;
    if Checkpoint::recognizes(&bytes) {
        return Ok(());
    }
    let model = IntegerModel::from_bytes(&bytes, file)?;
    for point in &mut result.points {
        if let Some(supply) = point.voltage_mv {
            point.energy_uj = Some(energy::of_image(
                &configuration,
                &model,
                Millivolts(supply),
            )?);
        }
    }
    Ok(())
}

fn reading_result(record: Record) -> ReadingResult {
    let point = |point: RecordedPoint| ReadingPoint {
        chips: point.chips.len(),
        first_chip_wrong: point.chips.first().map_or(0, |chip| chip.wrong),
        mode: point.mode,
        profile: point.profile,
        voltage_mv: point.voltage_mv,
        rate: point.rate,
        rate_applied: point.rate_applied,
        sram_energy_relative: point.sram_energy_relative,
        energy_uj: None,
        error: point.error,
        robust_error: point.robust_error,
        counters: point.counters,
    };
    ReadingResult {
        protocol: record.protocol,
        clean_error: record.clean_error,
        points: record.points.into_iter().map(point).collect(),
    }
}
