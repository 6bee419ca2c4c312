//! The program of `make bench`: everything it measures can be measured, and the
//! figures that do not depend on the machine are those of the data sheet.

use brownout_tests::bench::{
    Aim, BenchError, Figure, Report, Shape3x3, accelerator, confirm, quick_accelerator, utilization,
};
use brownout_tests::limited::within;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// Half a minute is usual; a machine that is twenty times as slow still has the time.
const LONGEST: Duration = Duration::from_secs(600);

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
    let mut bench = Command::new(env!("CARGO_BIN_EXE_bench"));
    bench
        .env_remove("BROWNOUT_BENCH_COMMAND")
        // The same figures whether PyTorch and onnxruntime are installed or not.
        .env("BROWNOUT_PYTHON", "no-such-python")
        .env("BROWNOUT_SKIP_ONNX", "1")
        .args(["--quick", "--repetitions", "2", "--out"])
        .arg(folder.path());
    let ended = within(LONGEST, &mut bench).expect("the program starts");
    let output = ended.unwrap_or_else(|late| {
        panic!(
            "not over after {LONGEST:?}; it printed\n{}\nand its threads were\n{}",
            late.said, late.doing
        )
    });
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{complaint}");
    let printed = String::from_utf8_lossy(&output.stdout);
    for rival in ["PyTorch", "onnxruntime"] {
        let said = format!("{rival} is not installed");
        assert!(printed.contains(&said), "{printed}");
    }
    for (topic, figures) in [
        ("utilization", 4),
        ("emission", 1),
        ("software", 12),
        ("training", 6),
        ("inference", 6),
        ("import", 0),
        ("campaign", 6),
        ("simulation", 14),
        ("lanes", 6),
        ("profile", 6),
    ] {
        let report = report(folder.path(), topic);
        assert_eq!(report.topic, topic);
        let sampled = report.figures.iter();
        let sampled = sampled.filter(|figure| figure.name.starts_with("sampled"));
        let sampled = sampled.count();
        assert_eq!(sampled > 0, topic == "profile", "{topic}");
        assert_eq!(report.figures.len() - sampled, figures, "{topic}");
        report.figures.iter().for_each(check);
        let origin = &report.provenance;
        for text in [&origin.commit, &origin.rustc, &origin.verilator] {
            assert!(printed.contains(text.as_str()), "{text} is not printed");
        }
        for text in [&origin.compiler, &origin.processor, &origin.command] {
            assert!(printed.contains(text.as_str()), "{text} is not printed");
        }
        assert!(
            origin.command.starts_with("cargo run"),
            "{}",
            origin.command
        );
        assert!(origin.command.contains("--quick"), "{}", origin.command);
    }
}

#[test]
fn a_3_x_3_convolution_keeps_a_simulated_array_busy_for_98_percent_of_the_counted_clocks() {
    let accelerator = accelerator(16, true);
    for shape in [Shape3x3::FIRST_STAGE, Shape3x3::THIRD_STAGE] {
        let (cycles, share) = utilization(&accelerator, shape);
        assert_eq!(shape.multiplications(), 9216 * 256, "{shape:?}");
        assert!(share >= 0.98, "{shape:?}: {share} of {cycles} clocks");
        confirm(&accelerator, shape, cycles).unwrap_or_else(|e| panic!("{shape:?}: {e}"));
    }
}

#[test]
fn a_formula_that_is_wrong_by_one_clock_is_not_confirmed() {
    let accelerator = quick_accelerator();
    let (cycles, _) = utilization(&accelerator, Shape3x3::SMALL);
    for wrong in [cycles - 1, cycles + 1] {
        let error = confirm(&accelerator, Shape3x3::SMALL, wrong).expect_err("a wrong formula");
        assert!(matches!(error, BenchError::Unequal { .. }), "{error}");
    }
}

#[test]
fn a_median_beyond_its_aim_is_said_to_miss_it() {
    let figure = |aim| Figure::new("a", "b", "1", vec![0.1, 0.9, 7.0]).against(aim);
    for (aim, met, said) in [
        (Aim::AtLeast(0.9), true, ">= 0.900: met"),
        (Aim::AtLeast(0.91), false, ">= 0.910: MISSED"),
        (Aim::Below(0.91), true, "< 0.910: met"),
        (Aim::Below(0.9), false, "< 0.900: MISSED"),
    ] {
        let judged = figure(aim).judged.expect("it has an aim");
        assert_eq!((judged.met, judged.to_string().as_str()), (met, said));
    }
}

#[test]
fn make_bench_is_the_command_that_its_figures_name() {
    let output = Command::new("make")
        .args(["--dry-run", "bench"])
        .env_remove("MAKEFLAGS")
        .env_remove("BENCH_OUT")
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .output()
        .expect("make is there");
    let printed = String::from_utf8_lossy(&output.stdout);
    let said = "BROWNOUT_BENCH_COMMAND='make bench' ";
    assert!(printed.contains(said), "{printed}");
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
