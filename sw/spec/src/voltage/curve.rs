//! A rate that falls log-linearly between measured points.

use crate::quantity::BitErrorRate;

/// One measured point: where, and which rate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct CurvePoint {
    /// Abscissa, in the normalisation of the model that owns the curve.
    pub at: f64,
    /// Probability that a cell is faulty, in `[0, 1]`.
    pub rate: f64,
}

/// Straight lines through (abscissa, ln rate).
///
/// A rate of zero has no logarithm. Between a positive point and a point of
/// zero the line of the interval below is therefore continued, and the rate
/// drops to zero *at* the upper point; where no interval lies below, the
/// positive rate is held. Both err on the side of more faults. Outside its
/// points the curve is constant.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct LogLinear {
    points: Vec<CurvePoint>,
}

impl LogLinear {
    /// A curve through points whose abscissae rise and whose rates do not.
    ///
    /// The caller has checked that there is at least one point and that every
    /// rate lies in `[0, 1]`.
    pub fn new(points: Vec<CurvePoint>) -> Self {
        debug_assert!(!points.is_empty());
        debug_assert!(
            points
                .windows(2)
                .all(|w| w[0].at < w[1].at && w[0].rate >= w[1].rate)
        );
        Self { points }
    }

    /// The rate at an abscissa; a measured point gives exactly its own rate.
    pub fn rate(&self, at: f64) -> BitErrorRate {
        let above = self.points.partition_point(|point| point.at <= at);
        let rate = match above {
            0 => self.points[0].rate,
            n if n == self.points.len() => self.points[n - 1].rate,
            n => self.between(n - 1, at),
        };
        BitErrorRate::new(rate).expect("an interpolation of rates in [0, 1] that never rises")
    }

    /// The rate inside the interval that starts at point `lower`.
    fn between(&self, lower: usize, at: f64) -> f64 {
        let start = self.points[lower];
        if start.rate == 0.0 || start.at == at {
            return start.rate;
        }
        let (from, to) = if self.points[lower + 1].rate > 0.0 {
            (start, self.points[lower + 1])
        } else if lower > 0 {
            (self.points[lower - 1], start)
        } else {
            return start.rate;
        };
        let slope = (to.rate / from.rate).ln() / (to.at - from.at);
        start.rate * (slope * (at - start.at)).exp()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn curve(points: &[(f64, f64)]) -> LogLinear {
        LogLinear::new(
            points
                .iter()
                .map(|&(at, rate)| CurvePoint { at, rate })
                .collect(),
        )
    }

    #[test]
    fn the_middle_of_an_interval_is_the_geometric_mean() {
        let rate = curve(&[(1.0, 1e-2), (3.0, 1e-4)]).rate(2.0).get();
        assert!((rate / 1e-3 - 1.0).abs() < 1e-12, "{rate}");
    }

    #[test]
    fn towards_a_rate_of_zero_the_slope_below_is_continued_and_ends_at_the_point() {
        let falling = curve(&[(1.0, 1e-2), (2.0, 1e-3), (3.0, 0.0), (4.0, 0.0)]);
        assert!((falling.rate(2.5).get() / 1e-3_f64.powf(1.0 + 0.5 / 3.0) - 1.0).abs() < 1e-9);
        assert_eq!(falling.rate(3.0).get(), 0.0);
        assert_eq!(falling.rate(3.5).get(), 0.0);
    }

    #[test]
    fn a_first_interval_that_falls_to_zero_holds_its_rate() {
        let step = curve(&[(1.0, 0.25), (2.0, 0.0)]);
        assert_eq!(step.rate(1.999).get(), 0.25);
        assert_eq!(step.rate(2.0).get(), 0.0);
    }

    #[test]
    fn outside_its_points_the_curve_is_constant() {
        let two = curve(&[(1.0, 0.5), (2.0, 0.25)]);
        assert_eq!((two.rate(0.0).get(), two.rate(9.0).get()), (0.5, 0.25));
    }
}
