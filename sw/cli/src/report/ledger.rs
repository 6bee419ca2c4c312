//! A study's ledger as the documents that its results would be by themselves.

use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Kinds of results in a ledger.
const KINDS: [&str; 4] = ["networks", "readings", "attacks", "silicon"];

/// The documents of a ledger by their names, `READING.NETWORK` as `study` names its files; `None`
/// if it is no ledger.
pub fn documents(bytes: &[u8]) -> Option<Vec<(String, Value)>> {
    let ledger: Map<String, Value> = serde_json::from_slice(bytes).ok()?;
    let [networks, readings, attacks, silicon] =
        KINDS.map(|kind| ledger.get(kind).and_then(Value::as_object));
    let data = ledger.get("data").unwrap_or(&Value::Null);
    let provenance = |entry: &Value| {
        json!({
            "commit": entry["commit"],
            "data": data,
            "seconds": entry["seconds"],
            "key in the ledger": entry["key"],
        })
    };
    let mut found = Vec::new();
    for (name, entry) in networks? {
        // A network that was only rounded has no losses to show.
        let Some(mut document) = object(&entry["result"]["trained"]) else {
            continue;
        };
        document.insert("commit".to_owned(), entry["commit"].clone());
        found.push((name.clone(), document.into()));
    }
    for (name, entry) in readings? {
        let mut document = object(&entry["result"]).unwrap_or_default();
        document.insert("provenance".to_owned(), provenance(entry));
        found.push((file_name(name), document.into()));
    }
    for (name, entry) in attacks? {
        let mut document = object(&entry["result"]).unwrap_or_default();
        let names = [
            "attacks",
            "images",
            "attack_images",
            "max_flips",
            "flips_per_layer",
        ];
        let settings = names.map(|name| (name, document.get(name).cloned()));
        document.extend([
            ("provenance".to_owned(), provenance(entry)),
            ("network".to_owned(), name.rsplit('/').next().into()),
            ("weight_bits".to_owned(), Value::Null),
            ("settings".to_owned(), json!(BTreeMap::from(settings))),
            // Of single attacks a ledger has no more than their flips.
            ("attacks".to_owned(), json!([])),
        ]);
        found.push((format!("attack.{}", file_name(name)), document.into()));
    }
    for (name, entry) in silicon? {
        let mut document = object(&entry["result"]).unwrap_or_default();
        let sum = |field: &str| -> u64 {
            let points = entry["result"]["points"].as_array().into_iter().flatten();
            let counts = points.filter_map(|point| point[field].as_u64());
            counts.fold(0, u64::saturating_add)
        };
        let mut provenance = object(&provenance(entry)).unwrap_or_default();
        let simulator = match entry["result"]["lanes"].is_null() {
            true => "verilator",
            false => "compiler",
        };
        provenance.insert(simulator.to_owned(), entry["result"]["verilator"].clone());
        document.extend([
            ("logits_compared".to_owned(), sum("logits_compared").into()),
            ("mismatches".to_owned(), sum("mismatches").into()),
            ("provenance".to_owned(), provenance.into()),
        ]);
        found.push((format!("silicon.{}", file_name(name)), document.into()));
    }
    Some(found)
}

fn object(value: &Value) -> Option<Map<String, Value>> {
    value.as_object().cloned()
}

fn file_name(name: &str) -> String {
    name.replace('/', ".")
}

#[cfg(test)]
mod tests {
    use super::super::documents::Document;
    use super::*;

    fn ledger(readings: &str) -> String {
        format!("{{\"networks\":{{}},\"readings\":{readings},\"attacks\":{{}},\"silicon\":{{}}}}")
    }

    #[test]
    fn results_that_are_none_are_named_and_do_not_stop_the_others() {
        for result in [
            "3",
            "null",
            "[]",
            "{}",
            "{\"result\": 7}",
            "{\"result\": {}}",
        ] {
            let text = ledger(&format!("{{\"a/b\": {result}}}"));
            let documents = documents(text.as_bytes()).unwrap();
            let [(name, document)] = &documents[..] else {
                panic!("{documents:?}");
            };
            assert_eq!(name, "a.b");
            assert!(Document::parse(document.to_string().as_bytes()).is_err());
        }
        assert!(documents(b"{\"readings\": {}}").is_none());
        assert!(documents(ledger("[]").as_bytes()).is_none());
    }
}
