//! The command line: what can be asked for, and the help that says so.

mod attack;
mod evaluate;
mod export;
mod generate;
mod import;
mod report;
mod train;

pub use attack::{
    AtZeroGradient, AttackArguments, AttackSettings, LabelSource, Method, RandomDraw, Stealth,
};
pub use evaluate::{EvaluateArguments, EvaluateSettings};
pub use export::{ExportArguments, OnnxDialect, RoundingArguments, WhichWeights};
pub use generate::{GenerateArguments, Memories};
#[cfg(feature = "foreign")]
pub use import::ImportForm;
pub use import::{ImportArguments, ImportSettings};
pub use report::ReportArguments;
pub use train::TrainArguments;

use crate::data::DataSource;
use brownout_golden::evaluate::MOST_RATE;
use brownout_golden::network::Builtin;
use brownout_golden::quantize::Granularity;
use brownout_spec::code::{CodeName, Policy};
use brownout_spec::config::{WEIGHT_ADDRESS_BITS, WeightBits};
use brownout_spec::fault::FaultMode;
use brownout_spec::quantity::{BitErrorRate, Lane, Millivolts, WordAddress};
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::num::NonZeroUsize;
use std::path::PathBuf;

/// Neural-network accelerators that live through a drop in supply voltage.
///
/// Trains and quantizes a small network, packs its weights into the words of an error-correcting
/// memory, generates the accelerator as plain Verilog, and runs both, bit for bit, while the
/// memory's voltage falls.
#[derive(Debug, Parser)]
#[command(
    name = "brownout",
    version,
    max_term_width = 100,
    subcommand_required = true,
    arg_required_else_help = true,
    after_help = "Exit status: 0 done, 1 RTL and golden model differ, 2 a flag or a file is not allowed, 130 Ctrl-C."
)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// Flags of every command.
    #[command(flatten)]
    pub global: Global,
}

/// Flags of every command.
#[derive(Clone, Copy, Debug, Args)]
#[command(next_help_heading = "Options of every command")]
pub struct Global {
    /// Seed of what is random: initial weights and order of training images, cells of the chip
    /// [default: 1]
    #[arg(long, global = true, value_name = "N")]
    pub seed: Option<u64>,
    /// Print results and errors only: no progress, no remarks
    #[arg(long, short, global = true)]
    pub quiet: bool,
    /// Print the result as one JSON document
    #[arg(long, global = true)]
    pub json: bool,
}

impl Global {
    /// The seed, or the default one.
    pub fn seed(&self) -> u64 {
        self.seed.unwrap_or(1)
    }
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Train and quantize a network, and write it as an integer model
    Train(TrainArguments),
    /// Make a checkpoint of a network trained elsewhere: an ONNX file or a PyTorch state dict
    Import(ImportArguments),
    /// Quantize a checkpoint without training, and write it as an integer model, an ONNX file or a
    /// state dict
    Export(ExportArguments),
    /// Flip bits of a network's stored weights on purpose, also through a code's decoder
    Attack(AttackArguments),
    /// Write an accelerator as Verilog, with its register map
    Generate(GenerateArguments),
    /// Run a model on a generated accelerator and compare every logit with the golden model
    Simulate(SimulateArguments),
    /// Measure a network on many chips at many rates of faulty cells, in software
    Evaluate(EvaluateArguments),
    /// Train, generate and simulate while the voltage falls: the whole path, as `make sim` runs it
    Sweep(SweepArguments),
    /// Train and measure what a recipe says, and make tables, plots and a page of it
    Study(StudyArguments),
    /// Turn a folder of results into one page with plots, tables and provenance
    Report(ReportArguments),
    /// Explain a model, a configuration, a weight image or a code
    Info(InfoArguments),
}

/// Flags of `study`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  brownout study recipes/wcat-4bit.toml --data cifar10:DIR --start resnet20.safetensors
  brownout study recipes/silicon.toml --data cifar10:DIR
  brownout study mine.toml --data glyphs --out results

A recipe names networks (trained, rounded or another study's) and what is measured on them: readings
on many chips, attacks, runs on the simulated hardware. Results are kept in the folder's ledger.json
as they are made: what is in it is not done again, and a study that was broken off goes on where it
was. Its README.md, CSV files and SVG plots are made from the ledger; recipes/README.md explains the
recipe's fields.")]
pub struct StudyArguments {
    /// Recipe, a TOML file
    pub recipe: PathBuf,
    /// Images, as in `train`; needed for what is not done yet
    #[arg(long, value_name = "SOURCE")]
    pub data: Option<DataSource>,
    /// Network that trainings start from: a checkpoint, or a PyTorch state dict (safetensors)
    #[arg(long, value_name = "FILE")]
    pub start: Option<PathBuf>,
    /// Folder of the results; it is created if it is missing [default: the recipe's name without its
    /// ending]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Write integer models even if they lose more than half a point of their rounded networks'
    /// accuracy on 1000 training images
    #[arg(long)]
    pub accept: bool,
    /// Forget results of rows that the recipe no longer names, with their records and plots;
    /// networks stay
    #[arg(long)]
    pub prune: bool,
}

/// What is trained on what, for how long.
#[derive(Debug, Args)]
pub struct NetworkArguments {
    /// Network: mlp (one hidden layer of 100), cnn (two convolutions, two dense layers),
    /// resnet20, 32, 44 or 56 (with -b: projection shortcuts), simplenet or simplenet:WIDTH
    /// (group norm; even widths, 2 to 512), simplenet-bn:WIDTH (batch norm); export needs batch
    /// norm and no projection
    #[arg(long, default_value = "cnn", value_name = "NAME")]
    pub network: Builtin,
    /// Images: glyphs, glyphs:SEED, mnist:DIR (four IDX files, plain or .gz), cifar10:DIR (the binary
    /// form, plain or .xz), npz:FILE, images:DIR and others; see `train --help`
    #[arg(long, default_value = "glyphs", value_name = "SOURCE")]
    pub data: DataSource,
    /// Training images to use [default: 12000 glyphs, or all images of the files]
    #[arg(long, value_name = "N")]
    pub train_images: Option<usize>,
    /// Outputs of the network, at least the largest label and one [default: just as many]
    #[arg(long, value_name = "N")]
    pub classes: Option<usize>,
    /// Passes over the training images
    #[arg(long, default_value_t = 5, value_name = "N")]
    pub epochs: usize,
    /// Go on even if the integer model loses more than half a point of the rounded network's
    /// accuracy on 1000 training images
    #[arg(long)]
    pub accept: bool,
}

/// Which weights share a scale.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Scale {
    /// All weights of a layer
    Tensor,
    /// The weights of one output channel
    Channel,
}

impl From<Scale> for Granularity {
    fn from(scale: Scale) -> Self {
        match scale {
            Scale::Tensor => Self::Tensor,
            Scale::Channel => Self::Channel,
        }
    }
}

/// Flags of `simulate`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  brownout simulate cnn.safetensors --voltages 800,450,420 --codes none,inplace-64-57
  brownout simulate cnn.safetensors --rates 0,1e-3,1e-2 --modes persistent,transient --images 50
  brownout simulate cnn.safetensors --voltages 420 --skip 17 --images 1 --trace wave.vcd
  gtkwave mismatch.vcd mismatch.gtkw
  surfer mismatch.vcd --command-file mismatch.sucl")]
pub struct SimulateArguments {
    /// Model file, as `train` writes it
    pub model: PathBuf,
    /// Configuration, a TOML file [default: 8 x 8 with the model's weight bits and code]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Supply voltages in millivolts [default: those nearest to rates 0, 1e-5 .. 5e-2; in modes none
    /// and map, whose cells do not depend on it, the highest]
    #[arg(long, value_name = "MV,..", value_delimiter = ',', value_parser = millivolts)]
    pub voltages: Option<Vec<Millivolts>>,
    /// Rates of faulty cells instead of voltages, 0 to 1
    #[arg(long, value_name = "RATE,..", value_delimiter = ',', value_parser = rate, conflicts_with = "voltages")]
    pub rates: Option<Vec<BitErrorRate>>,
    /// Codes, each of which gives an accelerator of its own [default: the configuration's]
    #[arg(long, value_name = "NAME,..", value_delimiter = ',')]
    pub codes: Option<Vec<CodeName>>,
    /// Fault modes: none, persistent, transient, stuck-at, stuck-at:SHARE (ones in 1/256), map
    #[arg(
        long,
        value_name = "MODE,..",
        value_delimiter = ',',
        default_value = "persistent"
    )]
    pub modes: Vec<FaultMode>,
    /// List of faulty cells for mode map: lines of ADDRESS LANE KIND, as in 12 6 flip; the kind is
    /// flip (reads inverted), 0 or 1 (stuck at it)
    #[arg(long, value_name = "FILE")]
    pub map: Option<PathBuf>,
    /// Policies for detected words: keep, zero, zero-constrained
    #[arg(
        long,
        value_name = "NAME,..",
        value_delimiter = ',',
        default_value = "keep"
    )]
    pub policies: Vec<Policy>,
    /// Images: glyphs, mnist:DIR, cifar10:DIR, npz:FILE, images:DIR and others, see `train --help`; the
    /// test images are used
    #[arg(long, default_value = "glyphs", value_name = "SOURCE")]
    pub data: DataSource,
    /// Test images at each point [default: 100, or all if they are fewer]
    #[arg(long, value_name = "N")]
    pub images: Option<usize>,
    /// Test images to skip
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub skip: usize,
    /// Threads, each with a model of its own [default: one per processor]
    #[arg(long, value_name = "N", value_parser = threads)]
    pub threads: Option<NonZeroUsize>,
    /// Images side by side on each thread: 1, 2, 4, 8, 16 or 32, in an engine in place of
    /// Verilator's model, many times as fast and with the same results [default: one after the
    /// other]
    #[arg(long, value_name = "N", value_parser = lanes)]
    pub lanes: Option<usize>,
    /// Write the summary to this JSON file
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Write a waveform (VCD) of the first point's first image
    #[arg(long, value_name = "FILE")]
    pub trace: Option<PathBuf>,
    /// Where a waveform (VCD, at most 50 MB) of the first layer that differs goes if RTL and golden
    /// model differ, with lists of its signals for GTKWave (.gtkw) and Surfer (.sucl) beside it; or
    /// no [default: mismatch.vcd]
    #[arg(long, value_name = "FILE.vcd", value_parser = waveform)]
    pub waveform: Option<Waveform>,
}

/// Where the waveform of a layer that differs goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Waveform {
    /// Nowhere.
    No,
    /// Into this file, whose name ends in `.vcd`.
    File(PathBuf),
}

/// Flags of `sweep`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  brownout sweep --out target/sim
  brownout sweep --data mnist:data/mnist --out target/mnist")]
pub struct SweepArguments {
    #[command(flatten)]
    pub network: NetworkArguments,
    /// Test images at each point [default: 200, or all if they are fewer]
    #[arg(long, value_name = "N")]
    pub images: Option<usize>,
    /// Threads of the simulation [default: one per processor]
    #[arg(long, value_name = "N", value_parser = threads)]
    pub threads: Option<NonZeroUsize>,
    /// Folder for model, configuration, summary and Verilog; it is created if it is missing
    #[arg(long, value_name = "DIR", default_value = "target/sim")]
    pub out: PathBuf,
}

/// Flags of `info`.
#[derive(Debug, Args)]
#[command(
    arg_required_else_help = true,
    after_help = "Examples:
  brownout info cnn.safetensors
  brownout info --config accelerator.toml
  brownout info --code inplace-64-57 --weight-bits 8
  brownout info --model cnn.safetensors --config accelerator.toml --locate 0,17,6
  brownout info --image rtl/weights.image --cell 12,62"
)]
pub struct InfoArguments {
    /// A model, a configuration or a weight image; what it is shows from its content
    #[arg(conflicts_with_all = ["model", "image", "code"])]
    pub path: Option<PathBuf>,
    /// A model; with --config, as it runs on that accelerator
    #[arg(long, value_name = "FILE", conflicts_with_all = ["image", "code"])]
    pub model: Option<PathBuf>,
    /// A configuration [default: 8 x 8 with the model's weight bits and code]
    #[arg(long, value_name = "FILE", conflicts_with_all = ["image", "code"])]
    pub config: Option<PathBuf>,
    /// A weight image
    #[arg(long, value_name = "FILE", conflicts_with = "code")]
    pub image: Option<PathBuf>,
    /// A code, with its columns and masks
    #[arg(long, value_name = "NAME")]
    pub code: Option<CodeName>,
    /// Bits of a weight, for --code [default: 8 where the code allows it]
    #[arg(long, value_name = "BITS", value_parser = weight_bits, requires = "code")]
    pub weight_bits: Option<WeightBits>,
    /// Say where bit BIT of weight INDEX of weight layer LAYER lives, all from 0
    #[arg(long, value_name = "LAYER,INDEX,BIT", value_parser = place)]
    pub locate: Option<Place>,
    /// Say what lane LANE of word ADDRESS holds
    #[arg(long, value_name = "ADDRESS,LANE", value_parser = cell)]
    pub cell: Option<(WordAddress, Lane)>,
}

/// A bit of a weight, as `--locate` names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Which layer with weights.
    pub layer: usize,
    /// Index in the flattened tensor.
    pub index: usize,
    /// Bit, 0 = least significant.
    pub bit: u8,
}

fn weight_bits(text: &str) -> Result<WeightBits, String> {
    text.parse()
        .ok()
        .and_then(|bits: u32| WeightBits::try_from(bits).ok())
        .ok_or_else(|| format!("{text:?} is not a number of weight bits; allowed are 8 and 4"))
}

/// More threads than any machine here has cores for; each holds an accelerator.
const MOST_THREADS: usize = 256;

fn threads(text: &str) -> Result<NonZeroUsize, String> {
    let number: Option<NonZeroUsize> = text.parse().ok();
    number.filter(|n| n.get() <= MOST_THREADS).ok_or_else(|| {
        format!("{text:?} is not a number of threads; allowed are whole numbers from 1 to {MOST_THREADS}")
    })
}

/// Reads a number of images side by side: one that a vector register has lanes for.
///
/// # Errors
/// A sentence with what is allowed, for any other text.
pub fn lanes(text: &str) -> Result<usize, String> {
    let number: Option<usize> = text.parse().ok();
    number
        .filter(|n| matches!(n, 1 | 2 | 4 | 8 | 16 | 32))
        .ok_or_else(|| {
            format!(
                "{text:?} is not a number of images side by side; allowed are 1, 2, 4, 8, 16 and 32"
            )
        })
}

fn millivolts(text: &str) -> Result<Millivolts, String> {
    text.parse().map(Millivolts).map_err(|_| {
        format!("{text:?} is not a voltage; allowed are whole millivolts from 0 to 65535")
    })
}

fn rate(text: &str) -> Result<BitErrorRate, String> {
    text.parse()
        .ok()
        .and_then(BitErrorRate::new)
        .ok_or_else(|| format!("{text:?} is not a rate; allowed are numbers from 0 to 1"))
}

/// A rate of faulty cells that networks are trained or evaluated at.
fn faulty_share(text: &str) -> Result<BitErrorRate, String> {
    let rate = text.parse().ok().filter(|rate| *rate <= MOST_RATE);
    rate.and_then(BitErrorRate::new).ok_or_else(|| {
        format!("{text:?} is not a rate of faulty cells; allowed are numbers from 0 to {MOST_RATE}")
    })
}

fn waveform(text: &str) -> Result<Waveform, String> {
    let file = PathBuf::from(text);
    match text {
        "no" => Ok(Waveform::No),
        _ if file.extension().is_some_and(|e| e == "vcd") => Ok(Waveform::File(file)),
        _ => Err(format!(
            "{text:?} is no waveform; allowed are names of files that end in .vcd, and no"
        )),
    }
}

/// The numbers of a comma-separated list of exactly N.
fn numbers<const N: usize>(text: &str, form: &str) -> Result<[u64; N], String> {
    let parsed: Option<Vec<u64>> = text.split(',').map(|n| n.trim().parse().ok()).collect();
    parsed
        .and_then(|numbers| numbers.try_into().ok())
        .ok_or_else(|| {
            format!("{text:?} is not of the form {form}; allowed are {N} whole numbers from 0")
        })
}

fn place(text: &str) -> Result<Place, String> {
    let [layer, index, bit] = numbers(text, "LAYER,INDEX,BIT")?;
    let bit = u8::try_from(bit).ok().filter(|bit| *bit < 8);
    Ok(Place {
        layer: usize::try_from(layer).unwrap_or(usize::MAX),
        index: usize::try_from(index).unwrap_or(usize::MAX),
        bit: bit.ok_or_else(|| format!("{text:?} has no such bit; allowed are bits 0 to 7"))?,
    })
}

fn cell(text: &str) -> Result<(WordAddress, Lane), String> {
    let [address, lane] = numbers(text, "ADDRESS,LANE")?;
    let last = (1 << WEIGHT_ADDRESS_BITS) - 1;
    let address = u32::try_from(address).ok().filter(|a| *a <= last);
    let lane = u8::try_from(lane).ok().filter(|lane| *lane < 72);
    match (address, lane) {
        (Some(address), Some(lane)) => Ok((WordAddress(address), Lane(lane))),
        _ => Err(format!(
            "{text:?} is beyond any memory; allowed are addresses up to {last} and lanes up to 71"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_description_of_the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn each_parser_of_values_says_what_is_allowed() {
        assert!(threads("0").unwrap_err().contains("from 1"));
        assert!(weight_bits("5").unwrap_err().contains("8 and 4"));
        assert!(millivolts("0.8").unwrap_err().contains("whole millivolts"));
        for bad in ["-1", "1.5", "NaN", "x"] {
            assert!(rate(bad).unwrap_err().contains("0 to 1"));
        }
        for bad in ["", "yes", ".vcd", "wave.fst"] {
            assert!(waveform(bad).unwrap_err().contains("end in .vcd"));
        }
        assert!(place("0,1").unwrap_err().contains("LAYER,INDEX,BIT"));
        assert!(place("0,1,8").unwrap_err().contains("bits 0 to 7"));
        assert!(cell("8388608,0").unwrap_err().contains("8388607"));
        assert!(cell("0,72").unwrap_err().contains("up to 71"));
        assert!(cell("-1,0").unwrap_err().contains("whole numbers"));
    }
}
