//! What is written: whole, the same each time, and nothing else.

mod common;

use common::{Sandbox, names};
use std::fs;
use std::io::Read;
use std::process::Stdio;

const GENERATE: [&str; 4] = ["generate", "--config", "small.toml", "--out"];

#[test]
fn generating_twice_gives_the_same_bytes() {
    let sandbox = Sandbox::with_model();
    for folder in ["a", "b"] {
        sandbox.ok(&[&GENERATE[..], &[folder]].concat());
    }
    let names_of = |folder| names(&sandbox.path(folder));
    assert_eq!(names_of("a"), names_of("b"));
    for name in names_of("a") {
        let read = |folder: &str| fs::read(sandbox.path(folder).join(&name)).unwrap();
        assert_eq!(read("a"), read("b"), "{name}");
    }
}

#[test]
fn the_file_list_names_every_verilog_file_and_the_configuration_is_the_one_given() {
    let sandbox = Sandbox::with_model();
    sandbox.ok(&[&GENERATE[..], &["rtl"]].concat());
    let list = fs::read_to_string(sandbox.path("rtl/narrow.f")).unwrap();
    let mut listed: Vec<&str> = list.lines().collect();
    assert_eq!(listed[0], "narrow.v", "the top comes first");
    listed.sort_unstable();
    let all = names(&sandbox.path("rtl"));
    let verilog: Vec<&str> = all
        .iter()
        .map(String::as_str)
        .filter(|n| n.ends_with(".v"))
        .collect();
    assert_eq!(listed, verilog);
    let others: Vec<&str> = all
        .iter()
        .map(String::as_str)
        .filter(|n| !n.ends_with(".v"))
        .collect();
    assert_eq!(
        others,
        ["narrow.f", "narrow.toml", "registers.h", "registers.md"]
    );
    let again = fs::read_to_string(sandbox.path("rtl/narrow.toml")).unwrap();
    assert_eq!(again, common::SMALL);
}

fn text(value: &serde_json::Value) -> &str {
    value.as_str().unwrap()
}

#[test]
fn a_board_adds_its_top_with_a_list_of_everything_below_it_and_changes_nothing_else() {
    let sandbox = Sandbox::with_model();
    sandbox.ok(&[&GENERATE[..], &["plain"]].concat());
    let plain = names(&sandbox.path("plain"));
    for (board, top) in [("ulx3s", "narrow_ulx3s"), ("arty-a7", "narrow_arty_a7")] {
        let said = sandbox.ok(&[&GENERATE[..], &[board, "--board", board, "--json"]].concat());
        let read =
            |folder: &str, name: &str| fs::read_to_string(sandbox.path(folder).join(name)).unwrap();
        for name in &plain {
            assert_eq!(read("plain", name), read(board, name), "{name}");
        }
        let list = read(board, &format!("{top}.f"));
        let mut listed: Vec<&str> = list.lines().collect();
        assert_eq!(listed[0], format!("{top}.v"), "the top comes first");
        listed.sort_unstable();
        let all = names(&sandbox.path(board));
        let verilog: Vec<&String> = all.iter().filter(|n| n.ends_with(".v")).collect();
        assert_eq!(listed, verilog);
        let report: serde_json::Value = serde_json::from_str(&said.out).unwrap();
        let mut files: Vec<&str> = report["files"]
            .as_array()
            .unwrap()
            .iter()
            .map(text)
            .collect();
        files.sort_unstable();
        assert_eq!(files, all, "what was written is what is said");
        let modules = report["modules"].as_array().unwrap();
        let origin = |name: &str| {
            modules
                .iter()
                .find(|m| m["name"] == name)
                .map(|m| text(&m["origin"]))
        };
        assert_eq!(origin("narrow_board_reset"), Some("leaf"));
        assert_eq!(origin(top), Some("rust-hdl"));
        assert_eq!(modules.len(), verilog.len(), "a file for each module");
        let page = read(board, "serial.md");
        assert!(
            page.starts_with(&format!("# Serial line of `{top}`")),
            "{page}"
        );
    }
    let answer = sandbox.run(&[&GENERATE[..], &["none", "--board", "ice40"]].concat());
    assert_eq!(answer.status, Some(2));
    assert!(answer.err.contains("ulx3s and arty-a7"), "{}", answer.err);
}

#[test]
fn training_twice_with_one_seed_gives_the_same_bytes_and_another_seed_others() {
    let sandbox = Sandbox::new();
    let train = |out: &str, seed: &str| {
        let flags = [
            "train",
            "--train-images",
            "320",
            "--epochs",
            "1",
            "--quiet",
            "--out",
            out,
        ];
        sandbox.ok(&[&flags[..], &["--seed", seed]].concat());
        fs::read(sandbox.path(out)).unwrap()
    };
    let first = train("a", "5");
    assert!(first == train("b", "5"), "one seed gave two models");
    assert!(first != train("c", "6"), "two seeds gave one model");
    assert_eq!(sandbox.names(), ["a", "b", "c"]);
}

#[test]
fn a_failed_write_leaves_nothing_behind() {
    let sandbox = Sandbox::with_model();
    let before = sandbox.names();
    // A folder where the last file should go: everything before it is already staged.
    fs::create_dir_all(sandbox.path("rtl/registers.md")).unwrap();
    let answer = sandbox.run(&[&GENERATE[..], &["rtl"]].concat());
    assert_eq!(answer.status, Some(2));
    assert!(answer.err.contains("rtl/registers.md"), "{}", answer.err);
    assert_eq!(names(&sandbox.path("rtl")), ["registers.md"]);

    let answer = sandbox.run(&[&GENERATE[..], &["small.toml/below"]].concat());
    assert_eq!(answer.status, Some(2));
    let answer = sandbox.run(&["train", "--out", "rtl", "--train-images", "320"]);
    assert_eq!(answer.status, Some(2));
    let after = sandbox.names();
    let new: Vec<&String> = after.iter().filter(|name| !before.contains(name)).collect();
    assert_eq!(new, ["rtl"]);
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let sandbox = Sandbox::new();
    for arguments in [&["info", "--code", "secded-72-64"][..], &["--help"]] {
        let mut command = sandbox.command(arguments);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        drop(child.stdout.take());
        let mut complaint = String::new();
        child
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut complaint)
            .unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(0), "{complaint}");
        assert_eq!(complaint, "");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_behind_standard_output_is_one_sentence() {
    let sandbox = Sandbox::new();
    let full = fs::OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let output = sandbox
        .command(&["info", "--code", "none"])
        .stdout(full)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let complaint = String::from_utf8(output.stderr).unwrap();
    assert!(complaint.contains("standard output"), "{complaint}");
}

#[test]
fn with_json_standard_output_is_one_document() {
    let sandbox = Sandbox::with_model();
    let model = "model.safetensors";
    let runs: [&[&str]; 6] = [
        &["info", model],
        &["info", "small.toml"],
        &["info", "--code", "inplace-64-57"],
        &["info", model, "--locate", "0,0,0"],
        &["generate", "--config", "small.toml", "--out", "rtl"],
        &[
            "train",
            "--train-images",
            "320",
            "--epochs",
            "1",
            "--out",
            "again",
        ],
    ];
    for arguments in runs {
        let answer = sandbox.ok(&[arguments, &["--json"]].concat());
        let document: serde_json::Value = serde_json::from_str(&answer.out).unwrap();
        assert!(document.is_object() || document.is_array(), "{arguments:?}");
    }
}

#[test]
fn quiet_generating_says_nothing_and_quiet_asking_answers() {
    let sandbox = Sandbox::with_model();
    let answer = sandbox.ok(&[&GENERATE[..], &["rtl", "--quiet"]].concat());
    assert_eq!((answer.out.as_str(), answer.err.as_str()), ("", ""));
    let answer = sandbox.ok(&[&GENERATE[..], &["rtl", "--quiet", "--json"]].concat());
    assert!(answer.out.starts_with('{') && answer.err.is_empty());
    let answer = sandbox.ok(&["info", "small.toml", "--quiet"]);
    assert!(answer.out.contains("narrow") && answer.err.is_empty());
}

#[test]
fn generating_into_its_own_folder_never_replaces_a_configuration_with_remarks() {
    let sandbox = Sandbox::with_model();
    let text = format!("# mine\n{}", common::SMALL);
    sandbox.write("narrow.toml", &text);
    let generate = ["generate", "--config", "narrow.toml", "--out", "."];
    let answer = sandbox.run(&generate);
    assert_eq!(answer.status, Some(2));
    assert!(answer.err.contains("--out is ."), "{}", answer.err);
    assert_eq!(
        fs::read_to_string(sandbox.path("narrow.toml")).unwrap(),
        text
    );
    // The file that the command wrote itself stays the same.
    sandbox.ok(&[&GENERATE[..], &["rtl"]].concat());
    sandbox.ok(&["generate", "--config", "rtl/narrow.toml", "--out", "rtl"]);
}

#[test]
fn what_info_is_asked_about_may_be_a_pipe() {
    let sandbox = Sandbox::with_model();
    sandbox.ok(&[&GENERATE[..], &["rtl", "--model", "model.safetensors"]].concat());
    for name in ["model.safetensors", "small.toml", "rtl/weights.image"] {
        let script = format!("cat {name} | \"$0\" info /dev/stdin");
        let output = std::process::Command::new("sh")
            .args(["-c", &script, env!("CARGO_BIN_EXE_brownout")])
            .current_dir(sandbox.path("."))
            .output()
            .unwrap();
        let direct = sandbox.ok(&["info", name]).out;
        let piped = String::from_utf8(output.stdout).unwrap();
        assert_eq!(piped.replace("/dev/stdin", name), direct);
    }
}

#[test]
fn a_fitted_accelerator_holds_the_model_and_with_one_word_less_of_any_memory_it_does_not() {
    let sandbox = Sandbox::with_model();
    let answer = sandbox.ok(&[
        "generate",
        "--fit",
        "model.safetensors",
        "--config",
        "small.toml",
        "--out",
        "rtl",
    ]);
    let text = &answer.out;
    let written: Vec<&str> = text.lines().filter(|l| l.ends_with("written")).collect();
    assert_eq!(written.len(), 1, "{text}");
    assert!(text.contains("16 x 16"), "{text}");
    sandbox.ok(&["info", "model.safetensors", "--config", "rtl/narrow.toml"]);
    let fitted = fs::read_to_string(sandbox.path("rtl/narrow.toml")).unwrap();
    for field in [
        "weights",
        "activations",
        "accumulators",
        "parameters",
        "layers",
    ] {
        let smaller: Vec<String> = fitted
            .lines()
            .map(|line| match line.strip_prefix(&format!("{field} = ")) {
                Some(depth) => format!("{field} = {}", depth.parse::<usize>().unwrap() - 1),
                None => line.to_owned(),
            })
            .collect();
        fs::write(sandbox.path("smaller.toml"), smaller.join("\n")).unwrap();
        let answer = sandbox.run(&["info", "model.safetensors", "--config", "smaller.toml"]);
        assert_eq!(answer.status, Some(2));
        let message = answer.err;
        assert!(message.contains(&format!("depths.{field}")), "{message}");
    }
}
