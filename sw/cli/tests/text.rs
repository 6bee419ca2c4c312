//! The texts that a user sees, as expect files.

mod common;

use common::{Sandbox, expect};

#[test]
fn the_help_of_every_command_is_the_expected_one() {
    let sandbox = Sandbox::new();
    expect("help", &sandbox.ok(&["--help"]).out);
    for command in [
        "train", "import", "export", "attack", "generate", "simulate", "evaluate", "sweep",
        "study", "report", "info",
    ] {
        let help = sandbox.ok(&[command, "--help"]).out;
        assert!(help.contains("Examples:"), "{command}");
        expect(&format!("help-{command}"), &help);
    }
}

#[test]
fn without_arguments_the_help_is_shown_and_the_status_is_two() {
    let sandbox = Sandbox::new();
    for arguments in [&[][..], &["info"]] {
        let answer = sandbox.run(arguments);
        assert_eq!(answer.status, Some(2));
        assert!(answer.err.contains("Usage: brownout"), "{}", answer.err);
    }
}

#[test]
fn generate_prints_every_module_with_where_it_comes_from() {
    let sandbox = Sandbox::with_model();
    let answer = sandbox.ok(&["generate", "--config", "small.toml", "--out", "rtl"]);
    // Which modules rust-hdl gives, and how long they are, may change with every
    // edit of the hardware; which leaves there are may not.
    let leaves: String = answer
        .out
        .lines()
        .map(|line| line.split_whitespace().take(2).collect::<Vec<_>>())
        .filter(|cells| cells.get(1).is_some_and(|from| *from == "leaf"))
        .map(|cells| cells.join(" ") + "\n")
        .collect();
    expect("generate-leaves", &leaves);
    let [header, rule] = [0, 1].map(|n| answer.out.lines().nth(n).unwrap_or_default());
    assert!(
        header.starts_with("module") && header.ends_with("from      lines"),
        "{header}"
    );
    assert!(rule.starts_with("----"), "{rule}");
    let last = answer.out.lines().last().unwrap_or_default();
    assert!(last.ends_with("lines of Verilog"), "{last}");
    let files = common::names(&sandbox.path("rtl")).len();
    assert_eq!(answer.err, format!("{files} files are in rtl\n"));
}

#[test]
fn info_explains_a_model_with_its_layers_and_their_clocks() {
    let sandbox = Sandbox::with_model();
    let text = sandbox
        .ok(&["info", "model.safetensors", "--config", "small.toml"])
        .out;
    // The accuracy is that of the machine's floating point.
    let masked: String = text
        .lines()
        .map(|line| match line.starts_with("  accuracy") {
            true => "  accuracy  ...\n".to_owned(),
            false => format!("{line}\n"),
        })
        .collect();
    expect("info-model", &masked);
}

#[test]
fn info_explains_a_configuration_with_its_voltages() {
    let sandbox = Sandbox::with_model();
    expect(
        "info-configuration",
        &sandbox.ok(&["info", "small.toml"]).out,
    );
}

#[test]
fn info_explains_every_code_with_its_columns_and_masks() {
    let sandbox = Sandbox::new();
    for code in ["none", "secded-72-64", "inplace-64-57", "inplace-32-26"] {
        let text = sandbox.ok(&["info", "--code", code]).out;
        expect(&format!("info-code-{code}"), &text);
    }
}

#[test]
fn info_explains_an_image_and_its_places() {
    let sandbox = Sandbox::with_model();
    let config = "small.toml";
    let model = "model.safetensors";
    sandbox.ok(&[
        "generate", "--config", config, "--model", model, "--out", "rtl",
    ]);
    let image = "rtl/weights.image";
    expect("info-image", &sandbox.ok(&["info", image]).out);
    let places = ["0,17,6", "1,1000,7", "3,5,0"].map(|place| {
        let of_image = sandbox.ok(&["info", image, "--locate", place]).out;
        let of_model = sandbox
            .ok(&["info", model, "--config", config, "--locate", place])
            .out;
        assert_eq!(of_image, of_model);
        of_image
    });
    let cells =
        ["0,0", "12,62", "100,6"].map(|cell| sandbox.ok(&["info", image, "--cell", cell]).out);
    expect("info-places", &(places.concat() + &cells.concat()));
}
