//! The fault function as a statistician sees it: rates, counts, variance, dependence.
//!
//! Every check takes any [`FaultFunction`]. The one of the accelerator passes
//! all of them; a hash that is linear over GF(2), one whose lanes are equal in
//! pairs, and ones that ignore the high half of seed, address or pass are
//! rejected, and the tests say by which checks.
//!
//! Seeds of 64 bits, passes of 32 and addresses of 20 are drawn once for all, so
//! a check that passes once always passes. The bounds (4 and 4.5 standard deviations, p above 10⁻⁴) were set
//! before the samples and not moved since. Of the 2,400 cases that they judge,
//! an ideal function is expected to exceed 4.5 in 0.02: a failure is evidence.
//! `cargo test --release -p brownout-spec --test fault_statistics -- --nocapture`
//! prints the figures.

mod controls;
mod counts;
mod function;
mod sample;
mod stuck;
mod tables;
mod thresholds;
mod triples;
mod variance;
mod verdict;

use controls::{CoarseThreshold, IgnoresHighHalf, LinearHash, PairedLanes};
use function::{Chips, FaultFunction};
use stuck::{OneDraw, PairedHalves};
use thresholds::FreshAtEveryThreshold;
use verdict::Verdict;

/// All checks of the faulty lanes.
fn examine(function: &impl FaultFunction) -> Vec<Verdict> {
    let mut verdicts = vec![counts::rates(function), counts::faults_per_word(function)];
    verdicts.extend(variance::over_chips(function));
    verdicts.extend(tables::neighbours(function));
    verdicts.extend(triples::fourth_of_an_affine_plane(function));
    verdicts.push(thresholds::faults_are_only_added(function));
    verdicts
}

/// The names of the checks that reject, after printing what all of them found.
fn rejected_by(name: &str, verdicts: &[Verdict]) -> Vec<&'static str> {
    let lines: String = verdicts.iter().map(|v| format!("  {v}\n")).collect();
    println!("{name}:\n{lines}");
    verdicts
        .iter()
        .filter(|verdict| !verdict.accepted)
        .map(|verdict| verdict.check)
        .collect()
}

#[test]
fn the_fault_function_passes_every_check() {
    let rejected = rejected_by("fault function", &examine(&Chips));
    assert_eq!(rejected, [""; 0]);
}

#[test]
fn a_linear_hash_has_the_right_rates_and_is_rejected_for_variance_and_affine_dependence() {
    let rejected = rejected_by("linear hash", &examine(&LinearHash));
    let expected = [
        "variance per chip",
        "variance per lane",
        // A step to the next number inverts a fixed set of its bits half of the
        // time, so a linear function gives its neighbours away as well; one in
        // the high half mostly inverts a single bit.
        "address and address+1",
        "seed and seed+1",
        "pass and pass+1",
        "address and address+2^16",
        "seed and seed+2^32",
        "pass and pass+2^16",
        "addresses a, b, c, a^b^c",
        "seeds a, b, c, a^b^c",
        "passes a, b, c, a^b^c",
    ];
    assert_eq!(rejected, expected);
}

#[test]
fn lanes_that_are_equal_in_pairs_have_the_right_rates_and_are_rejected() {
    let rejected = rejected_by("lanes equal in pairs", &examine(&PairedLanes));
    let expected = [
        "faults per word",
        "variance per chip",
        "variance per word",
        "lane and lane+1",
    ];
    assert_eq!(rejected, expected);
}

#[test]
fn a_function_of_the_low_half_of_seed_address_or_pass_is_rejected_by_the_table_over_it() {
    for (blind, check) in [
        (IgnoresHighHalf::Seed, "seed and seed+2^32"),
        (IgnoresHighHalf::Address, "address and address+2^16"),
        (IgnoresHighHalf::Pass, "pass and pass+2^16"),
    ] {
        let verdicts = tables::neighbours(&blind);
        assert_eq!(
            rejected_by(&format!("{blind:?} halved"), &verdicts),
            [check]
        );
    }
}

#[test]
fn a_threshold_without_its_low_half_has_wrong_rates() {
    let rejected = rejected_by("coarse threshold", &[counts::rates(&CoarseThreshold)]);
    assert_eq!(rejected, ["rate"]);
}

#[test]
fn a_fresh_chip_at_every_threshold_is_rejected() {
    let verdict = thresholds::faults_are_only_added(&FreshAtEveryThreshold);
    let rejected = rejected_by("fresh chip at every threshold", &[verdict]);
    assert_eq!(rejected, ["subset over thresholds"]);
}

#[test]
fn stuck_cells_are_the_faulty_ones_with_polarities_of_their_own() {
    let rejected = rejected_by("stuck cells", &stuck::examine(&Chips));
    assert_eq!(rejected, [""; 0]);
}

#[test]
fn polarity_and_faultiness_from_one_draw_have_the_right_share_and_are_rejected() {
    let rejected = rejected_by("one draw for both", &stuck::examine(&OneDraw));
    let expected = ["polarity and faultiness", "polarity over voltage"];
    assert_eq!(rejected, expected);
}

#[test]
fn polarities_in_pairs_that_ignore_the_share_are_rejected() {
    let rejected = rejected_by("paired halves", &stuck::examine(&PairedHalves));
    let expected = ["share of ones", "polarity of lane, lane+1"];
    assert_eq!(rejected, expected);
}
