//! What is emitted around an accelerator for a board.

use brownout_hdl::emit::{Emitted, Origin};
use brownout_hdl::{generate, generate_board};
use brownout_spec::code::{CodeName, Storage};
use brownout_spec::config::{Configuration, Depths, VoltageModelChoice, WeightBits};
use brownout_spec::serial::Board;
use std::collections::BTreeSet;

fn configuration() -> Configuration {
    Configuration {
        name: "lamp".into(),
        rows: 4,
        columns: 4,
        weight_bits: WeightBits::Eight,
        code: CodeName::None,
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
        fault_emulation: false,
        zero_points: false,
        tables: 0,
    }
}

fn board(board: Board) -> Emitted {
    generate_board(&configuration(), board).unwrap_or_else(|e| panic!("{e}"))
}

#[test]
fn a_board_connects_every_port_of_the_accelerator_and_no_other() {
    let accelerator = generate(&configuration()).unwrap();
    let names: BTreeSet<&str> = accelerator
        .top()
        .ports
        .iter()
        .map(|port| port.name.as_str())
        .collect();
    for emitted in Board::ALL.map(board) {
        let text = emitted.text();
        let (_, instance) = text
            .split_once("    lamp accelerator (\n")
            .expect("the accelerator is instantiated under its name");
        let (connections, _) = instance.split_once(");\n").unwrap();
        let connected: BTreeSet<&str> = connections
            .lines()
            .filter_map(|line| line.trim().strip_prefix('.')?.split_once('('))
            .map(|(port, _)| port)
            .collect();
        assert_eq!(connected, names);
    }
}

#[test]
fn a_board_brings_modules_of_its_own_names_and_none_of_the_accelerator() {
    let names = |emitted: &Emitted| -> BTreeSet<String> {
        emitted.modules.iter().map(|m| m.name.clone()).collect()
    };
    let accelerator = names(&generate(&configuration()).unwrap());
    for which in Board::ALL {
        let emitted = board(which);
        assert_eq!(emitted.top().name, format!("lamp_{}", which.name()));
        assert!(names(&emitted).is_disjoint(&accelerator), "{which:?}");
        assert_eq!(names(&emitted).len(), emitted.modules.len());
        let clock = &emitted.top().ports[0].name;
        assert_eq!(clock, which.clock());
    }
}

#[test]
fn the_reset_is_the_only_leaf_and_alone_has_an_initial_value() {
    for emitted in Board::ALL.map(board) {
        for module in &emitted.modules {
            let reset = module.name == "lamp_board_reset";
            assert_eq!(module.origin == Origin::Leaf, reset, "{}", module.name);
            assert_eq!(module.text.contains("initial "), reset, "{}", module.name);
        }
    }
}

#[test]
fn every_board_is_emitted_twice_to_the_same_bytes() {
    for which in Board::ALL {
        assert_eq!(board(which).text(), board(which).text());
    }
}
