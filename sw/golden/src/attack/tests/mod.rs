//! What attacks promise, on a small network that has learned glyphs.

mod decoder;
mod gradient;
mod limits;
mod log;
mod pretrained;

use super::test_network::{glyph_batch, memory, trained};
use super::*;
use crate::quantized::StoredMemory;

pub(super) fn limits(flips: usize) -> Limits {
    Limits {
        flips,
        iterations: usize::MAX,
        accuracy: None,
    }
}

pub(super) fn bfa_options(flips: usize) -> BfaOptions {
    BfaOptions {
        limits: limits(flips),
        ..BfaOptions::default()
    }
}

/// BFA of the trained network in a memory.
pub(super) fn run_bfa(memory: &StoredMemory, options: &BfaOptions) -> Attacked {
    let network = &trained().1;
    let mut batch = glyph_batch(32, options.seed);
    let weights = (memory, &network.stored());
    bfa(network.into(), weights, &mut batch, options, None).unwrap()
}

/// Random flips in the trained network.
pub(super) fn run_random(memory: &StoredMemory, flips: usize, seed: u64) -> Attacked {
    let network = &trained().1;
    let mut batch = glyph_batch(32, seed);
    let options = RandomOptions {
        draw: Draw::AllBits,
        every: 10,
        limits: limits(flips),
        seed,
    };
    let weights = (memory, &network.stored());
    random(network.into(), weights, &mut batch, &options, None).unwrap()
}

pub(super) fn targeted_options(kind: Kind, target: u16, iterations: usize) -> TargetedOptions {
    TargetedOptions {
        kind,
        target,
        limits: Limits {
            iterations,
            ..limits(1000)
        },
        seed: 1,
    }
}

/// The three kinds of T-BFA, towards another class than their source.
pub(super) const KINDS: [Kind; 3] = [
    Kind::NToOne,
    Kind::OneToOne { source: 7 },
    Kind::Stealthy {
        source: 7,
        gradient: StealthGradient::Published,
    },
];

/// What the attacker of [`run_targeted`] looks at.
pub(super) fn targeted_batch(options: &TargetedOptions) -> Batch {
    let (split, network) = trained();
    let table = network.model.input.rounded_table();
    options.batch(&network.into(), &table, &split.train, 64)
}

/// T-BFA of the trained network in a memory, measured on its test images.
pub(super) fn run_targeted(memory: &StoredMemory, options: &TargetedOptions) -> Attacked {
    let (split, network) = trained();
    let table = network.model.input.rounded_table();
    let victim = Victim::from(network);
    let mut batch = targeted_batch(options);
    let success = options.success_images(&split.test);
    let measurement = Measurement {
        table: &table,
        accuracy: &split.test,
        success: Some(&success),
    };
    let weights = (memory, &network.stored());
    targeted(victim, weights, &mut batch, options, Some(measurement)).unwrap()
}

/// The last loss of an attack.
pub(super) fn last_loss(attacked: &Attacked) -> f32 {
    attacked.log.flips.last().and_then(|f| f.loss).unwrap()
}
