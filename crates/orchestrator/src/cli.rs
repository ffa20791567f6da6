//! The command line: data to stdout, words to stderr; colours only where a terminal reads and `NO_COLOR` is not set.
//!
//! Exit codes: 0 all is well; 1 findings, or a run that failed; 2 a wrong command line; 78 a configuration that cannot be
//! run, so that a service manager does not try again.

mod report;

use crate::{OrchestratorError, run};
use clap::{Parser, Subcommand, ValueEnum};
use orchestrator_config::{Config, Environment, Loaded, load, without_document};
use report::{print, say};
use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::ExitCode,
};

/// Stands between applications and language models.
#[derive(Debug, Parser)]
#[command(name = "orchestrator", version, about, after_help = ENVIRONMENT)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

const ENVIRONMENT: &str = "Any field of a document can be set by a variable: ORCHESTRATOR__SERVER__MAX_IN_FLIGHT=100 sets \
                           server.max_in_flight. A flag goes before a variable, a variable before the document.";

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
    /// Checks a document and lists all that is wrong with it.
    Validate(Question),
    /// Prints the JSON Schema of a document.
    Schema,
    /// Says in words what a document makes the program do; as JSON, prints the configuration with all its defaults.
    Explain {
        #[command(flatten)]
        question: Question,
        /// Prints the plan of the chat request in this file instead, as JSON: which workers it would be sent to, and why.
        #[arg(long)]
        request: Option<PathBuf>,
    },
}

/// What is asked about a document.
#[derive(Debug, clap::Args)]
struct Question {
    /// The document, in TOML.
    file: PathBuf,
    /// How the answer is written.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people.
    Human,
    /// For programs.
    Json,
}

#[derive(Clone, Copy, Debug, clap::Args)]
struct Addresses {
    /// The address that clients connect to.
    #[arg(long, env = "ORCHESTRATOR_LISTEN")]
    listen: Option<SocketAddr>,
    /// The address for operators.
    #[arg(long, env = "ORCHESTRATOR_ADMIN_LISTEN")]
    admin_listen: Option<SocketAddr>,
}

/// Runs the program with the arguments of the process.
pub fn main() -> ExitCode {
    let environment = Environment::of_process();
    match Arguments::parse().command {
        Command::Run { file, addresses } => serve(load(&file, &addresses.over(environment)).map_err(Into::into)),
        Command::Dev { addresses } => {
            let loaded = without_document(&addresses.over(environment));
            serve(loaded.inspect(greet).map_err(Into::into))
        }
        Command::Validate(question) => validate(&question, &environment),
        Command::Schema => print(&report::json(&orchestrator_config::schema())),
        Command::Explain { question, request } => explain(&question, request.as_deref(), &environment),
    }
}

// === impl Addresses ===

impl Addresses {
    /// The environment with what the flags say in it.
    fn over(self, mut environment: Environment) -> Environment {
        let flags = [
            ("--listen", "server.listen", self.listen),
            ("--admin-listen", "server.admin_listen", self.admin_listen),
        ];
        for (name, path, address) in flags {
            if let Some(address) = address {
                environment = environment.with_flag(name, path, address);
            }
        }
        environment
    }
}

fn serve(loaded: Result<Loaded, OrchestratorError>) -> ExitCode {
    match loaded.and_then(run::run) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            match &error {
                OrchestratorError::Config(findings) => report::findings(&findings.0),
                error => say(&error.to_string()),
            }
            ExitCode::from(error.exit_code())
        }
    }
}

fn validate(question: &Question, environment: &Environment) -> ExitCode {
    let (is_valid, findings) = match load(&question.file, environment) {
        Ok(loaded) => (true, loaded.warnings),
        Err(findings) => (false, findings.0),
    };
    match question.format {
        Format::Json => {
            if print(&report::json(&report::Verdict::of(&question.file, &findings))) != ExitCode::SUCCESS {
                return ExitCode::FAILURE;
            }
        }
        Format::Human => {
            report::findings(&findings);
            say(&format!("{}: {}", question.file.display(), report::count(&findings)));
        }
    }
    if is_valid { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn explain(question: &Question, request: Option<&Path>, environment: &Environment) -> ExitCode {
    match load(&question.file, environment) {
        Ok(Loaded { config, warnings }) => {
            report::findings(&warnings);
            match (request, question.format) {
                (Some(request), _) => plan(&config, request),
                (None, Format::Human) => print(&orchestrator_config::explain(&config)),
                (None, Format::Json) => print(&report::json(&orchestrator_config::effective(&config))),
            }
        }
        Err(findings) => {
            report::findings(&findings.0);
            ExitCode::FAILURE
        }
    }
}

fn plan(config: &Config, request: &Path) -> ExitCode {
    match crate::plan::plan(config, request) {
        Ok(plan) => print(&report::json(&plan)),
        Err(error) => {
            say(&error.to_string());
            ExitCode::FAILURE
        }
    }
}

fn greet(loaded: &Loaded) {
    let listen = loaded.config.server.listen;
    say(&format!(
        "Ask:   curl http://{listen}/v1/chat/completions -H 'content-type: application/json' -d '{{\"model\":\"echo\",\"stream\":true,\"messages\":[{{\"role\":\"user\",\"content\":\"Hello there\"}}]}}'\nSDKs:  export OPENAI_BASE_URL=http://{listen}/v1 OPENAI_API_KEY=unused"
    ));
}
