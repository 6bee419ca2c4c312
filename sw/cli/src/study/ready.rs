//! What can be refused before anything costs time: settings, and files that cannot be written.

use super::page;
use super::recipe::{Attack, Network, Reading, Silicon};
use super::steps::{CHECKPOINT, MODEL, Work};
use crate::data::check_count;
use crate::error::Error;
use crate::{attack, configuration, evaluate, files};
use brownout_golden::evaluate::Point;
use brownout_spec::fault::FaultMode;
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
        self.check_files()
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
        self.check_images(asked.images)
    }

    fn check_silicon(&self, silicon: &Silicon) -> Result<(), Error> {
        let settings = &silicon.simulate;
        let path = self.beside.join(&settings.config);
        let configuration = configuration::read(Some(&path))?.configuration;
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
        let width = configuration.weight_bits;
        if let Some(code) = settings.codes.iter().find(|code| !code.supports(width)) {
            return Err(Error::Recipe(format!(
                "codes has {code}; allowed are codes of {width}-bit weights, which {} has",
                path.display()
            )));
        }
        let model =
            VoltageModel::from_configuration(&configuration).map_err(Error::content(&path))?;
        for supply in &settings.voltages {
            Point::at_voltage(&model, *supply, configuration.code, FaultMode::Persistent)
                .map_err(|e| Error::Recipe(format!("voltages: {e}")))?;
        }
        self.check_images(settings.images)
    }

    /// Checks that the ledger, the page and what is to be made can be written.
    fn check_files(&self) -> Result<(), Error> {
        let study = self.study;
        let mut names = vec![super::ledger::FILE.to_owned()];
        let pages = page::render(study, &self.ledger.of(study), self.recipe);
        names.extend(pages.into_iter().map(|(name, _)| name));
        for reading in &study.readings {
            for network in study.chosen(&reading.networks) {
                names.push(record_file(reading, network));
            }
        }
        for name in names {
            files::check_writable(&self.folder.join(name))?;
        }
        for network in study.networks.iter().filter(|n| n.file.is_none()) {
            for ending in [MODEL, CHECKPOINT] {
                files::check_writable(&self.file(network, ending))?;
            }
        }
        Ok(())
    }
}

/// The file that a reading of a network leaves for `report`.
pub(super) fn record_file(reading: &Reading, network: &Network) -> String {
    format!("{}.{}.json", reading.name, network.name)
}
