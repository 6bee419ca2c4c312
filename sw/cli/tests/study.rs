//! `brownout study`: what it makes, what it does not make twice, what it refuses.

mod common;

use common::Sandbox;
use serde_json::Value;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::thread;
use std::time::Duration;

/// Two small networks, readings in one table and an attack.
const STUDY: &str = r#"
title = "Clipping"
question = "Does it help?"
network = "mlp"
train_images = 320

[training]
epochs = 1
code = "none"

[[networks]]
name = "normal"
training = {}

[[networks]]
name = "clip"
label = "Clip | 0.1"
training = { clip = { range = 0.1 } }

[[readings]]
name = "keep"
label = "persistent"
table = "Faults"
evaluate = { rates = [0, 1e-2, 5e-2], chips = 4, images = 60 }

[[readings]]
name = "transient"
label = "transient"
table = "Faults"
networks = ["clip"]
evaluate = { rates = [0, 1e-2, 5e-2], chips = 4, images = 60, mode = "transient" }

[[readings]]
name = "supply"
networks = ["clip"]
evaluate = { voltages = [800, 392], chips = 3, images = 60 }

[[readings]]
name = "robust"
networks = ["clip"]
show = "robust-error"
evaluate = { rates = [1e-2], chips = 3, images = 60 }

[[readings]]
name = "classes"
networks = ["normal"]
show = "classes"
evaluate = { rates = [0], chips = 1, images = 60 }

[[attacks]]
name = "bfa"
networks = ["normal"]
attack = { seeds = 2, images = 60, attack_images = 32, max_flips = 4 }

[[attacks]]
name = "targeted"
networks = ["normal"]
attack = { method = "t-bfa-n-to-1", target = 3, seeds = 1, images = 60, attack_images = 32, max_flips = 4 }
"#;

fn sandbox(study: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("clipping.toml", study);
    sandbox
}

/// Runs the study; how many results are new.
fn run(sandbox: &Sandbox, flags: &[&str]) -> u64 {
    let start = ["study", "clipping.toml", "--quiet", "--json"];
    let answer = sandbox.ok(&[&start[..], flags].concat());
    let report: Value = serde_json::from_str(&answer.out).unwrap();
    report["made"].as_u64().unwrap()
}

fn ledger(sandbox: &Sandbox) -> Value {
    let text = fs::read_to_string(sandbox.path("clipping/ledger.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

#[test]
fn a_study_makes_tables_plots_and_a_page_and_makes_nothing_twice() {
    let sandbox = sandbox(STUDY);
    assert_eq!(run(&sandbox, &["--data", "glyphs"]), 10);
    let names = common::names(&sandbox.path("clipping"));
    for name in [
        "README.md",
        "attacks.csv",
        "clip.float",
        "clip.safetensors",
        "keep.clip.json",
        "keep.svg",
        "ledger.json",
        "readings.csv",
        "supply-rate.svg",
        "supply.svg",
    ] {
        assert!(
            names.iter().any(|n| n == name),
            "{name} is not in {names:?}"
        );
    }
    assert!(!names.iter().any(|n| n.ends_with(".state")), "{names:?}");

    // The page, the CSV file and the record of a reading hold one figure.
    let record = fs::read_to_string(sandbox.path("clipping/keep.clip.json")).unwrap();
    let record: Value = serde_json::from_str(&record).unwrap();
    let error = record["points"][2]["error"]["mean"].as_f64().unwrap();
    assert_eq!(
        ledger(&sandbox)["readings"]["keep/clip"]["result"]["points"][2]["error"]["mean"],
        error
    );
    let page = fs::read_to_string(sandbox.path("clipping/README.md")).unwrap();
    assert!(
        page.contains(&format!("{:.2} ± ", 100.0 * (1.0 - error))),
        "{page}"
    );
    assert!(page.contains("Clip \\| 0.1, persistent"), "{page}");
    assert!(page.contains("Clip \\| 0.1, transient"), "{page}");
    assert!(page.contains("| network | 800 mV | 392 mV |"), "{page}");
    assert!(
        page.contains("| saving of the weight memory | at most 1 point lost |"),
        "{page}"
    );
    let results = ledger(&sandbox);
    let robust = &results["readings"]["robust/clip"]["result"]["points"][0];
    let robust = 100.0 * robust["robust_error"]["mean"].as_f64().unwrap();
    assert!(
        page.contains(&format!("| {robust:.2} ± ")) || page.contains(&format!("**{robust:.2} ± ")),
        "{page}"
    );
    assert!(page.contains("Robust error (RErr"), "{page}");
    // Classes have equally many images, so the mean of their accuracies is the whole's.
    let classes = &results["readings"]["classes/normal"]["result"];
    let errors = classes["clean_error_of_classes"].as_array().unwrap();
    let mean = errors.iter().map(|e| e.as_f64().unwrap()).sum::<f64>() / errors.len() as f64;
    assert_eq!(errors.len(), 10);
    assert!((mean - classes["clean_error"].as_f64().unwrap()).abs() < 1e-9);
    assert!(page.contains("| class 9 |"), "{page}");
    assert!(!names.iter().any(|n| n == "classes.svg"), "{names:?}");
    // Flips of single attacks are what their distribution is of, and each is in a layer.
    let bfa = &results["attacks"]["bfa/normal"]["result"];
    let flips: Vec<f64> = (bfa["flips"].as_array().unwrap().iter())
        .map(|f| f.as_f64().unwrap())
        .collect();
    assert_eq!(bfa["n_flip"]["mean"], flips.iter().sum::<f64>() / 2.0);
    let targeted = &results["attacks"]["targeted/normal"]["result"];
    let success = 100.0 * targeted["success"]["mean"].as_f64().unwrap();
    assert!(
        page.contains(&format!(", success {success:.1} %, accuracy ")),
        "{page}"
    );
    assert!(page.contains("| flips in layer | "), "{page}");
    let csv = fs::read_to_string(sandbox.path("clipping/readings.csv")).unwrap();
    assert!(csv.contains(&format!(",{},", 1.0 - error)), "{csv}");

    // The ledger alone makes the page of all results, too.
    fs::create_dir(sandbox.path("alone")).unwrap();
    fs::copy(
        sandbox.path("clipping/ledger.json"),
        sandbox.path("alone/ledger.json"),
    )
    .unwrap();
    for folder in ["clipping", "alone"] {
        let answer = sandbox.ok(&["report", folder]);
        assert_eq!(
            answer.out,
            format!("{folder}/report.html shows 10 results\n")
        );
        let page = fs::read_to_string(sandbox.path(&format!("{folder}/report.html"))).unwrap();
        assert!(
            page.contains(&format!("{:.2}", 100.0 * (1.0 - error))),
            "{folder}"
        );
    }

    // The second time nothing is needed, and nothing changes.
    let before = fs::read(sandbox.path("clipping/README.md")).unwrap();
    assert_eq!(run(&sandbox, &[]), 0);
    assert_eq!(
        fs::read(sandbox.path("clipping/README.md")).unwrap(),
        before
    );
}

#[test]
fn what_a_change_concerns_is_done_again_and_nothing_else() {
    let sandbox = sandbox(STUDY);
    run(&sandbox, &["--data", "glyphs"]);
    let before = ledger(&sandbox);
    // Another rate: one reading of two networks.
    sandbox.write(
        "clipping.toml",
        STUDY.replace("chips = 4, images = 60 }", "chips = 5, images = 60 }"),
    );
    assert_eq!(run(&sandbox, &["--data", "glyphs"]), 2);
    let after = ledger(&sandbox);
    assert_ne!(
        before["readings"]["keep/clip"],
        after["readings"]["keep/clip"]
    );
    assert_eq!(
        before["readings"]["transient/clip"],
        after["readings"]["transient/clip"]
    );
    assert_eq!(before["networks"], after["networks"]);
    // Another training of one network: that one, its readings, and its attacks; and the reading
    // of the other one that is as it was before.
    sandbox.write(
        "clipping.toml",
        STUDY.replace("training = {}", "training = { seed = 2 }"),
    );
    assert_eq!(run(&sandbox, &["--data", "glyphs"]), 1 + 2 + 2 + 1);
    // Words for people decide nothing.
    let reworded = STUDY.replace("training = {}", "training = { seed = 2 }");
    sandbox.write(
        "clipping.toml",
        format!("findings = \"It does.\"\n{reworded}"),
    );
    assert_eq!(run(&sandbox, &[]), 0);
    let page = fs::read_to_string(sandbox.path("clipping/README.md")).unwrap();
    assert!(page.contains("## Findings\n\nIt does."), "{page}");
}

#[test]
fn rows_that_a_recipe_leaves_out_are_kept_until_they_are_pruned() {
    let sandbox = sandbox(STUDY);
    run(&sandbox, &["--data", "glyphs"]);
    let (before, page) = (ledger(&sandbox), sandbox.path("clipping/README.md"));
    let whole = fs::read_to_string(&page).unwrap();
    let shorter = &STUDY[..STUDY.find("[[attacks]]").unwrap()];
    sandbox.write("clipping.toml", shorter);
    let start = ["study", "clipping.toml", "--quiet"];
    let said = sandbox.ok(&start).out;
    assert!(said.contains("also keeps 2 of rows"), "{said}");
    assert_eq!(ledger(&sandbox), before);
    assert!(!fs::read_to_string(&page).unwrap().contains("## Attacks"));
    // The rows are back, and nothing is measured for it: there are no images.
    sandbox.write("clipping.toml", STUDY);
    assert_eq!(run(&sandbox, &[]), 0);
    assert_eq!(fs::read_to_string(&page).unwrap(), whole);
    sandbox.write("clipping.toml", shorter);
    assert_eq!(run(&sandbox, &["--prune"]), 0);
    assert_eq!(ledger(&sandbox)["attacks"], serde_json::json!({}));
    assert_eq!(ledger(&sandbox)["readings"], before["readings"]);
}

#[test]
fn a_network_may_be_another_one_or_start_from_one_before_it() {
    let study = r#"
title = "Chain"
question = "Which?"
network = "mlp"
train_images = 320

[training]
epochs = 1
code = "none"

[[networks]]
name = "small"
network = "simplenet:2"
training = {}

[[networks]]
name = "next"
from = "small"
training = { clip = { range = 0.2 } }

[[networks]]
name = "shared"
training = {}

[[readings]]
name = "keep"
evaluate = { rates = [0, 1e-2], chips = 2, images = 60 }
"#;
    let sandbox = sandbox(study);
    assert_eq!(run(&sandbox, &["--data", "glyphs"]), 6);
    let first = ledger(&sandbox);
    let architecture = |name: &str| first["networks"][name]["result"]["trained"]["network"].clone();
    assert_eq!(architecture("small"), "simplenet:2");
    assert_eq!(architecture("next"), "simplenet:2");
    assert_eq!(architecture("shared"), "mlp");
    // It is what `train --from` makes of the same checkpoint.
    sandbox.ok(&[
        "train",
        "--from",
        "clipping/small.float",
        "--data",
        "glyphs",
        "--train-images",
        "320",
        "--epochs",
        "1",
        "--code",
        "none",
        "--clip",
        "0.2",
        "--checkpoint",
        "alone.float",
        "--quiet",
    ]);
    let file = |name: &str| fs::read(sandbox.path(name)).unwrap();
    assert!(file("alone.float") == file("clipping/next.float"));
    // Another training of the first is another start of the second, and nothing to the third.
    let changed = study.replacen("training = {}", "training = { seed = 2 }", 1);
    sandbox.write("clipping.toml", changed);
    assert_eq!(run(&sandbox, &["--data", "glyphs"]), 2 + 2);
    let second = ledger(&sandbox);
    assert_ne!(first["networks"]["next"], second["networks"]["next"]);
    assert_eq!(first["networks"]["shared"], second["networks"]["shared"]);
}

#[test]
fn a_study_that_was_killed_goes_on_to_the_same_results() {
    let whole = sandbox(STUDY);
    run(&whole, &["--data", "glyphs"]);
    let killed = sandbox(STUDY);
    for pause in [20, 60, 120, 240] {
        let mut child = killed
            .command(&["study", "clipping.toml", "--data", "glyphs", "--quiet"])
            .spawn()
            .unwrap();
        thread::sleep(Duration::from_millis(pause));
        child.kill().unwrap();
        let status = child.wait().unwrap();
        assert!(status.success() || status.signal() == Some(9), "{status:?}");
    }
    run(&killed, &["--data", "glyphs"]);
    let (whole, killed) = (ledger(&whole), ledger(&killed));
    for kind in ["networks", "readings", "attacks"] {
        for (name, entry) in whole[kind].as_object().unwrap() {
            let other = &killed[kind][name];
            assert_eq!(entry["key"], other["key"]);
            let result = |entry: &Value| {
                let mut result = entry["result"].clone();
                // Times differ from run to run.
                if let Some(trained) = result.get_mut("trained").and_then(Value::as_object_mut) {
                    trained.retain(|key, _| {
                        !key.starts_with("seconds") && !key.starts_with("images_per")
                    });
                }
                result
            };
            assert_eq!(result(entry), result(other), "{name}");
        }
    }
}

#[test]
fn what_cannot_be_studied_is_a_sentence_and_nothing_is_lost() {
    let done = sandbox(STUDY);
    run(&done, &["--data", "glyphs"]);
    let ledger = fs::read(done.path("clipping/ledger.json")).unwrap();
    let refused = |study: &str, flags: &[&str], part: &str| {
        done.write("clipping.toml", study);
        let answer = done.run(&[&["study", "clipping.toml", "--quiet"], flags].concat());
        assert_eq!(answer.status, Some(2), "{}", answer.err);
        assert!(answer.err.contains(part), "{:?} lacks {part:?}", answer.err);
        assert_eq!(answer.err.lines().count(), 1, "{}", answer.err);
        assert_eq!(fs::read(done.path("clipping/ledger.json")).unwrap(), ledger);
    };
    refused(
        &STUDY.replace("epochs", "epoch"),
        &["--data", "glyphs"],
        "did you mean `epochs`?",
    );
    refused(
        &STUDY.replace("epochs = 1", "epochs = 0"),
        &[],
        "epochs is 0",
    );
    refused(
        &STUDY.replace("chips = 4", "chip = 4"),
        &[],
        "did you mean `chips`?",
    );
    refused(
        &STUDY.replace("max_flips", "max_flip"),
        &[],
        "did you mean `max_flips`?",
    );
    refused(
        &STUDY.replace("epochs = 1", "epochs = 2"),
        &[],
        "--data SOURCE is missing",
    );
    refused(
        STUDY,
        &["--data", "glyphs:7"],
        "allowed is the images that the results in clipping are about (glyphs, test",
    );
    refused(
        &format!("{STUDY}[start]\ninput = \"x\""),
        &[],
        "start.input",
    );
    refused(
        &STUDY.replace("training = {}", "file = \"nowhere/x\""),
        &[],
        "nowhere/x.safetensors",
    );
    done.write("clipping/ledger.json", "{\"networks\": 3}");
    let answer = done.run(&["study", "clipping.toml", "--quiet"]);
    assert_eq!(answer.status, Some(2));
    assert!(
        answer.err.contains("no ledger of a study"),
        "{}",
        answer.err
    );
}

/// One network of a code, whose cells flip, are stuck, and are a profiled chip's.
const FORMS: &str = r#"
title = "Forms"
question = "Which figures depend on the form of stored words?"
network = "mlp"
train_images = 320

[training]
epochs = 1
code = "inplace-64-57"

[[networks]]
name = "normal"
training = {}

[[readings]]
name = "flips"
evaluate = { rates = [1e-2], chips = 2, images = 60 }

[[readings]]
name = "stuck"
evaluate = { rates = [1e-2], chips = 2, images = 60, mode = "stuck-at" }

[[readings]]
name = "plain"
evaluate = { rates = [1e-2], chips = 2, images = 60, mode = "stuck-at", code = "none" }

[[readings]]
name = "profiled"
evaluate = { profile = ["chip2:1.01"], chips = 2, images = 60 }
"#;

#[test]
fn of_an_older_ledger_only_what_depends_on_the_form_of_stored_words_is_made_again() {
    let sandbox = sandbox(FORMS);
    let data = ["--data", "glyphs"];
    assert_eq!(run(&sandbox, &data), 5);
    assert_eq!(run(&sandbox, &data), 0);
    let made = ledger(&sandbox);
    let reading = |ledger: &Value, name: &str| ledger["readings"][name]["result"].clone();
    assert_eq!(reading(&made, "stuck/normal")["protocol"]["coset"], true);
    assert!(reading(&made, "plain/normal")["protocol"]["coset"].is_null());

    // A ledger of before there was a coset does not say in which form words were stored.
    let text = fs::read_to_string(sandbox.path("clipping/ledger.json")).unwrap();
    let old = text.replace("          \"coset\": true,\n", "");
    assert_eq!(old.matches("coset").count(), 0, "{old}");
    assert_eq!(text.matches("coset").count(), 3);
    sandbox.write("clipping/ledger.json", old);
    assert_eq!(run(&sandbox, &data), 2);
    let again = ledger(&sandbox);
    for (name, is_new) in [
        ("flips", false),
        ("plain", false),
        ("stuck", true),
        ("profiled", true),
    ] {
        let name = format!("{name}/normal");
        let told = reading(&again, &name)["protocol"]["coset"] == true;
        assert_eq!(told, is_new, "{name}");
        assert_eq!(
            reading(&made, &name)["points"],
            reading(&again, &name)["points"]
        );
        let key = |ledger: &Value| ledger["readings"][&name]["key"].clone();
        assert_eq!(key(&made), key(&again), "{name}");
    }
}
