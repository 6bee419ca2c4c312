//! What is emitted for whole accelerators.

use brownout_hdl::emit::Origin;
use brownout_hdl::generate;
use brownout_spec::code::{CodeName, Storage};
use brownout_spec::config::{Configuration, Depths, VoltageModelChoice, WeightBits};
use std::collections::BTreeSet;

fn configuration(rows: usize, columns: usize, code: CodeName, bits: WeightBits) -> Configuration {
    Configuration {
        name: "brownout".into(),
        rows,
        columns,
        weight_bits: bits,
        code,
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

/// Every shape of tile and word: several rows a word, one, several words a row; all codes.
fn configurations() -> Vec<Configuration> {
    let without = Configuration {
        fault_emulation: false,
        ..configuration(8, 8, CodeName::None, WeightBits::Eight)
    };
    vec![
        configuration(4, 4, CodeName::None, WeightBits::Four),
        configuration(8, 4, CodeName::Secded72_64, WeightBits::Eight),
        configuration(8, 8, CodeName::Inplace64_57, WeightBits::Eight),
        configuration(4, 16, CodeName::Inplace64_57, WeightBits::Four),
        configuration(16, 8, CodeName::Inplace32_26, WeightBits::Four),
        without,
    ]
}

#[test]
fn every_configuration_is_emitted_twice_to_the_same_bytes() {
    for c in configurations() {
        assert_eq!(generate(&c).unwrap().text(), generate(&c).unwrap().text());
    }
}

#[test]
fn there_is_one_module_per_kind_and_no_dollar_in_a_name() {
    for c in configurations() {
        let emitted = generate(&c).unwrap();
        let names: BTreeSet<&str> = emitted.modules.iter().map(|m| m.name.as_str()).collect();
        assert_eq!(names.len(), emitted.modules.len());
        let bodies: BTreeSet<String> = emitted
            .modules
            .iter()
            .map(|m| m.text.replacen(&m.name, "", 2))
            .collect();
        assert_eq!(
            bodies.len(),
            emitted.modules.len(),
            "two names for one text"
        );
        assert!(names.iter().all(|n| !n.contains('$')));
        let array = emitted
            .modules
            .iter()
            .find(|m| m.name == "brownout_array")
            .unwrap();
        let is_cell = |place: &&(String, String)| place.1.ends_with("].pe");
        assert_eq!(
            array.places.iter().filter(is_cell).count(),
            c.rows * c.columns,
            "one instance per cell"
        );
        let text = emitted.text();
        assert_eq!(
            text.matches("brownout_pe pe (").count(),
            1,
            "all of one kind, in one loop"
        );
    }
}

#[test]
fn memories_and_the_wide_multiplier_are_the_only_leaves() {
    for c in configurations() {
        for module in generate(&c).unwrap().modules {
            let leaf = module.name.contains("_memory_") || module.name.ends_with("_multiplier");
            assert_eq!(module.origin == Origin::Leaf, leaf, "{}", module.name);
        }
    }
}

#[test]
fn every_memory_frees_each_tool_from_emulating_collisions_and_only_deep_ones_insist_on_blocks() {
    for c in configurations() {
        for module in generate(&c).unwrap().modules {
            let Some((_, size)) = module.name.split_once("_memory_") else {
                assert!(!module.text.contains("no_rw_check"), "{}", module.name);
                continue;
            };
            let words: usize = size.split('x').next().unwrap().parse().unwrap();
            let attributes = "ramstyle = \"no_rw_check\", no_rw_check *)";
            assert!(module.text.contains(attributes), "{}", module.name);
            let asks = module.text.contains("(* ram_style = \"block\", ");
            assert_eq!(asks, words > 64, "{}", module.name);
        }
    }
}

#[test]
fn nothing_of_the_fault_emulation_is_left_when_it_is_not_built_in() {
    let with = configuration(8, 8, CodeName::None, WeightBits::Eight);
    let without = Configuration {
        fault_emulation: false,
        ..with.clone()
    };
    for word in ["fault_", "cipher", "voltage_", "seed"] {
        let has = |c: &Configuration| {
            let emitted = generate(c).unwrap();
            emitted.modules.iter().any(|m| m.text.contains(word))
        };
        assert!(has(&with), "{word}");
        assert!(!has(&without), "{word}");
    }
}

#[test]
fn the_array_in_the_readme_is_the_emitted_one() {
    let read = |path: &str| {
        let path = format!("{}/../{path}", env!("CARGO_MANIFEST_DIR"));
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
    };
    let default = Configuration::from_toml(&read("sw/cli/configurations/default.toml"))
        .expect("the default configuration is valid");
    let emitted = generate(&default).expect("the default configuration is emitted");
    let array = emitted.modules.iter().find(|m| m.name == "brownout_array");
    let readme = read("README.md");
    let shown = readme.split_once("```verilog\n").map(|(_, rest)| rest);
    let shown = shown.and_then(|rest| rest.split_once("```"));
    assert_eq!(
        shown.expect("the README shows a module").0,
        array.expect("an accelerator has an array").text
    );
}

#[test]
fn an_accelerator_of_64_rows_and_columns_has_few_lines_and_its_array_fewer() {
    let large = configuration(64, 64, CodeName::Inplace64_57, WeightBits::Eight);
    let emitted = generate(&large).expect("the configuration is valid");
    let array = emitted.modules.iter().find(|m| m.name == "brownout_array");
    let array = array.expect("an accelerator has an array");
    assert!(emitted.text().lines().count() <= 6_000);
    assert!(emitted.module_file(array).lines().count() <= 250);
}
