//! Degradation: its steps have what they need, and its rules have something to say.

use super::Rules;
use crate::{Finding, path::Path};
use orchestrator_degradation::{RuleConfig, Step};

/// Where degradation stands in the document.
const TABLE: &str = "degradation";

// === impl Rules ===

impl Rules<'_> {
    pub(super) fn degradation(&mut self) {
        let config = &self.config.degradation;
        for (index, step) in config.chain.iter().enumerate() {
            let place = Path::of(TABLE).key("chain").index(index);
            if config.chain.iter().take(index).any(|before| before == step) {
                let twice = Finding::error(
                    &place,
                    format!("the step `{}` stands in the chain already", step.as_str()),
                );
                self.say(twice.help("take one out"));
            }
        }
        if config.has(Step::Cache) {
            self.kept_answers();
        }
        self.reduced();
        for (index, rule) in config.rules.iter().enumerate() {
            self.rule(&Path::of(TABLE).key("rules").index(index), rule);
            if config.rules.iter().take(index).any(|before| before.name == rule.name) {
                let place = Path::of(TABLE).key("rules").index(index).key("name");
                let twice = Finding::error(&place, format!("a rule is called `{}` already", rule.name));
                self.say(twice.help("give each rule a name of its own"));
            }
        }
    }

    /// Which answers are kept is what deduplication says of them.
    fn kept_answers(&mut self) {
        let cache = &self.config.degradation.cache;
        if !self.config.pipeline.deduplication.enabled {
            let path = Path::of(TABLE).key("chain");
            let idle = Finding::error(&path, "the step `cache` keeps nothing while deduplication is off");
            self.say(idle.help("take the step out, or set `enabled = true` in `[pipeline.deduplication]`"));
        }
        if (1..=cache.fresh_s).contains(&cache.stale_s) {
            let path = Path::of(TABLE).key("cache").key("fresh_s");
            let never = format!(
                "no answer is given as a stale one, since `stale_s` is {}",
                cache.stale_s
            );
            self.say(Finding::error(&path, never).help("make `stale_s` more than `fresh_s`, or 0"));
        }
    }

    fn reduced(&mut self) {
        let config = &self.config.degradation;
        let (path, workers) = (Path::of(TABLE).key("reduced").key("workers"), &config.reduced.workers);
        for (index, worker) in workers.iter().enumerate() {
            self.named(worker, &path.index(index));
        }
        let declared = self.config.routes.contains_key(Step::Reduced.as_str());
        match config.has(Step::Reduced) {
            true if workers.is_empty() && !declared => {
                let nobody = Finding::error(&path, "the step `reduced` has no worker to ask");
                self.say(nobody.help("name at least one, or take the step out of the chain"));
            }
            false if !workers.is_empty() => {
                let idle = Finding::warning(&path, "they are not asked, since the chain has no step `reduced`");
                self.say(idle.help("put `reduced` into the chain, or take them out"));
            }
            _ => {}
        }
        self.reduced_route();
    }

    /// The route of the reduced mode may stand in the document, for limits and weights of its own.
    fn reduced_route(&mut self) {
        let config = &self.config.degradation;
        let name = Step::Reduced.as_str();
        let Some(route) = self.config.routes.get(name).filter(|_| config.has(Step::Reduced)) else {
            return;
        };
        let path = Path::of("routes").key(name);
        let (models, workers) = (&route.models, &config.reduced.workers);
        if !models.is_empty() {
            let taken = Finding::error(
                &path.key("models"),
                "the route of this name is for the step `reduced` alone",
            );
            self.say(taken.help("write `models = []`, or give the route another name"));
        }
        if !workers.is_empty() && !route.workers().eq(workers) {
            let other = Finding::error(&path, "it names other workers than `degradation.reduced.workers`");
            self.say(other.help("name them in one of the two"));
        }
    }

    fn rule(&mut self, path: &Path, rule: &RuleConfig) {
        if !self.config.degradation.has(rule.mode) {
            let mode = rule.mode.as_str();
            let missing = Finding::error(path, format!("the chain has no step `{mode}`"));
            self.say(missing.help("put it into `chain`, or choose another `mode`"));
        }
        if rule.failure_rate <= 0.0 && rule.latency_p95_ms == 0 {
            let idle = Finding::error(path, "the rule never holds, since it has no threshold");
            self.say(idle.help("set `failure_rate` or `latency_p95_ms`"));
        }
    }
}
