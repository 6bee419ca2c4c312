//! `make synth`: synthesizes and places the accelerators of the datasheet and prints it.

use std::path::PathBuf;
use std::process::ExitCode;

use brownout_tests::synthesis::{SEEDS, datasheet};

const USAGE: &str =
    "usage: synth [FOLDER [SEEDS [ACCELERATOR]]]   (target/synth, 1 placement a design, all)";

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let folder = PathBuf::from(arguments.next().unwrap_or_else(|| "target/synth".into()));
    let seeds = match arguments.next().map(|seeds| seeds.parse()) {
        None => 1,
        Some(Ok(seeds)) if seeds <= SEEDS.len() => seeds,
        Some(_) => {
            eprintln!(
                "synth: SEEDS is a number from 0 (synthesis only) to {}\n{USAGE}",
                SEEDS.len()
            );
            return ExitCode::from(2);
        }
    };
    let only = arguments.next();
    match datasheet(&folder, seeds, only.as_deref(), |line| eprintln!("{line}")) {
        Ok(table) => {
            print!("{table}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("synth: {error}");
            ExitCode::from(2)
        }
    }
}
