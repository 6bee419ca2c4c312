//! Gradients of every estimator: finite differences where a derivative exists, the
//! stated rule where it does not.
//!
//! A quantizer is a staircase, so an estimator is the derivative of something
//! smoother, its *surrogate*: clipping for WCAT's range and piecewise-linear weights,
//! the staircase with frozen rounding for LSQ. Those of activations are in
//! `src/network/gradient_tests.rs`, where they are computed.

use crate::bits;
use brownout_golden::quantize::lsq::LearnedStep;
use brownout_golden::quantize::wcat::{GradientScale, StepRule, WcatRules, WeightGradient};
use brownout_golden::quantize::{Lsq, Quantizer, Wcat};

/// Points around a range or step of about 1, none at a kink or a tie.
const POINTS: [f64; 12] = [
    -8.3, -2.6, -1.3, -1.01, -0.83, -0.2, 0.11, 0.37, 0.94, 1.06, 1.7, 7.2,
];
const RANGE: f64 = 0.97;
const STEP: f64 = 1e-5;

/// Derivatives with respect to the value and to the range.
type Slopes = (f64, f64);

/// Central differences of a surrogate of value and range.
fn differences(surrogate: impl Fn(f64, f64) -> f64, value: f64) -> Slopes {
    let centre = |f: &dyn Fn(f64) -> f64| (f(STEP) - f(-STEP)) / (2.0 * STEP);
    (
        centre(&|d| surrogate(value + d, RANGE)),
        centre(&|d| surrogate(value, RANGE + d)),
    )
}

/// Whether claimed gradients are the surrogate's, at every point.
fn agrees(claimed: impl Fn(f64) -> Slopes, surrogate: impl Fn(f64, f64, f64) -> f64) -> bool {
    POINTS.iter().all(|&point| {
        let expected = differences(|x, range| surrogate(point, x, range), point);
        let found = claimed(point);
        (found.0 - expected.0).abs() < 1e-4 && (found.1 - expected.1).abs() < 1e-4
    })
}

fn wcat(step: StepRule, weight_gradient: WeightGradient) -> Wcat {
    let rules = WcatRules {
        step,
        weight_gradient,
        gradient_scale: GradientScale::One,
    };
    Wcat::new(bits(4), RANGE as f32, rules).unwrap()
}

fn of_wcat(quantizer: &Wcat, weight: f64) -> Slopes {
    let mut gradient = [1.0];
    let range = quantizer.backward(&[weight as f32], &mut gradient);
    (gradient[0].into(), range.into())
}

fn of_step(quantizer: &LearnedStep, high: f64, value: f64) -> Slopes {
    let mut gradient = [1.0];
    // One value: the scale is 1/√Qp.
    let step = f64::from(quantizer.backward(&[value as f32], &mut gradient)) * high.sqrt();
    (gradient[0].into(), step)
}

fn clipped(weight: f64, range: f64) -> f64 {
    weight.clamp(-range, range)
}

#[test]
fn wcats_piecewise_linear_gradients_are_those_of_clipping() {
    for step in [StepRule::Published, StepRule::Paper] {
        let quantizer = wcat(step, WeightGradient::PiecewiseLinear);
        assert!(agrees(|w| of_wcat(&quantizer, w), |_, w, a| clipped(w, a)));
    }
    // Mutants: the other estimators' weights, and a range of the wrong sign.
    for other in [
        WeightGradient::StraightThrough,
        WeightGradient::MagnitudeAware,
    ] {
        let quantizer = wcat(StepRule::Published, other);
        assert!(!agrees(|w| of_wcat(&quantizer, w), |_, w, a| clipped(w, a)));
    }
    let quantizer = wcat(StepRule::Published, WeightGradient::PiecewiseLinear);
    let opposite = |w| {
        let (weight, range) = of_wcat(&quantizer, w);
        (weight, -range)
    };
    assert!(!agrees(opposite, |_, w, a| clipped(w, a)));
}

#[test]
fn wcats_other_weight_gradients_follow_their_rules() {
    let straight = wcat(StepRule::Published, WeightGradient::StraightThrough);
    let aware = wcat(StepRule::Published, WeightGradient::MagnitudeAware);
    for point in POINTS {
        let (weight, range) = of_wcat(&straight, point);
        assert_eq!(weight, 1.0, "1 everywhere");
        let outside = point.abs() > RANGE;
        assert_eq!(range, if outside { point.signum() } else { 0.0 });
        let (weight, same) = of_wcat(&aware, point);
        let expected = if outside { RANGE / point.abs() } else { 1.0 };
        assert!((weight - expected).abs() < 1e-6, "{point}: {weight}");
        assert_eq!(same, range, "the estimators differ in the weights only");
    }
    // Outside, α/|w| is the derivative of α·(1 + ln(|w|/α)), which continues clipping smoothly.
    let logarithm = |w: f64| RANGE * (1.0 + (w.abs() / RANGE).ln()) * w.signum();
    for point in POINTS.into_iter().filter(|w| w.abs() > RANGE) {
        let slope = (logarithm(point + STEP) - logarithm(point - STEP)) / (2.0 * STEP);
        assert!((of_wcat(&aware, point).0 - slope).abs() < 1e-4);
    }
}

#[test]
fn wcats_range_gradient_is_the_true_one_of_clipped_weights_where_the_paper_says_so() {
    // Where the integer is saturated, the quantizer itself has a derivative.
    let slope = |step: StepRule, weight: f32| {
        let value = |alpha: f32| {
            let rules = WcatRules {
                step,
                ..WcatRules::default()
            };
            f64::from(Wcat::new(bits(4), alpha, rules).unwrap().fake(weight))
        };
        (value(1.0625) - value(0.9375)) / 0.125
    };
    assert!((slope(StepRule::Paper, 3.0) - 1.0).abs() < 1e-5);
    assert!((slope(StepRule::Paper, -3.0) + 1.0).abs() < 1e-5);
    assert!((slope(StepRule::Published, -3.0) + 1.0).abs() < 1e-5);
    // The published grid ends a step below +α, which its gradient ignores.
    assert!((slope(StepRule::Published, 3.0) - 0.875).abs() < 1e-5);
    let quantizer = wcat(StepRule::Published, WeightGradient::StraightThrough);
    assert_eq!(of_wcat(&quantizer, 3.0).1, 1.0);
}

#[test]
fn wcats_range_gradient_is_summed_and_scaled_by_the_root_of_the_count() {
    let weights = [2.0, -2.0, 3.0, 0.5];
    let upstream = [0.5, 0.25, -1.0, 9.0];
    for (gradient_scale, expected) in [
        (GradientScale::One, 0.5 - 0.25 - 1.0),
        (GradientScale::InverseRoot, (0.5 - 0.25 - 1.0) / 2.0),
    ] {
        let rules = WcatRules {
            gradient_scale,
            ..WcatRules::default()
        };
        let quantizer = Wcat::new(bits(4), 1.0, rules).unwrap();
        let mut gradient = upstream;
        assert_eq!(quantizer.backward(&weights, &mut gradient), expected);
        assert_eq!(gradient, upstream, "straight through");
    }
    assert_eq!(
        WcatRules::default().gradient_scale,
        GradientScale::InverseRoot
    );
}

/// LSQ's surrogate: the staircase with the rounding of the point frozen.
fn frozen(point: f64, value: f64, step: f64, low: f64, high: f64) -> f64 {
    let at = (point / RANGE).clamp(low, high);
    let rounding = at.round_ties_even() - at;
    step * ((value / step).clamp(low, high) + rounding)
}

#[test]
fn lsqs_gradients_are_those_of_the_staircase_with_frozen_rounding() {
    for width in [2, 3, 4].map(bits) {
        let weights = Lsq::new(width, RANGE as f32).unwrap().learned;
        let (low, high) = width.range();
        let (low, high) = (f64::from(low), f64::from(high));
        let surrogate = |point, x, s| frozen(point, x, s, low, high);
        assert!(agrees(|x| of_step(&weights, high, x), surrogate));
        // Mutants: no −x/s inside; no rounding; straight through outside.
        let inside = |x: f64| (low * RANGE..high * RANGE).contains(&x);
        let honest = |x| of_step(&weights, high, x);
        let whole = |x: f64| {
            let (value, step) = honest(x);
            (value, if inside(x) { step + x / RANGE } else { step })
        };
        assert!(!agrees(whole, surrogate));
        let unrounded = |x: f64| (honest(x).0, if inside(x) { 0.0 } else { honest(x).1 });
        assert!(!agrees(unrounded, surrogate));
        assert!(!agrees(|x| (1.0, honest(x).1), surrogate));
    }
}

#[test]
fn lsqs_step_gradient_is_scaled_by_count_and_largest_integer() {
    let lsq = Lsq::new(bits(4), 1.0).unwrap();
    let mut gradient = [1.0, 2.0, 1.0, 1.0];
    // 9 is above Qp = 7, −20 below Qn = −8; 0.25 and 1.25 are rounded down by 0.25.
    let step = lsq
        .learned
        .backward(&[9.0, -20.0, 0.25, 1.25], &mut gradient);
    let expected = (7.0 - 16.0 - 0.25 - 0.25) / (4.0f32 * 7.0).sqrt();
    assert!((step - expected).abs() < 1e-6, "{step}");
    assert_eq!(gradient, [0.0, 0.0, 1.0, 1.0]);
}
