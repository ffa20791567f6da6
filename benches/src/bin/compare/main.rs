//! The real program beside nginx, before the same scripted model, in one run: processor times of the servers alone, what
//! the program adds to a direct call, memory. Every answer is compared with what the model said; a wrong token ends the run.
//!
//! `shape` is what is asked, `load` and `crowd` who asks, `servers` whom, `part` what is measured of it.
#![allow(
    clippy::print_stdout,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "a command for people whose numbers are small"
)]

mod answer;
mod crowd;
mod frame;
mod load;
mod part;
mod process;
mod servers;
mod shape;
mod socket;
mod statistics;
mod table;

use clap::Parser;
use part::{Effort, Part};
use servers::Bench;
use std::{error::Error, fs, path::PathBuf, thread::available_parallelism};

/// Measures the program beside nginx and beside direct calls.
#[derive(Debug, Parser)]
struct Arguments {
    /// Measures this part alone; may be given several times.
    #[arg(long, value_enum)]
    only: Vec<Part>,
    /// Less than a minute for what the goals name first.
    #[arg(long)]
    short: bool,
    /// Rounds that count of each part; servers take turns. Default: 7, or 3 of a short run.
    #[arg(long)]
    rounds: Option<usize>,
    /// Hundredths of the usual number of requests in a round. Default: 100, or 25 of a short run.
    #[arg(long)]
    percent: Option<usize>,
    /// A program that is built already.
    #[arg(long)]
    program: Option<PathBuf>,
    /// Another build of the program, such as that before a change: `requests` and `cores` measure it in the same rounds.
    #[arg(long)]
    before: Option<PathBuf>,
    /// The nginx to measure beside.
    #[arg(long, env = "NGINX", default_value = "/usr/sbin/nginx")]
    nginx: PathBuf,
    /// More of the program's document, such as `[telemetry]` sections.
    #[arg(long, default_value = "")]
    document: String,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    rlimit::increase_nofile_limit(u64::MAX)?;
    let (effort, short) = (arguments.effort(), arguments.short);
    let parts = match &*arguments.only {
        [] => Part::usual(short).to_vec(),
        only => only.to_vec(),
    };
    let bench = Bench::new(arguments.program, arguments.before, arguments.nginx, arguments.document)?;
    println!("{}", machine()?);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        for part in parts {
            part.measure(&bench, effort).await?;
        }
        println!("\n{}", machine()?);
        Ok(())
    })
}

impl Arguments {
    fn effort(&self) -> Effort {
        let (rounds, percent) = if self.short { (3, 25) } else { (7, 100) };
        Effort {
            rounds: self.rounds.unwrap_or(rounds),
            percent: self.percent.unwrap_or(percent),
            short: self.short,
        }
    }
}

/// What the machine is like, and what else it has to do.
fn machine() -> Result<String, Box<dyn Error>> {
    let [release, loads] = ["/proc/sys/kernel/osrelease", "/proc/loadavg"].map(fs::read_to_string);
    let (release, cores) = (release?, available_parallelism()?);
    Ok(format!(
        "{cores} cores, Linux {}, load {}",
        release.trim(),
        loads?.trim()
    ))
}
