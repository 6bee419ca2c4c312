//! A network from elsewhere becomes a checkpoint, an integer model, and a start for training; and
//! a checkpoint leaves as a state dict.

mod common;

use brownout_golden::model::IntegerModel;
use common::Sandbox;
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};
use std::collections::BTreeMap;
use std::path::Path;

type Tensors = Vec<(&'static str, Vec<usize>, Vec<f32>)>;

/// A state dict of network `mlp` for 28 x 28 images.
fn state_dict() -> Tensors {
    let values = |count: usize| (0..count).map(|i| (i * 37 % 101) as f32 / 1000.0 - 0.05);
    [
        ("hidden.weight", vec![100, 784]),
        ("hidden.bias", vec![100]),
        ("logits.weight", vec![10, 100]),
        ("logits.bias", vec![10]),
    ]
    .into_iter()
    .map(|(name, shape)| {
        let count = shape.iter().product();
        (name, shape, values(count).collect())
    })
    .collect()
}

fn write(sandbox: &Sandbox, name: &str, tensors: &Tensors) {
    let bytes = tensors.iter().map(|(name, shape, values)| {
        let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        (*name, shape.clone(), bytes)
    });
    let bytes: Vec<_> = bytes.collect();
    let views = bytes.iter().map(|(name, shape, bytes)| {
        (
            *name,
            TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap(),
        )
    });
    sandbox.write(name, safetensors::serialize(views, None).unwrap());
}

/// The F32 tensors of a file by name, without `module.`.
fn read(path: &Path) -> BTreeMap<String, (Vec<usize>, Vec<u8>)> {
    let bytes = std::fs::read(path).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let all = file.tensors().into_iter();
    all.filter(|(_, tensor)| tensor.dtype() == Dtype::F32)
        .map(|(name, tensor)| {
            let name = name.strip_prefix("module.").unwrap_or(&name).to_owned();
            (name, (tensor.shape().to_vec(), tensor.data().to_vec()))
        })
        .collect()
}

const IMPORT: [&str; 11] = [
    "import",
    "--state-dict",
    "net.safetensors",
    "--network",
    "mlp",
    "--image",
    "28x28x1",
    "--input",
    "halve",
    "--out",
    "net.checkpoint",
];

#[test]
fn an_imported_network_is_measured_exported_and_trained_further() {
    let sandbox = Sandbox::new();
    write(&sandbox, "net.safetensors", &state_dict());
    let import = [&IMPORT[..], &["--data", "glyphs", "--json"]].concat();
    let report: serde_json::Value = serde_json::from_str(&sandbox.ok(&import).out).unwrap();
    assert_eq!(report["parameters"], 784 * 100 + 100 + 1000 + 10);
    let imported = report["measured"]["accuracy"].as_f64().unwrap();
    let export = [
        "export",
        "net.checkpoint",
        "--data",
        "glyphs",
        "--out",
        "net.model",
        "--json",
    ];
    let report: serde_json::Value = serde_json::from_str(&sandbox.ok(&export).out).unwrap();
    assert_eq!(report["accuracy_float"], imported);
    assert!(report["accuracy_integer"].is_number());
    assert!(sandbox.ok(&["info", "net.model"]).out.contains("mlp"));
    let train = [
        "train",
        "--from",
        "net.checkpoint",
        "--train-images",
        "640",
        "--epochs",
        "2",
        "--out",
        "trained.model",
        "--checkpoint",
        "trained.checkpoint",
        "--quiet",
        "--json",
    ];
    let report: serde_json::Value = serde_json::from_str(&sandbox.ok(&train).out).unwrap();
    assert_eq!(report["network"], "mlp");
    let trained = report["accuracy_float"].as_f64().unwrap();
    assert!(trained > imported, "{trained} is not above {imported}");
    let export = [
        "export",
        "trained.checkpoint",
        "--data",
        "glyphs",
        "--out",
        "again.model",
        "--json",
    ];
    let report: serde_json::Value = serde_json::from_str(&sandbox.ok(&export).out).unwrap();
    assert_eq!(
        report["accuracy_float"], trained,
        "the checkpoint is what was trained"
    );
    let integers = |name: &str| {
        let mut model = IntegerModel::read(&sandbox.path(name)).unwrap();
        model.origin.training = None;
        model.origin.accuracy = None;
        model
    };
    assert!(
        integers("trained.model") == integers("again.model"),
        "a trained network keeps its grids"
    );
}

#[test]
fn a_network_trained_with_float_activations_is_exported_with_its_own_grids() {
    let sandbox = Sandbox::new();
    let train = [
        "train",
        "--train-images",
        "1280",
        "--epochs",
        "2",
        "--weight-bits",
        "4",
        "--quantizer",
        "wcat",
        "--float-activations",
        "--checkpoint",
        "wcat.float",
        "--quiet",
        "--json",
    ];
    let trained: serde_json::Value = serde_json::from_str(&sandbox.ok(&train).out).unwrap();
    let export = [
        "export",
        "wcat.float",
        "--data",
        "glyphs",
        "--out",
        "wcat.model",
        "--json",
    ];
    let report: serde_json::Value = serde_json::from_str(&sandbox.ok(&export).out).unwrap();
    assert_eq!(
        (&report["weight_bits"], &report["code"]),
        (&trained["weight_bits"], &trained["code"])
    );
    let accuracy = |report: &serde_json::Value, key: &str| report[key].as_f64().unwrap();
    let lost = accuracy(&trained, "accuracy_quantized") - accuracy(&report, "accuracy_integer");
    assert!(lost < 0.02, "{lost}");
}

#[test]
fn a_recipe_imports_as_flags_do_and_flags_count_more() {
    let sandbox = Sandbox::new();
    write(&sandbox, "net.safetensors", &state_dict());
    sandbox.ok(&IMPORT);
    let recipe = "state_dict = \"net.safetensors\"\nnetwork = \"mlp\"\nimage = \"28x28x1\"\ninput = \"centre\"\n";
    sandbox.write("recipe.toml", recipe);
    let words = [
        "import",
        "--config",
        "recipe.toml",
        "--input",
        "halve",
        "--out",
        "other",
    ];
    sandbox.ok(&words);
    let [one, other] = ["net.checkpoint", "other"].map(|n| std::fs::read(sandbox.path(n)).unwrap());
    assert_eq!(one, other);
    for (text, expected) in [
        (
            recipe.replace("network", "netwrok"),
            "did you mean `network`?",
        ),
        (
            recipe.replace("network = \"mlp\"\n", ""),
            "--network NAME is missing",
        ),
    ] {
        sandbox.write("recipe.toml", text);
        let answer = sandbox.run(&words);
        assert_eq!(answer.status, Some(2), "{}", answer.err);
        assert!(answer.err.contains(expected), "{}", answer.err);
    }
}

#[test]
fn what_cannot_be_imported_is_refused_with_status_2_and_leaves_nothing() {
    type Change = fn(&mut Tensors);
    let cases: [(Change, &str); 5] = [
        (|t| drop(t.remove(1)), "no tensor \"hidden.bias\""),
        (
            |t| t.push(("extra.bias", vec![1], vec![0.0])),
            "tensor \"extra.bias\"",
        ),
        (
            |t| t[0].1 = vec![784, 100],
            "tensor \"hidden.weight\" has shape [784, 100]",
        ),
        (
            |t| t[2].2[5] = f32::NAN,
            "value 5 of tensor \"logits.weight\" is NaN",
        ),
        (
            |t| t[3].2[0] = f32::INFINITY,
            "value 0 of tensor \"logits.bias\" is inf",
        ),
    ];
    let sandbox = Sandbox::new();
    for (change, expected) in cases {
        let mut tensors = state_dict();
        change(&mut tensors);
        write(&sandbox, "net.safetensors", &tensors);
        let answer = sandbox.run(&IMPORT);
        assert_eq!(answer.status, Some(2), "{}", answer.err);
        assert!(
            answer.err.contains(expected),
            "{:?} lacks {expected:?}",
            answer.err
        );
        assert!(answer.err.contains("net.safetensors"), "{}", answer.err);
        assert_eq!(sandbox.names(), ["net.safetensors"]);
    }
    write(&sandbox, "net.safetensors", &state_dict());
    for (flag, value, expected) in [
        ("--image", "28x28", "HEIGHTxWIDTHxCHANNELS"),
        ("--input", "svhn", "cifar10"),
        ("--network", "vgg", "resnet20"),
        ("--classes", "9", "[9, 100]"),
        ("--data", "cifar10:nowhere", "test_batch.bin"),
    ] {
        let mut arguments: Vec<&str> = IMPORT.to_vec();
        match arguments.iter().position(|a| *a == flag) {
            Some(at) => arguments[at + 1] = value,
            None => arguments.extend([flag, value]),
        }
        let answer = sandbox.run(&arguments);
        assert_eq!(answer.status, Some(2), "{flag} {value}: {}", answer.err);
        assert!(
            answer.err.contains(expected),
            "{:?} lacks {expected:?}",
            answer.err
        );
        assert_eq!(sandbox.names(), ["net.safetensors"]);
    }
}

#[test]
fn a_model_is_no_checkpoint_and_a_network_without_a_hardware_form_is_not_exported() {
    let sandbox = Sandbox::with_model();
    let export = [
        "export",
        "model.safetensors",
        "--data",
        "glyphs",
        "--out",
        "x",
    ];
    let answer = sandbox.run(&export);
    assert_eq!(answer.status, Some(2));
    assert!(answer.err.contains("not a checkpoint"), "{}", answer.err);
    let train = [
        "train",
        "--network",
        "simplenet:2",
        "--train-images",
        "64",
        "--epochs",
        "1",
    ];
    let answer = sandbox.run(&[&train[..], &["--out", "x"]].concat());
    assert_eq!(answer.status, Some(2));
    let said = answer.err.contains("group norm") && answer.err.contains("batch norm");
    assert!(said && !sandbox.path("x").exists(), "{}", answer.err);
    // But it is trained and kept.
    sandbox.ok(&[&train[..], &["--checkpoint", "x"]].concat());
    let export = ["export", "x", "--data", "glyphs", "--out", "y"];
    assert!(sandbox.run(&export).err.contains("group norm"));
}

#[test]
fn what_no_flag_of_export_asks_for_stays_as_it_was_trained() {
    let sandbox = Sandbox::new();
    sandbox.ok(&[
        "train",
        "--train-images",
        "640",
        "--epochs",
        "1",
        "--weight-bits",
        "4",
        "--code",
        "inplace-32-26",
        "--scale",
        "channel",
        "--checkpoint",
        "q4.checkpoint",
        "--quiet",
    ]);
    let export = |flags: &[&str]| {
        let export = ["export", "q4.checkpoint", "--data", "glyphs", "--json"];
        let run = [&export[..], &["--out", "q4.model"], flags].concat();
        let report: serde_json::Value = serde_json::from_str(&sandbox.ok(&run).out).unwrap();
        let model = IntegerModel::read(&sandbox.path("q4.model")).unwrap();
        let code = report["code"].as_str().unwrap().to_owned();
        (report["weight_bits"].as_u64(), code, model.layers)
    };
    let own = "inplace-32-26";
    let channel = export(&["--scale", "channel"]);
    assert_eq!((channel.0, &channel.1[..]), (Some(4), own));
    let tensor = export(&["--scale", "tensor"]);
    assert_eq!((tensor.0, &tensor.1[..]), (Some(4), own));
    assert!(tensor.2 != channel.2);
    let plain = export(&["--code", "none"]);
    assert_eq!((plain.0, &plain.1[..]), (Some(4), "none"));
    let same = export(&["--code", "none", "--scale", "channel"]);
    assert!(plain.2 == same.2, "the checkpoint's scales are channels'");
}

#[test]
fn a_state_dict_leaves_as_it_came_and_says_what_its_pixels_are() {
    let sandbox = Sandbox::new();
    write(&sandbox, "net.safetensors", &state_dict());
    let import = [&IMPORT[..], &["--data", "glyphs", "--json"]].concat();
    let imported: serde_json::Value = serde_json::from_str(&sandbox.ok(&import).out).unwrap();
    let export = ["export", "net.checkpoint", "--state-dict", "back"];
    let answer = sandbox.ok(&export);
    let text = "state dict of mlp: 79510 parameters, unrounded weights\n";
    assert_eq!(answer.out, text);
    let pixels = "its network expects floor(pixel / 2) / 64";
    assert!(answer.err.contains(pixels), "{}", answer.err);
    let [came, left] = ["net.safetensors", "back"].map(|name| read(&sandbox.path(name)));
    assert!(came == left);
    let before = ["back", "net.checkpoint", "net.safetensors"];
    assert_eq!(sandbox.names(), before);

    let measured = [&export[..], &["--data", "glyphs", "--json"]].concat();
    let report: serde_json::Value = serde_json::from_str(&sandbox.ok(&measured).out).unwrap();
    let dict = &report["state_dict"];
    assert_eq!(dict["accuracy"], imported["measured"]["accuracy"]);
    assert_eq!(dict["pixels"], "floor(pixel / 2) / 64");
    assert!(dict["weight_bits"].is_null() && report["file"].is_null());
    // Rounded where a flag asks for it, without any images.
    let rounded = [&export[..], &["--weight-bits", "4", "--scale", "channel"]].concat();
    let text = sandbox.ok(&rounded).out;
    assert!(text.contains("weights rounded to 4 bits"), "{text}");
    let rounded = read(&sandbox.path("back"));
    assert!(rounded["hidden.weight"] != came["hidden.weight"]);
    assert!(rounded["hidden.bias"] == came["hidden.bias"]);
}

#[test]
fn a_quantized_network_leaves_with_the_weights_it_computes_with_unless_asked_otherwise() {
    let sandbox = Sandbox::new();
    let train = "train --train-images 640 --epochs 2 --weight-bits 4 --quantizer wcat \
                 --checkpoint q4.float --quiet";
    sandbox.ok(&train.split_whitespace().collect::<Vec<_>>());
    let report = |words: &str| -> serde_json::Value {
        let words: Vec<&str> = words.split_whitespace().collect();
        serde_json::from_str(&sandbox.ok(&words).out).unwrap()
    };
    let export = "export q4.float --data glyphs --json";
    let both = report(&format!("{export} --out m --state-dict rounded"));
    let alone = report(&format!("{export} --state-dict alone"));
    assert_eq!(both["weight_bits"], 4);
    assert_eq!(both["state_dict"]["weight_bits"], 4);
    let accuracy = |report: &serde_json::Value| report["state_dict"]["accuracy"].clone();
    assert_eq!(accuracy(&both), accuracy(&alone));
    let bytes = |name: &str| std::fs::read(sandbox.path(name)).unwrap();
    assert!(bytes("rounded") == bytes("alone"));
    let words = "--state-dict latent --weights unrounded";
    let latent = report(&format!("{export} {words}"));
    assert!(latent["state_dict"]["weight_bits"].is_null());
    let distinct = |name: &str| {
        let tensors = read(&sandbox.path(name));
        let (_, bytes) = &tensors["hidden.weight"];
        let mut values: Vec<&[u8]> = bytes.chunks(4).collect();
        values.sort_unstable();
        values.dedup();
        values.len()
    };
    assert!(distinct("rounded") <= 16 && distinct("latent") > 1000);
    // What was measured is what is imported.
    let import = "import --network cnn --image 28x28x1 --input halve --data glyphs --json --out x";
    for (name, expected) in [("rounded", &both), ("latent", &latent)] {
        let imported = report(&format!("{import} --state-dict {name}"));
        assert_eq!(imported["measured"]["accuracy"], accuracy(expected));
    }
}

#[test]
fn the_pretrained_resnet20_leaves_as_it_came() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/cifar10-resnets");
    let file = data.join("resnet20-12fca82f.safetensors");
    if !file.is_file() {
        eprintln!("skipped: {} is missing", file.display());
        return;
    }
    let sandbox = Sandbox::new();
    let dict = file.to_str().unwrap();
    let network = ["--network", "resnet20", "--input", "imagenet"];
    let import = [
        &["import", "--state-dict", dict, "--out", "r"],
        &network[..],
    ]
    .concat();
    sandbox.ok(&import);
    let answer = sandbox.ok(&["export", "r", "--state-dict", "back"]);
    assert!(answer.err.contains("means 0.4850, 0.4560, 0.4060"));
    assert!(read(&file) == read(&sandbox.path("back")));
}

#[test]
fn what_cannot_be_exported_is_refused_with_status_2_and_leaves_nothing() {
    let sandbox = Sandbox::new();
    write(&sandbox, "net.safetensors", &state_dict());
    // As many pixels as a glyph has, in another shape.
    let wide = IMPORT.map(|word| if word == "28x28x1" { "14x56x1" } else { word });
    sandbox.ok(&wide);
    for (flags, expected) in [
        ("", "<--out <FILE>|--onnx <FILE>|--state-dict <FILE>>"),
        ("--out m", "--data <SOURCE>"),
        ("--state-dict x --calibration-images 5", "--out <FILE>"),
        ("--out m --data glyphs --weights rounded", "--state-dict"),
        ("--state-dict x --weights float", "rounded, unrounded"),
        (
            "--state-dict x --weights unrounded --weight-bits 4",
            "--weights is unrounded; allowed is rounded",
        ),
        ("--state-dict no/x", "the folder no does not exist"),
        (
            "--state-dict net.checkpoint",
            "--state-dict is net.checkpoint; allowed is another file than the checkpoint",
        ),
        (
            "--out x --state-dict ./x --data glyphs",
            "--state-dict is ./x; allowed is another file than that of --out",
        ),
        (
            "--state-dict x --data glyphs",
            "allowed is images of 14x56x1 in at most 10 classes",
        ),
        ("--state-dict x --data cifar10:nowhere", "test_batch.bin"),
        ("--state-dict x --code secded", "inplace-64-57"),
    ] {
        let words: Vec<&str> = flags.split_whitespace().collect();
        let answer = sandbox.run(&[&["export", "net.checkpoint"], &words[..]].concat());
        assert_eq!(answer.status, Some(2), "{flags}: {}", answer.err);
        assert!(answer.err.contains(expected), "{flags}: {}", answer.err);
        assert_eq!(sandbox.names(), ["net.checkpoint", "net.safetensors"]);
    }
}
