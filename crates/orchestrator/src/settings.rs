//! The configuration in force: what an operator's edit makes of it, and who obeys that.

use crate::workers::Workers;
use orchestrator_admin::{Change, Edit, Fault, Section, Settings};
use orchestrator_config::{self as config, Config, Finding};
use orchestrator_pipeline::Gate;
use parking_lot::Mutex;

/// Keeps the configuration in force.
pub(crate) struct InForce {
    /// Held for a whole edit, so that edits come one after the other.
    config: Mutex<Config>,
    workers: Workers,
    gate: Gate,
}

// === impl InForce ===

impl InForce {
    /// The configuration by which these were built.
    pub(crate) fn new(config: &Config, workers: Workers, gate: Gate) -> Self {
        InForce {
            config: Mutex::new(config.in_full()),
            workers,
            gate,
        }
    }
}

impl Settings for InForce {
    fn edit(&self, edit: Edit<'_>) -> Result<Vec<Change>, Vec<Fault>> {
        let section = match edit.section {
            Section::Route(name) => &["routes", name][..],
            Section::Worker(name) => &["workers", name],
            Section::Pools => &["pools"],
        };
        let mut config = self.config.lock();
        let edited = config::edit(&config, section, edit.keys, edit.patch)
            .map_err(|findings| findings.0.into_iter().map(fault).collect::<Vec<_>>())?;
        *config = edited.config;
        self.workers.obey(&config);
        self.gate.look_again();
        Ok(edited.changes.into_iter().map(change).collect())
    }
}

fn fault(finding: Finding) -> Fault {
    Fault {
        path: finding.path.to_string(),
        message: finding.message,
        allowed: finding.allowed,
        help: finding.help,
    }
}

fn change(change: config::Change) -> Change {
    Change {
        path: change.path.to_string(),
        from: change.from,
        to: change.to,
    }
}
