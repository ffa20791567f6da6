//! Chaos: no faults where people rely on the program, unless that is said twice; and none that nobody would meet.

use super::Rules;
use crate::{Finding, path::Path, shape::listed};
use orchestrator_core::near;
use orchestrator_resilience::chaos::{ALL, WorkerFaults};

// === impl Rules ===

impl Rules<'_> {
    pub(super) fn chaos(&mut self) {
        let chaos = &self.config.chaos;
        let path = Path::of("chaos");
        for (key, is_on) in [("enabled", chaos.enabled), ("allow_header", chaos.allow_header)] {
            if is_on && !self.config.may_inject_faults() {
                let message = "no faults are injected under `profile = \"prod\"`";
                let refused = Finding::error(&path.key(key), message);
                self.say(refused.help("take it out, or say `allow_in_prod = true` as well"));
            }
        }
        for (name, faults) in &chaos.workers {
            let path = path.key("workers").key(name);
            self.victim(name, &path);
            self.latencies(&path, faults);
        }
        self.latencies(&path.key("retriever"), &WorkerFaults::from(&chaos.retriever));
        if chaos.enabled && self.harmless() {
            let idle = Finding::warning(&path.key("enabled"), "nothing is injected: every probability is 0");
            self.say(idle.help("give a fault a probability, such as `failure = 0.1`, or take it out"));
        }
    }

    /// Faults are for a worker that there is, or for all.
    fn victim(&mut self, name: &str, path: &Path) {
        let in_use = self.config.workers_in_use();
        let declared = self.config.workers.keys().chain(in_use.keys());
        let mut names: Vec<&str> = declared.map(String::as_str).chain([ALL]).collect();
        names.sort_unstable();
        names.dedup();
        if names.contains(&name) {
            return;
        }
        let help = match near(name, names.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "name a worker that a route names".to_owned(),
        };
        let unknown = Finding::error(path, format!("no worker is called `{name}`"));
        self.say(unknown.allowed(listed(names)).help(help));
    }

    fn latencies(&mut self, path: &Path, faults: &WorkerFaults) {
        let (least, most) = (faults.latency_min_ms, faults.latency_max_ms);
        self.order(path, ("latency_min_ms", least), ("latency_max_ms", most));
    }

    /// Whether nothing ever comes true.
    fn harmless(&self) -> bool {
        let chaos = &self.config.chaos;
        let workers = chaos.workers.values().cloned();
        let mut all = workers.chain([WorkerFaults::from(&chaos.retriever)]);
        all.all(|faults| [faults.latency, faults.failure, faults.cut, faults.trickle] == [0.0; 4])
    }
}
