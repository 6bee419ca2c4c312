//! A few of the mutants of `make mutants`, in every run of the tests.

use brownout_tests::mutation::battery::Verdict;
use brownout_tests::mutation::{Bench, smoke};

/// Modules of which one mutant runs.
const MODULES: [&str; 10] = [
    "accumulator",
    "array",
    "decoder",
    "descriptor",
    "multiplier",
    "pe",
    "popcount",
    "sequencer",
    "weight_address",
    "window_address",
];

/// How many of them must be found; another description of the hardware has other mutants, of
/// which one or two may be none.
const FOUND: usize = 8;

#[test]
fn the_tests_pass_without_a_mistake_and_find_those_of_most_modules() {
    let bench = Bench::new(smoke());
    assert_eq!(bench.verdict(0), Verdict::Survived);
    let mut missed = Vec::new();
    for module in MODULES {
        let name = format!("{}_{module}", bench.subject.configuration.name);
        let mutant = bench.mutated.mutants.iter().find(|m| m.module == name);
        let mutant = mutant.unwrap_or_else(|| panic!("{name} has no mutant"));
        if bench.verdict(mutant.number) == Verdict::Survived {
            let (line, before, after) = (mutant.line, &mutant.before, &mutant.after);
            missed.push(format!("{name} line {line}: {after} instead of {before}"));
        }
    }
    let found = MODULES.len() - missed.len();
    println!(
        "{found} of {} mutants found; not: {missed:#?}",
        MODULES.len()
    );
    assert!(found >= FOUND, "not found: {missed:#?}");
}
