//! `brownout report`: the page of a folder, whatever lies in it.

mod common;

use common::Sandbox;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

/// Elements that have no end.
const VOID: [&str; 1] = ["meta"];
/// All elements of a page.
const ELEMENTS: [&str; 39] = [
    "body",
    "circle",
    "code",
    "dd",
    "details",
    "div",
    "dl",
    "dt",
    "figcaption",
    "figure",
    "footer",
    "h1",
    "h2",
    "h3",
    "head",
    "html",
    "li",
    "line",
    "main",
    "meta",
    "p",
    "path",
    "polygon",
    "polyline",
    "rect",
    "section",
    "strong",
    "style",
    "summary",
    "svg",
    "table",
    "tbody",
    "td",
    "text",
    "th",
    "thead",
    "title",
    "tr",
    "ul",
];

/// A co-simulation, as `simulate --out` writes it.
const SIMULATION: &str = r#"{
  "logits_compared": 4000,
  "mismatches": 0,
  "points": [
    {
      "voltage_mv": 800, "voltage_model": "fdx-22nm", "ber": 0.0, "ber_applied": 0.0,
      "code": "none", "mode": "persistent", "policy": "keep", "images": 200,
      "accuracy_rtl": 1.0, "accuracy_golden": 1.0, "words_read": 100, "disturbed_words": 0,
      "flipped_bits": 0, "corrected": 0, "detected": 0, "miscorrected": 0, "undetected": 0,
      "residual_bit_errors": 0, "cycles_per_image": 4472, "cycles_predicted": 4472,
      "sram_energy_relative": 1.0, "seed": 1, "logits_compared": 2000, "mismatches": 0
    },
    {
      "voltage_mv": 410, "voltage_model": "fdx-22nm", "ber": 0.003, "ber_applied": 0.003,
      "code": "inplace-64-57", "mode": "persistent", "policy": "keep", "images": 200,
      "accuracy_rtl": 0.8765, "accuracy_golden": 0.8765, "words_read": 100,
      "disturbed_words": 9, "flipped_bits": 9, "corrected": 7, "detected": 2,
      "miscorrected": 0, "undetected": 0, "residual_bit_errors": 4, "cycles_per_image": 4474,
      "cycles_predicted": 4474, "sram_energy_relative": 0.263, "seed": 1,
      "logits_compared": 2000, "mismatches": 0
    }
  ],
  "provenance": {
    "brownout": "0.1.0", "verilator": "Verilator 5", "compiler": "g++ 12", "seed": 1,
    "data": "glyphs", "first_image": 0, "model": "model.safetensors",
    "configuration": {"name": "narrow", "rows": 4}
  }
}"#;

/// A folder `results` with one result of each command.
fn results() -> &'static Sandbox {
    static RESULTS: OnceLock<Sandbox> = OnceLock::new();
    RESULTS.get_or_init(|| {
        let sandbox = Sandbox::with_model();
        fs::create_dir(sandbox.path("results")).unwrap();
        let train = "train --network mlp --train-images 500 --epochs 2 --checkpoint mlp.float";
        let attack = "attack mlp.float --data glyphs --images 100 --attack-images 32 --seeds 2 \
            --max-flips 8";
        for (command, name) in [(train, "training"), (attack, "attack")] {
            let words: Vec<&str> = command.split_whitespace().collect();
            let answer = sandbox.ok(&[&words[..], &["--json", "--quiet"]].concat());
            sandbox.write(&format!("results/{name}.json"), answer.out);
        }
        for (points, name) in [
            ("--rates 0,1e-3,1e-2", "rates"),
            ("--voltages 800,420", "volts"),
        ] {
            let command = format!(
                "evaluate model.safetensors --data glyphs --images 40 --chips 3 {points} \
                 --yield-at 0.5 --quiet --out-json results/{name}.json"
            );
            sandbox.ok(&command.split_whitespace().collect::<Vec<_>>());
        }
        sandbox.write("results/hardware.json", SIMULATION);
        sandbox.ok(&["report", "results", "--out", "page.html"]);
        sandbox
    })
}

fn page() -> String {
    fs::read_to_string(results().path("page.html")).unwrap()
}

fn json(name: &str) -> Value {
    let text = fs::read_to_string(results().path(&format!("results/{name}.json"))).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// A share as tables write it.
fn percent(share: f64) -> String {
    format!("{:.2} %", 100.0 * share)
}

/// The start tags of a page; each has its end, in the right order.
fn tags(page: &str) -> Vec<&str> {
    let body = page.strip_prefix("<!DOCTYPE html>").expect("a doctype");
    let mut tags = Vec::new();
    let mut open: Vec<&str> = Vec::new();
    for part in body.split('<').skip(1) {
        let (tag, text) = part.split_once('>').expect("a tag has an end");
        assert!(
            !text.contains('>') || open.last() == Some(&"style"),
            "{text}"
        );
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name));
            continue;
        }
        tags.push(tag);
        let name = name_of(tag);
        if !tag.ends_with('/') && !VOID.contains(&name) {
            open.push(name);
        }
    }
    assert!(open.is_empty(), "{open:?}");
    tags
}

fn name_of(tag: &str) -> &str {
    tag.split([' ', '/']).next().unwrap()
}

/// Checks that a page is well-formed, loads nothing and runs nothing.
fn check(page: &str) {
    for tag in tags(page) {
        assert!(ELEMENTS.contains(&name_of(tag)), "{tag}");
        let attributes = tag.split('"').step_by(2);
        for attribute in attributes.flat_map(str::split_whitespace).skip(1) {
            let name = attribute.split(['=', '/']).next().unwrap();
            let is_harmless = !name.starts_with("on") && !["src", "href", "style"].contains(&name);
            assert!(is_harmless, "{tag}");
        }
    }
}

#[test]
fn the_check_of_a_page_rejects_what_it_is_for() {
    check("<!DOCTYPE html><html><meta charset=\"utf-8\"><p>a</p></html>");
    for bad in [
        "<html></html>",
        "<!DOCTYPE html><html>",
        "<!DOCTYPE html><p><strong></p></strong>",
        "<!DOCTYPE html><p>a > b</p>",
        "<!DOCTYPE html><script></script>",
        "<!DOCTYPE html><p class=\"a\" onclick=\"b\"></p>",
        "<!DOCTYPE html><p src=x></p>",
    ] {
        let checked = std::panic::catch_unwind(|| check(bad));
        assert!(checked.is_err(), "{bad}");
    }
}

#[test]
fn a_page_shows_the_figures_of_its_files_and_needs_nothing_else() {
    let page = page();
    check(&page);
    for absent in ["http", "src=", "<script", "@import", "url("] {
        assert!(!page.contains(absent), "{absent}");
    }
    assert_eq!(
        page.matches("<svg").count(),
        5,
        "three of accuracy, flips, losses"
    );
    for title in [
        "Accuracy over rate of faulty cells",
        "Accuracy over supply voltage",
        "Accuracy over energy of the weight memory",
        "Flipped cells until an attack ends",
        "Loss of trainings",
    ] {
        assert!(page.contains(title), "{title}");
    }
    let cell = |text: String| {
        assert!(page.contains(&format!(">{text}</td>")), "{text}");
    };
    for name in ["rates", "volts"] {
        for point in json(name)["points"].as_array().unwrap() {
            cell(percent(1.0 - point["error"]["mean"].as_f64().unwrap()));
            cell(percent(point["robust_error"]["mean"].as_f64().unwrap()));
        }
    }
    let flips = &json("attack")["n_flip"];
    cell(format!(
        "{:.1} ± {:.1}",
        flips["mean"].as_f64().unwrap(),
        flips["deviation"].as_f64().unwrap()
    ));
    let training = json("training");
    cell(percent(training["accuracy_quantized"].as_f64().unwrap()));
    cell(format!("{:.4}", training["losses"][1].as_f64().unwrap()));
    cell("87.65 %".to_owned());
    assert!(page.contains("4000 logits compared, 0 mismatches"));
    for fact in [
        "--rates 0,1e-3,1e-2",
        "protocol.bootstrap.resamples",
        "settings.attack_images",
        "configuration.name",
    ] {
        assert!(page.contains(fact), "{fact}");
    }
    assert!(!page.contains("Not understood"));
}

#[test]
fn the_same_folder_gives_the_same_bytes_also_beside_its_results() {
    let sandbox = results();
    sandbox.ok(&["report", "results", "--out", "again.html"]);
    assert_eq!(
        fs::read_to_string(sandbox.path("again.html")).unwrap(),
        page()
    );
    let folder = Sandbox::new();
    let simulation = SIMULATION.replace(
        "\"mismatches\": 0,\n  \"points\"",
        "\"mismatches\": 1,\n  \"points\"",
    );
    folder.write("a.json", &simulation);
    let answer = folder.ok(&["report", "."]);
    assert_eq!(answer.out, "./report.html shows 1 result\n");
    assert_eq!(folder.names(), ["a.json", "report.html"]);
    let page = fs::read_to_string(folder.path("report.html")).unwrap();
    assert!(page.contains("class=\"alarm\""), "a mismatch stands out");
    // The page itself is no result.
    folder.ok(&["report", "."]);
    assert_eq!(
        fs::read_to_string(folder.path("report.html")).unwrap(),
        page
    );
}

#[test]
fn hostile_names_and_texts_come_out_as_text() {
    let sandbox = Sandbox::new();
    let text = "</style><script>alert(1)</script>\\u0000\\u001b";
    let hostile = SIMULATION
        .replace("\"none\"", &format!("\"{text}\""))
        .replace("model.safetensors", text)
        .replace("\"narrow\"", &format!("\"{text}\""))
        .replace("\"first_image\"", "\"<b onclick=x>\"");
    let name = "<img src=x onerror=alert(1)> \"'&.json";
    sandbox.write(name, &hostile);
    sandbox.write("<script>.json", "{\"a\": \"<script>\"}");
    sandbox.ok(&["report", ".", "--out", "page.html"]);
    let page = fs::read_to_string(sandbox.path("page.html")).unwrap();
    check(&page);
    assert!(page.contains("&lt;script&gt;.json") && page.contains("&lt;img src=x"));
    assert!(page.contains("&lt;b onclick=x&gt;"));
    assert!(!page.contains(|c: char| c.is_control() && c != '\n'));
}

#[test]
fn what_is_not_understood_is_named_with_a_reason() {
    let sandbox = Sandbox::new();
    for (name, text) in [
        ("good.json", SIMULATION),
        ("broken.json", "{\"points\": ["),
        ("other.json", "{\"topic\": \"simulation\"}"),
        ("absurd.json", &SIMULATION.replace("0.8765", "8.765")),
        ("binary.json", "\u{0}\u{7f}"),
        ("empty.json", ""),
        ("notes.txt", "not read"),
    ] {
        sandbox.write(name, text);
    }
    fs::create_dir(sandbox.path("folder.json")).unwrap();
    std::os::unix::fs::symlink("good.json", sandbox.path("link.json")).unwrap();
    let answer = sandbox.ok(&["report", ".", "--json"]);
    let written: Value = serde_json::from_str(&answer.out).unwrap();
    assert_eq!(written["results"], 1);
    let reasons: Vec<(&str, &str)> = written["not_understood"]
        .as_array()
        .unwrap()
        .iter()
        .map(|file| {
            (
                file["name"].as_str().unwrap(),
                file["reason"].as_str().unwrap(),
            )
        })
        .collect();
    let expected = [
        (
            "absurd.json",
            "accuracy_rtl is 8.765; allowed are numbers from 0 to 1",
        ),
        ("binary.json", "not JSON"),
        ("broken.json", "not JSON"),
        ("empty.json", "not JSON"),
        ("other.json", "not the fields of any result"),
    ];
    assert_eq!(reasons.len(), expected.len(), "{reasons:?}");
    let page = fs::read_to_string(sandbox.path("report.html")).unwrap();
    check(&page);
    for ((name, reason), (expected, part)) in reasons.iter().zip(expected) {
        assert_eq!(*name, expected);
        assert!(reason.contains(part), "{reason}");
        assert!(page.contains(name));
    }
}

#[test]
fn folders_and_pages_that_cannot_be_are_refused() {
    let sandbox = Sandbox::new();
    fs::create_dir(sandbox.path("empty")).unwrap();
    fs::create_dir(sandbox.path("bad")).unwrap();
    fs::create_dir(sandbox.path("good")).unwrap();
    sandbox.write("bad/a.json", "{}");
    sandbox.write("good/a.json", SIMULATION);
    sandbox.write("file", "");
    std::os::unix::fs::symlink("good/a.json", sandbox.path("link")).unwrap();
    for (arguments, part) in [
        (
            &["empty"][..],
            "empty: the folder holds no result; allowed are",
        ),
        (&["bad"], "a.json: it has not the fields"),
        (&["missing"], "could not read the folder missing"),
        (&["file"], "could not read the folder file"),
        (&["good", "--out", "good/a.json"], "not one of the results"),
        (&["good", "--out", "link"], "not one of the results"),
        (&["good", "--out", "missing/page.html"], "missing"),
        (&["good", "--out", "good"], "good"),
    ] {
        let answer = sandbox.run(&[&["report"], arguments].concat());
        assert_eq!(answer.status, Some(2), "{arguments:?}");
        assert!(answer.err.contains(part), "{}", answer.err);
    }
    assert_eq!(common::names(&sandbox.path("good")), ["a.json"]);
    assert_eq!(
        fs::read_to_string(sandbox.path("good/a.json")).unwrap(),
        SIMULATION
    );
}

/// A document with one thing in it changed.
fn damage(bytes: &[u8], random: &mut ChaCha8Rng) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let at = random.random_range(0..bytes.len());
    match random.random_range(0..4) {
        0 => bytes.truncate(at),
        1 => bytes[at] = random.random_range(0..=255),
        2 => drop(bytes.splice(at..(at + 30).min(bytes.len()), [])),
        _ => {
            // A number becomes something else that JSON has a form for.
            let is_part = |b: u8| b.is_ascii_digit() || b"-+.eE".contains(&b);
            let start = (at..bytes.len()).find(|&i| bytes[i].is_ascii_digit());
            let start = start.unwrap_or(at);
            let length = bytes[start..].iter().take_while(|b| is_part(**b)).count();
            let values = [
                "0",
                "-1",
                "1e308",
                "1e-308",
                "1e15",
                "18446744073709551615",
                "null",
                "[]",
                "\"x\"",
            ];
            let value = values[random.random_range(0..values.len())];
            drop(bytes.splice(start..start + length, value.bytes()));
        }
    }
    bytes
}

#[test]
fn damaged_results_are_shown_or_named_and_end_nothing() {
    let sandbox = Sandbox::new();
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let names = ["training", "attack", "rates", "volts", "hardware"];
    for name in names {
        let path = results().path(&format!("results/{name}.json"));
        let bytes = fs::read(path).unwrap();
        for number in 0..190 {
            let damaged = damage(&bytes, &mut random);
            sandbox.write(&format!("{name}-{number}.json"), damaged);
        }
    }
    let answer = sandbox.ok(&["report", ".", "--json"]);
    let written: Value = serde_json::from_str(&answer.out).unwrap();
    let shown = written["results"].as_u64().unwrap();
    let not_understood = written["not_understood"].as_array().unwrap();
    assert_eq!(shown + not_understood.len() as u64, 950);
    assert!(shown > 50 && not_understood.len() > 50, "{shown}");
    check(&fs::read_to_string(sandbox.path("report.html")).unwrap());
    for extra in 0..51 {
        sandbox.write(&format!("{extra}.json"), "");
    }
    let answer = sandbox.run(&["report", "."]);
    assert_eq!(answer.status, Some(2));
    assert!(answer.err.contains("at most 1000"), "{}", answer.err);
}

/// A browser that can print what it made of a page.
fn browser() -> Option<PathBuf> {
    if let Some(browser) = std::env::var_os("BROWNOUT_BROWSER") {
        return Some(browser.into());
    }
    let names = ["chromium", "chromium-browser", "google-chrome", "chrome"];
    let folders: Vec<PathBuf> = std::env::split_paths(&std::env::var_os("PATH")?).collect();
    let all = names
        .iter()
        .flat_map(|name| folders.iter().map(move |f| f.join(name)));
    all.into_iter().find(|path| path.is_file())
}

#[test]
fn a_browser_shows_the_plots_and_tables() {
    let Some(browser) = browser() else {
        eprintln!("no chromium on the PATH or in BROWNOUT_BROWSER; the page is not opened");
        return;
    };
    let page = page();
    let answer = Command::new(browser)
        .args(["--headless", "--disable-gpu", "--no-sandbox", "--dump-dom"])
        .arg(format!(
            "--user-data-dir={}",
            results().path("profile").display()
        ))
        .arg(format!("file://{}", results().path("page.html").display()))
        .output()
        .unwrap();
    let dom = String::from_utf8_lossy(&answer.stdout);
    let elements = |text: &str| -> Vec<String> {
        let starts = text
            .split('<')
            .skip(1)
            .filter(|part| !part.starts_with(['/', '!']));
        let names = starts.map(|part| part.split([' ', '>', '/', '\n']).next().unwrap().to_owned());
        names.collect()
    };
    let (expected, found) = (elements(&page), elements(&dom));
    let kinds: BTreeSet<&String> = expected.iter().collect();
    for kind in kinds {
        let count = |all: &[String]| all.iter().filter(|name| *name == kind).count();
        assert_eq!(count(&found), count(&expected), "{kind}");
    }
    assert_eq!(found.iter().filter(|name| *name == "svg").count(), 5);
}
