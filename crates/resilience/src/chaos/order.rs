//! What an operator lets happen for a time.

use super::{
    ALL, RetrieverFaults, Settings, WorkerFaults,
    check::{check, schema},
};
use orchestrator_core::near;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use std::{collections::BTreeMap, time::Duration};

/// Faults that an operator lets happen for a time, instead of those of the configuration.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Order {
    /// For how long, in seconds: nobody has to remember to end it.
    #[schemars(range(min = 1, max = 900))]
    for_s: u64,
    /// What chance begins with.
    #[serde(default)]
    #[schemars(range(min = 0, max = 9_007_199_254_740_991_u64))]
    seed: u64,
    /// The faults of calls, by worker; `*` stands for all workers that are not named.
    #[serde(default)]
    workers: BTreeMap<String, WorkerFaults>,
    /// The faults of searches for passages.
    #[serde(default)]
    retriever: RetrieverFaults,
}

// === impl Order ===

impl Order {
    /// Reads an order; `workers` are those that there are.
    ///
    /// # Errors
    /// All that is wrong with it, as sentences.
    pub(crate) fn read<'a>(
        order: &Value,
        workers: impl IntoIterator<Item = &'a str> + Clone,
    ) -> Result<Self, Vec<String>> {
        let mut findings = check(order, &schema::<Order>());
        let named = order.get("workers").and_then(Value::as_object);
        let names = named.into_iter().flat_map(|named| named.keys());
        findings.extend(names.filter_map(|name| stranger(name, workers.clone())));
        if !findings.is_empty() {
            return Err(findings);
        }
        let order = Order::deserialize(order).map_err(|error| vec![format!("{error}.")])?;
        let crossed = order.crossed();
        match crossed.is_empty() {
            true => Ok(order),
            false => Err(crossed),
        }
    }

    /// For how long.
    pub fn held(&self) -> Duration {
        Duration::from_secs(self.for_s)
    }

    pub(crate) fn settings(self) -> Settings {
        Settings {
            seed: self.seed,
            workers: self.workers,
            retriever: self.retriever,
        }
    }

    fn crossed(&self) -> Vec<String> {
        let workers = self.workers.iter();
        let workers = workers.map(|(name, faults)| (format!("workers.{name}."), faults.clone()));
        let retriever = ("retriever.".to_owned(), WorkerFaults::from(&self.retriever));
        let all = workers.chain([retriever]);
        all.filter_map(|(path, faults)| crossed(&path, &faults)).collect()
    }
}

/// What is wrong with the name of a worker that there is not.
pub(crate) fn stranger<'a>(name: &str, workers: impl IntoIterator<Item = &'a str> + Clone) -> Option<String> {
    if name == ALL || workers.clone().into_iter().any(|worker| worker == name) {
        return None;
    }
    let near = near(name, workers).map_or_else(String::new, |near| format!(" Did you mean `{near}`?"));
    Some(format!("No worker is called `{name:.64}`.{near}"))
}

/// What is wrong with bounds that leave nothing between them; `path` ends where the field's name begins.
pub(crate) fn crossed(path: &str, faults: &WorkerFaults) -> Option<String> {
    let (least, most) = (faults.latency_min_ms, faults.latency_max_ms);
    let crossed = || format!("`{path}latency_min_ms` is {least}; `latency_max_ms` is less: {most}.");
    (least > most).then(crossed)
}
