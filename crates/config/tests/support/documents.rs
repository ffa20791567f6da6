//! Valid documents by chance: each field of the schema, or not, with a value that may stand there.

use super::schema_json;
use proptest::{collection::vec, option::weighted, prelude::*, sample::select};
use serde_json::Value as Json;
use toml::{Table, Value};

/// Any valid document.
pub(crate) fn document() -> impl Strategy<Value = Table> {
    table("", &schema_json()).prop_map(|mut document| {
        fit(&mut document);
        document
    })
}

fn table(path: &str, shape: &Json) -> BoxedStrategy<Table> {
    let properties = shape["properties"].as_object().into_iter().flatten();
    let required = shape["required"].as_array().cloned().unwrap_or_default();
    let entries: Vec<BoxedStrategy<Option<(String, Value)>>> = properties
        .map(|(key, shape)| {
            let path = format!("{path}.{key}");
            let is_required = required.contains(&Json::from(key.as_str()));
            let key = key.clone();
            let entry = value(&path, shape).prop_map(move |value| (key.clone(), value));
            match is_required {
                true => entry.prop_map(Some).boxed(),
                false => weighted(0.6, entry).boxed(),
            }
        })
        .collect();
    let entry = &shape["additionalProperties"];
    if entry.is_object() {
        let named = (select(NAMES.to_vec()), value(&format!("{path}.*"), entry));
        let named = named.prop_map(|(name, value)| (name.to_owned(), value));
        return vec(named, 0..3)
            .prop_map(|entries| entries.into_iter().collect())
            .boxed();
    }
    entries
        .prop_map(|entries| entries.into_iter().flatten().collect())
        .boxed()
}

const NAMES: [&str; 4] = ["fast", "local-1", "openai", "vllm.example:8000/a"];

fn value(path: &str, shape: &Json) -> BoxedStrategy<Value> {
    if let Some(special) = special(path) {
        return special.prop_map(Value::from).boxed();
    }
    let limit = |name: &str| shape[name].as_f64();
    match shape["type"].as_str() {
        Some("object") => table(path, shape).prop_map(Value::Table).boxed(),
        Some("boolean") => any::<bool>().prop_map(Value::Boolean).boxed(),
        Some("integer") => {
            let (least, most) = (limit("minimum").unwrap() as i64, limit("maximum").unwrap() as i64);
            prop_oneof![Just(least), Just(most), least..=most]
                .prop_map(Value::Integer)
                .boxed()
        }
        Some("number") => (limit("minimum").unwrap()..=limit("maximum").unwrap())
            .prop_map(Value::Float)
            .boxed(),
        Some("array") => {
            let path = format!("{path}[]");
            vec(value(&path, &shape["items"]), 0..3).prop_map(Value::Array).boxed()
        }
        _ => match shape["oneOf"].as_array() {
            Some(words) => {
                let words = words.iter().map(|word| word["const"].as_str().unwrap().to_owned());
                select(words.collect::<Vec<_>>()).prop_map(Value::String).boxed()
            }
            None => "[a-zA-Z0-9 äß日\\\\\"'\n{}%-]{1,12}".prop_map(Value::String).boxed(),
        },
    }
}

/// Texts of which a schema does not say all.
fn special(path: &str) -> Option<BoxedStrategy<String>> {
    let one_of = |texts: &[&str]| Some(select(texts.iter().map(ToString::to_string).collect::<Vec<_>>()).boxed());
    let address = |ports| {
        (ports, any::<bool>()).prop_map(|(port, six)| format!("{}:{port}", if six { "[::1]" } else { "127.0.0.1" }))
    };
    match path {
        ".server.listen" => Some(address(1000_u16..2000).boxed()),
        ".server.admin_listen" => Some(address(3000..4000).boxed()),
        ".pipeline.stages.rag.folder" => one_of(&[".", "/"]),
        ".server.admin_token" => one_of(&["", "plain", "${TOKEN:-}", "${TOKEN:-default}"]),
        ".server.allowed_origins[]" => one_of(&["https://example.com", "http://localhost:3000"]),
        ".telemetry.level" => one_of(&["off", "info", "info,hyper=debug", "trace"]),
        ".workers.*.api_key" => one_of(&["", "sk-plain", "${OPENAI_API_KEY:-none}"]),
        ".workers.*.base_url" => one_of(&["http://127.0.0.1:9000/v1", "https://example.com", "http://[::1]"]),
        ".pipeline.stages.inference.worker" => one_of(&["echo", "vllm", "llama_cpp", "ollama"]),
        ".routes.*.primary[]" | ".routes.*.secondary[]" | ".routes.*.backup[]" => one_of(&["echo", "vllm", "ollama"]),
        ".degradation.reduced.workers[]" => one_of(&["echo", "vllm", "ollama"]),
        ".pipeline.stages.assemble.template" => {
            one_of(&["{{ question }}", "{% for p in passages %}{{ p.text }}{% endfor %}"])
        }
        ".pipeline.stages.post_process.redact[].name" => Some("[a-z0-9_-]{1,20}".boxed()),
        ".pipeline.stages.post_process.redact[].pattern" => one_of(&["a", "[0-9]", "[xyz]"]),
        _ => None,
    }
}

/// Lets fields fit each other as the rules want it.
fn fit(document: &mut Table) {
    at(document, "pipeline.resilience", resilience);
    if document.get("profile").and_then(Value::as_str) == Some("prod") {
        at(document, "chaos", |chaos| {
            drop(chaos.insert("allow_in_prod".into(), true.into()))
        });
    }
    at(document, "chaos", |chaos| {
        let workers = chaos.get_mut("workers").and_then(Value::as_table_mut);
        let all = workers.and_then(|workers| Some(workers.iter().next()?.1.clone()));
        let all = all.map(|faults| Value::Table([("*".to_owned(), faults)].into_iter().collect()));
        chaos.remove("workers");
        chaos.extend(all.map(|all| ("workers".to_owned(), all)));
        at(chaos, "workers.*", latency);
        at(chaos, "retriever", latency);
    });
    at(document, "shutdown", |table| {
        let pre_stop = integer(table, "pre_stop_ms").unwrap_or(5_000);
        let grace = integer(table, "grace_ms").unwrap_or(25_000);
        table.insert("grace_ms".into(), grace.max(pre_stop + 1).into());
    });
    at(document, "pipeline.answers", |table| {
        order(table, "max_answer_bytes", "max_log_bytes")
    });
    at(document, "pools", |table| {
        let most = ["fast", "slow"].map(|pool| integer(table, pool).unwrap_or(100));
        let ceiling = integer(table, "ceiling").unwrap_or(1_000);
        let most = most.into_iter().fold(ceiling, i64::max);
        table.insert("ceiling".into(), most.into());
    });
    at(document, "pipeline.stages.rag", |table| {
        if !table.contains_key("folder") {
            table.remove("required");
        }
    });
    at(document, "pipeline.stages.post_process", |table| {
        let redactions = table
            .get_mut("redact")
            .and_then(Value::as_array_mut)
            .into_iter()
            .flatten();
        for (index, redaction) in redactions.enumerate() {
            redaction["name"] = Value::from(format!("{}{index}", redaction["name"].as_str().unwrap()));
        }
    });
    let dedup = document
        .get("pipeline")
        .and_then(|table| table.get("deduplication")?.get("enabled"));
    let keeps = dedup.and_then(Value::as_bool).unwrap_or(true);
    at(document, "degradation", |table| degradation(table, keeps));
    if let Some(routes) = document.get_mut("routes").and_then(Value::as_table_mut) {
        for (name, route) in routes.iter_mut() {
            route.as_table_mut().into_iter().for_each(|table| route_of(name, table));
        }
    }
    let routes = document.get("routes").and_then(Value::as_table);
    if let Some(name) = routes.and_then(|routes| routes.keys().next()).cloned() {
        at(document, "pipeline.stages.inference", |table| {
            if let Some(model) = table.get_mut("model") {
                *model = format!("{name}-0").into();
            }
        });
    }
    if let Some(workers) = document.get_mut("workers").and_then(Value::as_table_mut) {
        for (_, worker) in workers.iter_mut() {
            worker
                .as_table_mut()
                .into_iter()
                .for_each(|worker| at(worker, "resilience", resilience));
        }
    }
}

/// A chain without repetitions, whose steps have what they need, and rules that hold for one of them; `keeps` says whether
/// there are answers to keep.
fn degradation(table: &mut Table, keeps: bool) {
    let mut seen = Vec::new();
    if let Some(chain) = table.get_mut("chain").and_then(Value::as_array_mut) {
        chain.retain(|step| {
            let is_new = !seen.contains(step) && (keeps || step.as_str() != Some("cache"));
            seen.extend(is_new.then(|| step.clone()));
            is_new
        });
    }
    if seen.iter().any(|step| step.as_str() == Some("reduced")) {
        let reduced = table.entry("reduced").or_insert(Value::Table(Table::new()));
        let reduced = reduced.as_table_mut().unwrap();
        reduced.insert("workers".into(), Value::Array(vec!["echo".into()]));
    }
    at(table, "cache", |cache| {
        order(cache, "fresh_s", "stale_s");
        if integer(cache, "fresh_s") == Some(0) {
            cache.insert("fresh_s".into(), 1.into());
        }
        let fresh = integer(cache, "fresh_s");
        if fresh.is_some() && fresh >= integer(cache, "stale_s") {
            cache.insert("stale_s".into(), 0.into());
        }
    });
    let Some(first) = seen.first() else {
        table.remove("rules");
        return;
    };
    let rules = table
        .get_mut("rules")
        .and_then(Value::as_array_mut)
        .into_iter()
        .flatten();
    for (index, rule) in rules.filter_map(Value::as_table_mut).enumerate() {
        rule.insert("name".into(), format!("rule {index}").into());
        rule.insert("mode".into(), first.clone());
        rule.insert("failure_rate".into(), 0.5.into());
    }
}

/// A route for models of its own, to workers of which each stands once in a tier.
fn route_of(name: &str, route: &mut Table) {
    let count = route.get("models").and_then(Value::as_array).map_or(0, Vec::len);
    let models = (0..=count).map(|number| Value::from(format!("{name}-{number}*")));
    route.insert("models".into(), models.collect::<Vec<_>>().into());
    route.entry("backup").or_insert(Value::Array(vec!["echo".into()]));
    for tier in ["primary", "secondary", "backup"] {
        if let Some(workers) = route.get_mut(tier).and_then(Value::as_array_mut) {
            let mut seen = Vec::new();
            workers.retain(|worker| {
                !seen.contains(worker) && {
                    seen.push(worker.clone());
                    true
                }
            });
            if tier == "backup" && workers.is_empty() {
                workers.push("echo".into());
            }
        }
    }
    chosen_by_request(route);
    let backup = route["backup"][0].as_str().unwrap().to_owned();
    if let Some(weights) = route.get_mut("weights").and_then(Value::as_table_mut) {
        let weight = weights.iter().next().map(|(_, weight)| weight.clone());
        *weights = weight.into_iter().map(|weight| (backup.clone(), weight)).collect();
    }
    for (low, high) in [
        ("soft_limit", "hard_limit"),
        ("stream_hard_limit", "hard_limit"),
        ("stream_soft_limit", "stream_hard_limit"),
        ("stream_soft_limit", "soft_limit"),
    ] {
        if let (Some(least), Some(most)) = (integer(route, low), integer(route, high)) {
            route.insert(low.into(), least.min(most).into());
        }
    }
}

/// Complexity that chooses between two tiers with workers, and a latency budget only where nobody waits.
fn chosen_by_request(route: &mut Table) {
    if route.contains_key("latency_budget_ms") {
        route.remove("overflow_after_ms");
    }
    let has_workers = |tier: &str| {
        route
            .get(tier)
            .and_then(Value::as_array)
            .is_some_and(|all| !all.is_empty())
    };
    let tiers = ["primary", "secondary", "backup"].map(has_workers);
    at(route, "complexity", |complexity| {
        let mut usable = ["primary", "secondary", "backup"]
            .into_iter()
            .zip(tiers)
            .filter(|(_, has)| *has);
        if let (Some((cheap, _)), Some((strong, _))) = (usable.next(), usable.next()) {
            complexity.insert("cheap".into(), cheap.into());
            complexity.insert("strong".into(), strong.into());
            complexity.insert("turns".into(), 5.into());
        }
    });
    if tiers.iter().filter(|has| **has).count() < 2 {
        route.remove("complexity");
    }
}

fn resilience(table: &mut Table) {
    order(table, "retry_base_ms", "retry_max_ms");
    order(table, "circuit_breaker_timeout_s", "open_max_s");
}

fn latency(table: &mut Table) {
    order(table, "latency_min_ms", "latency_max_ms");
}

/// Sets both or none of two fields, the lesser first.
fn order(table: &mut Table, low: &str, high: &str) {
    match (integer(table, low), integer(table, high)) {
        (Some(a), Some(b)) => {
            table.insert(low.into(), a.min(b).into());
            table.insert(high.into(), a.max(b).into());
        }
        _ => {
            table.remove(low);
            table.remove(high);
        }
    }
}

fn integer(table: &Table, key: &str) -> Option<i64> {
    table.get(key)?.as_integer()
}

fn at(document: &mut Table, path: &str, change: impl Fn(&mut Table)) {
    let mut keys = path.split('.');
    let table = keys.try_fold(document, |table, key| table.get_mut(key)?.as_table_mut());
    table.into_iter().for_each(change);
}
