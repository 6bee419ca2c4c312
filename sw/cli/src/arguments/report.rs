//! The flags of `report`.

use clap::Args;
use std::path::PathBuf;

/// Flags of `report`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  brownout evaluate cnn.safetensors --data glyphs --rates 0,1e-3,1e-2 --out-json results/plain.json
  brownout train --checkpoint cnn.float --json > results/training.json
  brownout attack cnn.float --data glyphs --seeds 5 --json > results/bfa.json
  brownout simulate cnn.safetensors --voltages 800,450,420 --out results/hardware.json
  brownout report results --out report.html

The page is one HTML file that needs nothing else: no script, no font, no network. JSON files in
the folder that are no results are named at its end.")]
pub struct ReportArguments {
    /// Folder with the JSON documents of `evaluate`, `attack`, `train`, `simulate` and `sweep`, or the
    /// ledger of a study;
    /// folders inside it and links are not followed
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
    /// Page to write [default: DIR/report.html]
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}
