//! What was asked for, checked.

use super::asked::Asked;
use crate::arguments::{AtZeroGradient, LabelSource, Method, RandomDraw, Stealth};
use crate::data::{Part, check_count, check_images, check_labels};
use crate::error::Error;
use crate::files;
use crate::judgement::CALIBRATION_IMAGES;
use crate::provenance::digest;
use brownout_golden::attack::{
    BfaOptions, Draw, Kind, Labels, Limits, RandomOptions, StealthGradient, TargetedOptions,
    ZeroGradient,
};
use brownout_golden::data::{Dataset, Split};
use brownout_golden::float::Checkpoint;
use brownout_golden::quantize::Exposure;
use brownout_golden::quantized::{ARRAY, MemoryRules, QuantizedNetwork, StoredMemory};
use brownout_golden::train::TrainingOptions;
use brownout_spec::code::{CodeName, Storage};
use brownout_spec::config::WeightBits;
use brownout_spec::program::Shape;
use std::ops::Range;

/// Most seeds, flips and iterations of a run; each is far more than a search can use.
const MOST_SEEDS: usize = 10_000;
const MOST_FLIPS: usize = 100_000_000;
const MOST_ITERATIONS: usize = 1_000_000;
/// Accuracy that counts as guessing, in shares of guessing itself: 11 % of ten classes.
const GUESSING: f64 = 1.1;

/// What was asked for.
pub struct Plan<'a> {
    arguments: &'a Asked,
    checkpoint: Checkpoint,
    code: CodeName,
    first_seed: u64,
    /// Whether the log is a JSON document.
    pub log_is_json: bool,
}

/// One attack of one kind.
pub enum Attack {
    /// Progressive bit search.
    Bfa(BfaOptions),
    /// A targeted attack.
    Targeted(TargetedOptions),
    /// Random bits.
    Random(RandomOptions),
}

impl<'a> Plan<'a> {
    /// Checks all flags that can be checked without images, and reads the checkpoint.
    ///
    /// # Errors
    /// One sentence with the flag or file and what is allowed.
    pub fn new(arguments: &'a Asked, first_seed: u64) -> Result<Self, Error> {
        check_limits(arguments, first_seed)?;
        let log_is_json = log_is_json(arguments)?;
        let checkpoint = Checkpoint::read(&arguments.checkpoint)?;
        let own = checkpoint.quantization.as_ref();
        let own = own.map(|own| own.storable_code());
        let code = arguments.code.or(own).unwrap_or(CodeName::None);
        if !arguments.policy.supported_by(code) {
            let allowed = format!("keep or zero with code {code}");
            return Err(Error::flag("--policy", arguments.policy, allowed));
        }
        check_classes(arguments, checkpoint.model.architecture.classes())?;
        check_width(arguments, &checkpoint, code)?;
        Ok(Self {
            arguments,
            checkpoint,
            code,
            first_seed,
            log_is_json,
        })
    }

    /// Shape of the images that the network takes.
    pub fn image(&self) -> Shape {
        self.checkpoint.model.image
    }

    /// Digest of what is attacked, as it is in the checkpoint.
    pub fn network_digest(&self) -> String {
        digest(&[&self.checkpoint.to_bytes()])
    }

    /// The seeds of the attacks.
    pub fn seeds(&self) -> Range<u64> {
        self.first_seed..self.first_seed + self.arguments.seeds as u64
    }

    /// The network, which is quantized if it was not.
    ///
    /// # Errors
    /// When it cannot be quantized with these images.
    pub fn network(&self, split: &Split) -> Result<QuantizedNetwork, Error> {
        let model = self.checkpoint.model.clone();
        if let Some(quantization) = self.checkpoint.quantization.clone() {
            return Ok(QuantizedNetwork {
                model,
                quantization,
            });
        }
        let options = TrainingOptions {
            weight_bits: self
                .arguments
                .weight_bits
                .unwrap_or(WeightBits::Eight)
                .into(),
            code: self.code,
            ..TrainingOptions::default()
        };
        let images = split.train.first(CALIBRATION_IMAGES);
        Ok(model.calibrate(&images, &options)?)
    }

    /// Checks that there are as many images as asked for, and that they are the network's.
    ///
    /// # Errors
    /// One sentence with the flag and what is allowed.
    pub fn check_data(&self, network: &QuantizedNetwork, split: &Split) -> Result<(), Error> {
        let arguments = self.arguments;
        let takes = (network.model.image, network.model.architecture.classes());
        let whose = "the checkpoint's";
        check_images(&arguments.data, &split.test, takes, whose)?;
        let outputs = (takes.1, whose);
        check_labels(&arguments.data, &split.train, Part::Training, outputs)?;
        let there_are = split.train.len();
        let count = arguments.attack_images_of(there_are);
        check_count("--attack-images", count, there_are)?;
        let images = arguments.images_of(split.test.len());
        check_count("--images", images, split.test.len())?;
        let Some(source) = arguments.source else {
            return Ok(());
        };
        let test = &split.test.labels[..images];
        if [&split.train.labels[..], test]
            .iter()
            .any(|l| !l.contains(&source))
        {
            let allowed = "a class that has training images and is among the --images test images";
            return Err(Error::flag("--source", source, allowed));
        }
        Ok(())
    }

    /// Checks that the class that is misled has as many training images as are asked for.
    ///
    /// # Errors
    /// One sentence with the flag and how many there are.
    pub fn check_source_images(&self, train: &Dataset) -> Result<(), Error> {
        let Some(source) = self.arguments.source else {
            return Ok(());
        };
        let there_are = train.labels.iter().filter(|&&l| l == source).count();
        let count = self.arguments.attack_images_of(there_are);
        check_count("--attack-images", count, there_are)
    }

    /// Checks that there are test images that an attack misleads, and for a stealthy one others that
    /// it leaves alone: without them its aim is empty.
    ///
    /// # Errors
    /// One sentence with the flag and the class that all test images have.
    pub fn check_test_images(&self, test: &Dataset) -> Result<(), Error> {
        let all_are = |class: u16| test.labels.iter().all(|&label| label == class);
        let arguments = &self.arguments;
        match (arguments.method, arguments.target, arguments.source) {
            (Method::NToOne, Some(target), _) if all_are(target) => Err(Error::flag(
                "--target",
                target,
                "a class that not all test images have already",
            )),
            (Method::Stealthy, _, Some(source)) if all_are(source) => Err(Error::flag(
                "--source",
                source,
                "a class that not all test images have, so that there are others that keep theirs; \
                 for images of one class, --method t-bfa-1-to-1",
            )),
            _ => Ok(()),
        }
    }

    /// The memory that is attacked.
    ///
    /// # Errors
    /// When the weights have no layout in it.
    pub fn memory(&self, network: &QuantizedNetwork) -> Result<StoredMemory, Error> {
        let rules = MemoryRules {
            rows: ARRAY,
            columns: ARRAY,
            code: self.code,
            storage: Storage::default().with(self.code),
            policy: self.arguments.policy,
            exposure: match self.code {
                CodeName::None => Exposure::LiveBits,
                _ => Exposure::WholeLane,
            },
        };
        let (width, shapes) = (network.quantization.width, network.model.weight_shapes());
        StoredMemory::new(rules, width, shapes).map_err(Error::content(&self.arguments.checkpoint))
    }

    /// The accuracy at or below which a network only guesses, if no other bound was asked
    /// for: also the share of the most frequent class, which one gets by naming it always.
    pub fn bound(&self, test: &Dataset, classes: usize) -> f64 {
        let count = |class: usize| {
            let labels = test.labels.iter().map(|&l| usize::from(l));
            labels.filter(|&l| l == class).count()
        };
        let most = (0..classes).map(count).max().unwrap_or(0);
        let share = most as f64 / test.len().max(1) as f64;
        let guessing = share.max(GUESSING / classes as f64);
        self.arguments.stop_accuracy.unwrap_or(guessing)
    }

    /// The attack with a seed that ends at an accuracy.
    pub fn attack(&self, bound: f64, seed: u64) -> Attack {
        let arguments = self.arguments;
        let limits = Limits {
            flips: arguments.max_flips,
            iterations: arguments.max_iterations,
            accuracy: Some(bound),
        };
        let (source, target) = (
            arguments.source.unwrap_or_default(),
            arguments.target.unwrap_or_default(),
        );
        let targeted = |kind| {
            Attack::Targeted(TargetedOptions {
                kind,
                target,
                limits,
                seed,
            })
        };
        match arguments.method {
            Method::Bfa => Attack::Bfa(BfaOptions {
                labels: match arguments.labels {
                    LabelSource::Predicted => Labels::Predicted,
                    LabelSource::True => Labels::True,
                },
                top: (arguments.top > 0).then_some(arguments.top),
                zero: match arguments.zero_gradient {
                    AtZeroGradient::Skip => ZeroGradient::Skip,
                    AtZeroGradient::Random => ZeroGradient::Random,
                },
                limits,
                seed,
                ..BfaOptions::default()
            }),
            Method::Random => Attack::Random(RandomOptions {
                draw: match arguments.draw {
                    RandomDraw::AllBits => Draw::AllBits,
                    RandomDraw::LayerFirst => Draw::LayerFirst,
                },
                every: arguments.every,
                limits,
                seed,
            }),
            Method::NToOne => targeted(Kind::NToOne),
            Method::OneToOne => targeted(Kind::OneToOne { source }),
            Method::Stealthy => targeted(Kind::Stealthy {
                source,
                gradient: match arguments.stealth {
                    Stealth::Published => StealthGradient::Published,
                    Stealth::Corrected => StealthGradient::Corrected,
                },
            }),
        }
    }
}

fn log_is_json(arguments: &Asked) -> Result<bool, Error> {
    let Some(path) = &arguments.log else {
        return Ok(false);
    };
    let json = match path.extension().and_then(|e| e.to_str()) {
        Some("json") => true,
        Some("csv") => false,
        _ => {
            let allowed = "a name that ends in .csv or .json";
            return Err(Error::flag("--log", path.display(), allowed));
        }
    };
    if files::are_same(path, &arguments.checkpoint) {
        return Err(Error::flag(
            "--log",
            path.display(),
            "another file than the checkpoint",
        ));
    }
    files::check_writable(path)?;
    Ok(json)
}

/// Checks the limits of a search.
///
/// # Errors
/// One sentence with the flag and what is allowed.
pub fn check_limits(arguments: &Asked, first_seed: u64) -> Result<(), Error> {
    for (flag, value, most) in [
        ("--seeds", arguments.seeds, MOST_SEEDS),
        ("--max-flips", arguments.max_flips, MOST_FLIPS),
        (
            "--max-iterations",
            arguments.max_iterations,
            MOST_ITERATIONS,
        ),
        ("--every", arguments.every, MOST_FLIPS),
    ] {
        check_count(flag, value, most)?;
    }
    if first_seed.checked_add(arguments.seeds as u64).is_none() {
        let most = u64::MAX - arguments.seeds as u64;
        return Err(Error::flag(
            "--seed",
            first_seed,
            format!("at most {most} here"),
        ));
    }
    if let Some(share) = arguments.stop_accuracy
        && !(0.0..=1.0).contains(&share)
    {
        return Err(Error::flag("--stop-accuracy", share, "0 to 1"));
    }
    check_aim(arguments)
}

/// Checks that the classes go with method and network.
///
/// # Errors
/// One sentence with the flag and what is allowed.
pub fn check_classes(arguments: &Asked, classes: usize) -> Result<(), Error> {
    let (from, to) = match arguments.method {
        Method::Bfa | Method::Random => (false, false),
        Method::NToOne => (false, true),
        Method::OneToOne | Method::Stealthy => (true, true),
    };
    let most = classes.saturating_sub(1);
    for (flag, wanted, class) in [
        ("--source", from, arguments.source),
        ("--target", to, arguments.target),
    ] {
        match class {
            None if wanted => {
                return Err(Error::flag(
                    flag,
                    "missing",
                    format!("a class from 0 to {most} with this method"),
                ));
            }
            Some(class) if !wanted => {
                return Err(Error::flag(flag, class, "no such flag with this method"));
            }
            Some(class) if usize::from(class) > most => {
                return Err(Error::flag(flag, class, format!("0 to {most}")));
            }
            _ => {}
        }
    }
    match (arguments.source, arguments.target) {
        (Some(source), Some(target)) if source == target => Err(Error::flag(
            "--target",
            target,
            format!("another class than --source, {source}"),
        )),
        _ => Ok(()),
    }
}

/// Checks that an accuracy is asked for only where an attack ends at one.
fn check_aim(arguments: &Asked) -> Result<(), Error> {
    match (arguments.method, arguments.stop_accuracy) {
        (Method::Bfa | Method::Random, _) | (_, None) => Ok(()),
        (_, Some(share)) => Err(Error::flag(
            "--stop-accuracy",
            share,
            "no such flag with this method, which ends when the images have changed class",
        )),
    }
}

/// Checks that width and code go together.
fn check_width(arguments: &Asked, checkpoint: &Checkpoint, code: CodeName) -> Result<(), Error> {
    let stored = checkpoint.quantization.as_ref().map(|q| q.width);
    if let (Some(width), Some(asked)) = (stored, arguments.weight_bits) {
        return Err(Error::flag(
            "--weight-bits",
            asked,
            format!("no such flag with a checkpoint of {width}-bit weights"),
        ));
    }
    let lane = match stored {
        Some(width) => width.lane(),
        None => arguments.weight_bits.unwrap_or(WeightBits::Eight),
    };
    if code.supports(lane) {
        return Ok(());
    }
    let allowed = format!("none, secded-72-64 or inplace-64-57 with {lane}-bit weights");
    Err(Error::flag("--code", code, allowed))
}
