//! `make synth FAMILY=NAME`: what families other than the datasheet's make of the accelerator.

use std::path::PathBuf;
use std::process::ExitCode;

use brownout_tests::synthesis::{FAMILIES, Family, SynthesisError, family_table, measure_family};

const USAGE: &str = "usage: families FOLDER NAME   (a family, or all)";

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let (Some(folder), Some(name), None) = (arguments.next(), arguments.next(), arguments.next())
    else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    match run(&PathBuf::from(folder), &name) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("synth: {error}");
            ExitCode::from(2)
        }
    }
}

/// Measures, prints, and checks last, so that figures are seen whatever is missing.
fn run(folder: &std::path::Path, name: &str) -> Result<(), SynthesisError> {
    let chosen: Vec<&Family> = match name {
        "all" => FAMILIES.iter().collect(),
        name => vec![Family::named(name)?],
    };
    let mut measured = Vec::new();
    for family in chosen {
        let figures = measure_family(folder, family, |line| eprintln!("{line}"))?;
        measured.push((family, figures));
    }
    print!("{}", family_table(&measured));
    measured
        .iter()
        .try_for_each(|(family, figures)| figures.check(family))
}
