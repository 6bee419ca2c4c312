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
