//! What describes a run, as names and values.

use serde_json::{Map, Value};

/// Facts that are listed of one file.
const MOST_FACTS: usize = 300;
/// Characters of a value that are shown.
const MOST_CHARACTERS: usize = 2000;

/// A fact: its name, with those of the groups that it is in, and its value.
pub type Fact = (String, String);

/// All facts of a group, with those of the groups inside it.
pub fn of(group: &str, map: &Map<String, Value>) -> Vec<Fact> {
    let mut facts = Vec::new();
    add(group, map, &mut facts);
    facts
}

/// A fact of a group by its name, as text; a dash if it is not there.
pub fn shown(map: &Map<String, Value>, name: &str) -> String {
    map.get(name).map_or_else(|| "-".to_owned(), text)
}

/// A value as text.
pub fn text(value: &Value) -> String {
    let text = match value {
        Value::Null => return "-".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    match text.char_indices().nth(MOST_CHARACTERS) {
        None => text,
        Some((end, _)) => format!("{} …", &text[..end]),
    }
}

fn add(group: &str, map: &Map<String, Value>, facts: &mut Vec<Fact>) {
    for (name, value) in map {
        if facts.len() >= MOST_FACTS {
            return;
        }
        let name = match group.is_empty() {
            true => name.clone(),
            false => format!("{group}.{name}"),
        };
        match value {
            Value::Object(inner) => add(&name, inner, facts),
            other => facts.push((name, text(other))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_named_and_long_values_have_an_end() {
        let text = format!(
            r#"{{"a": {{"b": [1, 2], "c": null}}, "d": "{}"}}"#,
            "ä".repeat(5000)
        );
        let map: Map<String, Value> = serde_json::from_str(&text).unwrap();
        let facts = of("x", &map);
        assert_eq!(facts[0], ("x.a.b".to_owned(), "[1,2]".to_owned()));
        assert_eq!(facts[1], ("x.a.c".to_owned(), "-".to_owned()));
        assert_eq!(facts[2].1.chars().count(), MOST_CHARACTERS + 2);
        let many = (0..1000).map(|i| (i.to_string(), Value::Null)).collect();
        assert_eq!(of("", &many).len(), MOST_FACTS);
    }
}
