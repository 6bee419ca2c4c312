//! The fault function against vectors that a script computed from its
//! description (`tests/vectors/fault_function.py`).

use brownout_spec::fault::{ChipFaults, FaultMode, OnesShare};
use brownout_spec::quantity::{ChipSeed, Pass, Threshold, WordAddress};
use std::collections::BTreeMap;

struct Vector {
    chip: ChipFaults,
    address: WordAddress,
    pass: Pass,
    word_bits: usize,
    stored: u128,
    flips: u128,
}

fn read(line: &str) -> Vector {
    let fields: Vec<&str> = line.split('\t').collect();
    let [
        seed,
        address,
        pass,
        mode,
        threshold,
        share,
        word_bits,
        stored,
        flips,
    ] = fields[..]
    else {
        panic!("a row has nine fields: {line:?}");
    };
    let hexadecimal = |text| u128::from_str_radix(text, 16).unwrap();
    let share = OnesShare::new(share.parse().unwrap()).unwrap();
    let mode = match mode.parse().unwrap() {
        FaultMode::StuckAt { .. } => FaultMode::StuckAt { share },
        mode => mode,
    };
    Vector {
        chip: ChipFaults {
            seed: ChipSeed(u64::from_str_radix(seed, 16).unwrap()),
            mode,
            threshold: Threshold(threshold.parse().unwrap()),
        },
        address: WordAddress(address.parse().unwrap()),
        pass: Pass(pass.parse().unwrap()),
        word_bits: word_bits.parse().unwrap(),
        stored: hexadecimal(stored),
        flips: hexadecimal(flips),
    }
}

fn vectors() -> Vec<Vector> {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../tests/vectors/fault_function.tsv"
    );
    let text = std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{path}: {e}"));
    let mut lines = text.lines();
    assert_eq!(
        lines.next(),
        Some("seed\taddress\tpass\tmode\tthreshold\tshare\tword_bits\tstored\tflips")
    );
    lines.map(read).collect()
}

#[test]
fn every_vector_holds_for_one_word_and_in_a_batch() {
    let vectors = vectors();
    assert_eq!(vectors.len(), 1000);
    for (number, v) in vectors.iter().enumerate() {
        let row = number + 2;
        let flips = v.chip.flips(v.address, v.pass, v.stored, v.word_bits);
        assert_eq!(
            flips, v.flips,
            "line {row}: {flips:x} instead of {:x}",
            v.flips
        );
        // Words before it and after it, so that every place of a batch is used.
        let before = (number * 7 % 64) as u32;
        let first = WordAddress(v.address.0.saturating_sub(before));
        let mut batch = [0; 64];
        let stored = [v.stored; 64];
        v.chip
            .flips_batch(first, v.pass, &stored, v.word_bits, &mut batch);
        let place = (v.address.0 - first.0) as usize;
        assert_eq!(batch[place], v.flips, "line {row} in a batch");
    }
}

#[test]
fn the_vectors_cover_modes_widths_edges_and_a_fair_number_of_flips() {
    let vectors = vectors();
    let mut rows = BTreeMap::new();
    for v in &vectors {
        // A share is no part of the mode's name here.
        let mode = v.chip.mode.to_string();
        let mode = mode.split(':').next().unwrap().to_owned();
        *rows.entry((mode, v.word_bits)).or_insert(0) += 1;
    }
    for mode in ["persistent", "transient", "stuck-at"] {
        for word_bits in [32, 64, 72] {
            assert!(
                rows[&(mode.to_owned(), word_bits)] >= 50,
                "{mode} {word_bits}"
            );
        }
    }
    let count = |claim: &dyn Fn(&Vector) -> bool| vectors.iter().filter(|v| claim(v)).count();
    for threshold in [0, 1, 1 << 31, u32::MAX] {
        assert!(
            count(&|v| v.chip.threshold.0 == threshold) >= 30,
            "{threshold}"
        );
    }
    for parts in [0, 1, 128, 256] {
        let share = OnesShare::new(parts).unwrap();
        assert!(count(&|v| v.chip.mode == FaultMode::StuckAt { share }) >= 50);
    }
    assert!(count(&|v| v.address.0 == (1 << 20) - 1) >= 100);
    assert!(count(&|v| v.flips != 0) >= 400);
}
