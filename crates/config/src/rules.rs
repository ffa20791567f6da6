//! What no schema can say: how fields must fit each other, the environment, and the parts that read them.

mod chaos;
mod degradation;
mod parts;
mod routes;
mod workers;

use crate::{Config, Environment, Finding, document::Document, environment::mend, path::Path};
use orchestrator_core::Secret;
use std::{fs, os::unix::fs::PermissionsExt};

/// Checks a configuration whose every field is right by itself.
pub(crate) fn check(config: &Config, document: &Document<'_>, environment: &Environment) -> Vec<Finding> {
    let mut rules = Rules::new(config, document, environment);
    rules.secret(&Path::of("server.admin_token"), &config.server.admin_token);
    rules.addresses();
    rules.limits();
    rules.pools();
    rules.routes();
    rules.degradation();
    rules.workers();
    rules.parts();
    rules.chaos();
    rules.findings
}

/// Checks those rules that a setting can break which may change while the program works. Asks nothing of the machine.
pub(crate) fn check_live(config: &Config, document: &Document<'_>) -> Vec<Finding> {
    let nothing = Environment::default();
    let mut rules = Rules::new(config, document, &nothing);
    rules.pools();
    rules.routes();
    rules.findings
}

/// The rules at work.
struct Rules<'a> {
    config: &'a Config,
    document: &'a Document<'a>,
    environment: &'a Environment,
    findings: Vec<Finding>,
}

// === impl Rules ===

impl<'a> Rules<'a> {
    fn new(config: &'a Config, document: &'a Document<'a>, environment: &'a Environment) -> Self {
        Rules {
            config,
            document,
            environment,
            findings: Vec::new(),
        }
    }
}

impl Rules<'_> {
    fn say(&mut self, finding: Finding) {
        self.findings.push(finding);
    }

    /// A secret must be there, and should not stand where many read. Says whether it can be had.
    fn secret(&mut self, path: &Path, secret: &Secret) -> bool {
        let reference = secret.reference();
        let inner = reference.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'));
        if inner.is_none() && reference.contains("${") {
            let help = "write nothing but `${NAME}`, `${NAME:-default}` or `${file:/path}`";
            self.say(Finding::error(path, "a secret is a reference as a whole or not at all").help(help));
            return false;
        }
        if let Err(missing) = self.environment.resolve(secret) {
            self.say(Finding::error(path, missing).help(mend(reference)));
            return false;
        }
        let file = inner.and_then(|inner| inner.strip_prefix("file:"));
        let default = inner
            .and_then(|inner| inner.split_once(":-"))
            .map_or("", |(_, default)| default);
        let is_plain = file.is_none() && !default.is_empty() || inner.is_none() && !reference.is_empty();
        if is_plain && !self.document.is_from_outside(path) {
            let help = "write `${NAME}` for an environment variable or `${file:/path}` for a file that holds it";
            self.say(Finding::warning(path, "a secret stands in the document for all to read").help(help));
        }
        let mode = file
            .and_then(|file| fs::metadata(file).ok())
            .map(|file| file.permissions().mode());
        if mode.is_some_and(|mode| mode & 0o004 != 0) {
            let warning = Finding::warning(path, "every user of this machine may read the file of this secret");
            self.say(warning.help("take the right away: `chmod o-r`"));
        }
        true
    }

    /// Both listeners need a place of their own.
    fn addresses(&mut self) {
        let (clients, operators) = (self.config.server.listen, self.config.server.admin_listen);
        let is_wide = clients.ip().is_unspecified() || operators.ip().is_unspecified();
        let is_same = clients.port() == operators.port() && (clients.ip() == operators.ip() || is_wide);
        if is_same && clients.port() != 0 {
            let [listen, admin_listen] = ["server.listen", "server.admin_listen"].map(Path::of);
            let is_by_flag = self.document.is_from_outside(&listen) && !self.document.is_from_outside(&admin_listen);
            let path = if is_by_flag { listen } else { admin_listen };
            let clash = Finding::error(&path, "clients and operators have the same address");
            self.say(clash.help("give `admin_listen` another port than `listen`"));
        }
    }

    fn limits(&mut self) {
        let Config {
            pipeline,
            server,
            shutdown,
            ..
        } = self.config;
        self.resilience(&Path::of("pipeline.resilience"), &pipeline.resilience);
        let answers = &pipeline.answers;
        let [answer, log] = [answers.max_answer_bytes, answers.max_log_bytes].map(|bytes| bytes as u64);
        self.order(
            &Path::of("pipeline.answers"),
            ("max_answer_bytes", answer),
            ("max_log_bytes", log),
        );
        if shutdown.pre_stop_ms >= shutdown.grace_ms {
            let late = Finding::error(
                &Path::of("shutdown.grace_ms"),
                "nothing is left of it after `pre_stop_ms`",
            );
            self.say(late.allowed(format!("more than {}", shutdown.pre_stop_ms)));
        }
        if pipeline.lanes.capacity > server.max_in_flight {
            let message = format!(
                "a lane is never full, since `server.max_in_flight` is {}",
                server.max_in_flight
            );
            let idle = Finding::warning(&Path::of("pipeline.lanes.capacity"), message);
            self.say(idle.help("lower it, or let more requests in"));
        }
    }

    fn pools(&mut self) {
        let pools = &self.config.pools;
        let ceiling = ("ceiling", pools.ceiling as u64);
        self.order(&Path::of("pools"), ("fast", pools.fast as u64), ceiling);
        self.order(&Path::of("pools"), ("slow", pools.slow as u64), ceiling);
    }

    fn resilience(&mut self, table: &Path, config: &orchestrator_resilience::Config) {
        let (base, most) = (config.retry_base_ms, config.retry_max_ms);
        self.order(table, ("retry_base_ms", base), ("retry_max_ms", most));
        self.breaker(table, config);
    }

    fn breaker(&mut self, table: &Path, config: &orchestrator_resilience::Config) {
        let (open, most) = (config.circuit_breaker_timeout_s, config.open_max_s);
        self.order(table, ("circuit_breaker_timeout_s", open), ("open_max_s", most));
    }

    /// The first of two fields must not be more than the second.
    fn order(&mut self, table: &Path, (low, least): (&str, u64), (high, most): (&str, u64)) {
        if least > most {
            let message = format!("{least} is more than `{high}`, which is {most}");
            let finding = Finding::error(&table.key(low), message);
            self.say(
                finding
                    .allowed(format!("at most {most}"))
                    .help(format!("lower `{low}` or raise `{high}`")),
            );
        }
    }
}

#[cfg(test)]
mod tests;
