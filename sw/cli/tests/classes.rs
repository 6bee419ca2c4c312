//! A data set has as many classes as it has, in every command.

mod common;

use common::Sandbox;
use common::idx::IdxFolder;
use serde_json::Value;

/// Folders with their labels: first, how many, and the outputs that a network for them has.
const FOLDERS: [(usize, usize, usize); 5] = [
    (0, 2, 2),
    (0, 5, 5),
    // The letters of EMNIST.
    (1, 26, 27),
    (0, 47, 47),
    (0, 100, 100),
];

fn sandbox(first: usize, classes: usize) -> Sandbox {
    let sandbox = Sandbox::new();
    let folder = IdxFolder {
        classes,
        first,
        size: (12, 12),
        // Each label a few times, in both parts.
        train: (6 * classes).max(640),
        test: 2 * classes,
    };
    folder.write(&sandbox, "data");
    sandbox
}

fn json(sandbox: &Sandbox, line: &str) -> Value {
    let words: Vec<&str> = line.split(' ').chain(["--json", "--quiet"]).collect();
    serde_json::from_str(&sandbox.ok(&words).out).unwrap()
}

/// What `train --checkpoint` has made, as the shape of the last layer in a state dict.
fn outputs(sandbox: &Sandbox, checkpoint: &str) -> usize {
    let dict = format!("{checkpoint}.dict");
    sandbox.ok(&["export", checkpoint, "--state-dict", &dict]);
    let bytes = std::fs::read(sandbox.path(&dict)).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    tensors.tensor("logits.weight").unwrap().shape()[0]
}

#[test]
fn two_to_a_hundred_classes_go_through_every_command_in_software() {
    for (first, classes, wanted) in FOLDERS {
        let sandbox = sandbox(first, classes);
        let test = 2 * classes as u64;
        let train = "train --network mlp --data idx:data --code none --epochs 8";
        let trained = json(
            &sandbox,
            &format!("{train} --checkpoint n.float --out n.safetensors"),
        );
        assert_eq!(outputs(&sandbox, "n.float"), wanted);
        assert_eq!(trained["images"], test);
        let accuracy = trained["accuracy_integer"].as_f64().unwrap();
        assert!(accuracy > 0.9, "{classes} classes: {accuracy}");

        let evaluated = json(
            &sandbox,
            "evaluate n.safetensors --data idx:data --chips 1 --rates 0",
        );
        let error = evaluated["clean_error"].as_f64().unwrap();
        assert!((1.0 - error - accuracy).abs() < 1e-9, "{classes} classes");
        let top5 = evaluated["clean_top5_error"].as_f64();
        assert_eq!(top5.is_some(), wanted >= 100, "{classes} classes");
        assert!(top5.is_none_or(|top5| top5 <= error), "{top5:?} {error}");
        let each = evaluated["clean_error_of_classes"].as_array().unwrap();
        assert_eq!(each.len(), wanted);
        // A class without images has no error.
        assert_eq!(each.iter().filter(|e| e.is_null()).count(), first);

        let dict = "import --state-dict n.float.dict --network mlp --image 12x12x1 --input halve";
        let imported = json(
            &sandbox,
            &format!("{dict} --classes {wanted} --data idx:data --out i.float"),
        );
        assert_eq!(imported["classes"], wanted);
        assert_eq!(imported["measured"]["images"], test);
        assert!(imported["measured"]["accuracy"].as_f64() > Some(0.9));
        let exported = json(
            &sandbox,
            "export i.float --data idx:data --out e.safetensors",
        );
        assert!(
            exported["accuracy_integer"].as_f64() > Some(0.85),
            "{exported}"
        );

        // The aim is that of guessing among the outputs, and not among ten.
        let line = "attack n.float --data idx:data --max-flips 3 --max-iterations 1";
        let attacked = json(&sandbox, line);
        let aim = attacked["stop_accuracy"].as_f64().unwrap();
        let guessing = (1.1 / wanted as f64).max(1.0 / classes as f64);
        assert!((aim - guessing).abs() < 1e-9, "{aim} of {classes}");
        assert_eq!(attacked["settings"]["images"], test);

        sandbox.write(
            "study.toml",
            "title = \"t\"\nquestion = \"q\"\nnetwork = \"mlp\"\n\
             [[networks]]\nname = \"a\"\ntraining = { epochs = 1, code = \"none\" }\n\
             [[readings]]\nname = \"r\"\nshow = \"classes\"\n\
             evaluate = { chips = 2, rates = [0.0] }\n",
        );
        sandbox.ok(&["study", "study.toml", "--data", "idx:data", "--quiet"]);
        assert_eq!(outputs(&sandbox, "study/a.float"), wanted);
    }
}

#[test]
fn the_number_of_classes_does_not_depend_on_the_images_that_are_taken_and_may_be_declared() {
    let sandbox = sandbox(0, 47);
    let train = "train --network mlp --data idx:data --epochs 1 --batch 32 --train-images 32";
    for (more, wanted) in [("", 47), (" --classes 47", 47), (" --classes 62", 62)] {
        json(&sandbox, &format!("{train}{more} --checkpoint n.float"));
        assert_eq!(outputs(&sandbox, "n.float"), wanted, "{more}");
    }
    // A recipe says the same, and is printed with it.
    let words: Vec<&str> = train.split(' ').collect();
    let recipe = sandbox.ok(&[&words[..], &["--classes", "62", "--print-config"]].concat());
    assert!(recipe.out.contains("classes = 62"), "{}", recipe.out);
    sandbox.write("recipe.toml", recipe.out);
    json(&sandbox, "train --config recipe.toml --checkpoint n.float");
    assert_eq!(outputs(&sandbox, "n.float"), 62);
}

#[test]
fn a_network_may_have_more_outputs_than_the_data_have_labels() {
    let sandbox = sandbox(0, 5);
    json(
        &sandbox,
        "train --network mlp --data idx:data --classes 10 --epochs 4 --checkpoint n.float --out n.safetensors",
    );
    assert_eq!(outputs(&sandbox, "n.float"), 10);
    for line in [
        "train --from n.float --data idx:data --epochs 1 --checkpoint m.float",
        "evaluate n.safetensors --data idx:data --chips 1 --rates 0",
        "export n.float --data idx:data --out m.safetensors",
        "attack n.float --data idx:data --max-flips 2 --max-iterations 1",
    ] {
        json(&sandbox, line);
    }
}

#[test]
fn test_files_alone_are_enough_where_no_training_images_are_used() {
    let sandbox = sandbox(0, 5);
    json(
        &sandbox,
        "train --network mlp --data idx:data --epochs 4 --code none --checkpoint n.float --out n.safetensors",
    );
    let whole = json(
        &sandbox,
        "evaluate n.safetensors --data idx:data --chips 1 --rates 1e-2",
    );
    for name in ["train-images-idx3-ubyte", "train-labels-idx1-ubyte"] {
        std::fs::remove_file(sandbox.path("data").join(name)).unwrap();
    }
    let alone = json(
        &sandbox,
        "evaluate n.safetensors --data idx:data --chips 1 --rates 1e-2",
    );
    assert_eq!(alone["points"], whole["points"]);
    // A quantized checkpoint brings its ranges.
    json(
        &sandbox,
        "evaluate n.float --data idx:data --chips 1 --rates 0",
    );
    json(
        &sandbox,
        "export n.float --state-dict n.dict --data idx:data",
    );
    json(
        &sandbox,
        "import --state-dict n.dict --network mlp --image 12x12x1 --input halve --classes 5 --data idx:data --out i.float",
    );
    // One that is not quantized is observed on training images.
    let refused = sandbox.run(&["evaluate", "i.float", "--data", "idx:data"]);
    assert_eq!(refused.status, Some(2));
    assert!(
        refused.err.contains("train-images-idx3-ubyte"),
        "{}",
        refused.err
    );
}

#[cfg(feature = "simulate")]
#[test]
fn two_to_a_hundred_classes_run_on_hardware_with_equal_logits() {
    for (first, classes, wanted) in FOLDERS {
        let sandbox = sandbox(first, classes);
        json(
            &sandbox,
            "train --network mlp --data idx:data --epochs 8 --out n.safetensors",
        );
        for name in ["train-images-idx3-ubyte", "train-labels-idx1-ubyte"] {
            std::fs::remove_file(sandbox.path("data").join(name)).unwrap();
        }
        let run = json(
            &sandbox,
            "simulate n.safetensors --data idx:data --voltages 800",
        );
        let images = (2 * classes).min(100) as u64;
        assert_eq!(run["logits_compared"], images * wanted as u64);
        assert_eq!(run["mismatches"], 0);
        assert!(
            run["points"][0]["accuracy_rtl"].as_f64() > Some(0.85),
            "{run}"
        );
    }
}

#[test]
fn cifar_files_of_five_labels_suit_a_network_of_five_outputs_and_have_ten_where_nobody_says() {
    let sandbox = Sandbox::new();
    let record = |i: usize| {
        let ink = (i % 5 * 50) as u8;
        std::iter::once((i % 5) as u8).chain((0..3072).map(move |p| ink + (p * 7 % 40) as u8))
    };
    for batch in 1..=5 {
        let bytes: Vec<u8> = (0..40).flat_map(record).collect();
        sandbox.write(&format!("data_batch_{batch}.bin"), bytes);
    }
    sandbox.write(
        "test_batch.bin",
        (0..20).flat_map(record).collect::<Vec<u8>>(),
    );
    let run = |line: &str| sandbox.ok(&line.split_whitespace().collect::<Vec<_>>());
    run(
        "train --network mlp --data cifar10:. --classes 5 --epochs 2 --quiet --checkpoint five.float --out five.model",
    );
    run("export five.float --data cifar10:. --out again.model");
    run("export five.float --state-dict five.dict");
    run("import --state-dict five.dict --data cifar10:. --out back.float");
    run("evaluate five.model --data cifar10:. --rates 0");
    let usual = run("train --network mlp --data cifar10:. --epochs 1 --checkpoint ten.float");
    assert!(usual.err.contains("mlp has 10 outputs"), "{}", usual.err);
    let words = "train --network mlp --data cifar10:. --classes 4 --epochs 1 --checkpoint x.float";
    let refused = sandbox.run(&words.split_whitespace().collect::<Vec<_>>());
    assert_eq!(refused.status, Some(2));
    assert!(
        refused.err.contains("labels of cifar10:. go up to 4"),
        "{}",
        refused.err
    );
}
