//! Attacks: how many flips they took, what they reached, and where they flipped.

use super::{label, one_or_all};
use crate::study::keys;
use crate::study::ledger::{AttackResult, Ledger};
use crate::study::recipe::{Attack, Network, Study};
use crate::table::Table;
use brownout_golden::attack::Distribution;

fn result<'a>(ledger: &'a Ledger, attack: &Attack, network: &Network) -> Option<&'a AttackResult> {
    let asked = (attack.networks.as_ref()).is_none_or(|names| names.contains(&network.name));
    let entry = ledger.attacks.get(&keys::name(&attack.name, network))?;
    asked.then_some(&entry.result)
}

/// The middle one, or the mean of the two in the middle; of less than three nothing.
fn median(flips: &[u64]) -> Option<f64> {
    let mut sorted = flips.to_vec();
    sorted.sort_unstable();
    let middle = sorted.len() / 2;
    match (sorted.len(), sorted.len() % 2) {
        (..3, _) => None,
        (_, 1) => Some(sorted[middle] as f64),
        _ => Some(f64::midpoint(
            sorted[middle - 1] as f64,
            sorted[middle] as f64,
        )),
    }
}

fn cell(result: &AttackResult) -> String {
    let mut text = result.n_flip.map_or_else(String::new, |n| {
        let median = median(&result.flips).map(|m| format!(", median {m}"));
        let median = median.unwrap_or_default();
        format!("{:.1} ({} to {}{median})", n.mean, n.least, n.most)
    });
    let percent = |of: Option<Distribution>| of.map(|d| format!("{:.1} %", 100.0 * d.mean));
    if let Some(success) = percent(result.success) {
        text += &format!(", success {success}");
        if let Some(accuracy) = percent(result.accuracy_after) {
            text += &format!(", accuracy {accuracy}");
        }
    }
    if result.succeeded < result.attacks {
        text += &format!(", {} of {}", result.succeeded, result.attacks);
        if let (None, Some(accuracy)) = (result.success, percent(result.accuracy_after)) {
            text += &format!(", accuracy {accuracy}");
        }
    }
    text
}

/// What attacks took, a row for each network, and where they flipped.
pub fn table(study: &Study, ledger: &Ledger) -> String {
    let mut headers = vec!["network".to_owned()];
    let name = |attack: &Attack| attack.label.clone().unwrap_or_else(|| attack.name.clone());
    headers.extend(study.attacks.iter().map(|a| format!(">{}", name(a))));
    let mut table = Table::new(&headers.iter().map(String::as_str).collect::<Vec<_>>());
    for network in &study.networks {
        let cells = study.attacks.iter();
        let cells: Vec<String> = cells
            .map(|attack| result(ledger, attack, network).map_or_else(String::new, cell))
            .collect();
        if cells.iter().any(|cell| !cell.is_empty()) {
            table.row([label(network).to_owned()].into_iter().chain(cells));
        }
    }
    let asked: Vec<&AttackResult> = ledger.attacks.values().map(|entry| &entry.result).collect();
    let images = one_or_all(asked.iter().map(|r| r.images.to_string()));
    let attack_images = one_or_all(asked.iter().map(|r| r.attack_images.to_string()));
    let attacks = one_or_all(asked.iter().map(|r| r.attacks.to_string()));
    let first_seeds = one_or_all(study.attacks.iter().map(|a| a.first_seed.to_string()));
    format!(
        "{}\nN_flip, the number of inverted cells: mean (least to most, median) of {attacks} attacks, whose seeds begin at {first_seeds}; where not all reached their aim, how many did, \
         and the accuracy in the end. Measured on {images} test images; an attacker looks at {attack_images} training images. The search is greedy: a better one may need fewer.\n\n{}",
        table.markdown(),
        layers(study, ledger),
    )
}

/// In which layers the flips were, in percent of all attacks' flips.
fn layers(study: &Study, ledger: &Ledger) -> String {
    let mut rows: Vec<(String, &AttackResult)> = Vec::new();
    for attack in &study.attacks {
        for network in study.chosen(&attack.networks) {
            if let Some(result) = result(ledger, attack, network) {
                let name = attack.label.as_ref().unwrap_or(&attack.name);
                rows.push((format!("{}, {name}", label(network)), result));
            }
        }
    }
    let count = rows.iter().map(|(_, r)| r.flips_per_layer.len()).max();
    let flips = |result: &AttackResult, layer: usize| {
        result
            .flips_per_layer
            .get(layer)
            .copied()
            .unwrap_or_default()
    };
    let hit: Vec<usize> = (0..count.unwrap_or_default())
        .filter(|&layer| rows.iter().any(|(_, r)| flips(r, layer) > 0))
        .collect();
    if hit.is_empty() {
        return String::new();
    }
    let headers = (hit.iter()).map(|layer| format!(">{layer}"));
    let headers: Vec<String> = ["flips in layer".to_owned()]
        .into_iter()
        .chain(headers)
        .collect();
    let mut table = Table::new(&headers.iter().map(String::as_str).collect::<Vec<_>>());
    for (label, result) in &rows {
        let sum = (result.flips_per_layer.iter()).fold(0usize, |sum, &n| sum.saturating_add(n));
        let cells = hit.iter().map(|&layer| match flips(result, layer) {
            0 => String::new(),
            flips => format!("{:.0}", 100.0 * flips as f64 / sum as f64),
        });
        table.row([label.clone()].into_iter().chain(cells));
    }
    format!(
        "{}\nPercent of all flips of weights, with those taken back; layers without any are left out.\n\n",
        table.markdown()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_does_not_follow_one_attack() {
        assert_eq!(median(&[8, 13, 10, 8, 50]), Some(10.0));
        assert_eq!(median(&[4, 1, 2, 9]), Some(3.0));
        assert_eq!(median(&[1, 2]), None);
    }
}
