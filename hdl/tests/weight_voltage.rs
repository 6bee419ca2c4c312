//! The voltage ROM in Verilator against the specification's.

#[allow(dead_code)] // no port here has lanes
#[path = "../emitter/tests/bench/mod.rs"]
mod bench;

use bench::Bench;
use brownout_hdl::weight::VoltageRom;
use brownout_spec::config::{Configuration, VoltageModelChoice, VoltagePoint};
use brownout_spec::quantity::Millivolts;
use brownout_spec::voltage::VoltageModel;

/// Clocks from a voltage to its threshold.
const LATENCY: usize = 2;

fn configuration() -> Configuration {
    Configuration::from_toml(
        "rows = 8\ncolumns = 8\nweight_bits = 8\ncode = \"none\"\nvoltage_model = \"fdx-22nm\"\n\
         fault_emulation = true\n[depths]\nweights = 64\nactivations = 64\naccumulators = 64\n\
         parameters = 8\nlayers = 4\n",
    )
    .expect("a valid configuration")
}

fn compare(configuration: &Configuration) {
    let rom = VoltageModel::from_configuration(configuration)
        .expect("a valid model")
        .rom();
    let (inputs, outputs) = (["millivolts".to_string()], ["threshold".to_string()]);
    let Some(bench) = Bench::build(&mut VoltageRom::new(&rom), "rom", &inputs, &outputs) else {
        return;
    };
    let supplies: Vec<u16> = (0..=2100).chain([0x7fff, 0x8000, u16::MAX, 0, 0]).collect();
    let rows: Vec<Vec<u64>> = supplies.iter().map(|&mv| vec![u64::from(mv)]).collect();
    for (&supply, response) in supplies.iter().zip(&bench.run(&rows)[LATENCY..]) {
        let expected = rom.threshold(Millivolts(supply));
        assert_eq!(response[0], u64::from(expected.0), "{supply} mV");
    }
}

#[test]
fn every_millivolt_of_the_22_nm_model_gives_its_threshold_and_others_the_nearest() {
    compare(&configuration());
}

#[test]
fn every_millivolt_of_the_14_nm_model_gives_its_threshold_and_others_the_nearest() {
    compare(&Configuration {
        voltage_model: VoltageModelChoice::Finfet14nm,
        vmin_mv: Some(Millivolts(700)),
        ..configuration()
    });
}

#[test]
fn every_millivolt_of_a_table_gives_its_threshold_and_others_the_nearest() {
    let point = |millivolts, bit_error_rate, relative_energy| VoltagePoint {
        millivolts,
        bit_error_rate,
        relative_energy,
    };
    compare(&Configuration {
        voltage_model: VoltageModelChoice::Table(vec![
            point(500, 0.1, 0.5),
            point(507, 1e-3, 0.6),
            point(520, 0.0, 1.0),
        ]),
        ..configuration()
    });
}
