//! A group of readings as a plot.

use super::groups::{Group, results};
use super::readings::shown;
use crate::plot::{Axis, Plot, PlotPoint, Series};
use crate::study::ledger::Ledger;
use crate::study::recipe::{Show, Study};

/// What a group's table shows, over rate or voltage.
pub fn plot(study: &Study, ledger: &Ledger, group: &Group<'_>) -> Plot {
    let rows = results(study, ledger, group);
    let supplies = rows.iter().flat_map(|(_, r)| &r.points);
    let voltages = supplies.clone().any(|p| p.voltage_mv.is_some());
    let series = rows.iter().map(|(label, result)| Series {
        label: label.clone(),
        points: (result.points.iter().map(|point| PlotPoint {
            x: match point.voltage_mv {
                Some(voltage) => f64::from(voltage),
                None => point.rate.unwrap_or(point.rate_applied),
            },
            y: 100.0 * shown(point, group.show).0,
            interval: shown(point, group.show)
                .1
                .map(|(low, high)| (100.0 * low, 100.0 * high)),
        }))
        .collect(),
    });
    Plot {
        title: group.title.to_owned(),
        x_label: match voltages {
            true => "supply voltage of the weight memory, mV".to_owned(),
            false => "share of faulty cells".to_owned(),
        },
        y_label: match group.show {
            Show::RobustError => "robust error, %".to_owned(),
            Show::Accuracy | Show::Classes => "accuracy, %".to_owned(),
        },
        x_axis: match voltages {
            true => Axis::Linear,
            false => Axis::Log,
        },
        series: series.collect(),
    }
}
