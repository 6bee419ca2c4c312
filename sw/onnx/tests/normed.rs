//! Networks whose norms stand in front of their convolutions, from ONNX files to integers.
//!
//! `random/normed.py` writes them with the packages of `.tools/`; without these the test skips with
//! a message where BROWNOUT_SKIP_ONNX says so, and fails otherwise.

mod support;

use brownout_golden::data::Dataset;
use brownout_golden::export::{export, judge};
use brownout_golden::float::{FloatModel, Form};
use brownout_golden::infer::IntegerNetwork;
use brownout_golden::model::InputMap;
use brownout_golden::network::Norm;
use brownout_golden::quantize::Granularity;
use brownout_golden::train::TrainingOptions;
use brownout_onnx::{lower, read_network};
use brownout_spec::program::Operation;
use ndarray::Array4;
use std::path::Path;
use support::{floats, python, write};

/// Images, of 12 x 12 pixels in three colours.
const IMAGES: usize = 400;
const SHAPE: (usize, usize, usize, usize) = (IMAGES, 12, 12, 3);
const CLASSES: usize = 10;

/// The place of the largest logit.
fn class(logits: &[f32]) -> u16 {
    let places = 0..logits.len();
    places
        .max_by(|&a, &b| logits[a].total_cmp(&logits[b]))
        .map_or(0, |place| place as u16)
}

/// A network of the script, its images with the labels that onnxruntime gives them, and its logits.
fn network(folder: &Path, name: &str) -> (FloatModel, Dataset, Vec<f32>) {
    let file = |ending: &str| folder.join(format!("{name}.{ending}"));
    let network = read_network(&file("onnx")).expect("it is read");
    let lowered = lower::lower(&network, name).expect("it has a form here");
    let model = FloatModel {
        network: Form::Graph(name.to_owned()),
        image: lowered.image,
        input: InputMap::Centre,
        origin: "a test".to_owned(),
        parameters: lowered.parameters,
        architecture: lowered.architecture,
    };
    let logits = floats(&file("output"));
    let labels = logits.chunks(CLASSES).map(class).collect();
    let pixels = std::fs::read(file("images")).expect("the script has written it");
    let images = Array4::from_shape_vec(SHAPE, pixels).expect("as many as were asked for");
    (model, Dataset::new(name, images, labels, CLASSES), logits)
}

#[test]
fn preactivation_and_densely_connected_networks_keep_their_results_in_integers() {
    let Some(python) = python() else {
        return;
    };
    let folder = tempfile::tempdir().expect("a temporary folder");
    write(&python, "normed.py", folder.path(), &[&IMAGES.to_string()]);
    for (name, norms, convolutions) in [("preactivation", 5, 9), ("densely", 8, 15)] {
        let (model, data, logits) = network(folder.path(), name);
        let layers = &model.architecture.network.layers;
        let styles = &model.architecture.styles;
        let own = layers
            .iter()
            .zip(styles)
            .filter(|(layer, style)| !layer.operation.has_weights() && style.norm == Norm::Batch);
        assert!(
            own.clone()
                .all(|(l, _)| matches!(l.operation, Operation::AveragePool { .. }))
        );
        // The others are their convolutions', and nothing has made a weight.
        assert_eq!(own.count(), norms, "{name}");
        assert_eq!(model.weight_shapes().len(), convolutions, "{name}");
        let mut worst = 0.0f32;
        for (image, expected) in logits.chunks(CLASSES).enumerate().take(50) {
            let found = model.logits(data.image(image));
            for (found, expected) in found.iter().zip(expected) {
                worst = worst.max((found - expected).abs());
            }
        }
        assert!(worst < 1e-4, "{name}: {worst} from onnxruntime's results");
        let options = TrainingOptions {
            granularity: Granularity::Channel,
            ..TrainingOptions::default()
        };
        let trained = model.calibrate(&data, &options).expect("it is rounded");
        let exported = export(&trained, None).expect("it has integers");
        let judgement = judge(&trained, &exported, &data);
        assert!(judgement.is_faithful(), "{name}: {judgement:?}");
        assert!(
            judgement.layers.iter().all(|layer| !layer.is_apart()),
            "{name}: {judgement:?}"
        );
        let accuracy = IntegerNetwork::undisturbed(&exported).accuracy(&data);
        println!("{name}: float within {worst}, integers {accuracy} of onnxruntime's classes");
        // Random weights leave many an image close to two classes: the rounded network says
        // the same.
        let rounded = judgement.rounded_correct as f64 / judgement.images as f64;
        assert!(
            (accuracy - rounded).abs() <= 0.01,
            "{name}: {accuracy}, rounded {rounded}"
        );
        assert!(accuracy >= 0.95, "{name}: {accuracy}");
    }
}
