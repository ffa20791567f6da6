//! The command line: data to stdout, words to stderr.

use crate::{OrchestratorError, run};
use clap::{Parser, Subcommand};
use orchestrator_config::{Config, Loaded, load, schema};
use std::{
    io::Write,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::ExitCode,
};

/// Stands between applications and language models.
#[derive(Debug, Parser)]
#[command(name = "orchestrator", version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serves what a document declares, until SIGTERM or SIGINT.
    Run {
        /// The document, in TOML.
        file: PathBuf,
        #[command(flatten)]
        addresses: Addresses,
    },
    /// Serves without a document and without a key: the echo worker answers.
    Dev {
        #[command(flatten)]
        addresses: Addresses,
    },
    /// Checks a document and lists what is wrong with it.
    Validate {
        /// The document, in TOML.
        file: PathBuf,
    },
    /// Prints the JSON Schema of a document.
    Schema,
}

#[derive(Clone, Copy, Debug, clap::Args)]
struct Addresses {
    /// The address that clients connect to, instead of the document's.
    #[arg(long, env = "ORCHESTRATOR_LISTEN")]
    listen: Option<SocketAddr>,
    /// The address for operators, instead of the document's.
    #[arg(long, env = "ORCHESTRATOR_ADMIN_LISTEN")]
    admin_listen: Option<SocketAddr>,
}

/// Runs the program with the arguments of the process.
pub fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Run { file, addresses } => read(&file).and_then(|config| run::run(addresses.over(config))),
        Command::Dev { addresses } => {
            let config = addresses.over(Config::dev());
            greet(&config);
            run::run(config)
        }
        Command::Validate { file } => return validate(&file),
        Command::Schema => return print_schema(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&error.to_string());
            ExitCode::from(error.exit_code())
        }
    }
}

// === impl Addresses ===

impl Addresses {
    fn over(self, mut config: Config) -> Config {
        config.server.listen = self.listen.unwrap_or(config.server.listen);
        config.server.admin_listen = self.admin_listen.unwrap_or(config.server.admin_listen);
        config
    }
}

fn read(file: &Path) -> Result<Config, OrchestratorError> {
    let Loaded { config } = load(file, &|name| std::env::var(name).ok())?;
    Ok(config)
}

fn validate(file: &Path) -> ExitCode {
    match read(file) {
        Ok(_) => {
            say(&format!("{}: no findings", file.display()));
            ExitCode::SUCCESS
        }
        Err(findings) => {
            say(&findings.to_string());
            ExitCode::FAILURE
        }
    }
}

fn print_schema() -> ExitCode {
    let schema = serde_json::to_string_pretty(&schema()).unwrap_or_default();
    match writeln!(anstream::stdout(), "{schema}") {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn greet(config: &Config) {
    let listen = config.server.listen;
    say(&format!(
        "Ask:   curl http://{listen}/v1/chat/completions -H 'content-type: application/json' -d '{{\"model\":\"echo\",\"stream\":true,\"messages\":[{{\"role\":\"user\",\"content\":\"Hello there\"}}]}}'\nSDKs:  export OPENAI_BASE_URL=http://{listen}/v1 OPENAI_API_KEY=unused"
    ));
}

/// Words go to stderr; when nobody reads them there is nobody to tell.
fn say(words: &str) {
    drop(writeln!(anstream::stderr(), "{words}"));
}
