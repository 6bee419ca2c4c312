//! How often cells fail at a supply voltage, and what an access then costs.
//!
//! Published curves are normalised differently: absolute volts, fractions of
//! Vmin, a user's own millivolts. Each model therefore takes a voltage type of
//! its own, and a voltage of one model does not fit another:
//!
//! ```compile_fail,E0308
//! use brownout_spec::voltage::{Fdx22nm, VminRatio, VoltageCurve};
//! let ratio = VminRatio::new(0.792).unwrap();
//! let rate = Fdx22nm.bit_error_rate(ratio);
//! ```
//!
//! The same lines with the type's own model:
//!
//! ```
//! use brownout_spec::quantity::Millivolts;
//! use brownout_spec::voltage::{Finfet14nm, VminRatio, VoltageCurve};
//! let ratio = VminRatio::new(0.792).unwrap();
//! let rate = Finfet14nm::new(Millivolts(600)).unwrap().bit_error_rate(ratio);
//! assert!((0.05..0.06).contains(&rate.get()));
//! ```
//!
//! Registers and files hold millivolts; [`VoltageModel`] translates them for
//! whichever model a configuration chose.

mod curve;
mod fdx22nm;
mod finfet14nm;
mod table;

pub use fdx22nm::{AbsoluteVolts, Fdx22nm};
pub use finfet14nm::{Finfet14nm, VminRatio};
pub use table::{TableVoltage, UserTable};

use crate::config::{Configuration, ConfigurationError, VoltageModelChoice};
use crate::quantity::{BitErrorRate, Millivolts, Threshold};
use thiserror::Error;

/// A voltage that a model has no data for.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("the voltage {voltage} is outside the {model}; allowed is {allowed}")]
pub struct VoltageError {
    /// The voltage asked for, with its unit.
    pub voltage: String,
    /// Name of the model.
    pub model: &'static str,
    /// What the model accepts.
    pub allowed: String,
}

/// Rate and energy as functions of a voltage in the model's own normalisation.
pub trait VoltageCurve {
    /// A voltage that this model, and no other, accepts.
    type Voltage: Copy;

    /// The model's voltage for a supply in millivolts.
    fn voltage(&self, supply: Millivolts) -> Result<Self::Voltage, VoltageError>;
    /// Probability that a cell is faulty; does not rise with the voltage.
    fn bit_error_rate(&self, voltage: Self::Voltage) -> BitErrorRate;
    /// Energy of a memory access relative to that at the model's nominal voltage.
    fn relative_energy(&self, voltage: Self::Voltage) -> f64;
    /// Lowest voltage accepted, and the highest that the model distinguishes.
    fn range(&self) -> (Millivolts, Millivolts);
    /// Where the numbers come from.
    fn source(&self) -> &'static str;
    /// What voltages and energies are relative to.
    fn normalisation(&self) -> String;
}

/// Thresholds for consecutive millivolts, as the hardware's ROM holds them.
///
/// The hardware saturates its address at both ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rom {
    /// Supply of the first entry.
    pub first: Millivolts,
    /// One threshold per millivolt; they never rise.
    pub thresholds: Vec<Threshold>,
}

impl Rom {
    /// The threshold that the hardware applies at a supply.
    pub fn threshold(&self, supply: Millivolts) -> Threshold {
        let index = usize::from(supply.0.saturating_sub(self.first.0));
        self.thresholds[index.min(self.thresholds.len() - 1)]
    }

    /// Supply of the last entry.
    pub fn last(&self) -> Millivolts {
        Millivolts(self.first.0 + (self.thresholds.len() - 1) as u16)
    }
}

/// The voltage model of a configuration, in millivolts.
#[derive(Clone, Debug, PartialEq)]
pub enum VoltageModel {
    /// 22 nm FDX, absolute volts.
    Fdx22nm(Fdx22nm),
    /// 14 nm FinFET, fractions of Vmin.
    Finfet14nm(Finfet14nm),
    /// The configuration's own table.
    Table(UserTable),
}

/// Evaluates an expression for whichever model is inside.
macro_rules! dispatch {
    ($self:expr, $model:ident => $result:expr) => {
        match $self {
            VoltageModel::Fdx22nm($model) => $result,
            VoltageModel::Finfet14nm($model) => $result,
            VoltageModel::Table($model) => $result,
        }
    };
}

impl VoltageModel {
    /// The model that a configuration chose.
    ///
    /// An error names `vmin_mv` where the 14 nm model lacks it, where another
    /// model is given one or where it lies outside 200 to 2000 mV, and the row
    /// of a table that breaks a rule of [`UserTable`].
    pub fn from_configuration(configuration: &Configuration) -> Result<Self, ConfigurationError> {
        let vmin = configuration.vmin_mv;
        let refuse = |value: String, allowed: &str| ConfigurationError::Field {
            field: "vmin_mv",
            value,
            allowed: allowed.to_owned(),
        };
        if let VoltageModelChoice::Finfet14nm = configuration.voltage_model {
            let allowed = "200 to 2000 with voltage_model = \"finfet-14nm\"";
            let vmin = vmin.ok_or_else(|| refuse("absent".to_owned(), allowed))?;
            return Finfet14nm::new(vmin)
                .map(Self::Finfet14nm)
                .ok_or_else(|| refuse(vmin.0.to_string(), allowed));
        }
        if let Some(vmin) = vmin {
            return Err(refuse(
                vmin.0.to_string(),
                "none unless voltage_model = \"finfet-14nm\"",
            ));
        }
        match &configuration.voltage_model {
            VoltageModelChoice::Table(rows) => UserTable::new(rows).map(Self::Table),
            _ => Ok(Self::Fdx22nm(Fdx22nm)),
        }
    }

    /// Probability that a cell is faulty at a supply; an error outside the model.
    pub fn bit_error_rate(&self, supply: Millivolts) -> Result<BitErrorRate, VoltageError> {
        dispatch!(self, model => Ok(model.bit_error_rate(model.voltage(supply)?)))
    }

    /// Energy of an access relative to the model's nominal voltage; an error outside the model.
    pub fn relative_energy(&self, supply: Millivolts) -> Result<f64, VoltageError> {
        dispatch!(self, model => Ok(model.relative_energy(model.voltage(supply)?)))
    }

    /// Lowest voltage accepted, and the highest that the model distinguishes.
    ///
    /// The 14 nm model ends at Vmin here, and also accepts any voltage above.
    pub fn range(&self) -> (Millivolts, Millivolts) {
        dispatch!(self, model => model.range())
    }

    /// The millivolt of [`range`](Self::range) whose rate is nearest in logarithm.
    ///
    /// Of equally near voltages the highest is taken. Rate zero gives the top
    /// of the range; any other rate gives a voltage at which cells do fail, if
    /// the model has one.
    pub fn nearest_millivolts(&self, rate: BitErrorRate) -> Millivolts {
        let (lowest, highest) = self.range();
        if rate.get() == 0.0 {
            return highest;
        }
        let mut nearest = (f64::INFINITY, highest);
        for supply in (lowest.0..=highest.0).rev().map(Millivolts) {
            let candidate = self.rate_inside(supply).get();
            let distance = (candidate / rate.get()).ln().abs();
            if candidate > 0.0 && distance < nearest.0 {
                nearest = (distance, supply);
            }
        }
        nearest.1
    }

    /// Where the numbers come from.
    pub fn source(&self) -> &'static str {
        dispatch!(self, model => model.source())
    }

    /// What voltages and energies are relative to.
    pub fn normalisation(&self) -> String {
        dispatch!(self, model => model.normalisation())
    }

    /// The hardware's ROM: one threshold per millivolt of [`range`](Self::range).
    pub fn rom(&self) -> Rom {
        let (lowest, highest) = self.range();
        Rom {
            first: lowest,
            thresholds: (lowest.0..=highest.0)
                .map(|supply| self.rate_inside(Millivolts(supply)).threshold())
                .collect(),
        }
    }

    fn rate_inside(&self, supply: Millivolts) -> BitErrorRate {
        self.bit_error_rate(supply)
            .expect("every millivolt of a model's own range is accepted")
    }
}

#[cfg(test)]
mod tests;
