//! Doing what is not in the ledger yet: training, rounding and measuring.

use super::ledger::{AttackResult, Entry, Ledger, ReadingPoint, ReadingResult};
use super::ready::record_file;
use super::recipe::{Attack, Network, Reading, Study, settings};
use super::{energy, keys};
use crate::arguments::{AttackSettings, EvaluateSettings};
use crate::data::DataSource;
use crate::error::Error;
use crate::output::Output;
use crate::provenance::digest;
use crate::{attack, configuration, evaluate, files, provenance};
use brownout_golden::data::{Dataset, Split};
use brownout_golden::evaluate::{Record, RecordedPoint};
use brownout_golden::files::folder_of;
use brownout_golden::float::{Checkpoint, FloatModel, MAX_FILE_BYTES};
use brownout_golden::model::IntegerModel;
use brownout_spec::program::Shape;
use brownout_spec::quantity::Millivolts;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Seed of the intervals of means.
const SEED: u64 = 1;
/// Ending of checkpoints.
pub const CHECKPOINT: &str = "float";
/// Ending of integer models.
pub const MODEL: &str = "safetensors";

/// A study at work.
pub struct Work<'a> {
    /// What is to be done.
    pub study: &'a Study,
    /// The recipe's file.
    pub recipe: &'a Path,
    /// Its folder, from which other studies' files are named.
    pub beside: &'a Path,
    /// Folder of results.
    pub folder: &'a Path,
    /// Images.
    pub data: Option<&'a DataSource>,
    /// The network that trainings start from.
    pub start: Option<&'a Path>,
    /// What is done.
    pub ledger: Ledger,
    /// Whether integer models are written whatever they lose.
    pub accept: bool,
    /// How much to say.
    pub output: Output,
    /// All images, once they are needed.
    split: Option<Split>,
    /// Number and classes of the test images, if there are any.
    pub(super) test_images: Option<(usize, usize)>,
    /// Shape of the images of the network that the study starts from, where its file says it:
    /// pictures that nobody says a size for are brought to it.
    pub(super) image: Option<Shape>,
}

/// Shape of the images of a checkpoint's network; what is wrong with the file is said where its
/// network is needed.
fn image_of(path: &Path) -> Option<Shape> {
    let bytes = files::read_up_to(path, MAX_FILE_BYTES).ok()?;
    let model = Checkpoint::recognizes(&bytes).then(|| FloatModel::from_bytes(&bytes, path));
    model?.ok().map(|model| model.image)
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
        accept: bool,
        output: Output,
    ) -> Result<Self, Error> {
        let mut ledger = Ledger::read(folder)?;
        let mut test_images = None;
        let image = study.start.as_ref().and(start).and_then(image_of);
        if let Some(data) = data {
            let test = data.test_images(1, image, output)?;
            test_images = Some((test.len(), test.classes));
            let found = which(data, &test);
            match &ledger.data {
                Some(other) if *other != found => {
                    let allowed = format!(
                        "the images that the results in {} are about ({other}), or another folder for the results (--out)",
                        folder.display()
                    );
                    return Err(Error::flag("--data", format!("{data} ({found})"), allowed));
                }
                _ => ledger.data = Some(found),
            }
        }
        Ok(Self {
            study,
            recipe,
            beside: folder_of(recipe),
            folder,
            data,
            start,
            ledger,
            accept,
            output,
            split: None,
            image,
            test_images,
        })
    }

    /// Does everything that is not done yet; says how much that was.
    ///
    /// # Errors
    /// When a setting or a file is not allowed, or a training is interrupted. What is done by then
    /// is in the ledger.
    pub fn all(&mut self) -> Result<usize, Error> {
        let study = self.study;
        self.check_all()?;
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
                if !self.silicon_is_done(silicon, network)? {
                    let key = self.silicon_key(silicon, network)?;
                    let name = keys::name(&silicon.name, network);
                    self.silicon(silicon, network, (name, key))?;
                    done += 1;
                }
            }
        }
        Ok(done)
    }

    /// The images; they are needed now.
    pub(super) fn source(&self) -> Result<&'a DataSource, Error> {
        self.data.ok_or_else(|| {
            Error::Recipe(
                "--data SOURCE is missing; it is needed for what is not done yet".to_owned(),
            )
        })
    }

    pub(super) fn split(&mut self) -> Result<&Split, Error> {
        if self.split.is_none() {
            let split = self
                .source()?
                .split(self.study.train_images, self.image, self.output)?;
            self.split = Some(split);
        }
        Ok(self.split.as_ref().expect("it was read just now"))
    }

    pub(super) fn reading_settings(&self, reading: &Reading) -> Result<EvaluateSettings, Error> {
        let found: EvaluateSettings = settings(&reading.evaluate, "evaluate")?;
        let files = [
            found.file.is_some(),
            found.data.is_some(),
            found.out_csv.is_some(),
            found.out_json.is_some(),
        ];
        if files.contains(&true) {
            let problem = "file, data, out_csv and out_json are the study's; allowed is evaluate without them";
            return Err(Error::Recipe(problem.to_owned()));
        }
        let beside = |path: PathBuf| self.beside.join(path);
        Ok(EvaluateSettings {
            config: found.config.map(beside),
            map: found.map.map(beside),
            ..found
        })
    }

    fn reading(&mut self, reading: &Reading, network: &Network) -> Result<bool, Error> {
        if self.reading_is_done(reading, network)? {
            return Ok(false);
        }
        let key = self.reading_key(reading, network)?;
        let name = keys::name(&reading.name, network);
        self.output
            .remark(format!("reading {} of {}", reading.name, network.name));
        let settings = self.reading_settings(reading)?;
        let start = Instant::now();
        let file = self.readable(network)?;
        let record = evaluate::measure(&file, self.source()?, &settings, SEED, self.output)
            .map_err(|e| self.about("reading", &reading.name, e))?;
        let path = self.folder.join(record_file(reading, network));
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

    pub(super) fn attack_settings(&self, attack: &Attack) -> Result<AttackSettings, Error> {
        let found: AttackSettings = settings(&attack.attack, "attack")?;
        match found.checkpoint.is_some() || found.data.is_some() || found.log.is_some() {
            true => Err(Error::Recipe(
                "checkpoint, data and log are the study's; allowed is attack without them"
                    .to_owned(),
            )),
            false => Ok(found),
        }
    }

    fn attack(&mut self, attack: &Attack, network: &Network) -> Result<bool, Error> {
        if self.attack_is_done(attack, network)? {
            return Ok(false);
        }
        let key = self.attack_key(attack, network)?;
        let name = keys::name(&attack.name, network);
        self.output
            .remark(format!("attack {} on {}", attack.name, network.name));
        let settings = AttackSettings {
            checkpoint: Some(self.checkpoint(network)?),
            data: Some(self.source()?.clone()),
            ..self.attack_settings(attack)?
        };
        let start = Instant::now();
        let (report, logs) = attack::measure(
            settings,
            attack.first_seed,
            attack::AimMet::Told,
            self.output,
        )
        .map_err(|e| self.about("attack", &attack.name, e))?;
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
            flips: report.attacks.iter().map(|a| a.figures.n_flip).collect(),
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

/// Which images, without their folder: their kind, and a digest of the test images.
fn which(data: &DataSource, test: &Dataset) -> String {
    let digest = digest(&[&test.label_identity(), &test.images.identity()]);
    let kind = data.kind();
    format!("{kind}, test images {}", digest.get(..8).unwrap_or(&digest))
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
        wrong: point.chips.iter().map(|chip| chip.wrong).collect(),
        robust_wrong: (point.chips.iter())
            .map(|chip| chip.wrong_or_clean_wrong)
            .collect(),
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
        clean_error_of_classes: record.clean_error_of_classes,
        points: record.points.into_iter().map(point).collect(),
    }
}
