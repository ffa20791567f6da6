//! Routes: their workers are there, their limits fit each other, and no request could take two of them.

use super::{Rules, workers::USED};
use crate::{Finding, path::Path};
use orchestrator_routing::{Fit, RouteConfig};

// === impl Rules ===

impl Rules<'_> {
    pub(super) fn routes(&mut self) {
        if self.config.implies_a_route() {
            self.named(&self.config.pipeline.stages.inference.worker, &Path::of(USED));
        } else {
            self.usual_worker();
            self.usual_model();
        }
        for (name, route) in &self.config.routes {
            self.route(name, route);
        }
        self.ambiguous();
    }

    /// The worker of the stage is for a document without routes.
    fn usual_worker(&mut self) {
        let stated = &self.config.pipeline.stages.inference.worker;
        let is_idle = !self.config.workers_in_use().contains_key(stated);
        if is_idle && self.document.value(&Path::of(USED)).is_some() {
            let idle = Finding::warning(
                &Path::of(USED),
                format!("no route names `{stated}`, so it is not called"),
            );
            self.say(idle.help("name it in a route, or take it out"));
        }
    }

    /// The model for requests that name none must be one that a route serves.
    fn usual_model(&mut self) {
        let Some(model) = &self.config.pipeline.stages.inference.model else {
            return;
        };
        if self
            .config
            .routes
            .values()
            .all(|route| Fit::best(&route.models, model).is_none())
        {
            let path = Path::of("pipeline.stages.inference.model");
            let message = format!("no route serves `{model}`, so requests that name no model would fail");
            let finding = Finding::error(&path, message);
            self.say(finding.help("name one that a route serves, or add it to the `models` of a route"));
        }
    }

    fn route(&mut self, name: &str, route: &RouteConfig) {
        let path = &Path::of("routes").key(name);
        if route.models.is_empty() && !self.config.is_reduced(name) {
            let idle = Finding::error(&path.key("models"), "no request takes the route");
            self.say(idle.help("name a model, or `*` for all"));
        }
        if route.workers().next().is_none() {
            let empty = Finding::error(path, "the route names no worker");
            self.say(empty.help("name at least one in `primary`"));
        }
        for (tier, workers) in [
            ("primary", &route.primary),
            ("secondary", &route.secondary),
            ("backup", &route.backup),
        ] {
            for (index, worker) in workers.iter().enumerate() {
                let place = path.key(tier).index(index);
                self.named(worker, &place);
                if workers.iter().take(index).any(|before| before == worker) {
                    let twice = Finding::error(&place, format!("the worker `{worker}` stands in this tier already"));
                    self.say(twice.help("take one out; `weights` gives a worker more calls"));
                }
            }
        }
        for worker in route.weights.keys() {
            if !route.workers().any(|known| known == worker) {
                let idle = Finding::error(
                    &path.key("weights").key(worker),
                    format!("the route has no worker `{worker}`"),
                );
                self.say(idle.help("name it in a tier of the route, or take its weight out"));
            }
        }
        self.limits_of(path, route);
        self.choices_of(path, route);
    }

    /// What chooses by the request must have something to choose from.
    fn choices_of(&mut self, path: &Path, route: &RouteConfig) {
        if route.latency_budget_ms.is_some() && route.overflow_after_ms > 0 {
            let place = path.key("overflow_after_ms");
            let idle = Finding::error(
                &place,
                "no request waits so long, since each has the `latency_budget_ms`",
            );
            self.say(idle.help("take one of the two out"));
        }
        let Some(complexity) = &route.complexity else {
            return;
        };
        let table = path.key("complexity");
        if complexity.cheap == complexity.strong {
            let same = Finding::error(&table.key("strong"), "simple requests go to this tier first, too");
            self.say(same.help("name another tier than in `cheap`"));
        }
        let has_choice = complexity.cheap != complexity.strong && route.workers().next().is_some();
        for (key, tier) in [("cheap", complexity.cheap), ("strong", complexity.strong)] {
            if has_choice && route.tier(tier).is_empty() {
                let empty = Finding::error(&table.key(key), format!("the route has no {} worker", tier.as_str()));
                let help = format!("name one in `{}` of the route, or another tier here", tier.as_str());
                self.say(empty.help(help));
            }
        }
        if !complexity.counts_something() {
            let idle = Finding::error(&table, "no request is complex, since nothing counts");
            self.say(idle.help("let one of `length_bytes`, `turns`, `tools` and `code_blocks` be more than 0"));
        }
    }

    /// A limit that another one never lets be reached says something else than was meant.
    fn limits_of(&mut self, path: &Path, route: &RouteConfig) {
        for (low, least, high, most) in [
            ("soft_limit", route.soft_limit, "hard_limit", route.hard_limit),
            (
                "stream_soft_limit",
                route.stream_soft_limit,
                "stream_hard_limit",
                route.stream_hard_limit,
            ),
            (
                "stream_soft_limit",
                route.stream_soft_limit,
                "soft_limit",
                route.soft_limit,
            ),
            (
                "stream_hard_limit",
                route.stream_hard_limit,
                "hard_limit",
                route.hard_limit,
            ),
        ] {
            if let (Some(least), Some(most)) = (least, most) {
                self.order(path, (low, least as u64), (high, most as u64));
            }
        }
    }

    /// Which of two routes a request takes must not be a matter of their order.
    fn ambiguous(&mut self) {
        let routes: Vec<_> = self.config.routes.iter().collect();
        for (at, (name, route)) in routes.iter().enumerate() {
            for (index, model) in route.models.iter().enumerate() {
                let mut before = routes.iter().take(at);
                let Some((other, _)) = before.find(|(_, other)| other.models.contains(model)) else {
                    continue;
                };
                let path = Path::of("routes").key(name).key("models").index(index);
                let both = Finding::error(&path, format!("the route `{other}` serves `{model}` already"));
                self.say(both.help("take it out of one of the two"));
            }
        }
    }
}
