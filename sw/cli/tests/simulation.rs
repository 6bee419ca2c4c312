//! The commands that run generated hardware; they need the tools of `make tools`.
#![cfg(feature = "simulate")]

mod common;

use common::{Answer, Sandbox};
use serde_json::Value;
use std::fs;

const MODEL: &str = "model.safetensors";

/// The fields that programs which read summaries rely on.
const POINT_FIELDS: [&str; 20] = [
    "voltage_mv",
    "voltage_model",
    "ber",
    "ber_applied",
    "code",
    "policy",
    "images",
    "accuracy_rtl",
    "accuracy_golden",
    "words_read",
    "disturbed_words",
    "flipped_bits",
    "corrected",
    "detected",
    "miscorrected",
    "undetected",
    "residual_bit_errors",
    "cycles_per_image",
    "cycles_predicted",
    "sram_energy_relative",
];

fn simulate(sandbox: &Sandbox, flags: &[&str]) -> Answer {
    let start = ["simulate", MODEL, "--config", "small.toml", "--quiet"];
    sandbox.ok(&[&start[..], flags].concat())
}

fn summary(sandbox: &Sandbox, name: &str) -> Value {
    serde_json::from_slice(&fs::read(sandbox.path(name)).unwrap()).unwrap()
}

#[test]
fn a_simulation_agrees_with_the_golden_model_and_writes_every_field() {
    let sandbox = Sandbox::with_model();
    let answer = simulate(
        &sandbox,
        &[
            "--voltages",
            "800,400",
            "--codes",
            "none,inplace-64-57",
            "--images",
            "3",
            "--out",
            "s.json",
        ],
    );
    let last = answer.out.lines().last().unwrap_or_default();
    assert_eq!(last, "golden vs RTL: 120 logits compared, 0 mismatches");
    let summary = summary(&sandbox, "s.json");
    assert_eq!(summary["logits_compared"], 120);
    assert_eq!(summary["mismatches"], 0);
    let points = summary["points"].as_array().unwrap();
    assert_eq!(points.len(), 4);
    for point in points {
        for field in POINT_FIELDS.iter().chain(&["seed"]) {
            assert!(!point[field].is_null(), "{field} in {point}");
        }
        assert_eq!(point["cycles_per_image"], point["cycles_predicted"]);
        assert_eq!(point["accuracy_rtl"], point["accuracy_golden"]);
    }
    assert_eq!(points[0]["disturbed_words"], 0);
    assert!(points[1]["flipped_bits"].as_u64().unwrap() > 0);
    assert_eq!(points[1]["corrected"], 0, "no code corrects nothing");
    assert!(points[3]["corrected"].as_u64().unwrap() > 0);
    let report = sandbox.ok(&["report", ".", "--out", "page.html"]).out;
    assert_eq!(report, "page.html shows 1 result\n");
    let page = fs::read_to_string(sandbox.path("page.html")).unwrap();
    assert!(page.contains("120 logits compared, 0 mismatches"));
}

#[test]
fn an_image_run_alone_meets_the_transient_faults_it_met_among_others() {
    let sandbox = Sandbox::with_model();
    let point = |flags: &[&str]| {
        let start = ["--rates", "1e-2", "--modes", "transient", "--out", "s.json"];
        simulate(&sandbox, &[&start[..], flags].concat());
        let summary = summary(&sandbox, "s.json");
        let point = &summary["points"][0];
        ["flipped_bits", "corrected", "detected"].map(|f| point[f].as_u64().unwrap())
    };
    let all = point(&["--images", "3", "--threads", "2"]);
    let alone = ["0", "1", "2"].map(|skip| point(&["--images", "1", "--skip", skip]));
    for field in 0..3 {
        let sum: u64 = alone.iter().map(|counts| counts[field]).sum();
        assert_eq!(sum, all[field]);
    }
    assert_ne!(alone[0], alone[1], "each image is a pass of its own");
}

#[test]
fn a_waveform_is_written_whole_and_says_nothing_on_standard_output() {
    let sandbox = Sandbox::with_model();
    let flags = [
        "--voltages",
        "400",
        "--images",
        "1",
        "--trace",
        "wave.vcd",
        "--json",
    ];
    let answer = simulate(&sandbox, &flags);
    let document: Value = serde_json::from_str(&answer.out).unwrap();
    assert_eq!(document["mismatches"], 0);
    let waveform = fs::read_to_string(sandbox.path("wave.vcd")).unwrap();
    assert!(waveform.contains("$enddefinitions"));
    assert_eq!(sandbox.names(), [MODEL, "small.toml", "wave.vcd"]);
}

#[test]
fn the_map_s_cells_are_the_ones_that_fail() {
    let sandbox = Sandbox::with_model();
    sandbox.write("cells.txt", "0 0 flip\n5 9 flip\n5 10 flip\n");
    let flags = [
        "--modes",
        "map",
        "--map",
        "cells.txt",
        "--images",
        "2",
        "--out",
        "s.json",
    ];
    simulate(&sandbox, &[&flags[..], &["--voltages", "800"]].concat());
    let point = &summary(&sandbox, "s.json")["points"][0];
    assert_eq!(
        (&point["corrected"], &point["detected"]),
        (&2.into(), &2.into())
    );
    // Two words and three cells, each read with either image.
    assert_eq!(
        (&point["disturbed_words"], &point["flipped_bits"]),
        (&4.into(), &6.into())
    );
}

/// Corrected, detected and silently wrong words in the table's row of each code.
fn told(sandbox: &Sandbox, codes: &str, map: &str) -> Vec<[String; 3]> {
    sandbox.write("cells.txt", map);
    let flags = ["--modes", "map", "--map", "cells.txt", "--images", "1"];
    let points = ["--voltages", "800", "--codes", codes];
    let table = simulate(sandbox, &[&flags[..], &points].concat()).out;
    let header = table.lines().next().unwrap_or_default();
    let ends = ["corrected", "detected", "silently wrong"].map(|name| {
        let start = header.find(name);
        start.unwrap_or_else(|| panic!("{table}")) + name.len()
    });
    let cell = |row: &str, end: usize| row[..end].split_whitespace().last().unwrap().to_owned();
    let rows = table.lines().skip(2).take_while(|row| !row.is_empty());
    rows.map(|row| ends.map(|end| cell(row, end))).collect()
}

#[test]
fn the_table_tells_three_flips_in_a_word_as_silently_wrong_and_a_stuck_word_as_detected() {
    let sandbox = Sandbox::with_model();
    let codes = "secded-72-64,inplace-64-57";
    // Lanes whose three columns add up to a fourth one, in either code.
    let three = told(&sandbox, codes, "4 0 flip\n4 1 flip\n4 2 flip\n");
    assert_eq!(three, [["1.0", "0.0", "1.0"]; 2]);
    for kind in ["0", "1"] {
        let cells = (0..64).map(|lane| format!("4 {lane} {kind}\n"));
        let word = cells.collect::<String>();
        let check_lanes = (64..72).map(|lane| format!("4 {lane} {kind}\n"));
        let wide = word.clone() + &check_lanes.collect::<String>();
        assert_eq!(
            told(&sandbox, "inplace-64-57", &word),
            [["0.0", "1.0", "0.0"]]
        );
        assert_eq!(
            told(&sandbox, "secded-72-64", &wide),
            [["0.0", "1.0", "0.0"]]
        );
    }
}

#[test]
fn a_map_with_a_cell_beyond_the_image_is_refused_by_file() {
    let sandbox = Sandbox::with_model();
    sandbox.write("cells.txt", "1048575 0 flip\n");
    let flags = ["--modes", "map", "--map", "cells.txt"];
    let answer = sandbox.run(&[&["simulate", MODEL][..], &flags].concat());
    assert_eq!(answer.status, Some(2));
    assert!(
        answer.err.contains("cells.txt: address 1048575"),
        "{}",
        answer.err
    );
}

#[test]
fn the_main_job_learns_the_digits_agrees_everywhere_and_loses_at_low_voltage_without_a_code() {
    let sandbox = Sandbox::new();
    let answer = sandbox.ok(&["sweep", "--images", "30", "--out", "sim"]);
    let last = answer.out.lines().last().unwrap_or_default();
    assert_eq!(last, "golden vs RTL: 4200 logits compared, 0 mismatches");
    let summary = summary(&sandbox, "sim/summary.json");
    let golden = &summary["golden_accuracy"];
    assert!(golden["accuracy"].as_f64().unwrap() >= 0.97, "{golden}");
    let points = summary["points"].as_array().unwrap();
    assert_eq!(points.len(), 14);
    let accuracy = |point: usize| points[point]["accuracy_rtl"].as_f64().unwrap();
    assert_eq!(points[6]["code"], "none");
    assert!(accuracy(0) - accuracy(6) >= 0.05, "the task is too easy");
    assert!(
        accuracy(7) >= 0.9 && accuracy(12) > accuracy(5),
        "the code must help"
    );
    let voltages: Vec<u64> = points[..7]
        .iter()
        .map(|p| p["voltage_mv"].as_u64().unwrap())
        .collect();
    assert_eq!(voltages, [800, 494, 460, 426, 410, 392, 369]);
    assert_eq!(
        common::names(&sandbox.path("sim")),
        [
            "configuration.toml",
            "model.safetensors",
            "summary.json",
            "verilog-inplace-64-57",
            "verilog-none"
        ]
    );
}

#[test]
fn each_flag_that_is_not_allowed_is_refused_before_anything_is_built() {
    let sandbox = Sandbox::with_model();
    sandbox.write("cells.txt", "1048575 0 flip\n");
    let plain = common::SMALL.replace("fault_emulation = true", "fault_emulation = false");
    sandbox.write("plain.toml", plain);
    let cases: [(&[&str], &str); 20] = [
        (&["--voltages", "334"], "335 mV to 800 mV"),
        (&["--voltages", "0.8"], "whole millivolts"),
        (&["--rates", "1.5"], "numbers from 0 to 1"),
        (
            &["--voltages", "800", "--rates", "0"],
            "cannot be used with",
        ),
        (&["--modes", "flaky"], "persistent, transient"),
        (&["--modes", "stuck-at:257"], "0 to 256"),
        (&["--modes", "map"], "--map FILE"),
        (&["--map", "cells.txt"], "--modes has map"),
        (&["--policies", "drop"], "keep, zero, zero-constrained"),
        (
            &["--policies", "zero-constrained", "--codes", "none"],
            "keep or zero with code none",
        ),
        (&["--codes", "inplace-32-26"], "weight_bits is 8"),
        (&["--images", "0"], "1 or more"),
        (&["--threads", "0"], "from 1"),
        (&["--out", "no/s.json"], "no/s.json"),
        (&["--out", MODEL], "--out is model.safetensors"),
        (
            &["--trace", "./model.safetensors"],
            "another file than the model",
        ),
        (&["--trace", "w", "--out", "./w"], "another file than --out"),
        (
            &["--config", "small.toml", "--trace", "small.toml"],
            "another file than --config",
        ),
        (
            &["--modes", "map", "--map", "none.txt", "--out", "none.txt"],
            "none.txt",
        ),
        (&["--config", "plain.toml"], "fault_emulation = false"),
    ];
    for (flags, expected) in cases {
        let answer = sandbox.run(&[&["simulate", MODEL], flags].concat());
        assert_eq!(answer.status, Some(2), "{flags:?}: {}", answer.err);
        assert!(
            answer.err.contains(expected),
            "{flags:?}: {:?} lacks {expected:?}",
            answer.err
        );
    }
    assert_eq!(sandbox.names().len(), 4, "{:?}", sandbox.names());
}

#[test]
fn a_missing_verilator_is_one_sentence() {
    let sandbox = Sandbox::with_model();
    let output = sandbox
        .command(&["simulate", MODEL, "--images", "1"])
        .env("BROWNOUT_TOOLS", "nowhere")
        .output()
        .unwrap();
    let answer = Answer::from(output);
    assert_eq!(answer.status, Some(2));
    assert!(answer.err.contains("bin/verilator_bin"), "{}", answer.err);
    let output = sandbox
        .command(&["simulate", MODEL, "--images", "1"])
        .env("CXX", "no-such-compiler")
        .output()
        .unwrap();
    let answer = Answer::from(output);
    assert_eq!(answer.status, Some(2));
    assert!(answer.err.contains("no-such-compiler"), "{}", answer.err);
}
