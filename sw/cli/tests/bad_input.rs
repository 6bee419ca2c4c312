//! Every mistake of a user is one sentence that says what is allowed, with status 2.

mod common;

use common::{Answer, SMALL, Sandbox};
use std::fs;

fn refused(sandbox: &Sandbox, arguments: &[&str], expected: &[&str]) {
    let before = sandbox.names();
    let answer = sandbox.run(arguments);
    check(&answer, arguments);
    for part in expected {
        assert!(
            answer.err.contains(part),
            "{arguments:?}: {:?} lacks {part:?}",
            answer.err
        );
    }
    assert_eq!(
        sandbox.names(),
        before,
        "{arguments:?} left something behind"
    );
}

/// Status 2, nothing on standard output, one sentence (and where it is the
/// parser's, a hint) on standard error.
fn check(answer: &Answer, arguments: &[&str]) {
    assert_eq!(answer.status, Some(2), "{arguments:?}: {}", answer.err);
    assert_eq!(answer.out, "", "{arguments:?}");
    let first = answer.err.lines().next().unwrap_or_default();
    if first.starts_with("brownout: ") {
        assert_eq!(
            answer.err.lines().count(),
            1,
            "{arguments:?}: {}",
            answer.err
        );
    } else {
        assert!(
            first.starts_with("error: "),
            "{arguments:?}: {}",
            answer.err
        );
    }
}

#[test]
fn a_flag_with_a_value_that_is_not_allowed_is_refused_by_name() {
    let sandbox = Sandbox::with_model();
    let model = "model.safetensors";
    let train = |flag, value| ["train", "--out", "x", flag, value];
    refused(
        &sandbox,
        &train("--network", "vgg"),
        &["--network", "mlp, cnn, resnet20"],
    );
    refused(
        &sandbox,
        &train("--data", "cifar"),
        &["--data", "glyphs:SEED", "idx:DIR"],
    );
    refused(
        &sandbox,
        &train("--weight-bits", "9"),
        &["--weight-bits", "2 to 8"],
    );
    refused(
        &sandbox,
        &train("--weight-bits", "5"),
        &["5 bits", "4 and 8"],
    );
    refused(
        &sandbox,
        &train("--code", "hamming"),
        &["--code", "none, secded-72-64"],
    );
    refused(
        &sandbox,
        &train("--code", "inplace-32-26"),
        &["weight bits is 8", "4 or fewer with code"],
    );
    refused(
        &sandbox,
        &train("--scale", "layer"),
        &["--scale", "tensor, channel"],
    );
    refused(
        &sandbox,
        &train("--epochs", "0"),
        &["epochs is 0", "1 to 10000"],
    );
    refused(&sandbox, &train("--epochs", "-1"), &["-1"]);
    refused(
        &sandbox,
        &train("--batch", "33"),
        &["batch is 33", "multiple"],
    );
    refused(&sandbox, &train("--batch", "0"), &["batch is 0"]);
    for (flag, rate) in [("--randbet", "0.6"), ("--noise", "NaN")] {
        refused(
            &sandbox,
            &train(flag, rate),
            &[flag, rate, "numbers from 0 to 0.5"],
        );
    }
    refused(
        &sandbox,
        &train("--learning-rate", "NaN"),
        &["learning rate is NaN"],
    );
    refused(
        &sandbox,
        &train("--train-images", "0"),
        &["--train-images is 0", "1 to"],
    );
    refused(
        &sandbox,
        &["train", "--out", "x", "--quiet", "--train-images", "31"],
        &["31 training images", "64"],
    );
    refused(&sandbox, &train("--seed", "x"), &["--seed"]);
    refused(
        &sandbox,
        &["info", "--code", "inplace-32-26", "--weight-bits", "8"],
        &["--weight-bits", "4"],
    );
    refused(
        &sandbox,
        &["info", model, "--locate", "0,1"],
        &["--locate", "LAYER,INDEX,BIT"],
    );
    refused(
        &sandbox,
        &["info", model, "--locate", "9,0,0"],
        &["--locate", "layers 0 to 3"],
    );
    refused(
        &sandbox,
        &["info", model, "--locate", "0,999999,0"],
        &["--locate", "indices 0 to"],
    );
    refused(
        &sandbox,
        &["info", model, "--cell", "65535,0"],
        &["--cell", "addresses 0 to"],
    );
    refused(
        &sandbox,
        &["info", "--code", "none", "--cell", "0,0"],
        &["--cell", "--model or --image"],
    );
    refused(
        &sandbox,
        &["info", "small.toml", "--locate", "0,0,0"],
        &["--locate"],
    );
    refused(
        &sandbox,
        &["info", "small.toml", "--config", "small.toml"],
        &["--config"],
    );
}

#[test]
fn a_file_that_cannot_be_read_or_written_is_named() {
    let sandbox = Sandbox::with_model();
    refused(&sandbox, &["info", "none.toml"], &["none.toml"]);
    refused(&sandbox, &["info", "--model", "none"], &["none"]);
    refused(&sandbox, &["info", "."], &["could not read ."]);
    refused(
        &sandbox,
        &["generate", "--config", "none.toml", "--out", "rtl"],
        &["none.toml"],
    );
    refused(
        &sandbox,
        &["generate", "--out", "small.toml"],
        &["small.toml"],
    );
    refused(
        &sandbox,
        &["train", "--out", "no/folder/x"],
        &["no/folder/x"],
    );
    refused(&sandbox, &["train", "--out", "x/"], &["could not write x/"]);
    refused(&sandbox, &["train", "--out", ".."], &["could not write .."]);
    let long = "x".repeat(256);
    refused(&sandbox, &["train", "--out", &long], &["could not write x"]);
    refused(
        &sandbox,
        &["train", "--out", "x", "--data", "mnist:nowhere"],
        &["nowhere", "IDX"],
    );
}

#[test]
fn a_configuration_that_is_not_allowed_is_refused_by_field() {
    let sandbox = Sandbox::with_model();
    let cases = [
        (
            "rows = 4",
            "rows = 12",
            "rows is 12; allowed is a power of two from 4 to 64",
        ),
        ("rows = 4", "rows = -4", "line 2"),
        ("rows = 4", "rows = 4\nspeed = 9", "speed"),
        ("rows = 4", "", "rows"),
        ("columns = 8", "columns = 4", "a multiple of 8"),
        (
            "weight_bits = 8",
            "weight_bits = 7",
            "weight_bits is 7; allowed are 4 and 8",
        ),
        ("inplace-64-57", "crc", "crc"),
        ("inplace-64-57", "inplace-32-26", "weight_bits is 8"),
        ("fdx-22nm", "finfet-14nm", "vmin_mv is absent"),
        ("weights = 4096", "weights = 0", "depths.weights is 0"),
        (
            "layers = 16",
            "layers = 256",
            "depths.layers is 256; allowed is 1 to 255",
        ),
        ("\"narrow\"", "\"8bit\"", "a letter followed by"),
    ];
    for (from, to, expected) in cases {
        let text = SMALL.replacen(from, to, 1);
        assert_ne!(text, SMALL);
        sandbox.write("bad.toml", text);
        let generate = ["generate", "--config", "bad.toml", "--out", "rtl"];
        refused(&sandbox, &generate, &["bad.toml: ", expected]);
        refused(&sandbox, &["info", "bad.toml"], &["bad.toml: ", expected]);
    }
    sandbox.write("bad.toml", SMALL.replace("\"narrow\"", "\"small\""));
    let generate = ["generate", "--config", "bad.toml", "--out", "rtl"];
    refused(
        &sandbox,
        &generate,
        &["name is \"small\"", "no keyword of Verilog, VHDL"],
    );
    sandbox.write("bad.toml", [0xff, 0xfe, 0x00]);
    refused(
        &sandbox,
        &["generate", "--config", "bad.toml", "--out", "rtl"],
        &["bad.toml", "UTF-8"],
    );
}

#[test]
fn a_file_that_is_larger_than_any_that_can_be_meant_is_refused_by_its_size() {
    let sandbox = Sandbox::with_model();
    sandbox.write("large.toml", format!("{SMALL}# {}\n", "x".repeat(1 << 20)));
    for arguments in [
        &["info", "large.toml"][..],
        &["generate", "--config", "large.toml", "--out", "rtl"],
    ] {
        let expected = ["large.toml: the file is too large", "1048576 bytes"];
        refused(&sandbox, arguments, &expected);
    }
}

#[test]
fn a_model_that_does_not_fit_is_refused_with_field_and_amount() {
    let sandbox = Sandbox::with_model();
    let cases = [
        ("weights = 4096", "weights = 1000", "depths.weights is 1000"),
        (
            "activations = 1024",
            "activations = 100",
            "depths.activations is 100",
        ),
        (
            "accumulators = 1024",
            "accumulators = 195",
            "195, but layer 0 (conv1) needs 196: 1 more",
        ),
        (
            "parameters = 64",
            "parameters = 3",
            "depths.parameters is 3",
        ),
        (
            "layers = 16",
            "layers = 5",
            "depths.layers is 5, but the network needs 6: 1 more",
        ),
    ];
    for (from, to, expected) in cases {
        sandbox.write("tight.toml", SMALL.replacen(from, to, 1));
        let model = ["--model", "model.safetensors"];
        let info = ["info", "--config", "tight.toml"];
        refused(
            &sandbox,
            &[&info[..], &model].concat(),
            &["tight.toml", expected],
        );
        let generate = ["generate", "--out", "rtl", "--config", "tight.toml"];
        refused(
            &sandbox,
            &[&generate[..], &model].concat(),
            &["tight.toml", expected],
        );
    }
    let four = SMALL
        .replace("weight_bits = 8", "weight_bits = 4")
        .replace("columns = 8", "columns = 16");
    sandbox.write("four.toml", four);
    let info = ["info", "model.safetensors", "--config", "four.toml"];
    refused(&sandbox, &info, &["weight_bits is 4; allowed is 8"]);
}

#[test]
fn a_model_whose_constraint_does_not_fit_the_code_is_refused_by_weight() {
    let sandbox = Sandbox::with_model();
    let flags = [
        "--code",
        "none",
        "--train-images",
        "640",
        "--epochs",
        "1",
        "--quiet",
    ];
    sandbox.ok(&[&["train", "--out", "free.safetensors"][..], &flags].concat());
    refused(
        &sandbox,
        &["info", "free.safetensors", "--config", "small.toml"],
        &[
            "trained for code none",
            "inplace-64-57",
            "allowed is -64 to 63",
        ],
    );
}

#[test]
fn a_truncated_or_foreign_file_is_refused_by_name() {
    let sandbox = Sandbox::with_model();
    sandbox.ok(&[
        "generate",
        "--config",
        "small.toml",
        "--model",
        "model.safetensors",
        "--out",
        "rtl",
    ]);
    let model = fs::read(sandbox.path("model.safetensors")).unwrap();
    let image = fs::read(sandbox.path("rtl/weights.image")).unwrap();
    for (kind, bytes) in [("--model", &model), ("--image", &image)] {
        for length in [0, 1, 7, 8, 9, 100, bytes.len() / 2, bytes.len() - 1] {
            sandbox.write("cut", &bytes[..length]);
            refused(&sandbox, &["info", kind, "cut"], &["cut: "]);
            refused(&sandbox, &["info", "cut"], &["cut"]);
        }
    }
    sandbox.write("cut", &image[1..]);
    refused(&sandbox, &["info", "--image", "cut"], &["cut", "BROWNIMG"]);
    refused(
        &sandbox,
        &["info", "--image", "model.safetensors"],
        &["model.safetensors", "BROWNIMG"],
    );
    refused(
        &sandbox,
        &["info", "--model", "small.toml"],
        &["small.toml", "safetensors"],
    );
}

#[test]
fn no_damage_to_a_file_makes_the_command_panic() {
    let sandbox = Sandbox::with_model();
    sandbox.ok(&[
        "generate",
        "--config",
        "small.toml",
        "--model",
        "model.safetensors",
        "--out",
        "rtl",
    ]);
    let files = [
        (
            "--model",
            fs::read(sandbox.path("model.safetensors")).unwrap(),
        ),
        (
            "--image",
            fs::read(sandbox.path("rtl/weights.image")).unwrap(),
        ),
        ("--config", SMALL.as_bytes().to_vec()),
    ];
    // Numbers from a fixed sequence (Knuth's MMIX generator): the same damage every time.
    let mut state = 2026_u64;
    let mut draw = |below: usize| {
        state = state
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        (state >> 33) as usize % below
    };
    for (kind, bytes) in files {
        for round in 0..150 {
            let mut damaged = bytes.clone();
            // Headers are where the structure is.
            let reach = if round % 2 == 0 {
                damaged.len()
            } else {
                damaged.len().min(1500)
            };
            for _ in 0..=draw(4) {
                let at = draw(reach);
                damaged[at] = draw(256) as u8;
            }
            sandbox.write("damaged", &damaged);
            let answer = sandbox.run(&["info", kind, "damaged", "--quiet"]);
            if answer.status != Some(0) {
                check(&answer, &[kind, &format!("round {round}")]);
            }
        }
    }
}

#[cfg(not(feature = "simulate"))]
#[test]
fn without_the_simulation_its_commands_say_how_to_get_it() {
    let sandbox = Sandbox::with_model();
    refused(
        &sandbox,
        &["simulate", "model.safetensors"],
        &["--features simulate", "make tools"],
    );
    refused(&sandbox, &["sweep"], &["--features simulate", "make sim"]);
}
