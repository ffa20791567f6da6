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
    let setting = Setting::threads(threads);
    let (nginx, program) = (bench.nginx(threads).await?, bench.program(setting).await?);
    let before = bench.before(setting).await?;
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
    let mut notes = Vec::new();
    let servers: Vec<&Server> = [Some(&nginx), Some(&program), before.as_ref()]
        .into_iter()
        .flatten()
        .collect();
    for (shape, requests, connections, goal) in rows.iter().copied() {
        bench.follow(shape);
        let requests = effort.of(requests).max(connections);
        let mut rounds = vec![Vec::new(); servers.len()];
        for round in 0..=effort.rounds {
            for (server, rounds) in servers.iter().zip(&mut rounds) {
                let spent = a_request(server, shape, connections, requests).await?;
                // The first round fills caches and pools.
                if round > 0 {
                    rounds.push(spent);
                }
            }
        }
        let median = |rounds: &[f64]| rounds.iter().copied().collect::<Sample>().median();
        let (floor, ours) = (median(&rounds[0]), median(&rounds[1]));
        let tokens = shape.tokens as f64;
        table.row([
            shape.name(),
            us(floor),
            us(ours),
            ratios(&rounds[1], &rounds[0]).spread().to_string(),
            goal.into(),
            us(floor / tokens),
            us(ours / tokens),
            mb(program.resident()?),
        ]);
        if let Some(before) = rounds.get(2) {
            let beside_nginx = ratios(before, &rounds[0]).spread();
            let change = ratios(&rounds[1], before).spread();
            let (name, before) = (shape.name(), us(median(before)));
            notes.push(format!(
                "{name}: {before} before, {beside_nginx} x nginx; now {change} x that"
            ));
        }
    }
    notes.iter().for_each(|note| println!("\n{note}"));
    Ok(())
}

/// Round by round.
fn ratios(ours: &[f64], than: &[f64]) -> Sample {
    ours.iter().zip(than).map(|(ours, than)| ours / than).collect()
}

async fn a_request(server: &Server, shape: Shape, connections: usize, requests: usize) -> io::Result<f64> {
    let work = drive(server.address, shape, connections, requests);
    let (_, spent) = server.during(work).await?;
    Ok(spent / requests as f64)
}
