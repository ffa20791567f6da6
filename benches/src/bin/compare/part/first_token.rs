//! What a server adds to the time to the first token at 200 requests a second, over a direct call.

use super::Effort;
use crate::{
    load::{Told, at_rate},
    servers::{Bench, Setting},
    shape::Shape,
    statistics::Sample,
    table::{Table, us},
};
use std::{io, net::SocketAddr, thread::available_parallelism, time::Duration};

const PER_SECOND: f64 = 200.0;
const ROUND_MS: usize = 4000;
/// The first token comes at once, the others at a model's pace.
const SHAPE: Shape = Shape::stream(32, 5);
const QUANTILES: [f64; 3] = [0.5, 0.9, 0.99];

pub(super) async fn measure(bench: &Bench, effort: Effort) -> io::Result<()> {
    let cores = available_parallelism()?.get();
    let (nginx, one) = (bench.nginx(1).await?, bench.program(Setting::threads(1)).await?);
    let all = bench.program(Setting::threads(cores)).await?;
    let servers = [
        ("nginx, one worker", nginx.address),
        ("the program, one thread", one.address),
        ("the program, all cores", all.address),
    ];
    bench.follow(SHAPE);
    let time = Duration::from_millis(effort.of(ROUND_MS) as u64);
    let (mut direct, mut added) = (Vec::new(), vec![Vec::new(); servers.len()]);
    for round in 0..=effort.rounds {
        let floor = quantiles(bench.model.addr(), time).await?;
        for ((_, server), added) in servers.iter().zip(&mut added) {
            let ours = quantiles(*server, time).await?;
            if round > 0 {
                added.push([0, 1, 2].map(|nth| ours[nth] - floor[nth]));
            }
        }
        direct.push(floor);
    }
    let columns = ["time to the first token", "P50", "P90", "P99", "goal"];
    let title = format!("{PER_SECOND} requests/s of {}, median of rounds (range)", SHAPE.name());
    let table = Table::begin(&title, columns);
    let row = |name: &str, rounds: &[[f64; 3]], goal: &str| {
        let [p50, p90, p99] = [0, 1, 2].map(|nth| shown(rounds.iter().map(|round| round[nth])));
        table.row([name.into(), p50, p90, p99, goal.into()]);
    };
    row("directly", &direct[1..], "");
    for ((name, _), added) in servers.iter().zip(&added) {
        let goal = if name.starts_with("nginx") { "" } else { "P99 1 ms" };
        row(&format!("added by {name}"), added, goal);
    }
    Ok(())
}

async fn quantiles(server: SocketAddr, time: Duration) -> io::Result<[f64; 3]> {
    let told = at_rate(server, SHAPE, PER_SECOND, time).await?;
    if let Some(refused) = told.iter().find(|told| told.status != 200) {
        return Err(io::Error::other(format!("a request was not served: {refused:?}")));
    }
    let first: Sample = told.iter().map(|told: &Told| told.first_token).collect();
    Ok(QUANTILES.map(|share| first.quantile(share)))
}

fn shown(rounds: impl Iterator<Item = f64>) -> String {
    let spread = Sample::from_iter(rounds).spread();
    format!("{} ({}-{})", us(spread.median), us(spread.least), us(spread.most))
}
