//! Which accelerator: a TOML file, or the built-in one.

use crate::error::Error;
use crate::files;
use brownout_golden::model::IntegerModel;
use brownout_spec::code::CodeName;
use brownout_spec::config::{Configuration, WeightBits};
use brownout_spec::program::equip;
use serde::Deserialize;
use std::path::Path;

/// The accelerator of `make sim`, with remarks for a reader.
const DEFAULT: &str = include_str!("../configurations/default.toml");
/// Largest file that is read: a table of 4096 rows has a third of it. The
/// parser needs a hundred times as much memory.
const MOST_BYTES: u64 = 1 << 20;
/// How messages name it.
const DEFAULT_NAME: &str = "the default configuration";

/// A configuration and how messages name it.
#[derive(Clone, Debug)]
pub struct Chosen {
    /// The file, or that it is the default.
    pub name: String,
    /// What it says.
    pub configuration: Configuration,
}

impl Chosen {
    /// With the zero points and tables that a model needs.
    fn equipped(self, model: &IntegerModel) -> Self {
        let configuration = equip(&self.configuration, &model.network);
        let mut name = self.name;
        if configuration.zero_points {
            name += " and zero_points = true";
        }
        if configuration.tables > 0 {
            name += &format!(" and tables = {}", configuration.tables);
        }
        Self {
            name,
            configuration,
        }
    }

    /// Whether it is the built-in one, or made from it.
    pub fn is_default(&self) -> bool {
        self.name.starts_with(DEFAULT_NAME)
    }
}

/// The built-in configuration.
pub fn default() -> Chosen {
    Chosen {
        name: DEFAULT_NAME.to_owned(),
        configuration: Configuration::from_toml(DEFAULT)
            .expect("the built-in configuration is valid, as a test shows"),
    }
}

/// The configuration of a file, or the built-in one.
///
/// # Errors
/// When the file cannot be read or a field is not allowed.
pub fn read(path: Option<&Path>) -> Result<Chosen, Error> {
    let Some(path) = path else {
        return Ok(default());
    };
    parse(path, files::read_up_to(path, MOST_BYTES)?)
}

/// The configuration that a file's bytes say.
///
/// # Errors
/// When they are too many, no text, or a field is not allowed.
pub fn parse(path: &Path, bytes: Vec<u8>) -> Result<Chosen, Error> {
    files::check_size(path, &bytes, MOST_BYTES)?;
    let text = files::text(path, bytes)?;
    Ok(Chosen {
        name: path.display().to_string(),
        configuration: Configuration::from_toml(&text).map_err(Error::content(path))?,
    })
}

/// The line, from 1, on which a row of a file's voltage table states its rate.
pub fn table_line(path: &Path, row: usize) -> Option<usize> {
    #[derive(Deserialize)]
    struct Lines {
        voltage_model: Model,
    }
    #[derive(Deserialize)]
    struct Model {
        table: Vec<Row>,
    }
    #[derive(Deserialize)]
    struct Row {
        bit_error_rate: toml::Spanned<toml::Value>,
    }
    let text = files::text(path, files::read_up_to(path, MOST_BYTES).ok()?).ok()?;
    let lines: Lines = toml::from_str(&text).ok()?;
    let start = lines
        .voltage_model
        .table
        .get(row)?
        .bit_error_rate
        .span()
        .start;
    Some(text.get(..start)?.matches('\n').count() + 1)
}

/// The configuration of a file, or the built-in one changed to suit a model.
///
/// # Errors
/// As [`read`].
pub fn read_for(path: Option<&Path>, model: &IntegerModel) -> Result<Chosen, Error> {
    match path {
        Some(_) => read(path),
        None => Ok(default_for(model.weight_bits, model.code).equipped(model)),
    }
}

/// The built-in configuration for another weight width and code.
pub fn default_for(weight_bits: WeightBits, code: CodeName) -> Chosen {
    let Chosen {
        mut name,
        mut configuration,
    } = default();
    if (weight_bits, code) != (configuration.weight_bits, configuration.code) {
        name = format!("{name} with weight_bits = {weight_bits} and code = \"{code}\"");
    }
    configuration.weight_bits = weight_bits;
    configuration.code = code;
    if code.is_in_place() {
        // A code word must not cross a row.
        configuration.columns = configuration
            .columns
            .max(code.weights_per_word(weight_bits));
    }
    Chosen {
        name,
        configuration,
    }
}

impl Chosen {
    /// The same accelerator with another code.
    ///
    /// # Errors
    /// When the code does not go with the configuration's size or weights.
    pub fn with_code(&self, code: CodeName) -> Result<Self, Error> {
        let mut other = self.clone();
        other.configuration.code = code;
        other
            .configuration
            .validate()
            .map_err(|problem| Error::Content {
                path: self.name.clone().into(),
                problem: format!("with code {code}, {problem}"),
            })?;
        Ok(other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_valid_with_every_width_and_code_it_can_be_changed_to() {
        assert_eq!(default().configuration.columns, 8);
        for code in CodeName::ALL {
            for bits in [WeightBits::Four, WeightBits::Eight] {
                if code.supports(bits) {
                    let changed = default_for(bits, code).configuration;
                    assert_eq!(changed.validate(), Ok(()), "{code} {bits}");
                }
            }
        }
    }

    #[test]
    fn a_code_that_does_not_suit_the_array_is_refused_by_field() {
        let message = default()
            .with_code(CodeName::Inplace32_26)
            .unwrap_err()
            .to_string();
        assert!(message.contains("weight_bits is 8"), "{message}");
        assert!(message.contains("inplace-32-26"), "{message}");
    }
}
