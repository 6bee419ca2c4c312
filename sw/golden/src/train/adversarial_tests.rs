use super::*;
use crate::data::{Dataset, glyph};
use crate::float::FloatModel;
use crate::model::InputMap;
use crate::network::{Builtin, Parameters};
use crate::quantize::BitWidth;
use crate::train::{QuantizerName, train};
use brownout_spec::code::{CodeName, Policy};
use brownout_spec::fault::FaultMap;
use brownout_spec::image::WeightBit;

fn data() -> Dataset {
    glyph::split(1, 320, 10).train
}

fn start(data: &Dataset) -> FloatModel {
    let images = (data.shape(), data.classes);
    FloatModel::random(Builtin::Cnn, images, InputMap::Halve, 1).unwrap()
}

/// Quantized from the first step on, and attacked at once.
fn options(change: impl FnOnce(&mut Adversarial)) -> TrainingOptions {
    let mut adversarial = Adversarial {
        gate: f32::MAX,
        flips: 2,
        ..Adversarial::default()
    };
    change(&mut adversarial);
    TrainingOptions {
        epochs: 1,
        float_share: 0.0,
        quiet: true,
        adversarial: Some(adversarial),
        ..TrainingOptions::default()
    }
}

fn decoding(policy: Policy) -> TrainingMemory {
    TrainingMemory {
        decode: true,
        policy,
        ..TrainingMemory::default()
    }
}

fn trained(options: &TrainingOptions) -> Parameters {
    let data = data();
    let trained = train(start(&data), &data, options).unwrap();
    trained.network.model.parameters
}

#[test]
fn every_method_trains_and_changes_what_is_learned() {
    let plain = TrainingOptions {
        adversarial: None,
        ..options(|_| {})
    };
    let mut results = vec![trained(&plain)];
    let changes: [fn(&mut Adversarial); 4] = [
        |_| {},
        |a| a.memory = Some(decoding(Policy::Keep)),
        |a| a.search = Search::OneShot,
        |a| a.method = AdversarialMethod::Ascent,
    ];
    results.extend(changes.map(|change| trained(&options(change))));
    for (number, result) in results.iter().enumerate() {
        assert!(
            results[..number].iter().all(|other| other != result),
            "{number}"
        );
    }
}

#[test]
fn above_the_gate_and_before_the_beginning_training_is_plain() {
    let plain = trained(&TrainingOptions {
        adversarial: None,
        ..options(|_| {})
    });
    assert!(trained(&options(|a| a.gate = 1e-6)) == plain);
    assert!(trained(&options(|a| a.begin = 0.99)) == plain);
    // Nothing is left of a gradient clamped to nearly nothing, if the other one is not halved.
    let clamped = |combine| {
        options(|a| {
            a.clamp = f32::MIN_POSITIVE;
            a.combine = combine;
        })
    };
    // Where the clean gradient is zero, a bias of zero takes a step of nearly nothing.
    assert!(distance(&trained(&clamped(Combine::Sum)), &plain) < 1e-30);
    assert!(distance(&trained(&clamped(Combine::Average)), &plain) > 1e-3);
}

/// The largest difference of two networks' weights and biases.
fn distance(a: &Parameters, b: &Parameters) -> f32 {
    let layers = a.layers.iter().flatten().zip(b.layers.iter().flatten());
    let values = layers.flat_map(|(a, b)| {
        let weights = a.weight.iter().zip(&b.weight);
        weights.chain(a.bias.iter().zip(&b.bias))
    });
    values.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

#[test]
fn a_step_flips_exactly_the_stated_bits_whatever_the_width() {
    let data = data();
    for (width, quantizer) in [
        (8, QuantizerName::LeastError),
        (4, QuantizerName::Wcat),
        (3, QuantizerName::Rquant),
    ] {
        let options = TrainingOptions {
            weight_bits: BitWidth::new(width).unwrap(),
            quantizer,
            code: CodeName::None,
            ..options(|a| a.flips = 7)
        };
        let adversarial = options.adversarial.unwrap();
        let mut run = Run::new(start(&data), &data, &options).unwrap();
        run.step().unwrap();
        let labels = data.labels[..options.batch].to_vec();
        let snapshot = run.constrain().unwrap().unwrap();
        let attacked = run.attack(&snapshot, &adversarial, &labels).unwrap();
        let mask = Exposure::LiveBits.mask(options.weight_bits);
        assert_eq!(
            attacked.hamming_distance(&snapshot.stored, mask),
            7,
            "{width} bits"
        );
        let range = options.weight_bits.range();
        let all = attacked.0.iter().flatten().flatten();
        assert!(all.clone().all(|&q| (range.0..=range.1).contains(&q)));
    }
}

#[test]
fn without_a_memory_settings_and_training_are_what_they_are_without_the_setting() {
    let text = serde_json::to_string(&options(|_| {})).unwrap();
    assert!(
        text.contains("adversarial") && !text.contains("memory"),
        "{text}"
    );
    let plain = options(|a| {
        a.memory = Some(TrainingMemory {
            exposure: Exposure::LiveBits,
            ..TrainingMemory::default()
        });
    });
    let text = serde_json::to_string(&plain).unwrap();
    let read: TrainingOptions = serde_json::from_str(&text).unwrap();
    assert_eq!(read.adversarial, plain.adversarial);
    assert!(trained(&plain) == trained(&options(|_| {})));
}

#[test]
fn an_array_that_cannot_be_is_refused_before_the_first_step() {
    let options = options(|a| {
        a.memory = Some(TrainingMemory {
            rows: 0,
            ..TrainingMemory::default()
        });
    });
    let data = data();
    assert!(Run::new(start(&data), &data, &options).is_err());
}

#[test]
fn through_a_decoder_two_flips_are_two_cells_of_one_word_and_its_decoded_weights_are_read() {
    let data = data();
    for (width, code, policy) in [
        (8, CodeName::Secded72_64, Policy::Keep),
        (8, CodeName::Secded72_64, Policy::Zero),
        (8, CodeName::Inplace64_57, Policy::ZeroConstrained),
        (4, CodeName::Inplace32_26, Policy::Keep),
    ] {
        for search in [Search::Progressive, Search::OneShot] {
            let options = TrainingOptions {
                weight_bits: BitWidth::new(width).unwrap(),
                code,
                ..options(|a| {
                    a.search = search;
                    a.memory = Some(decoding(policy));
                })
            };
            let adversarial = options.adversarial.unwrap();
            let mut run = Run::new(start(&data), &data, &options).unwrap();
            run.step().unwrap();
            let labels = data.labels[..options.batch].to_vec();
            let clean = run.constrain().unwrap().unwrap();
            let attacked = run.attack(&clean, &adversarial, &labels).unwrap();

            // Of all pairs of cells of the word, one is read so.
            let memory = run.memory.clone().unwrap();
            let rules = memory.rules();
            assert_eq!((rules.code, rules.policy), (code, policy));
            let (before, after) = (clean.stored.to_image_order(), attacked.to_image_order());
            let mut wrong = Vec::new();
            for (layer, (before, after)) in before.iter().zip(&after).enumerate() {
                for (index, (before, after)) in before.iter().zip(after).enumerate() {
                    let bits = (0..8).filter(|bit| (before ^ after) >> bit & 1 != 0);
                    wrong.extend(bits.map(|bit| WeightBit { layer, index, bit }));
                }
            }
            // A weight of four bits repeats its sign in the integer's upper bits as well.
            let cells = wrong.iter().filter_map(|&bit| memory.layout().locate(bit));
            let (word, lanes): (Vec<_>, Vec<u8>) = cells.map(|(w, l)| (w, l.0)).unzip();
            let at = format!("{width} bits, {code} {policy:?}, {search:?}");
            assert!(!word.is_empty(), "{at}");
            assert!(word.iter().all(|&w| w == word[0]), "{at}");
            let mut pairs = lanes.iter().flat_map(|&one| {
                let others = 0..memory.layout().code().n() as u8;
                others
                    .filter(move |&other| other != one)
                    .map(move |other| (one, other))
            });
            let is_read = |(one, other): (u8, u8)| {
                let word = word[0].0;
                let map = format!("{word} {one} flip\n{word} {other} flip\n");
                let map = FaultMap::from_text(&map).unwrap();
                memory.read_with_map(&clean.stored, &map).unwrap().weights == attacked
            };
            assert!(pairs.any(is_read), "{at}");
        }
    }
}

#[test]
fn the_result_does_not_depend_on_the_number_of_threads() {
    let run = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        pool.build().unwrap().install(|| trained(&options(|_| {})))
    };
    assert!(run(1) == run(3));
}

#[test]
fn each_bad_setting_is_named() {
    type Change = fn(&mut Adversarial);
    let cases: [(Change, &str); 10] = [
        (
            |a| a.flips = 0,
            "adversarial.flips is 0; allowed is 1 to 100000",
        ),
        (|a| a.top = 0, "adversarial.top is 0"),
        (|a| a.steps = 0, "adversarial.steps is 0"),
        (|a| a.rate = f32::NAN, "adversarial.rate is NaN"),
        (|a| a.begin = 1.0, "adversarial.begin is 1"),
        (|a| a.gate = -1.0, "adversarial.gate is -1"),
        (
            |a| {
                a.method = AdversarialMethod::Ascent;
                a.memory = Some(decoding(Policy::Keep));
            },
            "adversarial.memory is set; allowed is none with method ascent",
        ),
        (
            |a| {
                a.flips = 1;
                a.memory = Some(decoding(Policy::Keep));
            },
            "adversarial.flips is 1; allowed is 2 and more where words are decoded",
        ),
        (
            |a| a.memory.get_or_insert_default().policy = Policy::ZeroConstrained,
            "adversarial.memory.policy is zero-constrained",
        ),
        (
            |a| {
                let memory = a.memory.get_or_insert_default();
                (memory.decode, memory.exposure) = (true, Exposure::LiveBits);
            },
            "adversarial.memory.exposure is",
        ),
    ];
    for (change, expected) in cases {
        let message = options(change).validate().unwrap_err().to_string();
        assert!(message.contains(expected), "{message:?} lacks {expected:?}");
    }
    let both = TrainingOptions {
        perturbation: Some(Default::default()),
        ..options(|_| {})
    };
    let message = both.validate().unwrap_err().to_string();
    assert!(message.contains("beside perturbation"), "{message}");
}
