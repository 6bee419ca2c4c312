//! A voltage table supplied by the user.

use super::curve::{CurvePoint, LogLinear};
use super::{VoltageCurve, VoltageError};
use crate::config::{ConfigurationError, VoltagePoint};
use crate::quantity::{BitErrorRate, Millivolts};

/// Name of the table's field in the configuration.
const FIELD: &str = "voltage_model.table";
/// Largest relative energy: ten times a supply would be a hundred times the energy.
const MOST_ENERGY: f64 = 1000.0;

/// Rates and energies of a user's own memory, in millivolts.
///
/// Rates are log-linear between rows. From a row with a positive rate to a row
/// with rate zero, the slope of the interval below is continued (in the first
/// interval the rate is held), and no cell fails from the zero row up. Energies
/// are linear between rows. Accepted from the first to the last row.
#[derive(Clone, Debug, PartialEq)]
pub struct UserTable {
    rows: Vec<VoltagePoint>,
    curve: LogLinear,
}

/// A supply inside a user's table, in its millivolts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TableVoltage(Millivolts);

impl TableVoltage {
    /// The supply in millivolts.
    pub fn get(self) -> Millivolts {
        self.0
    }
}

impl UserTable {
    /// Name in messages.
    pub const NAME: &'static str = "configuration's voltage table";
    /// Widest table, in millivolts from first to last row: it bounds the ROM.
    pub const WIDEST: u16 = 4095;

    /// A table of at least two rows: voltages rise, rates lie in `[0, 1]` and
    /// do not rise, energies are positive and at most 1000.
    pub fn new(rows: &[VoltagePoint]) -> Result<Self, ConfigurationError> {
        let [first, .., last] = rows else {
            return Err(refuse(
                format!("a table of {} rows", rows.len()),
                "at least two rows",
            ));
        };
        for (index, row) in rows.iter().enumerate() {
            check_row(index, row)?;
        }
        for (index, pair) in rows.windows(2).enumerate() {
            check_order(index + 2, pair[0], pair[1])?;
        }
        if last.millivolts - first.millivolts > Self::WIDEST {
            return Err(refuse(
                format!("{} to {} mV", first.millivolts, last.millivolts),
                "a span of at most 4095 mV",
            ));
        }
        let points = rows
            .iter()
            .map(|row| CurvePoint {
                at: f64::from(row.millivolts),
                rate: row.bit_error_rate,
            })
            .collect();
        Ok(Self {
            rows: rows.to_vec(),
            curve: LogLinear::new(points),
        })
    }
}

fn refuse(value: String, allowed: &str) -> ConfigurationError {
    ConfigurationError::Field {
        field: FIELD,
        value,
        allowed: allowed.to_owned(),
    }
}

fn check_row(index: usize, row: &VoltagePoint) -> Result<(), ConfigurationError> {
    let number = index + 1;
    if BitErrorRate::new(row.bit_error_rate).is_none() {
        return Err(refuse(
            format!("bit_error_rate = {} in row {number}", row.bit_error_rate),
            "a rate from 0 to 1",
        ));
    }
    if !(row.relative_energy > 0.0 && row.relative_energy <= MOST_ENERGY) {
        return Err(refuse(
            format!("relative_energy = {} in row {number}", row.relative_energy),
            "a positive number up to 1000",
        ));
    }
    Ok(())
}

fn check_order(
    number: usize,
    below: VoltagePoint,
    row: VoltagePoint,
) -> Result<(), ConfigurationError> {
    if row.millivolts <= below.millivolts {
        return Err(refuse(
            format!(
                "millivolts = {} in row {number} after {}",
                row.millivolts, below.millivolts
            ),
            "rows in order of rising voltage",
        ));
    }
    if row.bit_error_rate > below.bit_error_rate {
        return Err(refuse(
            format!(
                "bit_error_rate = {} in row {number} after {}",
                row.bit_error_rate, below.bit_error_rate
            ),
            "rates that do not rise with the voltage",
        ));
    }
    Ok(())
}

impl VoltageCurve for UserTable {
    type Voltage = TableVoltage;

    fn voltage(&self, supply: Millivolts) -> Result<TableVoltage, VoltageError> {
        let (lowest, highest) = self.range();
        if (lowest..=highest).contains(&supply) {
            return Ok(TableVoltage(supply));
        }
        Err(VoltageError {
            voltage: supply.to_string(),
            model: Self::NAME,
            allowed: format!("{lowest} to {highest}"),
        })
    }

    fn bit_error_rate(&self, voltage: TableVoltage) -> BitErrorRate {
        self.curve.rate(f64::from(voltage.0.0))
    }

    fn relative_energy(&self, voltage: TableVoltage) -> f64 {
        let at = voltage.0.0;
        let above = self.rows.partition_point(|row| row.millivolts <= at);
        if above == 0 || above == self.rows.len() {
            return self.rows[above.saturating_sub(1)].relative_energy;
        }
        let (low, high) = (self.rows[above - 1], self.rows[above]);
        let part = f64::from(at - low.millivolts) / f64::from(high.millivolts - low.millivolts);
        low.relative_energy + part * (high.relative_energy - low.relative_energy)
    }

    fn range(&self) -> (Millivolts, Millivolts) {
        (
            Millivolts(self.rows[0].millivolts),
            Millivolts(self.rows[self.rows.len() - 1].millivolts),
        )
    }

    fn source(&self) -> &'static str {
        "the configuration's own table"
    }

    fn normalisation(&self) -> String {
        "millivolts and energies as the table states them".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(millivolts: u16, bit_error_rate: f64, relative_energy: f64) -> VoltagePoint {
        VoltagePoint {
            millivolts,
            bit_error_rate,
            relative_energy,
        }
    }

    #[test]
    fn rates_are_log_linear_and_energies_linear_between_rows() {
        let table = UserTable::new(&[row(500, 1e-2, 0.4), row(600, 1e-4, 0.6), row(700, 0.0, 1.0)])
            .unwrap();
        let at = |mv| {
            let voltage = table.voltage(Millivolts(mv)).unwrap();
            (
                table.bit_error_rate(voltage).get(),
                table.relative_energy(voltage),
            )
        };
        assert!((at(550).0 / 1e-3 - 1.0).abs() < 1e-9);
        assert!((at(550).1 - 0.5).abs() < 1e-12);
        assert_eq!(at(500), (1e-2, 0.4));
        assert!((at(650).0 / 1e-5 - 1.0).abs() < 1e-9);
        assert_eq!(at(700), (0.0, 1.0));
        assert!(table.voltage(Millivolts(701)).is_err());
    }

    #[test]
    fn each_refusal_of_a_table_names_the_row_and_the_rule() {
        let good = row(500, 0.1, 0.5);
        for (rows, expected) in [
            (vec![], "at least two rows"),
            (vec![good], "at least two rows"),
            (vec![good, row(500, 0.1, 0.5)], "millivolts = 500 in row 2"),
            (
                vec![good, row(600, 0.2, 0.5)],
                "bit_error_rate = 0.2 in row 2",
            ),
            (
                vec![good, row(600, -0.1, 0.5)],
                "bit_error_rate = -0.1 in row 2",
            ),
            (vec![good, row(600, f64::NAN, 0.5)], "bit_error_rate = NaN"),
            (
                vec![good, row(600, 0.1, 0.0)],
                "relative_energy = 0 in row 2",
            ),
            (
                vec![good, row(600, 0.1, f64::INFINITY)],
                "a positive number up to 1000",
            ),
            (
                vec![good, row(600, 0.1, 1000.5)],
                "relative_energy = 1000.5 in row 2",
            ),
            (vec![good, row(6000, 0.1, 1.0)], "at most 4095 mV"),
        ] {
            let message = UserTable::new(&rows).unwrap_err().to_string();
            assert!(message.starts_with(FIELD), "{message}");
            assert!(message.contains(expected), "{message:?} lacks {expected:?}");
        }
    }
}
