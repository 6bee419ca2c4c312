//! Recipes: TOML files with the settings of a command.

use crate::error::Error;
use crate::files;
use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, Error as _};
use std::fmt::Display;
use std::path::Path;
use std::str::FromStr;

/// Largest recipe that is read.
const MOST_BYTES: u64 = 1 << 20;
/// How similar a key must be to be meant, by Jaro and Winkler's measure from 0 to 1.
const SIMILAR: f64 = 0.75;

/// Reads a recipe.
///
/// # Errors
/// When the file cannot be read, is not TOML, or has a key that is unknown or a value that
/// is not allowed; for an unknown key the nearest known one is named.
pub fn read<T: DeserializeOwned>(path: &Path) -> Result<T, Error> {
    let text = files::text(path, files::read_up_to(path, MOST_BYTES)?)?;
    parse(&text).map_err(Error::content(path))
}

/// Has serde read a setting as its flag is read: from text.
///
/// # Errors
/// When the value is no text, or not one that is allowed.
pub fn from_text<'de, D, T>(source: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err: Display>,
{
    /// A number is its text.
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "it is neither a text nor a number")]
    enum Said {
        Text(String),
        Whole(i64),
        Number(f64),
    }
    let text = match Said::deserialize(source)? {
        Said::Text(text) => text,
        Said::Whole(number) => number.to_string(),
        Said::Number(number) => number.to_string(),
    };
    text.parse().map(Some).map_err(D::Error::custom)
}

/// The same for a list.
///
/// # Errors
/// When the value is no list of texts, or one is not allowed.
pub fn from_texts<'de, D, T>(source: D) -> Result<Option<Vec<T>>, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err: Display>,
{
    let texts = Vec::<String>::deserialize(source)?.into_iter();
    let all: Result<Vec<T>, T::Err> = texts.map(|text| text.parse()).collect();
    all.map(Some).map_err(D::Error::custom)
}

/// Reads the text of a recipe.
///
/// # Errors
/// As [`read`], with the line.
pub fn parse<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    toml::from_str(text).map_err(|error| {
        let line = error.span().map_or_else(String::new, |span| {
            let before = text.get(..span.start).unwrap_or(text);
            format!("line {}: ", before.matches('\n').count() + 1)
        });
        let message = error.message().trim().replace('\n', " ");
        match nearest(&message) {
            Some(known) => format!("{line}{message}; did you mean `{known}`?"),
            None => format!("{line}{message}"),
        }
    })
}

/// The known key that an unknown one is most like, from serde's message, in which all keys
/// stand between backquotes, the unknown one first.
fn nearest(message: &str) -> Option<&str> {
    if !message.starts_with("unknown field") && !message.starts_with("unknown variant") {
        return None;
    }
    let mut names = message.split('`').skip(1).step_by(2);
    let unknown = names.next()?;
    let similar = |name: &str| strsim::jaro_winkler(unknown, name);
    let best = names.max_by(|a, b| similar(a).total_cmp(&similar(b)))?;
    (similar(best) >= SIMILAR).then_some(best)
}

#[cfg(test)]
mod tests {
    use super::*;
    use brownout_golden::network::Precision;
    use brownout_golden::train::TrainingOptions;

    fn message(text: &str) -> String {
        parse::<TrainingOptions>(text).unwrap_err()
    }

    #[test]
    fn an_unknown_key_is_answered_with_its_line_and_the_nearest_known_one() {
        let text = message("epochs = 3\nleraning_rate = 0.1\n");
        assert!(text.contains("line 2"), "{text}");
        assert!(text.ends_with("did you mean `learning_rate`?"), "{text}");
        let text = message("[perturbation]\nrat = 0.1\n");
        assert!(text.ends_with("did you mean `rate`?"), "{text}");
        let text = message("quantizer = \"wcaT\"\n");
        assert!(text.ends_with("did you mean `wcat`?"), "{text}");
        let text = message("xyzzy = 1\n");
        assert!(
            !text.contains("did you mean") && text.contains("`epochs`"),
            "{text}"
        );
    }

    #[test]
    fn a_value_of_another_kind_is_answered_with_its_line() {
        let text = message("seed = 1\n\nepochs = \"many\"\n");
        assert!(text.starts_with("line 3: "), "{text}");
    }

    #[test]
    fn every_setting_survives_a_recipe() {
        let mut options = TrainingOptions {
            clip: Some(Default::default()),
            perturbation: Some(Default::default()),
            learning_rate: 0.3,
            precision: Precision::Bfloat16,
            ..TrainingOptions::default()
        };
        options.wcat.decay = 0.07;
        let text = toml::to_string(&options).unwrap();
        assert_eq!(parse::<TrainingOptions>(&text).unwrap(), options, "{text}");
    }
}
