//! The way back: a file that Brownout wrote gives its model to the bit, and one that was changed
//! since is a network as anybody's is, with the reason.

mod support;

use brownout_golden::model::IntegerModel;
use brownout_onnx::schema::ModelProto;
use brownout_onnx::write::{Dialect, Restored, metadata, restore, write};
use brownout_spec::config::WeightBits;
use prost::Message;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use support::random_model::random_model;

/// Damaged files of the reader's test.
const DAMAGED: usize = 10_000;

fn file(model: &IntegerModel, dialect: Dialect) -> ModelProto {
    let written = write(model, dialect).expect("a form in ONNX");
    ModelProto::decode(&written.bytes[..]).expect("messages")
}

/// A model with weights, by the first seed that gives what is asked for.
fn model_with(wanted: impl Fn(&IntegerModel) -> bool) -> IntegerModel {
    let mut models = (1000..).map(random_model);
    models.find(wanted).expect("there are enough")
}

fn weighted(model: &IntegerModel) -> usize {
    let mut layers = model.layers.iter();
    let found = layers.position(|layer| layer.weights.is_some());
    found.expect("a layer with weights")
}

fn has_weights(model: &IntegerModel) -> bool {
    model.layers.iter().any(|layer| layer.weights.is_some())
}

fn changed(file: &ModelProto) -> String {
    match restore(file) {
        Restored::Changed(reason) => reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn weights_behind_multipliers_of_zero_and_below_it_come_back() {
    for (bits, dialect) in [
        (WeightBits::Eight, Dialect::Qdq),
        (WeightBits::Four, Dialect::Qdq),
        (WeightBits::Four, Dialect::Qonnx),
    ] {
        let mut model = model_with(|model| {
            let layer = model.layers.iter().find(|layer| layer.weights.is_some());
            model.weight_bits == bits && layer.is_some_and(|layer| layer.channels.len() > 1)
        });
        let index = weighted(&model);
        let layer = &mut model.layers[index];
        let weights = layer.weights.as_mut().expect("weights");
        weights.integers.fill(3);
        layer.channels[0].multiplier = 0;
        layer.channels[1].multiplier = -7;
        let file = file(&model, dialect);
        assert_eq!(
            restore(&file),
            Restored::Model(Box::new(model)),
            "{dialect}"
        );
    }
}

#[test]
fn the_lowest_weight_behind_a_negative_multiplier_is_refused_with_its_channel() {
    for bits in [WeightBits::Eight, WeightBits::Four] {
        let mut model = model_with(|model| model.weight_bits == bits && has_weights(model));
        let index = weighted(&model);
        let layer = &mut model.layers[index];
        layer.channels[0].multiplier = -1;
        let lowest = bits.range().0;
        layer.weights.as_mut().expect("weights").integers[[0, 0, 0, 0]] = lowest;
        let refused = write(&model, Dialect::Qdq).expect_err("it has no form");
        let name = &model.network.layers[index].name;
        let start = format!("layer {index} ({name}): output channel 0 has a negative multiplier");
        assert!(refused.starts_with(&start), "{refused}");
        assert!(
            refused.contains(&format!("weights from {} on", lowest + 1)),
            "{refused}"
        );
        // Without the sign there is nothing to refuse.
        model.layers[index].channels[0].multiplier = 0;
        write(&model, Dialect::Qdq).expect("a form in ONNX");
    }
}

#[test]
fn layers_of_one_name_have_values_of_several() {
    for name in ["input", "output", "l0.sums", ""] {
        let mut model = model_with(has_weights);
        model
            .network
            .layers
            .iter_mut()
            .for_each(|l| l.name = name.into());
        let file = file(&model, Dialect::Qdq);
        let graph = file.graph.as_ref().expect("a graph");
        let nodes = graph.node.iter().flat_map(|node| &node.output);
        let constants = graph.initializer.iter().map(|constant| &constant.name);
        let mut names: Vec<&String> = nodes.chain(constants).collect();
        let count = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), count, "{name:?}");
        assert_eq!(restore(&file), Restored::Model(Box::new(model)), "{name:?}");
    }
}

#[test]
fn a_file_without_metadata_is_foreign_and_one_that_was_changed_says_where() {
    let model = model_with(has_weights);
    let whole = file(&model, Dialect::Qdq);
    let mut bare = whole.clone();
    bare.metadata_props.clear();
    assert_eq!(restore(&bare), Restored::Foreign);

    let mut shown = whole.clone();
    let graph = shown.graph.get_or_insert_default();
    graph.value_info.clear();
    graph.input[0].doc_string = "an image".into();
    shown.producer_name = "a tool that infers shapes".into();
    assert_eq!(restore(&shown), Restored::Model(Box::new(model)));

    let mut edited = whole.clone();
    let constants = &mut edited.graph.get_or_insert_default().initializer;
    let scale = constants
        .iter_mut()
        .find(|c| c.name.ends_with("weight_scale"));
    let scale = scale.expect("a scale");
    let mut bytes = scale.raw_data.to_vec();
    bytes[0] ^= 1;
    scale.raw_data = bytes.into();
    let name = scale.name.clone();
    let reason = changed(&edited);
    assert!(
        reason.contains(&name) && reason.contains("constant"),
        "{reason}"
    );

    let mut shorter = whole.clone();
    shorter.graph.get_or_insert_default().node.pop();
    assert!(changed(&shorter).contains("nodes"));

    for (key, text, reason) in [
        (metadata::LAYERS_KEY, "[]", "0 layers"),
        (metadata::LAYERS_KEY, "{", "cannot be read"),
        (metadata::MODEL_KEY, "{}", "cannot be read"),
        (metadata::DIALECT_KEY, "qcdq", "allowed are qdq and qonnx"),
        (metadata::DIALECT_KEY, "qonnx", "is not the one"),
    ] {
        let mut damaged = whole.clone();
        for entry in &mut damaged.metadata_props {
            if entry.key == key {
                entry.value = text.into();
            }
        }
        let found = changed(&damaged);
        assert!(
            found.contains(reason) || found.contains("it has"),
            "{key}: {found}"
        );
        damaged.metadata_props.retain(|entry| entry.key != key);
        match key {
            metadata::MODEL_KEY => assert_eq!(restore(&damaged), Restored::Foreign),
            _ => assert!(changed(&damaged).contains("no entry")),
        }
    }
}

#[test]
fn damaged_files_are_never_more_than_changed() {
    let mut random = ChaCha8Rng::seed_from_u64(7);
    let models = [3, 5, 8, 13].map(random_model);
    let files = models.iter().map(|model| {
        let written = write(model, Dialect::Qdq).expect("a form in ONNX");
        written.bytes
    });
    let files: Vec<Vec<u8>> = files.collect();
    let mut decoded = 0;
    for number in 0..DAMAGED {
        let which = number % files.len();
        let mut bytes = files[which].clone();
        for _ in 0..random.random_range(1..4) {
            let at = random.random_range(0..bytes.len());
            bytes[at] = random.random();
        }
        let Ok(file) = ModelProto::decode(&bytes[..]) else {
            continue;
        };
        decoded += 1;
        if let Restored::Model(model) = restore(&file) {
            // What was hit says nothing of the model, or is in the metadata alone: then the file
            // is another model's, and that model's file has the same nodes and constants.
            let again = self::file(&model, Dialect::Qdq);
            let graphs = [&file, &again].map(|file| file.graph.as_ref().map(|g| g.node.clone()));
            assert!(graphs[0] == graphs[1], "{number}");
        }
    }
    assert!(decoded > DAMAGED / 5, "{decoded} of {DAMAGED}");
}
