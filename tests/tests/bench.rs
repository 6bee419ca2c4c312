//! The program of `make bench`: everything it measures can be measured, and the
//! figures that do not depend on the machine are those of the data sheet.

use brownout_tests::bench::{Figure, Report, Shape3x3, accelerator, utilization};
use std::fs;
use std::path::Path;
use std::process::Command;

fn report(folder: &Path, topic: &str) -> Report {
    let path = folder.join(format!("{topic}.json"));
    let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn check(figure: &Figure) {
    let Figure {
        minimum,
        median,
        maximum,
        ..
    } = *figure;
    assert!(figure.repetitions > 0, "{figure:?}");
    assert!(minimum > 0.0, "{figure:?}");
    assert!(minimum <= median && median <= maximum, "{figure:?}");
    for text in [&figure.name, &figure.conditions, &figure.unit] {
        assert!(!text.is_empty(), "{figure:?}");
    }
}

#[test]
fn every_figure_is_measured_and_stored_with_its_origin() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let output = Command::new(env!("CARGO_BIN_EXE_bench"))
        .args(["--quick", "--repetitions", "2", "--out"])
        .arg(folder.path())
        .output()
        .expect("the program starts");
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{complaint}");
    let printed = String::from_utf8_lossy(&output.stdout);
    for (topic, figures) in [
        ("utilization", 4),
        ("emission", 1),
        ("software", 12),
        ("simulation", 6),
        ("profile", 6),
    ] {
        let report = report(folder.path(), topic);
        assert_eq!(report.topic, topic);
        assert_eq!(report.figures.len(), figures, "{topic}");
        report.figures.iter().for_each(check);
        let origin = &report.provenance;
        for text in [&origin.commit, &origin.rustc, &origin.verilator] {
            assert!(printed.contains(text.as_str()), "{text} is not printed");
        }
        for text in [&origin.compiler, &origin.processor, &origin.command] {
            assert!(printed.contains(text.as_str()), "{text} is not printed");
        }
        assert!(origin.command.contains("--quick"), "{}", origin.command);
    }
}

#[test]
fn a_3_x_3_convolution_keeps_the_multipliers_busy_for_98_percent_of_its_clocks() {
    let accelerator = accelerator(16, true);
    for shape in [Shape3x3::FIRST_STAGE, Shape3x3::THIRD_STAGE] {
        let (cycles, share) = utilization(&accelerator, shape);
        assert_eq!(shape.multiplications(), 9216 * 256, "{shape:?}");
        assert!(share >= 0.98, "{shape:?}: {share} of {cycles} clocks");
    }
}

#[test]
fn no_repetition_is_refused_by_the_name_of_the_flag() {
    let output = Command::new(env!("CARGO_BIN_EXE_bench"))
        .args(["--repetitions", "0"])
        .output()
        .expect("the program starts");
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{complaint}");
    assert!(complaint.contains("--repetitions"), "{complaint}");
}
