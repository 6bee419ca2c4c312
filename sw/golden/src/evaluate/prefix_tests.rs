//! Profiled arrays, and networks whose first faulty layer comes late.

use super::statistics::guarantee;
use super::tests::{images, integer, plan, run};
use super::*;
use crate::evaluate::reader::Reader;
use crate::infer::{IntegerNetwork, first_difference};
use brownout_spec::code::CodeName;
use brownout_spec::fault::FaultMap;
use brownout_spec::fault::profile::Profile;
use brownout_spec::quantity::{ChipSeed, Pass};

#[test]
fn profiled_arrays_disturb_half_of_their_rate_at_each_place() {
    let profile = Profile::ALL[0];
    let plan = Plan {
        offsets: 3,
        ..plan(CodeName::None, vec![Point::of_profile(profile, false)])
    };
    let mut calls = 0;
    let found = evaluate(&integer(), &images(20), &plan, || calls += 1).unwrap();
    let point = &found.points[0];
    assert_eq!((point.chips.len(), calls), (12, 12));
    let offsets: Vec<usize> = point.chips.iter().take(3).map(|c| c.offset).collect();
    assert_eq!(offsets, [0, 2048 * 128 / 3, 2048 * 128 * 2 / 3]);
    assert!((point.rate_applied / 0.0274 - 1.0).abs() < 0.02);
    let bits = (found.memory.0 * found.memory.1 * 12) as f64;
    let visible = point.counters.flipped_bits as f64 / bits;
    // Weights are small, so about as many ones as zeros are stored.
    assert!((visible / 0.0137 - 1.0).abs() < 0.15, "{visible}");
}

#[test]
fn places_in_one_array_are_averaged_and_count_as_one_chip() {
    let profile = Profile::ALL[0];
    let with = |count, offsets, yield_at| {
        let points = vec![Point::of_profile(profile, false)];
        let plan = Plan {
            offsets,
            chips: Chips {
                first: ChipSeed(100),
                count,
            },
            yield_at: Some(yield_at),
            guarantee: Some(0.01),
            ..plan(CodeName::None, points)
        };
        run(&integer(), 40, &plan).points.remove(0)
    };
    let one = with(1, 3, 0.0);
    assert_eq!((one.chips.len(), one.good.unwrap().chips), (3, 1));
    assert_eq!((one.error.interval, one.error.std_sample), (None, None));
    let wrong: usize = one.chips.iter().map(|chip| chip.wrong).sum();
    assert_eq!(one.error.mean, wrong as f64 / 120.0);
    assert_eq!(
        (one.error.min, one.error.max),
        (one.error.mean, one.error.mean)
    );
    // The bound is for the average, which the first chip just reaches.
    let two = with(2, 3, (120 - wrong) as f64 / 120.0);
    let seeds: Vec<usize> = two
        .chips
        .chunks(3)
        .map(|c| c.iter().map(|c| c.wrong).sum())
        .collect();
    assert_eq!(seeds[0], wrong);
    assert_eq!(
        two.good.unwrap().good,
        seeds.iter().filter(|s| **s <= wrong).count()
    );
    let mean = (seeds[0] + seeds[1]) as f64 / 240.0;
    assert!((two.error.mean - mean).abs() < 1e-12);
    let deviation = (seeds[0] as f64 - seeds[1] as f64).abs() / 240.0;
    assert!((two.error.std - deviation).abs() < 1e-12);
    let at_most = two.robust_error.mean + guarantee(40, 2, 0.01);
    assert_eq!(two.guarantee, Some(at_most));
}

#[test]
fn weights_that_differ_late_start_at_kept_activations_and_get_the_same_classes() {
    let (subject, data) = (integer(), images(150));
    let Subject::Integer(model) = &subject else {
        unreachable!("it was exported");
    };
    let stored = subject.tensors();
    let whole = |weights: &[Vec<i8>]| IntegerNetwork::new(model, weights).unwrap().classes(&data);
    let changed = |tensor: usize| {
        let mut weights = stored.clone();
        weights[tensor].iter_mut().step_by(3).for_each(|w| *w = !*w);
        weights
    };
    let classifier = subject.classifier(&data);
    assert_eq!(classifier.all(&stored), whole(&stored));
    assert_eq!(classifier.kept_layer(), None, "nothing differs");
    let last = stored.len() - 1;
    let layers: Vec<usize> = (0..=last)
        .map(|t| first_difference(model, &stored, &changed(t)).unwrap())
        .collect();
    // An early difference keeps what there is; one before it replaces it by what serves both.
    for (tensor, kept) in [
        (0, None),
        (last, Some(last)),
        (0, Some(last)),
        (last - 1, Some(last - 1)),
        (last, Some(last - 1)),
    ] {
        let weights = changed(tensor);
        let classes = classifier.all(&weights);
        assert_eq!(classes, whole(&weights), "tensor {tensor}");
        assert_ne!(classes, whole(&stored), "tensor {tensor}");
        assert_eq!(classifier.kept_layer(), kept.map(|t| layers[t]));
    }
}

#[test]
fn a_map_of_the_last_layer_alone_starts_at_kept_activations() {
    let (subject, data) = (integer(), images(60));
    let reader = Reader::new(&subject, plan(CodeName::None, vec![]).memory).unwrap();
    let words = reader.size().0;
    let map = FaultMap::from_text(&format!("{} 7 flip", words - 1)).unwrap();
    let (tensors, _) = reader.read(&reader.memory_with_map(&map).unwrap(), Pass(0));
    let last = reader.stored().len() - 1;
    assert_eq!(tensors[..last], reader.stored()[..last]);
    assert_ne!(tensors[last], reader.stored()[last]);
    let classifier = subject.classifier(&data);
    classifier.all(&tensors);
    assert!(classifier.kept_layer().is_some());
}
