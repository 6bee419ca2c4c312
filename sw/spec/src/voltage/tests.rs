//! Claims about the models behind one interface.

use super::*;
use crate::config::VoltagePoint;

fn models() -> [VoltageModel; 3] {
    let row = |millivolts, bit_error_rate, relative_energy| VoltagePoint {
        millivolts,
        bit_error_rate,
        relative_energy,
    };
    let rows = [
        row(550, 1.0, 0.5),
        row(600, 0.03, 0.6),
        row(650, 0.03, 0.7),
        row(700, 1e-9, 0.8),
        row(750, 0.0, 0.9),
        row(800, 0.0, 1.0),
    ];
    [
        VoltageModel::Fdx22nm(Fdx22nm),
        VoltageModel::Finfet14nm(Finfet14nm::new(Millivolts(853)).unwrap()),
        VoltageModel::Table(UserTable::new(&rows).unwrap()),
    ]
}

#[test]
fn every_rom_covers_its_range_and_never_rises() {
    for model in models() {
        let (lowest, highest) = model.range();
        let rom = model.rom();
        assert_eq!((rom.first, rom.last()), (lowest, highest));
        assert!(rom.thresholds.is_sorted_by(|a, b| a >= b), "{model:?}");
        assert_eq!(*rom.thresholds.last().unwrap(), Threshold(0), "{model:?}");
    }
}

#[test]
fn a_rom_saturates_at_both_ends() {
    let rom = models()[0].rom();
    assert_eq!(rom.threshold(Millivolts(0)), rom.thresholds[0]);
    assert_eq!(rom.threshold(Millivolts(335)), rom.thresholds[0]);
    assert_eq!(rom.threshold(Millivolts(336)), rom.thresholds[1]);
    assert_eq!(rom.threshold(Millivolts(u16::MAX)), Threshold(0));
}

#[test]
fn one_millivolt_of_the_22_nm_model_is_about_seven_percent() {
    let rom = models()[0].rom();
    let ratio =
        f64::from(rom.threshold(Millivolts(400)).0) / f64::from(rom.threshold(Millivolts(401)).0);
    assert!((ratio - 0.06814_f64.exp()).abs() < 1e-6, "{ratio}");
}

#[test]
fn the_nearest_millivolt_of_a_rate_in_the_rom_is_its_own() {
    for model in models() {
        let (lowest, highest) = model.range();
        for supply in lowest.0..=highest.0 {
            let rate = model.bit_error_rate(Millivolts(supply)).unwrap();
            let nearest = model.nearest_millivolts(rate);
            assert!(nearest >= Millivolts(supply));
            assert_eq!(model.bit_error_rate(nearest), Ok(rate), "{supply} mV");
        }
    }
}

#[test]
fn nearest_voltages_of_round_rates_are_the_published_ones() {
    let [fdx, finfet, table] = models();
    let nearest =
        |model: &VoltageModel, rate| model.nearest_millivolts(BitErrorRate::new(rate).unwrap()).0;
    assert_eq!(nearest(&fdx, 1e-3), 426);
    assert_eq!(nearest(&fdx, 1e-2), 392);
    assert_eq!(nearest(&fdx, 1.0), 335);
    assert_eq!((nearest(&fdx, 0.0), nearest(&finfet, 0.0)), (800, 853));
    assert_eq!(
        nearest(&finfet, 1e-30),
        852,
        "a positive rate stays below Vmin"
    );
    assert_eq!((nearest(&table, 0.0), nearest(&table, 0.03)), (800, 650));
}

#[test]
fn energy_rises_to_one_at_the_nominal_voltage() {
    for model in models() {
        let (lowest, highest) = model.range();
        let energies: Vec<f64> = (lowest.0..=highest.0)
            .map(|supply| model.relative_energy(Millivolts(supply)).unwrap())
            .collect();
        assert!(energies.is_sorted_by(|a, b| a < b), "{model:?}");
        assert_eq!(*energies.last().unwrap(), 1.0, "{model:?}");
    }
}

#[test]
fn a_voltage_outside_a_model_is_refused_with_its_range() {
    let [fdx, finfet, table] = models();
    for (model, outside, allowed) in [
        (fdx, 334, "335 mV to 800 mV"),
        (finfet, 639, "640 mV (18/24 of a Vmin of 853 mV) and above"),
        (table, 801, "550 mV to 800 mV"),
    ] {
        let message = model
            .bit_error_rate(Millivolts(outside))
            .unwrap_err()
            .to_string();
        assert!(message.contains(allowed), "{message}");
        assert!(model.relative_energy(Millivolts(outside)).is_err());
    }
}

#[test]
fn a_configuration_chooses_its_model_and_vmin_belongs_to_14_nm_alone() {
    let text = |model: &str, rest: &str| {
        format!(
            "rows = 8\ncolumns = 8\nweight_bits = 8\ncode = \"none\"\nfault_emulation = true\n\
             voltage_model = {model}\n{rest}\n[depths]\nweights = 64\nactivations = 16\n\
             accumulators = 16\nparameters = 4\nlayers = 4\n"
        )
    };
    let read = |model: &str, rest: &str| {
        toml::from_str::<Configuration>(&text(model, rest))
            .map_err(|e| e.to_string())
            .and_then(|c| VoltageModel::from_configuration(&c).map_err(|e| e.to_string()))
    };
    assert_eq!(read("\"fdx-22nm\"", ""), Ok(VoltageModel::Fdx22nm(Fdx22nm)));
    assert!(matches!(
        read("\"finfet-14nm\"", "vmin_mv = 850"),
        Ok(VoltageModel::Finfet14nm(model)) if model.vmin() == Millivolts(850)
    ));
    let rows = "{ millivolts = 500, bit_error_rate = 0.1, relative_energy = 0.5 }, \
                { millivolts = 600, bit_error_rate = 0.0, relative_energy = 1.0 }";
    assert!(matches!(
        read(&format!("{{ table = [{rows}] }}"), ""),
        Ok(VoltageModel::Table(_))
    ));
    for (model, rest) in [
        ("\"finfet-14nm\"", ""),
        ("\"finfet-14nm\"", "vmin_mv = 100"),
        ("\"fdx-22nm\"", "vmin_mv = 850"),
    ] {
        let message = read(model, rest).unwrap_err();
        assert!(message.starts_with("vmin_mv is "), "{message}");
    }
}
