//! How the program writes what it has to say.

use orchestrator_config::{Finding, Severity};
use serde::Serialize;
use std::{io::Write, path::Path, process::ExitCode};

/// What `validate --format json` prints.
#[derive(Debug, Serialize)]
pub(super) struct Verdict<'a> {
    /// Of this form, which rises when a program that reads it must know of a change.
    version: u32,
    file: &'a Path,
    errors: usize,
    warnings: usize,
    findings: &'a [Finding],
}

// === impl Verdict ===

impl<'a> Verdict<'a> {
    pub(super) fn of(file: &'a Path, findings: &'a [Finding]) -> Self {
        Verdict {
            version: 1,
            file,
            errors: of(Severity::Error, findings),
            warnings: of(Severity::Warning, findings),
            findings,
        }
    }
}

/// Shows findings to people.
pub(super) fn findings(findings: &[Finding]) {
    findings
        .iter()
        .for_each(|finding| say(&format!("{}\n", finding.coloured())));
}

/// How many findings there are, in words.
pub(super) fn count(findings: &[Finding]) -> String {
    let words = |number: usize, word: &str| match number {
        0 => None,
        1 => Some(format!("1 {word}")),
        number => Some(format!("{number} {word}s")),
    };
    let errors = words(of(Severity::Error, findings), "error");
    let warnings = words(of(Severity::Warning, findings), "warning");
    let counts: Vec<String> = errors.into_iter().chain(warnings).collect();
    match counts.is_empty() {
        true => "no findings".to_owned(),
        false => counts.join(", "),
    }
}

fn of(severity: Severity, findings: &[Finding]) -> usize {
    findings.iter().filter(|finding| finding.severity == severity).count()
}

/// A value as JSON for people and programs.
pub(super) fn json(value: &impl Serialize) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}

/// Data goes to stdout.
pub(super) fn print(data: &str) -> ExitCode {
    match writeln!(anstream::stdout(), "{data}") {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

/// Words go to stderr; when nobody reads them there is nobody to tell.
pub(super) fn say(words: &str) {
    drop(writeln!(anstream::stderr(), "{words}"));
}

#[cfg(test)]
mod tests;
