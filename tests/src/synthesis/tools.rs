//! Calls of Yosys and nextpnr, and what their reports say.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::blocks::Mapped;
use super::floorplan::{self, Kind};
use super::paths::{PathGroup, slow_groups};
use super::sdf::{Delays, SdfError};

/// Why a design has no figures.
#[derive(Debug, Error)]
pub enum SynthesisError {
    /// A tool is not there.
    #[error(
        "could not start `{tool}` ({source}): run `make tools`, which sets it up in .tools/bin"
    )]
    Start {
        /// Its command.
        tool: &'static str,
        /// Why.
        source: io::Error,
    },
    /// An accelerator that is not in the datasheet.
    #[error("ACCELERATOR is `{found}`; the datasheet has {names}")]
    Accelerator {
        /// What was asked for.
        found: String,
        /// What there is.
        names: String,
    },
    /// It refused the design.
    #[error("`{tool}` failed; its log is {log}")]
    Failed {
        /// Its command.
        tool: &'static str,
        /// Where it says why.
        log: PathBuf,
    },
    /// A file of this run cannot be read or written.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A netlist is not what the pinned version writes.
    #[error("{path}: {source}")]
    Json {
        /// The netlist.
        path: PathBuf,
        /// Where it differs.
        source: serde_json::Error,
    },
    /// Delays of a routed design are not what the pinned version writes.
    #[error("{path}: {source}")]
    Delays {
        /// The SDF file.
        path: PathBuf,
        /// Where it differs.
        source: SdfError,
    },
    /// The analysis of the delays and the report do not agree.
    #[error("{path}: its slowest path takes {ours_ps} ps, and nextpnr reports {reported_ps:.0} ps")]
    Disagree {
        /// The SDF file.
        path: PathBuf,
        /// What its delays say.
        ours_ps: u32,
        /// What the report says.
        reported_ps: f64,
    },
    /// No such family.
    #[error("FAMILY is {found:?}; allowed are {allowed}")]
    Family {
        /// The name given.
        found: String,
        /// All names.
        allowed: String,
    },
    /// A family does not make of the accelerator what is expected of it.
    #[error("{family}: {what}")]
    Missed {
        /// Which.
        family: &'static str,
        /// What is missing.
        what: String,
    },
    /// A report is not what the pinned version writes.
    #[error("{path}: the report has no {missing}")]
    Report {
        /// The report.
        path: PathBuf,
        /// What was looked for.
        missing: &'static str,
    },
}

/// Primitive cells of a synthesized design, registers inside blocks not among them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Netlist {
    /// Number of cells of each type.
    pub cells: BTreeMap<String, u64>,
}

impl Netlist {
    /// Cells of one type.
    pub fn count(&self, cell: &str) -> u64 {
        self.cells.get(cell).copied().unwrap_or(0)
    }

    /// Four-input look-up tables, two for each two-bit carry cell; distributed RAM has its own.
    pub fn lut4(&self) -> u64 {
        self.count("LUT4") + 2 * self.count("CCU2C")
    }
}

/// What place-and-route says.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Timing {
    /// Highest clock after routing, MHz.
    pub fmax_mhz: f64,
    /// First and last cell of the slowest path.
    pub slowest_path: String,
    /// Used elements of the device, by type.
    pub utilization: BTreeMap<String, u64>,
    /// Everything that misses the clock that was asked for, the slowest first.
    pub slow_groups: Vec<PathGroup>,
}

/// The first line that a tool says about its version.
///
/// # Errors
/// If it cannot be started.
pub fn version(tool: &'static str) -> Result<String, SynthesisError> {
    let output = Command::new(tool)
        .arg("--version")
        .output()
        .map_err(|source| SynthesisError::Start { tool, source })?;
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    // "Yosys 0.70 (git sha1 ..)" and ".. (Version nextpnr-0.11.1)".
    let word = |start: &str| {
        let words = text.split([' ', '(', ')']).collect::<Vec<_>>();
        let at = words.iter().position(|word| word.starts_with(start))?;
        Some(
            words[at..]
                .iter()
                .take(2)
                .copied()
                .collect::<Vec<_>>()
                .join(" "),
        )
    };
    let found = word("Yosys").or_else(|| word("nextpnr-0").map(|name| name.trim().to_owned()));
    Ok(found.unwrap_or_else(|| format!("{tool}, version unknown")))
}

/// What Yosys does before registers move into blocks; part of a figure's conditions.
pub const YOSYS_SCRIPT: &str = "synth_ecp5";
/// What it does to a whole accelerator: pairs and quadruples of look-up tables would cost a
/// quarter more of them, in the columns' shifters, and tie them together for the placer.
pub const ACCELERATOR_SCRIPT: &str = "synth_ecp5 -nowidelut";
/// How nextpnr places and routes, but for the seed; part of a figure's conditions. The placer
/// is the electrostatic one, whose wires are a quarter shorter here than the default's.
pub const NEXTPNR_OPTIONS: [&str; 13] = [
    "--85k",
    "--speed",
    "6",
    "--package",
    "CABGA756",
    "--lpf",
    "constraints.lpf",
    "--lpf-allow-unconstrained",
    "--timing-allow-fail",
    "--placer",
    "static",
    "--router",
    "router1",
];
/// The clock that [`CONSTRAINTS`] ask for, MHz.
pub const WANTED_MHZ: f64 = 150.0;
/// Clock constraint of every placement, as a user's flow would read it.
pub const CONSTRAINTS: &str = include_str!("../../../constraints/brownout_ecp5.lpf");

/// Synthesizes module `top` of `verilog` with `script` for the ECP5; netlist and log go into `folder`.
///
/// # Errors
/// If Yosys is missing or refuses the text.
pub fn synthesize(
    verilog: &str,
    top: &str,
    script: &str,
    folder: &Path,
) -> Result<Netlist, SynthesisError> {
    write_design(verilog, folder)?;
    run(
        "yosys",
        folder,
        &[
            "-q",
            "-l",
            "yosys.log",
            "-p",
            &format!("read_verilog design.v; {script} -top {top} -json netlist.json"),
        ],
        "yosys.log",
    )?;
    let path = folder.join("netlist.json");
    let text = fs::read_to_string(&path).map_err(file_error(&path))?;
    let mut mapped: Mapped =
        serde_json::from_str(&text).map_err(|source| SynthesisError::Json {
            path: path.clone(),
            source,
        })?;
    mapped.use_block_registers(top);
    let text = serde_json::to_string(&mapped).expect("it was read from JSON");
    fs::write(&path, text).map_err(file_error(&path))?;
    Ok(Netlist {
        cells: mapped.cells(top),
    })
}

/// Writes `verilog` where Yosys reads it.
fn write_design(verilog: &str, folder: &Path) -> Result<(), SynthesisError> {
    let design = folder.join("design.v");
    fs::create_dir_all(folder).map_err(file_error(folder))?;
    fs::write(&design, verilog).map_err(file_error(&design))
}

/// Names the file that cannot be read or written.
fn file_error(path: &Path) -> impl Fn(std::io::Error) -> SynthesisError {
    move |source| SynthesisError::File {
        path: path.to_owned(),
        source,
    }
}

/// Cells of module `top` of `verilog` after `script`, of any family; logs go into `folder`.
///
/// # Errors
/// If Yosys is missing or refuses the text.
pub fn count_cells(
    verilog: &str,
    top: &str,
    script: &str,
    folder: &Path,
) -> Result<Netlist, SynthesisError> {
    write_design(verilog, folder)?;
    let commands =
        format!("read_verilog design.v; {script} -top {top}; tee -q -o cells.json stat -json");
    let arguments = ["-q", "-l", "yosys.log", "-p", &commands];
    run("yosys", folder, &arguments, "yosys.log")?;
    let path = folder.join("cells.json");
    let text = fs::read_to_string(&path).map_err(file_error(&path))?;
    let report: serde_json::Value =
        serde_json::from_str(&text).map_err(|source| SynthesisError::Json {
            path: path.clone(),
            source,
        })?;
    let types = report["design"]["num_cells_by_type"].as_object();
    let types = types.ok_or(SynthesisError::Report {
        path,
        missing: "cells by type",
    })?;
    let count = |(cell, count): (&String, &serde_json::Value)| {
        Some((cell.trim_start_matches('\\').to_owned(), count.as_u64()?))
    };
    Ok(Netlist {
        cells: types.iter().filter_map(count).collect(),
    })
}

/// Gives every multiplier and memory of the netlist that [`synthesize`] left in `folder` a place on
/// the device, and says how many have one, or why none has.
///
/// # Errors
/// If the netlist cannot be read or written.
pub fn pin_blocks(folder: &Path, top: &str) -> Result<String, SynthesisError> {
    let path = folder.join("netlist.json");
    let file = |source| SynthesisError::File {
        path: path.clone(),
        source,
    };
    let text = fs::read_to_string(&path).map_err(file)?;
    let mut mapped: Mapped =
        serde_json::from_str(&text).map_err(|source| SynthesisError::Json {
            path: path.clone(),
            source,
        })?;
    let types = [Kind::Multiplier, Kind::Memory].map(|kind| (kind.cell(), kind));
    let places = match floorplan::places(&mapped.cells_of(top, &types)) {
        Ok(places) => places,
        Err(sentence) => return Ok(sentence),
    };
    for (cell, place) in &places {
        mapped.set_attribute(top, cell, "BEL", place);
    }
    let text = serde_json::to_string(&mapped).expect("it was read from JSON");
    fs::write(&path, text).map_err(file)?;
    Ok(format!(
        "{} multipliers and memory blocks have their places",
        places.len()
    ))
}

/// Places and routes the netlist that [`synthesize`] left in `folder`, on unassigned pins.
///
/// # Errors
/// If nextpnr is missing or the design does not fit. A missed clock is not an error.
pub fn place_and_route(folder: &Path, seed: u32) -> Result<Timing, SynthesisError> {
    let report = folder.join("nextpnr.json");
    let constraints = folder.join("constraints.lpf");
    fs::write(&constraints, CONSTRAINTS).map_err(|source| SynthesisError::File {
        path: constraints,
        source,
    })?;
    let seed = seed.to_string();
    let mut arguments = NEXTPNR_OPTIONS.to_vec();
    arguments.extend([
        "--seed",
        &seed,
        "--json",
        "netlist.json",
        "--report",
        "nextpnr.json",
        "--sdf",
        "delays.sdf",
        "--log",
        "nextpnr.log",
        "--quiet",
    ]);
    run("nextpnr-ecp5", folder, &arguments, "nextpnr.log")?;
    let text = fs::read_to_string(&report).map_err(|source| SynthesisError::File {
        path: report.clone(),
        source,
    })?;
    let missing = |missing| SynthesisError::Report {
        path: report.clone(),
        missing,
    };
    let value: serde_json::Value = serde_json::from_str(&text).map_err(|_| missing("JSON"))?;
    let fmax_mhz = value["fmax"]
        .as_object()
        .and_then(|clocks| clocks.values().next())
        .and_then(|clock| clock["achieved"].as_f64())
        .ok_or_else(|| missing("clock"))?;
    let path = value["critical_paths"]
        .as_array()
        .and_then(|paths| paths.first())
        .and_then(|path| path["path"].as_array())
        .ok_or_else(|| missing("critical path"))?;
    let cell = |step: Option<&serde_json::Value>, end: &str| {
        step.and_then(|step| step[end]["cell"].as_str())
            .unwrap_or("?")
            .to_owned()
    };
    let utilization = value["utilization"]
        .as_object()
        .ok_or_else(|| missing("utilization"))?
        .iter()
        .filter_map(|(name, use_)| Some((name.clone(), use_["used"].as_u64()?)))
        .filter(|&(_, used)| used > 0)
        .collect();
    Ok(Timing {
        fmax_mhz,
        slowest_path: format!(
            "{} -> {}",
            cell(path.first(), "from"),
            cell(path.last(), "to")
        ),
        utilization,
        slow_groups: checked_groups(folder, fmax_mhz)?,
    })
}

/// Groups of paths that miss [`WANTED_MHZ`], by a second analysis that must find the clock which
/// nextpnr found. The delays go: they are large, and all that is asked of them is kept.
fn checked_groups(folder: &Path, fmax_mhz: f64) -> Result<Vec<PathGroup>, SynthesisError> {
    let path = folder.join("delays.sdf");
    let file = |source| SynthesisError::File {
        path: path.clone(),
        source,
    };
    let text = fs::read_to_string(&path).map_err(file)?;
    let delays = Delays::parse(&text).map_err(|source| SynthesisError::Delays {
        path: path.clone(),
        source,
    })?;
    let reported_ps = 1e6 / fmax_mhz;
    let limit = reported_ps.min(1e6 / WANTED_MHZ) as u32;
    // A design that is fast enough has one group at least, that of its slowest path.
    let groups = slow_groups(&delays, limit.saturating_sub(1));
    let ours_ps = groups.first().map_or(0, |group| group.picoseconds);
    if (f64::from(ours_ps) - reported_ps).abs() > 1.0 {
        return Err(SynthesisError::Disagree {
            path,
            ours_ps,
            reported_ps,
        });
    }
    fs::remove_file(&path).map_err(file)?;
    Ok(groups)
}

fn run(
    tool: &'static str,
    folder: &Path,
    arguments: &[&str],
    log: &str,
) -> Result<(), SynthesisError> {
    let output = Command::new(tool)
        .args(arguments)
        .current_dir(folder)
        .output()
        .map_err(|source| SynthesisError::Start { tool, source })?;
    if output.status.success() {
        return Ok(());
    }
    let log = folder.join(log);
    // What a tool says before it opens its log is worth keeping.
    if !log.exists() {
        let text = [output.stdout, output.stderr].concat();
        fs::write(&log, text).map_err(|source| SynthesisError::File {
            path: log.clone(),
            source,
        })?;
    }
    Err(SynthesisError::Failed { tool, log })
}
