//! What a study may say.

use super::recipe::{Reading, Study};
use brownout_golden::model::InputMap;
use std::collections::BTreeSet;

/// Most networks, and most measurements of each kind.
const MOST: usize = 100;

impl Study {
    /// Checks what can be checked without other files.
    ///
    /// # Errors
    /// One sentence with what is not allowed.
    pub(super) fn check(&self) -> Result<(), String> {
        self.common()?;
        let input = self.start.as_ref().and_then(|start| start.input.as_ref());
        if let Some(input) = input {
            let parsed = input.parse::<InputMap>();
            parsed.map_err(|e| format!("start.input: {e}"))?;
        }
        check_names("networks", self.networks.iter().map(|n| n.name.as_str()))?;
        check_names("readings", self.readings.iter().map(|r| r.name.as_str()))?;
        check_names("attacks", self.attacks.iter().map(|a| a.name.as_str()))?;
        check_names("silicon", self.silicon.iter().map(|s| s.name.as_str()))?;
        self.check_labels()?;
        self.check_networks()?;
        self.check_readings()?;
        let lists = (self.readings.iter().map(|r| (&r.name, &r.networks)))
            .chain(self.attacks.iter().map(|a| (&a.name, &a.networks)))
            .chain(self.silicon.iter().map(|s| (&s.name, &s.networks)));
        for (of, list) in lists {
            for name in list.iter().flatten() {
                if !self.networks.iter().any(|network| network.name == *name) {
                    return Err(format!(
                        "{of:?} is to be measured on network {name:?}, which is not in networks"
                    ));
                }
            }
        }
        Ok(())
    }

    fn check_networks(&self) -> Result<(), String> {
        if self.networks.is_empty() {
            return Err("networks is empty; allowed are 1 or more".to_owned());
        }
        for (index, network) in self.networks.iter().enumerate() {
            let name = &network.name;
            self.form(network)
                .map_err(|e| format!("network {name:?}: {e}"))?;
            if network.training.is_none() && (network.network.is_some() || network.from.is_some()) {
                return Err(format!(
                    "network {name:?} has no training; allowed with network and from is one"
                ));
            }
            if network.network.is_some() && network.from.is_some() {
                return Err(format!(
                    "network {name:?} has both network and from; allowed is one of them"
                ));
            }
            let before = &self.networks[..index];
            if let Some(from) = &network.from
                && !before
                    .iter()
                    .any(|n| n.name == *from && n.training.is_some())
            {
                return Err(format!(
                    "network {name:?} starts from {from:?}; allowed is one before it that is trained"
                ));
            }
            let given = [
                network.training.is_some(),
                network.rounded.is_some(),
                network.file.is_some(),
            ];
            if given.iter().filter(|given| **given).count() != 1 {
                return Err(format!(
                    "network {name:?} needs exactly one of training, rounded and file"
                ));
            }
            if network.rounded.is_some() && self.start.is_none() {
                return Err(format!(
                    "network {name:?} is rounded without training, which needs a [start]"
                ));
            }
        }
        Ok(())
    }

    fn check_readings(&self) -> Result<(), String> {
        for reading in &self.readings {
            // Its plot is beside the other's, under that name.
            if let Some(other) = reading.name.strip_suffix("-rate")
                && self.readings.iter().any(|r| r.name == other)
            {
                return Err(format!(
                    "readings {other:?} and {:?} would have one plot; allowed is another name",
                    reading.name
                ));
            }
            if let Some(from) = reading.plot_from
                && !(0.0..100.0).contains(&from)
            {
                return Err(format!(
                    "reading {:?} has plot_from {from}; allowed is 0 to below 100",
                    reading.name
                ));
            }
            let shared = |other: &&Reading| other.title() == reading.title();
            if let Some(first) = self.readings.iter().find(shared)
                && first.show != reading.show
            {
                return Err(format!(
                    "readings {:?} and {:?} share a table and show different things; allowed is one show",
                    first.name, reading.name
                ));
            }
        }
        Ok(())
    }

    /// Checks what becomes text of a page: one line each, and no network called like another.
    fn check_labels(&self) -> Result<(), String> {
        let optional = [
            self.networks.iter().map(|n| &n.label).collect::<Vec<_>>(),
            self.readings.iter().map(|r| &r.label).collect(),
            self.readings.iter().map(|r| &r.table).collect(),
            self.attacks.iter().map(|a| &a.label).collect(),
        ];
        let lines = optional.concat().into_iter().flatten();
        for text in [&self.title].into_iter().chain(lines) {
            if text.trim().is_empty() || text.chars().any(char::is_control) {
                return Err(format!(
                    "a title, label or table is {text:?}; allowed is one line of text"
                ));
            }
        }
        for (field, text) in [("question", &self.question), ("findings", &self.findings)] {
            if text
                .chars()
                .any(|c| c.is_control() && !"\n\r\t".contains(c))
            {
                return Err(format!(
                    "{field} has a control character; allowed are lines of text"
                ));
            }
        }
        let mut seen = BTreeSet::new();
        for network in &self.networks {
            let label = network.label.as_ref().unwrap_or(&network.name);
            if !seen.insert(label) {
                return Err(format!(
                    "two networks are called {label:?}; allowed is a label of its own for each"
                ));
            }
        }
        Ok(())
    }
}

/// Whether a row may be called so: its files are.
pub fn is_name(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    (1..=60).contains(&name.len()) && name.chars().all(allowed)
}

fn check_names<'a>(what: &str, names: impl Iterator<Item = &'a str>) -> Result<(), String> {
    let mut seen = BTreeSet::new();
    for name in names {
        if !is_name(name) {
            return Err(format!(
                "{what} has the name {name:?}; allowed are 1 to 60 letters, digits, - and _"
            ));
        }
        if !seen.insert(name) {
            return Err(format!("{what} has the name {name:?} twice"));
        }
    }
    match seen.len() <= MOST {
        true => Ok(()),
        false => Err(format!(
            "{what} has {} entries; allowed are {MOST}",
            seen.len()
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe;

    fn study(text: &str) -> Result<Study, String> {
        let study: Study = recipe::parse(&format!("title = \"t\"\nquestion = \"q\"\n{text}"))?;
        study.check().map(|()| study)
    }

    #[test]
    fn what_a_study_does_not_have_is_named() {
        let network = "[[networks]]\nname = \"a\"\ntraining = {}\n";
        for (text, part) in [
            ("networks = []".to_owned(), "networks is empty"),
            (format!("network = \"x\"\n{network}"), "network: "),
            (format!("{network}{network}"), "\"a\" twice"),
            (network.replace("\"a\"", "\"a/b\""), "\"a/b\"; allowed are"),
            (
                network.replace("training = {}", ""),
                "exactly one of training",
            ),
            (
                network.replace(
                    "training = {}",
                    "rounded = { weight_bits = 8, code = \"none\" }",
                ),
                "needs a [start]",
            ),
            (
                network.replace("training", "network = \"x\"\ntraining"),
                "network \"a\": network: ",
            ),
            (
                network.replace("training", "from = \"b\"\ntraining"),
                "\"a\" starts from \"b\"; allowed is one before it",
            ),
            (
                network.replace("training", "from = \"a\"\ntraining"),
                "\"a\" starts from \"a\"",
            ),
            (
                network.replace("training", "from = \"a\"\nnetwork = \"mlp\"\ntraining"),
                "both network and from",
            ),
            (
                network.replace("training = {}", "network = \"mlp\"\nfile = \"f\""),
                "\"a\" has no training",
            ),
            (
                format!("{network}[[readings]]\nname = \"r\"\nnetworks = [\"b\"]\nevaluate = {{}}"),
                "network \"b\", which is not in networks",
            ),
            (
                format!(
                    "{network}[[readings]]\nname = \"r\"\ntable = \"t\"\nevaluate = {{}}\n\
                     [[readings]]\nname = \"s\"\ntable = \"t\"\nshow = \"classes\"\nevaluate = {{}}"
                ),
                "\"r\" and \"s\" share a table",
            ),
            (
                format!(
                    "{network}[[readings]]\nname = \"r\"\nevaluate = {{}}\n\
                     [[readings]]\nname = \"s\"\ntable = \"r\"\nshow = \"classes\"\nevaluate = {{}}"
                ),
                "\"r\" and \"s\" share a table",
            ),
            (
                format!(
                    "{network}[[readings]]\nname = \"r\"\nevaluate = {{}}\n\
                     [[readings]]\nname = \"r-rate\"\nevaluate = {{}}"
                ),
                "\"r\" and \"r-rate\" would have one plot",
            ),
            (
                network.replace("training", "label = \"two\\nlines\"\ntraining"),
                "is \"two\\nlines\"; allowed is one line",
            ),
            (
                network.replace("training", "label = \" \"\ntraining"),
                "is \" \"; allowed is one line",
            ),
            (
                format!(
                    "{network}{}",
                    network.replace("\"a\"", "\"b\"\nlabel = \"a\"")
                ),
                "two networks are called \"a\"",
            ),
            (
                format!("{network}[[readings]]\nname = \"r\"\nplot_from = 100\nevaluate = {{}}"),
                "\"r\" has plot_from 100; allowed is",
            ),
            (
                network.replace("training", "trainin"),
                "did you mean `training`?",
            ),
        ] {
            let message = study(&text).unwrap_err();
            assert!(message.contains(part), "{message:?} lacks {part:?}");
        }
    }
}
