//! Results made by hand, for tests.

use crate::study::ledger::{ReadingPoint, ReadingResult};
use brownout_golden::evaluate::Counters;
use serde_json::json;

/// A result of one chip at these points.
pub fn result(points: Vec<ReadingPoint>) -> ReadingResult {
    let protocol = json!({
        "network": "n", "arithmetic": "integer", "weight_bits": 4, "rows": 16, "columns": 16,
        "code": "none", "policy": "keep", "exposure": "whole-lane", "words": 1, "word_bits": 64,
        "images": 100, "first_chip": 1, "chips": 1, "offsets": 1,
        "bootstrap": { "resamples": 100, "seed": 1 }, "confidence": 0.95, "guarantee_delta": null,
    });
    ReadingResult {
        protocol: serde_json::from_value(protocol).unwrap(),
        clean_error: 0.1,
        clean_error_of_classes: Vec::new(),
        points,
    }
}

/// A point with this share of images classified wrong.
pub fn point(error: f64) -> ReadingPoint {
    let spread = json!({
        "mean": error, "std": 0.0, "min": error, "max": error, "interval": null,
    });
    let point = json!({
        "mode": "persistent", "profile": null, "voltage_mv": null, "rate": 0.01,
        "rate_applied": 0.01, "sram_energy_relative": null, "error": spread,
        "robust_error": spread, "chips": 1, "counters": Counters::default(),
    });
    serde_json::from_value(point).unwrap()
}
