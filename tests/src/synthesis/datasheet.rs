//! The datasheet: what `make synth` measures, keeps and prints.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use brownout_hdl::emit::Emitted;
use brownout_spec::code::CodeName;
use serde::{Deserialize, Serialize};

use super::{
    ACCELERATOR_SCRIPT, CONSTRAINTS, DEVICE, NEXTPNR_OPTIONS, Netlist, SynthesisError, Timing,
    WANTED_MHZ, YOSYS_SCRIPT, datasheet_configuration, pin_blocks, place_and_route, plain_decoder,
    synthesize, version,
};

/// Seeds of the placer; the median of their clocks is the figure, since one seed is luck.
pub const SEEDS: [u32; 5] = [1, 2, 3, 4, 5];
/// The four accelerators.
const ACCELERATORS: [(&str, CodeName, bool); 4] = [
    ("no code", CodeName::None, false),
    ("inplace-64-57", CodeName::Inplace64_57, false),
    ("no code, fault emulation", CodeName::None, true),
    (
        "inplace-64-57, fault emulation",
        CodeName::Inplace64_57,
        true,
    ),
];

/// Figures of one design.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Figures {
    /// What it is.
    pub name: String,
    /// Hash of its Verilog, the tools' versions and their options: others are stale.
    pub key: String,
    /// Cells that Yosys made.
    pub netlist: Netlist,
    /// What nextpnr made of them, by seed; empty for a module that was only synthesized.
    pub timing: Vec<Timing>,
}

impl Figures {
    /// Median of the seeds' highest clocks, MHz; of two the lower.
    pub fn fmax_mhz(&self) -> Option<f64> {
        self.median().map(|timing| timing.fmax_mhz)
    }

    /// The placement whose clock is the median.
    fn median(&self) -> Option<&Timing> {
        let mut timing: Vec<&Timing> = self.timing.iter().collect();
        timing.sort_by(|a, b| a.fmax_mhz.total_cmp(&b.fmax_mhz));
        timing.get(timing.len().saturating_sub(1) / 2).copied()
    }
}

/// Synthesizes everything and writes the table, and keeps figures in `folder` so that an
/// interrupted run goes on where it stopped. `seeds` limits the placements of a design; none is synthesis only.
/// With a name only the accelerator of that name is measured.
///
/// # Errors
/// A missing tool, or a design that it refuses.
pub fn datasheet(
    folder: &Path,
    seeds: usize,
    only: Option<&str>,
    mut say: impl FnMut(&str),
) -> Result<String, SynthesisError> {
    if only.is_some_and(|only| ACCELERATORS.iter().all(|(name, ..)| *name != only)) {
        return Err(SynthesisError::Accelerator {
            found: only.unwrap_or_default().to_owned(),
            names: ACCELERATORS
                .map(|(name, ..)| format!("`{name}`"))
                .join(", "),
        });
    }
    let versions = [version("yosys")?, version("nextpnr-ecp5")?];
    let mut accelerators = Vec::new();
    for (name, code, faults) in ACCELERATORS {
        if only.is_some_and(|only| only != name) {
            continue;
        }
        let configuration = datasheet_configuration(code, faults);
        let emitted = emitted(&configuration);
        let work = folder.join(name.replace(", ", "-").replace(' ', "-"));
        let job = Job {
            name,
            text: &emitted.text(),
            top: &emitted.top().name,
            script: ACCELERATOR_SCRIPT,
            seeds: &SEEDS[..seeds.min(SEEDS.len())],
        };
        accelerators.push(job.figures(&work, &versions, &mut say)?);
    }
    let mut decoders = Vec::new();
    for code in CodeName::ALL {
        if code == CodeName::None || only.is_some() {
            continue;
        }
        let (text, top) = decoder(code);
        let name = format!("decoder of {code}");
        let job = Job {
            name: &name,
            text: &text,
            top: &top,
            script: YOSYS_SCRIPT,
            seeds: &[],
        };
        let work = folder.join(format!("decoder-{code}"));
        decoders.push(job.figures(&work, &versions, &mut say)?);
    }
    let job = Job {
        name: "plain Hsiao (64,57) decoder",
        text: &plain_decoder(),
        top: "hsiao_64_57",
        script: YOSYS_SCRIPT,
        seeds: &[],
    };
    if only.is_none() {
        decoders.push(job.figures(&folder.join("decoder-hsiao"), &versions, &mut say)?);
    }

    let text = table(&versions, &accelerators, &decoders);
    let summary = folder.join("datasheet.md");
    fs::write(&summary, &text).map_err(|source| SynthesisError::File {
        path: summary,
        source,
    })?;
    Ok(text)
}

/// One design to be measured.
struct Job<'a> {
    name: &'a str,
    text: &'a str,
    top: &'a str,
    script: &'static str,
    seeds: &'a [u32],
}

impl Job<'_> {
    fn figures(
        &self,
        work: &Path,
        versions: &[String; 2],
        say: &mut impl FnMut(&str),
    ) -> Result<Figures, SynthesisError> {
        let mut hash = blake3::Hasher::new();
        let conditions = format!("{} {NEXTPNR_OPTIONS:?}", self.script);
        let blocks = include_str!("blocks.rs");
        let floorplan = include_str!("floorplan.rs");
        let parts = [
            self.text,
            &versions[0],
            &versions[1],
            &conditions,
            CONSTRAINTS,
            blocks,
            floorplan,
        ];
        for part in parts {
            hash.update(part.as_bytes());
        }
        let key = hash.finalize().to_hex().to_string();
        let kept = work.join("figures.json");
        let old: Option<Figures> = fs::read_to_string(&kept)
            .ok()
            .and_then(|text| serde_json::from_str(&text).ok())
            .filter(|figures: &Figures| figures.key == key);
        let mut figures = match old {
            Some(figures) => figures,
            None => {
                say(&format!("{}: synthesis ...", self.name));
                let netlist = synthesize(self.text, self.top, self.script, work)?;
                if self.script == ACCELERATOR_SCRIPT {
                    say(&format!("{}: {}", self.name, pin_blocks(work, self.top)?));
                }
                Figures {
                    name: self.name.to_owned(),
                    key,
                    netlist,
                    timing: Vec::new(),
                }
            }
        };
        keep(&kept, &figures)?;
        for &seed in &self.seeds[figures.timing.len().min(self.seeds.len())..] {
            say(&format!(
                "{}: place and route, seed {seed} (minutes) ...",
                self.name
            ));
            figures.timing.push(place_and_route(work, seed)?);
            keep(&kept, &figures)?;
        }
        Ok(figures)
    }
}

fn keep(path: &Path, figures: &Figures) -> Result<(), SynthesisError> {
    let text = serde_json::to_string_pretty(figures).expect("figures are plain data");
    fs::write(path, text).map_err(|source| SynthesisError::File {
        path: path.to_owned(),
        source,
    })
}

fn emitted(configuration: &brownout_spec::config::Configuration) -> Emitted {
    brownout_hdl::generate::generate(configuration)
        .expect("the datasheet's configurations are valid")
}

/// The decoder cut from an accelerator with this code.
fn decoder(code: CodeName) -> (String, String) {
    let mut configuration = datasheet_configuration(code, false);
    if code == CodeName::Inplace32_26 {
        configuration.weight_bits = brownout_spec::config::WeightBits::Four;
    }
    let emitted = emitted(&configuration);
    let module = emitted
        .modules
        .iter()
        .find(|module| module.name.ends_with("_decoder"))
        .expect("an accelerator with a code has a decoder");
    (emitted.module_file(module), module.name.clone())
}

/// What misses the clock that was asked for, or else the slowest path.
fn slow_paths(name: &str, timing: &Timing) -> String {
    let mut text = format!(
        "\nSlow paths, {name}: more than {:.2} ns, of the placement with the median clock, by kind of \
         register; slowest path {}\n\n\
         | ns | wire | cells | end points | from -> to |\n| ---: | ---: | ---: | ---: | --- |\n",
        1000.0 / WANTED_MHZ,
        timing.slowest_path,
    );
    for group in &timing.slow_groups {
        writeln!(text, "{group}").expect("writing to a string cannot fail");
    }
    text
}

fn table(versions: &[String; 2], accelerators: &[Figures], decoders: &[Figures]) -> String {
    let mut text = String::from(
        "| 8 x 8, 8-bit weights, 128 KiB of them | LUT4 | FF | MULT18X18D | DP16KD | Fmax | placements |\n\
         | --- | ---: | ---: | ---: | ---: | ---: | ---: |\n",
    );
    for figures in accelerators {
        let fmax = figures
            .fmax_mhz()
            .map_or_else(|| "-".into(), |mhz| format!("{mhz:.1} MHz"));
        let netlist = &figures.netlist;
        writeln!(
            text,
            "| {} | {} | {} | {} | {} | {fmax} | {} |",
            figures.name,
            netlist.lut4(),
            netlist.count("TRELLIS_FF"),
            netlist.count("MULT18X18D"),
            netlist.count("DP16KD"),
            figures.timing.len(),
        )
        .expect("writing to a string cannot fail");
    }
    text.push_str("\n| decoder, two clocks | LUT4 | FF |\n| --- | ---: | ---: |\n");
    for figures in decoders {
        writeln!(
            text,
            "| {} | {} | {} |",
            figures.name,
            figures.netlist.lut4(),
            figures.netlist.count("TRELLIS_FF")
        )
        .expect("writing to a string cannot fail");
    }
    if let [plain, coded, plain_faults, coded_faults] = accelerators {
        let lanes = 64;
        let per_lane = |with: &Figures, without: &Figures, count: fn(&Netlist) -> u64| {
            (count(&with.netlist) as f64 - count(&without.netlist) as f64) / f64::from(lanes)
        };
        let ff = |netlist: &Netlist| netlist.count("TRELLIS_FF");
        writeln!(
            text,
            "\nFault emulation costs {:.0} LUT4 and {:.0} FF a lane of the word ({:.0} and {:.0} without code).",
            per_lane(coded_faults, coded, Netlist::lut4),
            per_lane(coded_faults, coded, ff),
            per_lane(plain_faults, plain, Netlist::lut4),
            per_lane(plain_faults, plain, ff),
        )
        .expect("writing to a string cannot fail");
    }
    for figures in accelerators {
        if let Some(timing) = figures.median() {
            text.push_str(&slow_paths(&figures.name, timing));
        }
    }
    writeln!(
        text,
        "\nConditions: `make synth`; {DEVICE}, package CABGA756, pins of nextpnr's choice, multipliers and memories at places of a floor plan, \
         constraints/brownout_ecp5.lpf; Fmax after routing, register to register, median of the \
         placements. {} (`{ACCELERATOR_SCRIPT}`, decoders `{YOSYS_SCRIPT}`), then registers behind memories and multipliers moved \
         into these blocks, where FF does not count them; {}. A carry cell counts as two LUT4; \
         distributed RAM is not counted.",
        versions[0], versions[1]
    )
    .expect("writing to a string cannot fail");
    text
}
