//! The table of residual errors: what a code's decoder leaves, exactly.

use crate::table::Table;
use brownout_spec::code::{Code, Policy, Residual, bookkeeping};
use brownout_spec::quantity::BitErrorRate;
use serde::Serialize;

/// Rates of the table: those that sampled tests use, and what lies around them.
const RATES: [f64; 7] = [1e-6, 1e-5, 1e-4, 1e-3, 3e-3, 1e-2, 5e-2];

/// What is left at one rate.
#[derive(Debug, Serialize)]
pub struct ResidualRow {
    /// Probability that a cell is faulty.
    ber: BitErrorRate,
    /// Rate that bookkeeping without a decoder assumes; none for a code that corrects nothing.
    bookkeeping: Option<f64>,
    /// Per policy that the code supports.
    policies: Vec<PolicyRow>,
    /// Probability of one error, corrected.
    words_corrected: f64,
    /// Probability of errors that are detected and left to the policy.
    words_detected: f64,
    /// Probability of errors that go unnoticed.
    words_silently_wrong: f64,
}

/// What is read under one policy.
#[derive(Debug, Serialize)]
struct PolicyRow {
    policy: Policy,
    /// Probability that an information bit is read inverted.
    bits_wrong: f64,
    /// Probability that an information bit is in a weight read as zero.
    bits_zeroed: f64,
}

impl PolicyRow {
    /// Whether the policy reads any weight as zero.
    fn zeroed(&self) -> bool {
        self.bits_zeroed > 0.0
    }
}

/// The rows of a code.
pub fn rows(code: &Code, residual: &Residual) -> Vec<ResidualRow> {
    RATES
        .into_iter()
        .filter_map(BitErrorRate::new)
        .map(|ber| {
            let words = residual.words(ber);
            let policies = Policy::ALL
                .into_iter()
                .filter(|policy| policy.supported_by(code.name()))
                .map(|policy| {
                    let bits = residual.bits(ber, policy);
                    PolicyRow {
                        policy,
                        bits_wrong: bits.wrong,
                        bits_zeroed: bits.zeroed,
                    }
                })
                .collect();
            ResidualRow {
                ber,
                bookkeeping: bookkeeping(code, ber),
                policies,
                words_corrected: words.corrected,
                words_detected: words.detected,
                words_silently_wrong: words.silently_wrong(),
            }
        })
        .collect()
}

/// The table as text, with what its columns mean.
pub fn render(rows: &[ResidualRow]) -> String {
    let mut table = Table::new(&[
        ">cells faulty",
        ">bookkeeping",
        ">bits wrong",
        ">corrected",
        ">detected",
        ">silently wrong",
    ]);
    for row in rows {
        let kept = row.policies.iter().find(|p| p.policy == Policy::Keep);
        table.row([
            format!("{:e}", row.ber.get()),
            share(row.bookkeeping),
            share(kept.map(|policy| policy.bits_wrong)),
            share(Some(row.words_corrected)),
            share(Some(row.words_detected)),
            share(Some(row.words_silently_wrong)),
        ]);
    }
    format!(
        "Residual errors, exact, of independent faulty cells. Shares of information\n\
         bits read wrong: bookkeeping (lone errors corrected, all others kept) and the\n\
         decoder with policy keep. Shares of words: corrected, detected, silently wrong.\n\n{}{}",
        table.render(),
        render_other_policies(rows)
    )
}

/// What is read under the policies that answer a detected error with zeros;
/// nothing for a code that detects none.
fn render_other_policies(rows: &[ResidualRow]) -> String {
    let zeroing = |row: &ResidualRow| row.policies.iter().any(|policy| policy.zeroed());
    let Some(last) = rows.last().filter(|row| zeroing(row)) else {
        return String::new();
    };
    let mut headers = vec![">cells faulty".to_owned()];
    for PolicyRow { policy, .. } in last.policies.iter().filter(|policy| policy.zeroed()) {
        headers.push(format!(">{policy}: wrong"));
        headers.push(">zeroed".to_owned());
    }
    let headers: Vec<&str> = headers.iter().map(String::as_str).collect();
    let mut table = Table::new(&headers);
    for row in rows {
        let policies = row.policies.iter().filter(|policy| policy.zeroed());
        let shares = policies.flat_map(|policy| [policy.bits_wrong, policy.bits_zeroed]);
        let shares = shares.map(|probability| share(Some(probability)));
        table.row([format!("{:e}", row.ber.get())].into_iter().chain(shares));
    }
    format!(
        "\nThe same under the other policies. Shares of information bits: read wrong, and\n\
         in weights that the policy reads as zero instead.\n\n{}",
        table.render()
    )
}

/// A probability to five digits.
fn share(probability: Option<f64>) -> String {
    match probability {
        None => "-".to_owned(),
        Some(0.0) => "0".to_owned(),
        Some(probability) => format!("{probability:.4e}"),
    }
}
