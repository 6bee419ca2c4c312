//! What a study says: networks, and what is measured on them.

use crate::error::Error;
use crate::recipe;
use brownout_golden::float::Form;
use brownout_golden::network::{Builtin, Epsilon};
use brownout_golden::quantize::BitWidth;
use brownout_spec::code::{CodeName, Policy};
use brownout_spec::quantity::Millivolts;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// A study's recipe.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Study {
    /// Title of its page.
    pub title: String,
    /// What it is to settle.
    pub question: String,
    /// What was found, as Markdown; written when the results are there.
    #[serde(default)]
    pub findings: String,
    /// Network that is trained, from random parameters without `start`; with it also the name of
    /// somebody's own, which `import --onnx` has made a checkpoint of.
    #[serde(default)]
    pub network: Option<String>,
    /// A network that was trained before, from which training starts.
    #[serde(default)]
    pub start: Option<Start>,
    /// Training images to use, all without it.
    #[serde(default)]
    pub train_images: Option<usize>,
    /// Outputs of networks from random parameters and of a state dict, without it as many as the
    /// data have classes.
    #[serde(default)]
    pub classes: Option<usize>,
    /// Settings that all trainings share.
    #[serde(default)]
    pub training: toml::Table,
    /// The networks.
    pub networks: Vec<Network>,
    /// What is measured on many chips.
    #[serde(default)]
    pub readings: Vec<Reading>,
    /// Attacks.
    #[serde(default)]
    pub attacks: Vec<Attack>,
    /// Co-simulations.
    #[serde(default)]
    pub silicon: Vec<Silicon>,
}

/// Where training starts.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Start {
    /// How the pixels of a state dict's images were normalised; see `import --help`. A checkpoint
    /// says it itself.
    #[serde(default)]
    pub input: Option<String>,
    /// What its norms add to a variance [1e-5, or what the state dict's own metadata say].
    #[serde(default)]
    pub epsilon: Option<Epsilon>,
}

impl Start {
    /// What decides how a state dict is read; as it was before there was an ε to name.
    pub fn key(&self) -> String {
        let input = self.input.clone().unwrap_or_default();
        match self.epsilon {
            None => input,
            Some(epsilon) => format!("{input}, epsilon {epsilon}"),
        }
    }
}

/// A network of a study: trained, rounded without training, or another study's.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Network {
    /// Name of its files, of letters, digits, `-` and `_`.
    pub name: String,
    /// What tables call it, its name without it.
    #[serde(default)]
    pub label: Option<String>,
    /// What it is, if not what the others are; trained from random parameters.
    #[serde(default)]
    pub network: Option<String>,
    /// The network before it, of this study, from which its training starts.
    #[serde(default)]
    pub from: Option<String>,
    /// Settings of its training, over those that all share.
    #[serde(default)]
    pub training: Option<toml::Table>,
    /// The start, rounded without any training.
    #[serde(default)]
    pub rounded: Option<Rounded>,
    /// A network of another study: its file beside this recipe, without the ending.
    #[serde(default)]
    pub file: Option<PathBuf>,
}

/// Rounding without training.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rounded {
    /// Bits of a weight.
    pub weight_bits: BitWidth,
    /// The code whose constraint weights will satisfy.
    pub code: CodeName,
    /// Whether each output channel has a scale of its own.
    #[serde(default)]
    pub per_channel: bool,
}

/// A measurement on many chips.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reading {
    /// Its name.
    pub name: String,
    /// What its rows are called beside those of other readings in one table, and its own
    /// table if it is alone.
    #[serde(default)]
    pub label: Option<String>,
    /// Title of the table that it shares with other readings at the same points.
    #[serde(default)]
    pub table: Option<String>,
    /// What of it is shown.
    #[serde(default)]
    pub show: Show,
    /// Lowest percentage on its plot, by its figures without it.
    #[serde(default)]
    pub plot_from: Option<f64>,
    /// The networks, all without it.
    #[serde(default)]
    pub networks: Option<Vec<String>>,
    /// Settings, as in a recipe of `evaluate`, without files.
    pub evaluate: toml::Table,
}

/// What a reading's table and plot show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Show {
    /// Accuracy at each point.
    #[default]
    Accuracy,
    /// Robust error at each point, as in papers on random bit errors.
    RobustError,
    /// Accuracy of each class with undisturbed weights; no plot.
    Classes,
}

/// Attacks on networks.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attack {
    /// Their name.
    pub name: String,
    /// What their column is called, their name without it.
    #[serde(default)]
    pub label: Option<String>,
    /// The networks, all without it.
    #[serde(default)]
    pub networks: Option<Vec<String>>,
    /// Seed of the first attack.
    #[serde(default = "one")]
    pub first_seed: u64,
    /// Settings, as in a recipe of `attack`, without files.
    pub attack: toml::Table,
}

/// Runs on the simulated hardware.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Silicon {
    /// Their name.
    pub name: String,
    /// The networks, all without it.
    #[serde(default)]
    pub networks: Option<Vec<String>>,
    /// How.
    pub simulate: SimulateSettings,
}

/// Settings of `simulate`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SimulateSettings {
    /// Configuration of the accelerator, a file beside this recipe.
    pub config: PathBuf,
    /// Codes, each of which gives an accelerator of its own.
    pub codes: Vec<CodeName>,
    /// Supply voltages.
    pub voltages: Vec<Millivolts>,
    /// What is read from a word with a detected error.
    #[serde(default)]
    pub policy: Policy,
    /// Test images at each point, the first ones.
    pub images: usize,
    /// Seed of the chip.
    #[serde(default = "one")]
    pub chip: u64,
    /// Images side by side in the engine, as `simulate --lanes`; without it one after the other in
    /// Verilator's model. Results are the same, so no key has it.
    pub lanes: Option<usize>,
}

fn one() -> u64 {
    1
}

impl Reading {
    /// Title of its table; readings with the same one are in one table.
    pub fn title(&self) -> &str {
        let own = self.label.as_ref().unwrap_or(&self.name);
        self.table.as_ref().unwrap_or(own)
    }
}

impl Study {
    /// Reads a recipe and checks what can be checked without running anything.
    ///
    /// # Errors
    /// When the file cannot be read, has an unknown key or a value that is not allowed, or names
    /// what it does not have.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let study: Self = recipe::read(path)?;
        study.check().map_err(Error::content(path))?;
        Ok(study)
    }

    /// What networks are that do not say it themselves.
    ///
    /// # Errors
    /// When there is none of that name.
    pub fn common(&self) -> Result<Form, String> {
        let name = self.network.as_deref().unwrap_or("cnn");
        match (name.parse::<Builtin>(), &self.start) {
            (Ok(builtin), _) => Ok(builtin.into()),
            // Anybody's, which the start brings.
            (Err(_), Some(_)) => Ok(Form::Graph(name.to_owned())),
            (Err(problem), None) => Err(format!("network: {problem}")),
        }
    }

    /// What a network is.
    ///
    /// # Errors
    /// When there is none of that name.
    pub fn form(&self, network: &Network) -> Result<Form, String> {
        match (self.origin(network), &network.network) {
            (Some(from), _) => self.form(from),
            (None, Some(name)) => {
                let builtin = name.parse::<Builtin>();
                builtin.map(Form::from).map_err(|e| format!("network: {e}"))
            }
            (None, None) => self.common(),
        }
    }

    /// The network before it from which a network's training starts.
    pub fn origin(&self, network: &Network) -> Option<&Network> {
        let before = self.networks.iter().take_while(|n| n.name != network.name);
        let from = network.from.as_ref()?;
        before.into_iter().find(|n| n.name == *from)
    }

    /// The settings of a network's training: its own over those that all share.
    pub fn training(&self, own: &toml::Table) -> toml::Table {
        let mut all = self.training.clone();
        lay_over(&mut all, own);
        all
    }

    /// The networks of a list, all without one.
    pub fn chosen<'a>(
        &'a self,
        names: &'a Option<Vec<String>>,
    ) -> impl Iterator<Item = &'a Network> {
        self.networks.iter().filter(move |network| {
            names
                .as_ref()
                .is_none_or(|names| names.contains(&network.name))
        })
    }
}

/// Settings of a table as those of a command.
///
/// # Errors
/// When there is an unknown key, for which the nearest known one is named, or a value that is not
/// allowed.
pub fn settings<T: DeserializeOwned>(table: &toml::Table, of: &str) -> Result<T, Error> {
    let text = toml::to_string(table).map_err(|e| Error::Recipe(format!("{of}: {e}")))?;
    recipe::parse(&text).map_err(|problem| {
        // Its line is one of the merged table, which nobody has seen.
        let line = problem.strip_prefix("line ");
        let rest = line.and_then(|line| line.split_once(": "));
        let problem = rest.map_or(problem.as_str(), |(_, rest)| rest);
        Error::Recipe(format!("{of}: {problem}"))
    })
}

/// Lays a table over another: tables are merged, everything else is replaced.
fn lay_over(base: &mut toml::Table, own: &toml::Table) {
    for (key, value) in own {
        match (base.get_mut(key), value) {
            (Some(toml::Value::Table(base)), toml::Value::Table(own)) => lay_over(base, own),
            _ => {
                base.insert(key.clone(), value.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_networks_own_settings_count_more_and_tables_are_merged() {
        let study: Study = recipe::parse(
            r#"
            title = "t"
            question = "q"
            [training]
            epochs = 3
            [training.perturbation]
            rate = 0.01
            scheme = "noise"
            [[networks]]
            name = "a"
            training = { epochs = 4, perturbation = { rate = 0.02 } }
            "#,
        )
        .unwrap();
        let merged = study.training(study.networks[0].training.as_ref().unwrap());
        assert_eq!(merged["epochs"].as_integer(), Some(4));
        assert_eq!(merged["perturbation"]["rate"].as_float(), Some(0.02));
        assert_eq!(merged["perturbation"]["scheme"].as_str(), Some("noise"));
    }
}
