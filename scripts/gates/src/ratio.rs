//! Enough test code for the code that ships.
//!
//! A line counts when a token stands on it that is no comment. Shipped is what lies under `crates/*/src` and is not
//! compiled for tests only. Test code is the rest of it, `crates/*/tests`, the package `tests/` (its Python too) and
//! `crates/testkit`. Benchmarks and scripts are neither; nor is data.

use crate::{
    Error, Report, Workspace,
    source::{Lines, Source},
    workspace::Crate,
};
use std::fmt::Write;

/// Lines of test code that a hundred lines of shipped code need.
const NEEDED_PERCENT: usize = 150;

struct Row {
    name: String,
    lines: Lines,
    /// Whether the row by itself needs the ratio.
    counts: bool,
}

/// Counts and compares, in the whole and crate by crate.
pub fn check(workspace: &Workspace) -> Result<Report, Error> {
    let mut rows: Vec<Row> = workspace.crates()?.iter().map(row).collect();
    let (rust, python) = (workspace.end_to_end()?, workspace.python()?);
    let python = python.iter().map(|text| Lines {
        shipped: 0,
        test: python_lines(text),
    });
    let rust = rust.iter().map(|source| source.count().as_test());
    rows.push(Row {
        name: "tests/".into(),
        lines: rust.chain(python).sum(),
        counts: false,
    });
    rows.push(Row {
        name: "in the whole".into(),
        lines: rows.iter().map(|row| row.lines).sum(),
        counts: true,
    });
    Ok(report(&rows))
}

fn row(one: &Crate) -> Row {
    let src = one.src.iter().map(|file| match file.is_test {
        true => file.source.count().as_test(),
        false => file.source.count(),
    });
    let tests = one.tests.iter().map(Source::count).map(Lines::as_test);
    let lines: Lines = src.chain(tests).sum();
    Row {
        name: one.name.clone(),
        lines: if one.is_testkit { lines.as_test() } else { lines },
        counts: !one.is_testkit,
    }
}

/// Lines that are neither blank nor a comment.
fn python_lines(text: &str) -> usize {
    let lines = text.lines().map(str::trim);
    lines.filter(|line| !line.is_empty() && !line.starts_with('#')).count()
}

fn report(rows: &[Row]) -> Report {
    let mut text = format!("{:<16}{:>9}{:>9}{:>7}\n", "", "shipped", "test", "ratio");
    for row in rows {
        let Lines { shipped, test } = row.lines;
        let verdict = match row.missing() {
            0 => String::new(),
            missing => format!("  too low: {missing} lines of test code are missing"),
        };
        let line = format!("{:<16}{shipped:>9}{test:>9}{:>7}{verdict}", row.name, row.ratio());
        // Writing to a string cannot fail.
        writeln!(text, "{}", line.trim_end()).unwrap_or_default();
    }
    Report {
        text,
        passes: rows.iter().all(|row| row.missing() == 0),
    }
}

// === impl Row ===

impl Row {
    /// The ratio with two digits, rounded down; `-` where nothing ships.
    fn ratio(&self) -> String {
        let hundredths = self.lines.test.saturating_mul(100).checked_div(self.lines.shipped);
        match hundredths {
            Some(ratio) => format!("{}.{:02}", ratio.wrapping_div(100), ratio.wrapping_rem(100)),
            None => "-".into(),
        }
    }

    /// The lines of test code that it is short of.
    fn missing(&self) -> usize {
        let needed = self.lines.shipped.saturating_mul(NEEDED_PERCENT).div_ceil(100);
        if self.counts {
            needed.saturating_sub(self.lines.test)
        } else {
            0
        }
    }
}
