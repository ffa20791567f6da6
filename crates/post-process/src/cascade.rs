//! All filters of a configuration in their order, and one text on its way through them.

use crate::{
    Config, Error, Metrics, Trim,
    redact::{Redacting, Redactor},
    stop::{Stopping, Stops},
    trim::Trimming,
};
use prometheus::IntCounter;
use std::collections::BTreeSet;

/// The filters of a configuration.
#[derive(Debug)]
pub(crate) struct Filters {
    stops: Option<Stops>,
    redactors: Vec<Redactor>,
    trim: Trim,
    pub(crate) stopped: IntCounter,
}

/// One text on its way through the filters. After its end it may begin anew.
#[derive(Debug, Default)]
pub(crate) struct Passage {
    stopping: Stopping,
    redacting: Vec<Redacting>,
    trimming: Trimming,
}

/// Which filters a text passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// All: the answer itself.
    Answer,
    /// Redaction alone: what the model says beside it.
    Beside,
}

/// What came of more text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// More may come.
    Running,
    /// A stop string was found; all that stands before it has been released.
    Stopped,
}

// === impl Filters ===

impl Filters {
    /// `None` when the configuration changes nothing. Faults are told even of filters that are switched off.
    pub(crate) fn build(config: &Config, metrics: &Metrics) -> Result<Option<Self>, Error> {
        let mut names = BTreeSet::new();
        if let Some(twice) = config.redact.iter().find(|redaction| !names.insert(&redaction.name)) {
            let name = twice.name.clone();
            return Err(Error::DuplicateName { name });
        }
        let redactors = config
            .redact
            .iter()
            .map(|redaction| Redactor::build(redaction, metrics));
        let filters = Filters {
            stops: Stops::build(&config.stop)?,
            redactors: redactors.collect::<Result<_, _>>()?,
            trim: config.trim,
            stopped: metrics.stops(),
        };
        Ok((config.enabled && !filters.is_empty()).then_some(filters))
    }

    fn is_empty(&self) -> bool {
        self.stops.is_none() && self.redactors.is_empty() && self.trim == Trim::None
    }
}

// === impl Passage ===

impl Passage {
    /// Takes more text and appends to `out` what no text to come can change.
    pub(crate) fn push(&mut self, filters: &Filters, scope: Scope, text: &str, out: &mut String) -> Outcome {
        self.run(filters, scope, (text, false), out)
    }

    /// Ends the text and appends to `out` what was held back.
    pub(crate) fn end(&mut self, filters: &Filters, scope: Scope, out: &mut String) -> Outcome {
        let outcome = self.run(filters, scope, ("", true), out);
        *self = Passage::default();
        outcome
    }

    fn run(&mut self, filters: &Filters, scope: Scope, piece: (&str, bool), out: &mut String) -> Outcome {
        let (text, mut is_last) = piece;
        let mut current = String::with_capacity(text.len());
        let mut outcome = Outcome::Running;
        match &filters.stops {
            Some(stops) if scope == Scope::Answer => {
                if self.stopping.push(stops, text, is_last, &mut current) {
                    outcome = Outcome::Stopped;
                    is_last = true;
                }
            }
            _ => current.push_str(text),
        }
        self.redacting.resize_with(filters.redactors.len(), Redacting::default);
        let mut next = String::new();
        for (redactor, redacting) in filters.redactors.iter().zip(&mut self.redacting) {
            next.clear();
            redacting.push(redactor, &current, is_last, &mut next);
            std::mem::swap(&mut current, &mut next);
        }
        match scope {
            Scope::Answer => self.trimming.push(filters.trim, &current, out),
            Scope::Beside => out.push_str(&current),
        }
        outcome
    }
}

#[cfg(test)]
mod tests;
