//! `brownout attack`: bit-flip attacks on a network's stored weights, and replays of their logs.

mod asked;
mod log;
mod plan;
mod replay;
mod report;
mod subject;

use crate::arguments::{AttackArguments, AttackSettings, Global};
use crate::error::Error;
use crate::files;
use crate::output::Output;
use crate::recipe;
pub use asked::Asked;
use brownout_golden::attack::AttackLog;
use log::{Logged, write};
use plan::Plan;
pub use plan::{check_classes, check_limits};
pub use report::Outcome;
pub use report::Report;
use std::time::Instant;
use subject::Subject;

/// Runs the command.
///
/// # Errors
/// When checkpoint, data or flags are not allowed, the log cannot be written, or a replayed
/// one gives other figures.
pub fn run(arguments: &AttackArguments, global: &Global, output: Output) -> Result<(), Error> {
    let mut settings = arguments.settings.clone();
    if let Some(log) = &arguments.replay {
        return replay::run(log, settings, global.seed, output);
    }
    if let Some(recipe) = &arguments.recipe {
        settings = settings.over(recipe::read(recipe)?);
    }
    let log = settings.log.clone();
    let (report, _) = measure(settings, global.seed(), AimMet::Refused, output)?;
    output.result(&report, &report.render())?;
    if let Some(path) = log {
        output.remark(format!("every flip is in {}", path.display()));
    }
    Ok(())
}

/// What becomes of an attack whose aim is met before its first flip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AimMet {
    /// It is refused, with an aim that would work.
    Refused,
    /// It is a result of no flips, which a study may want to show.
    Told,
}

/// Attacks the network of a checkpoint, and writes the log if one is asked for.
///
/// # Errors
/// When checkpoint, data or settings are not allowed, or the log cannot be written.
pub fn measure(
    settings: AttackSettings,
    seed: u64,
    aim_met: AimMet,
    output: Output,
) -> Result<(Report, Vec<AttackLog>), Error> {
    let arguments = Asked::new(settings)?;
    let plan = Plan::new(&arguments, seed)?;
    let subject = Subject::new(&arguments, &plan, output)?;
    plan.check_source_images(&subject.split.train)?;
    plan.check_test_images(&subject.test)?;
    let mut results = Vec::with_capacity(arguments.seeds);
    let mut logged = Vec::with_capacity(arguments.seeds);
    for seed in plan.seeds() {
        let spinner = output.spinner(format!("attacking with seed {seed}"));
        let time = Instant::now();
        let attacked = subject
            .attack(&plan, seed)
            .map_err(Error::content(&arguments.checkpoint))?;
        spinner.finish_and_clear();
        match (subject.aim_met(&arguments, &attacked), aim_met) {
            (Some(met), AimMet::Refused) => return Err(met),
            (Some(met), AimMet::Told) => output.remark(format!("no flip was needed: {met}")),
            (None, _) => {}
        }
        results.push(Outcome::new(seed, &attacked, time.elapsed()));
        logged.push(Logged::from(attacked));
    }
    let report = Report::new(&arguments, &subject, results);
    match &arguments.log {
        Some(path) if plan.log_is_json => write(path, &report, (&plan, &subject), &logged)?,
        Some(path) => {
            let logs: Vec<&AttackLog> = logged.iter().map(|attack| &attack.log).collect();
            files::write(path, AttackLog::to_csv(&logs).as_bytes())?;
        }
        None => {}
    }
    Ok((
        report,
        logged.into_iter().map(|attack| attack.log).collect(),
    ))
}
