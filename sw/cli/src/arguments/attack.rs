//! The flags of `attack`.

use crate::data::DataSource;
use brownout_spec::code::{CodeName, Policy};
use brownout_spec::config::WeightBits;
use clap::{Args, ValueEnum};
use std::path::PathBuf;

/// How bits are chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Method {
    /// Progressive bit search: raise the loss with as few flips as possible
    Bfa,
    /// T-BFA: all images into the class --target
    #[value(name = "t-bfa-n-to-1")]
    NToOne,
    /// T-BFA: images of the class --source into --target
    #[value(name = "t-bfa-1-to-1")]
    OneToOne,
    /// T-BFA: the same, while the other classes keep theirs
    #[value(name = "t-bfa-stealthy")]
    Stealthy,
    /// Random bits, the baseline
    Random,
}

/// Whose labels BFA works with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LabelSource {
    /// What the clean network says
    Predicted,
    /// Those of the data
    True,
}

/// What BFA does with a layer whose gradients are all zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum AtZeroGradient {
    /// Leave it alone, as the authors do
    Skip,
    /// Try a random candidate, as WCAT's evaluation does
    Random,
}

/// What the gradient of the stealthy loss is taken of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Stealth {
    /// The source class's term alone, as in the published code
    Published,
    /// Both terms, as in the paper
    Corrected,
}

/// How random bits are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum RandomDraw {
    /// All bits of all weights equally likely
    AllBits,
    /// A layer first, then a weight, then a bit, as in the published baseline
    LayerFirst,
}

/// Flags of `attack`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  brownout attack r20.checkpoint --data cifar10:DIR --seeds 5 --log flips.csv
  brownout attack r20.checkpoint --data cifar10:DIR --code inplace-64-57 --policy zero
  brownout attack r20.checkpoint --data cifar10:DIR --method t-bfa-stealthy --source 3 --target 5
  brownout attack r20.checkpoint --data cifar10:DIR --method random --max-flips 5000 --every 500

The attacker inverts cells of the weight memory, and the network computes with what its decoder
returns: with --code a single inverted cell of a word is set right, so the search inverts further
cells of the same word, and every cell counts. N_flip is the number of cells that differ in the
end. The log names for each flip the layer, the weight, the bit, the integer before and after, the
cell, what the decoder makes of its word, and the loss.")]
pub struct AttackArguments {
    /// Checkpoint, as `train --checkpoint` and `import` write it; one without quantized weights
    /// is quantized as `export` does
    pub checkpoint: PathBuf,
    /// Images: the attacker looks at training images, test images measure what it did
    #[arg(long, value_name = "SOURCE")]
    pub data: DataSource,
    /// How bits are chosen
    #[arg(long, default_value = "bfa", value_name = "NAME")]
    pub method: Method,
    /// Class whose images a 1-to-1 or stealthy attack misleads, from 0
    #[arg(long, value_name = "CLASS")]
    pub source: Option<u8>,
    /// Class that a targeted attack leads to, from 0
    #[arg(long, value_name = "CLASS")]
    pub target: Option<u8>,
    /// Attacks, each with a seed of its own: --seed, --seed + 1 and so on
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub seeds: usize,
    /// Images that an attacker looks at, drawn from the seed; for a stealthy attack, so many of
    /// the source class and so many others
    #[arg(long, default_value_t = 128, value_name = "N")]
    pub attack_images: usize,
    /// Test images on which accuracy and success are measured after every iteration
    #[arg(long, default_value_t = 1000, value_name = "N")]
    pub images: usize,
    /// Accuracy at or below which BFA and random flips end [default: 1.1 / classes, or the share of
    /// the most frequent class among the test images if that is more]
    #[arg(long, value_name = "SHARE")]
    pub stop_accuracy: Option<f64>,
    /// Cells that an attack may invert, each time counted
    #[arg(long, default_value_t = 200, value_name = "N")]
    pub max_flips: usize,
    /// Iterations that an attack may take
    #[arg(long, default_value_t = 100, value_name = "N")]
    pub max_iterations: usize,
    /// Code of the attacked memory
    #[arg(long, default_value = "none", value_name = "NAME")]
    pub code: CodeName,
    /// What is read of words with a detected error: keep, zero, zero-constrained
    #[arg(long, default_value = "keep", value_name = "NAME")]
    pub policy: Policy,
    /// Bits of a weight, for a checkpoint without quantized weights: 8 or 4 [default: 8]
    #[arg(long, value_name = "BITS", value_parser = super::weight_bits)]
    pub weight_bits: Option<WeightBits>,
    /// BFA: the labels that the attacker works with
    #[arg(long, default_value = "predicted", value_name = "WHICH")]
    pub labels: LabelSource,
    /// BFA: weights of a layer whose bits are looked at, those with the largest gradients; 0 is all
    #[arg(long, default_value_t = 10, value_name = "N")]
    pub top: usize,
    /// BFA: what becomes of a layer whose gradients are all zero
    #[arg(long, default_value = "skip", value_name = "WHAT")]
    pub zero_gradient: AtZeroGradient,
    /// Stealthy T-BFA: what the gradient is taken of
    #[arg(long, default_value = "published", value_name = "WHICH")]
    pub stealth: Stealth,
    /// Random: how bits are drawn
    #[arg(long, default_value = "all-bits", value_name = "HOW")]
    pub draw: RandomDraw,
    /// Random: flips between two measurements
    #[arg(long, default_value_t = 10, value_name = "N")]
    pub every: usize,
    /// Write every flip of every attack to this file, .csv or .json
    #[arg(long, value_name = "FILE")]
    pub log: Option<PathBuf>,
}
