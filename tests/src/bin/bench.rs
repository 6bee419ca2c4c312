//! `make bench`: speed of simulation, generator, software and training, and utilization.

use brownout_tests::bench::{Options, run};
use clap::Parser;
use std::path::PathBuf;
use std::process::ExitCode;

/// Measures speeds and utilization; prints tables and writes JSON files.
#[derive(Parser)]
#[command(name = "bench")]
struct Arguments {
    /// Folder of the JSON files, created if need be
    #[arg(long, value_name = "DIR", default_value = "target/bench")]
    out: PathBuf,
    /// How often speeds that are compared are measured
    #[arg(long, value_name = "NUMBER", default_value_t = 9, value_parser = clap::value_parser!(u16).range(1..))]
    repetitions: u16,
    /// Only this topic: utilization, emission, software, training, inference, import, campaign, simulation, lanes or profile
    #[arg(long, value_name = "NAME")]
    topic: Option<String>,
    /// Only show that everything works, on small arrays: these figures say nothing
    #[arg(long)]
    quick: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let options = Options {
        quick: arguments.quick,
        topic: arguments.topic,
        folder: arguments.out,
        repetitions: arguments.repetitions.into(),
    };
    match run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
