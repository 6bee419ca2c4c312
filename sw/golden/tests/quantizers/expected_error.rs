//! The closed form of the expected squared error, against all flip patterns.

use crate::normal_weights;
use brownout_golden::quantize::expected_error::{Faults, of_tensor, of_weight};
use brownout_golden::quantize::{BitWidth, Exposure, Quantizer, Uniform};
use brownout_spec::quantity::BitErrorRate;

const RATES: [f64; 5] = [0.0, 1e-4, 1e-2, 0.3, 1.0];

/// E(w − Δc̃)² as the sum over every pattern of flips of the exposed bits.
fn enumerated(weight: f32, stored: i8, grid: &Uniform, faults: Faults) -> f64 {
    let exposed = faults.exposure.bits(grid.width());
    let p = faults.rate.get();
    (0..1u32 << exposed)
        .map(|flips| {
            let count = flips.count_ones();
            let probability = p.powi(count as i32) * (1.0 - p).powi((exposed - count) as i32);
            let read = faults.exposure.disturb(grid.width(), stored, flips as u8);
            let value = f64::from(grid.step()) * f64::from(read);
            probability * (f64::from(weight) - value).powi(2)
        })
        .sum()
}

/// The worst relative difference of a formula from the enumeration, over all widths,
/// integers, exposures and rates, each at weights on, beside and far from the integer.
fn worst(formula: impl Fn(f32, i8, &Uniform, Faults) -> f64) -> f64 {
    let mut worst = 0.0f64;
    for width in BitWidth::ALL {
        let grid = Uniform::new(width, 0.03).unwrap();
        for rate in RATES {
            for exposure in [Exposure::LiveBits, Exposure::WholeLane] {
                let rate = BitErrorRate::new(rate).unwrap();
                let faults = Faults { rate, exposure };
                for stored in width
                    .integers()
                    .step_by(if width.bits() == 8 { 5 } else { 1 })
                {
                    for weight in [0.0, 0.012, -0.4].map(|d| grid.decode(stored) + d) {
                        let expected = enumerated(weight, stored, &grid, faults);
                        let found = formula(weight, stored, &grid, faults);
                        let scale = expected.max(f64::from(grid.step()).powi(2) * 1e-3);
                        worst = worst.max((found - expected).abs() / scale);
                    }
                }
            }
        }
    }
    worst
}

/// The closed form with its two terms in the hands of the test.
fn assembled(
    shift: f64,
    powers: fn(u32) -> f64,
    bits: fn(Exposure, BitWidth) -> u32,
) -> impl Fn(f32, i8, &Uniform, Faults) -> f64 {
    move |weight, stored, grid, faults| {
        let (p, step) = (faults.rate.get(), f64::from(grid.step()));
        let read = (1.0 - 2.0 * p) * f64::from(stored) - shift * p;
        let exposed = bits(faults.exposure, grid.width());
        (f64::from(weight) - step * read).powi(2) + step * step * p * (1.0 - p) * powers(exposed)
    }
}

#[test]
fn the_closed_form_is_the_mean_over_all_flip_patterns() {
    let difference = worst(of_weight);
    assert!(difference < 1e-10, "{difference}");
}

#[test]
fn the_enumeration_rejects_formulas_that_are_nearly_right() {
    let third: fn(u32) -> f64 = |bits| ((1u64 << (2 * bits)) - 1) as f64 / 3.0;
    let exposed: fn(Exposure, BitWidth) -> u32 = |exposure, width| exposure.bits(width);
    assert!(worst(assembled(1.0, third, exposed)) < 1e-10);
    for (name, mutant) in [
        ("no shift", worst(assembled(0.0, third, exposed))),
        (
            "shift of the wrong sign",
            worst(assembled(-1.0, third, exposed)),
        ),
        ("no spread", worst(assembled(1.0, |_| 0.0, exposed))),
        (
            "a power too many",
            worst(assembled(
                1.0,
                |bits| (1u64 << (2 * bits)) as f64 / 3.0,
                exposed,
            )),
        ),
        (
            "the live bits for the lane",
            worst(assembled(1.0, third, |_, width| width.bits())),
        ),
    ] {
        assert!(mutant > 1e-3, "{name} passes: {mutant}");
    }
}

#[test]
fn a_tensors_error_is_the_mean_of_its_weights() {
    let weights = normal_weights(5, 0.2, 1000);
    for width in BitWidth::ALL {
        let grid = Uniform::symmetric(width, &weights).unwrap();
        for exposure in [Exposure::LiveBits, Exposure::WholeLane] {
            let faults = Faults {
                rate: BitErrorRate::new(0.02).unwrap(),
                exposure,
            };
            let each = weights
                .iter()
                .map(|&w| of_weight(w, grid.encode(w), &grid, faults));
            let mean = each.sum::<f64>() / weights.len() as f64;
            let found = of_tensor(&weights, &grid, faults);
            assert!((found / mean - 1.0).abs() < 1e-12, "{width} bits");
        }
    }
    let grid = Uniform::new(BitWidth::ALL[0], 1.0).unwrap();
    assert_eq!(of_tensor(&[], &grid, Faults::NONE), 0.0);
}
