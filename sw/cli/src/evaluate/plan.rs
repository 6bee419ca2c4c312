//! From settings to what is measured.

use crate::arguments::EvaluateSettings;
use crate::configuration::{self, Chosen};
use crate::error::Error;
use crate::files;
use brownout_golden::evaluate::statistics::Bootstrap;
use brownout_golden::evaluate::{Chips, EvaluateError, MOST_RATE, Plan, Point, Subject};
use brownout_golden::quantize::Exposure;
use brownout_golden::quantized::{ARRAY, MemoryRules, StoredMemoryError};
use brownout_spec::code::{CodeName, Policy};
use brownout_spec::config::{VoltageModelChoice, WeightBits};
use brownout_spec::fault::{FaultMap, FaultMode};
use brownout_spec::quantity::{BitErrorRate, ChipSeed, Millivolts};
use brownout_spec::voltage::VoltageModel;
use std::path::{Path, PathBuf};

/// Chips of each point, and the first one's seed: the papers'.
const CHIPS: (usize, u64) = (50, 100);
/// Rates where neither rates nor anything else is given.
const RATES: [f64; 6] = [0.0, 1e-4, 1e-3, 5e-3, 1e-2, 2.5e-2];

/// What is measured, and the file of a map.
///
/// # Errors
/// When a setting is not allowed or does not go with another.
pub fn make(
    subject: &Subject,
    file: &Path,
    settings: &EvaluateSettings,
    seed: u64,
) -> Result<(Plan, Option<PathBuf>), Error> {
    let chosen = accelerator(subject, file, settings)?;
    Ok((of(settings, &chosen, seed)?, settings.map.clone()))
}

/// Checks settings as far as that is possible without a network.
///
/// # Errors
/// When a setting is not allowed or does not go with another.
pub fn check(settings: &EvaluateSettings) -> Result<(), Error> {
    let chosen = match &settings.config {
        Some(path) => configuration::read(Some(path))?,
        None => configuration::default_for(WeightBits::Eight, CodeName::None),
    };
    of(settings, &chosen, 0).map(drop)
}

/// What is measured on an accelerator.
fn of(settings: &EvaluateSettings, chosen: &Chosen, seed: u64) -> Result<Plan, Error> {
    let configuration = &chosen.configuration;
    // Without a configuration the array is training's: the same seed is then the same chip.
    let (rows, columns) = match settings.config {
        Some(_) => (configuration.rows, configuration.columns),
        None => (ARRAY, ARRAY),
    };
    let memory = MemoryRules {
        rows: settings.rows.unwrap_or(rows),
        columns: settings.columns.unwrap_or(columns),
        code: configuration.code,
        storage: configuration.storage.with(configuration.code),
        policy: settings.policy.unwrap_or_default(),
        exposure: settings.exposure.unwrap_or(Exposure::WholeLane),
    };
    let plan = Plan {
        points: points(settings, chosen)?,
        memory,
        chips: Chips {
            first: ChipSeed(settings.first_chip.unwrap_or(CHIPS.1)),
            count: settings.chips.unwrap_or(CHIPS.0),
        },
        offsets: match (settings.offsets, &settings.profile) {
            (Some(offsets), None) => {
                let allowed = "none without --profile, into whose arrays they lead";
                return Err(Error::flag("--offsets", offsets, allowed));
            }
            (offsets, _) => offsets.unwrap_or(1),
        },
        yield_at: settings.yield_at,
        guarantee: settings.guarantee,
        bootstrap: Bootstrap {
            resamples: settings.resamples.unwrap_or(Bootstrap::default().resamples),
            seed,
        },
    };
    let flags = [
        ("chips", "--chips"),
        ("first chip", "--first-chip"),
        ("offsets", "--offsets"),
        ("rate", "--rates"),
        ("yield at", "--yield-at"),
        ("guarantee", "--guarantee"),
        ("resamples", "--resamples"),
    ];
    plan.validate().map_err(|e| {
        if let (true, Some(voltages)) = (e.field == "rate", &settings.voltages) {
            return rate_of_voltage(settings, chosen, voltages);
        }
        let flag = flags.iter().find(|(field, _)| *field == e.field);
        match flag {
            Some((_, flag)) => Error::flag(flag, e.value, e.allowed),
            None => Error::Recipe(e.to_string()),
        }
    })?;
    Ok(plan)
}

/// Blames a rate that is too high for the supply voltages on where it comes from.
fn rate_of_voltage(settings: &EvaluateSettings, chosen: &Chosen, voltages: &[Millivolts]) -> Error {
    let most = format!("at most {MOST_RATE} where a network is evaluated");
    let rate = |supply: &Millivolts| {
        let model = VoltageModel::from_configuration(&chosen.configuration).ok()?;
        let rate = model.bit_error_rate(*supply).ok()?.get();
        (rate > MOST_RATE).then_some((*supply, rate))
    };
    let Some((supply, rate)) = voltages.iter().find_map(rate) else {
        return Error::Recipe(format!(
            "--voltages: a rate of faulty cells is too high; allowed is {most}"
        ));
    };
    let row = match &chosen.configuration.voltage_model {
        VoltageModelChoice::Table(rows) => rows.iter().rposition(|row| row.millivolts <= supply.0),
        _ => None,
    };
    match (&settings.config, row) {
        (Some(path), Some(row)) => {
            let line = configuration::table_line(path, row);
            let line = line.map_or(String::new(), |line| format!("line {line}: "));
            Error::content(path)(format!(
                "{line}row {} of voltage_model.table makes the rate {rate} at {supply}; allowed is {most}",
                row + 1
            ))
        }
        _ => Error::flag(
            "--voltages",
            supply,
            format!("voltages with a rate of {most}, here it is {rate}"),
        ),
    }
}

/// The accelerator whose memory it is; its code is the one that is used.
fn accelerator(
    subject: &Subject,
    file: &Path,
    settings: &EvaluateSettings,
) -> Result<Chosen, Error> {
    let lane = subject.width().lane();
    let Some(path) = &settings.config else {
        let code = settings
            .code
            .unwrap_or_else(|| default_code(subject, settings));
        check_code(code, lane)?;
        return Ok(configuration::default_for(lane, code));
    };
    let mut chosen = configuration::read(Some(path))?;
    let found = chosen.configuration.weight_bits;
    if found != lane {
        return Err(Error::Fit {
            model: file.display().to_string(),
            configuration: chosen.name,
            problem: format!("weight_bits is {found}; allowed is {lane}, the network's"),
        });
    }
    if let Some(code) = settings.code {
        check_code(code, lane)?;
        chosen.configuration.code = code;
    }
    Ok(chosen)
}

/// The network's own code, but none where it would protect bits that faults cannot reach.
fn default_code(subject: &Subject, settings: &EvaluateSettings) -> CodeName {
    match settings.exposure {
        Some(Exposure::LiveBits) => CodeName::None,
        _ => subject.code(),
    }
}

fn check_code(code: CodeName, lane: WeightBits) -> Result<(), Error> {
    if code.supports(lane) {
        return Ok(());
    }
    let supported = CodeName::ALL.into_iter().filter(|code| code.supports(lane));
    let names: Vec<String> = supported.map(|code| code.to_string()).collect();
    let allowed = format!("{} with weights in {lane}-bit lanes", names.join(", "));
    Err(Error::flag("--code", code, allowed))
}

fn points(settings: &EvaluateSettings, chosen: &Chosen) -> Result<Vec<Point>, Error> {
    let given = [
        ("rates", settings.rates.is_some()),
        ("voltages", settings.voltages.is_some()),
        ("map", settings.map.is_some()),
        ("profile", settings.profile.is_some()),
    ];
    let given: Vec<&str> = given.iter().filter(|g| g.1).map(|g| g.0).collect();
    if let [first, second, ..] = given[..] {
        return Err(Error::Recipe(format!(
            "both {first} and {second} are given; allowed is one of rates, voltages, map and profile"
        )));
    }
    for (flag, is_empty) in [
        (
            "--rates",
            settings.rates.as_ref().is_some_and(Vec::is_empty),
        ),
        (
            "--voltages",
            settings.voltages.as_ref().is_some_and(Vec::is_empty),
        ),
        (
            "--profile",
            settings.profile.as_ref().is_some_and(Vec::is_empty),
        ),
    ] {
        if is_empty {
            return Err(Error::flag(flag, "empty", "one point or more"));
        }
    }
    if let Some(path) = &settings.map {
        if let Some(mode) = settings.mode {
            let allowed = "none with --map, whose cells say what they do";
            return Err(Error::flag("--mode", mode, allowed));
        }
        let text = files::text(path, files::read(path)?)?;
        let map = FaultMap::from_text(&text).map_err(Error::content(path))?;
        return Ok(vec![Point::of_map(map)]);
    }
    let mode = settings.mode.unwrap_or(FaultMode::Persistent);
    if let Some(profiles) = &settings.profile {
        let transient = match mode {
            FaultMode::Persistent => false,
            FaultMode::Transient => true,
            _ => {
                let allowed = "persistent (one read serves all images) or transient with --profile";
                return Err(Error::flag("--mode", mode, allowed));
            }
        };
        let points = profiles.iter();
        return Ok(points.map(|p| Point::of_profile(*p, transient)).collect());
    }
    if matches!(mode, FaultMode::None | FaultMode::Map) {
        let allowed =
            "persistent, transient, stuck-at or stuck-at:SHARE; cells of a file are given by --map";
        return Err(Error::flag("--mode", mode, allowed));
    }
    if let Some(voltages) = &settings.voltages {
        let model = VoltageModel::from_configuration(&chosen.configuration)
            .map_err(Error::content(Path::new(&chosen.name)))?;
        let code = chosen.configuration.code;
        let at = |supply: &_| Point::at_voltage(&model, *supply, code, mode);
        let points: Result<Vec<Point>, _> = voltages.iter().map(at).collect();
        return points.map_err(|e| Error::Recipe(format!("--voltages: {e}")));
    }
    let defaults = || RATES.into_iter().filter_map(BitErrorRate::new).collect();
    let rates: Vec<BitErrorRate> = settings.rates.clone().unwrap_or_else(defaults);
    Ok(rates
        .into_iter()
        .map(|rate| Point::at_rate(rate, mode))
        .collect())
}

/// Says which flag or file an error is about.
pub fn explain(error: EvaluateError, plan: &Plan, map: Option<&Path>) -> Error {
    let memory = &plan.memory;
    match (error, map) {
        (EvaluateError::Map(problem), Some(map)) => Error::content(map)(problem),
        (EvaluateError::Memory(problem), _) => match problem {
            StoredMemoryError::Exposure(code) => Error::flag(
                "--exposure",
                memory.exposure.as_str(),
                format!("whole-lane with code {code}, which protects whole words"),
            ),
            StoredMemoryError::Policy { policy, code } => {
                let others = Policy::ALL.into_iter().filter(|p| p.supported_by(code));
                let names: Vec<&str> = others.map(Policy::as_str).collect();
                let allowed = format!("{} with code {code}", names.join(" or "));
                Error::flag("--policy", policy.as_str(), allowed)
            }
            StoredMemoryError::Encode(problem) => {
                let allowed = format!("a code whose range the weights keep; {problem}");
                Error::flag("--code", memory.code, allowed)
            }
            other => Error::Recipe(format!("the array does not suit the network: {other}")),
        },
        (problem @ EvaluateError::Data { .. }, _) => Error::Recipe(format!("--data: {problem}")),
        (other, _) => Error::Recipe(other.to_string()),
    }
}
