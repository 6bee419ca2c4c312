//! WCAT's figure 10b: the best range shrinks as bits fail more often.
//!
//! The figure's source has no numbers. `vectors/wcat_ranges.py` computes them from
//! the densities by quadrature and from all flip patterns; here the ranges that
//! training would start from are found for samples of the same distributions.

use crate::{bits, normal_weights};
use brownout_golden::quantize::expected_error::{Faults, of_tensor};
use brownout_golden::quantize::wcat::{StepRule, WcatRules};
use brownout_golden::quantize::{Exposure, Quantizer, RangeInitialization, Wcat};
use brownout_spec::quantity::BitErrorRate;
use std::f64::consts::PI;

const VECTORS: &str = include_str!("../vectors/wcat_ranges.tsv");
const SAMPLES: usize = 20_000;

struct Row {
    distribution: &'static str,
    rules: WcatRules,
    faults: Faults,
    range: f64,
}

fn rows() -> Vec<Row> {
    let rows = VECTORS.lines().skip(1).map(|line| {
        let fields: Vec<&str> = line.split('\t').collect();
        let step = match fields[1] {
            "published" => StepRule::Published,
            "paper" => StepRule::Paper,
            other => panic!("no step is called {other}"),
        };
        Row {
            distribution: fields[0],
            rules: WcatRules {
                step,
                ..WcatRules::default()
            },
            faults: faults(fields[2].parse().unwrap()),
            range: fields[3].parse().unwrap(),
        }
    });
    rows.collect()
}

fn faults(rate: f64) -> Faults {
    Faults {
        rate: BitErrorRate::new(rate).unwrap(),
        exposure: Exposure::LiveBits,
    }
}

/// Evenly spaced quantiles of a distribution of the figure.
fn weights(distribution: &str) -> Vec<f32> {
    let (density, reach): (fn(f64) -> f64, f64) = match distribution {
        "normal" => (|x| (-x * x / 2.0).exp(), 8.0),
        "uniform" => (|_| 1.0, 1.0),
        "laplace" => (|x| (-x.abs()).exp(), 30.0),
        "von-mises" => (|x| (4.0 * x.cos()).exp(), PI),
        other => panic!("no distribution is called {other}"),
    };
    let pieces = 400_000;
    let width = 2.0 * reach / f64::from(pieces);
    let middle = |i: i32| -reach + (f64::from(i) + 0.5) * width;
    let total: f64 = (0..pieces).map(|i| density(middle(i))).sum();
    let mut weights = Vec::with_capacity(SAMPLES);
    let mut below = 0.0;
    for i in 0..pieces {
        let here = density(middle(i)) / total;
        while weights.len() < SAMPLES {
            let quantile = (weights.len() as f64 + 0.5) / SAMPLES as f64;
            if quantile > below + here {
                break;
            }
            let share = (quantile - below) / here;
            weights.push((middle(i) + (share - 0.5) * width) as f32);
        }
        below += here;
    }
    assert_eq!(weights.len(), SAMPLES);
    weights
}

fn found(row: &Row, weights: &[f32]) -> f64 {
    let initialization = RangeInitialization::LeastExpectedError(row.faults);
    let range = initialization.range(weights, bits(4), row.rules);
    f64::from(range.unwrap())
}

#[test]
fn the_best_ranges_of_the_four_distributions_are_those_of_the_quadrature() {
    let rows = rows();
    assert_eq!(rows.len(), 4 * 2 * 6);
    for group in rows.chunks(12) {
        let weights = weights(group[0].distribution);
        for row in group {
            let range = found(row, &weights);
            assert!(
                (range / row.range - 1.0).abs() < 0.015,
                "{} at {}: {range} instead of {}",
                row.distribution,
                row.faults.rate,
                row.range
            );
        }
    }
}

#[test]
fn the_best_range_falls_as_the_rate_rises_for_every_distribution_of_the_figure() {
    for group in rows().chunks(6) {
        let weights = weights(group[0].distribution);
        let ranges: Vec<f64> = group.iter().map(|row| found(row, &weights)).collect();
        assert!(
            ranges.is_sorted_by(|a, b| a > b),
            "{}: {ranges:?}",
            group[0].distribution
        );
        // From no faults to 5 %, by a quarter at least.
        assert!(ranges[5] < 0.76 * ranges[0], "{ranges:?}");
    }
}

#[test]
fn without_faults_the_ranges_are_those_of_the_classical_uniform_quantizer() {
    let paper = WcatRules {
        step: StepRule::Paper,
        ..WcatRules::default()
    };
    // Steps for a normal distribution and 3, 7 and 15 levels (Max, 1960, table II).
    let normal = weights("normal");
    for (width, step) in [(2, 1.224), (3, 0.6508), (4, 0.3534)] {
        let range = RangeInitialization::LeastError.range(&normal, bits(width), paper);
        let found = f64::from(range.unwrap()) / f64::from(bits(width).half() - 1);
        assert!((found / step - 1.0).abs() < 0.01, "{width} bits: {found}");
    }
    // A uniform distribution is cut into equal parts.
    let uniform = weights("uniform");
    for width in [2, 3, 4] {
        let levels = f64::from(2 * bits(width).half() - 1);
        let range = RangeInitialization::LeastError.range(&uniform, bits(width), paper);
        let found = f64::from(range.unwrap()) * levels / (levels - 1.0);
        assert!((found - 1.0).abs() < 0.01, "{width} bits: {found}");
    }
}

/// The range on a fine scale at which another objective is least.
fn least(weights: &[f32], row: &Row, objective: fn(&[f32], &Wcat, Faults) -> f64) -> f64 {
    let scale = (0..200).map(|i| 0.3 * 1.015f64.powi(i));
    let error = |&alpha: &f64| {
        let wcat = Wcat::new(bits(4), alpha as f32, row.rules).unwrap();
        objective(weights, &wcat, row.faults)
    };
    scale.min_by(|a, b| error(a).total_cmp(&error(b))).unwrap()
}

#[test]
fn the_quadrature_rejects_objectives_that_forget_a_part_of_the_error() {
    let rows = rows();
    for row in rows.iter().filter(|r| r.faults.rate.get() == 0.05) {
        let weights = weights(row.distribution)
            .into_iter()
            .step_by(10)
            .collect::<Vec<_>>();
        let away = |objective| (least(&weights, row, objective) / row.range - 1.0).abs();
        let right = away(|w, wcat, faults| of_tensor(w, &wcat.grid(), faults));
        assert!(right < 0.02, "{}: {right}", row.distribution);
        let no_faults = away(|w, wcat, _| of_tensor(w, &wcat.grid(), Faults::NONE));
        let half_the_rate =
            away(|w, wcat, f| of_tensor(w, &wcat.grid(), faults(f.rate.get() / 2.0)));
        let no_spread = away(|w, wcat, f| {
            let p = f.rate.get();
            let square = |&w: &f32| {
                let read = (1.0 - 2.0 * p) * f64::from(wcat.encode(w)) - p;
                (f64::from(w) - f64::from(wcat.step()) * read).powi(2)
            };
            w.iter().map(square).sum()
        });
        for mutant in [no_faults, half_the_rate, no_spread] {
            assert!(mutant > 0.05, "{}: {mutant}", row.distribution);
        }
    }
}

#[test]
fn each_initialization_is_the_best_by_its_own_measure() {
    let weights = normal_weights(7, 0.05, 4000);
    let largest = weights.iter().fold(0.0f32, |m, w| m.max(w.abs()));
    for width in [2, 4, 8].map(bits) {
        let rules = WcatRules::default();
        let expected = RangeInitialization::LeastExpectedError(faults(0.01));
        let all = [
            RangeInitialization::MaxAbs,
            RangeInitialization::LeastError,
            expected,
        ];
        let wcat = all.map(|i| i.wcat(&weights, width, rules).unwrap());
        assert_eq!(wcat[0].alpha(), largest);
        let errors = |f| wcat.map(|w| of_tensor(&weights, &w.grid(), f));
        let [clean, faulty] = [errors(Faults::NONE), errors(faults(0.01))];
        assert!(clean[1] <= clean[0] && clean[1] < clean[2], "{clean:?}");
        assert!(faulty[2] < faulty[1] && faulty[2] < faulty[0], "{faulty:?}");
        // Faults pull the range in; at 8 bits, where the sign is worth most, by far.
        assert!(wcat[2].alpha() < 0.9 * wcat[1].alpha(), "{width} bits");
    }
}
