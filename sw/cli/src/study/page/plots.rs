//! A group of readings as a plot.

use super::groups::{Group, results};
use super::readings::shown;
use crate::plot::{Axis, Plot, PlotPoint, Series};
use crate::study::ledger::{Ledger, ReadingPoint, ReadingResult};
use crate::study::recipe::{Show, Study};

/// The plots of a group, by the names of their files without the ending: over rate, voltage or
/// profiled chip, as it was measured, and where that is voltage, over the rate that it stands for.
/// `looks` are the labels of all plots of a page.
pub fn plots(
    study: &Study,
    ledger: &Ledger,
    group: &Group<'_>,
    looks: &[String],
) -> Vec<(String, Plot)> {
    let rows = results(study, ledger, group);
    let names = names(&rows, group);
    let voltages = names.len() > 1;
    let plots = names.into_iter().zip([voltages, false]);
    let plots = plots.map(|(name, voltages)| (name, plot(&rows, voltages, group, looks)));
    plots.collect()
}

/// The names of a group's plots.
pub fn names(rows: &[(String, &ReadingResult)], group: &Group<'_>) -> Vec<String> {
    let mut points = rows.iter().flat_map(|(_, r)| &r.points);
    let mut names = vec![group.file.to_owned()];
    if points.any(|p| p.voltage_mv.is_some()) {
        names.push(format!("{}-rate", group.file));
    }
    names
}

fn plot(
    rows: &[(String, &ReadingResult)],
    voltages: bool,
    group: &Group<'_>,
    looks: &[String],
) -> Plot {
    let points = rows.iter().flat_map(|(_, r)| &r.points);
    let mut chips: Vec<String> = Vec::new();
    for profile in points.filter_map(|p| p.profile.as_ref()) {
        if !chips.contains(profile) {
            chips.push(profile.clone());
        }
    }
    // Side by side at each chip.
    let beside = |row: usize| (row as f64 + 0.5) / rows.len() as f64 - 0.5;
    let place = |row: usize, point: &ReadingPoint| {
        let chip = chips.iter().position(|c| Some(c) == point.profile.as_ref());
        match (chip, point.voltage_mv) {
            (Some(chip), _) => chip as f64 + 0.6 * beside(row),
            (None, Some(voltage)) if voltages => f64::from(voltage),
            // The rate that a voltage stands for can be far below what is applied, which is none.
            (None, Some(_)) => point.rate_applied,
            (None, None) => point.rate.unwrap_or(point.rate_applied),
        }
    };
    let series = rows
        .iter()
        .enumerate()
        .map(|(row, (label, result))| Series {
            label: label.clone(),
            points: (result.points.iter().map(|point| PlotPoint {
                x: place(row, point),
                y: 100.0 * shown(point, group.show).0,
                interval: shown(point, group.show)
                    .1
                    .map(|(low, high)| (100.0 * low, 100.0 * high)),
            }))
            .collect(),
            look: looks.iter().position(|known| known == label),
        });
    let what = match group.show {
        Show::RobustError => "robust error, %",
        Show::Accuracy | Show::Classes => "accuracy, %",
    };
    Plot {
        title: group.title.to_owned(),
        x_label: match (voltages, chips.is_empty()) {
            (_, false) => "profiled chip and share of faulty cells, %".to_owned(),
            (true, _) => "supply voltage of the weight memory, mV".to_owned(),
            (false, _) => "share of faulty cells".to_owned(),
        },
        y_label: match group.plot_from {
            Some(from) => format!("{what}, from {from} on"),
            None => what.to_owned(),
        },
        x_axis: match (voltages, chips.is_empty()) {
            (_, false) => Axis::Names(chips.clone()),
            (true, _) => Axis::Linear,
            (false, _) => Axis::Log,
        },
        y_from: group.plot_from,
        series: series.collect(),
    }
}
