//! How long an answer takes over one connection, while nothing else runs: directly, through nginx, through the program.

use super::Effort;
use crate::{
    load::drive,
    servers::{Bench, Setting},
    shape::Shape,
    statistics::Sample,
    table::{Table, us},
};
use std::io;

/// Shapes, and how many requests a round has.
const SHAPES: [(Shape, usize); 5] = [
    (Shape::JSON, 500),
    (Shape::stream(32, 0), 500),
    (Shape::stream(512, 0), 100),
    (Shape::stream(32, 5), 5),
    (Shape::stream(512, 5), 1),
];

pub(super) async fn measure(bench: &Bench, effort: Effort) -> io::Result<()> {
    let nginx = bench.nginx(1).await?;
    let program = bench.program(Setting::threads(1)).await?;
    let servers = [bench.model.addr(), nginx.address, program.address];
    let columns = [
        "what",
        "direct",
        "nginx",
        "the program",
        "added by it",
        "direct x",
        "nginx x",
    ];
    let table = Table::begin(
        "Time of an answer, one after the other, median of rounds' medians",
        columns,
    );
    for (shape, requests) in SHAPES {
        bench.follow(shape);
        let mut took = [Vec::new(), Vec::new(), Vec::new()];
        for round in 0..=effort.rounds {
            for (server, took) in servers.into_iter().zip(&mut took) {
                let answers = drive(server, shape, 1, effort.of(requests).max(1)).await?;
                if round > 0 {
                    took.push(answers.median());
                }
            }
        }
        let times = |ours: usize, other: usize| -> Sample {
            took[ours]
                .iter()
                .zip(&took[other])
                .map(|(ours, other)| ours / other)
                .collect()
        };
        let [direct, nginx, program] = took
            .each_ref()
            .map(|rounds| Sample::from_iter(rounds.iter().copied()).median());
        table.row([
            shape.name(),
            us(direct),
            us(nginx),
            us(program),
            us(program - direct),
            times(2, 0).spread().to_string(),
            times(2, 1).spread().to_string(),
        ]);
    }
    Ok(())
}
