//! Zero points of a drawn network.

use brownout_spec::program::{Network, Operation};
use rand::seq::IndexedRandom;
use rand::{Rng, RngExt};

/// Zero points of all tensors but the results; parts of a concat share its own.
pub(super) fn draw(network: &mut Network, random: &mut impl Rng) {
    let last = network.layers.len();
    let mut zeros: Vec<i8> = (0..last)
        .map(|_| match random.random_range(0..4) {
            0 => 0,
            1 => *[i8::MIN, i8::MAX].choose(random).expect("not empty"),
            _ => random.random(),
        })
        .collect();
    zeros.push(0);
    // A part of two concats makes both share one; the results' own is 0.
    let concats = network.layers.iter().enumerate();
    let concats = concats.filter(|(_, layer)| layer.operation == Operation::Concat);
    let joined: Vec<(usize, usize)> = concats
        .flat_map(|(index, layer)| layer.reads.iter().map(move |&part| (index + 1, part)))
        .collect();
    let mut of: Vec<usize> = (0..=last).collect();
    for (whole, part) in joined {
        let (kept, gone) = (of[whole].max(of[part]), of[whole].min(of[part]));
        of.iter_mut()
            .filter(|of| **of == gone)
            .for_each(|of| *of = kept);
    }
    network.input_zero = zeros[of[0]];
    for (index, layer) in network.layers.iter_mut().enumerate() {
        layer.zero = zeros[of[index + 1]];
    }
}
