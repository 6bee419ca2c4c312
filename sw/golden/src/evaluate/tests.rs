use super::statistics::Bootstrap;
use super::*;
use crate::data::{Dataset, glyph};
use crate::evaluate::reader::Reader;
use crate::export::export;
use crate::float::FloatModel;
use crate::infer::IntegerNetwork;
use crate::model::InputMap;
use crate::network::Builtin;
use crate::quantize::{BitWidth, Exposure};
use crate::quantized::{MemoryRules, QuantizedNetwork};
use crate::train::{QuantizerName, TrainingOptions, train};
use brownout_spec::code::{CodeName, Policy, Storage};
use brownout_spec::fault::profile::Profile;
use brownout_spec::fault::{ChipFaults, FaultMap, FaultMode};
use brownout_spec::program::Shape;
use brownout_spec::quantity::{BitErrorRate, ChipSeed, Pass};
use std::fmt::Write;
use std::sync::OnceLock;

const DIGIT: Shape = Shape {
    height: 28,
    width: 28,
    channels: 1,
};

/// A network that has learnt something, with weights that an in-place code takes.
fn network() -> &'static QuantizedNetwork {
    static NETWORK: OnceLock<QuantizedNetwork> = OnceLock::new();
    NETWORK.get_or_init(|| {
        let start = FloatModel::random(Builtin::Cnn, (DIGIT, 10), InputMap::Halve, 1).unwrap();
        let options = TrainingOptions {
            epochs: 2,
            quiet: true,
            ..TrainingOptions::default()
        };
        let data = glyph::split(1, 1280, 1).train;
        train(start, &data, &options).unwrap().network
    })
}

pub(super) fn integer() -> Subject {
    export(network(), None).unwrap().into()
}

pub(super) fn images(count: usize) -> Dataset {
    glyph::split(1, 0, count).test
}

pub(super) fn plan(code: CodeName, points: Vec<Point>) -> Plan {
    Plan {
        memory: MemoryRules {
            rows: 8,
            columns: 8,
            code,
            storage: Storage::Coset.with(code),
            policy: Policy::Keep,
            exposure: Exposure::WholeLane,
        },
        points,
        chips: Chips {
            first: ChipSeed(100),
            count: 4,
        },
        offsets: 1,
        yield_at: None,
        guarantee: None,
        bootstrap: Bootstrap::default(),
    }
}

fn at(rate: f64, mode: FaultMode) -> Point {
    Point::at_rate(BitErrorRate::new(rate).unwrap(), mode)
}

pub(super) fn run(subject: &Subject, images_: usize, plan: &Plan) -> Evaluation {
    evaluate(subject, &images(images_), plan, || ()).unwrap()
}

#[test]
fn without_faults_every_chip_has_the_clean_error_and_that_is_the_robust_error() {
    for subject in [integer(), network().clone().into()] {
        for mode in [FaultMode::Persistent, FaultMode::Transient] {
            let found = run(
                &subject,
                60,
                &plan(CodeName::Inplace64_57, vec![at(0.0, mode)]),
            );
            let point = &found.points[0];
            assert!(found.clean_error() < 0.5, "{}", found.clean_error());
            assert_eq!(point.error, point.robust_error);
            for chip in &point.chips {
                assert_eq!(chip.wrong, found.clean_wrong);
                let counters = Counters {
                    reads: chip.counters.reads,
                    words: chip.counters.reads * found.memory.0 as u64,
                    ..Counters::default()
                };
                assert_eq!(chip.counters, counters);
            }
        }
    }
}

#[test]
fn the_clean_error_is_what_the_subject_itself_says() {
    let data = images(100);
    let model = export(network(), None).unwrap();
    let correct = IntegerNetwork::undisturbed(&model).count_correct(&data);
    let found = run(
        &model.into(),
        100,
        &plan(CodeName::None, vec![at(0.0, FaultMode::None)]),
    );
    assert_eq!(100 - found.clean_wrong, correct);
    let score = network().score(&network().stored(), &data);
    let found = run(
        &network().clone().into(),
        100,
        &plan(CodeName::None, vec![at(0.0, FaultMode::None)]),
    );
    assert_eq!(100 - found.clean_wrong, score.correct);
}

/// What faulty cells of a plan's memory do in either form of its words.
fn in_both_forms(subject: &Subject, plan: &Plan) -> [Evaluation; 2] {
    Storage::ALL.map(|storage| {
        let mut plan = plan.clone();
        plan.memory.storage = storage;
        run(subject, 60, &plan)
    })
}

#[test]
fn every_figure_of_flips_is_the_same_in_plain_words_and_in_a_coset() {
    let mut flips = String::new();
    for word in 0..200 {
        for lane in 0..word % 6 {
            writeln!(flips, "{word} {} flip", (word * 7 + lane * 11) % 64).unwrap();
        }
    }
    let flips = FaultMap::from_text(&flips).unwrap();
    for subject in [integer(), network().clone().into()] {
        for code in [CodeName::Secded72_64, CodeName::Inplace64_57] {
            let points = vec![
                at(0.0, FaultMode::None),
                at(1e-3, FaultMode::Persistent),
                at(2e-2, FaultMode::Persistent),
                at(2e-2, FaultMode::Transient),
                Point::of_map(flips.clone()),
            ];
            let [plain, coset] = in_both_forms(&subject, &plan(code, points));
            assert_eq!(plain.points, coset.points, "{code}");
            assert!(coset.points[2].counters.miscorrected > 0, "{code}");
        }
    }
}

#[test]
fn what_depends_on_stored_values_differs_between_plain_words_and_a_coset_of_a_code() {
    let profile = "chip2:1.01".parse().unwrap();
    let points = || {
        vec![
            at(2e-2, "stuck-at".parse().unwrap()),
            Point::of_profile(profile, false),
        ]
    };
    for code in [CodeName::Secded72_64, CodeName::Inplace64_57] {
        let [plain, coset] = in_both_forms(&integer(), &plan(code, points()));
        for (plain, coset) in plain.points.iter().zip(&coset.points) {
            assert_ne!(plain.counters, coset.counters, "{code}");
        }
    }
    let [plain, coset] = in_both_forms(&integer(), &plan(CodeName::None, points()));
    assert_eq!(plain.points, coset.points);
}

/// One flipped cell in every word, at another lane each.
fn singles(words: usize, bits: usize) -> FaultMap {
    let mut text = String::new();
    for word in 0..words {
        writeln!(text, "{word} {} flip", word * 7 % bits).unwrap();
    }
    FaultMap::from_text(&text).unwrap()
}

#[test]
fn a_protected_memory_with_one_error_in_every_word_loses_exactly_nothing() {
    let subject = integer();
    let (words, bits) = run(
        &subject,
        1,
        &plan(CodeName::None, vec![at(0.0, FaultMode::None)]),
    )
    .memory;
    let point = || vec![Point::of_map(singles(words, bits))];
    let protected = run(&subject, 100, &plan(CodeName::Inplace64_57, point()));
    let chip = &protected.points[0].chips[0];
    assert_eq!(chip.counters.corrected, words as u64);
    assert_eq!(chip.counters.flipped_bits, words as u64);
    assert_eq!(chip.counters.weight_bit_errors, 0);
    assert_eq!(
        (chip.wrong, chip.wrong_or_clean_wrong),
        (protected.clean_wrong, protected.clean_wrong)
    );
    assert_eq!(protected.points[0].rate_applied, 1.0 / bits as f64);
    // The same cells without a code.
    let plain = run(&subject, 100, &plan(CodeName::None, point()));
    let chip = &plain.points[0].chips[0];
    assert_eq!(chip.counters.undetected, words as u64);
    assert!(chip.wrong > plain.clean_wrong + 10, "{}", chip.wrong);
    assert_eq!((chip.seed, plain.points[0].chips.len()), (None, 1));
}

#[test]
fn a_protected_memory_loses_nothing_at_a_rate_that_only_gives_single_errors() {
    let points = vec![at(1e-4, FaultMode::Persistent)];
    let found = run(&integer(), 60, &plan(CodeName::Inplace64_57, points));
    let counters = found.points[0].counters;
    assert!(counters.corrected > 10, "{counters:?}");
    assert_eq!(counters.corrected, counters.disturbed_words);
    assert_eq!(
        (
            counters.detected,
            counters.miscorrected,
            counters.undetected
        ),
        (0, 0, 0)
    );
    assert_eq!(found.points[0].error.mean, found.clean_error());
    assert_eq!(found.points[0].error.std, 0.0);
}

#[test]
fn integers_and_floating_point_agree_on_nearly_all_disturbed_images() {
    let data = images(200);
    let (a, b) = (integer(), Subject::from(network().clone()));
    assert_eq!(a.tensors(), b.tensors());
    let reader = Reader::new(&a, plan(CodeName::None, vec![]).memory).unwrap();
    let faults = ChipFaults {
        seed: ChipSeed(5),
        mode: FaultMode::Persistent,
        threshold: BitErrorRate::new(2e-3).unwrap().threshold(),
    };
    let (tensors, counters) = reader.read(&reader.memory(faults).unwrap(), Pass(0));
    assert!(counters.weight_bit_errors > 100);
    let classes = [&a, &b].map(|subject| subject.classifier(&data).all(&tensors));
    let equal = classes[0].iter().zip(&classes[1]).filter(|(a, b)| a == b);
    let equal = equal.count();
    assert!(equal >= 196, "{equal} of 200");
    assert_ne!(classes[0], a.classifier(&data).all(reader.stored()));
    for (i, &class) in classes[0].iter().enumerate().take(5) {
        assert_eq!(a.classifier(&data).one(&tensors, data.image(i)), class);
        assert_eq!(
            b.classifier(&data).one(&tensors, data.image(i)),
            classes[1][i]
        );
    }
}

#[test]
fn one_thread_and_three_measure_the_same() {
    let points = vec![
        at(1e-3, FaultMode::Persistent),
        at(1e-3, FaultMode::Transient),
        Point::of_profile(Profile::ALL[1], true),
    ];
    let plan = Plan {
        chips: Chips {
            first: ChipSeed(7),
            count: 2,
        },
        ..plan(CodeName::Inplace64_57, points)
    };
    let with = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        pool.build().unwrap().install(|| run(&integer(), 40, &plan))
    };
    assert_eq!(with(1), with(3));
}

#[test]
fn a_chip_is_the_same_in_any_company() {
    let subject = integer();
    let points = || vec![at(3e-3, FaultMode::Persistent)];
    let many = run(&subject, 50, &plan(CodeName::None, points()));
    let alone = Plan {
        chips: Chips {
            first: ChipSeed(102),
            count: 1,
        },
        ..plan(CodeName::None, points())
    };
    let alone = run(&subject, 50, &alone);
    assert_eq!(alone.points[0].chips[0], many.points[0].chips[2]);
    let seeds: Vec<_> = many.points[0].chips.iter().map(|c| c.seed).collect();
    assert_eq!(seeds, [Some(100), Some(101), Some(102), Some(103)]);
    assert_ne!(
        many.points[0].chips[0].counters,
        many.points[0].chips[1].counters
    );
}

#[test]
fn transient_faults_read_the_memory_for_every_image_and_an_image_keeps_its_number() {
    let subject = integer();
    let plan = plan(CodeName::None, vec![at(1e-3, FaultMode::Transient)]);
    let [few, more] = [20, 40].map(|count| run(&subject, count, &plan));
    let (bits, chip) = (more.memory.0 * more.memory.1, &more.points[0].chips[0]);
    assert_eq!(chip.counters.reads, 40);
    let rate = chip.counters.flipped_bits as f64 / (40 * bits) as f64;
    assert!((rate / 1e-3 - 1.0).abs() < 0.02, "{rate}");
    // The first 20 passes are part of the 40.
    let first = &few.points[0].chips[0];
    assert!(first.wrong <= chip.wrong && chip.wrong <= first.wrong + 20);
    let reader = Reader::new(&subject, plan.memory).unwrap();
    let faults = ChipFaults {
        seed: ChipSeed(100),
        mode: FaultMode::Transient,
        threshold: BitErrorRate::new(1e-3).unwrap().threshold(),
    };
    let memory = reader.memory(faults).unwrap();
    let mut sum = Counters::default();
    (0..20).for_each(|i| sum += reader.read(&memory, Pass(i)).1);
    assert_eq!(sum, first.counters);
}

#[test]
fn the_robust_error_counts_clean_mistakes_too_and_a_half_destroyed_memory_guesses() {
    let points = vec![
        at(2e-3, FaultMode::Persistent),
        at(0.5, FaultMode::Persistent),
    ];
    let found = run(&integer(), 200, &plan(CodeName::None, points));
    for point in &found.points {
        for chip in &point.chips {
            assert!(chip.wrong_or_clean_wrong >= chip.wrong.max(found.clean_wrong));
            assert!(chip.wrong_or_clean_wrong <= chip.wrong + found.clean_wrong);
        }
    }
    let guessing = &found.points[1];
    assert!(
        (0.8..1.0).contains(&guessing.error.mean),
        "{}",
        guessing.error.mean
    );
    assert!(guessing.robust_error.mean > guessing.error.mean);
}

#[test]
fn live_bits_keep_values_in_their_width_and_the_whole_lane_does_not() {
    let width = BitWidth::new(3).unwrap();
    let options = TrainingOptions {
        weight_bits: width,
        quantizer: QuantizerName::Rquant,
        code: CodeName::None,
        ..TrainingOptions::default()
    };
    let data = glyph::split(1, 64, 1).train;
    let subject = Subject::from(network().model.calibrate(&data, &options).unwrap());
    let read = |exposure| {
        let rules = MemoryRules {
            exposure,
            ..plan(CodeName::None, vec![]).memory
        };
        let reader = Reader::new(&subject, rules).unwrap();
        let faults = ChipFaults {
            seed: ChipSeed(1),
            mode: FaultMode::Persistent,
            threshold: BitErrorRate::new(0.1).unwrap().threshold(),
        };
        let (tensors, counters) = reader.read(&reader.memory(faults).unwrap(), Pass(0));
        let weights = reader.stored().iter().flatten().count() as f64;
        let (low, high) = width.range();
        let inside = tensors.iter().flatten().all(|w| (low..=high).contains(w));
        let rate = counters.weight_bit_errors as f64 / weights / f64::from(exposure.bits(width));
        assert!((rate / 0.1 - 1.0).abs() < 0.06, "{exposure}: {rate}");
        inside
    };
    assert!(read(Exposure::LiveBits));
    assert!(!read(Exposure::WholeLane));
    let points = vec![at(0.01, FaultMode::Persistent)];
    let found = run(&subject, 20, &plan(CodeName::None, points));
    assert_eq!(found.points[0].chips.len(), 4);
}

#[test]
fn a_chip_exactly_at_the_bound_is_good() {
    let mut plan = plan(CodeName::None, vec![at(0.0, FaultMode::Persistent)]);
    let clean = run(&integer(), 60, &plan);
    let right = 60 - clean.clean_wrong;
    for (at, good) in [(right as f64 / 60.0, 4), ((right as f64 + 0.5) / 60.0, 0)] {
        plan.yield_at = Some(at);
        let found = run(&integer(), 60, &plan).points[0].good.unwrap();
        assert_eq!((found.good, found.chips), (good, 4));
        assert!(found.interval.low <= found.share && found.share <= found.interval.high);
    }
}

#[test]
fn what_is_not_allowed_is_refused_with_one_sentence() {
    type Change = fn(&mut Plan);
    let cases: [(Change, &str); 9] = [
        (|p| p.chips.count = 0, "chips is 0; allowed is 1 to"),
        (
            |p| p.chips.first = ChipSeed(u64::MAX),
            "first chip is 18446744073709551615",
        ),
        (|p| p.points.clear(), "at least one operating point"),
        (
            |p| p.points[0] = at(0.6, FaultMode::Persistent),
            "rate is 0.6; allowed is 0 to 0.5",
        ),
        (|p| p.points[0] = at(0.1, FaultMode::Map), "mode is map"),
        (|p| p.yield_at = Some(1.5), "yield at is 1.5"),
        (
            |p| p.guarantee = Some(0.0),
            "guarantee is 0; allowed is above 0",
        ),
        (|p| p.offsets = 0, "offsets is 0"),
        (
            |p| p.memory.exposure = Exposure::LiveBits,
            "code inplace-64-57 protects whole words",
        ),
    ];
    let data = images(1);
    for (change, expected) in cases {
        let mut plan = plan(CodeName::Inplace64_57, vec![at(0.0, FaultMode::Persistent)]);
        change(&mut plan);
        let message = evaluate(&integer(), &data, &plan, || ())
            .unwrap_err()
            .to_string();
        assert!(message.contains(expected), "{message:?} lacks {expected:?}");
    }
    let beyond = FaultMap::from_text("1000000 0 flip").unwrap();
    let plan = plan(CodeName::None, vec![Point::of_map(beyond)]);
    let message = evaluate(&integer(), &data, &plan, || ())
        .unwrap_err()
        .to_string();
    assert!(message.contains("address 1000000"), "{message}");
    let message = evaluate(&integer(), &images(0), &plan, || ())
        .unwrap_err()
        .to_string();
    assert!(message.contains("glyphs are 0 of 28x28x1"), "{message}");
}

#[test]
fn files_hold_every_chip_with_all_that_is_needed_to_measure_it_again() {
    let subject = integer();
    let plan = Plan {
        guarantee: Some(0.01),
        yield_at: Some(0.5),
        ..plan(
            CodeName::None,
            vec![
                at(0.0, FaultMode::Persistent),
                at(1e-3, FaultMode::Persistent),
            ],
        )
    };
    let found = run(&subject, 20, &plan);
    let provenance = Provenance {
        brownout: "1.2.3".into(),
        commit: None,
        command: "brownout evaluate \"a,b\"".into(),
        model: "a,b".into(),
        data: "glyphs".into(),
    };
    let record = Record::new(provenance, &subject, &plan, found);
    let csv = record.to_csv();
    let lines: Vec<&str> = csv.lines().collect();
    assert_eq!(lines.len(), 1 + 2 * 4);
    assert!(
        lines[0].starts_with("mode,profile,voltage_mv,rate,rate_applied,"),
        "{}",
        lines[0]
    );
    assert!(
        lines[8].starts_with("persistent,,,0.001,0.00099"),
        "{}",
        lines[8]
    );
    assert!(
        lines[8].ends_with(",glyphs,\"a,b\",\"brownout evaluate \"\"a,b\"\"\",1.2.3,"),
        "{}",
        lines[8]
    );
    let json: serde_json::Value = serde_json::from_str(&record.to_json()).unwrap();
    assert_eq!(json["points"][1]["chips"][3]["seed"], 103);
    assert_eq!(json["protocol"]["code"], "none");
    assert_eq!(json["protocol"]["bootstrap"]["resamples"], 10_000);
    assert_eq!(json["points"][0]["yield"]["chips"], 4);
    assert!(json["points"][1]["guarantee"].as_f64().unwrap() > 1.0);
}
