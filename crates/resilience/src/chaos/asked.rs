//! What a client asks for in a header: `worker=fast; failure=1; status=503; seed=42`.

use super::{
    ALL, WorkerFaults,
    check::{check, schema},
    order::{crossed, stranger},
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::sync::LazyLock;

/// The schema of all keys, for every call of a request that asks for faults reads them anew.
static KEYS: LazyLock<Value> = LazyLock::new(keys);

/// The faults that one request shall meet.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Asked {
    /// The worker whose calls meet them; any when the client names none.
    pub(crate) worker: Option<String>,
    /// What chance begins with.
    pub(crate) seed: Option<u64>,
    pub(crate) faults: WorkerFaults,
}

// === impl Asked ===

impl Asked {
    /// Reads a header; `workers` are those that there are.
    ///
    /// # Errors
    /// All that is wrong with it, as sentences.
    pub(crate) fn read<'a>(
        words: &str,
        workers: impl IntoIterator<Item = &'a str> + Clone,
    ) -> Result<Self, Vec<String>> {
        let (mut fields, mut findings) = fields(words);
        findings.extend(check(&Value::Object(fields.clone()), &KEYS));
        let worker = fields.remove("worker");
        let worker = worker.as_ref().and_then(Value::as_str).map(str::to_owned);
        findings.extend(worker.as_deref().and_then(|worker| stranger(worker, workers)));
        let seed = fields.remove("seed").and_then(|seed| seed.as_u64());
        if !findings.is_empty() {
            return Err(findings);
        }
        let faults = WorkerFaults::deserialize(Value::Object(fields)).map_err(|error| vec![format!("{error}.")])?;
        match crossed("", &faults) {
            Some(finding) => Err(vec![finding]),
            None => Ok(Asked {
                worker: worker.filter(|worker| worker != ALL),
                seed,
                faults,
            }),
        }
    }

    /// Whether it is about this worker.
    pub(crate) fn means(&self, worker: &str) -> bool {
        self.worker.as_deref().is_none_or(|named| named == worker)
    }
}

/// The schema of all keys as fields of one object.
fn keys() -> Value {
    #[derive(JsonSchema)]
    #[expect(dead_code, reason = "it is there for its schema")]
    struct Keys {
        worker: String,
        #[schemars(range(min = 0, max = 9_007_199_254_740_991_u64))]
        seed: u64,
    }
    let (mut all, keys) = (schema::<WorkerFaults>(), schema::<Keys>());
    if let (Some(all), Some(Value::Object(more))) = (
        all.get_mut("properties").and_then(Value::as_object_mut),
        keys.get("properties"),
    ) {
        all.extend(more.clone());
    }
    all
}

/// The pairs of a header, numbers as numbers.
fn fields(words: &str) -> (Map<String, Value>, Vec<String>) {
    let (mut fields, mut findings) = (Map::new(), Vec::new());
    for pair in words.split(';').map(str::trim).filter(|pair| !pair.is_empty()) {
        let Some((key, value)) = pair.split_once('=') else {
            findings.push(format!(
                "`{pair:.40}` has no value: write `key=value`, with `;` between them."
            ));
            continue;
        };
        let (key, value) = (key.trim(), value.trim());
        let number = serde_json::from_str(value).ok().filter(Value::is_number);
        let number = number.filter(|_| key != "worker");
        let value = number.unwrap_or_else(|| json!(value));
        if fields.insert(key.to_owned(), value).is_some() {
            findings.push(format!("`{key:.40}` stands there twice."));
        }
    }
    (fields, findings)
}

#[cfg(test)]
mod tests;
