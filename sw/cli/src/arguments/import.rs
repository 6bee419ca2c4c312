//! The settings of `import`, which flags and a recipe name alike. None has a default here: a flag
//! counts more than the recipe, the recipe more than the default.

use crate::data::DataSource;
use crate::recipe::from_text;
use brownout_golden::model::InputMap;
use brownout_golden::network::{Builtin, Epsilon};
use brownout_golden::state_dict::image_shape;
use brownout_spec::program::Shape;
use clap::Args;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// Flags of `import`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  brownout import --state-dict r20.safetensors --network resnet20 --input imagenet --out r20.float
  brownout import --state-dict cnn.safetensors --network cnn --input halve --out cnn.float
  brownout import --state-dict r20.safetensors --network resnet20 --data cifar10:DIR --out r20.float
  brownout import --state-dict keras.safetensors --network resnet20 --epsilon 1e-3 --out r20.float
  brownout import --state-dict exported.safetensors --out again.float
  brownout import --onnx squeezenet.onnx --input imagenet --out squeezenet.float
  brownout import --onnx mine.onnx --explain
  brownout import --onnx quantized.onnx --data cifar10:DIR --input imagenet --out mine.safetensors
  brownout import --onnx quantized.onnx --form checkpoint --out mine.float
  brownout import --onnx quantized.onnx --form grids --out mine.float
  brownout import --config r20.toml

What no tensor says (network, shape of images, classes, pixel map, epsilon) is read from the
metadata of a state dict that `export --state-dict` has written; a flag that says otherwise is
refused. In other files flags say it, and what they leave open is assumed and reported as such.

The state dict's tensors have the names of PyTorch: conv1.weight, bn1.running_mean,
layer1.0.conv1.weight, layer2.0.shortcut.0.weight (or downsample), linear.weight (or fc). Anything
may stand in front of all of them, as `module.` and `_orig_mod.` do. Half precision, pruned weights
(weight_orig and weight_mask), weight norm, a bias in front of a norm and norms without gain and
shift are read as what PyTorch computes with.

An ONNX file brings its layers, parameters and epsilons; what its pixels mean is said by --input.
A quantized network (QDQ, QLinear operators, QONNX) becomes an integer model with exactly its own
integers, scales and zero points, which evaluate, simulate and info take. As a checkpoint (--form),
its weights are what their integers stand for, and quantizers of activations are left out but for
what they clip, since training rounds by its own grids. With --form grids the checkpoint has the
file's own instead: `export` makes the file's integers of it, `evaluate` rounds as the file does,
and `train --from FILE --own-grids` goes on from there.

A recipe is a TOML file with these settings, with _ for - in their names.")]
pub struct ImportArguments {
    /// Recipe, a TOML file with these settings; flags count more
    #[arg(long, value_name = "FILE", visible_alias = "recipe")]
    pub config: Option<PathBuf>,
    #[command(flatten)]
    pub settings: ImportSettings,
}

/// What becomes of an ONNX file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImportForm {
    /// An integer model.
    Integers,
    /// A network in floating point.
    Checkpoint,
    /// A network in floating point on the file's own grids.
    Grids,
}

impl FromStr for ImportForm {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "integers" => Ok(Self::Integers),
            "checkpoint" => Ok(Self::Checkpoint),
            "grids" => Ok(Self::Grids),
            other => Err(format!(
                "{other:?}; allowed are integers, checkpoint and grids"
            )),
        }
    }
}

impl fmt::Display for ImportForm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Integers => "integers",
            Self::Checkpoint => "checkpoint",
            Self::Grids => "grids",
        })
    }
}

/// What is imported.
#[derive(Clone, Debug, Default, PartialEq, Args, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ImportSettings {
    /// State dict, a safetensors file (needed, or --onnx)
    #[arg(long, value_name = "FILE")]
    pub state_dict: Option<PathBuf>,
    /// Network with its parameters, an ONNX file of opset 7 or later
    #[arg(long, value_name = "FILE", conflicts_with = "state_dict")]
    pub onnx: Option<PathBuf>,
    /// Print node by node what became of the ONNX file; without --out nothing is written
    #[arg(long)]
    pub explain: bool,
    /// What becomes of the ONNX file: integers (an integer model with exactly the file's integers,
    /// scales and zero points), checkpoint (floating point, to be trained) or grids (a checkpoint
    /// whose weights and activations are rounded to exactly the file's steps) [default: integers of
    /// a quantized network, else checkpoint]
    #[arg(long, value_name = "FORM")]
    #[serde(deserialize_with = "from_text")]
    pub form: Option<ImportForm>,
    /// Network whose parameters they are; see `train --help` (needed, unless the file says it)
    #[arg(long, value_name = "NAME")]
    #[serde(deserialize_with = "from_text")]
    pub network: Option<Builtin>,
    /// Shape of its images: rows, columns and channels [default: that of the file's metadata or of
    /// --data; else 32x32x3 or 28x28x1, by its tensors]
    #[arg(long, value_name = "HxWxC", value_parser = image_shape)]
    #[serde(deserialize_with = "image_from_text")]
    pub image: Option<Shape>,
    /// Number of its classes [default: outputs of its last layer]
    #[arg(long, value_name = "N")]
    pub classes: Option<usize>,
    /// How its pixels were normalised: bytes (0 to 255 as they are), unit (pixel / 255), mnist, cifar10, imagenet, halve, centre, or
    /// means and deviations, all means first, one pair for each channel or one for all, of a
    /// pixel / 255 or of pixels from 0 to 255, to eight digits [default: that of the file's
    /// metadata; else of an ONNX file bytes where it casts them and unit where it does not, of a
    /// state dict what is usual for --data; without it cifar10 in colour, halve in grey]
    #[arg(long, value_name = "MAP")]
    #[serde(deserialize_with = "from_text")]
    pub input: Option<InputMap>,
    /// What its norms add to a variance (`eps` of PyTorch, `epsilon` of Keras, where it is 1e-3)
    /// [default: that of the file's metadata; else 1e-5]
    #[arg(long, value_name = "EPSILON")]
    #[serde(deserialize_with = "from_text")]
    pub epsilon: Option<Epsilon>,
    /// Also measure it on the test images of this source, as in `train`
    #[arg(long, value_name = "SOURCE")]
    #[serde(deserialize_with = "from_text")]
    pub data: Option<DataSource>,
    /// File to write (needed)
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

impl ImportSettings {
    /// These settings, and those of a recipe where there are none.
    pub fn over(self, recipe: Self) -> Self {
        Self {
            state_dict: self.state_dict.or(recipe.state_dict),
            onnx: self.onnx.or(recipe.onnx),
            explain: self.explain || recipe.explain,
            form: self.form.or(recipe.form),
            network: self.network.or(recipe.network),
            image: self.image.or(recipe.image),
            classes: self.classes.or(recipe.classes),
            input: self.input.or(recipe.input),
            epsilon: self.epsilon.or(recipe.epsilon),
            data: self.data.or(recipe.data),
            out: self.out.or(recipe.out),
        }
    }
}

fn image_from_text<'de, D: Deserializer<'de>>(source: D) -> Result<Option<Shape>, D::Error> {
    let text = String::deserialize(source)?;
    image_shape(&text).map(Some).map_err(D::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: &str = r#"
        state_dict = "a"
        onnx = "g"
        explain = true
        form = "integers"
        network = "resnet20"
        image = "8x9x3"
        classes = 7
        input = "imagenet"
        epsilon = "1e-3"
        data = "glyphs:7"
        out = "b"
    "#;

    #[test]
    fn no_setting_of_a_recipe_is_lost_and_each_of_a_flag_counts_more() {
        let all: ImportSettings = toml::from_str(ALL).unwrap();
        assert!(!format!("{all:?}").contains("None"), "{all:?}");
        assert_eq!(ImportSettings::default().over(all.clone()), all);
        let other: ImportSettings = toml::from_str(
            r#"
            state_dict = "c"
            onnx = "h"
            explain = true
            form = "checkpoint"
            network = "mlp"
            image = "9x8x1"
            classes = 9
            input = "halve"
            epsilon = "1e-4"
            data = "glyphs:8"
            out = "d"
            "#,
        )
        .unwrap();
        assert_eq!(other.clone().over(all), other);
        let shape = toml::from_str::<ImportSettings>("image = \"8x9\"").unwrap_err();
        assert!(shape.to_string().contains("as in 32x32x3"), "{shape}");
    }
}
