//! What was asked for: flags over a recipe over defaults.

use crate::arguments::{AtZeroGradient, AttackSettings, LabelSource, Method, RandomDraw, Stealth};
use crate::data::DataSource;
use crate::error::Error;
use brownout_spec::code::{CodeName, Policy};
use brownout_spec::config::WeightBits;
use serde::Serialize;
use std::path::PathBuf;

/// Every setting; results carry them, but for the files, which their provenance names.
#[derive(Clone, Debug, Serialize)]
pub struct Asked {
    /// The network.
    #[serde(skip)]
    pub checkpoint: PathBuf,
    /// Images.
    #[serde(skip)]
    pub data: DataSource,
    /// How bits are chosen.
    pub method: Method,
    /// Class that is misled.
    pub source: Option<u16>,
    /// Class that is led to.
    pub target: Option<u16>,
    /// Attacks.
    pub seeds: usize,
    /// Images that an attacker looks at.
    pub attack_images: usize,
    /// Images that measure what it did.
    pub images: usize,
    /// Which of these two numbers nobody has given: there may be fewer images.
    #[serde(skip)]
    pub by_default: ByDefault,
    /// Accuracy at which attacks end; none is that of guessing.
    pub stop_accuracy: Option<f64>,
    /// Cells that an attack may invert.
    pub max_flips: usize,
    /// Iterations that it may take.
    pub max_iterations: usize,
    /// Code of the memory; none given is the checkpoint's.
    #[serde(skip)]
    pub code: Option<CodeName>,
    /// What is read of words with a detected error.
    #[serde(skip)]
    pub policy: Policy,
    /// Bits of a weight of a checkpoint that is not quantized.
    pub weight_bits: Option<WeightBits>,
    /// Whose labels BFA works with.
    pub labels: LabelSource,
    /// Weights of a layer that BFA looks at; 0 is all.
    pub top: usize,
    /// What becomes of a layer without gradients.
    pub zero_gradient: AtZeroGradient,
    /// What the stealthy gradient is taken of.
    pub stealth: Stealth,
    /// How random bits are drawn.
    pub draw: RandomDraw,
    /// Random flips between two measurements.
    pub every: usize,
    /// Where every flip is written.
    #[serde(skip)]
    pub log: Option<PathBuf>,
}

/// Numbers of images that nobody has given.
#[derive(Clone, Copy, Debug)]
pub struct ByDefault {
    attack_images: bool,
    images: bool,
}

impl Asked {
    /// How many of so many test images are used: all where there are fewer than nobody asked for.
    pub fn images_of(&self, there_are: usize) -> usize {
        match self.by_default.images {
            true => self.images.min(there_are),
            false => self.images,
        }
    }

    /// How many of so many images an attacker looks at, likewise.
    pub fn attack_images_of(&self, there_are: usize) -> usize {
        match self.by_default.attack_images {
            true => self.attack_images.min(there_are),
            false => self.attack_images,
        }
    }

    /// Settings, and defaults where there are none.
    ///
    /// # Errors
    /// When there is no checkpoint or no source of images.
    pub fn new(settings: AttackSettings) -> Result<Self, Error> {
        let needed = |what: &str| Error::Recipe(format!("{what} is missing; it is needed"));
        let checkpoint = settings.checkpoint;
        let data = settings.data;
        Ok(Self {
            checkpoint: checkpoint.ok_or_else(|| needed("CHECKPOINT"))?,
            data: data.ok_or_else(|| needed("--data SOURCE"))?,
            method: settings.method.unwrap_or(Method::Bfa),
            source: settings.source,
            target: settings.target,
            seeds: settings.seeds.unwrap_or(1),
            attack_images: settings.attack_images.unwrap_or(128),
            images: settings.images.unwrap_or(1000),
            by_default: ByDefault {
                attack_images: settings.attack_images.is_none(),
                images: settings.images.is_none(),
            },
            stop_accuracy: settings.stop_accuracy,
            max_flips: settings.max_flips.unwrap_or(200),
            max_iterations: settings.max_iterations.unwrap_or(100),
            code: settings.code,
            policy: settings.policy.unwrap_or(Policy::Keep),
            weight_bits: settings.weight_bits,
            labels: settings.labels.unwrap_or(LabelSource::Predicted),
            top: settings.top.unwrap_or(10),
            zero_gradient: settings.zero_gradient.unwrap_or(AtZeroGradient::Skip),
            stealth: settings.stealth.unwrap_or(Stealth::Published),
            draw: settings.draw.unwrap_or(RandomDraw::AllBits),
            every: settings.every.unwrap_or(10),
            log: settings.log,
        })
    }
}
