//! `brownout study` among files that are not its own, are gone, or cannot be written, and with
//! settings that it must refuse before anything costs time.

mod common;

use common::Sandbox;
use serde_json::Value;
use std::fs;
use std::path::Path;

/// Two networks and one that starts from the second.
const STUDY: &str = r#"
title = "Files"
question = "Whose are they?"
network = "mlp"
train_images = 320

[training]
epochs = 1
code = "none"

[[networks]]
name = "plain"
training = {}

[[networks]]
name = "clip"
training = { clip = { range = 0.1 } }

[[networks]]
name = "next"
from = "clip"
training = { seed = 2 }

[[readings]]
name = "rates"
evaluate = { rates = [0, 1e-2], chips = 2, images = 60 }

[[attacks]]
name = "bfa"
networks = ["plain"]
attack = { seeds = 1, images = 60, attack_images = 32, max_flips = 2 }
"#;

fn done() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("files.toml", STUDY);
    assert_eq!(made(&sandbox), 7);
    sandbox
}

/// Runs the study; how many results are new.
fn made(sandbox: &Sandbox) -> u64 {
    let flags = ["--data", "glyphs", "--quiet", "--json"];
    let answer = sandbox.ok(&[&["study", "files.toml"][..], &flags].concat());
    let report: Value = serde_json::from_str(&answer.out).unwrap();
    report["made"].as_u64().unwrap()
}

/// What was found, without times and the program's version.
fn results(sandbox: &Sandbox) -> Value {
    let text = fs::read_to_string(sandbox.path("files/ledger.json")).unwrap();
    let mut ledger: Value = serde_json::from_str(&text).unwrap();
    for kind in ["networks", "readings", "attacks"] {
        for entry in ledger[kind].as_object_mut().unwrap().values_mut() {
            let trained = &mut entry["result"]["trained"];
            if trained.is_object() {
                trained["seconds"] = 0.into();
                trained["images_per_second"] = 0.into();
            }
            entry["seconds"] = 0.into();
        }
    }
    ledger
}

fn copy(sandbox: &Sandbox, from: &str, to: &str) {
    let path = |name: &str| sandbox.path(&format!("files/{name}"));
    fs::copy(path(from), path(to)).unwrap();
}

#[test]
fn files_that_the_ledger_does_not_know_are_made_again_and_not_measured() {
    let sandbox = done();
    let before = results(&sandbox);
    // What a study leaves that is killed between a network's files and the ledger.
    copy(&sandbox, "next.float", "plain.float");
    copy(&sandbox, "next.safetensors", "plain.safetensors");
    assert_eq!(made(&sandbox), 1);
    assert_eq!(results(&sandbox), before);
    // And between its two files.
    copy(&sandbox, "next.float", "clip.float");
    assert_eq!(made(&sandbox), 1);
    assert_eq!(results(&sandbox), before);
    assert_eq!(made(&sandbox), 0);
}

#[test]
fn files_that_are_gone_are_made_again_where_they_are_needed_and_only_there() {
    let sandbox = done();
    let before = results(&sandbox);
    for name in ["plain.safetensors", "clip.float", "clip.safetensors"] {
        fs::remove_file(sandbox.path(&format!("files/{name}"))).unwrap();
    }
    // Nothing is left to be measured on them.
    assert_eq!(made(&sandbox), 0);
    // A reading is one of the integer model, though the checkpoint is there; and the last network
    // needs the checkpoint that it starts from.
    sandbox.write(
        "files.toml",
        STUDY
            .replace("[0, 1e-2]", "[0, 2e-2]")
            .replace("seed = 2", "seed = 3"),
    );
    assert_eq!(made(&sandbox), 2 + 1 + 3);
    let after = results(&sandbox);
    for network in ["plain", "clip"] {
        assert_eq!(after["networks"][network], before["networks"][network]);
        assert_eq!(after["weights"][network], before["weights"][network]);
    }
    for network in ["plain", "clip", "next"] {
        let reading = &after["readings"][&format!("rates/{network}")];
        let protocol = &reading["result"]["protocol"];
        assert_eq!(protocol["arithmetic"], "integer", "{network}");
    }
}

#[test]
fn pruned_rows_leave_no_records_and_plots_but_networks_which_others_may_name() {
    let sandbox = done();
    let count = |sandbox: &Sandbox| {
        let answer = sandbox.ok(&["report", "files", "--json"]);
        let report: Value = serde_json::from_str(&answer.out).unwrap();
        report["results"].as_u64().unwrap()
    };
    let before = count(&sandbox);
    let shorter = &STUDY[..STUDY.find("[[attacks]]").unwrap()];
    let shorter = shorter.replace(
        "name = \"rates\"",
        "name = \"rates\"\nnetworks = [\"clip\"]",
    );
    sandbox.write("files.toml", &shorter);
    sandbox.write("files/next.00000000.state", "left");
    sandbox.write("files/mine.json.txt", "mine");
    sandbox.ok(&["study", "files.toml", "--quiet", "--prune"]);
    // Two readings of three, and the attack, which only the ledger held.
    assert_eq!(count(&sandbox), before - 3);
    let files = sandbox.path("files");
    fs::remove_file(files.join("report.html")).unwrap();
    let expected = [
        "README.md",
        "clip.float",
        "clip.safetensors",
        "ledger.json",
        "mine.json.txt",
        "next.00000000.state",
        "next.float",
        "next.safetensors",
        "plain.float",
        "plain.safetensors",
        "rates.clip.json",
        "rates.svg",
        "readings.csv",
    ];
    assert_eq!(common::names(&files), expected);
}

#[test]
fn a_folder_where_another_study_works_is_left_to_it() {
    let sandbox = Sandbox::new();
    sandbox.write("files.toml", STUDY);
    let folder = sandbox.path("files");
    fs::create_dir(&folder).unwrap();
    let other = fs::File::open(&folder).unwrap();
    other.lock().unwrap();
    let answer = sandbox.run(&["study", "files.toml", "--data", "glyphs"]);
    assert_eq!(answer.status, Some(2), "{}", answer.err);
    assert!(
        answer.err.contains("another study is at work"),
        "{}",
        answer.err
    );
    assert!(folder.is_dir(), "the other study's folder is gone");
}

#[test]
fn a_page_is_made_again_of_linked_files_and_of_lines_as_windows_ends_them() {
    let sandbox = done();
    for name in ["plain.float", "rates.clip.json"] {
        let path = sandbox.path(&format!("files/{name}"));
        let elsewhere = sandbox.path(name);
        fs::rename(&path, &elsewhere).unwrap();
        std::os::unix::fs::symlink(&elsewhere, &path).unwrap();
    }
    let findings = format!("findings = \"\"\"\nOne.\nTwo.\n\"\"\"\n{STUDY}");
    sandbox.write("files.toml", findings.replace('\n', "\r\n"));
    assert_eq!(made(&sandbox), 0);
}

/// Runs a study that must be refused with this sentence before it has made anything.
fn refused(study: &str, flags: &[&str], part: &str) {
    let sandbox = Sandbox::new();
    sandbox.write("files.toml", study);
    let base = ["study", "files.toml", "--data", "glyphs", "--quiet"];
    let answer = sandbox.run(&[&base[..], flags].concat());
    assert_eq!(answer.status, Some(2), "{part}: {}", answer.err);
    assert!(answer.err.contains(part), "{:?} lacks {part:?}", answer.err);
    assert_eq!(answer.err.lines().count(), 1, "{}", answer.err);
    assert!(!sandbox.path("files").exists(), "{part}: work was done");
}

#[test]
fn settings_are_refused_before_any_work_with_the_recipe_and_the_part() {
    let reading = "rates = [0, 1e-2], chips = 2, images = 60";
    for (settings, part) in [
        (
            "rates = [0.6]",
            "files.toml: reading \"rates\": rates is 0.6; allowed is 0 to 0.5",
        ),
        ("rates = []", "rates is empty; allowed is one point or more"),
        (
            "rates = [0], images = 100000",
            "images is 100000; allowed is 1 to",
        ),
        ("rates = [0], chips = 0", "chips is 0"),
        ("rates = [0], voltages = [800]", "both rates and voltages"),
        ("voltages = [3]", "reading \"rates\": voltages: "),
        ("rates = [0], code = \"x\"", "reading \"rates\": evaluate: "),
    ] {
        refused(&STUDY.replace(reading, settings), &[], part);
    }
    let attack = "seeds = 1, images = 60, attack_images = 32, max_flips = 2";
    for (settings, part) in [
        (
            "max_flips = 0",
            "files.toml: attack \"bfa\": max_flips is 0; allowed is",
        ),
        ("seeds = 0", "seeds is 0"),
        ("images = 100000", "images is 100000"),
        ("stop_accuracy = 2.0", "stop_accuracy is 2"),
        (
            "method = \"t-bfa-n-to-1\", target = 10",
            "target is 10; allowed is 0 to 9",
        ),
        ("method = \"t-bfa-1-to-1\", target = 1", "source is missing"),
    ] {
        refused(&STUDY.replace(attack, settings), &[], part);
    }
    for (settings, part) in [
        ("codes = [], voltages = [800], images = 1", "codes is empty"),
        (
            "codes = [\"none\"], voltages = [], images = 1",
            "voltages is empty",
        ),
        (
            "codes = [\"inplace-32-26\"], voltages = [800], images = 1",
            "silicon \"s\": ",
        ),
        (
            "codes = [\"none\"], voltages = [3], images = 1",
            "voltages: the voltage 3 mV is outside",
        ),
        (
            "codes = [\"none\"], voltages = [800], images = 0",
            "files.toml: silicon \"s\": images is 0; allowed is 1 or more",
        ),
        (
            "codes = [\"none\"], policy = \"zero-constrained\", voltages = [800], images = 1",
            "policy is zero-constrained; allowed is keep or zero",
        ),
    ] {
        let config = Path::new(env!("CARGO_MANIFEST_DIR")).join("configurations/default.toml");
        let config = config.display();
        let silicon = format!(
            "{STUDY}\n[[silicon]]\nname = \"s\"\nsimulate = {{ config = \"{config}\", {settings} }}"
        );
        refused(&silicon, &[], part);
    }
    refused(
        &STUDY.replace("[training]", "[start]\ninput = \"halve\"\n[training]"),
        &[],
        "--start FILE is missing",
    );
    refused(
        &STUDY.replacen("training = {}", "file = \"nowhere/x\"", 1),
        &[],
        "nowhere/x.safetensors",
    );
    refused(
        &STUDY.replace("epochs = 1", "epochs = 0"),
        &[],
        "files.toml: network \"plain\": training: epochs is 0",
    );
    refused(
        STUDY,
        &["--start", "x"],
        "start is x; allowed is none for a recipe without [start]",
    );
}

#[test]
fn a_start_is_the_studys_network() {
    let sandbox = done();
    let study = STUDY.replace(
        "network = \"mlp\"",
        "network = \"cnn\"\nstart = { input = \"halve\" }",
    );
    sandbox.write("files.toml", study);
    let start = sandbox.path("files/plain.float").display().to_string();
    let flags = ["--data", "glyphs", "--out", "other", "--start", &start];
    let answer = sandbox.run(&[&["study", "files.toml"][..], &flags].concat());
    assert_eq!(answer.status, Some(2), "{}", answer.err);
    let part = "which is mlp; allowed is cnn, the study's network";
    assert!(answer.err.contains(part), "{}", answer.err);
}

#[test]
fn what_cannot_be_written_is_named_before_any_work() {
    for name in ["ledger.json", "plain.float", "rates.clip.json", "README.md"] {
        let sandbox = Sandbox::new();
        sandbox.write("files.toml", STUDY);
        let path = sandbox.path(&format!("files/{name}"));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink("/nonexistent/x", &path).unwrap();
        let answer = sandbox.run(&["study", "files.toml", "--data", "glyphs", "--quiet"]);
        assert_eq!(answer.status, Some(2), "{name}: {}", answer.err);
        assert!(answer.err.contains(name), "{name}: {}", answer.err);
        assert_eq!(common::names(&sandbox.path("files")), [name]);
    }
}

#[test]
fn a_ledger_with_impossible_figures_is_refused() {
    let sandbox = done();
    let path = sandbox.path("files/ledger.json");
    let text = fs::read_to_string(&path).unwrap();
    let ledger: Value = serde_json::from_str(&text).unwrap();
    for (place, value, part) in [
        (
            "/readings/rates~1plain/result/points/1/error/mean",
            5.0,
            "rates/plain has 5 where a share",
        ),
        (
            "/networks/clip/result/trained/accuracy_integer",
            -7.5,
            "clip has -7.5 where a share",
        ),
        (
            "/attacks/bfa~1plain/seconds",
            -5.0,
            "bfa/plain took -5 seconds",
        ),
    ] {
        let mut damaged = ledger.clone();
        *damaged.pointer_mut(place).unwrap() = value.into();
        fs::write(&path, damaged.to_string()).unwrap();
        let answer = sandbox.run(&["study", "files.toml", "--quiet"]);
        assert_eq!(answer.status, Some(2), "{part}");
        assert!(answer.err.contains(part), "{:?} lacks {part:?}", answer.err);
    }
    let mut damaged = ledger.clone();
    let clip = damaged["networks"]["clip"].clone();
    damaged["networks"]["../other/clip"] = clip;
    fs::write(&path, damaged.to_string()).unwrap();
    let answer = sandbox.run(&["study", "files.toml", "--quiet"]);
    assert_eq!(answer.status, Some(2));
    assert!(answer.err.contains("is no name of a row"), "{}", answer.err);
}
