//! Adversarial training: on weights whose bits an attacker has flipped.
//!
//! The loss is L(clean) + L(attacked), on the same batch (Chitsaz et al., TMLR 2023,
//! appendix E, after AdvBET: Stutz et al., TPAMI 2022). Attacks look at the batch with
//! running statistics and its own labels; both losses are then taken as in any other step.
//!
//! Behind a decoder a single adversarial bit of a word is set right. So BFA with a memory
//! that decodes is the word attack: it inverts two or three cells of a word for one wrong bit,
//! each of which counts, and what is learned from are the decoded weights; the gradient passes
//! straight through. Ascent chooses weights, not words, and has no such form.

use super::answers::Answers;
use super::error::TrainError;
use super::memory::TrainingMemory;
use super::methods::Combine;
use super::options::{OptionsError, TrainingOptions, check};
use super::run::Run;
use super::step::Snapshot;
use crate::attack::{AscentOptions, FlipOptions, Search, Victim, adversarial_flips, ascent};
use crate::quantize::Exposure;
use crate::quantized::{MemoryRules, StoredWeights};
use serde::{Deserialize, Serialize};

/// Most bits flipped in a step.
const MOST_FLIPS: usize = 100_000;
/// Most steps of gradient ascent, each of which costs as much as one of training.
const MOST_STEPS: usize = 1000;

/// How adversarial bits are found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AdversarialMethod {
    /// The bit-flip attack: [`adversarial_flips`].
    #[default]
    Bfa,
    /// Gradient ascent under a Hamming constraint: [`ascent`].
    Ascent,
}

/// Training on weights with adversarial bits.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Adversarial {
    /// How bits are found.
    pub method: AdversarialMethod,
    /// Bits flipped in every step: exactly, or for ascent at most. The paper has 2, 5 and 10.
    /// Behind a decoder, cells inverted at most: what is left may be too few for one more word.
    pub flips: usize,
    /// Whether BFA flips one bit after the other or all at once, which is much faster.
    pub search: Search,
    /// Weights of each layer whose bits BFA looks at.
    pub top: usize,
    /// Steps of ascent.
    pub steps: usize,
    /// How far ascent moves the weight with a layer's largest gradient in a step, as a
    /// share of the layer's largest magnitude.
    pub rate: f32,
    /// Share of a run's steps before the first attack: half, with 10 bits, in the paper.
    pub begin: f32,
    /// The clean loss of a batch below which it is attacked.
    pub gate: f32,
    /// Largest magnitude of a component of the gradient on attacked weights.
    pub clamp: f32,
    /// How the two gradients become one.
    pub combine: Combine,
    /// Where BFA's bits are flipped; none is a memory without a code, of live bits alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<TrainingMemory>,
}

impl Default for Adversarial {
    fn default() -> Self {
        Self {
            method: AdversarialMethod::Bfa,
            flips: 5,
            search: Search::Progressive,
            top: 10,
            steps: 5,
            rate: 0.5,
            begin: 0.0,
            gate: 1.75,
            clamp: 0.05,
            combine: Combine::Sum,
            memory: None,
        }
    }
}

impl Adversarial {
    pub(super) fn validate(&self, options: &TrainingOptions) -> Result<(), OptionsError> {
        check(
            options.perturbation.is_none(),
            "adversarial",
            "set beside perturbation",
            "one of the two",
        )?;
        check(
            (1..=MOST_FLIPS).contains(&self.flips),
            "adversarial.flips",
            self.flips,
            &format!("1 to {MOST_FLIPS}"),
        )?;
        check(self.top > 0, "adversarial.top", self.top, "1 and more")?;
        check(
            (1..=MOST_STEPS).contains(&self.steps),
            "adversarial.steps",
            self.steps,
            &format!("1 to {MOST_STEPS}"),
        )?;
        check(
            self.rate > 0.0 && self.rate.is_finite(),
            "adversarial.rate",
            self.rate,
            "above 0",
        )?;
        check(
            (0.0..1.0).contains(&self.begin),
            "adversarial.begin",
            self.begin,
            "0 to below 1",
        )?;
        check(
            self.gate > 0.0 && self.gate.is_finite(),
            "adversarial.gate",
            self.gate,
            "above 0 and finite (1e9 is always open)",
        )?;
        check(
            self.clamp > 0.0 && self.clamp.is_finite(),
            "adversarial.clamp",
            self.clamp,
            "above 0 and finite (1e9 clamps nothing)",
        )?;
        match &self.memory {
            Some(memory) => self.validate_memory(memory, options),
            None => Ok(()),
        }
    }

    fn validate_memory(
        &self,
        memory: &TrainingMemory,
        options: &TrainingOptions,
    ) -> Result<(), OptionsError> {
        check(
            self.method == AdversarialMethod::Bfa,
            "adversarial.memory",
            "set",
            "none with method ascent, which disturbs weights and not the words of a memory",
        )?;
        memory.validate(
            options,
            [
                "adversarial.memory.decode",
                "adversarial.memory.exposure",
                "adversarial.memory.policy",
            ],
        )?;
        check(
            !memory.decode || self.flips > 1,
            "adversarial.flips",
            self.flips,
            "2 and more where words are decoded, which sets a single cell of a word right",
        )
    }

    /// The rules of the memory that BFA attacks in a run; ascent has none.
    pub(super) fn rules(&self, options: &TrainingOptions) -> Option<MemoryRules> {
        // Without a code the array's size only orders the words.
        let plain = TrainingMemory {
            exposure: Exposure::LiveBits,
            ..TrainingMemory::default()
        };
        let memory = self.memory.unwrap_or(plain);
        (self.method == AdversarialMethod::Bfa).then(|| memory.rules(options))
    }
}

impl Run<'_> {
    /// A step on quantized weights, and on attacked ones if the clean loss is below the gate.
    pub(super) fn adversarial_step(
        &mut self,
        clean: &Snapshot,
        adversarial: &Adversarial,
        answers: &Answers,
    ) -> Result<f32, TrainError> {
        let loss = self.pass(&clean.values, &clean.activations, answers, true)?;
        self.observe();
        let mut gradients = self.sum_gradients();
        let begun = self.step as f32 >= adversarial.begin * self.steps() as f32;
        if begun && loss < adversarial.gate {
            let attacked = self.attack(clean, adversarial, &answers.labels)?;
            let values = attacked.values(&clean.grids);
            self.pass(&values, &clean.activations, answers, true)?;
            let mut others = self.sum_gradients();
            others.clamp(adversarial.clamp);
            gradients.combine(&others, adversarial.combine.share());
        }
        self.update(gradients);
        Ok(loss)
    }

    /// What is read of the stored weights with adversarial bits for what the chunks hold.
    pub(super) fn attack(
        &mut self,
        clean: &Snapshot,
        adversarial: &Adversarial,
        labels: &[u16],
    ) -> Result<StoredWeights, TrainError> {
        let seed = self.draw_seed();
        let victim = Victim {
            architecture: &self.model.architecture,
            parameters: &self.model.parameters,
            activations: &clean.activations,
            grids: &clean.grids,
            width: self.options.weight_bits,
        };
        let images = (&mut self.chunks[..], labels);
        if adversarial.method == AdversarialMethod::Ascent {
            let options = AscentOptions {
                flips: adversarial.flips,
                steps: adversarial.steps,
                rate: adversarial.rate,
                seed,
            };
            return Ok(ascent(victim, &clean.stored, images, &options));
        }
        let memory = self.memory.as_ref().expect("a run with BFA has a memory");
        let options = FlipOptions {
            flips: adversarial.flips,
            search: adversarial.search,
            top: Some(adversarial.top),
        };
        let weights = (memory, &clean.stored);
        Ok(adversarial_flips(victim, weights, images, &options)?)
    }
}

#[cfg(test)]
#[path = "adversarial_tests.rs"]
mod tests;
