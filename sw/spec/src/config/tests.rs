use super::*;

fn example() -> Configuration {
    Configuration {
        name: default_name(),
        rows: 8,
        columns: 8,
        weight_bits: WeightBits::Eight,
        code: CodeName::Inplace64_57,
        storage: Storage::Coset,
        depths: Depths {
            weights: 4096,
            activations: 1024,
            accumulators: 1024,
            parameters: 64,
            layers: 16,
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
fn a_configuration_survives_its_toml_file() {
    let configuration = example();
    assert_eq!(
        Configuration::from_toml(&configuration.to_toml()),
        Ok(configuration)
    );
}

#[test]
fn what_is_not_built_in_is_neither_written_nor_needed() {
    let plain = example().to_toml();
    assert!(!plain.contains("zero_points") && !plain.contains("tables"));
    let both = Configuration {
        zero_points: true,
        tables: 3,
        ..example()
    };
    assert_eq!(Configuration::from_toml(&both.to_toml()), Ok(both));
}

#[test]
fn a_configuration_keeps_256_results_unless_it_says_so() {
    let mut configuration = example();
    let usual = configuration.to_toml();
    assert!(!usual.contains("results"), "{usual}");
    configuration.depths.results = 1000;
    let text = configuration.to_toml();
    assert!(text.contains("results = 1000"), "{text}");
    assert_eq!(Configuration::from_toml(&text), Ok(configuration));
    let read = Configuration::from_toml(&usual).unwrap();
    assert_eq!(read.depths.results, 256);
}

#[test]
fn each_refusal_names_the_field_and_what_is_allowed() {
    type Change = fn(&mut Configuration);
    let cases: [(Change, &str); 10] = [
        (|c| c.rows = 12, "rows is 12"),
        (|c| c.columns = 128, "columns is 128"),
        (
            |c| c.columns = 4,
            "columns is 4; allowed is a multiple of 8",
        ),
        (
            |c| c.code = CodeName::Inplace32_26,
            "weight_bits is 8; allowed is 4",
        ),
        (|c| c.depths.weights = 0, "depths.weights is 0"),
        (
            |c| c.depths.accumulators = (1 << 16) + 1,
            "depths.accumulators",
        ),
        (
            |c| c.depths.results = 1025,
            "depths.results is 1025; allowed is 1 to 1024",
        ),
        (|c| c.tables = 32, "tables is 32; allowed is 0 to 31"),
        (|c| c.name = "8bit".into(), "name is \"8bit\""),
        (
            |c| c.voltage_model = VoltageModelChoice::Finfet14nm,
            "vmin_mv",
        ),
    ];
    for (change, expected) in cases {
        let mut configuration = example();
        change(&mut configuration);
        let message = configuration.validate().unwrap_err().to_string();
        assert!(message.contains(expected), "{message:?} lacks {expected:?}");
    }
}

#[test]
fn an_unknown_field_is_refused_by_name() {
    let text = format!("colour = \"red\"\n{}", example().to_toml());
    let message = Configuration::from_toml(&text).unwrap_err().to_string();
    assert!(message.contains("colour"), "{message}");
}

#[test]
fn a_syntax_error_is_one_sentence_with_the_line() {
    let message = Configuration::from_toml("rows = 8\ncolumns = \n")
        .unwrap_err()
        .to_string();
    assert!(message.contains("line 2"), "{message}");
    assert!(!message.contains('\n'), "{message}");
}

#[test]
fn a_narrow_array_packs_whole_rows_into_a_word() {
    let narrow = Configuration {
        rows: 4,
        columns: 4,
        code: CodeName::None,
        ..example()
    };
    assert_eq!(
        (narrow.words_per_tile(), narrow.rows_per_word()),
        (2, 2),
        "4 x 4 x 8 bits are two words of two rows"
    );
}
