//! Readings that belong into one table and one plot.

use super::label;
use crate::study::keys;
use crate::study::ledger::{Ledger, ReadingResult};
use crate::study::recipe::{Reading, Show, Study};

/// Readings that are shown in one table and one plot.
pub struct Group<'a> {
    /// What is above both.
    pub title: &'a str,
    /// Name of the plot's file, without its ending.
    pub file: &'a str,
    /// What is shown of them: what the first one says.
    pub show: Show,
    /// Lowest percentage on the plot: what the first one says.
    pub plot_from: Option<f64>,
    readings: Vec<&'a Reading>,
}

/// All readings: those with the same title are together.
pub fn groups(study: &Study) -> Vec<Group<'_>> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    for reading in &study.readings {
        let title = reading.title();
        match groups.iter_mut().find(|group| group.title == title) {
            Some(group) => group.readings.push(reading),
            None => groups.push(Group {
                title,
                file: &reading.name,
                show: reading.show,
                plot_from: reading.plot_from,
                readings: vec![reading],
            }),
        }
    }
    groups
}

/// Results of a group by their labels, in the order of the study.
pub fn results<'a>(
    study: &'a Study,
    ledger: &'a Ledger,
    group: &Group<'a>,
) -> Vec<(String, &'a ReadingResult)> {
    let found = group.readings.iter().flat_map(|reading| {
        study.chosen(&reading.networks).filter_map(|network| {
            let entry = ledger.readings.get(&keys::name(&reading.name, network))?;
            let result = &entry.result;
            let text = match (&reading.label, group.readings.len()) {
                (_, 1) | (None, _) => label(network).to_owned(),
                (Some(own), _) => format!("{}, {own}", label(network)),
            };
            Some((text, result))
        })
    });
    found.collect()
}

/// The labels of all results with a plot, in the order in which they come first: a network looks
/// the same in all plots of a page.
pub fn looks(study: &Study, ledger: &Ledger) -> Vec<String> {
    let mut labels: Vec<String> = Vec::new();
    for group in groups(study).iter().filter(|g| g.show != Show::Classes) {
        for (label, _) in results(study, ledger, group) {
            if !labels.contains(&label) {
                labels.push(label);
            }
        }
    }
    labels
}
