//! What every face needs to take a request in.

use crate::{Config, Control, Life, Metrics, deal::Deal, options::Options, resume::Resumable};
use http::HeaderMap;
use orchestrator_core::{Answer, Blocking, Code, Env, Failure, InFlight, Request, Submit, Tasks, Text};
use orchestrator_telemetry::{AccessLog, Registry};
use serde_json::Value;
use std::{fmt, sync::Arc};

/// Checks the faults that a client asks for in `x-orchestrator-chaos`; [`Request::chaos`] carries what has passed.
pub type Chaos = Arc<dyn Fn(&str) -> Result<(), Failure> + Send + Sync>;

/// A model that clients may ask for by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The name.
    pub id: String,
    /// Who serves it: the worker's provider.
    pub owned_by: String,
}

/// What the doors are built from.
#[derive(Clone)]
pub struct Parts {
    /// The limits.
    pub config: Arc<Config>,
    /// Time and chance.
    pub env: Env,
    /// Where the process is in its life.
    pub life: Life,
    /// Where each request leaves its line.
    pub access: AccessLog,
    /// What the doors show.
    pub metrics: Metrics,
    /// What `/metrics` shows.
    pub registry: Registry,
    /// The resolved `admin_token`; empty when none is asked for.
    pub admin_token: Arc<str>,
    /// What operators read and steer beside health and metrics.
    pub control: Control,
    /// Which faults clients may ask for.
    pub chaos: Chaos,
    /// The models that clients may ask for.
    pub models: Vec<Listed>,
    /// The one that a request means which names none; without it such a request is refused.
    pub default_model: Option<Text>,
}

/// The doors of the program, shared by all cores.
pub(crate) struct Shared {
    pub(crate) parts: Parts,
    pub(crate) deal: Arc<Deal>,
    /// The lines, by core.
    pub(crate) lines: Vec<Arc<dyn Submit>>,
    pub(crate) resumable: Resumable,
    /// Where operators are answered, who may ask for much: one at a time, beside the cores.
    pub(crate) operators: Blocking,
    /// When the program began, in seconds since 1970: the birth date of listed models.
    pub(crate) born: u64,
}

/// The doors as one core serves them.
#[derive(Clone)]
pub(crate) struct Door {
    pub(crate) shared: Arc<Shared>,
    pub(crate) core: usize,
    pub(crate) tasks: Tasks,
}

// === impl Parts ===

impl fmt::Debug for Parts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parts")
            .field("config", &self.config)
            .field("models", &self.models)
            .finish_non_exhaustive()
    }
}

// === impl Door ===

impl Door {
    pub(crate) fn config(&self) -> &Config {
        &self.shared.parts.config
    }

    /// What a request's headers ask of us.
    pub(crate) fn options(&self, headers: &HeaderMap) -> Result<Options, Failure> {
        Options::read(headers, self.config(), &self.shared.parts.chaos)
    }

    pub(crate) fn life(&self) -> &Life {
        &self.shared.parts.life
    }

    /// The same door for a request that the core with least to do shall run.
    pub(crate) fn elsewhere(&self) -> Door {
        Door {
            core: self.shared.deal.least(),
            ..self.clone()
        }
    }

    /// Submits a request to this core's line.
    pub(crate) fn submit(&self, request: Request) -> Result<Answer, Failure> {
        self.line()?.submit(request)
    }

    /// Tells what this core's line would do with a request.
    pub(crate) fn plan(&self, request: &Request) -> Result<Value, Failure> {
        self.line()?.plan(request)
    }

    /// Takes a place among the requests in flight.
    pub(crate) fn enter(&self) -> Result<InFlight, Failure> {
        self.line()?.enter()
    }

    fn line(&self) -> Result<&dyn Submit, Failure> {
        let gone = || Failure::new(Code::Internal, "The server has no line on this core.");
        self.shared.lines.get(self.core).map(|line| &**line).ok_or_else(gone)
    }
}

#[cfg(test)]
mod tests;
