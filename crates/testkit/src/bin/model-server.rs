//! The scripted model server in a process of its own, for benchmarks and for tests in other languages. It prints its
//! address on the first line of its output and serves until it is ended.

use clap::Parser;
use orchestrator_testkit::{ModelServer, Script};
use std::{
    io::{self, Write},
    net::{IpAddr, SocketAddr},
};

/// A model server that follows scripts.
#[derive(Parser)]
struct Options {
    /// The port to listen on; 0 takes a free one.
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// The address to listen on.
    #[arg(long, default_value = "127.0.0.1")]
    host: IpAddr,
    /// The script that calls follow, as JSON.
    #[arg(long, default_value = "{}", value_parser = Script::parse)]
    script: Script,
}

fn main() -> io::Result<()> {
    let options = Options::parse();
    let server = ModelServer::bind(SocketAddr::new(options.host, options.port))?;
    server.script(options.script);
    let mut out = io::stdout().lock();
    writeln!(out, "{}", server.url())?;
    out.flush()?;
    drop(out);
    loop {
        std::thread::park();
    }
}
