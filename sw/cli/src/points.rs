//! The operating points of a run: every code with every supply, mode and policy.

use crate::arguments::SimulateArguments;
use crate::configuration::Chosen;
use crate::error::Error;
use crate::files;
use crate::placement::Placement;
use brownout_sim::campaign::{Point, Supply};
use brownout_spec::code::{CodeName, Policy};
use brownout_spec::config::Configuration;
use brownout_spec::fault::{FaultMap, FaultMode};
use brownout_spec::quantity::{BitErrorRate, Millivolts};
use brownout_spec::voltage::VoltageModel;
use std::path::{Path, PathBuf};

/// The rates of the main job; voltages nearest to them are used.
pub const RATES: [f64; 7] = [0.0, 1e-5, 1e-4, 1e-3, 3e-3, 1e-2, 5e-2];

/// What is varied.
#[derive(Clone, Debug)]
pub struct Points {
    /// Codes, each of which gives an accelerator of its own.
    pub codes: Vec<CodeName>,
    /// Voltages or rates, the highest voltage first where nobody said which.
    pub supplies: Vec<Supply>,
    /// Whether nobody said which supplies: in a mode whose cells do not depend on the supply one
    /// point then says everything.
    pub by_default: bool,
    /// What faulty cells do.
    pub modes: Vec<FaultMode>,
    /// What is read from a word with a detected error.
    pub policies: Vec<Policy>,
    /// The cells of mode `map`, with their file.
    pub map: Option<(PathBuf, FaultMap)>,
}

impl Points {
    /// What flags ask for, checked against the configuration.
    ///
    /// # Errors
    /// When a voltage is outside the model, a policy does not go with a code, or
    /// a mode needs what is not there.
    pub fn from_flags(arguments: &SimulateArguments, chosen: &Chosen) -> Result<Self, Error> {
        let voltages = voltage_model(chosen)?;
        let supplies = match (&arguments.voltages, &arguments.rates) {
            (Some(supplies), _) => supplies.iter().copied().map(Supply::Voltage).collect(),
            (None, Some(rates)) => rates.iter().copied().map(Supply::Rate).collect(),
            (None, None) => nearest_voltages(&voltages),
        };
        let map = match &arguments.map {
            None => None,
            Some(path) => {
                let text = files::text(path, files::read(path)?)?;
                let map = FaultMap::from_text(&text).map_err(Error::content(path))?;
                Some((path.clone(), map))
            }
        };
        let codes = arguments.codes.clone();
        let points = Self {
            codes: codes.unwrap_or_else(|| vec![chosen.configuration.code]),
            supplies,
            by_default: arguments.voltages.is_none() && arguments.rates.is_none(),
            modes: arguments.modes.clone(),
            policies: arguments.policies.clone(),
            map,
        };
        points.check(&chosen.configuration, &voltages)?;
        Ok(points)
    }

    /// The points of the main job: two codes, persistent faults, detected words kept.
    ///
    /// # Errors
    /// When the configuration's voltage model is not allowed.
    pub fn of_main_job(chosen: &Chosen) -> Result<Self, Error> {
        Ok(Self {
            codes: vec![CodeName::None, CodeName::Inplace64_57],
            supplies: nearest_voltages(&voltage_model(chosen)?),
            by_default: true,
            modes: vec![FaultMode::Persistent],
            policies: vec![Policy::Keep],
            map: None,
        })
    }

    fn check(&self, configuration: &Configuration, voltages: &VoltageModel) -> Result<(), Error> {
        for supply in &self.supplies {
            if let Supply::Voltage(supply) = supply {
                let rate = voltages.bit_error_rate(*supply);
                rate.map_err(Error::argument("--voltages"))?;
            }
        }
        for (policy, code) in self
            .policies
            .iter()
            .flat_map(|p| self.codes.iter().map(move |c| (*p, *c)))
        {
            if !policy.supported_by(code) {
                let allowed = format!("keep or zero with code {code}");
                return Err(Error::flag("--policies", policy, allowed));
            }
        }
        self.check_modes(configuration)
    }

    fn check_modes(&self, configuration: &Configuration) -> Result<(), Error> {
        for mode in &self.modes {
            let emulated = !matches!(mode, FaultMode::None | FaultMode::Map);
            if emulated && !configuration.fault_emulation {
                let allowed = "none or map, since the configuration has fault_emulation = false";
                return Err(Error::flag("--modes", mode, allowed));
            }
        }
        match (&self.map, self.modes.contains(&FaultMode::Map)) {
            (None, true) => Err(Error::flag(
                "--modes",
                FaultMode::Map,
                "a mode other than map unless --map FILE lists the faulty cells",
            )),
            (Some((path, _)), false) => Err(Error::flag(
                "--map",
                path.display(),
                "none unless --modes has map, as in --modes map",
            )),
            _ => Ok(()),
        }
    }

    /// Checks that the map's cells exist in a model's image.
    ///
    /// # Errors
    /// Naming the first cell that does not.
    pub fn check_map(&self, placement: &Placement) -> Result<(), Error> {
        let Some((path, map)) = &self.map else {
            return Ok(());
        };
        let (words, bits) = (
            placement.image.words().len(),
            placement.image.layout().code().n(),
        );
        match map.first_outside(words, bits) {
            None => Ok(()),
            Some((address, lane)) => Err(Error::content(path)(format!(
                "address {}, lane {} is not in the weight image; allowed are addresses 0 to {} and lanes 0 to {}",
                address.0,
                lane.0,
                words.saturating_sub(1),
                bits - 1
            ))),
        }
    }

    /// The points of one accelerator, in the order of a table.
    pub fn iter(&self) -> impl Iterator<Item = Point<'_>> {
        self.modes.iter().flat_map(move |mode| {
            self.policies.iter().flat_map(move |policy| {
                self.supplies_in(*mode).iter().map(move |supply| Point {
                    supply: *supply,
                    mode: *mode,
                    map: match mode {
                        FaultMode::Map => self.map.as_ref().map(|(_, map)| map),
                        _ => None,
                    },
                    policy: *policy,
                })
            })
        })
    }

    /// The supplies at which a mode is measured.
    fn supplies_in(&self, mode: FaultMode) -> &[Supply] {
        match mode {
            // Neither hangs on a rate, and without a voltage there is one energy.
            FaultMode::None | FaultMode::Map if self.by_default || self.are_rates() => {
                &self.supplies[..self.supplies.len().min(1)]
            }
            _ => &self.supplies,
        }
    }

    /// Whether faults are asked for by their rate.
    fn are_rates(&self) -> bool {
        let voltages = |supply: &Supply| matches!(supply, Supply::Voltage(_));
        !self.supplies.iter().any(voltages)
    }

    /// Points in all.
    pub fn count(&self) -> usize {
        self.codes.len() * self.iter().count()
    }
}

fn voltage_model(chosen: &Chosen) -> Result<VoltageModel, Error> {
    VoltageModel::from_configuration(&chosen.configuration)
        .map_err(Error::content(Path::new(&chosen.name)))
}

/// The voltages nearest to the main job's rates; a model that cannot tell two
/// of them apart has fewer.
fn nearest_voltages(model: &VoltageModel) -> Vec<Supply> {
    let mut supplies: Vec<Millivolts> = RATES
        .into_iter()
        .filter_map(BitErrorRate::new)
        .map(|rate| model.nearest_millivolts(rate))
        .collect();
    supplies.dedup();
    supplies.into_iter().map(Supply::Voltage).collect()
}
