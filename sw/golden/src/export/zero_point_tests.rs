//! Grids that no byte with a sign holds: integers with zero points.

use super::graph_tests::graph;
use super::resolution_tests::{model, noise, options};
use super::{export, judge};
use crate::network::Parameters;
use crate::quantize::{ActivationGrid, Granularity};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Grids of 256 integers anywhere around zero, the same step for each tensor: what a file's
/// quantizers of activations are.
#[test]
fn every_operator_reads_and_writes_integers_with_a_zero_point() {
    let mut random = ChaCha8Rng::seed_from_u64(11);
    let mut zeros = 0;
    for seed in 0..6 {
        let architecture = graph();
        let owners = architecture.grid_owners();
        let network = model(
            architecture.clone(),
            Parameters::random(&architecture, seed, 0),
        );
        let data = noise(&network, 40);
        let mut trained = network
            .calibrate(&data, &options(Granularity::Channel))
            .unwrap();
        let shifts: Vec<i16> = owners
            .iter()
            .map(|_| match random.random_range(0..3) {
                0 => 0,
                _ => random.random_range(-100..=128),
            })
            .collect();
        let activations = &mut trained.quantization.activations;
        for tensor in 1..activations.len() - 1 {
            let grid = activations[tensor].as_mut().unwrap();
            let shift = shifts[owners[tensor]];
            *grid = ActivationGrid {
                low: grid.low + shift,
                high: grid.high + shift,
                ..*grid
            };
            grid.validate().unwrap();
        }
        let exported = export(&trained, None).unwrap();
        for tensor in 1..=exported.network.layers.len() {
            zeros += usize::from(exported.network.zero(tensor) != 0);
        }
        let judgement = judge(&trained, &exported, &data);
        for layer in &judgement.layers {
            assert!(!layer.is_apart(), "seed {seed}: {layer:?}");
        }
        assert!(judgement.is_faithful(), "{judgement:?}");
    }
    assert!(zeros > 40, "{zeros} tensors have a zero point");
}
