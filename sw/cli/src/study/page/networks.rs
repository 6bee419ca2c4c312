//! The networks and how they were made.

use super::label;
use crate::study::keys::weights_of;
use crate::study::ledger::{Entry, Ledger, NetworkResult, WeightFiles};
use crate::study::recipe::{Network, Study};
use crate::table::{Table, percent};
use crate::train::Done;
use brownout_golden::network::Precision;
use brownout_golden::quantize::Placement;
use std::path::Path;

/// A row for each network; `recipe` is the study's file, beside which other studies are.
pub fn table(study: &Study, ledger: &Ledger, recipe: &Path) -> Table {
    let mut table = Table::new(&[
        "network",
        "made by",
        "settings of its own",
        ">float, rounded",
        ">integers",
        ">of images",
        ">time",
        "commit",
    ]);
    for network in &study.networks {
        let entry = match &network.file {
            None => ledger.networks.get(&network.name).cloned(),
            Some(file) => of_another_study(recipe, file, ledger.weights.get(&weights_of(network))),
        };
        let source = network
            .file
            .iter()
            .map(|file| format!("`{}`", file.display()));
        let made = entry.iter().map(|entry| made_by(network, &entry.result));
        let made: Vec<String> = source.chain(made).collect();
        let start = [
            label(network).to_owned(),
            made.join(": "),
            own_settings(network),
        ];
        let figures = entry.iter().flat_map(figures);
        table.row(start.into_iter().chain(figures));
    }
    table
}

/// What the recipe says of a network alone, as it stands there.
fn own_settings(network: &Network) -> String {
    let kind = (network.network.as_ref()).map(|name| format!("`network = {name:?}`"));
    let training = network.training.clone().map(toml::Value::Table);
    let rounded = network.rounded.map(toml::Value::try_from);
    let rounded = rounded.map(|value| value.expect("rounding is plain data"));
    let table = training.or(rounded).map(|table| format!("`{table}`"));
    let parts: Vec<String> = [kind, table].into_iter().flatten().collect();
    parts.join(", ")
}

/// What the ledger of another study says of a network of its; nothing where that is not at hand,
/// or has other weights by now than those that were measured here.
fn of_another_study(
    recipe: &Path,
    file: &Path,
    measured: Option<&WeightFiles>,
) -> Option<Entry<NetworkResult>> {
    let place = recipe.parent()?.join(file);
    let name = place.file_name()?.to_str()?;
    let mut ledger = Ledger::read(place.parent()?).ok()?;
    let entry = ledger.networks.remove(name)?;
    (ledger.weights.get(name) == measured).then_some(entry)
}

/// How a network was made.
fn made_by(network: &Network, result: &NetworkResult) -> String {
    match result {
        NetworkResult::Trained(done) => training(network, done),
        NetworkResult::Rounded { .. } => "rounding".to_owned(),
    }
}

/// Accuracies, and what they were measured on, when and how long.
fn figures(entry: &Entry<NetworkResult>) -> [String; 5] {
    let (float, integer, images) = match &entry.result {
        NetworkResult::Trained(done) => (
            percent(done.accuracy_quantized),
            done.accuracy_integer.map_or_else(String::new, percent),
            done.images,
        ),
        NetworkResult::Rounded {
            accuracy_integer,
            images,
        } => (String::new(), percent(*accuracy_integer), *images),
    };
    [
        float,
        integer,
        images.to_string(),
        format!("{:.0} s", entry.seconds),
        entry.short_commit(),
    ]
}

fn training(network: &Network, done: &Done) -> String {
    let from = network.from.as_ref();
    format!(
        "{} epoch{}{}, {} bits, {}, code {}{}{}, seed {}",
        done.epochs,
        if done.epochs == 1 { "" } else { "s" },
        from.map_or_else(String::new, |from| format!(" after those of `{from}`")),
        done.weight_bits,
        done.quantizer,
        done.code,
        match done.placement {
            Placement::Channel => "",
            Placement::Spread => ", free weights spread over filters",
        },
        match done.precision {
            Precision::Single => "",
            Precision::Bfloat16 => ", in bfloat16",
        },
        done.seed,
    )
}
