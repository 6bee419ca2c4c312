//! Runs that can be interrupted: by Ctrl-C, or by anything else between two savings.

use crate::error::{self, Error};
use crate::files;
use crate::output::{self, Output};
use brownout_golden::data::Dataset;
use brownout_golden::float::MAX_FILE_BYTES;
use brownout_golden::train::{Run, Start, Trained, TrainingOptions};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Longest time between two savings, give or take a step.
const INTERVAL: Duration = Duration::from_secs(60);

/// Set by Ctrl-C.
static INTERRUPTED: AtomicBool = AtomicBool::new(false);
/// Whether there is a run that looks at it.
static RUNNING: AtomicBool = AtomicBool::new(false);

/// Why a run is broken off.
enum Stop {
    Interrupted,
    Failed(Error),
}

/// Trains to the end, and says how many steps that took; nothing is kept of a run that is
/// interrupted.
///
/// # Errors
/// When training diverges or is interrupted.
pub fn without(mut run: Run<'_>) -> Result<(Trained, usize), Error> {
    listen();
    let end = run.advance(|_| match INTERRUPTED.load(Ordering::Relaxed) {
        true => ControlFlow::Break(()),
        false => ControlFlow::Continue(()),
    });
    RUNNING.store(false, Ordering::Relaxed);
    match end? {
        ControlFlow::Continue(()) => {
            let steps = run.steps();
            Ok((run.finish()?, steps))
        }
        ControlFlow::Break(()) => Err(Error::Interrupted(format!(
            "training was interrupted after {} of {} steps; nothing is kept without --state FILE",
            run.steps_taken(),
            run.steps()
        ))),
    }
}

/// Trains to the end, and says how many steps that took, going on from the state in `path` if there is one, and keeps it there
/// after every epoch, every minute and when it is interrupted.
///
/// # Errors
/// When the state is another run's or cannot be written, or training diverges or is interrupted.
pub fn with(
    path: &Path,
    start: Start,
    data: &Dataset,
    options: &TrainingOptions,
    output: Output,
) -> Result<(Trained, usize), Error> {
    let mut run = if path.exists() {
        let bytes = files::read_up_to(path, MAX_FILE_BYTES)?;
        let run = Run::resume(&bytes, start, data, options).map_err(Error::content(path))?;
        output.remark(format!(
            "going on after {} of {} steps, from {}",
            run.steps_taken(),
            run.steps(),
            path.display()
        ));
        run
    } else {
        Run::new(start, data, options)?
    };
    listen();
    let before = run.steps_taken();
    let mut saved = (Instant::now(), run.losses().len());
    let end = run.advance(|run| {
        let interrupted = INTERRUPTED.load(Ordering::Relaxed);
        let epochs = run.losses().len();
        if interrupted || epochs > saved.1 || saved.0.elapsed() >= INTERVAL {
            if let Err(error) = files::write(path, &run.to_bytes()) {
                return ControlFlow::Break(Stop::Failed(error));
            }
            saved = (Instant::now(), epochs);
        }
        match interrupted {
            true => ControlFlow::Break(Stop::Interrupted),
            false => ControlFlow::Continue(()),
        }
    });
    RUNNING.store(false, Ordering::Relaxed);
    match end? {
        ControlFlow::Continue(()) => {
            let steps = run.steps() - before;
            Ok((run.finish()?, steps))
        }
        ControlFlow::Break(Stop::Failed(error)) => Err(error),
        ControlFlow::Break(Stop::Interrupted) => Err(Error::Interrupted(format!(
            "training was interrupted after {} of {} steps; its state is in {}, and the same command goes on from it",
            run.steps_taken(),
            run.steps(),
            path.display()
        ))),
    }
}

/// Lets Ctrl-C end the run after its present step, and the process at once where there is
/// no run, or when it comes again. Where there are no such signals a run
/// ends at once, and its last saving is as good.
fn listen() {
    RUNNING.store(true, Ordering::Relaxed);
    let _ = ctrlc::set_handler(|| {
        let again = INTERRUPTED.swap(true, Ordering::Relaxed);
        if again || !RUNNING.load(Ordering::Relaxed) {
            output::complain(
                "brownout: interrupted outside of training; a state that was kept stays",
            );
            std::process::exit(error::INTERRUPTED.into());
        }
    });
}
