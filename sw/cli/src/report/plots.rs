//! The plots of all results of a folder.

use super::documents::{Attack, Document, EvaluatedPoint, Evaluation, SimulatedPoint, Simulation};
use super::folder::{Folder, ResultFile};
use crate::plot::{Axis, Plot, PlotPoint, Series};
use std::collections::BTreeSet;

/// A plot with what its bars are.
pub struct Captioned {
    pub plot: Plot,
    pub caption: &'static str,
}

/// What a curve of accuracies is drawn over.
struct Over {
    title: &'static str,
    x_label: &'static str,
    x_axis: Axis,
    evaluated: fn(&EvaluatedPoint) -> Option<f64>,
    simulated: fn(&SimulatedPoint) -> Option<f64>,
}

const RATE: Over = Over {
    title: "Accuracy over rate of faulty cells",
    x_label: "rate of faulty cells",
    x_axis: Axis::Log,
    // The one that a voltage stands for can be far below what is applied, which is none.
    evaluated: |point| point.rate.map(|_| point.rate_applied),
    simulated: |point| Some(point.ber_applied),
};
const VOLTAGE: Over = Over {
    title: "Accuracy over supply voltage",
    x_label: "supply of the weight memory in mV",
    x_axis: Axis::Linear,
    evaluated: |point| point.voltage_mv.map(f64::from),
    simulated: |point| point.voltage_mv.map(f64::from),
};
const ENERGY: Over = Over {
    title: "Accuracy over energy of the weight memory",
    x_label: "SRAM energy, relative to nominal voltage without a code",
    x_axis: Axis::Linear,
    evaluated: |point| point.sram_energy_relative,
    simulated: |point| point.sram_energy_relative,
};

/// Accuracies over rate, voltage and energy, as far as they are known.
pub fn accuracies(folder: &Folder) -> Vec<Captioned> {
    let all = [RATE, VOLTAGE, ENERGY].map(|over| over.plot(folder));
    all.into_iter().flatten().collect()
}

impl Over {
    fn plot(&self, folder: &Folder) -> Option<Captioned> {
        let series = folder.files.iter().flat_map(|file| match &file.document {
            Document::Evaluation(evaluation) => vec![self.evaluation(file, evaluation)],
            Document::Simulation(simulation) => self.simulation(file, simulation),
            _ => Vec::new(),
        });
        let plot = Plot {
            title: self.title.to_owned(),
            x_label: self.x_label.to_owned(),
            y_label: "accuracy in %".to_owned(),
            x_axis: self.x_axis.clone(),
            y_from: None,
            series: series.filter(|series| !series.points.is_empty()).collect(),
        };
        let caption = "Bars are 95 % intervals of the mean over chips. A co-simulation (RTL) runs \
            one chip and has none.";
        (!plot.series.is_empty()).then_some(Captioned { plot, caption })
    }

    fn evaluation(&self, file: &ResultFile, evaluation: &Evaluation) -> Series {
        let point = |point: &EvaluatedPoint| {
            let accuracy = |error: f64| 100.0 * (1.0 - error);
            let interval = point.error.interval;
            Some(PlotPoint {
                x: (self.evaluated)(point)?,
                y: accuracy(point.error.mean),
                interval: interval.map(|i| (accuracy(i.high), accuracy(i.low))),
            })
        };
        Series {
            label: file.stem().to_owned(),
            points: evaluation.points.iter().filter_map(point).collect(),
            look: None,
        }
    }

    /// A series for each code, mode and policy.
    fn simulation(&self, file: &ResultFile, simulation: &Simulation) -> Vec<Series> {
        let kinds: BTreeSet<_> = simulation.points.iter().map(kind).collect();
        let several = |of: fn(&SimulatedPoint) -> &str| {
            let values: BTreeSet<&str> = simulation.points.iter().map(of).collect();
            values.len() > 1
        };
        let (modes, policies) = (several(|p| &p.mode), several(|p| &p.policy));
        let series = kinds.into_iter().map(|(code, mode, policy)| {
            let mut label = format!("{} (RTL), {code}", file.stem());
            for (name, varies) in [(mode, modes), (policy, policies)] {
                if varies {
                    label.push_str(&format!(", {name}"));
                }
            }
            let points = simulation
                .points
                .iter()
                .filter(|point| kind(point) == (code, mode, policy));
            let point = |point: &SimulatedPoint| {
                Some(PlotPoint {
                    x: (self.simulated)(point)?,
                    y: 100.0 * point.accuracy_rtl?,
                    interval: None,
                })
            };
            Series {
                label,
                points: points.filter_map(point).collect(),
                look: None,
            }
        });
        series.collect()
    }
}

/// What differs between the curves of one simulation.
fn kind(point: &SimulatedPoint) -> (&str, &str, &str) {
    (&point.code, &point.mode, &point.policy)
}

/// Flips of each attack file, numbered as in the table.
pub fn flips<'a>(attacks: impl Iterator<Item = (&'a ResultFile, &'a Attack)>) -> Option<Captioned> {
    let series = attacks.zip(1..).filter_map(|((file, attack), number)| {
        let n = attack.n_flip.as_ref()?;
        Some(Series {
            label: format!("{number}: {}", file.stem()),
            points: vec![PlotPoint {
                x: f64::from(number),
                y: n.mean,
                interval: Some((n.least, n.most)),
            }],
            look: None,
        })
    });
    let plot = Plot {
        title: "Flipped cells until an attack ends".to_owned(),
        x_label: "number of the file in the table".to_owned(),
        y_label: "N_flip in cells".to_owned(),
        x_axis: Axis::Linear,
        y_from: None,
        series: series.collect(),
    };
    let caption = "Points are means over attacks with different seeds, bars go from the fewest to \
        the most. Attacks that did not reach their aim count too.";
    (!plot.series.is_empty()).then_some(Captioned { plot, caption })
}

/// Losses of each training.
pub fn losses(folder: &Folder) -> Option<Captioned> {
    let series = folder.files.iter().filter_map(|file| match &file.document {
        Document::Training(training) if !training.losses.is_empty() => Some(Series {
            label: file.stem().to_owned(),
            points: (1u32..)
                .zip(&training.losses)
                .map(|(epoch, &loss)| PlotPoint {
                    x: f64::from(epoch),
                    y: loss,
                    interval: None,
                })
                .collect(),
            look: None,
        }),
        _ => None,
    });
    let plot = Plot {
        title: "Loss of trainings".to_owned(),
        x_label: "epoch".to_owned(),
        y_label: "mean loss of the epoch in nats".to_owned(),
        x_axis: Axis::Linear,
        y_from: None,
        series: series.collect(),
    };
    let caption = "Losses of different methods are no measure of each other: some add the \
        loss on disturbed weights.";
    (!plot.series.is_empty()).then_some(Captioned { plot, caption })
}
