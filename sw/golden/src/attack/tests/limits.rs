use super::super::test_network::memory_with;
use super::*;
use brownout_spec::code::{CodeName, Policy};

#[test]
fn no_attack_ever_inverts_more_cells_than_it_may() {
    let network = &trained().1;
    for (code, policy) in [
        (CodeName::None, Policy::Keep),
        (CodeName::Secded72_64, Policy::Keep),
        (CodeName::Inplace64_57, Policy::Zero),
    ] {
        let memory = memory_with(network, code, policy);
        for flips in [1, 2, 3, 5, 8] {
            let greedy = BfaOptions {
                most_bits: 50,
                seed: flips as u64,
                ..bfa_options(flips)
            };
            let of_kind = |kind| {
                let options = TargetedOptions {
                    limits: limits(flips),
                    ..targeted_options(kind, 3, 0)
                };
                run_targeted(&memory, &options)
            };
            let others = [run_bfa(&memory, &greedy), run_random(&memory, flips, 1)];
            for attacked in others.into_iter().chain(KINDS.map(of_kind)) {
                let log = &attacked.log;
                assert!(log.flips.len() <= flips, "{} {code}", log.method);
                assert!(attacked.inverted <= log.flips.len() as u64);
            }
        }
    }
    // With a code a single cell buys nothing, and none is spent.
    let memory = memory_with(network, CodeName::Secded72_64, Policy::Keep);
    let single = |kind| TargetedOptions {
        limits: limits(1),
        ..targeted_options(kind, 3, 0)
    };
    let targeted = KINDS.map(|kind| run_targeted(&memory, &single(kind)));
    for attacked in targeted
        .into_iter()
        .chain([run_bfa(&memory, &bfa_options(1))])
    {
        let flips = attacked.log.flips.len();
        assert_eq!((attacked.stop, flips), (Stop::Flips, 0));
        assert_eq!(attacked.weights, network.stored());
    }
}

#[test]
fn the_same_seed_gives_the_same_log_on_any_number_of_threads_and_another_one_another() {
    let memory = memory(&trained().1, "none");
    let run = |threads: usize, seed: u64| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        pool.build().unwrap().install(|| {
            let options = BfaOptions {
                seed,
                ..bfa_options(6)
            };
            (
                run_bfa(&memory, &options).log,
                run_random(&memory, 30, seed).log,
            )
        })
    };
    assert_eq!(run(1, 5), run(3, 5));
    let (one, other) = (run(1, 5), run(1, 6));
    assert_ne!(one.0.flips, other.0.flips);
    assert_ne!(one.1.flips, other.1.flips);
}

#[test]
fn a_bit_flipped_twice_is_in_the_log_twice_and_in_the_distance_not_at_all() {
    let network = &trained().1;
    let memory = memory(network, "none");
    let mut attacked = AttackedMemory::new(network.into(), &memory, network.stored()).unwrap();
    let bit = brownout_spec::image::WeightBit {
        layer: 0,
        index: 3,
        bit: 7,
    };
    let cell = attacked.locate(bit).unwrap();
    attacked.flip(cell);
    assert_eq!(attacked.inverted(), 1);
    attacked.flip(cell);
    assert_eq!(attacked.inverted(), 0);
    assert_eq!(*attacked.read(), network.stored());
    // So with many draws out of few bits: more flips than cells differ.
    let many = run_random(&memory, 4000, 2);
    assert_eq!(many.log.flips.len(), 4000);
    assert!(many.inverted < 4000);
    assert_eq!(
        many.inverted,
        many.weights.hamming_distance(&network.stored(), u8::MAX)
    );
}

#[test]
fn iterations_are_limited_too() {
    let memory = memory(&trained().1, "none");
    let options = BfaOptions {
        limits: Limits {
            iterations: 2,
            ..limits(100)
        },
        ..BfaOptions::default()
    };
    let attacked = run_bfa(&memory, &options);
    assert_eq!((attacked.stop, attacked.iterations), (Stop::Iterations, 2));
}

#[test]
fn an_aim_that_is_met_before_the_first_flip_costs_no_flip() {
    let (split, network) = trained();
    let memory = memory_with(network, CodeName::None, Policy::Keep);
    let table = network.model.input.rounded_table();
    // Test images of one class: who always says that one is right in all.
    let ones = targeted_options(Kind::OneToOne { source: 1 }, 1, 3).success_images(&split.test);
    let measurement = |success| {
        Some(Measurement {
            table: &table,
            accuracy: &ones,
            success,
        })
    };
    let met = Limits {
        accuracy: Some(1.0),
        ..limits(5)
    };
    let stored = network.stored();
    let weights = (&memory, &stored);
    let of_bfa = BfaOptions {
        limits: met,
        ..BfaOptions::default()
    };
    let of_random = RandomOptions {
        draw: Draw::AllBits,
        every: 10,
        limits: met,
        seed: 1,
    };
    let victim = || Victim::from(network);
    let (mut one, mut other) = (glyph_batch(32, 1), glyph_batch(32, 1));
    let attacks = [
        bfa(victim(), weights, &mut one, &of_bfa, measurement(None)).unwrap(),
        random(victim(), weights, &mut other, &of_random, measurement(None)).unwrap(),
    ];
    for attacked in attacks {
        assert_eq!(
            (attacked.stop, attacked.log.flips.len()),
            (Stop::Accuracy, 0)
        );
        assert_eq!((attacked.inverted, attacked.iterations), (0, 0));
        assert_eq!(attacked.weights, stored);
    }
    // All images that are to be misled are in the target class already.
    let options = targeted_options(Kind::NToOne, 1, 3);
    let right = ones.labels.len();
    let attacked = targeted(
        victim(),
        weights,
        &mut targeted_batch(&options),
        &options,
        measurement(Some(&ones)),
    )
    .unwrap();
    let share = attacked.success.unwrap().0;
    assert!(share > 0.9 && right > 0, "{share} of {right}");
    let is_met = share > 0.9999;
    assert_eq!(attacked.log.flips.is_empty(), is_met, "{share}");
    assert_eq!(
        attacked.stop == Stop::Success && attacked.iterations == 0,
        is_met
    );
}
