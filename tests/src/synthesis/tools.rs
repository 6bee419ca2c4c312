//! Calls of Yosys and nextpnr, and what their reports say.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::{Deserialize, Serialize};
use thiserror::Error;

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
    /// A report is not what the pinned version writes.
    #[error("{path}: the report has no {missing}")]
    Report {
        /// The report.
        path: PathBuf,
        /// What was looked for.
        missing: &'static str,
    },
}

/// Primitive cells of a synthesized design.
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

/// What Yosys does; part of a figure's conditions.
pub const YOSYS_SCRIPT: &str = "synth_ecp5 -abc9";
/// How nextpnr places and routes, but for clock and seed; part of a figure's conditions.
pub const NEXTPNR_OPTIONS: [&str; 9] = [
    "--85k",
    "--speed",
    "6",
    "--package",
    "CABGA756",
    "--out-of-context",
    "--timing-allow-fail",
    "--router",
    "router2",
];

/// Synthesizes module `top` of `verilog` for the ECP5; netlist and log go into `folder`.
///
/// # Errors
/// If Yosys is missing or refuses the text.
pub fn synthesize(verilog: &str, top: &str, folder: &Path) -> Result<Netlist, SynthesisError> {
    let file = |source, path: &Path| SynthesisError::File {
        path: path.to_owned(),
        source,
    };
    fs::create_dir_all(folder).map_err(|e| file(e, folder))?;
    let design = folder.join("design.v");
    fs::write(&design, verilog).map_err(|e| file(e, &design))?;
    run(
        "yosys",
        folder,
        &[
            "-q",
            "-l",
            "yosys.log",
            "-p",
            &format!(
                "read_verilog design.v; {YOSYS_SCRIPT} -top {top} -json netlist.json; \
                 tee -q -o stat.json stat -json"
            ),
        ],
        "yosys.log",
    )?;
    let stat = folder.join("stat.json");
    let text = fs::read_to_string(&stat).map_err(|e| file(e, &stat))?;
    let report: serde_json::Value =
        serde_json::from_str(&text).map_err(|_| SynthesisError::Report {
            path: stat.clone(),
            missing: "JSON",
        })?;
    let cells = report["design"]["num_cells_by_type"]
        .as_object()
        .ok_or(SynthesisError::Report {
            path: stat,
            missing: "cell counts",
        })?
        .iter()
        .filter(|(name, _)| !name.starts_with('$'))
        .filter_map(|(name, count)| Some((name.clone(), count.as_u64()?)))
        .collect();
    Ok(Netlist { cells })
}

/// Places and routes the netlist that [`synthesize`] left in `folder`, out of context.
///
/// # Errors
/// If nextpnr is missing or the design does not fit. A missed clock is not an error.
pub fn place_and_route(
    folder: &Path,
    target_mhz: u32,
    seed: u32,
) -> Result<Timing, SynthesisError> {
    let report = folder.join("nextpnr.json");
    let (frequency, seed) = (target_mhz.to_string(), seed.to_string());
    let mut arguments = NEXTPNR_OPTIONS.to_vec();
    arguments.extend([
        "--freq",
        &frequency,
        "--seed",
        &seed,
        "--json",
        "netlist.json",
        "--report",
        "nextpnr.json",
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
    })
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
