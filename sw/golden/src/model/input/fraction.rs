//! Exact decimal fractions.

use std::fmt;

/// Digits behind the point that a fraction has at most.
pub(super) const DIGITS: usize = 8;
/// Units of a [`Fraction`] in one.
pub(super) const ONE: u32 = 10u32.pow(DIGITS as u32);
/// Units of a ten-thousandth, in which files keep most fractions.
const TEN_THOUSANDTH: u32 = ONE / 10_000;

/// A share of full ink, 0 to 1, with at most eight digits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fraction(u32);

impl Fraction {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// Full ink.
    pub const ONE: Self = Self(ONE);

    /// So many ten-thousandths.
    pub(super) const fn ten_thousandths(units: u32) -> Self {
        Self(units * TEN_THOUSANDTH)
    }

    /// Of units of 10⁻⁸, if it is at most one.
    pub(super) fn of_units(units: u64) -> Option<Self> {
        let units = u32::try_from(units).ok()?;
        (units <= ONE).then_some(Self(units))
    }

    /// Of a decimal number, to eight digits.
    pub(super) fn decimal(text: &str) -> Option<Self> {
        Self::of_units(units(text)?)
    }

    /// Ten-thousandths, if it is a whole number of them.
    pub(super) fn as_ten_thousandths(self) -> Option<u16> {
        (self.0.is_multiple_of(TEN_THOUSANDTH)).then_some((self.0 / TEN_THOUSANDTH) as u16)
    }

    /// Its units.
    pub(super) fn wide(self) -> u64 {
        u64::from(self.0)
    }

    /// The nearest number.
    pub fn get(self) -> f64 {
        f64::from(self.0) / f64::from(ONE)
    }
}

/// All digits, at least four behind the point.
impl fmt::Display for Fraction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = format!("{:08}", self.0 % ONE);
        let (first, rest) = digits.split_at(4);
        let rest = rest.trim_end_matches('0');
        write!(f, "{}.{first}{rest}", self.0 / ONE)
    }
}

/// A decimal number in units of 10⁻⁸, rounded to the nearest if it has more digits; `None` of signs
/// and exponents.
pub(super) fn units(text: &str) -> Option<u64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    let none = text.bytes().all(|b| !b.is_ascii_digit());
    if none || !digits(whole) || !digits(fraction) {
        return None;
    }
    let (kept, rest) = fraction.split_at(fraction.len().min(DIGITS));
    let up = u64::from(rest.bytes().next().is_some_and(|digit| digit >= b'5'));
    let units: u64 = format!("{kept:0<DIGITS$}").parse().ok()?;
    let whole: u64 = match whole {
        "" => 0,
        whole => whole.parse().ok()?,
    };
    whole.checked_mul(u64::from(ONE))?.checked_add(units + up)
}
