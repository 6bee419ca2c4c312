//! Every method of training on a network that has every operator of a graph at once.

use super::tests::{data, options, perturbed, rate};
use crate::data::{Dataset, glyph};
use crate::float::{FloatModel, Form};
use crate::model::InputMap;
use crate::network::{Architecture, Builtin, Function, Parameters, Precision, Style, test_graph};
use crate::quantize::{ActivationCodes, BitWidth, Granularity};
use crate::train::{Adversarial, Clipping, QuantizerName, Run, TrainingOptions, train};
use brownout_spec::code::CodeName;

fn start(data: &Dataset) -> FloatModel {
    start_of(test_graph::graph(data.shape(), data.classes), data)
}

/// Random parameters of any network.
fn start_of(architecture: Architecture, data: &Dataset) -> FloatModel {
    let image = data.shape();
    let named = FloatModel::random(Builtin::Cnn, (image, data.classes), InputMap::Halve, 1);
    FloatModel {
        network: Form::Graph("graph".to_owned()),
        parameters: Parameters::random(&architecture, 1, 0),
        architecture,
        ..named.unwrap()
    }
}

/// Every method that changes a step, each with a name for messages.
fn methods() -> Vec<(&'static str, TrainingOptions)> {
    let with = |change: &dyn Fn(&mut TrainingOptions)| {
        let mut options = options();
        change(&mut options);
        options
    };
    vec![
        ("plain", with(&|_| {})),
        ("float", with(&|o| o.float_share = 0.7)),
        ("clipping", with(&|o| o.clip = Some(Clipping::default()))),
        (
            "randbet",
            with(&|o| {
                o.clip = Some(Clipping::default());
                o.perturbation = perturbed(|p| p.rate = rate(0.01));
            }),
        ),
        ("throttling", with(&|o| o.code = CodeName::Inplace64_57)),
        (
            "decoded",
            with(&|o| {
                o.code = CodeName::Inplace64_57;
                o.perturbation = perturbed(|p| {
                    p.rate = rate(0.01);
                    p.memory.decode = true;
                });
            }),
        ),
        (
            "adversarial",
            with(&|o| {
                o.epochs = 1;
                o.adversarial = Some(Adversarial {
                    gate: f32::MAX,
                    flips: 2,
                    ..Adversarial::default()
                });
            }),
        ),
        ("lsq", with(&|o| o.quantizer = QuantizerName::Lsq)),
        (
            "wcat",
            with(&|o| {
                o.quantizer = QuantizerName::Wcat;
                o.weight_bits = BitWidth::FOUR;
            }),
        ),
        ("channels", with(&|o| o.granularity = Granularity::Channel)),
        ("bfloat16", with(&|o| o.precision = Precision::Bfloat16)),
        ("learned ranges", with(&|o| o.activations.learned = true)),
        (
            "unsigned",
            with(&|o| o.activations.codes = ActivationCodes::Unsigned),
        ),
        ("frozen", with(&|o| o.frozen_share = 0.5)),
    ]
}

#[test]
fn every_method_takes_its_steps_with_numbers_that_are_some_and_the_loss_falls() {
    every_method_trains(&|data| start(data), 1);
}

#[test]
fn every_method_trains_norms_that_stand_behind_no_convolution() {
    // Its first steps are larger, so that two epochs are needed for less than chance has.
    every_method_trains(
        &|data| {
            let normed = test_graph::normed_anywhere(data.shape(), data.classes);
            start_of(normed, data)
        },
        2,
    );
}

fn every_method_trains(start: &dyn Fn(&Dataset) -> FloatModel, least_epochs: usize) {
    let data = data();
    let chance = 10f32.ln();
    for (name, mut options) in methods() {
        options.epochs = options.epochs.max(least_epochs);
        let trained = train(start(&data), &data, &options).unwrap();
        let last = *trained.losses.last().unwrap();
        let most = if options.epochs == 1 {
            chance
        } else {
            trained.losses[0]
        };
        assert!(last < most, "{name}: {:?}", trained.losses);
        let parameters = &trained.network.model.parameters;
        assert_ne!(parameters, &start(&data).parameters, "{name}");
        for layer in parameters.layers.iter().flatten() {
            let optional = [&layer.offset, &layer.gain].into_iter().flatten();
            let vectors = [&layer.bias, &layer.mean, &layer.variance]
                .into_iter()
                .chain(optional);
            let numbers = layer.weight.iter().chain(vectors.flatten());
            assert!(numbers.into_iter().all(|n| n.is_finite()), "{name}");
        }
    }
}

#[test]
fn a_graph_learns_glyphs_quantized_as_well() {
    let split = glyph::split(1, 3000, 500);
    let options = TrainingOptions {
        epochs: 6,
        quiet: true,
        ..TrainingOptions::default()
    };
    let trained = train(start(&split.train), &split.train, &options).unwrap();
    let accuracy = trained.accuracy(&split.test);
    assert!(accuracy > 0.85, "{accuracy}");
}

#[test]
fn tensors_that_share_a_grid_have_one_and_the_others_their_own() {
    let data = data();
    let model = start(&data);
    let network = model.calibrate(&data, &options()).unwrap();
    let grids = &network.quantization.activations;
    // The average alone is the first concat's; its pool and the sum in front of it have the sum's.
    assert_eq!(grids[8], grids[6]);
    assert_eq!(grids[7], grids[9]);
    // The pad moves the concat; the second concat takes its convolution, not what the resize reads.
    assert_eq!(grids[10], grids[9]);
    assert_eq!(grids[14], grids[15]);
    assert_eq!(grids[13], grids[12]);
    // Of what is clipped at 6 the range is at most 6, and of the others' what was seen.
    assert!(grids[1].unwrap().range() <= 6.0001 && grids[2].unwrap().range() <= 6.0001);
    assert!(grids[17].is_none());
}

#[test]
fn a_run_of_norms_without_weights_goes_on_from_its_state_to_the_same_bits() {
    let data = data();
    let normed = test_graph::normed_anywhere(data.shape(), data.classes);
    let (start, options) = (start_of(normed, &data), options());
    let whole = train(start.clone(), &data, &options).unwrap();
    let mut run = Run::new(start.clone(), &data, &options).unwrap();
    for _ in 0..run.steps() / 2 {
        run.step().unwrap();
    }
    let mut run = Run::resume(&run.to_bytes(), &start, &data, &options).unwrap();
    while run.steps_taken() < run.steps() {
        run.step().unwrap();
    }
    assert_eq!(run.finish().unwrap().network, whole.network);
}

#[test]
fn a_run_of_a_graph_goes_on_from_its_state_to_the_same_bits_and_from_no_other_graph() {
    let data = data();
    let mut options = options();
    options.activations.learned = true;
    let whole = train(start(&data), &data, &options).unwrap();
    let mut run = Run::new(start(&data), &data, &options).unwrap();
    for _ in 0..run.steps() / 2 {
        run.step().unwrap();
    }
    let state = run.to_bytes();
    let mut run = Run::resume(&state, start(&data), &data, &options).unwrap();
    while run.steps_taken() < run.steps() {
        run.step().unwrap();
    }
    assert_eq!(run.finish().unwrap().network, whole.network);
    let mut other = start(&data);
    other.architecture.styles[3] = Style::of_function(Function::silu());
    assert!(Run::resume(&state, &other, &data, &options).is_err());
}
