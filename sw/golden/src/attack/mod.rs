//! Attacks that flip bits of stored weights on purpose.
//!
//! | attack | here | source |
//! | --- | --- | --- |
//! | BFA, progressive bit search | [`bfa`] | Rakin, He, Fan, ICCV 2019; He et al., CVPR 2020 |
//! | its variant at vanishing gradients | [`ZeroGradient::Random`] | Chitsaz et al., TMLR 2023 (WCAT), published code |
//! | T-BFA: N-to-1, 1-to-1, stealthy | [`targeted`] | Rakin et al., TPAMI 2021 |
//! | random flips | [`random`] | the baseline of the above |
//! | word attack, through a decoder | [`AttackedMemory::choose`] | this project |
//! | adversarial bits for training | [`adversarial_flips`] | Chitsaz et al., appendix E |
//! | gradient ascent under a Hamming constraint | [`ascent`] | AdvBET: Stutz et al., TPAMI 2022, as outlined there |
//!
//! An attacker inverts cells of the memory's words, and the network computes with what
//! the decoder returns: a loss is always that of decoded weights. Without a code a cell
//! is a bit of a weight, which is the papers' attack. An attack ends with an
//! [`AttackLog`] of every cell, which [`replay`] applies once more.
//!
//! Results depend on network, images, options and seed alone: sums over images are
//! taken in their order, whatever the number of threads.

mod adversarial;
mod batch;
mod bfa;
mod bits;
mod cells;
mod distribution;
mod log;
mod probe;
mod random;
mod session;
mod suffix;
mod targeted;
mod victim;
mod words;

pub use adversarial::{AscentOptions, FlipOptions, Search, adversarial_flips, ascent};
pub use batch::{Batch, draw};
pub use bfa::{BfaOptions, Labels, ZeroGradient, bfa};
pub use bits::{Goal, bit_weight, is_eligible};
pub use cells::{AttackedMemory, CellAddress, WordOutcome};
pub use distribution::Distribution;
pub use log::{AttackLog, Flip, FlippedWeight, ReplayError, replay};
pub use random::{Draw, RandomOptions, random};
pub use session::{Attacked, Limits, Measurement, Stop};
pub use targeted::{Kind, StealthGradient, TargetedOptions, targeted};
pub use victim::Victim;

#[cfg(test)]
mod test_network;
#[cfg(test)]
mod tests;
