//! Which of all possible mistakes are made: every module has some, every kind of mistake too.

use super::{Mistake, Site};
use std::collections::BTreeMap;

/// Mutants that every module has at least, if it has as many places.
const LEAST: usize = 4;

/// How many mutants each module gets: [`LEAST`], and the rest in proportion to the square root of
/// its places, so that a module of tables does not take all.
pub(crate) fn quotas(places: &[usize], count: usize) -> Vec<usize> {
    let mut quotas: Vec<usize> = places.iter().map(|&p| p.min(LEAST)).collect();
    let mut left = count.saturating_sub(quotas.iter().sum());
    while left > 0 {
        // The module that is furthest behind its share gets the next one.
        let behind = (0..places.len())
            .filter(|&m| quotas[m] < places[m])
            .min_by_key(|&m| {
                let taken = (quotas[m] * quotas[m]) as u64;
                (taken << 20) / places[m] as u64
            });
        let Some(module) = behind else { break };
        quotas[module] += 1;
        left -= 1;
    }
    quotas
}

/// Sites of one module in the order in which they are tried: the kinds of mistakes take turns.
pub(crate) struct Choice {
    random: u64,
    kinds: Vec<Vec<usize>>,
    turn: usize,
}

impl Choice {
    pub fn new(seed: u64, sites: &[Site]) -> Self {
        let mut kinds: BTreeMap<Mistake, Vec<usize>> = BTreeMap::new();
        for (at, site) in sites.iter().enumerate() {
            kinds.entry(site.mistake).or_default().push(at);
        }
        Self {
            random: seed,
            kinds: kinds.into_values().collect(),
            turn: 0,
        }
    }

    /// SplitMix64 (Steele, Lea and Flood 2014).
    fn draw(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.random;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }
}

impl Iterator for Choice {
    type Item = usize;

    /// A site that was not given yet.
    fn next(&mut self) -> Option<usize> {
        self.kinds.retain(|sites| !sites.is_empty());
        if self.kinds.is_empty() {
            return None;
        }
        self.turn += 1;
        let kind = self.turn % self.kinds.len();
        let at = self.draw() as usize % self.kinds[kind].len();
        Some(self.kinds[kind].swap_remove(at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_module_has_some_and_large_ones_have_more() {
        let quotas = quotas(&[2, 100, 10_000], 60);
        assert_eq!(quotas.iter().sum::<usize>(), 60);
        assert_eq!(quotas[0], 2);
        assert!(quotas[1] >= LEAST && quotas[2] > 5 * quotas[1]);
    }
}
