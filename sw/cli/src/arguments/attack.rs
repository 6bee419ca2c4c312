//! The settings of `attack`, which flags and a recipe name alike. None has a default here: a
//! flag counts more than the recipe, the recipe more than the default.

use crate::data::DataSource;
use crate::recipe::from_text;
use brownout_spec::code::{CodeName, Policy};
use brownout_spec::config::WeightBits;
use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// How bits are chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// Progressive bit search: raise the loss with as few flips as possible
    Bfa,
    /// T-BFA: all images into the class --target
    #[value(name = "t-bfa-n-to-1")]
    #[serde(rename = "t-bfa-n-to-1")]
    NToOne,
    /// T-BFA: images of the class --source into --target
    #[value(name = "t-bfa-1-to-1")]
    #[serde(rename = "t-bfa-1-to-1")]
    OneToOne,
    /// T-BFA: the same, while the other classes keep theirs
    #[value(name = "t-bfa-stealthy")]
    #[serde(rename = "t-bfa-stealthy")]
    Stealthy,
    /// Random bits, the baseline
    Random,
}

/// Whose labels BFA works with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LabelSource {
    /// What the clean network says
    Predicted,
    /// Those of the data
    True,
}

/// What BFA does with a layer whose gradients are all zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AtZeroGradient {
    /// Leave it alone, as the authors do
    Skip,
    /// Try a random candidate, as WCAT's evaluation does
    Random,
}

/// What the gradient of the stealthy loss is taken of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stealth {
    /// The source class's term alone, as in the published code
    Published,
    /// Both terms, as in the paper
    Corrected,
}

/// How random bits are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
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
  brownout attack --recipe attack.toml --seeds 5
  brownout attack r20.checkpoint --data cifar10:DIR --log flips.json
  brownout attack r20.checkpoint --data cifar10:DIR --replay flips.json

The attacker inverts cells of the weight memory, and the network computes with what its decoder
returns: with --code a single inverted cell of a word is set right, so the search inverts further
cells of the same word, and every cell counts. N_flip is the number of cells that differ in the
end. The log names for each flip the layer, the weight, the bit, the integer before and after, the
cell, what the decoder makes of its word, and the loss. A .json log also carries the settings, where
it comes from, and digests of network, images and itself: --replay inverts its cells in the same
memory once more and takes the figures again. A log that is damaged or of another network, memory or
data, or figures that differ, end with status 2.

A recipe is a TOML file with these settings, with _ for - in their names, and the network's file as
`checkpoint`.")]
pub struct AttackArguments {
    /// Recipe, a TOML file with these settings; flags count more
    #[arg(long, value_name = "FILE", visible_alias = "config")]
    pub recipe: Option<PathBuf>,
    #[command(flatten)]
    pub settings: AttackSettings,
    /// Do again what this log, a .json file of --log, says of CHECKPOINT and --data, and compare
    /// the figures; all settings are the log's
    #[arg(long, value_name = "LOG", conflicts_with = "recipe")]
    pub replay: Option<PathBuf>,
}

/// What is attacked, and how.
#[derive(Clone, Debug, Default, PartialEq, Args, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AttackSettings {
    /// Checkpoint, as `train --checkpoint` and `import` write it; one without quantized weights
    /// is quantized as `export` does
    pub checkpoint: Option<PathBuf>,
    /// Images: the attacker looks at training images, test images measure what it did
    #[arg(long, value_name = "SOURCE")]
    #[serde(deserialize_with = "from_text")]
    pub data: Option<DataSource>,
    /// How bits are chosen [default: bfa]
    #[arg(long, value_name = "NAME")]
    pub method: Option<Method>,
    /// Class whose images a 1-to-1 or stealthy attack misleads, from 0
    #[arg(long, value_name = "CLASS")]
    pub source: Option<u16>,
    /// Class that a targeted attack leads to, from 0
    #[arg(long, value_name = "CLASS")]
    pub target: Option<u16>,
    /// Attacks, each with a seed of its own: --seed, --seed + 1 and so on [default: 1]
    #[arg(long, value_name = "N")]
    pub seeds: Option<usize>,
    /// Images that an attacker looks at, drawn from the seed; for a stealthy attack, so many of
    /// the source class and so many others [default: 128, or all if they are fewer]
    #[arg(long, value_name = "N")]
    pub attack_images: Option<usize>,
    /// Test images on which accuracy and success are measured after every iteration [default: 1000, or
    /// all if they are fewer]
    #[arg(long, value_name = "N")]
    pub images: Option<usize>,
    /// Accuracy at or below which BFA and random flips end; one that is reached before any flip is
    /// refused [default: 1.1 / outputs, or the share of the most frequent class among the test images
    /// if that is more]
    #[arg(long, value_name = "SHARE")]
    pub stop_accuracy: Option<f64>,
    /// Cells that an attack may invert, each time counted [default: 200]
    #[arg(long, value_name = "N")]
    pub max_flips: Option<usize>,
    /// Iterations that an attack may take [default: 100]
    #[arg(long, value_name = "N")]
    pub max_iterations: Option<usize>,
    /// Code of the attacked memory [default: the checkpoint's, or none]
    #[arg(long, value_name = "NAME")]
    pub code: Option<CodeName>,
    /// What is read of words with a detected error: keep, zero, zero-constrained [default: keep]
    #[arg(long, value_name = "NAME")]
    pub policy: Option<Policy>,
    /// Bits of a weight, for a checkpoint without quantized weights: 8 or 4 [default: 8]
    #[arg(long, value_name = "BITS", value_parser = super::weight_bits)]
    pub weight_bits: Option<WeightBits>,
    /// BFA: the labels that the attacker works with [default: predicted]
    #[arg(long, value_name = "WHICH")]
    pub labels: Option<LabelSource>,
    /// BFA: weights of a layer whose bits are looked at, those with the largest gradients; 0 is all [default: 10]
    #[arg(long, value_name = "N")]
    pub top: Option<usize>,
    /// BFA: what becomes of a layer whose gradients are all zero [default: skip]
    #[arg(long, value_name = "WHAT")]
    pub zero_gradient: Option<AtZeroGradient>,
    /// Stealthy T-BFA: what the gradient is taken of [default: published]
    #[arg(long, value_name = "WHICH")]
    pub stealth: Option<Stealth>,
    /// Random: how bits are drawn [default: all-bits]
    #[arg(long, value_name = "HOW")]
    pub draw: Option<RandomDraw>,
    /// Random: flips between two measurements [default: 10]
    #[arg(long, value_name = "N")]
    pub every: Option<usize>,
    /// Write every flip of every attack to this file, .csv or .json
    #[arg(long, value_name = "FILE")]
    pub log: Option<PathBuf>,
}

impl AttackSettings {
    /// These settings, and those of a recipe where there are none.
    pub fn over(self, recipe: Self) -> Self {
        Self {
            checkpoint: self.checkpoint.or(recipe.checkpoint),
            data: self.data.or(recipe.data),
            method: self.method.or(recipe.method),
            source: self.source.or(recipe.source),
            target: self.target.or(recipe.target),
            seeds: self.seeds.or(recipe.seeds),
            attack_images: self.attack_images.or(recipe.attack_images),
            images: self.images.or(recipe.images),
            stop_accuracy: self.stop_accuracy.or(recipe.stop_accuracy),
            max_flips: self.max_flips.or(recipe.max_flips),
            max_iterations: self.max_iterations.or(recipe.max_iterations),
            code: self.code.or(recipe.code),
            policy: self.policy.or(recipe.policy),
            weight_bits: self.weight_bits.or(recipe.weight_bits),
            labels: self.labels.or(recipe.labels),
            top: self.top.or(recipe.top),
            zero_gradient: self.zero_gradient.or(recipe.zero_gradient),
            stealth: self.stealth.or(recipe.stealth),
            draw: self.draw.or(recipe.draw),
            every: self.every.or(recipe.every),
            log: self.log.or(recipe.log),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: &str = r#"
        checkpoint = "a"
        data = "glyphs:7"
        method = "t-bfa-1-to-1"
        source = 1
        target = 2
        seeds = 3
        attack_images = 4
        images = 5
        stop_accuracy = 0.5
        max_flips = 6
        max_iterations = 7
        code = "inplace-64-57"
        policy = "zero"
        weight_bits = 4
        labels = "true"
        top = 0
        zero_gradient = "random"
        stealth = "corrected"
        draw = "layer-first"
        every = 8
        log = "b.csv"
    "#;

    #[test]
    fn no_setting_of_a_recipe_is_lost_and_each_of_a_flag_counts_more() {
        let all: AttackSettings = toml::from_str(ALL).unwrap();
        // Every field is in the text: else Debug shows one that is absent.
        assert!(!format!("{all:?}").contains("None"), "{all:?}");
        assert_eq!(AttackSettings::default().over(all.clone()), all);
        let other: AttackSettings = toml::from_str(&ALL.replace("top = 0", "top = 9")).unwrap();
        assert_eq!(other.clone().over(all), other);
    }

    #[test]
    fn a_recipe_names_values_as_flags_do() {
        fn same<T: ValueEnum + Serialize>() {
            for value in T::value_variants() {
                let flag = value.to_possible_value().unwrap();
                assert_eq!(serde_json::to_value(value).unwrap(), flag.get_name());
            }
        }
        same::<Method>();
        same::<LabelSource>();
        same::<AtZeroGradient>();
        same::<Stealth>();
        same::<RandomDraw>();
    }
}
