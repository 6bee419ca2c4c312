//! `make synth`: synthesizes and places the accelerators of the datasheet and prints it.

use std::path::PathBuf;
use std::process::ExitCode;

use brownout_tests::synthesis::datasheet;

const USAGE: &str = "usage: synth [FOLDER [SEEDS]]   (target/synth, 1 placement a design)";

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let folder = PathBuf::from(arguments.next().unwrap_or_else(|| "target/synth".into()));
    let seeds = match arguments.next().map(|seeds| seeds.parse()) {
        None => 1,
        Some(Ok(seeds @ 0..=3)) => seeds,
        Some(_) => {
            eprintln!("synth: SEEDS is a number from 0 (synthesis only) to 3\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match datasheet(&folder, seeds, |line| eprintln!("{line}")) {
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
