//! The program beside nginx, in one run: the processor time of each server for a request, as a ratio.
//!
//! Both stand before the same scripted model server and serve with one thread. Rounds alternate between them, so that a
//! noisy machine disturbs both; the median of the rounds' ratios counts, their range shows how far to trust it.
#![allow(
    clippy::print_stdout,
    clippy::arithmetic_side_effects,
    reason = "a command for people whose numbers are small"
)]

mod load;
mod process;
mod report;
mod servers;

use clap::Parser;
use load::Shape;
use report::Round;
use servers::Servers;
use std::error::Error;

/// Measures the processor time of the program for a request beside that of nginx.
#[derive(Debug, Parser)]
struct Arguments {
    /// Rounds of each shape; each server is measured once a round.
    #[arg(long, default_value_t = 7)]
    rounds: usize,
    /// Hundredths of the usual number of requests in a round.
    #[arg(long, default_value_t = 100)]
    percent: usize,
    /// Instead: sends so many JSON requests and shows the program's memory on the way.
    #[arg(long)]
    soak: Option<usize>,
    /// More of the program's document, such as `[telemetry]` sections.
    #[arg(long, default_value = "")]
    document: String,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let servers = Servers::start(&arguments.document).await?;
        match arguments.soak {
            Some(requests) => soak(&servers, requests).await,
            None => compare(&servers, &arguments).await,
        }
    })
}

async fn compare(servers: &Servers, arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    report::head();
    for shape in Shape::ALL {
        servers.follow(shape.script())?;
        let requests = (shape.requests() * arguments.percent / 100).max(shape.connections());
        let mut rounds = Vec::new();
        for round in 0..=arguments.rounds {
            let nginx = measure(&servers.nginx, shape, requests).await?;
            let program = measure(&servers.program, shape, requests).await?;
            // The first round fills caches and pools.
            if round > 0 {
                rounds.push(Round { nginx, program });
            }
        }
        report::row(shape, &rounds, servers.program.resident()?);
    }
    Ok(())
}

/// Microseconds of processor time that the server spends on a request of this shape.
async fn measure(server: &process::Server, shape: Shape, requests: usize) -> Result<f64, Box<dyn Error>> {
    let before = server.processor_ns()?;
    load::drive(server.address, shape, requests).await?;
    let spent = server.processor_ns()? - before;
    Ok(spent as f64 / requests as f64 / 1000.0)
}

/// The memory of the program while it answers many requests.
async fn soak(servers: &Servers, requests: usize) -> Result<(), Box<dyn Error>> {
    const STEPS: usize = 10;
    servers.follow(Shape::Json.script())?;
    for step in 0..=STEPS {
        let resident = servers.program.resident()?;
        println!(
            "{:>8} requests  {:>6.1} MB",
            step * requests / STEPS,
            resident as f64 / 1e6
        );
        if step < STEPS {
            load::drive(servers.program.address, Shape::Json, requests / STEPS).await?;
        }
    }
    Ok(())
}
