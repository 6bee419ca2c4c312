//! The measurement: every chip at every operating point.

use super::plan::{Disturbance, Plan, PlanError, Point};
use super::reader::{Counters, Reader};
use super::statistics::{Spread, Yield, guarantee};
use super::subject::{Classifier, Subject};
use crate::data::Dataset;
use crate::infer::{Memory, MemoryError};
use crate::quantized::StoredMemoryError;
use brownout_spec::fault::profile::ProfiledArray;
use brownout_spec::fault::{ChipFaults, FaultMode};
use brownout_spec::program::Shape;
use brownout_spec::quantity::{ChipSeed, Pass};
use rayon::prelude::*;
use serde::Serialize;
use std::borrow::Cow;
use thiserror::Error;

/// Classes from which on it is also counted whose label is among the largest logits, and how many
/// of these are looked at: as for ImageNet and CIFAR-100.
pub const MANY_CLASSES: usize = 100;
const AMONG: usize = 5;

/// Why nothing could be measured.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum EvaluateError {
    /// A setting of the plan.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The weights cannot be stored in such a memory.
    #[error(transparent)]
    Memory(#[from] StoredMemoryError),
    /// A fault map does not fit.
    #[error(transparent)]
    Map(#[from] MemoryError),
    /// The map from pixels is one for other images.
    #[error("{0}")]
    Pixels(String),
    /// The images are not the network's.
    #[error(
        "the images of {data} are {images} of {found} in {found_classes} classes; network {network} needs at least one of {expected} in at most {classes}"
    )]
    Data {
        /// Name of the data set.
        data: String,
        /// How many images there are.
        images: usize,
        /// Shape of its images.
        found: Shape,
        /// Number of its classes.
        found_classes: usize,
        /// Name of the network.
        network: String,
        /// Shape that the network takes.
        expected: Shape,
        /// Classes that the network tells apart.
        classes: usize,
    },
    /// No value of the results stands for a class.
    #[error(
        "network {network} gives a map of {results}, so no image is classified right or wrong; allowed are networks that give one value a class (simulate compares maps value by value)"
    )]
    NoClasses {
        /// Name of the network.
        network: String,
        /// Its results.
        results: Shape,
    },
}

/// What was measured on one chip at one operating point.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct ChipResult {
    /// The chip; `None` with an explicit map.
    pub seed: Option<u64>,
    /// Cell of a profiled array in which the memory begins.
    pub offset: usize,
    /// Images classified wrong.
    pub wrong: usize,
    /// Images classified wrong with these weights or with undisturbed ones.
    pub wrong_or_clean_wrong: usize,
    /// What was counted.
    pub counters: Counters,
}

impl ChipResult {
    /// Share of images classified wrong.
    pub fn error(&self, images: usize) -> f64 {
        self.wrong as f64 / images as f64
    }

    /// Robust error (RErr): share classified wrong with these weights or with undisturbed ones.
    pub fn robust_error(&self, images: usize) -> f64 {
        self.wrong_or_clean_wrong as f64 / images as f64
    }
}

/// What was measured at one operating point.
#[derive(Clone, Debug, PartialEq)]
pub struct PointResult {
    /// The operating point.
    pub point: Point,
    /// The rate applied: threshold / 2³², the share of a map's cells among all, or what an
    /// array's reads fail with, on average over the chips.
    pub rate_applied: f64,
    /// One entry a chip, or of profiled arrays one for each place of each chip.
    pub chips: Vec<ChipResult>,
    /// Share of images classified wrong, on average over a chip's places, over chips.
    pub error: Spread,
    /// Robust error, likewise.
    pub robust_error: Spread,
    /// Share of good chips, if the plan says what a good one is.
    pub good: Option<Yield>,
    /// What the robust error over all chips and images does not exceed, if the plan asks.
    pub guarantee: Option<f64>,
    /// Sums over chips.
    pub counters: Counters,
}

/// What was measured.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluation {
    /// Images classified.
    pub images: usize,
    /// Of these wrong with undisturbed weights.
    pub clean_wrong: usize,
    /// Share of each class's images classified wrong with undisturbed weights; `None` of a class
    /// without images.
    pub clean_error_of_classes: Vec<Option<f64>>,
    /// Share of images whose label is none of the five largest logits with undisturbed weights, of
    /// a network with 100 classes or more.
    pub clean_top5_error: Option<f64>,
    /// What the classes are called, if the images say it.
    pub class_names: Vec<String>,
    /// Words and bits of a word of the weight memory.
    pub memory: (usize, usize),
    /// One entry an operating point.
    pub points: Vec<PointResult>,
}

impl Evaluation {
    /// Share of images classified wrong with undisturbed weights.
    pub fn clean_error(&self) -> f64 {
        self.clean_wrong as f64 / self.images as f64
    }
}

/// Measures; `progress` is called after every chip of every point.
///
/// The result does not depend on the number of threads.
///
/// # Errors
/// When the plan is not allowed, the weights cannot be stored, a map does not fit or the
/// images are not the network's.
pub fn evaluate(
    subject: &Subject,
    data: &Dataset,
    plan: &Plan,
    mut progress: impl FnMut(),
) -> Result<Evaluation, EvaluateError> {
    if let Subject::Integer(model) = subject
        && model.classes().is_none()
    {
        return Err(EvaluateError::NoClasses {
            network: subject.network().to_owned(),
            results: model.results(),
        });
    }
    plan.validate()?;
    if data.is_empty() || !subject.takes(data.shape()) || data.classes > subject.classes() {
        return Err(EvaluateError::Data {
            data: data.name.clone(),
            images: data.len(),
            found: data.shape(),
            found_classes: data.classes,
            network: subject.network().to_owned(),
            expected: subject.image(),
            classes: subject.classes(),
        });
    }
    let channels = subject.input().check_channels(data.channels());
    channels.map_err(EvaluateError::Pixels)?;
    let reader = Reader::new(subject, plan.memory)?;
    for point in &plan.points {
        // Known before the long work: everything else fits every memory.
        if let Disturbance::Map(map) = &point.disturbance {
            reader.memory_with_map(map)?;
        }
    }
    let classifier = subject.classifier(data);
    let clean = classifier.all(reader.stored());
    let is_top5 = subject.classes() >= MANY_CLASSES;
    let top5 = is_top5.then(|| data.len() - classifier.among(AMONG));
    let bench = Bench {
        data,
        reader,
        classifier,
        clean,
    };
    let mut points = Vec::with_capacity(plan.points.len());
    for point in &plan.points {
        points.push(bench.point(point, plan, &mut progress)?);
    }
    Ok(Evaluation {
        images: data.len(),
        clean_wrong: bench.wrong(&bench.clean).0,
        clean_error_of_classes: bench.clean_error_of_classes(subject.classes()),
        clean_top5_error: top5.map(|wrong| wrong as f64 / data.len() as f64),
        class_names: data.class_names.clone(),
        memory: bench.reader.size(),
        points,
    })
}

/// What every chip is measured with.
struct Bench<'a> {
    data: &'a Dataset,
    reader: Reader,
    classifier: Classifier<'a>,
    /// Class of every image with undisturbed weights.
    clean: Vec<u16>,
}

impl Bench<'_> {
    fn point(
        &self,
        point: &Point,
        plan: &Plan,
        progress: &mut impl FnMut(),
    ) -> Result<PointResult, EvaluateError> {
        let mut chips = Vec::new();
        let mut rate = 0.0;
        let seeds = (0..plan.chips.count as u64).map(|i| ChipSeed(plan.chips.first.0 + i));
        match &point.disturbance {
            Disturbance::Map(map) => {
                let memory = self.reader.memory_with_map(map)?;
                let (words, bits) = self.reader.size();
                rate = map.len() as f64 / (words * bits).max(1) as f64;
                chips.push(self.chip(None, 0, point, |_| Ok(Cow::Borrowed(&memory)))?);
                progress();
            }
            &Disturbance::Cells { mode, threshold } => {
                rate = match mode {
                    FaultMode::None => 0.0,
                    _ => threshold.applied_rate().get(),
                };
                for seed in seeds {
                    let faults = ChipFaults {
                        seed,
                        mode,
                        threshold,
                    };
                    let memory = self.reader.memory(faults)?;
                    chips.push(self.chip(Some(seed), 0, point, |_| Ok(Cow::Borrowed(&memory)))?);
                    progress();
                }
            }
            Disturbance::Profile { profile, .. } => {
                for seed in seeds {
                    let array = ProfiledArray::generate(profile, seed);
                    rate += array.rate() / plan.chips.count as f64;
                    for place in 0..plan.offsets {
                        let offset = place * array.cells() / plan.offsets;
                        chips.push(self.chip(Some(seed), offset, point, |read| {
                            let (words, bits) = self.reader.size();
                            let map = array.fault_map(words, bits, offset, read);
                            Ok(Cow::Owned(self.reader.memory_with_map(&map)?))
                        })?);
                        progress();
                    }
                }
            }
        }
        Ok(self.summary(point, plan, rate, chips))
    }

    /// One chip; `memory` is its memory at a read.
    fn chip<'m>(
        &self,
        seed: Option<ChipSeed>,
        offset: usize,
        point: &Point,
        memory: impl Fn(Pass) -> Result<Cow<'m, Memory>, EvaluateError> + Sync,
    ) -> Result<ChipResult, EvaluateError> {
        let (classes, counters) = match point.is_transient() {
            true => self.read_for_each_image(memory)?,
            false => {
                let (tensors, counters) = self.reader.read(memory(Pass(0))?.as_ref(), Pass(0));
                (self.classes(&tensors), counters)
            }
        };
        let (wrong, wrong_or_clean_wrong) = self.wrong(&classes);
        Ok(ChipResult {
            seed: seed.map(|s| s.0),
            offset,
            wrong,
            wrong_or_clean_wrong,
            counters,
        })
    }

    /// Every image is a pass of its own, with the image's number.
    fn read_for_each_image<'m>(
        &self,
        memory: impl Fn(Pass) -> Result<Cow<'m, Memory>, EvaluateError> + Sync,
    ) -> Result<(Vec<u16>, Counters), EvaluateError> {
        let results: Vec<(u16, Counters)> = (0..self.data.len())
            .into_par_iter()
            .map(|i| {
                let pass = Pass(i as u32);
                let (tensors, counters) = self.reader.read(memory(pass)?.as_ref(), pass);
                let class = match tensors == self.reader.stored() {
                    true => self.clean[i],
                    false => self.classifier.one(&tensors, self.data.image(i)),
                };
                Ok::<_, EvaluateError>((class, counters))
            })
            .collect::<Result<_, _>>()?;
        let mut sum = Counters::default();
        for (_, counters) in &results {
            sum += *counters;
        }
        let classes = results.into_iter().map(|(class, _)| class).collect();
        Ok((classes, sum))
    }

    fn classes(&self, tensors: &[Vec<i8>]) -> Vec<u16> {
        match tensors == self.reader.stored() {
            true => self.clean.clone(),
            false => self.classifier.all(tensors),
        }
    }

    /// Images that are wrong, and that are wrong here or with undisturbed weights.
    fn wrong(&self, classes: &[u16]) -> (usize, usize) {
        let labels = self.data.labels.iter().copied();
        let mut counts = (0, 0);
        for ((&class, &clean), label) in classes.iter().zip(&self.clean).zip(labels) {
            counts.0 += usize::from(class != label);
            counts.1 += usize::from(class != label || clean != label);
        }
        counts
    }

    fn clean_error_of_classes(&self, classes: usize) -> Vec<Option<f64>> {
        let mut counts = vec![(0usize, 0usize); classes];
        for (&clean, &label) in self.clean.iter().zip(&self.data.labels) {
            let (wrong, images) = &mut counts[usize::from(label)];
            *wrong += usize::from(clean != label);
            *images += 1;
        }
        let share = |(wrong, images)| (images > 0).then(|| wrong as f64 / images as f64);
        counts.into_iter().map(share).collect()
    }

    fn summary(
        &self,
        point: &Point,
        plan: &Plan,
        rate_applied: f64,
        chips: Vec<ChipResult>,
    ) -> PointResult {
        // Places in one array share its faulty rows and columns, so only seeds are independent.
        // Sums of counts are the averages over places, exactly.
        let places = plan.places_of(point);
        let total = self.data.len() * places;
        let sums = |of: fn(&ChipResult) -> usize| -> Vec<usize> {
            let seeds = chips.chunks(places);
            seeds.map(|seed| seed.iter().map(of).sum()).collect()
        };
        let spread = |of| Spread::of_shares(&sums(of), total, plan.bootstrap);
        let robust_error = spread(|chip| chip.wrong_or_clean_wrong);
        let mut counters = Counters::default();
        for chip in &chips {
            counters += chip.counters;
        }
        PointResult {
            point: point.clone(),
            rate_applied,
            error: spread(|chip| chip.wrong),
            good: plan.yield_at.map(|at| {
                let wrong = sums(|chip| chip.wrong);
                let good = |&&wrong: &&usize| Yield::is_reached(at, total - wrong, total);
                Yield::new(at, wrong.iter().filter(good).count(), wrong.len())
            }),
            guarantee: plan.guarantee.map(|delta| {
                let seeds = chips.len() / places;
                robust_error.mean + guarantee(self.data.len(), seeds, delta)
            }),
            robust_error,
            counters,
            chips,
        }
    }
}
