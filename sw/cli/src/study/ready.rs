//! What can be refused before anything costs time: settings, and files that cannot be written.

use super::ledger::FILE;
use super::networks::no_start;
use super::page;
use super::recipe::{Attack, Network, Reading, Silicon};
use super::steps::{CHECKPOINT, MODEL, Work};
use crate::data::check_count;
use crate::error::Error;
use crate::{attack, configuration, evaluate, files};
use brownout_spec::voltage::VoltageModel;
use std::path::PathBuf;

impl Work<'_> {
    /// Checks all settings, and that everything can be written.
    ///
    /// # Errors
    /// One sentence with recipe, part and field, or the file.
    pub(super) fn check_all(&mut self) -> Result<(), Error> {
        let study = self.study;
        for network in &study.networks {
            self.options(network)
                .map_err(|e| self.about("network", &network.name, e))?;
        }
        for reading in &study.readings {
            self.check_reading(reading)
                .map_err(|e| self.about("reading", &reading.name, e))?;
        }
        for attack in &study.attacks {
            self.check_attack(attack)
                .map_err(|e| self.about("attack", &attack.name, e))?;
        }
        for silicon in &study.silicon {
            self.check_silicon(silicon)
                .map_err(|e| self.about("silicon", &silicon.name, e))?;
        }
        match (&study.start, self.start) {
            (Some(_), Some(_)) => drop(self.start_model()?),
            (None, Some(path)) => {
                let allowed = "none for a recipe without [start]";
                return Err(Error::flag("--start", path.display(), allowed));
            }
            _ => {}
        }
        self.check_pending()?;
        self.check_files()
    }

    /// Checks that what is still to be done has what it needs.
    fn check_pending(&self) -> Result<(), Error> {
        let study = self.study;
        for network in &study.networks {
            let needs_start = match (&network.training, network.rounded) {
                (Some(_), _) => network.network.is_none() && network.from.is_none(),
                (None, rounded) => rounded.is_some(),
            };
            let starts = study.start.is_some() && needs_start && self.start.is_none();
            if starts && (!self.network_is_done(network)? || self.misses(network)?) {
                return Err(no_start());
            }
            if network.file.is_some() && self.misses(network)? {
                self.readable(network)?;
            }
        }
        for attack in &study.attacks {
            for network in study.chosen(&attack.networks).filter(|n| n.file.is_some()) {
                if !self.attack_is_done(attack, network)? {
                    self.checkpoint(network)?;
                }
            }
        }
        for silicon in &study.silicon {
            for network in study.chosen(&silicon.networks) {
                if self.silicon_is_done(silicon, network)? {
                    continue;
                }
                self.check_simulator()?;
                let path = self.file(network, MODEL);
                if network.file.is_some() && !path.exists() {
                    return Err(Error::Recipe(format!(
                        "network {:?} has no integer model {}, which hardware needs",
                        network.name,
                        path.display()
                    )));
                }
            }
        }
        Ok(())
    }

    /// Says which part of the recipe an error is about.
    pub(super) fn about(&self, kind: &str, name: &str, error: Error) -> Error {
        error.of_recipe(self.recipe, &format!("{kind} {name:?}"))
    }

    fn check_images(&self, images: usize) -> Result<(), Error> {
        match self.test_images {
            Some((there_are, _)) => check_count("--images", images, there_are),
            None => Ok(()),
        }
    }

    fn check_reading(&self, reading: &Reading) -> Result<(), Error> {
        let settings = self.reading_settings(reading)?;
        evaluate::check(&settings)?;
        settings.images.map_or(Ok(()), |n| self.check_images(n))
    }

    fn check_attack(&self, attack: &Attack) -> Result<(), Error> {
        let mut settings = self.attack_settings(attack)?;
        let Some(data) = self.data else {
            return Ok(());
        };
        settings.data = Some(data.clone());
        settings.checkpoint = Some(PathBuf::new());
        let asked = attack::Asked::new(settings)?;
        attack::check_limits(&asked, attack.first_seed)?;
        if let Some((_, classes)) = self.test_images {
            attack::check_classes(&asked, classes)?;
        }
        match self.test_images {
            Some((there_are, _)) => self.check_images(asked.images_of(there_are)),
            None => Ok(()),
        }
    }

    fn check_silicon(&self, silicon: &Silicon) -> Result<(), Error> {
        let settings = &silicon.simulate;
        let path = self.beside.join(&settings.config);
        let chosen = configuration::read(Some(&path))?;
        let configuration = &chosen.configuration;
        for (what, none) in [
            ("codes", settings.codes.is_empty()),
            ("voltages", settings.voltages.is_empty()),
        ] {
            if none {
                return Err(Error::Recipe(format!(
                    "{what} is empty; allowed are 1 or more"
                )));
            }
        }
        for code in &settings.codes {
            chosen.with_code(*code)?;
            if !settings.policy.supported_by(*code) {
                let allowed = format!("keep or zero with code {code}");
                return Err(Error::flag("--policy", settings.policy, allowed));
            }
        }
        let model =
            VoltageModel::from_configuration(configuration).map_err(Error::content(&path))?;
        for supply in &settings.voltages {
            model
                .bit_error_rate(*supply)
                .map_err(|e| Error::Recipe(format!("voltages: {e}")))?;
        }
        if settings.images == 0 {
            return Err(Error::flag("--images", 0, "1 or more"));
        }
        if let Some(lanes) = settings.lanes {
            crate::arguments::lanes(&lanes.to_string())
                .map_err(|e| Error::Recipe(format!("lanes: {e}")))?;
        }
        match self.data {
            // Glyphs are drawn, as many as are asked for.
            Some(data) => {
                let there_are = data
                    .test_images(settings.images, self.image, self.output)?
                    .len();
                check_count("--images", settings.images, there_are)
            }
            None => Ok(()),
        }
    }

    /// Checks that the ledger, the page and what is to be made can be written.
    fn check_files(&self) -> Result<(), Error> {
        let study = self.study;
        let mut names = Vec::new();
        let pages = page::render(study, &self.ledger.of(study), self.recipe);
        names.extend(pages.into_iter().map(|(name, _)| name));
        for attack in &study.attacks {
            for network in study.chosen(&attack.networks) {
                if !self.attack_is_done(attack, network)? {
                    names.push(FILE.to_owned());
                }
            }
        }
        for silicon in &study.silicon {
            for network in study.chosen(&silicon.networks) {
                if !self.silicon_is_done(silicon, network)? {
                    names.push(FILE.to_owned());
                }
            }
        }
        for reading in &study.readings {
            for network in study.chosen(&reading.networks) {
                if !self.reading_is_done(reading, network)? {
                    names.push(record_file(reading, network));
                    names.push(FILE.to_owned());
                }
            }
        }
        for network in study.networks.iter().filter(|n| n.file.is_none()) {
            if !self.network_is_done(network)? || self.misses(network)? {
                names.push(FILE.to_owned());
                names
                    .extend([MODEL, CHECKPOINT].map(|ending| format!("{}.{ending}", network.name)));
            }
        }
        names.sort_unstable();
        names.dedup();
        for name in names {
            files::check_writable(&self.folder.join(name))?;
        }
        Ok(())
    }
}

/// The file that a reading of a network leaves for `report`.
pub(super) fn record_file(reading: &Reading, network: &Network) -> String {
    format!("{}.{}.json", reading.name, network.name)
}
