use super::super::test_network::{memory_in, memory_with};
use super::*;
use brownout_spec::code::{CodeName, Policy, Storage};

fn replayed(attacked: &Attacked, memory: &StoredMemory) -> Result<Attacked, ReplayError> {
    let network = &trained().1;
    let stored = network.stored();
    let mut batch = glyph_batch(32, attacked.log.seed);
    if attacked.log.method == "bfa" {
        batch.predict(network.into(), &stored);
    }
    let weights = (memory, &stored);
    replay(&attacked.log, network.into(), weights, &mut batch, None)
}

/// Fails unless a replay has done what the attack did.
fn assert_same(replayed: &Attacked, attacked: &Attacked, what: &str) {
    assert_eq!(replayed.log, attacked.log, "{what}");
    assert_eq!(replayed.weights, attacked.weights, "{what}");
    assert_eq!(replayed.accuracy, attacked.accuracy, "{what}");
    assert_eq!(replayed.success, attacked.success, "{what}");
    let counts = |a: &Attacked| (a.inverted, a.weight_bits, a.iterations);
    assert_eq!(counts(replayed), counts(attacked), "{what}");
    assert!(attacked.log.flips.iter().any(|f| f.loss.is_some()));
}

const MEMORIES: [(CodeName, Policy); 3] = [
    (CodeName::None, Policy::Keep),
    (CodeName::Secded72_64, Policy::Zero),
    (CodeName::Inplace64_57, Policy::Keep),
];

#[test]
fn a_replayed_log_gives_the_same_weights_and_the_same_log_to_the_bit() {
    let network = &trained().1;
    for (code, policy) in MEMORIES {
        let memory = memory_with(network, code, policy);
        for mut attacked in [
            run_bfa(&memory, &bfa_options(9)),
            run_random(&memory, 200, 3),
        ] {
            // Also after a journey through a file.
            let text = serde_json::to_string_pretty(&attacked.log).unwrap();
            attacked.log = serde_json::from_str(&text).unwrap();
            let replayed = replayed(&attacked, &memory).unwrap();
            assert_same(&replayed, &attacked, code.as_str());
        }
    }
}

#[test]
fn an_attack_is_the_same_in_plain_words_and_in_a_coset_and_either_replays_the_other() {
    let network = &trained().1;
    for (code, policy) in MEMORIES {
        let [plain, coset] = Storage::ALL.map(|storage| memory_in(network, code, policy, storage));
        for attack in [
            |memory: &StoredMemory| run_bfa(memory, &bfa_options(9)),
            |memory: &StoredMemory| run_random(memory, 200, 3),
        ] {
            let [old, mut new] = [&plain, &coset].map(attack);
            // A log of the time before there was a coset does not say which one it is.
            let text = serde_json::to_string(&old.log.memory).unwrap();
            assert!(!text.contains("coset"), "{text}");
            new = replayed(&new, &plain).unwrap();
            assert_same(&new, &old, code.as_str());
            new = replayed(&old, &coset).unwrap();
            new.log.memory = old.log.memory;
            assert_same(&new, &old, code.as_str());
        }
    }
}

#[test]
fn a_replayed_targeted_attack_gives_the_same_weights_losses_and_measurements() {
    let (split, network) = trained();
    let stored = network.stored();
    let table = network.model.input.rounded_table();
    for (code, policy) in MEMORIES {
        let memory = memory_with(network, code, policy);
        for kind in KINDS {
            let options = targeted_options(kind, 3, 4);
            let attacked = run_targeted(&memory, &options);
            let success = options.success_images(&split.test);
            let measurement = Measurement {
                table: &table,
                accuracy: &split.test,
                success: Some(&success),
            };
            let (mut batch, weights) = (targeted_batch(&options), (&memory, &stored));
            let (log, victim) = (&attacked.log, network.into());
            let replayed = replay(log, victim, weights, &mut batch, Some(measurement));
            let what = format!("{code}, {kind:?}");
            assert_same(&replayed.unwrap(), &attacked, &what);
            assert!(attacked.success.is_some(), "{what}");
        }
    }
}

#[test]
fn a_log_of_other_weights_or_another_memory_is_refused() {
    let network = &trained().1;
    let memory = memory_with(network, CodeName::None, Policy::Keep);
    let good = run_bfa(&memory, &bfa_options(4));
    let message = |change: &dyn Fn(&mut Attacked)| {
        let mut bad = good.clone();
        change(&mut bad);
        replayed(&bad, &memory).unwrap_err().to_string()
    };
    let before = message(&|a| a.log.flips[1].weight.as_mut().unwrap().before ^= 1);
    assert!(
        before.starts_with("flip 2 is logged as one of bit"),
        "{before}"
    );
    let after = message(&|a| a.log.flips[1].weight.as_mut().unwrap().after ^= 1);
    assert!(
        after.starts_with("flip 2 is logged as one of bit"),
        "{after}"
    );
    let place = message(&|a| a.log.flips[0].cell.word.0 ^= 1);
    assert!(
        place.starts_with("flip 1 is logged as one of bit"),
        "{place}"
    );
    let missing = message(&|a| a.log.flips[0].weight = None);
    assert!(
        missing.starts_with("flip 1 is logged as one of no weight"),
        "{missing}"
    );
    let outside = message(&|a| a.log.flips[2].cell.lane.0 = 64);
    assert!(outside.contains("lane 64"), "{outside}");
    let beyond = message(&|a| a.log.flips[2].cell.word.0 = u32::MAX);
    assert!(beyond.contains("word 4294967295"), "{beyond}");
    let rules = message(&|a| a.log.memory.code = CodeName::Secded72_64);
    assert!(rules.contains("secded-72-64"), "{rules}");
    let policy = message(&|a| a.log.memory.policy = Policy::Zero);
    assert!(policy.contains("policy zero"), "{policy}");
}

#[test]
fn the_log_names_each_weight_and_what_became_of_it() {
    let network = &trained().1;
    let memory = memory_with(network, CodeName::None, Policy::Keep);
    let attacked = run_bfa(&memory, &bfa_options(5));
    let stored = network.stored();
    for flip in &attacked.log.flips {
        let weight = flip.weight.as_ref().unwrap();
        assert_eq!(weight.before ^ weight.after, (1i16 << weight.bit) as i8);
        let [o, i, y, x] = weight.place;
        assert_eq!(
            stored.0[weight.layer].as_ref().unwrap()[(o, y, x, i)],
            weight.before
        );
        assert_eq!(
            network.model.architecture.network.layers[weight.layer].name,
            weight.name
        );
    }
    let csv = AttackLog::to_csv(&[&attacked.log]);
    let lines: Vec<&str> = csv.lines().collect();
    assert_eq!(lines.len(), attacked.log.flips.len() + 1);
    let columns = lines[0].split(',').count();
    assert!(
        lines.iter().all(|l| l.split(',').count() == columns),
        "{csv}"
    );
    let first = attacked.log.flips[0].weight.as_ref().unwrap();
    let words: Vec<&str> = lines[1].split(',').collect();
    assert_eq!(words[5], first.name);
    assert_eq!(words[13], first.after.to_string());
    assert_eq!(words[14], "undetected");
}

#[test]
fn a_flip_of_a_check_bit_beside_the_weights_is_of_no_weight() {
    let network = &trained().1;
    let memory = memory_with(network, CodeName::Secded72_64, Policy::Keep);
    let attacked = run_bfa(&memory, &bfa_options(40));
    let checks = attacked.log.flips.iter().filter(|f| f.cell.lane.0 >= 64);
    for flip in checks {
        assert_eq!(flip.weight, None);
    }
    let mut log = attacked.log;
    log.flips.truncate(1);
    log.flips[0].weight = None;
    let csv = AttackLog::to_csv(&[&log, &log]);
    let counts: Vec<usize> = csv.lines().map(|l| l.split(',').count()).collect();
    assert_eq!(counts.len(), 3, "one header");
    assert!(counts.iter().all(|&c| c == counts[0]), "{csv}");
}
