//! The parts that read a text of their own language are asked whether they can.

use super::Rules;
use crate::{Finding, path::Path};
use orchestrator_post_process::{Config as Filters, Error, Metrics, PostProcess};
use std::collections::BTreeSet;

// === impl Rules ===

impl Rules<'_> {
    pub(super) fn parts(&mut self) {
        let rag = &self.config.pipeline.stages.rag;
        let folder = rag.folder.as_ref().filter(|_| rag.enabled);
        if let Some(Err(error)) = folder.map(std::fs::read_dir) {
            let finding = Finding::error(
                &Path::of("pipeline.stages.rag.folder"),
                format!("it cannot be read: {error}"),
            );
            self.say(finding.allowed("a folder with Markdown and text files, as seen from where the program starts"));
        }
        if rag.enabled && rag.required && rag.folder.is_none() {
            let path = Path::of("pipeline.stages.rag.required");
            let finding = Finding::error(&path, "there is no `folder` to search, so every request would fail");
            self.say(finding.help("name a `folder`, or take `required` out"));
        }
        let assemble = &self.config.pipeline.stages.assemble;
        if !assemble.enabled && assemble.context_window.is_some() {
            let path = Path::of("pipeline.stages.assemble.context_window");
            let idle = Finding::warning(
                &path,
                "nothing reads this: with `enabled = false` no prompt is fitted to it",
            );
            self.say(idle.help("take it out, or switch assembly on"));
        }
        if let Err(error) = assemble.check() {
            let finding = Finding::error(&Path::of("pipeline.stages.assemble.template"), error.to_string());
            self.say(finding.help("it is written in Jinja and sees `passages` and `question`"));
        }
        if let Err(error) = self.config.telemetry.check() {
            let reason = error.to_string();
            let reason = reason.rsplit_once("`: ").map_or(reason.as_str(), |(_, reason)| reason);
            let finding = Finding::error(&Path::of("telemetry.level"), format!("not a level: {reason}"));
            self.say(
                finding
                    .allowed("`off`, `error`, `warn`, `info`, `debug`, `trace`, or a list such as `info,hyper=debug`"),
            );
        }
        self.redactions();
        for (index, origin) in self.config.server.allowed_origins.iter().enumerate() {
            let host = origin.split_once("://").map_or("", |(_, host)| host);
            if host.is_empty() || host.contains(['/', '?', '#', '@', ' ']) {
                let path = Path::of("server.allowed_origins").index(index);
                let finding = Finding::error(&path, "this is no origin, so no page could connect by it");
                self.say(finding.allowed("a scheme, a host and its port, such as `https://chat.example.com`"));
            }
        }
    }

    fn redactions(&mut self) {
        let filters = &self.config.pipeline.stages.post_process;
        let path = Path::of("pipeline.stages.post_process.redact");
        let mut names = BTreeSet::new();
        for (index, redaction) in filters.redact.iter().enumerate() {
            let path = path.index(index);
            if !names.insert(&redaction.name) {
                let twice = Finding::error(
                    &path.key("name"),
                    format!("`{}` is the name of two redactions", redaction.name),
                );
                self.say(twice.help("give each a name of its own: metrics count by it"));
            }
            // One by one, so that each speaks.
            let alone = Filters {
                redact: vec![redaction.clone()],
                ..Filters::default()
            };
            let Ok(metrics) = Metrics::register(&prometheus::Registry::new()) else {
                return;
            };
            if let Err(error) = PostProcess::build(&alone, &metrics) {
                self.say(filter_finding(&path, &error));
            }
        }
    }
}

fn filter_finding(path: &Path, error: &Error) -> Finding {
    let pattern = path.key("pattern");
    let text = error.to_string();
    // What stands before it says where, which the finding knows better.
    let reason = text.split_once("`: ").map_or(text.as_str(), |(_, reason)| reason);
    match error {
        // What the parser draws stands in the document.
        Error::Pattern { reason, .. } => {
            let reason = reason
                .rsplit_once("error: ")
                .map_or(reason.as_str(), |(_, reason)| reason);
            let finding = Finding::error(&pattern, format!("the pattern cannot be read: {reason}"));
            finding.allowed("a regular expression in the syntax of Rust's `regex`")
        }
        Error::TooLong { longest, .. } => {
            let help = format!("let fewer match, or raise `max_match_bytes` to {longest}");
            Finding::error(&pattern, reason).help(help)
        }
        Error::Unbounded { .. } => Finding::error(&pattern, reason).allowed("a pattern whose longest match is bounded"),
        _ => Finding::error(&pattern, reason).allowed("a regular expression in the syntax of Rust's `regex`"),
    }
}
