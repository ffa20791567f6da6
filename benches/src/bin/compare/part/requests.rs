//! The processor time of a server for a request, beside nginx. Rounds alternate between the servers, so that a noisy
//! machine disturbs both; the median of the rounds' ratios counts, their range shows how far to trust it.

use super::Effort;
use crate::{
    load::drive,
    process::Server,
    servers::{Bench, Setting},
    shape::Shape,
    statistics::Sample,
    table::{Table, mb, us},
};
use std::{io, thread::available_parallelism};

/// A shape, how many requests a round has, over how many connections, and what is aimed at.
type Row = (Shape, usize, usize, &'static str);

const SHAPES: [Row; 7] = [
    (Shape::JSON, 8000, 16, "1.5"),
    (Shape::stream(32, 0), 4000, 16, "1.5"),
    (Shape::stream(32, 5), 1280, 64, "1.3"),
    (Shape::stream(32, 20), 320, 64, ""),
    (Shape::stream(512, 0), 480, 16, ""),
    (Shape::stream(512, 5), 64, 64, ""),
    (Shape::stream(512, 20), 64, 64, ""),
];
/// Those at the front that have goals.
const MAIN: usize = 3;

pub(super) async fn one_thread(bench: &Bench, effort: Effort) -> io::Result<()> {
    let shapes = if effort.short { MAIN } else { SHAPES.len() };
    let title = "Processor time, one thread beside one worker of nginx";
    beside(bench, effort, (1, title), &SHAPES[..shapes]).await
}

pub(super) async fn all_cores(bench: &Bench, effort: Effort) -> io::Result<()> {
    let cores = available_parallelism()?.get();
    let title = format!("Processor time, {cores} threads beside {cores} workers of nginx");
    beside(bench, effort, (cores, &title), &SHAPES[..MAIN]).await
}

async fn beside(bench: &Bench, effort: Effort, (threads, title): (usize, &str), rows: &[Row]) -> io::Result<()> {
    let nginx = bench.nginx(threads).await?;
    let program = bench.program(Setting::threads(threads)).await?;
    let columns = [
        "what",
        "nginx",
        "the program",
        "ratio",
        "goal",
        "a token: nginx",
        "the program",
        "memory",
    ];
    let table = Table::begin(title, columns);
    for (shape, requests, connections, goal) in rows.iter().copied() {
        bench.follow(shape);
        let requests = effort.of(requests).max(connections);
        let (mut floor, mut ours) = (Vec::new(), Vec::new());
        for round in 0..=effort.rounds {
            let rounds = [
                a_request(&nginx, shape, connections, requests).await?,
                a_request(&program, shape, connections, requests).await?,
            ];
            // The first round fills caches and pools.
            if round > 0 {
                floor.push(rounds[0]);
                ours.push(rounds[1]);
            }
        }
        let ratios: Sample = ours.iter().zip(&floor).map(|(ours, floor)| ours / floor).collect();
        let [floor, ours] = [floor, ours].map(|rounds| Sample::from_iter(rounds).median());
        let tokens = shape.tokens as f64;
        table.row([
            shape.name(),
            us(floor),
            us(ours),
            ratios.spread().to_string(),
            goal.into(),
            us(floor / tokens),
            us(ours / tokens),
            mb(program.resident()?),
        ]);
    }
    Ok(())
}

async fn a_request(server: &Server, shape: Shape, connections: usize, requests: usize) -> io::Result<f64> {
    let work = drive(server.address, shape, connections, requests);
    let (_, spent) = server.during(work).await?;
    Ok(spent / requests as f64)
}
