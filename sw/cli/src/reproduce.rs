//! The command that runs one image at one point again, with a waveform of the whole pass.

use crate::data::DataSource;
use crate::points::Points;
use crate::shell;
use brownout_sim::campaign::{Point, Supply};
use brownout_spec::code::CodeName;
use brownout_spec::fault::FaultMode;
use std::path::{Path, PathBuf};

/// What stays the same over all points of a run.
#[derive(Clone, Debug)]
pub struct Recipe {
    /// File of the model.
    pub model: PathBuf,
    /// File of the configuration, unless it is the default one.
    pub config: Option<PathBuf>,
    /// Where images come from.
    pub data: DataSource,
    /// Seed of the chip.
    pub seed: u64,
    /// Number of the first image of the run.
    pub first_image: usize,
}

/// File that the waveform goes to.
const WAVEFORM: &str = "pass.vcd";

impl Recipe {
    /// The command for the image of a number at a point of `points` with a code.
    pub fn command(&self, points: &Points, code: CodeName, point: &Point, image: usize) -> String {
        let program = std::env::args().next().unwrap_or_else(|| "brownout".into());
        let mut words = vec![program, "simulate".to_owned(), text(&self.model)];
        let mut flag = |name: &str, value: String| words.extend([name.to_owned(), value]);
        if let Some(config) = &self.config {
            flag("--config", text(config));
        }
        flag("--codes", code.to_string());
        match point.supply {
            Supply::Voltage(supply) => flag("--voltages", supply.0.to_string()),
            Supply::Rate(rate) => flag("--rates", rate.get().to_string()),
        }
        flag("--modes", point.mode.to_string());
        if let (FaultMode::Map, Some((path, _))) = (point.mode, &points.map) {
            flag("--map", text(path));
        }
        flag("--policies", point.policy.to_string());
        flag("--data", self.data.to_string());
        flag("--skip", image.to_string());
        flag("--images", "1".to_owned());
        flag("--seed", self.seed.to_string());
        flag("--trace", WAVEFORM.to_owned());
        shell::command(&words)
    }
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use brownout_spec::code::Policy;
    use brownout_spec::quantity::Millivolts;

    #[test]
    fn the_command_names_one_image_at_one_point() {
        let recipe = Recipe {
            model: "my models/cnn.safetensors".into(),
            config: None,
            data: DataSource::Glyphs { seed: 1 },
            seed: 9,
            first_image: 10,
        };
        let points = Points {
            codes: vec![CodeName::None],
            supplies: vec![],
            by_default: false,
            modes: vec![],
            policies: vec![],
            map: None,
        };
        let point = Point {
            supply: Supply::Voltage(Millivolts(394)),
            mode: FaultMode::Transient,
            map: None,
            policy: Policy::Keep,
        };
        let command = recipe.command(&points, CodeName::None, &point, 17);
        assert!(
            command.ends_with(
                " simulate 'my models/cnn.safetensors' --codes none --voltages 394 --modes transient \
                 --policies keep --data glyphs --skip 17 --images 1 --seed 9 --trace pass.vcd"
            ),
            "{command}"
        );
    }
}
