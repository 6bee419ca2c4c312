//! The settings of `evaluate`, which flags and a recipe name alike. None has a default
//! here: a flag counts more than the recipe, the recipe more than the default.

use super::faulty_share;
use super::train::width;
use crate::data::DataSource;
use crate::recipe::{from_text, from_texts};
use brownout_golden::quantize::{BitWidth, Exposure};
use brownout_golden::train::QuantizerName;
use brownout_spec::code::{CodeName, Policy};
use brownout_spec::fault::FaultMode;
use brownout_spec::fault::profile::Profile;
use brownout_spec::quantity::{BitErrorRate, Millivolts};
use clap::Args;
use serde::Deserialize;
use std::path::PathBuf;

/// Flags of `evaluate`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  brownout evaluate cnn.safetensors --data glyphs --rates 0,1e-3,1e-2 --yield-at 0.9
  brownout evaluate cnn.safetensors --data glyphs --voltages 800,430,390 --out-csv points.csv
  brownout evaluate r20.float --data cifar10:DIR --quantizer rquant --exposure live-bits \\
    --images 9000 --chips 50 --rates 1e-4,1e-3,1e-2 --out-json rquant.json
  brownout evaluate cnn.safetensors --data glyphs --profile chip1:0.866,chip2:1.01 --offsets 4
  brownout evaluate --recipe points.toml --chips 10

A recipe is a TOML file with these settings, with _ for - in their names, lists as [0, 1e-3], and
the network's file as `file`.")]
pub struct EvaluateArguments {
    /// Recipe, a TOML file with these settings; flags count more. (--config is the accelerator's)
    #[arg(long, value_name = "FILE")]
    pub recipe: Option<PathBuf>,
    #[command(flatten)]
    pub settings: EvaluateSettings,
}

/// What is measured, and how.
#[derive(Clone, Debug, Default, PartialEq, Args, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EvaluateSettings {
    /// Network: an integer model, or a checkpoint; one that is not quantized is quantized first
    pub file: Option<PathBuf>,
    /// Images: glyphs, mnist:DIR, cifar10:DIR, npz:FILE, images:DIR and others, see `train --help`; the
    /// test images are used
    #[arg(long, value_name = "SOURCE")]
    #[serde(deserialize_with = "from_text")]
    pub data: Option<DataSource>,
    /// Test images, the first ones; papers have 9000 of CIFAR-10's 10000 [default: all]
    #[arg(long, value_name = "N")]
    pub images: Option<usize>,
    /// Chips at each point, each with the seed that follows [default: 50]
    #[arg(long, value_name = "N")]
    pub chips: Option<usize>,
    /// Seed of the first chip [default: 100]
    #[arg(long, value_name = "SEED")]
    pub first_chip: Option<u64>,

    /// Rates of faulty cells, 0 to 0.5 [default: 0,1e-4,1e-3,5e-3,1e-2,2.5e-2]
    #[arg(long, value_name = "RATE,..", value_delimiter = ',', value_parser = faulty_share, help_heading = "Faults")]
    pub rates: Option<Vec<BitErrorRate>>,
    /// Supply voltages in millivolts instead of rates
    #[arg(long, value_name = "MV,..", value_delimiter = ',', value_parser = super::millivolts, help_heading = "Faults", conflicts_with = "rates")]
    pub voltages: Option<Vec<Millivolts>>,
    /// List of faulty cells instead: lines of ADDRESS LANE KIND, as in 12 6 flip; the kind is flip
    /// (reads inverted), 0 or 1 (stuck at it)
    #[arg(long, value_name = "FILE", help_heading = "Faults", conflicts_with_all = ["rates", "voltages"])]
    pub map: Option<PathBuf>,
    /// Arrays like those of profiled chips instead, as in chip1:0.866; the number is the rate in
    /// percent
    #[arg(long, value_name = "CHIP,..", value_delimiter = ',', help_heading = "Faults", conflicts_with_all = ["rates", "voltages", "map"])]
    #[serde(deserialize_with = "from_texts")]
    pub profile: Option<Vec<Profile>>,
    /// Places at which weights are laid into each profiled array; a chip's errors are their average
    /// [default: 1]
    #[arg(long, value_name = "N", help_heading = "Faults", conflicts_with_all = ["rates", "voltages", "map"])]
    pub offsets: Option<usize>,
    /// What faulty cells do: persistent, transient (each image reads anew), stuck-at or
    /// stuck-at:SHARE (ones in 1/256) [default: persistent]
    #[arg(long, value_name = "MODE", help_heading = "Faults")]
    pub mode: Option<FaultMode>,

    /// Configuration of the accelerator, a TOML file [default: 16 x 16, as in training and attacks,
    /// with the network's weight bits and code]
    #[arg(long, value_name = "FILE", help_heading = "Weight memory")]
    pub config: Option<PathBuf>,
    /// Rows of the array, instead of the configuration's
    #[arg(long, value_name = "N", help_heading = "Weight memory")]
    pub rows: Option<usize>,
    /// Columns of the array, instead of the configuration's
    #[arg(long, value_name = "N", help_heading = "Weight memory")]
    pub columns: Option<usize>,
    /// Code of the memory's words, instead of the configuration's
    #[arg(long, value_name = "NAME", help_heading = "Weight memory")]
    pub code: Option<CodeName>,
    /// What is read from a word with a detected error: keep, zero, zero-constrained [default: keep]
    #[arg(long, value_name = "NAME", help_heading = "Weight memory")]
    pub policy: Option<Policy>,
    /// Which bits faults reach: whole-lane, as in a memory of 4-bit or 8-bit lanes, or live-bits
    /// only, as in papers, without a code [default: whole-lane]
    #[arg(long, value_name = "WHICH", value_parser = exposure, help_heading = "Weight memory")]
    pub exposure: Option<Exposure>,

    /// A chip is good that classifies at least this share of images right: gives the yield
    #[arg(long, value_name = "SHARE", help_heading = "Statistics")]
    pub yield_at: Option<f64>,
    /// Also state what the robust error does not exceed but with this probability (Stutz et al.)
    #[arg(long, value_name = "DELTA", help_heading = "Statistics")]
    pub guarantee: Option<f64>,
    /// Samples for the 95 % interval of a mean; --seed is theirs [default: 10000]
    #[arg(long, value_name = "N", help_heading = "Statistics")]
    pub resamples: Option<usize>,

    /// Quantize a checkpoint that is not yet to this many bits a weight: 2 to 8 [default: 8]
    #[arg(long, value_name = "BITS", value_parser = width, help_heading = "Quantization of a checkpoint")]
    pub weight_bits: Option<BitWidth>,
    /// Quantize a checkpoint that is not yet with this quantizer; see `train --help` [default:
    /// least-error]
    #[arg(
        long,
        value_name = "NAME",
        help_heading = "Quantization of a checkpoint"
    )]
    #[serde(deserialize_with = "from_text")]
    pub quantizer: Option<QuantizerName>,
    /// Leave activations in floating point, as papers on weight faults do
    #[arg(long, help_heading = "Quantization of a checkpoint")]
    pub float_activations: bool,
    /// Training images on which activations are observed, anew for a checkpoint that is quantized
    /// [default: 1000]
    #[arg(long, value_name = "N", help_heading = "Quantization of a checkpoint")]
    pub calibration_images: Option<usize>,

    /// Write every chip of every point to this CSV file
    #[arg(long, value_name = "FILE", help_heading = "Files")]
    pub out_csv: Option<PathBuf>,
    /// Write everything to this JSON file
    #[arg(long, value_name = "FILE", help_heading = "Files")]
    pub out_json: Option<PathBuf>,
}

impl EvaluateSettings {
    /// These settings, and those of a recipe where there are none.
    pub fn over(self, recipe: Self) -> Self {
        // Only one of them says what the points are, so a flag replaces all of the recipe's.
        let points = self.rates.is_some()
            || self.voltages.is_some()
            || self.map.is_some()
            || self.profile.is_some();
        let recipe = match points {
            false => recipe,
            true => Self {
                rates: None,
                voltages: None,
                map: None,
                profile: None,
                ..recipe
            },
        };
        Self {
            file: self.file.or(recipe.file),
            data: self.data.or(recipe.data),
            images: self.images.or(recipe.images),
            chips: self.chips.or(recipe.chips),
            first_chip: self.first_chip.or(recipe.first_chip),
            rates: self.rates.or(recipe.rates),
            voltages: self.voltages.or(recipe.voltages),
            map: self.map.or(recipe.map),
            profile: self.profile.or(recipe.profile),
            offsets: self.offsets.or(recipe.offsets),
            mode: self.mode.or(recipe.mode),
            config: self.config.or(recipe.config),
            rows: self.rows.or(recipe.rows),
            columns: self.columns.or(recipe.columns),
            code: self.code.or(recipe.code),
            policy: self.policy.or(recipe.policy),
            exposure: self.exposure.or(recipe.exposure),
            yield_at: self.yield_at.or(recipe.yield_at),
            guarantee: self.guarantee.or(recipe.guarantee),
            resamples: self.resamples.or(recipe.resamples),
            weight_bits: self.weight_bits.or(recipe.weight_bits),
            quantizer: self.quantizer.or(recipe.quantizer),
            float_activations: self.float_activations || recipe.float_activations,
            calibration_images: self.calibration_images.or(recipe.calibration_images),
            out_csv: self.out_csv.or(recipe.out_csv),
            out_json: self.out_json.or(recipe.out_json),
        }
    }
}

fn exposure(text: &str) -> Result<Exposure, String> {
    let found = Exposure::ALL.into_iter().find(|e| e.as_str() == text);
    found.ok_or_else(|| {
        let allowed = Exposure::ALL.map(Exposure::as_str).join(" and ");
        format!("{text:?} says not which bits; allowed are {allowed}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: &str = r#"
        file = "a"
        data = "glyphs:7"
        images = 1
        chips = 2
        first_chip = 3
        rates = [0.0, 1e-3]
        voltages = [800]
        map = "b"
        profile = ["chip1:0.866"]
        offsets = 4
        mode = "stuck-at:3"
        config = "c"
        rows = 8
        columns = 16
        code = "inplace-64-57"
        policy = "zero"
        exposure = "live-bits"
        yield_at = 0.9
        guarantee = 0.01
        resamples = 500
        weight_bits = 3
        quantizer = "rquant"
        float_activations = true
        calibration_images = 100
        out_csv = "d"
        out_json = "e"
    "#;

    #[test]
    fn no_setting_of_a_recipe_is_lost_and_each_of_a_flag_counts_more() {
        let all: EvaluateSettings = toml::from_str(ALL).unwrap();
        // Every field is in the text: else Debug shows one that is absent.
        assert!(!format!("{all:?}").contains("None"), "{all:?}");
        assert_eq!(EvaluateSettings::default().over(all.clone()), all);
        let other: EvaluateSettings = toml::from_str(
            &ALL.replace("images = 1\n", "images = 9\n")
                .replace("\"zero\"", "\"keep\""),
        )
        .unwrap();
        assert_eq!(other.clone().over(all), other);
    }

    #[test]
    fn a_flag_with_points_replaces_all_points_of_a_recipe() {
        let recipe: EvaluateSettings = toml::from_str("voltages = [800]\nchips = 3").unwrap();
        let flags: EvaluateSettings = toml::from_str("rates = [0.1]").unwrap();
        let both = flags.over(recipe);
        assert_eq!((both.voltages, both.chips), (None, Some(3)));
        assert!(both.rates.is_some());
    }

    #[test]
    fn rates_and_exposures_that_are_not_evaluated_are_refused() {
        for bad in ["-1", "0.51", "NaN", "x"] {
            assert!(faulty_share(bad).unwrap_err().contains("0 to 0.5"), "{bad}");
        }
        assert!(faulty_share("0.5").is_ok());
        assert!(
            exposure("all")
                .unwrap_err()
                .contains("live-bits and whole-lane")
        );
    }
}
