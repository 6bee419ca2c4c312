//! The committed studies: their pages are what their ledgers say, and their figures are what their
//! networks do.

mod common;

use common::Sandbox;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Images of a reading that is measured again, at most.
const MOST_IMAGES: u64 = 2000;

fn recipes() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../recipes")
}

/// Studies with results, by their names.
fn studies() -> Vec<String> {
    let folders = common::names(&recipes());
    let done = |name: &String| recipes().join(name).join("ledger.json").is_file();
    let studies: Vec<String> = folders.into_iter().filter(done).collect();
    assert!(!studies.is_empty(), "no study has results");
    studies
}

fn ledger(study: &str) -> Value {
    let text = fs::read_to_string(recipes().join(study).join("ledger.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// CIFAR-10 beside the repository; `None`, with a message, where it is absent.
fn images() -> Option<String> {
    let folder = recipes().join("../../shared/data/cifar-10-batches-bin");
    if folder.is_dir() {
        return Some(format!("cifar10:{}", folder.display()));
    }
    let _ = writeln!(
        std::io::stderr(),
        "skipped: {} is missing",
        folder.display()
    );
    None
}

#[test]
fn every_committed_page_is_what_its_ledger_says() {
    for study in studies() {
        let sandbox = Sandbox::new();
        let (recipe, folder) = (
            recipes().join(format!("{study}.toml")),
            recipes().join(&study),
        );
        for name in common::names(&folder) {
            sandbox.write(&name, fs::read(folder.join(&name)).unwrap());
        }
        let out = sandbox.path("").display().to_string();
        let recipe = recipe.display().to_string();
        let answer = sandbox.ok(&["study", &recipe, "--out", &out, "--json", "--quiet"]);
        let report: Value = serde_json::from_str(&answer.out).unwrap();
        assert_eq!(report["made"], 0, "{study}");
        assert_eq!(report["unnamed"], 0, "{study}");
        for file in report["files"].as_array().unwrap() {
            let name = file.as_str().unwrap();
            let committed = fs::read_to_string(folder.join(name)).unwrap_or_default();
            let made = fs::read_to_string(sandbox.path(name)).unwrap();
            assert!(
                committed == made,
                "{study}/{name} is not what the ledger says"
            );
        }
    }
}

// A million images: once is enough, with the tests of the whole workspace.
#[cfg_attr(
    not(feature = "simulate"),
    ignore = "it runs with the co-simulation's tests"
)]
#[test]
fn a_chip_of_every_reading_and_one_whole_cell_are_what_the_committed_networks_do() {
    let Some(data) = images() else { return };
    for study in studies() {
        let ledger = ledger(&study);
        let readings = ledger["readings"].as_object().unwrap();
        let mut whole = false;
        let mut compared = 0;
        let mut seen = BTreeSet::new();
        for (name, entry) in readings {
            let (reading, network) = name.split_once('/').unwrap();
            let result = &entry["result"];
            let protocol = &result["protocol"];
            // One network of each reading, since a look at all of them takes minutes.
            if protocol["images"].as_u64() > Some(MOST_IMAGES) || !seen.insert(reading) {
                continue;
            }
            let file = file(&study, network);
            // The last point, where faults count most: all its chips once a study, else the first.
            let point = result["points"].as_array().unwrap().last().unwrap();
            assert_eq!(point["mode"], "persistent", "{study}: {name}");
            if !std::mem::replace(&mut whole, true) {
                let chips = protocol["chips"].to_string();
                let again = evaluate(&file, &data, protocol, &chips, point);
                for figure in ["error", "robust_error", "counters"] {
                    assert_eq!(
                        point[figure], again["points"][0][figure],
                        "{study}: {name}, {figure}"
                    );
                }
            } else {
                let again = evaluate(&file, &data, protocol, "1", point);
                let chips = &again["points"][0]["chips"];
                assert_eq!(point["wrong"][0], chips[0]["wrong"], "{study}: {name}");
            }
            compared += 1;
        }
        assert!(
            compared > 0 || readings.is_empty(),
            "{study}: nothing was measured again"
        );
    }
}

// As above.
#[cfg_attr(
    not(feature = "simulate"),
    ignore = "it runs with the co-simulation's tests"
)]
#[test]
fn the_shortest_attack_of_every_study_takes_its_stated_flips() {
    let Some(data) = images() else { return };
    let mut compared = 0;
    for study in studies() {
        let ledger = ledger(&study);
        let attacks = ledger["attacks"].as_object().unwrap();
        let first = |entry: &Value| entry["result"]["flips"][0].as_u64();
        let shortest = attacks
            .iter()
            .filter_map(|(name, entry)| Some((first(entry)?, name)));
        let Some((flips, name)) = shortest.min() else {
            assert!(attacks.is_empty(), "{study}: no attack says its flips");
            continue;
        };
        compared += 1;
        let (attack, network) = name.split_once('/').unwrap();
        let recipe = fs::read_to_string(recipes().join(format!("{study}.toml"))).unwrap();
        let recipe: toml::Table = recipe.parse().unwrap();
        let all = recipe["attacks"].as_array().unwrap();
        let found = all
            .iter()
            .find(|a| a["name"].as_str() == Some(attack))
            .unwrap();
        let seed = found
            .get("first_seed")
            .map_or(1, |seed| seed.as_integer().unwrap());
        let seed = seed.to_string();
        let mut settings = found["attack"].as_table().unwrap().clone();
        settings.insert("seeds".to_owned(), 1.into());
        let sandbox = Sandbox::new();
        sandbox.write("attack.toml", toml::to_string(&settings).unwrap());
        let checkpoint = file(&study, network).with_extension("float");
        let checkpoint = checkpoint.display().to_string();
        let words = [
            "attack",
            &checkpoint,
            "--data",
            &data,
            "--recipe",
            "attack.toml",
            "--seed",
            &seed,
        ];
        let answer = sandbox.ok(&[&words[..], &["--quiet", "--json"]].concat());
        let again: Value = serde_json::from_str(&answer.out).unwrap();
        assert_eq!(again["attacks"][0]["n_flip"], flips, "{study}: {name}");
    }
    assert!(compared > 0, "no study has attacks");
}

/// Inverted cells are read the same in plain words and in a coset, so these figures stay whatever
/// the form of stored words is; those of stuck cells behind a code would have to be made again.
#[test]
fn no_committed_figure_is_of_stuck_cells_or_a_chips_pattern_behind_a_code() {
    let mut behind_a_code = 0;
    let mut of_patterns = 0;
    for study in studies() {
        let ledger = ledger(&study);
        let of = |kind: &str| ledger[kind].as_object().unwrap().clone();
        for (name, entry) in of("readings") {
            let coded = entry["result"]["protocol"]["code"] != "none";
            behind_a_code += usize::from(coded);
            for point in entry["result"]["points"].as_array().unwrap() {
                let flips = ["none", "persistent", "transient"];
                let flips = flips.contains(&point["mode"].as_str().unwrap());
                let pattern = !flips || !point["profile"].is_null();
                of_patterns += usize::from(pattern);
                assert!(!(coded && pattern), "{study}: {name}");
            }
        }
        for (name, entry) in of("silicon") {
            for point in entry["result"]["points"].as_array().unwrap() {
                assert_eq!(point["mode"], "persistent", "{study}: {name}");
            }
        }
        let recipe = fs::read_to_string(recipes().join(format!("{study}.toml"))).unwrap();
        let recipe: toml::Table = recipe.parse().unwrap();
        for network in recipe["networks"].as_array().unwrap() {
            let perturbation = network.get("training").and_then(|t| t.get("perturbation"));
            let Some(perturbation) = perturbation else {
                continue;
            };
            let decoded = perturbation.get("memory").and_then(|m| m.get("decode"));
            let pattern = perturbation.get("profile").is_some();
            assert!(decoded.is_none() || !pattern, "{study}: {network}");
        }
    }
    assert!(behind_a_code > 50 && of_patterns > 100, "both are there");
}

/// Measures a network again at a point, by the protocol of its reading.
fn evaluate(file: &Path, data: &str, protocol: &Value, chips: &str, point: &Value) -> Value {
    let text = |key: &str| match protocol[key].as_str() {
        Some(text) => text.to_owned(),
        None => protocol[key].to_string(),
    };
    let file = file.display().to_string();
    let mut settings: Vec<(&str, String)> = vec![
        ("--images", text("images")),
        ("--code", text("code")),
        ("--policy", text("policy")),
        ("--first-chip", text("first_chip")),
        ("--rows", text("rows")),
        ("--columns", text("columns")),
        ("--exposure", text("exposure")),
        ("--chips", chips.to_owned()),
    ];
    match point["profile"].as_str() {
        Some(profile) => settings.extend([
            ("--profile", profile.to_owned()),
            ("--offsets", text("offsets")),
        ]),
        None => settings.push(("--rates", point["rate"].to_string())),
    }
    let mut words = vec!["evaluate", &file, "--data", data, "--quiet", "--json"];
    for (flag, value) in &settings {
        words.extend([flag, value.as_str()]);
    }
    let again: Value = serde_json::from_str(&Sandbox::new().ok(&words).out).unwrap();
    // Behind a code the figures are those of plain words, and here a coset is stored.
    let coset = &again["protocol"]["coset"];
    assert_eq!(coset == true, protocol["code"] != "none", "{coset}");
    again
}

/// The integer model of a network of a study, or its checkpoint where it has no integer form.
fn file(study: &str, network: &str) -> PathBuf {
    let recipe = fs::read_to_string(recipes().join(format!("{study}.toml"))).unwrap();
    let recipe: toml::Table = recipe.parse().unwrap();
    let networks = recipe["networks"].as_array().unwrap();
    let found = networks
        .iter()
        .find(|n| n["name"].as_str() == Some(network))
        .unwrap();
    let stem = match found.get("file").and_then(toml::Value::as_str) {
        Some(other) => recipes().join(other),
        None => recipes().join(study).join(network),
    };
    let with = |ending: &str| {
        let name = stem.file_name().unwrap().to_string_lossy();
        stem.with_file_name(format!("{name}.{ending}"))
    };
    match with("safetensors") {
        model if model.is_file() => model,
        _ => with("float"),
    }
}

/// Two images of the first 4-bit accelerator that the ledger of `silicon` has, at its lowest voltage.
#[cfg(feature = "simulate")]
#[test]
fn two_images_of_the_trained_networks_run_on_the_hardware_in_the_stated_clocks() {
    let Some(data) = images() else { return };
    let study = "silicon";
    let recipe = fs::read_to_string(recipes().join(format!("{study}.toml"))).unwrap();
    let recipe: toml::Table = recipe.parse().unwrap();
    let ledger = ledger(study);
    let mut compared = 0;
    for (name, entry) in ledger["silicon"].as_object().unwrap() {
        let (run, network) = name.split_once('/').unwrap();
        let runs = recipe["silicon"].as_array().unwrap();
        let run = runs
            .iter()
            .find(|r| r["name"].as_str() == Some(run))
            .unwrap();
        let config = run["simulate"]["config"].as_str().unwrap();
        let config = recipes().join(config).display().to_string();
        let result = &entry["result"];
        // One width is built here, all are in the ledger.
        if result["array"][2] != 4 {
            continue;
        }
        let point = result["points"].as_array().unwrap().last().unwrap();
        let (code, voltage) = (
            point["code"].as_str().unwrap(),
            point["voltage_mv"].to_string(),
        );
        let sandbox = Sandbox::new();
        let answer = sandbox.ok(&[
            "simulate",
            &file(study, network).display().to_string(),
            "--data",
            &data,
            "--config",
            &config,
            "--codes",
            code,
            "--voltages",
            &voltage,
            "--images",
            "2",
            "--quiet",
            "--json",
        ]);
        let again: Value = serde_json::from_str(&answer.out).unwrap();
        assert_eq!(again["logits_compared"], 20);
        assert_eq!(again["mismatches"], 0);
        assert_eq!(
            again["points"][0]["cycles_per_image"],
            point["cycles_per_image"]
        );
        assert_eq!(point["cycles_per_image"], point["cycles_predicted"]);
        compared += 1;
        break;
    }
    assert_eq!(compared, 1);
}
