//! A worker: a server or the echo. It makes one call at a time that it is asked for; guard and retries are routing's.

use crate::{
    Error, Metrics, ProviderName, UpstreamStream, WorkerConfig,
    call::{Answered, Patience, Server},
    metrics::{Spent, WorkerMetrics},
    provider::{Echo, Provider, provider},
    wire::{Endpoint, Wire},
};
use async_trait::async_trait;
use futures_util::{StreamExt, stream};
use http::{HeaderName, HeaderValue};
use orchestrator_core::{Chunk, Cx, Env, Failure, Head, Model, Prompt, Reply, Text, Tier};
use orchestrator_dialect::request::Target;
use std::{fmt, sync::Arc, time::Duration};
use tokio::time::Instant;

/// What all cores share of a worker, and what a core needs to call it.
#[derive(Clone, Debug)]
pub struct WorkerSpec {
    name: Arc<str>,
    config: WorkerConfig,
    /// The stage's defaults for requests that do not say.
    max_tokens: Option<u64>,
    temperature: Option<f64>,
    metrics: Metrics,
    env: Env,
}

/// A worker as one core calls it.
pub struct Worker {
    spec: WorkerSpec,
    metrics: WorkerMetrics,
    backend: Backend,
}

enum Backend {
    Server(Box<Server>),
    Echo(Echo),
}

// === impl WorkerSpec ===

impl WorkerSpec {
    /// A worker by its name in the configuration. `stage` gives the defaults for requests that do not say.
    pub fn new(name: &str, config: WorkerConfig, stage: &crate::Config, (env, metrics): (Env, Metrics)) -> Self {
        WorkerSpec {
            name: name.into(),
            config,
            max_tokens: stage.max_tokens,
            temperature: stage.temperature,
            metrics,
            env,
        }
    }

    /// The worker's name.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// How long a stream may take to its first token, and be silent after it; the echo may be for ever.
    pub fn patience(&self) -> (Duration, Duration) {
        match self.config.provider {
            ProviderName::Echo => (Duration::MAX, Duration::MAX),
            _ => (self.config.first_token_timeout(), self.config.idle_timeout()),
        }
    }

    /// The worker for one core, with connections of its own. `lookup` reads environment variables.
    pub fn for_core(&self, lookup: &dyn Fn(&str) -> Option<String>) -> Result<Worker, Error> {
        Ok(self.worker(self.backend(lookup)?))
    }

    fn worker(&self, backend: Backend) -> Worker {
        Worker {
            backend,
            metrics: self.metrics.worker(&self.name),
            spec: self.clone(),
        }
    }

    fn backend(&self, lookup: &dyn Fn(&str) -> Option<String>) -> Result<Backend, Error> {
        let Some(provider) = provider(self.config.provider) else {
            return Ok(Backend::Echo(Echo {
                delay: Duration::from_millis(self.config.delay_ms),
            }));
        };
        let place = provider.place(&self.name, &self.config, lookup)?;
        let endpoint = Endpoint::parse(&place.base_url, self.config.connect_timeout(), lookup);
        let endpoint = endpoint.map_err(|error| Error::endpoint(&self.name, error))?;
        Ok(Backend::Server(Box::new(self.server(
            provider,
            place.headers,
            Wire::new(endpoint),
        ))))
    }

    /// Its server behind this wire.
    fn server(&self, provider: Provider, headers: Vec<(HeaderName, HeaderValue)>, wire: Wire) -> Server {
        let patience = Patience {
            first_token: self.config.first_token_timeout(),
            idle: self.config.idle_timeout(),
        };
        Server::new(provider, headers, wire, patience, self.env.clone())
    }
}

// === impl Worker ===

impl Worker {
    async fn ask(&self, prompt: &Prompt) -> Result<Answered, Failure> {
        let config = &self.spec.config;
        let stream = prompt.request.stream || config.upstream_stream == UpstreamStream::Always;
        match &self.backend {
            Backend::Echo(echo) => Ok(echo.call(prompt, self.spec.max_tokens, stream).await),
            Backend::Server(server) => {
                let target = Target {
                    model: config.model.as_deref(),
                    max_tokens: self.spec.max_tokens,
                    temperature: self.spec.temperature,
                    stream,
                };
                server.call(prompt, &target).await
            }
        }
    }

    fn head(&self, prompt: &Prompt, answered: &Answered) -> Head {
        let asked = || {
            self.spec
                .config
                .model
                .as_deref()
                .map_or(prompt.request.model.clone(), Text::from)
        };
        let model = Some(answered.meta.model.clone()).filter(|model| !model.is_empty());
        Head {
            worker: self.spec.name.clone(),
            tier: Tier::Primary,
            degraded: None,
            id: answered.meta.id.clone(),
            model: model.unwrap_or_else(asked),
            created: answered.meta.created,
            attempts: 1,
            grounding: prompt.grounding.clone(),
            waited: Duration::ZERO,
        }
    }

    /// The reply, whose tokens are counted once it is over or dropped.
    fn reply(&self, head: Head, answered: Answered) -> Reply {
        let count = |batch: Result<Vec<Chunk>, Failure>, spent: &mut Spent| {
            let chunks = batch?;
            spent.hear(&chunks);
            Ok(chunks)
        };
        let batches = stream::iter([Ok(answered.first)]).chain(answered.rest);
        let events = batches.scan(self.metrics.spent(), move |spent, batch| {
            std::future::ready(Some(count(batch, spent)))
        });
        Reply {
            head: Box::new(head),
            events: events.boxed(),
        }
    }
}

#[async_trait]
impl Model for Worker {
    async fn call(&self, _: &Cx, prompt: &Prompt) -> Result<Reply, Failure> {
        let began = Instant::now();
        match self.ask(prompt).await {
            Ok(answered) => {
                self.metrics.answered(began.elapsed());
                let head = self.head(prompt, &answered);
                Ok(self.reply(head, answered))
            }
            Err(failure) => {
                self.metrics.failed(&failure);
                Err(failure)
            }
        }
    }

    async fn probe(&self) -> Option<Result<(), Failure>> {
        match &self.backend {
            Backend::Echo(_) => None,
            Backend::Server(server) => Some(server.probe().await),
        }
    }
}

impl fmt::Debug for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let provider: ProviderName = self.spec.config.provider;
        f.debug_struct("Worker")
            .field("name", &self.spec.name)
            .field("provider", &provider)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
