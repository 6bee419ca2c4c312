//! What is asked for: memories, chips and operating points.

use super::statistics::Bootstrap;
use crate::energy::relative_sram_energy;
use crate::quantized::MemoryRules;
use brownout_spec::code::CodeName;
use brownout_spec::fault::profile::Profile;
use brownout_spec::fault::{FaultMap, FaultMode};
use brownout_spec::quantity::{BitErrorRate, ChipSeed, Millivolts, Threshold};
use brownout_spec::voltage::{VoltageError, VoltageModel};
use std::fmt::Display;
use thiserror::Error;

/// Highest rate of faulty cells: a memory that fails more often holds less than nothing.
pub const MOST_RATE: f64 = 0.5;
/// Most chips of a run; an interval over more of them is narrower than anyone needs.
const MOST_CHIPS: usize = 1_000_000;

/// Which chips a run looks at: consecutive seeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chips {
    /// Seed of the first chip. The papers have 100 to 149.
    pub first: ChipSeed,
    /// How many.
    pub count: usize,
}

/// What happens to stored words.
#[derive(Clone, Debug, PartialEq)]
pub enum Disturbance {
    /// The fault function's cells, those of each chip.
    Cells {
        /// What a faulty cell does; not `map`.
        mode: FaultMode,
        /// How many are faulty.
        threshold: Threshold,
    },
    /// These cells and no others; chips do not differ.
    Map(FaultMap),
    /// An array like that of a profiled chip, each chip's its own.
    Profile {
        /// The array's statistics.
        profile: Profile,
        /// Whether every image reads the array anew. Otherwise one read serves all.
        transient: bool,
    },
}

/// One operating point.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    /// Supply of the weight memory, where the rate is that of a voltage.
    pub voltage: Option<Millivolts>,
    /// The rate asked for, or the voltage model's; a profile's from its table. `None` for
    /// a map.
    pub rate: Option<f64>,
    /// Energy of the weight memory relative to the same weights without a code at the
    /// voltage model's nominal voltage.
    pub energy_relative: Option<f64>,
    /// What happens to stored words.
    pub disturbance: Disturbance,
}

/// Everything that is to be measured.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// How weights lie in the memory, and what its decoder does.
    pub memory: MemoryRules,
    /// The operating points.
    pub points: Vec<Point>,
    /// The chips of each point.
    pub chips: Chips,
    /// Of a profiled array, at how many places the weights are laid into it, evenly apart.
    /// They are no chips of their own: a chip is as good as they are on average.
    pub offsets: usize,
    /// A chip is good if it classifies at least this share right; gives the yield.
    pub yield_at: Option<f64>,
    /// Probability, above 0 and below 1, with which the papers' guarantee may fail.
    pub guarantee: Option<f64>,
    /// How intervals of means are found.
    pub bootstrap: Bootstrap,
}

/// A setting outside what is allowed.
#[derive(Clone, Debug, PartialEq, Error)]
#[error("{field} is {value}; allowed is {allowed}")]
pub struct PlanError {
    /// Name of the setting.
    pub field: &'static str,
    /// Its value.
    pub value: String,
    /// What is allowed.
    pub allowed: String,
}

fn check(
    ok: bool,
    field: &'static str,
    value: impl Display,
    allowed: impl Into<String>,
) -> Result<(), PlanError> {
    match ok {
        true => Ok(()),
        false => Err(PlanError {
            field,
            value: value.to_string(),
            allowed: allowed.into(),
        }),
    }
}

impl Point {
    /// Cells that are faulty at a rate.
    pub fn at_rate(rate: BitErrorRate, mode: FaultMode) -> Self {
        Self {
            voltage: None,
            rate: Some(rate.get()),
            energy_relative: None,
            disturbance: Disturbance::Cells {
                mode,
                threshold: rate.threshold(),
            },
        }
    }

    /// Cells that are faulty at a voltage.
    ///
    /// # Errors
    /// When the voltage is outside the model.
    pub fn at_voltage(
        model: &VoltageModel,
        supply: Millivolts,
        code: CodeName,
        mode: FaultMode,
    ) -> Result<Self, VoltageError> {
        Ok(Self {
            voltage: Some(supply),
            energy_relative: Some(relative_sram_energy(model, supply, code)?),
            ..Self::at_rate(model.bit_error_rate(supply)?, mode)
        })
    }

    /// The cells of a map.
    pub fn of_map(map: FaultMap) -> Self {
        Self {
            voltage: None,
            rate: None,
            energy_relative: None,
            disturbance: Disturbance::Map(map),
        }
    }

    /// An array like a profiled chip's.
    pub fn of_profile(profile: Profile, transient: bool) -> Self {
        Self {
            voltage: None,
            rate: Some(profile.rate),
            energy_relative: None,
            disturbance: Disturbance::Profile { profile, transient },
        }
    }

    /// Whether every image reads the memory anew.
    pub fn is_transient(&self) -> bool {
        matches!(
            self.disturbance,
            Disturbance::Cells {
                mode: FaultMode::Transient,
                ..
            } | Disturbance::Profile {
                transient: true,
                ..
            }
        )
    }

    /// Name of what faulty cells do, as flags name it.
    pub fn mode(&self) -> String {
        match &self.disturbance {
            Disturbance::Cells { mode, .. } => mode.to_string(),
            Disturbance::Map(_) => FaultMode::Map.to_string(),
            Disturbance::Profile { transient, .. } => match transient {
                true => FaultMode::Transient.to_string(),
                false => FaultMode::Persistent.to_string(),
            },
        }
    }
}

impl Plan {
    /// How many results a point has: one for each chip at every place, or one for a map.
    pub fn results_of(&self, point: &Point) -> usize {
        match point.disturbance {
            Disturbance::Map(_) => 1,
            _ => self.chips.count * self.places_of(point),
        }
    }

    /// At how many places the weights lie in a chip's memory, one after the other.
    pub fn places_of(&self, point: &Point) -> usize {
        match point.disturbance {
            Disturbance::Map(_) | Disturbance::Cells { .. } => 1,
            Disturbance::Profile { .. } => self.offsets,
        }
    }

    /// Checks every setting but those of the memory; the first that is not allowed is named.
    ///
    /// # Errors
    /// One sentence with the setting, its value and what is allowed.
    pub fn validate(&self) -> Result<(), PlanError> {
        let Chips { first, count } = self.chips;
        let chips = format!("1 to {MOST_CHIPS}");
        check((1..=MOST_CHIPS).contains(&count), "chips", count, chips)?;
        check(
            first.0.checked_add(count as u64 - 1).is_some(),
            "first chip",
            first.0,
            "a seed that is followed by one for each chip",
        )?;
        let offsets = "1 to 1024";
        let some = (1..=1024).contains(&self.offsets);
        check(some, "offsets", self.offsets, offsets)?;
        let none = "at least one operating point";
        check(!self.points.is_empty(), "points", self.points.len(), none)?;
        for point in &self.points {
            if let Some(rate) = point.rate {
                let allowed = format!("0 to {MOST_RATE}");
                check((0.0..=MOST_RATE).contains(&rate), "rate", rate, allowed)?;
            }
            if let Disturbance::Cells { mode, .. } = point.disturbance {
                let allowed = "none, persistent, transient or stuck-at";
                check(mode != FaultMode::Map, "mode", mode, allowed)?;
            }
        }
        if let Some(share) = self.yield_at {
            let allowed = "0 to 1, a share of the images";
            check((0.0..=1.0).contains(&share), "yield at", share, allowed)?;
        }
        if let Some(delta) = self.guarantee {
            let inside = delta > 0.0 && delta < 1.0;
            check(inside, "guarantee", delta, "above 0 and below 1")?;
        }
        let resamples = self.bootstrap.resamples;
        let inside = (100..=1_000_000).contains(&resamples);
        check(inside, "resamples", resamples, "100 to 1000000")
    }
}
