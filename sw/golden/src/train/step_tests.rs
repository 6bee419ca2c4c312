use super::*;
use crate::data::{Dataset, glyph};
use crate::evaluate::Subject;
use crate::evaluate::reader::Reader;
use crate::float::FloatModel;
use crate::model::InputMap;
use crate::network::{Builtin, Parameters};
use crate::quantize::{ActivationCodes, BitWidth, Exposure, Formula, Placement};
use crate::quantized::{MemoryRules, Quantization, QuantizedNetwork};
use crate::train::{
    ActivationOptions, Combine, QuantizerName, TrainingMemory, TrainingOptions, train,
};
use brownout_spec::code::{CodeName, Policy, Storage};
use brownout_spec::fault::profile::ProfiledArray;
use brownout_spec::quantity::BitErrorRate;

pub(super) fn data() -> Dataset {
    glyph::split(1, 640, 10).train
}

pub(super) fn start(data: &Dataset) -> FloatModel {
    let images = (data.shape(), data.classes);
    FloatModel::random(Builtin::Cnn, images, InputMap::Halve, 1).unwrap()
}

/// Quantized from the first step on, so that perturbation begins at once.
pub(super) fn options() -> TrainingOptions {
    TrainingOptions {
        epochs: 2,
        float_share: 0.0,
        quiet: true,
        ..TrainingOptions::default()
    }
}

pub(super) fn perturbed(change: impl FnOnce(&mut Perturbation)) -> Option<Perturbation> {
    let mut perturbation = Perturbation {
        gate: f32::MAX,
        clamp: f32::MAX,
        ..Perturbation::default()
    };
    change(&mut perturbation);
    Some(perturbation)
}

pub(super) fn rate(rate: f64) -> BitErrorRate {
    BitErrorRate::new(rate).unwrap()
}

fn trained(options: &TrainingOptions) -> Parameters {
    let data = data();
    let trained = train(start(&data), &data, options).unwrap();
    trained.network.model.parameters
}

/// The weights that an evaluation of a chip computes with, from nothing but the network and the
/// chip.
fn evaluated(
    model: &FloatModel,
    snapshot: &Snapshot,
    options: &TrainingOptions,
    chip: ChipFaults,
) -> Vec<Option<Array4<f32>>> {
    let network = QuantizedNetwork {
        model: model.clone(),
        quantization: Quantization {
            width: options.weight_bits,
            code: options.code,
            placement: Placement::Channel,
            grids: snapshot.grids.clone(),
            activations: snapshot.activations.clone(),
        },
    };
    let memory = options.perturbation.as_ref().unwrap().memory;
    let rules = MemoryRules {
        rows: 16,
        columns: 16,
        code: options.code,
        storage: memory.storage.with(options.code),
        policy: memory.policy,
        exposure: memory.exposure,
    };
    let stored = network.stored();
    let subject = Subject::from(network);
    let reader = Reader::new(&subject, rules).unwrap();
    let (read, _) = reader.read(&reader.memory(chip).unwrap(), Pass(0));
    stored.with_image_order(&read).values(&snapshot.grids)
}

#[test]
fn a_perturbed_step_multiplies_with_the_words_that_an_evaluation_of_the_chip_reads() {
    let data = data();
    let (all, live) = (Exposure::WholeLane, Exposure::LiveBits);
    let cases = [
        (8, CodeName::None, Policy::Keep, all),
        (8, CodeName::Secded72_64, Policy::Zero, all),
        (8, CodeName::Inplace64_57, Policy::ZeroConstrained, all),
        (4, CodeName::Inplace64_57, Policy::Keep, all),
        (4, CodeName::Inplace32_26, Policy::Zero, all),
        (6, CodeName::Inplace64_57, Policy::Keep, all),
        (3, CodeName::Secded72_64, Policy::Keep, all),
        (3, CodeName::None, Policy::Keep, live),
        (6, CodeName::None, Policy::Keep, live),
    ];
    for (bits, code, policy, exposure) in cases {
        let options = TrainingOptions {
            weight_bits: BitWidth::new(bits).unwrap(),
            code,
            perturbation: perturbed(|p| {
                p.rate = rate(0.02);
                p.scheme = Scheme::Noise;
                p.memory = TrainingMemory {
                    decode: code != CodeName::None,
                    policy,
                    exposure,
                    ..TrainingMemory::default()
                };
            }),
            ..options()
        };
        let case = format!("{bits} bits, {code}, {exposure}");
        let perturbation = options.perturbation.clone().unwrap();
        let mut run = Run::new(start(&data), &data, &options).unwrap();
        run.step().unwrap();
        let before = run.model().clone();
        run.step().unwrap();

        // The second step by hand, with the evaluation's weights in the place of its own.
        let by_hand = |other_chip: u64| {
            let mut run = Run::new(start(&data), &data, &options).unwrap();
            run.step().unwrap();
            assert_eq!(run.model().parameters, before.parameters);
            let batch = run.batch(0, 1);
            run.load(0, &batch);
            let answers = Answers::to(&data, &batch);
            let snapshot = run.constrain().unwrap().unwrap();
            let mut chip = run.faults(&perturbation);
            chip.seed.0 ^= other_chip;
            let weights = evaluated(run.model(), &snapshot, &options, chip);
            assert_ne!(weights, snapshot.values, "{case}: 2 % leaves errors");
            run.pass(&weights, &snapshot.activations, &answers, true)
                .unwrap();
            run.observe();
            let gradients = run.sum_gradients();
            run.update(gradients);
            run.model().parameters.clone()
        };
        assert!(by_hand(0) == run.model().parameters, "{case}");
        assert!(by_hand(1) != run.model().parameters, "{case}: another chip");
    }
}

#[test]
fn training_through_a_decoder_on_flips_is_the_same_in_plain_words_and_in_a_coset() {
    for code in [CodeName::Secded72_64, CodeName::Inplace64_57] {
        let [plain, coset] = Storage::ALL.map(|storage| {
            trained(&TrainingOptions {
                code,
                perturbation: perturbed(|p| {
                    p.rate = rate(0.02);
                    p.scheme = Scheme::Noise;
                    p.memory.decode = true;
                    p.memory.storage = storage;
                }),
                ..options()
            })
        });
        assert!(plain == coset, "{code}");
    }
}

#[test]
fn the_papers_formulas_train_to_other_weights_than_the_published_codes() {
    let of = |formula| {
        let options = TrainingOptions {
            quantizer: QuantizerName::Rquant,
            formula,
            code: CodeName::None,
            weight_bits: BitWidth::FOUR,
            ..options()
        };
        trained(&options)
    };
    assert!(of(Formula::Published) != of(Formula::Paper));
}

#[test]
fn without_faults_every_scheme_is_plain_training_to_the_bit() {
    let plain = trained(&options());
    for scheme in [Scheme::Randbet, Scheme::Noise, Scheme::PerturbedOnly] {
        let none = perturbed(|p| (p.rate, p.scheme) = (BitErrorRate::ZERO, scheme));
        let same = TrainingOptions {
            perturbation: none,
            ..options()
        };
        assert!(trained(&same) == plain, "{scheme:?}");
        let some = perturbed(|p| (p.rate, p.scheme) = (rate(0.02), scheme));
        let other = TrainingOptions {
            perturbation: some,
            ..options()
        };
        assert!(trained(&other) != plain, "{scheme:?}");
    }
    let alternating = TrainingOptions {
        perturbation: perturbed(|p| {
            (p.rate, p.scheme) = (BitErrorRate::ZERO, Scheme::Alternating);
        }),
        ..options()
    };
    assert!(trained(&alternating) != plain, "two updates a batch");
}

#[test]
fn single_errors_in_protected_words_train_as_if_there_were_none() {
    let through = |rate_: f64, decode| TrainingOptions {
        perturbation: perturbed(|p| {
            p.rate = rate(rate_);
            p.memory.decode = decode;
        }),
        ..options()
    };
    // At 1e-6 no word of this network has two errors.
    let plain = trained(&options());
    assert!(trained(&through(1e-6, true)) == plain);
    assert!(trained(&through(1e-4, false)) != plain);
}

#[test]
fn a_closed_gate_is_plain_training() {
    let closed = TrainingOptions {
        perturbation: perturbed(|p| {
            p.rate = rate(0.02);
            p.gate = 1e-3;
        }),
        ..options()
    };
    assert!(trained(&closed) == trained(&options()));
}

#[test]
fn the_sum_of_two_equal_gradients_is_twice_their_mean() {
    let doubled = TrainingOptions {
        perturbation: perturbed(|p| {
            (p.rate, p.combine) = (BitErrorRate::ZERO, Combine::Sum);
        }),
        epochs: 1,
        weight_decay: 0.0,
        frozen_share: 0.0,
        learning_rate: 0.03,
        ..options()
    };
    let faster = TrainingOptions {
        perturbation: None,
        learning_rate: 0.06,
        ..doubled.clone()
    };
    let data = data();
    let step = |options: &TrainingOptions, steps: usize| {
        let mut run = Run::new(start(&data), &data, options).unwrap();
        for _ in 0..steps {
            run.step().unwrap();
        }
        run.model.parameters
    };
    // The gate opens after the first batch, so only the second has two gradients.
    assert!(step(&doubled, 1) != step(&faster, 1));
    let first = step(&doubled, 1);
    let plain = TrainingOptions {
        perturbation: None,
        ..doubled.clone()
    };
    assert!(first == step(&plain, 1));
    // v₂ is μ·v₁ + 2g instead of μ·v₁ + g; with twice the rate and no momentum from the
    // first step it would be the same way.
    let (two, one) = (step(&doubled, 2), step(&plain, 2));
    let bias = |p: &Parameters, i: usize| p.layers[0].as_ref().unwrap().bias[i];
    let mut run = Run::new(start(&data), &data, &plain).unwrap();
    run.step().unwrap();
    let batch = run.batch(0, 1);
    run.load(0, &batch);
    let answers = Answers::to(&data, &batch);
    let clean = run.constrain().unwrap().unwrap();
    run.pass(&clean.values, &clean.activations, &answers, true)
        .unwrap();
    let g = run.sum_gradients().layers[0].as_ref().unwrap().bias.clone();
    let rate = learning_rate(plain.schedule, plain.learning_rate, 1, run.steps());
    for (i, g) in g.iter().enumerate() {
        let moved = bias(&two, i) - bias(&one, i);
        assert!(
            (moved + rate * g).abs() < 1e-6,
            "{moved} is not -{rate}·{g}"
        );
    }
}

#[test]
fn each_chip_of_fixed_pattern_training_is_used_in_turn() {
    let data = data();
    let options = TrainingOptions {
        perturbation: perturbed(|p| p.chips = vec![7, 8]),
        ..options()
    };
    let perturbation = options.perturbation.clone().unwrap();
    let mut run = Run::new(start(&data), &data, &options).unwrap();
    let mut seeds = Vec::new();
    for _ in 0..4 {
        seeds.push(run.faults(&perturbation).seed.0);
        run.step().unwrap();
    }
    assert_eq!(seeds, [7, 8, 7, 8]);
}

#[test]
fn clipped_training_ends_with_clipped_weights() {
    let options = TrainingOptions {
        clip: Some(crate::train::Clipping {
            range: 0.1,
            per_layer: false,
            norms: false,
        }),
        quantizer: QuantizerName::Rquant,
        code: CodeName::None,
        ..options()
    };
    for layer in trained(&options).layers.iter().flatten() {
        assert!(layer.weight.iter().all(|w| w.abs() <= 0.1));
    }
}

#[test]
fn every_quantizer_trains() {
    let data = glyph::split(1, 2000, 500);
    for quantizer in QuantizerName::ALL {
        for width in [BitWidth::EIGHT, BitWidth::FOUR] {
            let options = TrainingOptions {
                quantizer,
                weight_bits: width,
                code: CodeName::None,
                clip: Some(crate::train::Clipping {
                    range: 0.2,
                    ..Default::default()
                }),
                ..options()
            };
            let network = train(start(&data.train), &data.train, &options).unwrap();
            let accuracy = network.accuracy(&data.test);
            assert!(accuracy > 0.6, "{quantizer} at {width} bits: {accuracy}");
        }
    }
}

#[test]
fn four_bit_activations_train_with_followed_and_with_learned_ranges_and_export() {
    let data = glyph::split(1, 4000, 500);
    for learned in [false, true] {
        let options = TrainingOptions {
            activations: ActivationOptions {
                bits: BitWidth::FOUR,
                codes: ActivationCodes::Unsigned,
                learned,
                ..ActivationOptions::default()
            },
            float_share: 0.3,
            epochs: 3,
            ..options()
        };
        let network = train(start(&data.train), &data.train, &options).unwrap();
        let float = network.accuracy(&data.test);
        let model = crate::export::export(&network.network, Some(&options)).unwrap();
        let integers = crate::infer::IntegerNetwork::undisturbed(&model);
        let mut workspace = integers.workspace();
        let mut largest = 0;
        for image in 0..data.test.len() {
            let input = model.quantize(data.test.image(image));
            integers.run(&input, &mut workspace);
            let most = workspace.activations(0).unwrap().iter().max();
            largest = largest.max(*most.unwrap());
        }
        assert_eq!(largest, 15, "four bits are used, and not more");
        let integer = integers.accuracy(&data.test);
        assert!(float > 0.9, "learned {learned}: {float}");
        assert!((float - integer).abs() < 0.02, "{float} and {integer}");
    }
}

#[test]
fn a_learned_range_moves_where_an_observed_one_would_not() {
    let data = data();
    let options = TrainingOptions {
        activations: ActivationOptions {
            learned: true,
            bits: BitWidth::FOUR,
            ..ActivationOptions::default()
        },
        float_share: 0.5,
        ..options()
    };
    let mut run = Run::new(start(&data), &data, &options).unwrap();
    while !run.is_quantized() {
        run.step().unwrap();
    }
    // Too narrow, so that every tensor is cut off.
    run.ranges.iter_mut().for_each(|range| *range *= 0.5);
    let before = run.ranges.clone();
    run.step().unwrap();
    let moved: Vec<bool> = before
        .iter()
        .zip(&run.ranges)
        .map(|(a, b)| a != b)
        .collect();
    // Input, two convolutions with pools that keep their grid, a dense layer, and the logits.
    assert_eq!(moved, [false, true, false, true, false, true, false]);
}

#[test]
fn training_on_a_profiled_chip_reads_its_array_and_another_read_at_every_step() {
    let data = data();
    let on = |profile: &str, chips: Vec<u64>| TrainingOptions {
        code: CodeName::None,
        perturbation: perturbed(|p| {
            p.profile = Some(profile.parse().unwrap());
            p.chips = chips;
        }),
        ..options()
    };
    let options = on("chip2:1.01", vec![5]);
    let perturbation = options.perturbation.clone().unwrap();
    let mut run = Run::new(start(&data), &data, &options).unwrap();
    let mut reads = Vec::new();
    let snapshot = run.constrain().unwrap().unwrap();
    for step in 0..2 {
        let read = run
            .disturb(&snapshot.stored, &snapshot.grids, &perturbation)
            .unwrap();
        let profile = perturbation.profile.unwrap();
        let array = ProfiledArray::generate(&profile, ChipSeed(5));
        let memory = run.memory.as_ref().unwrap();
        let (words, bits) = (memory.layout().words(), memory.layout().code().n());
        let map = array.fault_map(words, bits, 0, Pass(step));
        let expected = memory.read_with_map(&snapshot.stored, &map).unwrap();
        assert!(read == expected.weights.values(&snapshot.grids));
        assert!(read != snapshot.values);
        reads.push(read);
        run.step += 1;
    }
    assert!(reads[0] != reads[1], "transient cells read anew");
    let trained = |options: &TrainingOptions| trained(options);
    assert!(trained(&options) != trained(&on("chip2:1.01", vec![6])));
    assert!(trained(&options) != trained(&on("chip2:0.136", vec![5])));
}
