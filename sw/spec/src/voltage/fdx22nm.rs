//! 22 nm FDX: a published exponential in absolute volts.

use super::{VoltageCurve, VoltageError};
use crate::quantity::{BitErrorRate, Millivolts};

/// Intercept of ln BER at 0 V.
const INTERCEPT: f64 = 22.12;
/// Fall of ln BER per volt.
const SLOPE_PER_VOLT: f64 = 68.14;
/// The rate saturates here: a cell that fails always still reads right half of the time.
const CEILING: f64 = 0.5;
/// Nominal supply of the memory, to which energies are relative.
const NOMINAL_VOLTS: f64 = 0.8;

/// BER = min(exp(22.12 − 68.14 V), 0.5) with V in volts, energy (V / 0.8 V)².
///
/// Source: measurements by Di Mauro et al. (2020), as fitted in the WCAT paper
/// (Transactions on Machine Learning Research), Appendix C. Accepted from
/// 335 mV, just above where the ceiling of one half is reached, to the nominal
/// 800 mV.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fdx22nm;

/// A supply of the 22 nm memory in absolute volts, 0.335 to 0.8.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct AbsoluteVolts(f64);

impl AbsoluteVolts {
    /// A voltage in volts; an error outside 0.335 to 0.8.
    pub fn new(volts: f64) -> Result<Self, VoltageError> {
        let (lowest, highest) = (
            f64::from(Fdx22nm::LOWEST.0) / 1000.0,
            f64::from(Fdx22nm::HIGHEST.0) / 1000.0,
        );
        if (lowest..=highest).contains(&volts) {
            return Ok(Self(volts));
        }
        Err(VoltageError {
            voltage: format!("{volts} V"),
            model: Fdx22nm::NAME,
            allowed: format!("{lowest} V to {highest} V"),
        })
    }

    /// The voltage in volts.
    pub fn get(self) -> f64 {
        self.0
    }
}

impl Fdx22nm {
    /// Name in messages.
    pub const NAME: &'static str = "22 nm FDX model";
    /// Lowest voltage accepted.
    pub const LOWEST: Millivolts = Millivolts(335);
    /// Highest voltage accepted: nominal.
    pub const HIGHEST: Millivolts = Millivolts(800);
}

impl VoltageCurve for Fdx22nm {
    type Voltage = AbsoluteVolts;

    fn voltage(&self, supply: Millivolts) -> Result<AbsoluteVolts, VoltageError> {
        if (Self::LOWEST..=Self::HIGHEST).contains(&supply) {
            return Ok(AbsoluteVolts(f64::from(supply.0) / 1000.0));
        }
        Err(VoltageError {
            voltage: supply.to_string(),
            model: Self::NAME,
            allowed: format!("{} to {}", Self::LOWEST, Self::HIGHEST),
        })
    }

    fn bit_error_rate(&self, voltage: AbsoluteVolts) -> BitErrorRate {
        let rate = (INTERCEPT - SLOPE_PER_VOLT * voltage.0).exp().min(CEILING);
        BitErrorRate::new(rate).expect("an exponential limited to one half")
    }

    fn relative_energy(&self, voltage: AbsoluteVolts) -> f64 {
        (voltage.0 / NOMINAL_VOLTS).powi(2)
    }

    fn range(&self) -> (Millivolts, Millivolts) {
        (Self::LOWEST, Self::HIGHEST)
    }

    fn source(&self) -> &'static str {
        "Di Mauro et al. 2020, as fitted in WCAT (TMLR), Appendix C"
    }

    fn normalisation(&self) -> String {
        "absolute volts; energy relative to 800 mV (nominal)".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millivolts: u16) -> (f64, f64) {
        let voltage = Fdx22nm.voltage(Millivolts(millivolts)).unwrap();
        (
            Fdx22nm.bit_error_rate(voltage).get(),
            Fdx22nm.relative_energy(voltage),
        )
    }

    #[test]
    fn the_worked_values_of_the_formula_hold() {
        for (millivolts, rate, digits) in [
            (500, 6.5e-6, 0.05e-6),
            (420, 1.5e-3, 0.05e-3),
            (400, 5.9e-3, 0.05e-3),
            // 1e-3 at 0.426 V and 1e-2 at 0.3922 V, to the millivolt (7 % in rate).
            (426, 1.0e-3, 0.035e-3),
            (392, 1.0e-2, 0.035e-2),
        ] {
            let (computed, _) = at(millivolts);
            assert!(
                (computed - rate).abs() <= digits,
                "{millivolts} mV: {computed:e} instead of {rate:e}"
            );
        }
        assert!((at(426).1 - 0.284).abs() < 0.0005);
        assert!(
            (Fdx22nm.relative_energy(AbsoluteVolts::new(0.3922).unwrap()) - 0.240).abs() < 5e-4
        );
        assert_eq!(at(800).1, 1.0);
    }

    #[test]
    fn the_range_ends_where_the_ceiling_begins() {
        assert!(at(335).0 < CEILING);
        assert!((INTERCEPT - SLOPE_PER_VOLT * 0.334).exp() > CEILING);
        for outside in [334, 801] {
            let message = Fdx22nm
                .voltage(Millivolts(outside))
                .unwrap_err()
                .to_string();
            assert!(message.contains("335 mV to 800 mV"), "{message}");
        }
        assert!(AbsoluteVolts::new(0.9).is_err());
    }
}
