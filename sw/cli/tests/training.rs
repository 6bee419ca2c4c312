//! Recipes, and runs that are broken off.
#![cfg(unix)]

mod common;

use common::Sandbox;
use std::fs;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

/// A run of one or two seconds in which quantizers learn and weights are disturbed.
const RECIPE: &str = "\
network = \"cnn\"
data = \"glyphs\"
train_images = 4096

[training]
seed = 3
epochs = 6
quantizer = \"wcat\"
weight_bits = 4
float_share = 0.2
augmentation = { crop = 2, flip = false, cutout = 0 }

[training.perturbation]
rate = 0.01
gate = 2.5

[training.perturbation.memory]
decode = true
";
const RUN: [&str; 7] = [
    "train",
    "--config",
    "recipe.toml",
    "--out",
    "model",
    "--state",
    "state",
];

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("recipe.toml", RECIPE);
    sandbox
}

/// The bytes of the model that an undisturbed run writes.
fn whole() -> Vec<u8> {
    let sandbox = sandbox();
    sandbox.ok(&["train", "--quiet", "--config", "recipe.toml", "--out", "m"]);
    fs::read(sandbox.path("m")).unwrap()
}

/// Starts the run and sends it a signal after a while; its exit status and what it said.
fn broken_off(sandbox: &Sandbox, signal: &str, after: Duration) -> (Option<i32>, String) {
    let mut command = sandbox.command(&RUN);
    command.arg("--quiet").stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    sleep(after);
    let mut kill = Command::new("kill");
    kill.args([signal, &child.id().to_string()]);
    kill.stderr(Stdio::null()).status().unwrap();
    let output = child.wait_with_output().unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    (output.status.code(), error)
}

#[test]
fn through_the_decoder_is_a_setting_of_what_disturbs_weights_adversarial_bits_included() {
    let sandbox = sandbox();
    let kinds = [
        ("perturbation", "rate = 0.01"),
        ("adversarial", "flips = 4"),
    ];
    for (kind, setting) in kinds {
        sandbox.write("r.toml", format!("[training.{kind}]\n{setting}\n"));
        let print = ["train", "--config", "r.toml", "--through-decoder"];
        let recipe = sandbox.ok(&[&print[..], &["--print-config"]].concat()).out;
        let memory = format!("[training.{kind}.memory]");
        let memory = recipe.split(&memory).nth(1).unwrap_or_default();
        assert!(memory.contains("decode = true"), "{recipe}");
        // What is printed is a recipe of the same.
        sandbox.write("r.toml", &recipe);
        let again = sandbox.ok(&["train", "--config", "r.toml", "--print-config"]);
        assert_eq!(again.out, recipe);
    }
    let answer = sandbox.run(&["train", "--through-decoder", "--out", "m"]);
    assert_eq!(answer.status, Some(2));
    assert!(
        answer.err.contains("training.adversarial"),
        "{}",
        answer.err
    );
}

#[test]
fn a_run_interrupted_by_ctrl_c_goes_on_to_the_same_model() {
    let sandbox = sandbox();
    let mut interrupted = 0;
    for attempt in 0..40 {
        let after = Duration::from_millis(150 + 60 * attempt);
        match broken_off(&sandbox, "-INT", after) {
            (Some(0), _) => break,
            (Some(130), message) if message.contains("state is in state") => interrupted += 1,
            // Between training and the end of the measurements.
            (Some(130), message) => {
                assert!(message.contains("outside of training"), "{message}");
            }
            // Before the run listened.
            (None, _) => {}
            (status, message) => panic!("status {status:?}: {message}"),
        }
    }
    assert!(interrupted > 0, "no signal came in time");
    sandbox.ok(&RUN);
    assert!(fs::read(sandbox.path("model")).unwrap() == whole());
}

#[test]
fn a_run_killed_at_any_moment_goes_on_from_its_last_saving_to_the_same_model() {
    let sandbox = sandbox();
    for attempt in 0..6 {
        broken_off(
            &sandbox,
            "-KILL",
            Duration::from_millis(200 + 150 * attempt),
        );
    }
    assert!(
        sandbox.path("state").exists(),
        "no epoch was finished in time"
    );
    sandbox.ok(&RUN);
    assert!(fs::read(sandbox.path("model")).unwrap() == whole());
    assert_eq!(sandbox.names(), ["model", "recipe.toml", "state"]);
}

#[test]
fn a_state_of_another_run_is_refused_and_left_alone() {
    let sandbox = sandbox();
    let run = |more: &[&str]| sandbox.run(&[&RUN[..], &["--quiet"], more].concat());
    assert_eq!(run(&["--epochs", "1"]).status, Some(0));
    let state = fs::read(sandbox.path("state")).unwrap();
    for (more, expected) in [
        (&["--epochs", "2"][..], "epochs is 1, this run's is 2"),
        (
            &["--epochs", "1", "--precision", "bfloat16"],
            "precision is \"single\", this run's is \"bfloat16\"",
        ),
        (&["--epochs", "1", "--network", "mlp"], "network cnn"),
        (&["--epochs", "1", "--data", "glyphs:7"], "hash"),
    ] {
        let answer = run(more);
        assert_eq!(answer.status, Some(2), "{}", answer.err);
        assert!(answer.err.contains(expected), "{}", answer.err);
    }
    let answer = sandbox.run(&["train", "--out", "x", "--state", "recipe.toml"]);
    assert_eq!(answer.status, Some(2));
    assert!(
        answer.err.contains("not a safetensors file"),
        "{}",
        answer.err
    );
    assert!(fs::read(sandbox.path("state")).unwrap() == state);
}

#[test]
fn flags_count_more_than_the_recipe_and_what_is_in_force_is_printed_as_one() {
    let sandbox = sandbox();
    let print = |arguments: &[&str]| {
        let all = [&["train", "--print-config"][..], arguments].concat();
        sandbox.ok(&all).out
    };
    let printed = print(&[
        "--config",
        "recipe.toml",
        "--epochs",
        "9",
        "--seed",
        "5",
        "--precision",
        "bfloat16",
    ]);
    for line in [
        "epochs = 9",
        "precision = \"bfloat16\"",
        "seed = 5",
        "quantizer = \"wcat\"",
        "gate = 2.5",
    ] {
        assert!(printed.lines().any(|l| l == line), "{line:?}: {printed}");
    }
    sandbox.write("again.toml", &printed);
    assert_eq!(print(&["--config", "again.toml"]), printed);
    let single = print(&["--config", "again.toml", "--precision", "single"]);
    assert!(!single.contains("precision"), "{single}");
    let defaults = print(&[]);
    assert!(defaults.contains("epochs = 5") && !defaults.contains("perturbation"));
}

#[test]
fn unsigned_activations_of_eight_bits_are_stored_with_a_zero_point() {
    let sandbox = sandbox();
    let recipe = RECIPE.replace("epochs = 6", "epochs = 2");
    let train = |codes: &str, out: &str| {
        let codes = format!("weight_bits = 4\nactivations = {{ codes = \"{codes}\" }}");
        sandbox.write("own.toml", recipe.replace("weight_bits = 4", &codes));
        sandbox.ok(&["train", "--config", "own.toml", "--out", out]);
        sandbox.ok(&["info", out]).out
    };
    let needed = "zero_points = true";
    assert!(train("unsigned", "u").contains(needed));
    assert!(!train("signed", "s").contains(needed));
}

#[test]
fn a_recipe_that_is_not_allowed_is_refused_with_what_is() {
    let sandbox = sandbox();
    let cases = [
        ("epoch = 3", "did you mean `epochs`?"),
        ("quantizer = \"wcot\"", "did you mean `wcat`?"),
        ("weight_bits = 9", "2 to 8"),
        ("precision = \"bf16\"", "`bfloat16`"),
        ("label_smoothing = 2.0", "label smoothing is 2"),
        ("clip = { range = -1.0 }", "clip.range is -1"),
        ("perturbation = { rate = 0.6 }", "perturbation.rate is 0.6"),
        ("perturbation = { rate = 1.5 }", "1.5"),
        ("perturbation = { rate = -0.2 }", "-0.2; allowed is 0 to 1"),
        (
            "code = \"none\"\nperturbation = { memory = { decode = true } }",
            "decodes nothing",
        ),
        ("perturbation = { gate = inf }", "perturbation.gate is inf"),
        (
            "perturbation = { memory = { exposure = \"live-bits\", decode = true } }",
            "whole-lane",
        ),
        ("perturbation = { memory = { rows = 3 } }", "rows is 3"),
        ("code = \"none\"\nquantizer = \"rquant\"", "laboratory"),
        ("activations = { quantize = false }", "floating point"),
        ("activations = { decay = 1.0 }", "activations.decay is 1"),
        ("epochs = ", "line 2"),
    ];
    for (line, expected) in cases {
        sandbox.write("bad.toml", format!("[training]\n{line}\n"));
        let answer = sandbox.run(&["train", "--config", "bad.toml", "--out", "m", "--quiet"]);
        assert_eq!(answer.status, Some(2), "{line}: {}", answer.err);
        assert!(answer.err.contains(expected), "{line}: {}", answer.err);
        assert_eq!(answer.err.lines().count(), 1, "{line}: {}", answer.err);
    }
    sandbox.write("bad.toml", "network = \"cnn\"\nfrom = \"x\"\n");
    let answer = sandbox.run(&["train", "--config", "bad.toml", "--out", "m"]);
    assert!(
        answer.err.contains("both network and from"),
        "{}",
        answer.err
    );
    let twice = sandbox.run(&["train", "--out", "m", "--checkpoint", "./m"]);
    assert!(twice.err.contains("written twice"), "{}", twice.err);
    for out in ["--out", "--checkpoint", "--state"] {
        let over = [
            "train",
            "--config",
            "recipe.toml",
            "--checkpoint",
            "c",
            out,
            "./recipe.toml",
        ];
        let over = match out {
            "--checkpoint" => sandbox.run(
                &over[..3]
                    .iter()
                    .chain(&over[5..])
                    .copied()
                    .collect::<Vec<_>>(),
            ),
            _ => sandbox.run(&over),
        };
        assert_eq!(over.status, Some(2));
        assert!(over.err.contains("written over"), "{}", over.err);
    }
    assert_eq!(
        fs::read_to_string(sandbox.path("recipe.toml")).unwrap(),
        RECIPE
    );
    let nothing = sandbox.run(&["train"]);
    assert!(nothing.err.contains("--checkpoint FILE"), "{}", nothing.err);
    assert!(!sandbox.path("m").exists());
}

#[test]
fn weights_for_places_that_no_hardware_has_stay_in_the_laboratory() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "spread.toml",
        "network = \"mlp\"\ndata = \"glyphs\"\ntrain_images = 320\n[training]\nepochs = 1\n\
         weight_bits = 4\nquantizer = \"wcat\"\ncode = \"inplace-32-26\"\nplacement = \"spread\"\n",
    );
    let train = ["train", "--quiet", "--config", "spread.toml"];
    sandbox.ok(&[&train[..], &["--checkpoint", "s.float"]].concat());
    let refused = |words: &[&str], expected: &str| {
        let answer = sandbox.run(words);
        assert_eq!(answer.status, Some(2), "{words:?}: {}", answer.err);
        assert!(answer.err.contains(expected), "{words:?}: {}", answer.err);
    };
    refused(&[&train[..], &["--out", "m"]].concat(), "placement channel");
    let export = ["export", "s.float", "--data", "glyphs", "--out", "m"];
    refused(&export, "placement channel");
    refused(
        &[&export[..], &["--weight-bits", "4"]].concat(),
        "placement channel",
    );
    // They can be stored where no code is in their way, which is what is done unless asked otherwise.
    let images = ["--data", "glyphs", "--images", "60", "--quiet", "--json"];
    let evaluate = ["evaluate", "s.float", "--rates", "0.01", "--chips", "2"];
    let attack = [
        "attack",
        "s.float",
        "--attack-images",
        "32",
        "--max-flips",
        "2",
    ];
    for (words, place) in [(&evaluate[..], "protocol"), (&attack[..], "memory")] {
        let answer = sandbox.ok(&[words, &images].concat());
        let report: serde_json::Value = serde_json::from_str(&answer.out).unwrap();
        assert_eq!(report[place]["code"], "none", "{words:?}");
        refused(
            &[words, &images, &["--code", "inplace-32-26"]].concat(),
            "allowed",
        );
    }
}
