//! The flags of `export`.

use super::{Scale, weight_bits};
use crate::data::DataSource;
use brownout_spec::code::CodeName;
use brownout_spec::config::WeightBits;
use clap::{ArgGroup, Args, ValueEnum};
use std::fmt;
use std::path::PathBuf;

/// Flags of `export`.
#[derive(Debug, Args)]
#[command(
    group(ArgGroup::new("written").args(["out", "onnx", "state_dict"]).required(true).multiple(true)),
    group(ArgGroup::new("integers").args(["out", "onnx"]).multiple(true)),
    after_help = "Examples:
  brownout export r20.float --data cifar10:DIR --out r20.safetensors
  brownout export r20.float --data cifar10:DIR --weight-bits 4 --scale channel --out r4.safetensors
  brownout export trained.float --data cifar10:DIR --out trained.safetensors
  brownout export trained.float --state-dict pytorch.safetensors
  brownout export trained.safetensors --onnx trained.onnx
  brownout export r20.float --data cifar10:DIR --onnx r20.onnx --dialect qonnx

A checkpoint that `train` or `import --form grids` wrote keeps its grids and its code, unless a flag
asks for others. Codes that constrain weights cost accuracy here; `train --from` lets the network
adapt to them.

A state dict has the names, shapes and F32 values that `import` reads: what was imported leaves as
it came. Of a quantized network it has the weights that the network computes with. Those before
rounding (--weights unrounded) can lie far outside a learned range, as with quantizer wcat, and
mean little where nothing clips them. Its activations are not rounded. What pixels the network
expects is said at the end, and in the file's metadata under brownout-state-dict."
)]
pub struct ExportArguments {
    /// Checkpoint, as `import` and `train --checkpoint` write it; for --onnx also an integer model
    pub checkpoint: PathBuf,
    /// Images, needed to make integers of a checkpoint: activations are observed on training images,
    /// accuracy is measured on test images
    #[arg(long, value_name = "SOURCE")]
    pub data: Option<DataSource>,
    /// Training images on which activations are observed, and the integers judged [default: 1000, or
    /// all if they are fewer]
    #[arg(long, value_name = "N", requires = "integers")]
    pub calibration_images: Option<usize>,
    /// Write the model even if its integers lose more than half a point of the rounded network's
    /// accuracy on the calibration images, and more than chance explains
    #[arg(long, requires = "integers")]
    pub accept: bool,
    #[command(flatten)]
    pub rounding: RoundingArguments,
    /// Model to write: safetensors with metadata
    #[arg(long, value_name = "FILE", requires = "data")]
    pub out: Option<PathBuf>,
    /// ONNX file of the integers to write, for other tools
    #[arg(long, value_name = "FILE")]
    pub onnx: Option<PathBuf>,
    /// What an ONNX file has its quantizers in [default: qdq]
    #[arg(long, value_name = "NAME", requires = "onnx")]
    pub dialect: Option<OnnxDialect>,
    /// PyTorch state dict to write, beside the model or alone: safetensors, the inverse of `import`
    #[arg(long, value_name = "FILE")]
    pub state_dict: Option<PathBuf>,
    /// Which weights the state dict has [default: rounded where the checkpoint is quantized or a flag
    /// rounds it, else unrounded]
    #[arg(long, value_name = "WHICH", requires = "state_dict")]
    pub weights: Option<WhichWeights>,
}

/// How a checkpoint's weights are rounded without training.
#[derive(Debug, Args)]
pub struct RoundingArguments {
    /// Bits of a weight: 8 or 4 [default: the checkpoint's, or 8]
    #[arg(long, value_name = "BITS", value_parser = weight_bits)]
    pub weight_bits: Option<WeightBits>,
    /// Code whose range constraint the weights will satisfy [default: the checkpoint's, or none]
    #[arg(long, value_name = "NAME")]
    pub code: Option<CodeName>,
    /// Which weights share a scale [default: the checkpoint's, or tensor]
    #[arg(long, value_name = "WHICH")]
    pub scale: Option<Scale>,
}

impl RoundingArguments {
    /// Whether any is given.
    pub fn any(&self) -> bool {
        self.weight_bits.is_some() || self.code.is_some() || self.scale.is_some()
    }
}

/// Which weights a state dict has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum WhichWeights {
    /// What the stored integers stand for: those that the network computes with
    Rounded,
    /// Those in floating point that training keeps, and rounds at every step
    Unrounded,
}

/// Forms of quantizers in ONNX files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, ValueEnum)]
pub enum OnnxDialect {
    /// ONNX's QuantizeLinear and DequantizeLinear around integer tensors, opset 21: onnxruntime
    #[default]
    Qdq,
    /// QONNX's Quant around tensors of floating point: Brevitas, FINN, hls4ml
    Qonnx,
}

impl fmt::Display for OnnxDialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Qdq => "qdq",
            Self::Qonnx => "qonnx",
        })
    }
}
