//! What `make bench` measures: figures with everything needed to judge them.
//!
//! Speeds that are compared are measured in turn (A B A B ...), and their
//! ratio is taken pair by pair, so that a machine whose speed drifts, or which
//! others use as well, moves both sides alike. Every figure has minimum,
//! median and maximum; the median is the one to quote.

mod array;
mod baseline;
mod campaign;
mod clock;
mod emission;
mod harness;
mod import;
mod inference;
mod lanes;
mod networks;
mod profile;
mod provenance;
mod pythons;
mod report;
mod rival;
mod sampled;
mod simulation;
mod software;
mod stimulus;
mod training;
mod utilization;
mod wires;
mod workload;

pub use report::{Aim, BenchError, Figure, Report};
pub use utilization::{Shape3x3, confirm, utilization};
pub use workload::accelerator;

use crate::configurations::configuration;
use brownout_spec::code::CodeName;
use brownout_spec::config::{Configuration, WeightBits};
use provenance::Provenance;
use std::path::PathBuf;

/// How the figures are measured.
#[derive(Clone, Debug)]
pub struct Options {
    /// Small arrays and few repetitions: shows that everything works, and no speed.
    pub quick: bool,
    /// The only topic to measure; `None` is all of them.
    pub topic: Option<String>,
    /// Where the JSON files go.
    pub folder: PathBuf,
    /// Repetitions of what is measured in turn.
    pub repetitions: usize,
}

/// Measures everything, prints a table after the other and writes a file for each.
///
/// # Errors
/// When a tool is missing, a simulation does not answer as it should, or a file
/// cannot be written.
pub fn run(options: &Options) -> Result<(), BenchError> {
    let provenance = Provenance::collect()?;
    println!("{provenance}");
    type Topic = fn(&Options) -> Result<Vec<Figure>, BenchError>;
    let topics: [(&str, Topic); 10] = [
        ("utilization", utilization::measure),
        ("emission", emission::measure),
        ("software", software::measure),
        ("training", training::measure),
        ("inference", inference::measure),
        ("import", import::measure),
        ("campaign", campaign::measure),
        ("simulation", simulation::measure),
        ("lanes", lanes::measure),
        ("profile", profile::measure),
    ];
    if let Some(wanted) = &options.topic
        && topics.iter().all(|(topic, _)| topic != wanted)
    {
        let allowed = topics.map(|(topic, _)| topic).join(", ");
        return Err(BenchError::Topic {
            wanted: wanted.clone(),
            allowed,
        });
    }
    for (topic, measure) in topics {
        if options.topic.as_ref().is_some_and(|wanted| wanted != topic) {
            continue;
        }
        let mut figures = measure(options)?;
        if options.quick {
            // Too short and too small to be judged.
            figures.iter_mut().for_each(|figure| figure.judged = None);
        }
        let report = Report::new(topic, &provenance, figures);
        print!("{report}");
        report.write(&options.folder)?;
    }
    Ok(())
}

/// A small accelerator, which other tests compile as well.
pub fn quick_accelerator() -> Configuration {
    configuration(4, 8, WeightBits::Eight, CodeName::Inplace64_57)
}
