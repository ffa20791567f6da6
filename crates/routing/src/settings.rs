//! What may be changed of a route while it works, as one value: a plan is made by one version of it.

use crate::{RouteConfig, balance::wheel::Wheel};
use orchestrator_core::{Live, Setter, live};
use std::sync::Arc;

/// What is in force of a route's configuration.
#[derive(Debug, PartialEq)]
pub(crate) struct Settings {
    pub(crate) config: Arc<RouteConfig>,
    /// Of the workers of each tier.
    pub(crate) weights: [Wheel; 3],
}

/// The settings of a route, and the end that changes them.
#[derive(Debug)]
pub(crate) struct InForce {
    settings: Live<Settings>,
    setter: Setter<Settings>,
}

// === impl Settings ===

impl Settings {
    fn new(config: RouteConfig) -> Self {
        let weights = |workers: &Vec<String>| Wheel::new(workers.iter().map(|worker| config.weight(worker)));
        Settings {
            weights: [&config.primary, &config.secondary, &config.backup].map(weights),
            config: Arc::new(config),
        }
    }
}

// === impl InForce ===

impl InForce {
    pub(crate) fn new(config: RouteConfig) -> Self {
        let (setter, settings) = live(Settings::new(config));
        InForce { settings, setter }
    }

    /// The settings of now.
    pub(crate) fn load(&self) -> Arc<Settings> {
        self.settings.load()
    }

    /// Puts `config` in force, but for the models and workers, which stay as they are.
    pub(crate) fn change(&self, config: RouteConfig) -> Arc<RouteConfig> {
        let before = self.load().config.clone();
        self.setter.set(Settings::new(RouteConfig {
            models: before.models.clone(),
            primary: before.primary.clone(),
            secondary: before.secondary.clone(),
            backup: before.backup.clone(),
            ..config
        }));
        self.load().config.clone()
    }
}

#[cfg(test)]
mod tests;
