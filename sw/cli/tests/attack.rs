//! Attacks from the command line: what they report, what they log, what is refused.

mod common;

use common::Sandbox;
use serde_json::Value;

/// A sandbox with a small quantized network, in range of the in-place code or of none.
fn sandbox(code: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    let train = [
        "train",
        "--train-images",
        "1280",
        "--epochs",
        "2",
        "--quiet",
    ];
    sandbox.ok(&[
        &train[..],
        &["--code", code, "--checkpoint", "net.checkpoint"],
    ]
    .concat());
    sandbox
}

fn arguments<'a>(more: &[&'a str]) -> Vec<&'a str> {
    let fixed = ["attack", "net.checkpoint", "--data", "glyphs", "--quiet"];
    let few = ["--images", "200", "--attack-images", "32"];
    [&fixed[..], &few, more].concat()
}

fn report(sandbox: &Sandbox, more: &[&str]) -> Value {
    let answer = sandbox.ok(&arguments(&[more, &["--json"]].concat()));
    serde_json::from_str(&answer.out).unwrap()
}

#[test]
fn a_report_agrees_with_its_logs_and_a_seed_gives_both_again() {
    let sandbox = sandbox("inplace-64-57");
    let flags = ["--seeds", "2", "--max-flips", "12", "--stop-accuracy", "0"];
    let with = |log| [&flags[..], &["--code", "none", "--log", log]].concat();
    let one = report(&sandbox, &with("flips.csv"));
    let csv = std::fs::read_to_string(sandbox.path("flips.csv")).unwrap();
    let attacks = one["attacks"].as_array().unwrap();
    assert_eq!(attacks.len(), 2);
    let mut sum = 0.0;
    for (attack, seed) in attacks.iter().zip(1..) {
        assert_eq!(attack["seed"], seed);
        let rows = csv.lines().filter(|l| l.starts_with(&format!("{seed},")));
        assert_eq!(attack["flips"].as_u64().unwrap() as usize, rows.count());
        assert!(attack["loss_after"].as_f64() > attack["loss_before"].as_f64());
        assert!(attack["accuracy_after"].as_f64() < attack["accuracy_before"].as_f64());
        sum += attack["n_flip"].as_f64().unwrap();
    }
    assert_eq!(one["n_flip"]["mean"].as_f64().unwrap(), sum / 2.0);
    let json = [
        &flags[..4],
        &["--stop-accuracy", "0", "--code", "none"],
        &["--log", "flips.json"],
    ]
    .concat();
    let two = report(&sandbox, &json);
    let masked = |report: &Value| {
        let attacks = report["attacks"].as_array().unwrap().iter().cloned();
        let masked = attacks.map(|mut attack| {
            attack["seconds"] = Value::Null;
            attack
        });
        masked.collect::<Vec<_>>()
    };
    assert_eq!(masked(&one), masked(&two));
    let logs = std::fs::read_to_string(sandbox.path("flips.json")).unwrap();
    let logs: Value = serde_json::from_str(&logs).unwrap();
    let first = &logs["attacks"][0]["log"]["flips"][0];
    let row = csv.lines().nth(1).unwrap();
    let cell = &first["cell"];
    assert!(
        row.starts_with(&format!("1,1,{},{},", cell["word"], cell["lane"])),
        "{row}"
    );
}

#[test]
fn through_a_decoder_an_attacker_needs_more_cells_for_less() {
    let sandbox = sandbox("inplace-64-57");
    let flags = ["--max-flips", "10", "--stop-accuracy", "0", "--code"];
    let plain = report(&sandbox, &[&flags[..], &["none"]].concat());
    for code in ["secded-72-64", "inplace-64-57"] {
        for policy in ["keep", "zero"] {
            let flags = [&flags[..], &[code, "--policy", policy]].concat();
            let protected = report(&sandbox, &flags);
            let loss = |r: &Value| r["attacks"][0]["loss_after"].as_f64();
            assert!(loss(&protected) < loss(&plain), "{code} {policy}");
            assert_eq!(protected["memory"]["code"], *code);
        }
    }
}

#[test]
fn without_a_code_the_memory_has_that_of_the_checkpoint() {
    let sandbox = sandbox("inplace-64-57");
    let flags = ["--max-flips", "2", "--max-iterations", "1"];
    let own = report(&sandbox, &flags);
    assert_eq!(own["memory"]["code"], "inplace-64-57");
    assert_eq!(own["memory"]["exposure"], "whole-lane");
    let plain = report(&sandbox, &[&flags[..], &["--code", "none"]].concat());
    assert_eq!(plain["memory"]["code"], "none");
    assert_eq!(
        (&own["memory"]["rows"], &own["memory"]["columns"]),
        (&16.into(), &16.into())
    );
}

#[test]
fn a_recipe_says_the_same_as_flags_and_reports_say_what_was_asked_for() {
    let sandbox = sandbox("inplace-64-57");
    let recipe = "\
checkpoint = \"net.checkpoint\"
data = \"glyphs\"
images = 200
attack_images = 32
method = \"t-bfa-1-to-1\"
source = 1
target = 3
seeds = 4
max_iterations = 2
labels = \"true\"
";
    sandbox.write("attack.toml", recipe);
    let run = ["attack", "--recipe", "attack.toml", "--seeds", "1"];
    let by_recipe = sandbox.ok(&[&run[..], &["--quiet", "--json"]].concat());
    let mut by_recipe: Value = serde_json::from_str(&by_recipe.out).unwrap();
    let flags = ["--method", "t-bfa-1-to-1", "--source", "1", "--target", "3"];
    let more = ["--max-iterations", "2", "--labels", "true"];
    let mut by_flags = report(&sandbox, &[&flags[..], &more].concat());
    for document in [&mut by_recipe, &mut by_flags] {
        let commit = &document["provenance"]["commit"];
        assert!(commit.is_null() || commit.is_string());
        document["provenance"]["command"] = Value::Null;
        document["attacks"][0]["seconds"] = Value::Null;
    }
    assert_eq!(by_recipe, by_flags);
    let settings = &by_flags["settings"];
    assert_eq!(
        (&settings["source"], &settings["target"]),
        (&1.into(), &3.into())
    );
    assert_eq!(
        (&settings["seeds"], &settings["top"]),
        (&1.into(), &10.into())
    );
    assert_eq!(settings["labels"], "true");
    assert_eq!(
        by_flags["provenance"]["brownout"],
        env!("CARGO_PKG_VERSION")
    );
    for (text, said) in [
        ("max_flip = 3\n", "line 1: unknown field `max_flip`"),
        ("sedes = 3\n", "did you mean `seeds`?"),
        (
            "checkpoint = \"net.checkpoint\"\n",
            "--data SOURCE is missing",
        ),
        ("data = \"glyphs\"\n", "CHECKPOINT is missing"),
    ] {
        sandbox.write("bad.toml", text);
        let answer = sandbox.run(&["attack", "--recipe", "bad.toml"]);
        assert_eq!(answer.status, Some(2), "{text}");
        assert!(answer.err.contains(said), "{text}: {}", answer.err);
    }
}

/// Attacks with a log, `flips.json`, and gives the report.
fn logged(sandbox: &Sandbox, more: &[&str]) -> Value {
    report(sandbox, &[more, &["--log", "flips.json"]].concat())
}

fn replay<'a>(more: &[&'a str]) -> Vec<&'a str> {
    let replay = ["attack", "net.checkpoint", "--data", "glyphs"];
    [&replay[..], &["--replay", "flips.json", "--quiet"], more].concat()
}

fn log_of(sandbox: &Sandbox) -> Value {
    let text = std::fs::read_to_string(sandbox.path("flips.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

#[test]
fn a_log_replays_to_the_same_figures_with_every_method_and_memory() {
    let sandbox = sandbox("inplace-64-57");
    let classes = ["--source", "1", "--target", "3"];
    let runs: [(&[&str], &[&str]); 6] = [
        (&["--code", "none", "--max-flips", "6"], &[]),
        (&["--labels", "true", "--max-flips", "6"], &[]),
        (&["--code", "secded-72-64", "--policy", "zero"], &[]),
        (&["--method", "t-bfa-1-to-1"], &classes),
        (
            &["--method", "t-bfa-stealthy", "--stealth", "corrected"],
            &classes,
        ),
        (&["--method", "random", "--code", "none"], &[]),
    ];
    for (flags, classes) in runs {
        let seeds = ["--seed", "5", "--seeds", "2", "--max-iterations", "3"];
        let report = logged(&sandbox, &[flags, classes, &seeds].concat());
        let answer = sandbox.ok(&replay(&["--json"]));
        let again: Value = serde_json::from_str(&answer.out).unwrap();
        assert_eq!(again["memory"], report["memory"], "{flags:?}");
        let replays = again["replays"].as_array().unwrap();
        assert_eq!(replays.len(), 2);
        for (pair, attack) in replays.iter().zip(report["attacks"].as_array().unwrap()) {
            assert_eq!(pair["logged"], pair["replayed"], "{flags:?}");
            assert_eq!(pair["first_difference"], Value::Null);
            assert_eq!(pair["seed"], attack["seed"]);
            for (name, figure) in pair["replayed"].as_object().unwrap() {
                assert_eq!(figure, &attack[name], "{flags:?} {name}");
            }
        }
    }
    let text = sandbox.ok(&replay(&[])).out;
    let end = "2 of 2 attacks replayed to the logged figures\n";
    assert!(text.ends_with(end), "{text}");
    assert!(
        text.contains("logged") && text.contains("replayed"),
        "{text}"
    );
}

#[test]
fn a_log_says_what_the_report_says_of_settings_and_where_it_comes_from() {
    let sandbox = sandbox("none");
    let flags = ["--method", "t-bfa-1-to-1", "--source", "1", "--target", "3"];
    let few = ["--seed", "4", "--seeds", "2", "--max-iterations", "1"];
    let report = logged(&sandbox, &[&flags[..], &few].concat());
    let log = log_of(&sandbox);
    assert_eq!(log["settings"], report["settings"]);
    assert_eq!(log["provenance"], report["provenance"]);
    assert_eq!(log["provenance"]["data"], "glyphs");
    assert_eq!(log["settings"]["source"], 1);
    let attacks = log["attacks"].as_array().unwrap();
    let seeds: Vec<_> = attacks.iter().map(|a| &a["log"]["seed"]).collect();
    assert_eq!(seeds, [4, 5]);
    for attack in attacks {
        assert_eq!(attack["log"]["memory"], report["memory"]);
        assert_eq!(attack["log"]["method"], "t-bfa-1-to-1");
    }
}

/// The log with a change and the digest of a log that was written so.
fn forged(log: &Value, change: impl FnOnce(&mut Value)) -> String {
    let mut forged = log.clone();
    change(&mut forged);
    let content = forged.as_object_mut().unwrap();
    content.remove("digest");
    let text = serde_json::to_string(content).unwrap();
    let mut hasher = blake3::Hasher::new();
    hasher.update(&(text.len() as u64).to_le_bytes());
    hasher.update(text.as_bytes());
    let digest = &hasher.finalize().to_hex()[..32];
    content.insert("digest".to_owned(), digest.into());
    forged.to_string()
}

#[test]
fn a_log_that_was_changed_is_refused_and_one_with_other_figures_shows_them() {
    let sandbox = sandbox("inplace-64-57");
    logged(&sandbox, &["--code", "secded-72-64", "--max-flips", "6"]);
    let log = log_of(&sandbox);
    let whole = log.to_string();
    let refused = |text: &str, said: &str| {
        sandbox.write("flips.json", text);
        let answer = sandbox.run(&replay(&[]));
        assert_eq!(answer.status, Some(2), "{said}: {}", answer.err);
        assert!(answer.err.contains("flips.json: "), "{}", answer.err);
        assert!(answer.err.contains(said), "{:?} lacks {said:?}", answer.err);
        answer.out
    };
    let mut addressed = log.clone();
    let lane = &mut addressed["attacks"][0]["log"]["flips"][1]["cell"]["lane"];
    *lane = (lane.as_u64().unwrap() ^ 1).into();
    let changed = "the log is damaged or was changed";
    assert_eq!(refused(&addressed.to_string(), changed), "");
    let no_log = "this is no log of attacks";
    for text in ["", "[]", "{}", &whole[..whole.len() / 2]] {
        assert_eq!(refused(text, no_log), "", "{text:?}");
    }
    // Nor does a digest help that is right.
    let flip = |log: &mut Value| log["attacks"][0]["log"]["flips"][0].take();
    let moved = forged(&log, |log| {
        let mut first = flip(log);
        first["cell"]["word"] = (first["cell"]["word"].as_u64().unwrap() ^ 1).into();
        log["attacks"][0]["log"]["flips"][0] = first;
    });
    assert_eq!(refused(&moved, "flip 1 is logged as one of bit"), "");
    let beyond = forged(&log, |log| {
        let mut first = flip(log);
        first["cell"]["word"] = u32::MAX.into();
        log["attacks"][0]["log"]["flips"][0] = first;
    });
    assert_eq!(refused(&beyond, "which this memory does not have"), "");
    let outcome = forged(&log, |log| {
        log["attacks"][0]["log"]["flips"][0]["outcome"] = "detected".into();
    });
    let shown = refused(&outcome, "after flip 1 of the attack with seed 1 are not");
    assert!(shown.contains("0 of 1 attacks replayed"), "{shown}");
    let accuracy = forged(&log, |log| {
        log["attacks"][0]["figures"]["accuracy_before"] = 0.125.into();
    });
    let shown = refused(&accuracy, "figures of the attack with seed 1 are not");
    assert!(shown.contains("12.50 %"), "{shown}");
    // What was not changed is still a log.
    sandbox.write("flips.json", &whole);
    sandbox.ok(&replay(&[]));
}

#[test]
fn a_log_of_another_network_memory_or_data_is_refused_and_so_are_other_settings() {
    let sandbox = sandbox("inplace-64-57");
    logged(&sandbox, &["--max-flips", "4"]);
    let other =
        "train --train-images 1280 --epochs 2 --seed 2 --quiet --checkpoint other.checkpoint";
    sandbox.ok(&other.split(' ').collect::<Vec<_>>());
    let cases: [(&str, &str); 10] = [
        (
            "other.checkpoint --data glyphs",
            "flips.json: the log is of another network, that of net.checkpoint",
        ),
        (
            "net.checkpoint --data glyphs:2",
            "flips.json: the log is of other data, that of glyphs",
        ),
        (
            "net.checkpoint --data glyphs --code none",
            "the log is of a memory with code inplace-64-57",
        ),
        (
            "net.checkpoint --data glyphs --policy zero",
            "but this one is with code inplace-64-57 and policy zero",
        ),
        (
            "net.checkpoint --data glyphs --seeds 2",
            "--replay has the log's settings",
        ),
        (
            "net.checkpoint --data glyphs --log again.json",
            "--replay has the log's settings",
        ),
        (
            "net.checkpoint --data glyphs --seed 2",
            "--replay has the log's settings",
        ),
        ("--recipe flips.toml", "cannot be used with"),
        ("net.checkpoint", "--data SOURCE is missing"),
        ("--data glyphs", "CHECKPOINT is missing"),
    ];
    for (flags, said) in cases {
        let flags = flags.split(' ').collect::<Vec<_>>();
        let all = [&["attack", "--replay", "flips.json"], &flags[..]].concat();
        let answer = sandbox.run(&all);
        assert_eq!(answer.status, Some(2), "{flags:?}: {}", answer.err);
        assert_eq!(answer.out, "", "{flags:?}");
        assert!(answer.err.contains(said), "{:?} lacks {said:?}", answer.err);
    }
    let memory = ["--code", "inplace-64-57", "--policy", "keep"];
    sandbox.ok(&replay(&memory));
}

#[test]
fn every_method_runs_and_targeted_ones_report_their_success() {
    let sandbox = sandbox("inplace-64-57");
    for (method, classes) in [
        ("t-bfa-n-to-1", &["--target", "3"][..]),
        ("t-bfa-1-to-1", &["--source", "1", "--target", "3"]),
        ("t-bfa-stealthy", &["--source", "1", "--target", "3"]),
        ("random", &[]),
    ] {
        let flags = [&["--method", method, "--max-iterations", "3"][..], classes].concat();
        let report = report(&sandbox, &flags);
        let attack = &report["attacks"][0];
        assert_eq!(attack["method"], method);
        assert_eq!(
            attack["success"].is_number(),
            method != "random",
            "{method}"
        );
    }
    let text = sandbox
        .ok(&arguments(&["--max-flips", "3", "--code", "none"]))
        .out;
    assert!(
        text.contains("N_flip 3.0 ± 0.0 (3 to 3) over 1 attacks"),
        "{text}"
    );
}

#[test]
fn what_an_attack_cannot_be_asked_for_is_refused_with_status_2_and_leaves_nothing() {
    let sandbox = sandbox("none");
    let targeted = ["--method", "t-bfa-1-to-1"];
    let cases: [(&[&str], &str); 20] = [
        (&["--seeds", "0"], "--seeds is 0; allowed is 1 to"),
        (&["--max-flips", "0"], "--max-flips is 0; allowed is 1 to"),
        (&["--max-iterations", "0"], "--max-iterations is 0"),
        (&["--every", "0"], "--every is 0"),
        (&["--images", "0"], "--images is 0"),
        (&["--attack-images", "0"], "--attack-images is 0"),
        (&["--attack-images", "99999"], "--attack-images is 99999"),
        (
            &["--stop-accuracy", "1.5"],
            "--stop-accuracy is 1.5; allowed is 0 to 1",
        ),
        (&["--stop-accuracy", "NaN"], "--stop-accuracy is NaN"),
        (
            &["--policy", "zero-constrained"],
            "--policy is zero-constrained",
        ),
        (&["--code", "inplace-32-26"], "--code is inplace-32-26"),
        (
            &["--code", "inplace-64-57"],
            "allowed for this output channel",
        ),
        (&["--weight-bits", "8"], "--weight-bits is 8"),
        (&["--target", "3"], "--target is 3; allowed is no such flag"),
        (
            &["--method", "t-bfa-n-to-1"],
            "--target is missing; allowed is a class from 0 to 9",
        ),
        (&["--method", "guess"], "t-bfa-stealthy"),
        (&["--log", "flips.txt"], "ends in .csv or .json"),
        (&["--log", "nowhere/flips.csv"], "nowhere/flips.csv"),
        (
            &["--seed", "18446744073709551615"],
            "--seed is 18446744073709551615",
        ),
        (&["--data", "cifar10:nowhere"], "nowhere"),
    ];
    let classes: [(&[&str], &str); 4] = [
        (
            &["--source", "3", "--target", "5", "--attack-images", "1201"],
            "--attack-images is 1201; allowed is 1 to 1200",
        ),
        (
            &["--source", "3", "--target", "3"],
            "--target is 3; allowed is another class",
        ),
        (
            &["--source", "10", "--target", "3"],
            "--source is 10; allowed is 0 to 9",
        ),
        (&["--target", "3"], "--source is missing"),
    ];
    let before = sandbox.names();
    let classes = classes.map(|(flags, said)| ([&targeted[..], flags].concat(), said));
    let cases = cases.map(|(flags, said)| (flags.to_vec(), said));
    for (flags, said) in cases.into_iter().chain(classes) {
        // Later flags of the same name would be refused for being there twice.
        let mut all = vec!["attack", "net.checkpoint"];
        let defaults = [
            ("--data", "glyphs"),
            ("--images", "200"),
            ("--attack-images", "32"),
        ];
        for (flag, value) in defaults {
            if !flags.contains(&flag) {
                all.extend([flag, value]);
            }
        }
        all.extend(&flags);
        let answer = sandbox.run(&all);
        assert_eq!(answer.status, Some(2), "{flags:?}: {}", answer.err);
        assert_eq!(answer.out, "", "{flags:?}");
        assert!(
            answer.err.contains(said),
            "{flags:?}: {:?} lacks {said:?}",
            answer.err
        );
        assert_eq!(sandbox.names(), before, "{flags:?}");
    }
    let answer = sandbox.run(&["attack", "none.checkpoint", "--data", "glyphs"]);
    assert!(answer.status == Some(2) && answer.err.contains("none.checkpoint"));
}
