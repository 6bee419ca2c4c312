//! Which bits of a layer an attack would flip first.
//!
//! A bit gradient is dL/dq · w_b for a stored integer q, whose bits weigh
//! −2^(b−1), 2^(b−2), …, 2, 1 (two's complement). To first order, flipping a bit that is
//! 0 changes the loss by its gradient, flipping one that is 1 by minus its gradient.

use ndarray::Array4;
use std::cmp::Ordering;

/// Whether an attack raises its loss or lowers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goal {
    /// BFA: the loss on right labels grows.
    Raise,
    /// T-BFA: the loss towards a target class falls.
    Lower,
}

/// What bit `bit` of a two's complement integer of `bits` bits counts.
pub fn bit_weight(bits: u32, bit: u32) -> f32 {
    let magnitude = (1u32 << bit) as f32;
    match bit + 1 == bits {
        true => -magnitude,
        false => magnitude,
    }
}

/// Whether a bit may be flipped, given its value and its gradient.
///
/// Raising: 0 with a gradient above zero, or 1 with one that is not: the published code
/// turns the sign s into (s + 1) / 2, truncated, so a vanishing gradient counts as
/// negative. Lowering is the complement.
pub fn is_eligible(goal: Goal, is_set: bool, gradient: f32) -> bool {
    if gradient.is_nan() {
        return false;
    }
    let raises = is_set != (gradient > 0.0);
    raises == (goal == Goal::Raise)
}

/// A bit of a layer with its rank.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Candidate {
    /// Index in the layer's tensor, `[output][kernel row][kernel column][input]`.
    pub at: usize,
    /// The bit.
    pub bit: u32,
    /// Its value.
    pub is_set: bool,
    /// Magnitude of the bit's gradient.
    pub score: f32,
}

impl Candidate {
    /// Largest gradient first; of equal ones the first in the tensor, its lowest bit.
    pub fn order(&self, other: &Self) -> Ordering {
        let score = other.score.total_cmp(&self.score);
        score.then((self.at, self.bit).cmp(&(other.at, other.bit)))
    }
}

/// The weights with the `top` largest gradients; all without a limit.
pub(super) fn top_weights(gradient: &[f32], top: Option<usize>) -> Vec<usize> {
    let mut all: Vec<usize> = (0..gradient.len()).collect();
    let Some(top) = top.filter(|&top| top < all.len()) else {
        return all;
    };
    let order = |a: &usize, b: &usize| {
        let size = gradient[*b].abs().total_cmp(&gradient[*a].abs());
        size.then(a.cmp(b))
    };
    if top > 0 {
        all.select_nth_unstable_by(top - 1, order);
    }
    all.truncate(top);
    all.sort_unstable_by(order);
    all
}

/// The `most` first eligible bits among those of the `top` weights.
pub(super) fn ranked(
    integers: &Array4<i8>,
    gradient: &[f32],
    bits: u32,
    goal: Goal,
    (top, most): (Option<usize>, usize),
) -> Vec<Candidate> {
    let integers = integers.as_slice().expect("weights are in standard layout");
    let mut found = Vec::new();
    for at in top_weights(gradient, top) {
        for bit in 0..bits {
            let of_bit = gradient[at] * bit_weight(bits, bit);
            let is_set = integers[at] >> bit & 1 != 0;
            if is_eligible(goal, is_set, of_bit) {
                found.push(Candidate {
                    at,
                    bit,
                    is_set,
                    score: of_bit.abs(),
                });
            }
        }
    }
    if most < found.len() {
        found.select_nth_unstable_by(most, Candidate::order);
        found.truncate(most);
    }
    found.sort_unstable_by(Candidate::order);
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bit, sign of its gradient, and the published masks that raise and lower the loss.
    const MASKS: &str = include_str!("bfa_masks.tsv");

    fn rows() -> Vec<[i32; 4]> {
        let lines = MASKS.lines().filter(|l| !l.starts_with('#')).skip(1);
        let row = |line: &str| {
            let cells: Vec<i32> = line.split('\t').map(|c| c.parse().unwrap()).collect();
            cells.try_into().unwrap()
        };
        lines.map(row).collect()
    }

    fn disagreements(mask: impl Fn(Goal, bool, f32) -> bool) -> usize {
        let agrees = |&[bit, sign, raise, lower]: &[i32; 4]| {
            let gradient = sign as f32 * 0.25;
            mask(Goal::Raise, bit == 1, gradient) == (raise == 1)
                && mask(Goal::Lower, bit == 1, gradient) == (lower == 1)
        };
        rows().iter().filter(|row| !agrees(row)).count()
    }

    #[test]
    fn eligible_bits_are_those_of_the_published_truth_table() {
        assert_eq!(rows().len(), 6);
        assert_eq!(disagreements(is_eligible), 0);
        // Rules that are nearly right are told apart.
        let strict = |goal, set, g: f32| g != 0.0 && is_eligible(goal, set, g);
        assert_eq!(disagreements(strict), 2);
        let swapped = |goal, set: bool, g| is_eligible(goal, !set, g);
        assert_eq!(disagreements(swapped), 6);
    }

    #[test]
    fn the_weights_of_the_bits_make_the_integer() {
        for bits in 2..=8 {
            let half = 1i32 << (bits - 1);
            for integer in -half..half {
                let set = (0..bits).filter(|b| integer >> b & 1 == 1);
                let sum: f32 = set.map(|b| bit_weight(bits, b)).sum();
                assert_eq!(sum, integer as f32);
            }
        }
    }

    #[test]
    fn bits_are_ranked_by_gradient_within_the_weights_with_the_largest() {
        let integers = Array4::from_shape_vec((1, 1, 1, 3), vec![0, -1, 3]).unwrap();
        let gradient = [0.5, -2.0, 1.0];
        let found = ranked(&integers, &gradient, 4, Goal::Raise, (Some(2), 100));
        // −1 is 1111: gradients 16, −8, −4, −2 of which those of ones must be negative.
        // 3 is 0011: gradients −8, 4, 2, 1, of which those of zeros must be positive.
        let all: Vec<_> = found.iter().map(|c| (c.at, c.bit, c.score)).collect();
        assert_eq!(all, [(1, 2, 8.0), (1, 1, 4.0), (2, 2, 4.0), (1, 0, 2.0)]);
        let first = ranked(&integers, &gradient, 4, Goal::Raise, (Some(2), 1));
        assert_eq!(first, found[..1]);
        let wider = ranked(&integers, &gradient, 4, Goal::Raise, (None, 100));
        assert!(wider.len() > found.len());
    }
}
