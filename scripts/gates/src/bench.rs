//! No benchmark needs more instructions than the committed baseline allows.
//!
//! Instructions are counted by valgrind, so the same program gives the same count on a busy machine too. The current
//! counts are what `cargo bench -- --output-format=json` of gungraun printed: one JSON object a benchmark. The baseline
//! is a text of lines `name<TAB>instructions`, in order of name, so that a change of it reads well in review.

use crate::{Error, Report};
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
    fs,
    path::Path,
};

/// How many percent more instructions than the baseline's are let pass.
const ALLOWED_PERCENT: u64 = 10;
const HEADER: &str = "# benchmark\tinstructions; written by scripts/bench_all.sh --update\n";

/// Instructions by benchmark.
type Counts = BTreeMap<String, u64>;

/// Compares the counts of now with the baseline. A benchmark that only one of them knows fails too.
pub fn check(current: &Path, baseline: &Path) -> Result<Report, Error> {
    let (now, then) = (read_current(current)?, read_baseline(baseline)?);
    let names: BTreeSet<&String> = now.keys().chain(then.keys()).collect();
    let width = names.iter().map(|name| name.len()).max().unwrap_or(0);
    let mut text = format!("{:<width$}{:>14}{:>14}{:>9}\n", "", "baseline", "now", "change");
    let mut passes = !now.is_empty();
    for name in names {
        let (then, now) = (then.get(name).copied(), now.get(name).copied());
        let verdict = verdict(then, now);
        passes &= verdict.is_none();
        let count = |count: Option<u64>| count.map_or("-".into(), |count| count.to_string());
        let change = then.zip(now).map_or("-".into(), |(then, now)| change(then, now));
        let line = format!(
            "{name:<width$}{:>14}{:>14}{change:>9}  {}",
            count(then),
            count(now),
            verdict.unwrap_or("")
        );
        // Writing to a string cannot fail.
        writeln!(text, "{}", line.trim_end()).unwrap_or_default();
    }
    Ok(Report { text, passes })
}

/// Makes the counts of now the baseline.
pub fn update(current: &Path, baseline: &Path) -> Result<Report, Error> {
    let counts = read_current(current)?;
    let lines = counts.iter().map(|(name, count)| format!("{name}\t{count}\n"));
    let text = HEADER.to_owned() + &lines.collect::<String>();
    fs::write(baseline, text).map_err(Error::io(baseline))?;
    Ok(Report {
        text: format!("{}: {} benchmarks\n", baseline.display(), counts.len()),
        passes: true,
    })
}

fn verdict(then: Option<u64>, now: Option<u64>) -> Option<&'static str> {
    match (then, now) {
        (Some(then), Some(now)) if is_slower(then, now) => Some("TOO MANY"),
        (Some(_), Some(_)) => None,
        (Some(_), None) => Some("GONE"),
        (None, _) => Some("NOT IN THE BASELINE"),
    }
}

fn is_slower(then: u64, now: u64) -> bool {
    let scaled = |count: u64, percent: u64| u128::from(count).saturating_mul(u128::from(percent));
    scaled(now, 100) > scaled(then, ALLOWED_PERCENT.saturating_add(100))
}

/// The change in percent with one digit.
fn change(then: u64, now: u64) -> String {
    let (then, now) = (i128::from(then), i128::from(now));
    let permille = now
        .saturating_sub(then)
        .saturating_mul(1000)
        .checked_div(then)
        .unwrap_or(0);
    let (sign, size) = (if permille < 0 { '-' } else { '+' }, permille.unsigned_abs());
    format!("{sign}{}.{}%", size.wrapping_div(10), size.wrapping_rem(10))
}

fn read_current(path: &Path) -> Result<Counts, Error> {
    let text = fs::read_to_string(path).map_err(Error::io(path))?;
    let mut counts = Counts::new();
    for summary in serde_json::Deserializer::from_str(&text).into_iter::<Value>() {
        let summary = summary.map_err(|error| wrong(path, error.to_string()))?;
        let (name, count) = read_summary(&summary).ok_or_else(|| wrong(path, "no instruction count in a summary"))?;
        if counts.insert(name.clone(), count).is_some() {
            return Err(wrong(path, format!("two benchmarks are named {name}")));
        }
    }
    Ok(counts)
}

/// The name and the instructions in one benchmark's summary.
fn read_summary(summary: &Value) -> Option<(String, u64)> {
    let mut name = summary.get("module_path")?.as_str()?.to_owned();
    if let Some(id) = summary.get("id").and_then(Value::as_str) {
        name = format!("{name}.{id}");
    }
    let profiles = summary.get("profiles")?.as_array()?;
    let callgrind = profiles
        .iter()
        .find(|profile| profile.get("tool").is_some_and(|tool| tool == "Callgrind"))?;
    let count = callgrind.pointer("/data/total/metrics/Ir/values/new")?;
    Some((name, count.as_u64()?))
}

fn read_baseline(path: &Path) -> Result<Counts, Error> {
    let text = fs::read_to_string(path).map_err(Error::io(path))?;
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let count = |line: &str| {
        let (name, count) = line.split_once('\t')?;
        Some((name.to_owned(), count.parse().ok()?))
    };
    lines
        .map(|line| count(line).ok_or_else(|| wrong(path, format!("not a name and a count: {line}"))))
        .collect()
}

fn wrong(path: &Path, message: impl Into<String>) -> Error {
    Error::Counts {
        path: path.into(),
        message: message.into(),
    }
}
