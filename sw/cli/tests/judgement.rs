//! An integer model is judged before it is written, and training is not done in vain.

mod common;

use brownout_golden::float::FloatModel;
use common::{Answer, Sandbox};

/// A network of glyph digits that was trained for a moment.
fn trained(sandbox: &Sandbox) -> FloatModel {
    sandbox.ok(&[
        "train",
        "--code",
        "none",
        "--train-images",
        "4000",
        "--epochs",
        "2",
        "--checkpoint",
        "good.checkpoint",
        "--quiet",
    ]);
    FloatModel::read(&sandbox.path("good.checkpoint")).unwrap()
}

/// The same function, but for one filter of the first layer that is never seen behind its ReLU, with
/// a gain that asks for nearly all of the layer's sixteen bits.
fn spoiled(sandbox: &Sandbox) {
    let mut model = trained(sandbox);
    let layer = model.parameters.layers[0].as_mut().unwrap();
    layer.gain.as_mut().unwrap()[2] = 1e5;
    layer.bias[2] = -1e7;
    model.write(&sandbox.path("spoiled.checkpoint")).unwrap();
}

const EXPORT: [&str; 6] = [
    "export",
    "spoiled.checkpoint",
    "--data",
    "glyphs",
    "--out",
    "spoiled.model",
];

#[test]
fn a_model_that_loses_more_than_half_a_point_is_refused_unless_it_is_accepted() {
    let sandbox = Sandbox::new();
    spoiled(&sandbox);
    let refused = sandbox.run(&EXPORT);
    assert_eq!(refused.status, Some(2), "{}", refused.err);
    for part in [
        "of 1000 calibration images",
        "half a point",
        "--accept",
        "layer 0 (conv1)",
        "because channel 2 needs",
    ] {
        assert!(refused.err.contains(part), "{part}: {}", refused.err);
    }
    assert!(!sandbox.path("spoiled.model").exists());
    let accepted = sandbox.ok(&[&EXPORT[..], &["--accept", "--json"]].concat());
    assert!(accepted.err.contains("accepted"), "{}", accepted.err);
    assert!(sandbox.path("spoiled.model").exists());
    let report: serde_json::Value = serde_json::from_str(&accepted.out).unwrap();
    let share = |of: &str| report["judgement"][of].as_f64().unwrap();
    assert!(share("accuracy_quantized") - share("accuracy_integer") > 0.005);
    assert!(
        report["judgement"]["remarks"][0]
            .as_str()
            .unwrap()
            .contains("conv1")
    );

    let good = [
        "export",
        "good.checkpoint",
        "--data",
        "glyphs",
        "--out",
        "good.model",
    ];
    let good = sandbox.ok(&good);
    assert!(!good.err.contains("layer"), "{}", good.err);
}

/// A step of training that leaves the spoiled network as it is, with what is to be written.
fn train(sandbox: &Sandbox, out: &str, more: &[&str]) -> Answer {
    let start = ["train", "--from", "spoiled.checkpoint", "--code", "none"];
    let step = [
        "--train-images",
        "640",
        "--epochs",
        "1",
        "--learning-rate",
        "1e-6",
    ];
    sandbox.run(&[&start[..], &step, &["--out", out], more].concat())
}

#[test]
fn what_was_trained_is_kept_whatever_its_export_says() {
    let sandbox = Sandbox::new();
    spoiled(&sandbox);
    let beside = train(&sandbox, "trained.model", &[]);
    assert_eq!(beside.status, Some(2), "{}", beside.err);
    assert!(
        beside
            .err
            .contains("the checkpoint is in trained.model.checkpoint"),
        "{}",
        beside.err
    );
    let asked = train(
        &sandbox,
        "trained.model",
        &["--checkpoint", "trained.checkpoint"],
    );
    assert_eq!(asked.status, Some(2), "{}", asked.err);
    assert!(!sandbox.path("trained.model").exists());
    let kept = |name: &str| FloatModel::read(&sandbox.path(name)).unwrap();
    assert_eq!(kept("trained.checkpoint"), kept("trained.model.checkpoint"));
    let accepted = train(&sandbox, "trained.model", &["--accept"]);
    assert_eq!(accepted.status, Some(0), "{}", accepted.err);
    assert!(sandbox.path("trained.model").exists());
}

#[test]
fn what_is_kept_takes_no_other_files_place() {
    let sandbox = Sandbox::new();
    spoiled(&sandbox);
    let start = std::fs::read(sandbox.path("spoiled.checkpoint")).unwrap();
    for kept in ["spoiled.checkpoint-2", "spoiled.checkpoint-3"] {
        let refused = train(&sandbox, "spoiled", &[]);
        assert_eq!(refused.status, Some(2), "{}", refused.err);
        let said = format!("the checkpoint is in {kept}\n");
        assert!(refused.err.contains(&said), "{}", refused.err);
        FloatModel::read(&sandbox.path(kept)).unwrap();
    }
    let after = std::fs::read(sandbox.path("spoiled.checkpoint")).unwrap();
    assert!(after == start, "the start is as it was");
}
