//! 14 nm: measured points, normalised to Vmin.

use super::curve::{CurvePoint, LogLinear};
use super::{VoltageCurve, VoltageError};
use crate::quantity::{BitErrorRate, Millivolts};

/// Rates at V/Vmin = n/24 for n = 18, 19, .., 24.
const MEASURED: [f64; 7] = [
    0.205_595,
    0.055_728_9,
    0.011_149_8,
    0.001_289_97,
    6.865_94e-5,
    1.907_02e-6,
    0.0,
];
/// Numerator of the first abscissa.
const FIRST: u16 = 18;
/// Denominator of every abscissa.
const PARTS: u16 = 24;

/// Rates measured at 18/24 to 24/24 of Vmin, energy (V / Vmin)².
///
/// Log-linear between 18/24 and 23/24; the last slope is continued to Vmin,
/// where and above which no cell fails. Source: 32 SRAM arrays of 512 × 64
/// cells, 14 nm FinFET, after Chandramoorthy et al. (HPCA 2019), read from the
/// vector figure of Stutz et al., *Bit Error Robustness for Energy-Efficient
/// DNN Accelerators* (MLSys 2021). The figure's labels .792, .833, … are
/// rounded; its abscissae are exactly n/24. Accepted from 18/24 of Vmin up.
#[derive(Clone, Debug, PartialEq)]
pub struct Finfet14nm {
    vmin: Millivolts,
    curve: LogLinear,
}

/// A supply as a fraction of Vmin, at least 18/24.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct VminRatio(f64);

impl VminRatio {
    /// A ratio V/Vmin; an error below 18/24 or if not finite.
    pub fn new(ratio: f64) -> Result<Self, VoltageError> {
        let lowest = f64::from(FIRST) / f64::from(PARTS);
        if ratio >= lowest && ratio.is_finite() {
            return Ok(Self(ratio));
        }
        Err(VoltageError {
            voltage: format!("{ratio} of Vmin"),
            model: Finfet14nm::NAME,
            allowed: format!("{lowest} of Vmin and above"),
        })
    }

    /// V / Vmin.
    pub fn get(self) -> f64 {
        self.0
    }
}

impl Finfet14nm {
    /// Name in messages.
    pub const NAME: &'static str = "14 nm FinFET model";
    /// Lowest Vmin that a configuration may state.
    pub const LOWEST_VMIN: Millivolts = Millivolts(200);
    /// Highest Vmin that a configuration may state.
    pub const HIGHEST_VMIN: Millivolts = Millivolts(2000);

    /// The model of a memory with this Vmin, or `None` outside 200 to 2000 mV.
    pub fn new(vmin: Millivolts) -> Option<Self> {
        if !(Self::LOWEST_VMIN..=Self::HIGHEST_VMIN).contains(&vmin) {
            return None;
        }
        let points = (FIRST..=PARTS)
            .zip(MEASURED)
            .map(|(n, rate)| CurvePoint {
                at: f64::from(n) / f64::from(PARTS),
                rate,
            })
            .collect();
        Some(Self {
            vmin,
            curve: LogLinear::new(points),
        })
    }

    /// The voltage at and above which no cell fails.
    pub fn vmin(&self) -> Millivolts {
        self.vmin
    }

    /// The lowest whole millivolt at or above 18/24 of Vmin.
    fn lowest(&self) -> Millivolts {
        Millivolts((u32::from(self.vmin.0) * u32::from(FIRST)).div_ceil(u32::from(PARTS)) as u16)
    }
}

impl VoltageCurve for Finfet14nm {
    type Voltage = VminRatio;

    fn voltage(&self, supply: Millivolts) -> Result<VminRatio, VoltageError> {
        if supply >= self.lowest() {
            return Ok(VminRatio(f64::from(supply.0) / f64::from(self.vmin.0)));
        }
        Err(VoltageError {
            voltage: supply.to_string(),
            model: Self::NAME,
            allowed: format!(
                "{} (18/24 of a Vmin of {}) and above",
                self.lowest(),
                self.vmin
            ),
        })
    }

    fn bit_error_rate(&self, voltage: VminRatio) -> BitErrorRate {
        self.curve.rate(voltage.0)
    }

    fn relative_energy(&self, voltage: VminRatio) -> f64 {
        voltage.0.powi(2)
    }

    fn range(&self) -> (Millivolts, Millivolts) {
        (self.lowest(), self.vmin)
    }

    fn source(&self) -> &'static str {
        "Stutz et al., MLSys 2021 (vector figure, after Chandramoorthy et al., HPCA 2019)"
    }

    fn normalisation(&self) -> String {
        format!("V/Vmin with Vmin = {}; energy relative to Vmin", self.vmin)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// (n, rate in percent, energy) of the digitised figure.
    const FIGURE: [(u16, f64, f64); 7] = [
        (18, 20.5595, 0.56250),
        (19, 5.57289, 0.62674),
        (20, 1.11498, 0.69444),
        (21, 0.128997, 0.76562),
        (22, 0.00686594, 0.84028),
        (23, 0.000190702, 0.91840),
        (24, 0.0, 1.0),
    ];

    #[test]
    fn every_point_of_the_figure_lies_on_the_curve() {
        let model = Finfet14nm::new(Millivolts(960)).unwrap();
        for (n, percent, energy) in FIGURE {
            let ratio = model.voltage(Millivolts(40 * n)).unwrap();
            assert_eq!(ratio, VminRatio::new(f64::from(n) / 24.0).unwrap());
            let rate = model.bit_error_rate(ratio).get();
            assert!((rate * 100.0 - percent).abs() <= 1e-12 * percent, "n = {n}");
            assert!(
                (model.relative_energy(ratio) - energy).abs() < 6e-6,
                "n = {n}"
            );
        }
    }

    #[test]
    fn log_linear_interpolation_gives_the_worked_energies() {
        let model = Finfet14nm::new(Millivolts(1000)).unwrap();
        for (rate, energy) in [
            (1e-4, 0.831),
            (1e-3, 0.772),
            (5e-3, 0.720),
            (1e-2, 0.697),
            (2.5e-2, 0.660),
        ] {
            // The ratio with that energy must have that rate: 0.0005 in energy
            // is about 0.0003 in V/Vmin, and that is under 3 % in rate.
            let ratio = VminRatio::new(f64::sqrt(energy)).unwrap();
            let computed = model.bit_error_rate(ratio).get();
            assert!(
                (computed / rate).ln().abs() < 0.03,
                "{computed:e} instead of {rate:e}"
            );
        }
    }

    #[test]
    fn the_last_slope_continues_to_vmin_and_nothing_fails_from_there() {
        let model = Finfet14nm::new(Millivolts(960)).unwrap();
        let rate = |mv| {
            model
                .bit_error_rate(model.voltage(Millivolts(mv)).unwrap())
                .get()
        };
        let per_step = (1.907_02e-6_f64 / 6.865_94e-5).ln() / 40.0;
        let expected = 1.907_02e-6 * (39.0 * per_step).exp();
        assert!((rate(959) / expected - 1.0).abs() < 1e-9);
        assert_eq!((rate(960), rate(961), rate(u16::MAX)), (0.0, 0.0, 0.0));
    }

    #[test]
    fn voltages_below_three_quarters_of_vmin_are_refused_with_the_limit() {
        let model = Finfet14nm::new(Millivolts(850)).unwrap();
        assert_eq!(model.range(), (Millivolts(638), Millivolts(850)));
        assert!(model.voltage(Millivolts(638)).is_ok());
        let message = model.voltage(Millivolts(637)).unwrap_err().to_string();
        assert!(message.contains("637 mV") && message.contains("638 mV"));
        assert!(VminRatio::new(0.7499).is_err());
    }
}
