//! One answer to many listeners on WebSockets, beside a bare loop of writes to as many sockets.

use super::Effort;
use crate::{
    crowd::{Crowd, Floor},
    servers::{Bench, Setting},
    shape::Shape,
    statistics::Sample,
    table::{Table, us},
};
use std::io;

/// How many hear it, what, and what is aimed at. The model is silent until all listen. Listeners keep up with 100 ms; with
/// 2 ms a crowd is behind.
const ROWS: [(usize, Shape, &str); 4] = [
    (1, answer(32, 100), ""),
    (100, answer(32, 100), ""),
    (1000, answer(32, 100), "1.25"),
    (1000, answer(256, 2), "less than with 100 ms"),
];

/// What a short run measures: so few listeners keep up with 20 ms.
const SHORT: [(usize, Shape, &str); 1] = [(100, answer(32, 20), "")];

const fn answer(tokens: usize, gap_ms: u64) -> Shape {
    Shape {
        first_ms: 1000,
        ..Shape::stream(tokens, gap_ms)
    }
}

pub(super) async fn measure(bench: &Bench, effort: Effort) -> io::Result<()> {
    let columns = [
        "listeners",
        "tokens",
        "a bare write",
        "a delivered token",
        "ratio",
        "frames a token",
        "goal",
    ];
    let table = Table::begin("Processor time of fan-out over WebSockets, one thread", columns);
    let rows = if effort.short { &SHORT[..] } else { &ROWS[..] };
    for (listeners, shape, goal) in rows.iter().copied() {
        bench.follow(shape);
        let program = bench.program(Setting::threads(1)).await?;
        let mut floor = Floor::connect(listeners).await?;
        let mut crowd = Crowd::connect(program.address, listeners).await?;
        let mut rounds = Vec::new();
        for round in 0..=effort.rounds {
            let calls = bench.model.stats().total.calls;
            let bare = floor.write(shape).await?;
            let (token, frames) = crowd.hear(&program, shape).await?;
            let calls = bench.model.stats().total.calls - calls;
            if calls != 1 {
                return Err(io::Error::other(format!(
                    "{listeners} equal requests led to {calls} calls"
                )));
            }
            if round > 0 {
                rounds.push([bare, token, token / bare, frames]);
            }
        }
        let [bare, token, ratio, frames] =
            [0, 1, 2, 3].map(|nth| rounds.iter().map(|round| round[nth]).collect::<Sample>());
        table.row([
            listeners.to_string(),
            shape.name(),
            us(bare.median()),
            us(token.median()),
            ratio.spread().to_string(),
            format!("{:.2}", frames.median()),
            goal.into(),
        ]);
    }
    Ok(())
}
