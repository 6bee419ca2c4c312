//! The flags of `train`. What a recipe may say as well has no default here: a flag
//! counts more than the recipe, the recipe more than the default.

use super::Scale;
use crate::data::DataSource;
use brownout_golden::data::Augmentation;
use brownout_golden::network::{Builtin, Precision};
use brownout_golden::quantize::BitWidth;
use brownout_golden::train::QuantizerName;
use brownout_spec::code::CodeName;
use brownout_spec::quantity::BitErrorRate;
use clap::{Args, ValueEnum};
use std::path::PathBuf;

/// Flags of `train`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  brownout train --out cnn.safetensors
  brownout train --network mlp --weight-bits 4 --code inplace-32-26 --out mlp.safetensors
  brownout train --data mnist:data/mnist --epochs 3 --out mnist.safetensors
  brownout train --quantizer wcat --weight-bits 4 --noise 0.005 --out robust.safetensors
  brownout train --randbet 0.01 --through-decoder --out through.safetensors
  brownout train --from r20.float --data cifar10:DIR --config recipe.toml --state run.state --out r20.safetensors
  brownout train --from imported.float --own-grids --data mnist:DIR --out own.safetensors
  brownout train --randbet 0.01 --print-config > recipe.toml

A recipe is a TOML file with network, from, own_grids, data, train_images, classes, out, checkpoint
and state, and a table [training] with everything else; --print-config prints the one that is in
force. Ctrl-C ends a run after its present step; with --state the same command goes on from there.

Images of files, in every command:
  mnist:DIR, idx:DIR     four IDX files under MNIST's names, plain or .gz; labels from 0
  emnist:DIR             the split of EMNIST that is there, or emnist,letters:DIR and so on: rows and
                         columns are exchanged back, and of letters label 1 becomes class 0
  qmnist:DIR             QMNIST, with the first column of its tables of labels
  cifar10:DIR            the binary form, plain or .xz; likewise cifar100:DIR with its fine labels and
                         cifar100-coarse:DIR
  npz:FILE, npy:DIR      NumPy arrays x_train, y_train, x_test and y_test, or train_images,
                         train_labels, test_images and test_labels; or one of images, x, inputs and
                         vectors with one of labels, y, outputs and targets, and hold=
  images:DIR             PNG and JPEG pictures, DIR/train/CLASS/* and DIR/test/CLASS/* (or val), or
                         DIR/CLASS/* and hold=; classes are numbered in the order of their names
Options stand before the colon, as in npz,nchw,hold=5:FILE:
  hold=K, hold=all       the first of every K images (of each class) is a test image, or all are
  nhwc, nchw             where channels are in arrays of four axes, if neither the network nor their
                         number (1 to 4) says it
  size=S, size=ROWSxCOLS size of pictures; without it the network's, or their own. The shorter side
                         is brought to S and the middle cut out, or to resize=R first; rows and
                         columns that differ are reached without a cut, unless resize=R is given.
                         As torchvision's Resize and CenterCrop with Pillow's bilinear filter
  grey                   pictures of one channel; without it three, if the network does not take one
  numbered               names of folders, or of pictures in no folder, are numbers of classes
Arrays of uint8 are pixels, which the map turns into activations; int8 are activations themselves;
floats enter a network as they are, and are rounded to the map's step (to the nearest, of two the
even one) where it computes in integers. Labels are whole numbers of shape N or N x 1, or floats of
shape N x outputs, which are kept as targets; the place of the largest is the class.")]
pub struct TrainArguments {
    /// Integer model to write: safetensors with metadata
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Recipe, a TOML file; flags count more
    #[arg(long, value_name = "FILE", visible_alias = "recipe")]
    pub config: Option<PathBuf>,
    /// Print the recipe that is in force as TOML, and end
    #[arg(long)]
    pub print_config: bool,
    /// Network: mlp (one hidden layer of 100), cnn (two convolutions, two dense layers),
    /// resnet20, 32, 44 or 56 (with -b: projection shortcuts), simplenet or simplenet:WIDTH
    /// (group norm; even widths, 2 to 512), simplenet-bn:WIDTH (batch norm); export needs batch
    /// norm and no projection [default: cnn]
    #[arg(long, value_name = "NAME")]
    pub network: Option<Builtin>,
    /// Start from this checkpoint, whose network it is that is trained
    #[arg(long, value_name = "FILE", conflicts_with = "network")]
    pub from: Option<PathBuf>,
    /// Go on from the checkpoint's own grids of weights and activations instead of looking for new
    /// ones: with quantizer least-error they stay, wcat and lsq learn from there. Weight bits and
    /// scale are then the checkpoint's, and so is the code where none is given
    #[arg(
        long,
        requires = "from",
        conflicts_with_all = ["weight_bits", "scale", "activation_bits", "float_activations"]
    )]
    pub own_grids: bool,
    /// Images: glyphs, glyphs:SEED, mnist:DIR, idx:DIR, emnist:DIR, qmnist:DIR, cifar10:DIR,
    /// cifar100:DIR, cifar100-coarse:DIR, npz:FILE, npy:DIR or images:DIR; see below [default: glyphs]
    #[arg(long, value_name = "SOURCE")]
    pub data: Option<DataSource>,
    /// Training images to use [default: 12000 glyphs, or all images of the files]
    #[arg(long, value_name = "N")]
    pub train_images: Option<usize>,
    /// Outputs of the network, at least the largest label and one [default: just as many]
    #[arg(long, value_name = "N", conflicts_with = "from")]
    pub classes: Option<usize>,
    /// Write the trained network in floating point, with its grids, to this checkpoint; without
    /// --out, for networks that have no integer form
    #[arg(long, value_name = "FILE")]
    pub checkpoint: Option<PathBuf>,
    /// Write the integer model even if it loses more than half a point of the rounded network's
    /// accuracy on 1000 training images, and more than chance explains
    #[arg(long)]
    pub accept: bool,
    /// Keep the run's state in this file, at least after every epoch; if it is there, go on from it
    #[arg(long, value_name = "FILE")]
    pub state: Option<PathBuf>,
    #[command(flatten)]
    pub schedule: ScheduleArguments,
    #[command(flatten)]
    pub weights: WeightArguments,
    #[command(flatten)]
    pub robustness: RobustnessArguments,
}

/// How long and how fast.
#[derive(Debug, Args)]
#[command(next_help_heading = "Schedule")]
pub struct ScheduleArguments {
    /// Passes over the training images [default: 5]
    #[arg(long, value_name = "N")]
    pub epochs: Option<usize>,
    /// Images of a step, a multiple of the recipe's chunk (32) [default: 64]
    #[arg(long, value_name = "N")]
    pub batch: Option<usize>,
    /// Peak learning rate [default: 0.1]
    #[arg(long, value_name = "RATE")]
    pub learning_rate: Option<f32>,
    /// What is done to the images of each epoch: none, or some of crop:PIXELS, flip and
    /// cutout:PIXELS, as in crop:4,flip,cutout:16 [default: none]
    #[arg(long, value_name = "LIST")]
    pub augment: Option<Augmentation>,
    /// In what numbers convolutions multiply [default: single]
    #[arg(long, value_name = "NAME")]
    pub precision: Option<PrecisionName>,
}

/// In what numbers convolutions multiply; all sums are single.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum PrecisionName {
    /// Single precision
    Single,
    /// Operands rounded to bfloat16, but for layers with an odd number of channels: faster on
    /// processors with AVX512-BF16, slower on others
    Bfloat16,
}

impl From<PrecisionName> for Precision {
    fn from(name: PrecisionName) -> Self {
        match name {
            PrecisionName::Single => Self::Single,
            PrecisionName::Bfloat16 => Self::Bfloat16,
        }
    }
}

/// What becomes of weights.
#[derive(Debug, Args)]
#[command(next_help_heading = "Quantization")]
pub struct WeightArguments {
    /// Bits of a weight: 2 to 8; hardware has 4 and 8 [default: 8]
    #[arg(long, value_name = "BITS", value_parser = width)]
    pub weight_bits: Option<BitWidth>,
    /// Quantizer: least-error, symmetric, wcat, lsq; laboratory only: global, normal, asymmetric,
    /// unsigned, rquant, symmetric-rounded [default: least-error]
    #[arg(long, value_name = "NAME")]
    pub quantizer: Option<QuantizerName>,
    /// Code whose range constraint the weights will satisfy [default: inplace-64-57, or none with
    /// an asymmetric quantizer]
    #[arg(long, value_name = "NAME")]
    pub code: Option<CodeName>,
    /// Which weights share a scale [default: tensor]
    #[arg(long, value_name = "WHICH")]
    pub scale: Option<Scale>,
    /// Bits of an activation: 2 to 8; of 4, after ReLUs, 0 to 15 [default: 8]
    #[arg(long, value_name = "BITS", value_parser = width)]
    pub activation_bits: Option<BitWidth>,
    /// Leave activations in floating point, as papers on weight faults do; then there is no --out
    #[arg(long, conflicts_with = "activation_bits")]
    pub float_activations: bool,
}

/// What makes weights robust.
#[derive(Debug, Args)]
#[command(next_help_heading = "Robustness")]
pub struct RobustnessArguments {
    /// Clip weights to ± this
    #[arg(long, value_name = "RANGE")]
    pub clip: Option<f32>,
    /// Random bit error training: half the gradient is that of weights with this rate of faults
    #[arg(long, value_name = "RATE", value_parser = super::faulty_share)]
    pub randbet: Option<BitErrorRate>,
    /// Bit-flip noise: all of the gradient is that of weights with this rate of faults
    #[arg(long, value_name = "RATE", value_parser = super::faulty_share, conflicts_with = "randbet")]
    pub noise: Option<BitErrorRate>,
    /// Disturbed weights are read through the decoder of --code, instead of as they are
    #[arg(long)]
    pub through_decoder: bool,
}

pub(super) fn width(text: &str) -> Result<BitWidth, String> {
    let bits = text.parse().ok().and_then(|bits| BitWidth::new(bits).ok());
    bits.ok_or_else(|| {
        format!("{text:?} is not a number of bits; allowed are whole numbers from 2 to 8")
    })
}
