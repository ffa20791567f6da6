//! A worker: a server or the echo, behind its guard, with retries before the first token.

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
use orchestrator_core::{Blame, Chunk, Cx, Env, Failure, Head, Model, Prompt, Reply, RequestId, Text, Tier};
use orchestrator_dialect::request::Target;
use orchestrator_resilience::{Attempts, Guard, Pause, Permit};
use parking_lot::Mutex;
use rand::rngs::StdRng;
use std::{fmt, sync::Arc, time::Duration};
use tokio::time::{Instant, sleep};

/// What all cores share of a worker, and what a core needs to call it.
#[derive(Clone, Debug)]
pub struct WorkerSpec {
    name: Arc<str>,
    config: WorkerConfig,
    /// The stage's defaults for requests that do not say.
    max_tokens: Option<u64>,
    temperature: Option<f64>,
    guard: Guard,
    metrics: Metrics,
    env: Env,
}

/// A worker as one core calls it.
pub struct Worker {
    spec: WorkerSpec,
    metrics: WorkerMetrics,
    backend: Backend,
    rng: Mutex<StdRng>,
}

enum Backend {
    Server(Box<Server>),
    Echo(Echo),
}

// === impl WorkerSpec ===

impl WorkerSpec {
    /// A worker by its name in the configuration. `stage` gives the defaults for requests that do not say, `resilience`
    /// the settings of its guard.
    pub fn new(
        name: &str,
        config: WorkerConfig,
        stage: &crate::Config,
        resilience: &orchestrator_resilience::Config,
        (env, metrics): (Env, Metrics),
    ) -> Self {
        let name: Arc<str> = name.into();
        let rng = env.random(&format!("breaker of {name}"));
        let resilience = config.resilience.over(resilience);
        let guard = Guard::new(name.clone(), resilience, config.max_concurrent, rng, &metrics.guards);
        let (max_tokens, temperature) = (stage.max_tokens, stage.temperature);
        WorkerSpec {
            name,
            config,
            max_tokens,
            temperature,
            guard,
            metrics,
            env,
        }
    }

    /// Its guard, shared by all cores.
    pub fn guard(&self) -> &Guard {
        &self.guard
    }

    /// The worker for one core, with connections of its own. `lookup` reads environment variables.
    pub fn for_core(&self, core: usize, lookup: &dyn Fn(&str) -> Option<String>) -> Result<Worker, Error> {
        Ok(self.worker(core, self.backend(lookup)?))
    }

    fn worker(&self, core: usize, backend: Backend) -> Worker {
        Worker {
            backend,
            metrics: self.metrics.worker(&self.name),
            rng: Mutex::new(self.env.random(&format!("retries of {} on core {core}", self.name))),
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
            first_token: Duration::from_millis(self.config.first_token_timeout_ms),
            idle: Duration::from_millis(self.config.idle_timeout_ms),
        };
        Server::new(provider, headers, wire, patience, self.env.clone())
    }
}

// === impl Worker ===

impl Worker {
    /// One call behind the guard.
    async fn attempt(&self, prompt: &Prompt, attempts: &mut Attempts) -> Result<(Permit, Answered), Failure> {
        let mut permit = self.spec.guard.admit().await?;
        attempts.begin();
        let started = Instant::now();
        match self.ask(prompt).await {
            Ok(answered) => {
                permit.first_token();
                self.metrics.answered(started.elapsed());
                Ok((permit, answered))
            }
            Err(failure) => {
                let failure = permit.failed(failure);
                self.metrics.failed(&failure);
                self.log_failed(prompt.request.id, attempts.made(), &failure);
                Err(failure)
            }
        }
    }

    /// The access log has what a client did wrong; what is wrong with the worker is for whoever runs it.
    fn log_failed(&self, request_id: RequestId, attempt: u32, failure: &Failure) {
        let (worker, code, status) = (&*self.spec.name, failure.code().as_str(), failure.status());
        match failure.code().blame() {
            Blame::Client => tracing::debug!(%request_id, worker, attempt, code, status, "a call was refused"),
            _ => tracing::warn!(
                %request_id,
                worker,
                attempt,
                code,
                status,
                causes = failure.causes(),
                "a call failed: {}",
                failure.loggable(),
            ),
        }
    }

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

    fn head(&self, prompt: &Prompt, answered: &Answered, attempts: &Attempts) -> Head {
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
            id: answered.meta.id.clone(),
            model: model.unwrap_or_else(asked),
            created: answered.meta.created,
            attempts: attempts.made(),
            grounding: prompt.grounding.clone(),
            waited: Duration::ZERO,
        }
    }

    /// The reply, in whose stream the permit rides.
    fn reply(&self, head: Head, permit: Permit, answered: Answered) -> Reply {
        let observe = |batch: Result<Vec<Chunk>, Failure>, (permit, spent): &mut (Permit, Spent)| {
            let chunks = batch.map_err(|failure| permit.failed(failure))?;
            spent.hear(&chunks);
            Ok(chunks)
        };
        let batches = stream::iter([Ok(answered.first)]).chain(answered.rest);
        let events = batches.scan((permit, self.metrics.spent()), move |call, batch| {
            std::future::ready(Some(observe(batch, call)))
        });
        Reply {
            head,
            events: events.boxed(),
        }
    }
}

#[async_trait]
impl Model for Worker {
    async fn call(&self, cx: &Cx, prompt: &Prompt) -> Result<Reply, Failure> {
        let mut attempts = Attempts::new(self.spec.guard.config());
        let mut last = None;
        loop {
            let made = attempts.made();
            let failure = match self.attempt(prompt, &mut attempts).await {
                Ok((permit, answered)) => {
                    let head = self.head(prompt, &answered, &attempts);
                    return Ok(self.reply(head, permit, answered));
                }
                Err(failure) => failure,
            };
            // That the worker is left alone meanwhile says less than what its last call came to.
            let failure = match last.take() {
                Some(last) if attempts.made() == made => return Err(last),
                _ => failure,
            };
            let now = Instant::now();
            let next = attempts.after(&failure, now, cx.deadline().unwrap_or(now), &mut *self.rng.lock());
            match next {
                Pause::Never => return Err(failure),
                Pause::For(pause) => {
                    self.spec
                        .metrics
                        .guards
                        .retried(&self.spec.name, failure.code().as_str());
                    last = Some(failure);
                    sleep(pause).await;
                }
            }
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
