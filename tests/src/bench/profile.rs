//! Where simulated time goes, seen in two ways: by what is left of a clock's time
//! when parts of the accelerator are taken away, all measured in turn; and by module,
//! sampled in the whole.

use super::array::ArrayAlone;
use super::report::{BenchError, Figure};
use super::simulation::Session;
use super::workload::{self, Workload};
use super::{Options, quick_accelerator, sampled};
use brownout_spec::code::CodeName;
use brownout_spec::config::Configuration;
use std::time::Duration;

/// Tiles that the array multiplies in a run.
const TILES: usize = 256;

/// Something whose clock takes time.
enum Part {
    Accelerator(Box<Session>),
    Array(Box<ArrayAlone>, usize),
}

impl Part {
    fn clock(&self) -> Result<Duration, BenchError> {
        match self {
            Self::Accelerator(session) => {
                let passes = session.run()?.passes;
                // Clocks of a run stay far below 2³².
                Ok(passes.time / passes.clocks as u32)
            }
            Self::Array(array, tiles) => array.run(*tiles),
        }
    }
}

/// Times and shares of the whole, the one with faults.
pub fn measure(options: &Options) -> Result<Vec<Figure>, BenchError> {
    let parts = parts(options)?;
    let mut times = vec![Vec::new(); parts.len()];
    for _ in 0..options.repetitions {
        for ((_, part), times) in parts.iter().zip(&mut times) {
            times.push(part.clock()?.as_secs_f64() * 1e9);
        }
    }
    let mut figures = Vec::new();
    for ((name, _), times_of_part) in parts.iter().zip(&times) {
        let share = times_of_part.iter().zip(&times[0]);
        let share = share.map(|(part, whole)| 100.0 * part / whole).collect();
        figures.push(Figure::new(
            name,
            "one clock of a pass",
            "ns",
            times_of_part.clone(),
        ));
        figures.push(Figure::new(name, "share of the first, in turn", "%", share));
    }
    if let Part::Accelerator(session) = &parts[0].1 {
        figures.extend(sampled::measure(session, parts[0].0, options.quick)?);
    }
    Ok(figures)
}

fn parts(options: &Options) -> Result<Vec<(&'static str, Part)>, BenchError> {
    let whole = match options.quick {
        true => quick_accelerator(),
        false => workload::accelerator(16, true),
    };
    let session = |configuration: &Configuration, disturbed| {
        let mut workload = match options.quick {
            true => Workload::residual_network(configuration, 8, 4, 1),
            false => Workload::residual_network(configuration, 32, 16, 4),
        };
        if disturbed {
            workload = workload.disturbed();
        }
        let session = Session::new(configuration, workload)?;
        Ok::<_, BenchError>(Part::Accelerator(Box::new(session)))
    };
    let tiles = if options.quick { 1 } else { TILES };
    let array = Part::Array(Box::new(ArrayAlone::build(&whole)?), tiles);
    let mut parts = vec![
        ("accelerator, faults at 1e-3", session(&whole, true)?),
        (
            "accelerator, emulation without faults",
            session(&whole, false)?,
        ),
    ];
    if !options.quick {
        let mut lean = whole;
        lean.fault_emulation = false;
        parts.push(("accelerator without emulation", session(&lean, false)?));
        lean.code = CodeName::None;
        parts.push((
            "accelerator without emulation and decoder",
            session(&lean, false)?,
        ));
    }
    parts.push(("array alone, ports written by Rust", array));
    Ok(parts)
}
