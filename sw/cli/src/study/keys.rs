//! What decides a result, as a digest: the settings, and the weights that it was measured on.

use super::ledger::{NetworkResult, ReadingPoint, ReadingResult, WeightFiles};
use super::recipe::{Attack, Network, Reading, Show, Silicon};
use super::steps::{CHECKPOINT, MODEL, Work};
use crate::configuration;
use crate::error::Error;
use crate::files;
use crate::provenance::digest;
use brownout_golden::float::MAX_FILE_BYTES;
use brownout_spec::fault::FaultMode;
use std::path::PathBuf;

/// The name of a measurement of a network in the ledger.
pub fn name(of: &str, network: &Network) -> String {
    format!("{of}/{}", network.name)
}

/// The name of a network's files in the ledger; another study's are not this one's.
pub fn weights_of(network: &Network) -> String {
    match &network.file {
        Some(file) => format!("file {}", file.display()),
        None => network.name.clone(),
    }
}

/// What the form of stored words adds to the settings of a training, for which it counts on
/// profiled chips behind a decoder alone: their cells read values of their own.
fn form_of_words(training: &toml::Table) -> &'static str {
    let perturbation = training.get("perturbation").and_then(toml::Value::as_table);
    let memory = perturbation.and_then(|p| p.get("memory")?.as_table());
    let says = |key: &str| memory.and_then(|memory| memory.get(key)?.as_bool());
    let profiled = perturbation.is_some_and(|p| p.contains_key("profile"));
    match profiled && says("decode") == Some(true) && says("coset") != Some(false) {
        true => "coset",
        false => "",
    }
}

impl Work<'_> {
    /// What decides a network that is made here; the start's own digest is the ledger's.
    pub(super) fn network_key(&self, network: &Network) -> String {
        let study = self.study;
        let base = network.network.as_ref().or(study.network.as_ref());
        let base = base.map_or("", String::as_str);
        let start = match (study.origin(network), &study.start) {
            (Some(from), _) => format!("from {}", self.network_key(from)),
            (None, Some(start)) if network.network.is_none() => start.key(),
            _ => "random".to_owned(),
        };
        let mut images = study.train_images.map_or(String::new(), |n| n.to_string());
        if let Some(classes) = study.classes {
            // Without it the key is what it was before there was such a setting.
            images += &format!(" classes {classes}");
        }
        let how = match (&network.training, network.rounded) {
            (Some(own), _) => {
                let training = study.training(own);
                format!("{training}{}", form_of_words(&training))
            }
            (None, rounded) => format!(
                "rounded {}",
                serde_json::to_string(&rounded).expect("rounding is plain data")
            ),
        };
        digest(&[
            b"network",
            base.as_bytes(),
            start.as_bytes(),
            images.as_bytes(),
            how.as_bytes(),
        ])
    }

    /// Whether a network is in the ledger as it is to be, and those of its files that are there are
    /// the ones that the ledger knows: a study that was killed between files and ledger has left
    /// others.
    pub(super) fn network_is_done(&self, network: &Network) -> Result<bool, Error> {
        let entry = self.ledger.networks.get(&network.name);
        if !entry.is_some_and(|entry| entry.is(&self.network_key(network))) {
            return Ok(false);
        }
        match self.ledger.weights.get(&weights_of(network)) {
            Some(known) => Ok(self.weights(network)? == *known),
            None => Ok(true),
        }
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
        let [model, checkpoint] = [MODEL, CHECKPOINT].map(|ending| self.file(network, ending));
        let known = self.ledger.weights.get(&weights_of(network));
        // Its readings are those of the integer model, whether that is there or not.
        let made = self.ledger.networks.get(&network.name);
        let has_model = match known {
            Some(files) => files.model.is_some(),
            None => made.is_some_and(|made| match &made.result {
                NetworkResult::Trained(done) => done.accuracy_integer.is_some(),
                NetworkResult::Rounded { .. } => true,
            }),
        };
        match (model.exists(), checkpoint.exists()) {
            (true, _) => Ok(model),
            (false, true) if !has_model => Ok(checkpoint),
            (false, true) => Err(Error::Recipe(format!(
                "network {:?} has lost {}, on which its readings were made; allowed is that file, or another folder for the results (--out)",
                network.name,
                model.display()
            ))),
            (false, false) => Err(Error::Recipe(format!(
                "network {:?} has neither {} nor {}",
                network.name,
                model.display(),
                checkpoint.display()
            ))),
        }
    }

    /// The checkpoint of a network.
    pub(super) fn checkpoint(&self, network: &Network) -> Result<PathBuf, Error> {
        let path = self.file(network, CHECKPOINT);
        match path.exists() {
            true => Ok(path),
            false => Err(Error::Recipe(format!(
                "network {:?} has no checkpoint {}, which attacks and trainings that start from it need",
                network.name,
                path.display()
            ))),
        }
    }

    /// Digests of a network's files: of those that are there, else what the ledger remembers.
    pub(super) fn weights(&self, network: &Network) -> Result<WeightFiles, Error> {
        let known = self.ledger.weights.get(&weights_of(network)).cloned();
        let known = known.unwrap_or_default();
        let of_file = |ending: &str, known: Option<String>| -> Result<Option<String>, Error> {
            let path = self.file(network, ending);
            match path.exists() {
                true => Ok(Some(digest(&[&files::read_up_to(&path, MAX_FILE_BYTES)?]))),
                false => Ok(known),
            }
        };
        Ok(WeightFiles {
            model: of_file(MODEL, known.model)?,
            checkpoint: of_file(CHECKPOINT, known.checkpoint)?,
        })
    }

    /// What decides a reading of a network.
    pub(super) fn reading_key(
        &self,
        reading: &Reading,
        network: &Network,
    ) -> Result<String, Error> {
        let settings = self.reading_settings(reading)?;
        let weights = self.weights(network)?;
        let weights = weights.model.or(weights.checkpoint).unwrap_or_default();
        let text = reading.evaluate.to_string();
        let mut parts = vec![b"reading".to_vec(), weights.into(), text.into()];
        for path in [settings.config, settings.map].into_iter().flatten() {
            parts.push(files::read(&path)?);
        }
        Ok(digest(&parts.iter().map(Vec::as_slice).collect::<Vec<_>>()))
    }

    /// What decides an attack on a network.
    pub(super) fn attack_key(&self, attack: &Attack, network: &Network) -> Result<String, Error> {
        let weights = self.weights(network)?.checkpoint.unwrap_or_default();
        let settings = format!("{}\n{}", attack.first_seed, attack.attack);
        Ok(digest(&[
            b"attack",
            weights.as_bytes(),
            settings.as_bytes(),
        ]))
    }

    /// What decides a co-simulation of a network.
    pub(super) fn silicon_key(
        &self,
        silicon: &Silicon,
        network: &Network,
    ) -> Result<String, Error> {
        let settings = &silicon.simulate;
        let weights = self.weights(network)?.model.unwrap_or_default();
        let configuration = files::read(&self.beside.join(&settings.config))?;
        let text = serde_json::to_string(&(
            &settings.codes,
            &settings.voltages,
            settings.policy,
            settings.images,
            settings.chip,
        ))
        .expect("settings are plain data");
        Ok(digest(&[
            b"silicon",
            weights.as_bytes(),
            &configuration,
            text.as_bytes(),
        ]))
    }

    /// Whether a reading of a network is in the ledger as it is to be.
    pub(super) fn reading_is_done(
        &self,
        reading: &Reading,
        network: &Network,
    ) -> Result<bool, Error> {
        let entry = self.ledger.readings.get(&name(&reading.name, network));
        let key = self.reading_key(reading, network)?;
        // Ledgers of older versions do not have what some tables show.
        let shows = |result: &ReadingResult| match reading.show {
            Show::Accuracy => true,
            Show::RobustError => result.points.iter().all(|p| !p.robust_wrong.is_empty()),
            Show::Classes => !result.clean_error_of_classes.is_empty(),
        };
        let Some(entry) = entry else { return Ok(false) };
        Ok(entry.is(&key) && shows(&entry.result) && self.has_form(reading, &entry.result)?)
    }

    /// Whether a reading was made in words of the form that it would be made in now, if it depends
    /// on that: inverted cells are read the same in either, those that read a value of their own
    /// are not.
    fn has_form(&self, reading: &Reading, result: &ReadingResult) -> Result<bool, Error> {
        let stored = |point: &ReadingPoint| {
            let mode = point.mode.parse::<FaultMode>();
            point.profile.is_some() || mode.is_ok_and(FaultMode::depends_on_stored)
        };
        if !result.points.iter().any(stored) {
            return Ok(true);
        }
        let config = self.reading_settings(reading)?.config;
        let now = configuration::read(config.as_deref())?
            .configuration
            .storage;
        let memory = &result.protocol.memory;
        Ok(memory.storage == now.with(memory.code))
    }

    /// The same of attacks.
    pub(super) fn attack_is_done(&self, attack: &Attack, network: &Network) -> Result<bool, Error> {
        let entry = self.ledger.attacks.get(&name(&attack.name, network));
        let key = self.attack_key(attack, network)?;
        Ok(entry.is_some_and(|entry| entry.is(&key)))
    }

    /// The same of co-simulations.
    pub(super) fn silicon_is_done(
        &self,
        silicon: &Silicon,
        network: &Network,
    ) -> Result<bool, Error> {
        let entry = self.ledger.silicon.get(&name(&silicon.name, network));
        let key = self.silicon_key(silicon, network)?;
        Ok(entry.is_some_and(|entry| entry.is(&key)))
    }

    /// Whether a file of a network is not there, but something is still to be measured on it, or
    /// trained from it.
    pub(super) fn misses(&self, network: &Network) -> Result<bool, Error> {
        let study = self.study;
        if !self.file(network, CHECKPOINT).exists() {
            let starts_here = |next: &&Network| {
                let origin = study.origin(next);
                origin.is_some_and(|origin| origin.name == network.name)
            };
            for next in study.networks.iter().filter(starts_here) {
                if !self.network_is_done(next)? || self.misses(next)? {
                    return Ok(true);
                }
            }
        }
        let on = |list| study.chosen(list).any(|n| n.name == network.name);
        if self.readable(network).is_err() {
            for reading in study.readings.iter().filter(|r| on(&r.networks)) {
                if !self.reading_is_done(reading, network)? {
                    return Ok(true);
                }
            }
        }
        if !self.file(network, CHECKPOINT).exists() {
            for attack in study.attacks.iter().filter(|a| on(&a.networks)) {
                if !self.attack_is_done(attack, network)? {
                    return Ok(true);
                }
            }
        }
        if !self.file(network, MODEL).exists() {
            for silicon in study.silicon.iter().filter(|s| on(&s.networks)) {
                if !self.silicon_is_done(silicon, network)? {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }
}
