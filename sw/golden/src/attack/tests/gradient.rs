use super::*;
use crate::quantized::StoredWeights;

#[test]
fn bfa_raises_its_loss_in_every_iteration() {
    let memory = memory(&trained().1, "none");
    let attacked = run_bfa(&memory, &bfa_options(12));
    let losses = attacked.log.flips.iter().filter_map(|f| f.loss);
    let losses: Vec<f32> = [attacked.log.clean_loss]
        .into_iter()
        .chain(losses)
        .collect();
    assert!(losses.len() > 4, "{losses:?}");
    assert!(losses.windows(2).all(|l| l[0] < l[1]), "{losses:?}");
}

#[test]
fn bfa_needs_far_fewer_flips_than_random_bits_for_the_same_loss() {
    let memory = memory(&trained().1, "none");
    let guided = run_bfa(&memory, &bfa_options(10));
    let random = run_random(&memory, 100, 1);
    assert!(
        last_loss(&guided) > 2.0 * last_loss(&random),
        "{guided:?} {random:?}"
    );
}

#[test]
fn bfa_breaks_a_network_and_says_so() {
    let (split, network) = trained();
    let memory = memory(network, "none");
    let mut batch = glyph_batch(32, 1);
    let table = network.model.input.rounded_table();
    let measurement = Measurement {
        table: &table,
        accuracy: &split.test,
        success: None,
    };
    let options = BfaOptions {
        limits: Limits {
            accuracy: Some(0.2),
            ..limits(200)
        },
        ..BfaOptions::default()
    };
    let weights = (&memory, &network.stored());
    let attacked = bfa(
        network.into(),
        weights,
        &mut batch,
        &options,
        Some(measurement),
    )
    .unwrap();
    let (before, after) = attacked.accuracy.unwrap();
    assert_eq!(attacked.stop, Stop::Accuracy);
    assert!(before > 0.9 && after <= 0.2, "{before} {after}");
    assert_eq!(
        after,
        network.score(&attacked.weights, &split.test).accuracy()
    );
    assert_eq!(attacked.inverted, attacked.weight_bits);
    assert_eq!(
        attacked.inverted,
        attacked
            .weights
            .hamming_distance(&network.stored(), u8::MAX)
    );
}

#[test]
fn where_nothing_has_a_gradient_bfa_says_so_and_the_variant_of_wcat_goes_on() {
    let (_, network) = trained();
    let mut dead = network.clone();
    for layer in dead.model.parameters.layers.iter_mut().flatten() {
        // The last layer's bias decides, and no weight has a say: all activations are zero.
        layer.bias.fill(-1e3);
    }
    let memory = memory(&dead, "none");
    let run = |zero| {
        let options = BfaOptions {
            zero,
            ..bfa_options(5)
        };
        let mut batch = glyph_batch(16, 1);
        let weights = (&memory, &dead.stored());
        bfa((&dead).into(), weights, &mut batch, &options, None).unwrap()
    };
    assert_eq!(run(ZeroGradient::Skip).stop, Stop::NoGradient);
    assert!(run(ZeroGradient::Skip).log.flips.is_empty());
    // A flip that changes nothing does not raise the loss either; but it has been tried.
    assert_eq!(run(ZeroGradient::Random).stop, Stop::NoGain);
}

#[test]
fn predicted_labels_are_those_of_the_clean_network() {
    let network = &trained().1;
    let mut wrong = glyph_batch(32, 1);
    wrong.labels.iter_mut().for_each(|l| *l = (*l + 1) % 10);
    let memory = memory(network, "none");
    let clean = |batch: &mut Batch, labels| {
        let options = BfaOptions {
            labels,
            ..bfa_options(1)
        };
        let weights = (&memory, &network.stored());
        let attacked = bfa(network.into(), weights, batch, &options, None).unwrap();
        attacked.log.clean_loss
    };
    assert!(clean(&mut wrong, Labels::True) > 2.0);
    assert!(clean(&mut wrong, Labels::Predicted) < 0.5);
}

#[test]
fn an_n_to_1_attack_moves_every_image_into_the_target_class() {
    let memory = memory(&trained().1, "none");
    let attacked = run_targeted(&memory, &targeted_options(Kind::NToOne, 3, 60));
    let (before, after) = attacked.success.unwrap();
    assert!(
        before < 0.2 && after > 0.95,
        "{before} {after}: {:?}",
        attacked.stop
    );
}

#[test]
fn a_1_to_1_attack_moves_the_source_class_and_a_stealthy_one_spares_the_others() {
    let memory = memory(&trained().1, "none");
    let sources = [0, 1, 2, 4];
    let kept = |kind: &dyn Fn(u16) -> Kind| {
        let of_source = |&source: &u16| {
            let options = targeted_options(kind(source), source + 1, 40);
            let attacked = run_targeted(&memory, &options);
            let (before, after) = attacked.success.unwrap();
            assert!(before < 0.1 && after > 0.75, "{source}: {before} {after}");
            attacked.accuracy.unwrap().1
        };
        sources.iter().map(of_source).sum::<f64>() / sources.len() as f64
    };
    let stealthy = |gradient| kept(&move |source| Kind::Stealthy { source, gradient });
    let open = kept(&|source| Kind::OneToOne { source });
    let published = stealthy(StealthGradient::Published);
    let corrected = stealthy(StealthGradient::Corrected);
    assert!(open + 0.05 < published, "{open} {published}");
    assert!(published + 0.05 < corrected, "{published} {corrected}");
}

#[test]
fn a_targeted_attack_takes_one_bit_an_iteration() {
    let memory = memory(&trained().1, "none");
    let attacked = run_targeted(&memory, &targeted_options(Kind::NToOne, 3, 4));
    let iterations: Vec<usize> = attacked.log.flips.iter().map(|f| f.iteration).collect();
    assert_eq!(iterations, (1..=attacked.iterations).collect::<Vec<_>>());
    assert!(attacked.iterations > 1);
}

#[test]
fn the_published_stealth_gradient_is_blind_to_the_others_and_the_corrected_one_is_not() {
    let (split, network) = trained();
    let table = network.model.input.rounded_table();
    let weights = |gradient| {
        let options = TargetedOptions {
            kind: Kind::Stealthy {
                source: 2,
                gradient,
            },
            target: 1,
            limits: limits(1),
            seed: 1,
        };
        options.batch(&network.into(), &table, &split.train, 20)
    };
    let published = weights(StealthGradient::Published);
    let corrected = weights(StealthGradient::Corrected);
    assert_eq!(published.loss_weights, corrected.loss_weights);
    assert_eq!(published.labels[..20], [1; 20]);
    assert!(published.gradient_weights[20..].iter().all(|&w| w == 0.0));
    assert_eq!(corrected.gradient_weights, corrected.loss_weights);
    let sum: f64 = corrected.loss_weights.iter().sum();
    assert!((sum - 2.0).abs() < 1e-12, "the mean over either");
}

#[test]
fn adversarial_bits_are_exactly_as_many_and_worse_than_random_ones() {
    let network = &trained().1;
    let victim = Victim::from(network);
    let memory = memory(network, "none");
    let stored = network.stored();
    let loss = |weights: &StoredWeights| {
        let mut batch = glyph_batch(32, 7);
        batch.probe(victim).loss(&weights.values(victim.grids))
    };
    for search in [Search::Progressive, Search::OneShot] {
        for flips in [1, 2, 5, 30] {
            let options = FlipOptions {
                flips,
                search,
                top: Some(10),
            };
            let mut batch = glyph_batch(32, 7);
            let labels = batch.labels.clone();
            let images = (&mut batch.chunks[..], &labels[..]);
            let found = adversarial_flips(victim, (&memory, &stored), images, &options).unwrap();
            assert_eq!(
                found.hamming_distance(&stored, u8::MAX),
                flips as u64,
                "{search:?}"
            );
            let random: f64 = (0..5)
                .map(|seed| loss(&run_random(&memory, flips, seed).weights) / 5.0)
                .sum();
            assert!(loss(&found) > random, "{search:?}, {flips}");
        }
    }
}

#[test]
fn ascent_stays_within_its_hamming_distance_one_bit_a_weight_and_beats_random_bits() {
    let network = &trained().1;
    let victim = Victim::from(network);
    let stored = network.stored();
    let memory = memory(network, "none");
    let loss = |weights: &StoredWeights| {
        let mut batch = glyph_batch(32, 7);
        batch.probe(victim).loss(&weights.values(victim.grids))
    };
    for (flips, steps) in [(1, 3), (10, 5), (40, 10)] {
        let options = AscentOptions {
            flips,
            steps,
            rate: 1.0,
            seed: 3,
        };
        let mut batch = glyph_batch(32, 7);
        let labels = batch.labels.clone();
        let found = ascent(victim, &stored, (&mut batch.chunks, &labels), &options);
        let distance = found.hamming_distance(&stored, u8::MAX);
        assert!(
            (1..=flips as u64).contains(&distance),
            "{distance} of {flips}"
        );
        let pairs = found.0.iter().flatten().zip(stored.0.iter().flatten());
        let mut bits = pairs.flat_map(|(a, b)| a.iter().zip(b));
        assert!(bits.all(|(a, b)| (a ^ b).count_ones() <= 1));
        let random = run_random(&memory, flips, 3);
        assert!(loss(&found) > loss(&random.weights), "{flips}");
    }
}
