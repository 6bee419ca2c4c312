//! The committed studies: their pages are what their ledgers say, and their figures are what their
//! networks do.

mod common;

use common::Sandbox;
use serde_json::Value;
use std::fs;
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
    eprintln!("skipped: {} is missing", folder.display());
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

// Half a million images: once is enough, with the tests of the whole workspace.
#[cfg_attr(
    not(feature = "simulate"),
    ignore = "it runs with the co-simulation's tests"
)]
#[test]
fn chips_of_every_reading_and_one_whole_cell_are_what_the_committed_networks_do() {
    let Some(data) = images() else { return };
    for study in studies() {
        let ledger = ledger(&study);
        let readings = ledger["readings"].as_object().unwrap();
        let mut whole = false;
        let mut compared = 0;
        for (name, entry) in readings {
            let (_, network) = name.split_once('/').unwrap();
            let result = &entry["result"];
            let file = file(&study, network);
            if result["protocol"]["images"].as_u64() > Some(MOST_IMAGES) || !file.is_file() {
                continue;
            }
            let points = result["points"].as_array().unwrap();
            assert!(
                points
                    .iter()
                    .all(|p| p["mode"] == "persistent" && p["profile"].is_null())
            );
            let rates: Vec<String> = points.iter().map(|p| p["rate"].to_string()).collect();
            let again = evaluate(&file, &data, &result["protocol"], "1", &rates.join(","));
            assert_eq!(again["points"].as_array().unwrap().len(), points.len());
            for (point, again) in points.iter().zip(again["points"].as_array().unwrap()) {
                let place = format!("{study}: {name} at {}", point["rate"]);
                assert_eq!(point["wrong"][0], again["chips"][0]["wrong"], "{place}");
                compared += 1;
            }
            // All chips of the last point, where faults count most: the cell's own figures.
            if !std::mem::replace(&mut whole, true) {
                let (point, rate) = (points.last().unwrap(), rates.last().unwrap());
                let chips = result["protocol"]["chips"].to_string();
                let again = evaluate(&file, &data, &result["protocol"], &chips, rate);
                for figure in ["error", "robust_error", "counters"] {
                    let place = format!("{study}: {name} at {rate}, {figure}");
                    assert_eq!(point[figure], again["points"][0][figure], "{place}");
                }
            }
        }
        assert!(
            compared > 0 || readings.is_empty(),
            "{study}: nothing was measured again"
        );
    }
}

/// Measures a network again, by the protocol of a reading.
fn evaluate(file: &Path, data: &str, protocol: &Value, chips: &str, rates: &str) -> Value {
    let text = |key: &str| match protocol[key].as_str() {
        Some(text) => text.to_owned(),
        None => protocol[key].to_string(),
    };
    let file = file.display().to_string();
    let settings = [
        "images",
        "code",
        "policy",
        "first_chip",
        "rows",
        "columns",
        "exposure",
    ];
    let settings = settings.map(|key| (format!("--{}", key.replace('_', "-")), text(key)));
    let mut words = vec![
        "evaluate", &file, "--data", data, "--chips", chips, "--rates", rates, "--quiet", "--json",
    ];
    for (flag, value) in &settings {
        words.extend([flag.as_str(), value]);
    }
    serde_json::from_str(&Sandbox::new().ok(&words).out).unwrap()
}

/// The integer model of a network of a study.
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
    stem.with_file_name(format!(
        "{}.safetensors",
        stem.file_name().unwrap().to_string_lossy()
    ))
}

/// Two images of every accelerator that the ledger of `silicon` has at its lowest voltage.
#[cfg(feature = "simulate")]
#[test]
fn two_images_of_the_trained_networks_run_on_the_hardware_in_the_stated_clocks() {
    let Some(data) = images() else { return };
    let study = "silicon";
    let config = recipes()
        .join("array-16x16-4bit.toml")
        .display()
        .to_string();
    let ledger = ledger(study);
    let mut compared = 0;
    for (name, entry) in ledger["silicon"].as_object().unwrap() {
        let (_, network) = name.split_once('/').unwrap();
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
