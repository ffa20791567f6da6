//! From a file to a configuration that can run, or to what is wrong with it.

use crate::{Config, Finding, Findings};
use orchestrator_inference::ProviderName;
use std::{ops::Range, path::Path};

/// Reads an environment variable.
pub type Lookup<'a> = &'a dyn Fn(&str) -> Option<String>;

/// The largest document, in bytes.
const MAX_DOCUMENT: u64 = 10 << 20;

/// A configuration that can run.
#[derive(Clone, Debug, PartialEq)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
}

/// Reads and checks a document. `lookup` reads the environment, where secrets may stand.
pub fn load(file: &Path, lookup: Lookup<'_>) -> Result<Loaded, Findings> {
    let wrong = |message: String| Findings(vec![at_file(file, message)]);
    let size = std::fs::metadata(file).map_err(|error| wrong(format!("the file cannot be read: {error}")))?;
    if size.is_dir() {
        return Err(wrong("this is a directory: name a TOML file".to_owned()));
    }
    if size.len() > MAX_DOCUMENT {
        return Err(wrong(format!("the file has more than {MAX_DOCUMENT} bytes")));
    }
    let bytes = std::fs::read(file).map_err(|error| wrong(format!("the file cannot be read: {error}")))?;
    let text = String::from_utf8(bytes).map_err(|error| {
        wrong(format!(
            "the file is not UTF-8: byte {} cannot be read",
            error.utf8_error().valid_up_to()
        ))
    })?;
    parse(file, &text, lookup)
}

/// Checks the text of a document; `file` is what findings name.
pub fn parse(file: &Path, text: &str, lookup: Lookup<'_>) -> Result<Loaded, Findings> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let config: Config = toml::from_str(text).map_err(|error| Findings(vec![broken(file, text, &error)]))?;
    let findings: Vec<Finding> = rules(&config, lookup)
        .into_iter()
        .map(|(path, message)| Finding {
            path,
            ..at_file(file, message)
        })
        .collect();
    match findings.is_empty() {
        true => Ok(Loaded { config }),
        false => Err(Findings(findings)),
    }
}

/// The JSON Schema of a document.
pub fn schema() -> schemars::Schema {
    schemars::schema_for!(Config)
}

/// What the types cannot say: field path and message.
fn rules(config: &Config, lookup: Lookup<'_>) -> Vec<(String, String)> {
    let mut findings = Vec::new();
    let mut say = |path: &str, message: String| findings.push((path.to_owned(), message));
    let stages = &config.pipeline.stages;
    let worker = config.worker();
    if worker.is_none() {
        let names = config
            .workers
            .keys()
            .map(String::as_str)
            .chain(ProviderName::ALL.map(ProviderName::as_str));
        let names: Vec<&str> = names.collect();
        let wanted = &stages.inference.worker;
        let near = names
            .iter()
            .max_by(|a, b| strsim::jaro(a, wanted).total_cmp(&strsim::jaro(b, wanted)));
        let near = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
        let message = format!("no worker is called `{wanted}`: there are {}{near}", names.join(", "));
        say("pipeline.stages.inference.worker", message);
    }
    for (name, worker) in &config.workers {
        if let Some(Err(missing)) = worker
            .api_key
            .as_ref()
            .map(|key| key.resolve(lookup, |path| std::fs::read_to_string(path)))
        {
            say(&format!("workers.{name}.api_key"), missing);
        }
    }
    if let Err(missing) = config
        .server
        .admin_token
        .resolve(lookup, |path| std::fs::read_to_string(path))
    {
        say("server.admin_token", missing);
    }
    if config.server.listen == config.server.admin_listen && config.server.listen.port() != 0 {
        say(
            "server.admin_listen",
            "the control plane needs an address of its own".to_owned(),
        );
    }
    let resilience = &config.pipeline.resilience;
    if resilience.retry_base_ms > resilience.retry_max_ms {
        say(
            "pipeline.resilience.retry_base_ms",
            "the first pause is longer than the longest, `retry_max_ms`".to_owned(),
        );
    }
    if resilience.circuit_breaker_timeout_s > resilience.open_max_s {
        say(
            "pipeline.resilience.open_max_s",
            "it is shorter than `circuit_breaker_timeout_s`".to_owned(),
        );
    }
    if config.shutdown.pre_stop_ms >= config.shutdown.grace_ms {
        say(
            "shutdown.grace_ms",
            "nothing is left of it after `pre_stop_ms`".to_owned(),
        );
    }
    if config.pipeline.answers.max_answer_bytes > config.pipeline.answers.max_log_bytes {
        say(
            "pipeline.answers.max_log_bytes",
            "it is less than one answer may hold, `max_answer_bytes`".to_owned(),
        );
    }
    if let Err(error) = orchestrator_assemble::Assemble::build(&stages.assemble) {
        say("pipeline.stages.assemble.template", error.to_string());
    }
    findings
}

fn at_file(file: &Path, message: String) -> Finding {
    Finding {
        file: file.to_owned(),
        place: None,
        source: None,
        path: String::new(),
        message,
    }
}

fn broken(file: &Path, text: &str, error: &toml::de::Error) -> Finding {
    let place = error.span().map(|span| place(text, &span));
    let source = place.and_then(|(line, _)| text.lines().nth(line.saturating_sub(1)).map(str::to_owned));
    Finding {
        place,
        source,
        ..at_file(file, error.message().to_owned())
    }
}

fn place(text: &str, span: &Range<usize>) -> (usize, usize) {
    let before = text.get(..span.start).unwrap_or(text);
    let line = before.matches('\n').count().saturating_add(1);
    let column = before.rsplit('\n').next().map_or(0, |last| last.chars().count());
    (line, column.saturating_add(1))
}

#[cfg(test)]
mod tests;
