//! The rules for names of metrics, as a check that tests run over everything the program registers.
//!
//! They are Prometheus's own (those of `promtool check metrics`), and ours: one prefix, and no label that grows with the
//! number of requests.

use prometheus::proto::{MetricFamily, MetricType};

/// Units that a base unit stands for.
const SCALED_UNITS: [&str; 21] = [
    "ms",
    "milliseconds",
    "us",
    "microseconds",
    "ns",
    "nanoseconds",
    "minutes",
    "hours",
    "days",
    "bits",
    "kb",
    "kilobytes",
    "mb",
    "megabytes",
    "gb",
    "gigabytes",
    "kib",
    "mib",
    "gib",
    "percent",
    "permille",
];
/// Short forms of base units.
const ABBREVIATIONS: [&str; 6] = ["s", "sec", "secs", "b", "byte", "second"];
/// Base units: they stand at the end, before `total`.
const UNITS: [&str; 3] = ["seconds", "bytes", "ratio"];
/// Endings that the parts of a histogram or a summary bear.
const PARTS: [&str; 3] = ["count", "sum", "bucket"];
/// What a metric is stands in its type, not in its name.
const TYPES: [&str; 4] = ["counter", "gauge", "histogram", "summary"];
/// Labels that the format or the scraper gives a meaning of its own.
const RESERVED_LABELS: [&str; 4] = ["le", "quantile", "job", "instance"];
/// Labels with a value for each request, client or secret.
const UNBOUNDED_LABELS: [&str; 9] = [
    "id",
    "request_id",
    "session_id",
    "session",
    "trace_id",
    "user",
    "key",
    "api_key",
    "client",
];

/// What is wrong with the names of `families`, one sentence each; empty when nothing is.
pub fn findings(families: &[MetricFamily]) -> Vec<String> {
    families.iter().flat_map(family_findings).collect()
}

fn family_findings(family: &MetricFamily) -> Vec<String> {
    let name = family.name();
    let words: Vec<&str> = name.split('_').collect();
    let shape = shape_findings(name, family.help(), &words);
    let unit = unit_finding(&words);
    let kind = kind_finding(&words, family.get_field_type());
    let labels = family.get_metric().iter().flat_map(|metric| metric.get_label());
    let mut labels: Vec<&str> = labels.map(|label| label.name()).collect();
    labels.sort_unstable();
    labels.dedup();
    let labels = labels.into_iter().filter_map(label_finding);
    let found = shape.into_iter().flatten().chain(unit).chain(kind).chain(labels);
    found.map(|finding| format!("{name}: {finding}")).collect()
}

fn shape_findings(name: &str, help: &str, words: &[&str]) -> [Option<String>; 4] {
    [
        finding(
            !name.starts_with("orchestrator_"),
            "the prefix `orchestrator_` is missing",
        ),
        finding(!is_snake_case(name), "a name is lower-case words joined by single `_`"),
        finding(help.trim().is_empty(), "the help text is missing"),
        word_of(words, &TYPES).map(|word| format!("`{word}` belongs in the type, not in the name")),
    ]
}

fn unit_finding(words: &[&str]) -> Option<String> {
    if let Some(word) = word_of(words, &SCALED_UNITS).or_else(|| word_of(words, &ABBREVIATIONS)) {
        return Some(format!(
            "`{word}` is no base unit in full: those are seconds, bytes and ratio"
        ));
    }
    let name = words.strip_suffix(&["total"]).unwrap_or(words);
    let inner = name.split_last().map_or(&[][..], |(_, inner)| inner);
    word_of(inner, &UNITS).map(|word| format!("the unit `{word}` must stand at the end"))
}

fn kind_finding(words: &[&str], kind: MetricType) -> Option<String> {
    let last = words.last().copied().unwrap_or_default();
    match (kind, last) {
        (MetricType::COUNTER, "total") => None,
        (MetricType::COUNTER, _) => Some("a counter ends in `_total`".to_owned()),
        (_, "total") => Some("only a counter ends in `_total`".to_owned()),
        (MetricType::GAUGE, "info") => None,
        (_, "info") => Some("only a gauge ends in `_info`".to_owned()),
        (_, part) => finding(
            PARTS.contains(&part),
            "`_count`, `_sum` and `_bucket` are the parts of a histogram",
        ),
    }
}

fn label_finding(label: &str) -> Option<String> {
    let is_reserved = RESERVED_LABELS.contains(&label) || label.starts_with("__");
    let is_unbounded = UNBOUNDED_LABELS.contains(&label);
    finding(is_reserved, "is reserved")
        .or_else(|| finding(is_unbounded, "grows with the number of requests"))
        .or_else(|| finding(!is_snake_case(label), "is not lower-case words joined by single `_`"))
        .map(|why| format!("the label `{label}` {why}"))
}

fn finding(is_wrong: bool, text: &str) -> Option<String> {
    is_wrong.then(|| text.to_owned())
}

fn word_of<'a>(words: &[&'a str], list: &[&str]) -> Option<&'a str> {
    words.iter().copied().find(|word| list.contains(word))
}

fn is_snake_case(name: &str) -> bool {
    let is_word = |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    name.starts_with(|c: char| c.is_ascii_lowercase()) && name.split('_').all(is_word)
}

#[cfg(test)]
mod tests;
