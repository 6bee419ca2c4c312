//! `brownout evaluate`: what it measures, what it writes, what it refuses.

mod common;

use common::Sandbox;
use serde_json::Value;
use std::fs;

/// A short run; the model's own code protects.
const RUN: [&str; 11] = [
    "evaluate",
    "model.safetensors",
    "--data",
    "glyphs",
    "--images",
    "40",
    "--chips",
    "3",
    "--rates",
    "0,1e-4,0.01",
    "--quiet",
];

fn with<'a>(arguments: &[&'a str], more: &[&'a str]) -> Vec<&'a str> {
    [arguments, more].concat()
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn files_and_standard_output_hold_the_same_measurements() {
    let sandbox = Sandbox::with_model();
    let files = ["--out-csv", "points.csv", "--out-json", "points.json"];
    let answer = sandbox.ok(&with(&with(&RUN, &files), &["--json"]));
    let written = fs::read_to_string(sandbox.path("points.json")).unwrap();
    assert_eq!(answer.out, written);
    let document = json(&written);
    let points = document["points"].as_array().unwrap();
    assert_eq!(points.len(), 3);
    assert_eq!(points[0]["error"]["mean"], document["clean_error"]);
    assert_eq!(points[0]["robust_error"], points[0]["error"]);
    assert!(points[1]["counters"]["corrected"].as_u64() > Some(0));
    assert_eq!(points[2]["chips"][2]["seed"], 102);
    assert!((points[2]["rate_applied"].as_f64().unwrap() - 0.01).abs() < 1e-9);
    assert!(
        document["provenance"]["command"]
            .as_str()
            .unwrap()
            .contains("--rates 0,1e-4,0.01")
    );
    let csv = fs::read_to_string(sandbox.path("points.csv")).unwrap();
    let lines: Vec<Vec<&str>> = csv.lines().map(|line| line.split(',').collect()).collect();
    assert_eq!(lines.len(), 1 + 3 * 3);
    let column = lines[0].iter().position(|name| *name == "error").unwrap();
    for (line, chip) in lines[7..]
        .iter()
        .zip(points[2]["chips"].as_array().unwrap())
    {
        let error: f64 = line[column].parse().unwrap();
        assert_eq!(error, chip["wrong"].as_f64().unwrap() / 40.0);
    }
}

#[test]
fn a_run_is_the_same_with_one_thread_and_with_three() {
    let sandbox = Sandbox::with_model();
    let run = |threads: &str, extra: &[&str]| {
        let mut command = sandbox.command(&with(&RUN, extra));
        let answer = command.env("RAYON_NUM_THREADS", threads).output().unwrap();
        assert!(answer.status.success());
        String::from_utf8(answer.stdout).unwrap()
    };
    for extra in [&["--json"][..], &["--json", "--mode", "transient"]] {
        assert_eq!(run("1", extra), run("3", extra));
    }
}

/// The cell of a table's only row that is under the end of a header.
fn under(text: &str, header: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let end = lines[0].find(header).expect("the table has the column") + header.len();
    let cell = lines[2][..end].split_whitespace().last();
    cell.expect("the row has the cell").to_owned()
}

#[test]
fn the_table_tells_a_miscorrected_word_from_a_corrected_one_and_a_stuck_one_is_detected() {
    let sandbox = Sandbox::with_model();
    let run = |map: &str, config: &str| {
        sandbox.write("cells.map", map);
        let flags = ["--map", "cells.map", "--config", config, "--quiet"];
        let text = sandbox.ok(&with(&RUN[..6], &flags)).out;
        ["corrected", "detected", "silently wrong"].map(|header| under(&text, header))
    };
    let plain = common::SMALL.replace("coset = true", "coset = false");
    sandbox.write("plain.toml", plain);
    assert_eq!(run("4 9 flip\n", "small.toml"), ["1.0", "0.0", "0.0"]);
    let three = "4 9 flip\n4 10 flip\n4 11 flip\n";
    assert_eq!(run(three, "small.toml"), ["1.0", "0.0", "1.0"]);
    for kind in ["0", "1"] {
        let cells = (0..64).map(|lane| format!("4 {lane} {kind}\n"));
        let stuck = cells.collect::<String>();
        assert_eq!(run(&stuck, "small.toml"), ["0.0", "1.0", "0.0"]);
        assert_eq!(run(&stuck, "plain.toml"), ["0.0", "0.0", "1.0"]);
    }
}

#[test]
fn a_table_shows_what_was_varied_and_a_code_that_corrects() {
    let sandbox = Sandbox::with_model();
    let text = sandbox.ok(&with(&RUN, &["--yield-at", "0"])).out;
    let header = text.lines().next().unwrap();
    let names: Vec<&str> = header.split_whitespace().collect();
    let expected =
        "rate applied error std interval RErr yield corrected detected silently wrong wrong bits";
    assert_eq!(names.join(" "), expected);
    assert!(
        text.contains("100 % (29 .. 100)"),
        "three good chips of three: {text}"
    );
    assert!(
        text.contains("code inplace-64-57, policy keep, faults in the whole lane"),
        "{text}"
    );
    let voltages = ["--voltages", "800,420"];
    let run = with(&with(&RUN[..8], &["--quiet"]), &voltages);
    let text = sandbox.ok(&run).out;
    assert!(text.starts_with("voltage"), "{text}");
    assert!(
        text.contains("420 mV") && text.contains("0.276"),
        "energy (0.42/0.8)^2: {text}"
    );
}

#[test]
fn a_recipe_says_the_same_as_flags_and_flags_count_more() {
    let sandbox = Sandbox::with_model();
    let recipe = "\
file = \"model.safetensors\"
data = \"glyphs\"
images = 40
chips = 9
rates = [0, 1e-4, 0.01]
";
    sandbox.write("points.toml", recipe);
    let by_recipe = [
        "evaluate",
        "--recipe",
        "points.toml",
        "--chips",
        "3",
        "--quiet",
        "--json",
    ];
    let [mut a, mut b] =
        [&by_recipe[..], &with(&RUN, &["--json"])].map(|run| json(&sandbox.ok(run).out));
    for document in [&mut a, &mut b] {
        document["provenance"]["command"] = Value::Null;
    }
    assert_eq!(a, b);
}

#[test]
fn checkpoints_are_evaluated_as_they_are_or_quantized_first() {
    let sandbox = Sandbox::new();
    sandbox.ok(&[
        "train",
        "--checkpoint",
        "net.float",
        "--train-images",
        "320",
        "--epochs",
        "1",
        "--quiet",
        "--quantizer",
        "rquant",
        "--weight-bits",
        "3",
    ]);
    let evaluate = |more: &[&str]| {
        let run = with(
            &[
                "evaluate",
                "net.float",
                "--data",
                "glyphs",
                "--images",
                "20",
            ],
            more,
        );
        json(
            &sandbox
                .ok(&with(
                    &run,
                    &["--chips", "2", "--rates", "0.01", "--quiet", "--json"],
                ))
                .out,
        )
    };
    let own = evaluate(&[]);
    assert_eq!(own["protocol"]["weight_bits"], 3);
    assert_eq!(own["protocol"]["arithmetic"], "floating point");
    assert_eq!(own["protocol"]["exposure"], "whole-lane");
    let live = evaluate(&["--exposure", "live-bits"]);
    let bits = |run: &Value| run["points"][0]["counters"]["weight_bit_errors"].as_u64();
    assert!(
        bits(&live) < bits(&own),
        "{:?} {:?}",
        bits(&live),
        bits(&own)
    );
    // Activations alone change: the same integers are in the same cells.
    for flags in [
        &["--float-activations"][..],
        &["--calibration-images", "100"],
    ] {
        let other = evaluate(flags);
        assert_eq!(other["protocol"], own["protocol"], "{flags:?}");
        assert_eq!(
            other["points"][0]["counters"], own["points"][0]["counters"],
            "{flags:?}"
        );
    }
    for (flags, said) in [
        (
            &["--weight-bits", "8"][..],
            "--weight-bits is 8; allowed is none, since net.float is quantized already",
        ),
        (
            &["--quantizer", "symmetric", "--float-activations"],
            "--quantizer is symmetric; allowed is none",
        ),
        (
            &["--float-activations", "--calibration-images", "9"],
            "--calibration-images is 9; allowed is none with --float-activations",
        ),
    ] {
        let run = ["evaluate", "net.float", "--data", "glyphs"];
        let answer = sandbox.run(&with(&run, flags));
        assert_eq!(answer.status, Some(2), "{flags:?}: {}", answer.err);
        assert!(answer.err.contains(said), "{flags:?}: {}", answer.err);
    }
}

#[test]
fn without_a_configuration_the_array_is_that_of_training() {
    let sandbox = Sandbox::with_model();
    for (flags, rows, columns) in [
        (&[][..], 16, 16),
        (&["--rows", "8"], 8, 16),
        (&["--config", "small.toml"], 4, 8),
        (&["--config", "small.toml", "--columns", "16"], 4, 16),
    ] {
        let document = json(&sandbox.ok(&with(&with(&RUN, &["--json"]), flags)).out);
        assert_eq!(document["protocol"]["rows"], rows, "{flags:?}");
        assert_eq!(document["protocol"]["columns"], columns, "{flags:?}");
    }
}

#[test]
fn results_name_the_commit_they_come_from() {
    let sandbox = Sandbox::with_model();
    let document = json(&sandbox.ok(&with(&RUN, &["--json"])).out);
    let commit = &document["provenance"]["commit"];
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
    // A worktree has a file in place of the folder; an archive has neither.
    if !std::path::Path::new(root).join(".git").exists() {
        assert_eq!(*commit, Value::Null);
        return;
    }
    let commit = commit.as_str().unwrap();
    let hash = commit.strip_suffix("-dirty").unwrap_or(commit);
    let hexadecimal = hash.chars().all(|c| c.is_ascii_hexdigit());
    assert!(hash.len() == 40 && hexadecimal, "{commit}");
}

#[test]
fn profiled_chips_are_evaluated_at_several_places() {
    let sandbox = Sandbox::with_model();
    let run = with(
        &RUN[..8],
        &[
            "--profile",
            "chip1:2.744",
            "--offsets",
            "2",
            "--quiet",
            "--json",
        ],
    );
    let document = json(&sandbox.ok(&run).out);
    let point = &document["points"][0];
    assert_eq!(point["profile"], "chip1:2.744");
    assert_eq!(point["chips"].as_array().unwrap().len(), 6);
    assert_eq!(point["chips"][1]["offset"], 2048 * 64);
    let text = sandbox.ok(&run[..run.len() - 1]).out;
    let said = "3 chips from seed 100, each the average of 2 places";
    assert!(text.contains(said), "{text}");
}

#[test]
fn what_is_not_allowed_is_refused_with_a_sentence_and_nothing_is_written() {
    let sandbox = Sandbox::with_model();
    sandbox.write("beyond.map", "99999 3 flip\n");
    sandbox.write("bad.toml", "chips = 3\nofsets = 2\n");
    sandbox.write("both.toml", "rates = [0.1]\nvoltages = [800]\n");
    sandbox.write("range.toml", "profile = [\"chip9:1\"]\n");
    let cases: [(&[&str], &[&str]); 27] = [
        (
            &["--chips", "0"],
            &["--chips is 0; allowed is 1 to 1000000"],
        ),
        (&["--images", "0"], &["--images is 0; allowed is 1 to 2000"]),
        (&["--images", "2001"], &["--images is 2001"]),
        (&["--rates", "0.6"], &["--rates", "0.6", "0 to 0.5"]),
        (&["--rates=-0.1"], &["--rates", "0 to 0.5"]),
        (&["--voltages", "300"], &["--voltages", "300 mV", "335"]),
        (
            &["--rates", "0.1", "--voltages", "800"],
            &["--rates", "--voltages"],
        ),
        (
            &["--code", "inplace-32-26"],
            &["--code is inplace-32-26; allowed is none", "8-bit lanes"],
        ),
        (
            &["--policy", "zero-constrained", "--code", "none"],
            &["--policy is zero-constrained; allowed is keep or zero with code none"],
        ),
        (
            &["--exposure", "live-bits", "--code", "secded-72-64"],
            &["--exposure is live-bits; allowed is whole-lane"],
        ),
        (
            &["--exposure", "all"],
            &["--exposure", "live-bits and whole-lane"],
        ),
        (&["--mode", "map"], &["--mode is map", "--map"]),
        (&["--mode", "none"], &["--mode is none"]),
        (&["--mode", "stuck-at:257"], &["--mode", "0 to 256"]),
        (
            &["--map", "beyond.map"],
            &["beyond.map", "address 99999, lane 3"],
        ),
        (
            &["--map", "beyond.map", "--mode", "transient"],
            &["--mode is transient; allowed is none with --map"],
        ),
        (&["--profile", "chip4:1"], &["--profile", "chip1:0.866"]),
        (
            &["--profile", "chip2:1.01", "--mode", "stuck-at"],
            &["--mode is stuck-at", "persistent", "transient"],
        ),
        (&["--offsets", "3"], &["--offsets is 3", "--profile"]),
        (&["--columns", "12"], &["columns is 12"]),
        (
            &["--yield-at", "90"],
            &["--yield-at is 90; allowed is 0 to 1"],
        ),
        (
            &["--guarantee", "0"],
            &["--guarantee is 0; allowed is above 0"],
        ),
        (&["--resamples", "5"], &["--resamples is 5"]),
        (
            &["--quantizer", "rquant"],
            &["--quantizer is rquant", "integer model"],
        ),
        (
            &["--recipe", "bad.toml"],
            &["bad.toml: line 2", "did you mean `offsets`?"],
        ),
        (&["--recipe", "both.toml"], &["both rates and voltages"]),
        (
            &["--recipe", "range.toml"],
            &["range.toml: line 1", "chip9:1", "chip2:1.01"],
        ),
    ];
    let before = sandbox.names();
    for (more, expected) in cases {
        let run = with(&RUN[..4], more);
        let run = with(&run, &["--out-csv", "x.csv", "--out-json", "x.json"]);
        let answer = sandbox.run(&run);
        assert_eq!(answer.status, Some(2), "{more:?}: {}", answer.err);
        assert_eq!(answer.out, "", "{more:?}");
        for part in expected {
            assert!(
                answer.err.contains(part),
                "{more:?}: {:?} lacks {part:?}",
                answer.err
            );
        }
        assert_eq!(sandbox.names(), before, "{more:?} left something behind");
    }
    for (run, expected) in [
        (&["evaluate"][..], "FILE"),
        (
            &["evaluate", "model.safetensors"],
            "--data SOURCE is missing",
        ),
        (
            &["evaluate", "small.toml", "--data", "glyphs"],
            "small.toml",
        ),
        (
            &["evaluate", "none", "--data", "glyphs"],
            "could not read none",
        ),
        (
            &[
                "evaluate",
                "model.safetensors",
                "--data",
                "glyphs",
                "--out-csv",
                "model.safetensors",
            ],
            "--out-csv is model.safetensors",
        ),
        (
            &[
                "evaluate",
                "model.safetensors",
                "--data",
                "glyphs",
                "--out-csv",
                "x",
                "--out-json",
                "./x",
            ],
            "--out-json is ./x",
        ),
    ] {
        let answer = sandbox.run(run);
        assert_eq!(answer.status, Some(2), "{run:?}: {}", answer.err);
        assert!(answer.err.contains(expected), "{run:?}: {}", answer.err);
        assert_eq!(sandbox.names(), before);
    }
}
