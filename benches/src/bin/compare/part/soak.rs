//! The memory of the program while it answers many requests.

use super::Effort;
use crate::{
    load::drive,
    servers::{Bench, Setting},
    shape::Shape,
    table::{Table, mb},
};
use std::io;

const REQUESTS: usize = 200_000;
const STEPS: usize = 10;

pub(super) async fn measure(bench: &Bench, effort: Effort) -> io::Result<()> {
    bench.follow(Shape::JSON);
    let program = bench.program(Setting::threads(1)).await?;
    let table = Table::begin("Memory over many JSON requests", ["requests", "memory"]);
    let step = effort.of(REQUESTS) / STEPS;
    for done in 0..=STEPS {
        table.row([(done * step).to_string(), mb(program.resident()?)]);
        if done < STEPS {
            drive(program.address, Shape::JSON, 16, step).await?;
        }
    }
    Ok(())
}
