//! The table, in Markdown, as it stands in `BENCHMARKS.md`.

use crate::load::Shape;

/// Microseconds of processor time a request, in one round.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Round {
    pub(crate) nginx: f64,
    pub(crate) program: f64,
}

pub(crate) fn head() {
    println!("| server's processor time | nginx | the program | ratio | range of the rounds | the program's memory |");
    println!("|---|---|---|---|---|---|");
}

pub(crate) fn row(shape: Shape, rounds: &[Round], resident: u64) {
    let ratios = sorted(rounds.iter().map(|round| round.program / round.nginx));
    println!(
        "| {} | {:.1} us | {:.1} us | {:.2} | {:.2}-{:.2} | {:.0} MB |",
        shape.name(),
        median(&sorted(rounds.iter().map(|round| round.nginx))),
        median(&sorted(rounds.iter().map(|round| round.program))),
        median(&ratios),
        ratios.first().copied().unwrap_or_default(),
        ratios.last().copied().unwrap_or_default(),
        resident as f64 / 1e6
    );
}

fn sorted(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values
}

fn median(sorted: &[f64]) -> f64 {
    sorted.get(sorted.len() / 2).copied().unwrap_or_default()
}
