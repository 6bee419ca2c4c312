//! What is attacked, and what with.

use super::asked::Asked;
use super::plan::{Attack, Plan};
use crate::error::Error;
use crate::output::Output;
use crate::table::percent;
use brownout_golden::attack::{
    AttackLog, Attacked, Batch, Labels, Measurement, ReplayError, Stop, Victim, bfa, draw, random,
    replay, targeted,
};
use brownout_golden::data::{Dataset, Split};
use brownout_golden::model::InputTable;
use brownout_golden::quantized::{
    QuantizedNetwork, StoredMemory, StoredMemoryError, StoredWeights,
};

/// A network in a memory, and the images of an attack.
pub struct Subject {
    /// The network.
    pub network: QuantizedNetwork,
    /// Where its weights are.
    pub memory: StoredMemory,
    /// All images.
    pub split: Split,
    /// Accuracy at or below which an attack has reached its aim.
    pub bound: f64,
    stored: StoredWeights,
    table: InputTable<f32>,
    /// Images that measure what it did.
    pub test: Dataset,
    /// Images that the attacker looks at, at most.
    pub attack_images: usize,
}

impl Subject {
    /// Of a plan.
    ///
    /// # Errors
    /// When images cannot be read or are not the network's, or its weights have no place in
    /// the memory.
    pub fn new(arguments: &Asked, plan: &Plan<'_>, output: Output) -> Result<Self, Error> {
        let split = arguments.data.split(None, Some(plan.image()), output)?;
        let network = plan.network(&split)?;
        plan.check_data(&network, &split)?;
        let memory = plan.memory(&network)?;
        let test = split.test.first(arguments.images_of(split.test.len()));
        Ok(Self {
            bound: plan.bound(&test, network.model.architecture.classes()),
            table: match network.quantization.activations[0] {
                Some(_) => network.model.input.rounded_table(),
                None => network.model.input.real_table(),
            },
            stored: network.stored(),
            attack_images: arguments.attack_images_of(split.train.len()),
            test,
            split,
            network,
            memory,
        })
    }

    /// Attacks it.
    ///
    /// # Errors
    /// When a weight is outside the range that the memory's code leaves it.
    pub fn attack(&self, plan: &Plan<'_>, seed: u64) -> Result<Attacked, StoredMemoryError> {
        let attack = plan.attack(self.bound, seed);
        let mut batch = self.batch(&attack, seed);
        let success = self.success_images(&attack);
        let measurement = Some(self.measurement(success.as_ref()));
        let victim = Victim::from(&self.network);
        let weights = (&self.memory, &self.stored);
        match &attack {
            Attack::Bfa(options) => bfa(victim, weights, &mut batch, options, measurement),
            Attack::Random(options) => random(victim, weights, &mut batch, options, measurement),
            Attack::Targeted(options) => {
                targeted(victim, weights, &mut batch, options, measurement)
            }
        }
    }

    /// Why an attack had nothing to do, if it had reached its aim before its first flip.
    pub fn aim_met(&self, arguments: &Asked, attacked: &Attacked) -> Option<Error> {
        if !attacked.log.flips.is_empty() {
            return None;
        }
        let (images, before) = (self.test.len(), attacked.accuracy.map_or(0.0, |a| a.0));
        match attacked.stop {
            Stop::Success => {
                let target = arguments.target.map_or(String::new(), |t| t.to_string());
                let share = percent(attacked.success.map_or(0.0, |s| s.0));
                let allowed = format!(
                    "a class that the images to be misled are not in yet: {share} of those among {images} test images are, before any flip"
                );
                Some(Error::flag("--target", target, allowed))
            }
            Stop::Accuracy => Some(self.low_at_the_start(arguments, images, before)),
            _ => None,
        }
    }

    /// The accuracy is at or below the bound before any flip: whose fault that is.
    fn low_at_the_start(&self, arguments: &Asked, images: usize, before: f64) -> Error {
        let found = format!("the accuracy on {images} test images before any flip");
        if let Some(share) = arguments.stop_accuracy {
            let allowed = format!("a share below {before}, {found}");
            return Error::flag("--stop-accuracy", share, allowed);
        }
        let other = match before > 0.0 {
            true => format!(", or --stop-accuracy below {before}"),
            false => String::new(),
        };
        let first = self.test.labels.first();
        match first.filter(|&first| self.test.labels.iter().all(|label| label == first)) {
            Some(class) => Error::flag(
                "--data",
                format!(
                    "{}, whose {images} test images are all of class {class}",
                    arguments.data
                ),
                format!(
                    "test images of several classes{other}: an attack ends where a network guesses, and who always says {class} is right here"
                ),
            ),
            None => Error::content(&arguments.checkpoint)(format!(
                "it only guesses: {found} is {}, not above {}, where an attack ends; allowed is a network that has learned these images{other}",
                percent(before),
                percent(self.bound)
            )),
        }
    }

    /// Does again what is logged of an attack.
    ///
    /// # Errors
    /// When the log is of another network or memory.
    pub fn replay(&self, plan: &Plan<'_>, log: &AttackLog) -> Result<Attacked, ReplayError> {
        let attack = plan.attack(self.bound, log.seed);
        let mut batch = self.batch(&attack, log.seed);
        let victim = Victim::from(&self.network);
        if matches!(&attack, Attack::Bfa(options) if options.labels == Labels::Predicted) {
            batch.predict(victim, &self.stored);
        }
        let success = self.success_images(&attack);
        let measurement = Some(self.measurement(success.as_ref()));
        let weights = (&self.memory, &self.stored);
        replay(log, victim, weights, &mut batch, measurement)
    }

    /// What the attacker looks at, with the data's labels or the target's.
    fn batch(&self, attack: &Attack, seed: u64) -> Batch {
        let victim = Victim::from(&self.network);
        let (table, train) = (&self.table, &self.split.train);
        match attack {
            Attack::Targeted(options) => options.batch(&victim, table, train, self.attack_images),
            Attack::Bfa(_) | Attack::Random(_) => {
                let images = draw(train, self.attack_images, seed, |_| true);
                Batch::new(&victim, table, train, &images)
            }
        }
    }

    fn success_images(&self, attack: &Attack) -> Option<Dataset> {
        match attack {
            Attack::Targeted(options) => Some(options.success_images(&self.test)),
            Attack::Bfa(_) | Attack::Random(_) => None,
        }
    }

    fn measurement<'s>(&'s self, success: Option<&'s Dataset>) -> Measurement<'s> {
        Measurement {
            table: &self.table,
            accuracy: &self.test,
            success,
        }
    }
}
