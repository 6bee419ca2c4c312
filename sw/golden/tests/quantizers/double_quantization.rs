//! The published evaluation quantizes what is quantized already; truncation does not survive that.
//!
//! The largest code that truncation writes is one below the range's end, so a second
//! measurement finds a range one step shorter, and every weight moves toward its lower
//! end. Expected figures: `facts/tables/stutz_double_quantisation_check.txt`, a numeric
//! check on normal weights whose extremes are not known, hence the tolerances.

use crate::{bits, normal_weights};
use brownout_golden::quantize::fixed_point::Fraction;
use brownout_golden::quantize::{FixedPoint, Quantizer};

/// What quantizing once more does to a quantized tensor without a single flip.
#[derive(Default)]
struct Artefact {
    /// Share of weights that change by a tenth of a step or more.
    changed: f64,
    /// Mean change, in steps of the second grid.
    shift: f64,
    /// Root mean square of the change over that of the weights.
    relative: f64,
}

const TENSORS: u64 = 8;

/// The mean over several tensors, each quantized `times` and `times` + 1 times.
fn artefact(scheme: FixedPoint, times: usize) -> Artefact {
    let mut mean = Artefact::default();
    for seed in 0..TENSORS {
        let weights = normal_weights(seed, 0.05, 10_000);
        let before = scheme.requantized(&weights, times).unwrap();
        let after = scheme.requantized(&weights, times + 1).unwrap();
        let grid = scheme.fit(&before).unwrap();
        let step = f64::from(grid.decode(1) - grid.decode(0));
        let changes: Vec<f64> = std::iter::zip(&before, &after)
            .map(|(a, b)| f64::from(b - a) / step)
            .collect();
        let share = 1.0 / (weights.len() as f64 * TENSORS as f64);
        let square = |values: &mut dyn Iterator<Item = f64>| values.map(|v| v * v).sum::<f64>();
        let moved = square(&mut changes.iter().map(|c| c * step));
        let whole = square(&mut before.iter().map(|&w| f64::from(w)));
        mean.changed += changes.iter().filter(|c| c.abs() > 0.1).count() as f64 * share;
        mean.shift += changes.iter().sum::<f64>() * share;
        mean.relative += (moved / whole).sqrt() / TENSORS as f64;
    }
    mean
}

fn truncating(scheme: FixedPoint) -> FixedPoint {
    FixedPoint {
        fraction: Fraction::Truncated,
        ..scheme
    }
}

#[test]
fn quantizing_twice_shifts_truncated_weights_by_half_a_step_as_the_published_numbers_need() {
    for (width, shift, relative) in [(8, -0.468, 0.016), (4, -0.478, 0.248)] {
        let found = artefact(truncating(FixedPoint::rquant(bits(width), 1.0)), 1);
        assert!(found.changed > 0.9, "{width} bits: {}", found.changed);
        assert!(
            (found.shift - shift).abs() < 0.06,
            "{width} bits: {}",
            found.shift
        );
        let ratio = found.relative / relative;
        assert!((0.8..1.25).contains(&ratio), "{width} bits: {ratio}");
    }
    // At two bits one of two values moves.
    let found = artefact(truncating(FixedPoint::rquant(bits(2), 1.0)), 1);
    assert!((found.changed - 0.428).abs() < 0.1, "{}", found.changed);
    assert!((found.shift + found.changed).abs() < 0.01);
    // And the symmetric baseline.
    let found = artefact(FixedPoint::normal(bits(8), 1.0), 1);
    assert!((found.shift + 0.517).abs() < 0.06, "{}", found.shift);
}

#[test]
fn quantizing_a_third_time_shifts_truncated_weights_again() {
    let scheme = truncating(FixedPoint::rquant(bits(8), 1.0));
    assert!((artefact(scheme, 2).shift / artefact(scheme, 1).shift - 1.0).abs() < 0.05);
}

#[test]
fn quantizing_once_and_rounding_know_no_such_shift() {
    for width in [2, 3, 4, 8] {
        let rquant = FixedPoint::rquant(bits(width), 1.0);
        let symmetric = FixedPoint {
            fraction: Fraction::Rounded,
            ..FixedPoint::normal(bits(width), 1.0)
        };
        for times in [1, 2] {
            let found = artefact(rquant, times);
            assert_eq!(found.changed, 0.0, "{width} bits");
            assert!(found.relative < 1e-6, "{width} bits: {}", found.relative);
            // The margin of 0.001 widens a symmetric range each time, a little and on both sides.
            let found = artefact(symmetric, times);
            assert!(found.shift.abs() < 0.02, "{width} bits: {}", found.shift);
            assert!(found.relative < 0.01, "{width} bits: {}", found.relative);
        }
        for scheme in [rquant, truncating(rquant)] {
            let weights = normal_weights(2, 0.05, 500);
            let default = scheme.fit(&weights).unwrap().quantize(&weights).values;
            assert_eq!(default, scheme.requantized(&weights, 1).unwrap());
        }
        // The negative control: the same scheme, truncated.
        assert!(
            artefact(truncating(rquant), 1).changed > 0.3,
            "{width} bits"
        );
    }
}
