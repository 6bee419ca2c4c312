//! The networks and how they were made.

use super::label;
use crate::study::ledger::{Entry, Ledger, NetworkResult};
use crate::study::recipe::{Network, Study};
use crate::table::Table;
use crate::train::{Done, percent};
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
        let (entry, source) = match &network.file {
            None => (ledger.networks.get(&network.name).cloned(), String::new()),
            Some(file) => (
                of_another_study(recipe, file),
                format!("`{}`", file.display()),
            ),
        };
        let own = network.training.clone().map(toml::Value::Table);
        let own = own.map_or_else(String::new, |own| format!("`{own}`"));
        let mut row = vec![label(network).to_owned()];
        match &entry {
            Some(entry) => row.extend(cells(network, entry, &source, own)),
            None => row.extend([source, own]),
        }
        table.row(row);
    }
    table
}

/// What the ledger of another study says of a network of its; nothing where that is not at hand.
fn of_another_study(recipe: &Path, file: &Path) -> Option<Entry<NetworkResult>> {
    let place = recipe.parent()?.join(file);
    let name = place.file_name()?.to_str()?;
    let mut ledger = Ledger::read(place.parent()?).ok()?;
    ledger.networks.remove(name)
}

/// All but the first cell of a row.
fn cells(
    network: &Network,
    entry: &Entry<NetworkResult>,
    source: &str,
    own: String,
) -> [String; 7] {
    let (made, float, integer, images) = match &entry.result {
        NetworkResult::Trained(done) => (
            training(network, done),
            percent(done.accuracy_quantized),
            done.accuracy_integer.map_or_else(String::new, percent),
            done.images,
        ),
        NetworkResult::Rounded {
            accuracy_integer,
            images,
        } => (
            "rounding".to_owned(),
            String::new(),
            percent(*accuracy_integer),
            *images,
        ),
    };
    let made = match source {
        "" => made,
        source => format!("{source}: {made}"),
    };
    [
        made,
        own,
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
