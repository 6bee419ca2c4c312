//! The command `brownout`.
//!
//! One file per command. A command reads and checks everything it was given
//! before it does anything, prints its result through [`output`], and returns an
//! [`error::Error`], which is a sentence. Nothing is written in place: see
//! [`files`].
#![forbid(unsafe_code)]

mod arguments;
mod attack;
mod configuration;
mod data;
mod error;
mod evaluate;
mod export;
mod files;
mod fit;
mod generate;
#[cfg(feature = "simulate")]
mod hardware;
mod import;
mod info;
mod judgement;
mod output;
mod placement;
mod plot;
#[cfg(feature = "simulate")]
mod points;
mod provenance;
mod recipe;
mod report;
#[cfg(feature = "simulate")]
mod reproduce;
#[cfg(feature = "simulate")]
mod run;
mod shell;
#[cfg(feature = "simulate")]
mod simulate;
mod study;
#[cfg(feature = "simulate")]
mod summary;
#[cfg(feature = "simulate")]
mod sweep;
mod table;
mod train;
#[cfg(feature = "simulate")]
mod waveform;

use arguments::{Arguments, Command};
use clap::Parser;
use error::{Error, REFUSED};
use output::Output;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(answer) => {
            // Help and version are answers too; a reader that is gone is no error.
            let _ = answer.print();
            let refused = answer.use_stderr();
            return ExitCode::from(if refused { REFUSED } else { 0 });
        }
    };
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output::complain(&format!("brownout: {error}"));
            ExitCode::from(error.exit_status())
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), Error> {
    let global = &arguments.global;
    let output = Output {
        quiet: global.quiet,
        json: global.json,
    };
    match &arguments.command {
        Command::Train(arguments) => {
            start_threads()?;
            train::run(arguments, global, output)
        }
        Command::Import(arguments) => {
            start_threads()?;
            import::run(arguments, output)
        }
        Command::Export(arguments) => {
            start_threads()?;
            export::run(arguments, output)
        }
        Command::Attack(arguments) => {
            start_threads()?;
            attack::run(arguments, global, output)
        }
        Command::Generate(arguments) => generate::run(arguments, output),
        Command::Evaluate(arguments) => {
            start_threads()?;
            evaluate::run(arguments, global, output)
        }
        #[cfg(not(feature = "simulate"))]
        Command::Simulate(_) | Command::Sweep(_) => Err(Error::NoSimulator),
        #[cfg(feature = "simulate")]
        Command::Simulate(arguments) => {
            start_threads()?;
            simulate::run(arguments, global, output)
        }
        #[cfg(feature = "simulate")]
        Command::Sweep(arguments) => {
            start_threads()?;
            sweep::run(arguments, global, output)
        }
        Command::Study(arguments) => {
            start_threads()?;
            study::run(arguments, global, output)
        }
        Command::Report(arguments) => report::run(arguments, output),
        Command::Info(arguments) => info::run(arguments, output),
    }
}

/// Starts the threads of the calculation, which would else start with a panic
/// where there are none to be had.
fn start_threads() -> Result<(), Error> {
    rayon::ThreadPoolBuilder::new()
        .build_global()
        .map_err(Error::threads("the calculation"))
}
