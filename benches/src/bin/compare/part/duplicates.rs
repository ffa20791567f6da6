//! Equal requests at once: one call, whose answer all share. Beside as many that differ.

use super::Effort;
use crate::{
    load::{Client, all},
    process::Server,
    servers::{Bench, Setting},
    shape::{Shape, post},
    statistics::Sample,
    table::{Table, us},
};
use std::{io, sync::Arc};
use tokio::task::JoinSet;

/// The model takes its time, so that all have asked before it answers.
const SHAPE: Shape = Shape {
    first_ms: 500,
    ..Shape::JSON
};
const CLIENTS: [usize; 2] = [100, 1000];

pub(super) async fn measure(bench: &Bench, effort: Effort) -> io::Result<()> {
    bench.follow(SHAPE);
    let program = bench.program(Setting::threads(1)).await?;
    let columns = [
        "requests at once",
        "calls when equal",
        "a request",
        "calls when different",
        "a request",
        "ratio",
    ];
    let table = Table::begin("Processor time of equal requests, one thread", columns);
    for count in CLIENTS {
        let mut clients = Vec::with_capacity(count);
        for _ in 0..count {
            clients.push(Client::connect(program.address).await?);
        }
        let mut rounds = Vec::new();
        for round in 0..=effort.rounds {
            let equal = SHAPE.body();
            let same = ask(bench, &program, &mut clients, || post(&equal)).await?;
            let other = ask(bench, &program, &mut clients, || SHAPE.request()).await?;
            if round > 0 {
                rounds.push([same.0, same.1, other.0, other.1, same.1 / other.1]);
            }
        }
        let [calls, equal, others, different, ratio] =
            [0, 1, 2, 3, 4].map(|nth| rounds.iter().map(|round| round[nth]).collect::<Sample>());
        table.row([
            count.to_string(),
            format!("{:.0}", calls.quantile(1.0)),
            us(equal.median()),
            format!("{:.0}", others.median()),
            us(different.median()),
            ratio.spread().to_string(),
        ]);
    }
    Ok(())
}

/// All clients ask at once: the calls that this led to, and the program's processor time for a request.
async fn ask(
    bench: &Bench,
    program: &Server,
    clients: &mut Vec<Client>,
    request: impl Fn() -> Vec<u8>,
) -> io::Result<(f64, f64)> {
    let expected: Arc<str> = SHAPE.text().into();
    let before = bench.model.stats().total.calls;
    let mut asking = JoinSet::new();
    for mut client in clients.drain(..) {
        let (request, expected) = (request(), expected.clone());
        asking.spawn(async move {
            client.ask(&request, |_, _| {}).await?;
            client.answer.check(&expected).map(|()| client)
        });
    }
    let (answered, spent) = program.during(all(asking)).await?;
    *clients = answered;
    let calls = bench.model.stats().total.calls - before;
    Ok((calls as f64, spent / clients.len() as f64))
}
