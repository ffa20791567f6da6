//! Workers: each that is named is there, and each can be built.

use super::Rules;
use crate::{Finding, path::Path, shape::listed};
use orchestrator_core::{Env, Secret, near};
use orchestrator_inference::{Error, Metrics, ProviderName, Resilience, WorkerConfig, WorkerSpec};
use orchestrator_resilience::chaos::RETRIEVER;

pub(super) const USED: &str = "pipeline.stages.inference.worker";

// === impl Rules ===

impl Rules<'_> {
    pub(super) fn workers(&mut self) {
        let in_use = self.config.workers_in_use();
        for (name, worker) in &self.config.workers {
            let path = Path::of("workers").key(name);
            if !in_use.contains_key(name) {
                let idle = Finding::warning(&path, format!("no route uses the worker `{name}`"));
                self.say(idle.help(format!("name it in `{USED}` or in a route, or take it out")));
            }
            self.worker(name, worker, &path);
        }
    }

    /// A worker that is named at `path` must be there, or be a provider.
    pub(super) fn named(&mut self, name: &str, path: &Path) {
        match self.config.worker(name) {
            None => self.unknown(name, path),
            Some(usual) if !self.config.workers.contains_key(name) => self.build(name, &usual, &|_| path.clone()),
            Some(_) => {}
        }
    }

    fn unknown(&mut self, name: &str, path: &Path) {
        let declared = self.config.workers.keys().map(String::as_str);
        let mut names: Vec<&str> = declared.collect();
        let providers = ProviderName::ALL.map(ProviderName::as_str);
        names.extend(
            providers
                .iter()
                .filter(|provider| !self.config.workers.contains_key(**provider)),
        );
        let near = near(name, names.iter().copied());
        let help = match near {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("declare it: `[workers.{name}]`"),
        };
        let unknown = Finding::error(path, format!("no worker is called `{name}`"));
        self.say(unknown.allowed(listed(names)).help(help));
    }

    fn worker(&mut self, name: &str, worker: &WorkerConfig, path: &Path) {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-/:".contains(c);
        if name.is_empty() || name.len() > 64 || !name.chars().all(is_plain) {
            let odd = Finding::error(
                path,
                "a worker cannot be called this: headers and metrics carry its name",
            );
            self.say(odd.allowed("1 to 64 of the characters a-z, A-Z, 0-9, `.`, `_`, `-`, `/` and `:`"));
        }
        if name == RETRIEVER {
            let taken = Finding::error(
                path,
                "a worker cannot be called this: faults of searches are told by this name",
            );
            self.say(taken.help("give it another name"));
        }
        if worker.delay_ms > 0 && worker.provider != ProviderName::Echo {
            let idle = Finding::warning(&path.key("delay_ms"), "nothing reads this: only `echo` pauses");
            self.say(idle.help("take it out"));
        }
        let (first_token, request) = (worker.first_token_timeout_ms, self.config.server.request_timeout_ms);
        let timeout = path.key("first_token_timeout_ms");
        if first_token > request && self.document.value(&timeout).is_some() {
            let message = format!("it never passes, since `server.request_timeout_ms` is {request}");
            self.say(Finding::warning(&timeout, message).help("lower it, or give requests more time"));
        }
        if worker.resilience != Resilience::default() {
            let own = worker.resilience.over(&self.config.pipeline.resilience);
            self.breaker(&path.key("resilience"), &own);
        }
        let mut worker = worker.clone();
        if worker
            .api_key
            .as_ref()
            .is_some_and(|key| !self.secret(&path.key("api_key"), key))
        {
            worker.api_key = Some(Secret::new(""));
        }
        self.build(name, &worker, &|key| path.key(key));
    }

    /// Builds a worker as the program does, but without the certificates of this machine, which are no part of a
    /// document: over plain HTTP.
    fn build(&mut self, name: &str, worker: &WorkerConfig, path: &dyn Fn(&str) -> Path) {
        let plain = |url: String| match url.strip_prefix("https:") {
            Some(rest) => format!("http:{rest}"),
            None => url,
        };
        let worker = WorkerConfig {
            base_url: worker.base_url.clone().map(plain),
            ..worker.clone()
        };
        let Ok(metrics) = Metrics::register(&prometheus::Registry::new()) else {
            return;
        };
        let stage = &self.config.pipeline.stages.inference;
        let spec = WorkerSpec::new(name, worker, stage, (Env::system(), metrics));
        let lookup = |name: &str| self.environment.lookup(name);
        match spec.for_core(&lookup) {
            Ok(_) => {}
            Err(Error::BaseUrl { reason, .. }) => {
                let finding = Finding::error(&path("base_url"), reason);
                self.say(finding.allowed("a URL such as `https://api.example.com/v1`"));
            }
            Err(Error::Key { reason, .. }) => {
                let finding = Finding::error(&path("api_key"), reason);
                self.say(finding.help("look at what its reference leads to"));
            }
            Err(Error::Proxy { variable, reason, .. }) => {
                let message = format!("the environment variable {variable} names no usable proxy: {reason}");
                self.say(Finding::error(&path("base_url"), message).help("mend or unset the variable"));
            }
            // Both are of the machine, and of TLS.
            Err(Error::Certificates { .. } | Error::Tls { .. }) => {}
        }
    }
}
