//! Deliberate mistakes are printed beside what they replace, in every module.

use brownout_hdl::emit::{Mistake, MutationPlan, SELECT};
use brownout_hdl::generate::{generate, generate_mutants};
use brownout_spec::code::{CodeName, Storage};
use brownout_spec::config::{Configuration, Depths, VoltageModelChoice, WeightBits};
use std::collections::{BTreeMap, BTreeSet};

const PLAN: MutationPlan = MutationPlan {
    count: 300,
    seed: 1,
};

fn configuration() -> Configuration {
    Configuration {
        name: "brownout".into(),
        rows: 4,
        columns: 8,
        weight_bits: WeightBits::Eight,
        code: CodeName::Inplace64_57,
        storage: Storage::Coset,
        depths: Depths {
            weights: 512,
            activations: 256,
            accumulators: 128,
            parameters: 32,
            layers: 8,
            results: Depths::RESULTS,
        },
        voltage_model: VoltageModelChoice::Fdx22nm,
        vmin_mv: None,
        fault_emulation: true,
        zero_points: false,
        tables: 0,
    }
}

#[test]
fn the_design_without_mutants_is_printed_as_ever() {
    let mutated = generate_mutants(&configuration(), PLAN).unwrap();
    let plain = generate(&configuration()).unwrap();
    assert_eq!(mutated.original, plain);
    assert!(!plain.text().contains(SELECT));
}

#[test]
fn every_module_and_every_kind_of_mistake_has_mutants() {
    let mutated = generate_mutants(&configuration(), PLAN).unwrap();
    assert_eq!(mutated.mutants.len(), PLAN.count);
    let mut modules: BTreeMap<&str, usize> = BTreeMap::new();
    for mutant in &mutated.mutants {
        *modules.entry(&mutant.module).or_default() += 1;
    }
    assert_eq!(modules.len(), mutated.design.modules.len());
    assert!(modules.values().all(|&count| count >= 3), "{modules:?}");
    let mistakes: BTreeSet<Mistake> = mutated.mutants.iter().map(|m| m.mistake).collect();
    assert_eq!(mistakes.len(), 7, "{mistakes:?}");
}

#[test]
fn every_mutant_has_its_place_in_the_design_and_a_text_of_its_own() {
    let mutated = generate_mutants(&configuration(), PLAN).unwrap();
    let mut texts = BTreeSet::new();
    for mutant in &mutated.mutants {
        let named = |m: &&brownout_hdl::emit::Module| m.name == mutant.module;
        let design = mutated.design.modules.iter().find(named).unwrap();
        let original = mutated.original.modules.iter().find(named).unwrap();
        let number = format!("{SELECT} == 16'd{})", mutant.number);
        let dropped = format!("{SELECT} != 16'd{})", mutant.number);
        let places = design.text.matches(&number).count() + design.text.matches(&dropped).count();
        assert!(places >= 1, "{} of {}", mutant.number, mutant.module);
        assert_ne!(mutant.text, original.text);
        assert!(texts.insert(&mutant.text), "{} twice", mutant.after);
        assert!(!mutant.text.contains(SELECT));
        let line = original.text.lines().nth(mutant.line - 1).unwrap();
        assert!(mutant.before.is_empty() || mutant.before.starts_with(line.trim()));
    }
}

#[test]
fn the_seed_alone_decides_which_mutants_there_are() {
    let of = |seed| {
        let plan = MutationPlan { count: 60, seed };
        generate_mutants(&configuration(), plan).unwrap()
    };
    let (first, again, other) = (of(1), of(1), of(2));
    assert_eq!(first.mutants, again.mutants);
    assert_eq!(first.design, again.design);
    assert_ne!(first.mutants, other.mutants);
}
