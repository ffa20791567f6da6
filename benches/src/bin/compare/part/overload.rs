//! More requests than the model can answer: what is served all the same, and how fast the others are told.

use super::Effort;
use crate::{
    load::{Told, at_rate, drive},
    servers::{Bench, Setting},
    shape::Shape,
    statistics::Sample,
    table::{Table, us},
};
use std::{io, time::Duration};
use tokio::time::Instant;

const SETTING: Setting = Setting {
    slots: 4,
    lane: 20,
    ..Setting::threads(1)
};
/// 70 ms of a slot.
const SHAPE: Shape = Shape {
    first_ms: 70,
    ..Shape::JSON
};
const SECONDS: usize = 8;
/// Multiples of the capacity.
const LOADS: [f64; 3] = [1.0, 2.0, 10.0];

pub(super) async fn measure(bench: &Bench, effort: Effort) -> io::Result<()> {
    bench.follow(SHAPE);
    let capacity = capacity(bench).await?;
    let time = Duration::from_millis(effort.of(SECONDS * 1000) as u64);
    let columns = [
        "asked",
        "served",
        "of the capacity",
        "refused",
        "a refusal, P50",
        "P99",
        "with `retry-after`",
        "a request",
    ];
    let title = format!(
        "Overload: {} slots, {capacity:.1} answers/s without anybody between",
        SETTING.slots
    );
    let table = Table::begin(&title, columns);
    for load in LOADS {
        // Anew each time: the lanes are empty, no breaker remembers.
        let program = bench.program(SETTING).await?;
        drive(program.address, SHAPE, SETTING.slots, SETTING.slots).await?;
        let began = Instant::now();
        let work = at_rate(program.address, SHAPE, capacity * load, time);
        let (told, spent) = program.during(work).await?;
        // Until the last one was told: those that waited were served after the time was over.
        let took = began.elapsed().as_secs_f64();
        let (served, refused): (Vec<Told>, Vec<Told>) = told.iter().partition(|told| told.status == 200);
        if let Some(other) = refused.iter().find(|told| ![429, 503].contains(&told.status)) {
            return Err(io::Error::other(format!("neither served nor refused: {other:?}")));
        }
        let refusals: Sample = refused.iter().map(|told| told.whole).collect();
        let told_after = |share| match refused.is_empty() {
            true => "-".into(),
            false => us(refusals.quantile(share)),
        };
        let marked = refused.iter().filter(|told| told.says_when_to_come_back).count();
        table.row([
            format!("{load}x: {:.0}/s", capacity * load),
            format!("{:.1}/s", served.len() as f64 / took),
            format!("{:.1} %", served.len() as f64 / took / capacity * 100.0),
            refused.len().to_string(),
            told_after(0.5),
            told_after(0.99),
            marked.to_string(),
            us(spent / told.len() as f64),
        ]);
    }
    Ok(())
}

/// Answers a second with all slots taken, nobody between.
async fn capacity(bench: &Bench) -> io::Result<f64> {
    const REQUESTS: usize = 120;
    let began = Instant::now();
    drive(bench.model.addr(), SHAPE, SETTING.slots, REQUESTS).await?;
    Ok(REQUESTS as f64 / began.elapsed().as_secs_f64())
}
