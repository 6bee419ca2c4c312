//! Training methods that can be combined: clipping, and training on disturbed weights.
//!
//! | method | here | source |
//! | --- | --- | --- |
//! | weight clipping | [`Clipping`] | Stutz et al., MLSys 2021, section 4.2 |
//! | per-layer clipping, PLClip | [`Clipping::per_layer`] | Stutz et al., TPAMI 2022; formula: Chitsaz et al., TMLR 2023, appendix |
//! | random bit error training, RandBET | [`Scheme::Randbet`] | Stutz et al., MLSys 2021, algorithm 1 |
//! | its variants | [`Scheme`], [`Perturbation::curricular`] | the same, appendix |
//! | bit-flip noise | [`Scheme::Noise`] | Chitsaz et al., TMLR 2023, section 3.4 |
//! | fixed-pattern training, PattBET | [`Perturbation::chips`], [`Perturbation::profile`] | Stutz et al., MLSys 2021, section 5.3 |
//! | adversarial bits | [`Adversarial`](super::Adversarial) | Chitsaz et al., appendix E |
//! | training through the decoder | [`Perturbation::memory`] and [`Adversarial::memory`](super::Adversarial::memory) with a code | this project |

use super::memory::TrainingMemory;
use super::options::{OptionsError, TrainingOptions, check};
use crate::network::{Architecture, Norm, Parameters};
use brownout_spec::fault::profile::Profile;
use brownout_spec::quantity::BitErrorRate;
use serde::{Deserialize, Serialize};

/// The least share of the range that a layer keeps under per-layer clipping.
const LEAST_SHARE: f32 = 0.2;

/// Projection of parameters to ±`range` before every forward pass.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Clipping {
    /// Largest magnitude.
    pub range: f32,
    /// Each layer has a range of its own: max(0.2, max|w| / largest max|w| of a layer) · `range`.
    pub per_layer: bool,
    /// Biases, and scales of normalisations around one, are clipped as well, as RandBET's
    /// published code does; here only weights live in the failing memory.
    pub norms: bool,
}

impl Default for Clipping {
    fn default() -> Self {
        Self {
            range: 0.1,
            per_layer: false,
            norms: false,
        }
    }
}

impl Clipping {
    pub(super) fn validate(&self) -> Result<(), OptionsError> {
        check(
            self.range > 0.0 && self.range.is_finite(),
            "clip.range",
            self.range,
            "above 0",
        )
    }

    /// Clips parameters in place.
    pub fn apply(&self, architecture: &Architecture, parameters: &mut Parameters) {
        let largest: Vec<f32> = parameters
            .layers
            .iter()
            .map(|layer| {
                layer.as_ref().map_or(0.0, |l| {
                    l.weight.iter().fold(0.0, |m: f32, w| m.max(w.abs()))
                })
            })
            .collect();
        let top = largest.iter().copied().fold(f32::MIN_POSITIVE, f32::max);
        let layers = parameters.layers.iter_mut().enumerate();
        for (index, layer) in layers.filter_map(|(i, l)| Some((i, l.as_mut()?))) {
            let share = match self.per_layer && layer.has_weights() {
                true => (largest[index] / top).max(LEAST_SHARE),
                false => 1.0,
            };
            let range = share * self.range;
            let clip = |w: &mut f32| *w = w.clamp(-range, range);
            layer.weight.iter_mut().for_each(clip);
            // What is scaled without a norm has no scale around one.
            if !self.norms || architecture.styles[index].norm == Norm::Affine {
                continue;
            }
            layer.bias.iter_mut().for_each(clip);
            if let Some(offset) = &mut layer.offset {
                offset.iter_mut().for_each(clip);
            }
            if let Some(gain) = &mut layer.gain {
                // Group norm's gain is stored minus one.
                let one = match architecture.styles[index].norm {
                    Norm::Group { .. } => 0.0,
                    Norm::Batch | Norm::Affine | Norm::None => 1.0,
                };
                let clip = |g: &mut f32| *g = g.clamp(one - range, one + range);
                gain.iter_mut().for_each(clip);
            }
        }
    }
}

/// How the gradient on disturbed weights is used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scheme {
    /// Both gradients, once the gate is open; see [`Perturbation::combine`].
    #[default]
    Randbet,
    /// Disturbed weights in every forward pass, no gate, no clamp.
    Noise,
    /// The gradient on disturbed weights alone, once the gate is open.
    PerturbedOnly,
    /// Two updates of the optimizer; that on disturbed weights cannot leave each
    /// tensor's present range.
    Alternating,
}

/// How the two gradients of RandBET become one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Combine {
    /// Their mean, as the published code does.
    #[default]
    Average,
    /// Their sum, as the paper writes.
    Sum,
}

impl Combine {
    /// What the sum of both is multiplied with.
    pub(super) fn share(self) -> f32 {
        match self {
            Self::Average => 0.5,
            Self::Sum => 1.0,
        }
    }
}

/// Training on weights read from a failing memory.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Perturbation {
    /// Share of faulty cells.
    pub rate: BitErrorRate,
    /// How the gradient is used.
    pub scheme: Scheme,
    /// How two gradients become one.
    pub combine: Combine,
    /// Seeds of the chips to train on, one after the other; empty draws a chip for every
    /// step, or of profiled ones takes the run's seed.
    pub chips: Vec<u64>,
    /// Chips are arrays like this profiled one, and `rate` does not count; every step is
    /// another read of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<Profile>,
    /// The rate grows from a twentieth to all of it over the first half of the quantized steps.
    pub curricular: bool,
    /// The loss below which disturbed weights are trained on.
    pub gate: f32,
    /// Largest magnitude of a component of the gradient on disturbed weights.
    pub clamp: f32,
    /// Where disturbed weights come from.
    pub memory: TrainingMemory,
}

impl Default for Perturbation {
    fn default() -> Self {
        Self {
            rate: BitErrorRate::new(0.01).expect("1 % is a rate"),
            scheme: Scheme::Randbet,
            combine: Combine::Average,
            chips: Vec::new(),
            profile: None,
            curricular: false,
            gate: 1.75,
            clamp: 0.05,
            memory: TrainingMemory::default(),
        }
    }
}

/// By how much the clean loss may exceed the gate for it to be looked at at all.
const GATE_MARGIN: f32 = 1.15;
/// Most profiled arrays that a run holds, at some MB each.
const MOST_ARRAYS: usize = 64;
/// Steps of the curriculum's ramp.
const RAMP: usize = 20;

impl Perturbation {
    pub(super) fn validate(&self, options: &TrainingOptions) -> Result<(), OptionsError> {
        check(
            self.rate.get() <= 0.5,
            "perturbation.rate",
            self.rate.get(),
            "0 to 0.5",
        )?;
        check(
            self.profile.is_none() || self.chips.len() <= MOST_ARRAYS,
            "perturbation.chips",
            format!("{} profiled chips", self.chips.len()),
            "64 profiled ones at most",
        )?;
        check(
            self.gate > 0.0 && self.gate.is_finite(),
            "perturbation.gate",
            self.gate,
            "above 0 and finite (1e9 is always open)",
        )?;
        check(
            self.clamp > 0.0 && self.clamp.is_finite(),
            "perturbation.clamp",
            self.clamp,
            "above 0 and finite (1e9 clamps nothing)",
        )?;
        self.memory.validate(
            options,
            [
                "perturbation.memory.decode",
                "perturbation.memory.exposure",
                "perturbation.memory.policy",
            ],
        )
    }

    /// The rate in the step that follows `step` of `steps` quantized ones: if it is
    /// curricular, of a ramp of p·(i + 1)/20 from the share i/40 of the steps on.
    pub fn rate_in(&self, step: usize, steps: usize) -> BitErrorRate {
        if !self.curricular {
            return self.rate;
        }
        let reached = (2 * RAMP * step / steps.max(1)).min(RAMP - 1);
        let share = (reached + 1) as f64 / RAMP as f64;
        BitErrorRate::new(share * self.rate.get()).expect("a part of a rate is one")
    }

    /// Whether the next batch is trained on disturbed weights, from the losses of this one;
    /// `perturbed` is `None` if it was not.
    ///
    /// The gate opens once the clean loss is below 1.15 times `gate` and the mean of both
    /// losses (where there is one, else half the clean loss) is not above it; for
    /// [`Scheme::PerturbedOnly`] the larger of the two counts.
    pub fn gate_opens(&self, clean: f32, perturbed: Option<f32>) -> bool {
        let perturbed = perturbed.unwrap_or(0.0);
        let loss = match self.scheme {
            Scheme::PerturbedOnly => clean.max(perturbed),
            _ => (clean + perturbed) / 2.0,
        };
        clean < GATE_MARGIN * self.gate && loss <= self.gate
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use brownout_spec::program::Shape;

    #[test]
    fn the_gate_opens_below_its_margin_and_closes_when_both_losses_are_high() {
        let randbet = Perturbation::default();
        // 1.15 · 1.75 = 2.0125.
        assert!(randbet.gate_opens(2.01, None));
        assert!(!randbet.gate_opens(2.02, None));
        assert!(randbet.gate_opens(1.0, Some(2.5)));
        assert!(!randbet.gate_opens(1.0, Some(2.51)));
        let only = Perturbation {
            scheme: Scheme::PerturbedOnly,
            ..randbet
        };
        assert!(only.gate_opens(1.0, Some(1.75)));
        assert!(!only.gate_opens(1.0, Some(1.76)));
    }

    #[test]
    fn the_curriculum_takes_twenty_steps_over_half_of_the_run() {
        let curricular = Perturbation {
            curricular: true,
            ..Perturbation::default()
        };
        let rates: Vec<f64> = (0..100)
            .map(|step| curricular.rate_in(step, 100).get())
            .collect();
        assert!((rates[0] - 0.0005).abs() < 1e-12);
        assert!((rates[25] - 0.0055).abs() < 1e-12, "{}", rates[25]);
        assert_eq!(rates[50], 0.01);
        assert!(rates.windows(2).all(|r| r[0] <= r[1]));
        let mut steps = rates.clone();
        steps.dedup();
        assert_eq!(steps.len(), 20);
    }

    #[test]
    fn clipping_projects_weights_and_on_demand_what_is_around_one() {
        let image = Shape {
            height: 32,
            width: 32,
            channels: 3,
        };
        for network in ["simplenet:4", "simplenet-bn:4"] {
            let architecture = Architecture::builtin(network.parse().unwrap(), image, 10).unwrap();
            let mut parameters = Parameters::random(&architecture, 1, 0);
            for layer in parameters.layers.iter_mut().flatten() {
                layer.bias.fill(0.5);
                if let Some(gain) = &mut layer.gain {
                    *gain += 0.5;
                }
            }
            let before = parameters.clone();
            let mut clip = Clipping {
                range: 0.05,
                ..Clipping::default()
            };
            clip.apply(&architecture, &mut parameters);
            let layers = parameters.layers.iter().zip(&before.layers);
            for (layer, before) in layers.filter_map(|(l, b)| Some((l.as_ref()?, b.as_ref()?))) {
                assert!(layer.weight.iter().all(|w| w.abs() <= 0.05));
                assert_eq!((&layer.bias, &layer.gain), (&before.bias, &before.gain));
            }
            clip.norms = true;
            clip.apply(&architecture, &mut parameters);
            for (index, layer) in parameters.layers.iter().enumerate() {
                let Some(layer) = layer else { continue };
                assert!(layer.bias.iter().all(|b| b.abs() <= 0.05));
                let scale = layer.scale(architecture.styles[index].norm);
                for s in scale.into_iter().flatten() {
                    assert!((s - 1.05).abs() < 1e-6, "{s}");
                }
            }
        }
    }

    #[test]
    fn per_layer_clipping_leaves_each_layer_its_share() {
        let image = Shape {
            height: 4,
            width: 4,
            channels: 1,
        };
        let architecture = Architecture::mlp(image, 10).unwrap();
        let mut parameters = Parameters::random(&architecture, 1, 0);
        let set = |parameters: &mut Parameters, layer: usize, value: f32| {
            let layer = parameters.layers[layer].as_mut().unwrap();
            layer.weight.fill(value);
        };
        let get = |parameters: &Parameters, layer: usize| {
            parameters.layers[layer].as_ref().unwrap().weight[(0, 0, 0, 0)]
        };
        let clip = Clipping {
            range: 0.1,
            per_layer: true,
            norms: false,
        };
        set(&mut parameters, 0, 2.0);
        set(&mut parameters, 1, -1.0);
        clip.apply(&architecture, &mut parameters);
        assert_eq!((get(&parameters, 0), get(&parameters, 1)), (0.1, -0.05));
        set(&mut parameters, 0, 2.0);
        set(&mut parameters, 1, -0.1);
        clip.apply(&architecture, &mut parameters);
        // A twentieth would be left; a fifth is.
        assert!((get(&parameters, 1) + 0.02).abs() < 1e-7);
    }
}
