//! The faults that are injected on purpose, as operators see and order them.

use crate::{
    body::{fields, nothing, wrong},
    breaker::{millis, written},
    problem::Problem,
};
use bytes::Bytes;
use http::StatusCode;
use orchestrator_core::Env;
use orchestrator_resilience::chaos::{Settings, Switch};
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// What is injected now, and what was since the start.
#[derive(Debug, Serialize)]
pub(crate) struct Chaos {
    /// Whether anything may be.
    allowed: bool,
    /// Whether clients may ask for faults of their own.
    allow_header: bool,
    /// Who wants the faults that are in force: nobody, the configuration, an operator.
    source: &'static str,
    /// How long an operator's are still in force.
    left_ms: Option<u64>,
    /// The same as a time, RFC 3339.
    until: Option<String>,
    #[serde(flatten)]
    settings: Settings,
    /// How often each fault has befallen each target.
    injected: BTreeMap<String, BTreeMap<&'static str, u64>>,
}

// === impl Chaos ===

impl Chaos {
    /// What a switch tells now.
    pub(crate) fn of(switch: &Switch, env: &Env) -> Self {
        let force = switch.force();
        let left = force.as_ref().and_then(|force| force.left);
        let mut injected: BTreeMap<String, BTreeMap<_, _>> = BTreeMap::new();
        for (target, fault, count) in switch.injected() {
            injected
                .entry(target.to_owned())
                .or_default()
                .insert(fault.as_str(), count);
        }
        Chaos {
            allowed: switch.is_allowed(),
            allow_header: switch.allows_header(),
            source: match (&force, left) {
                (None, _) => "off",
                (Some(_), None) => "configuration",
                (Some(_), Some(_)) => "operator",
            },
            left_ms: left.map(millis),
            until: left.map(|left| written(env.unix_time().saturating_add(left))),
            settings: force.map(|force| force.settings().clone()).unwrap_or_default(),
            injected,
        }
    }
}

/// Lets the faults of an order happen for a time.
pub(crate) fn order(switch: &Switch, body: &Bytes) -> Result<(), Problem> {
    let order = Value::Object(fields(body)?);
    if !switch.is_allowed() {
        return Err(refused());
    }
    let order = switch.read(&order).map_err(|findings| wrong(&findings))?;
    let for_s = order.held().as_secs();
    if !switch.set(order) {
        return Err(refused());
    }
    tracing::warn!(for_s, "an operator has faults injected on purpose");
    Ok(())
}

/// Ends what an operator has ordered, if that is not over yet.
pub(crate) fn end(switch: &Switch, body: &Bytes) -> Result<(), Problem> {
    nothing(body)?;
    if switch.end() {
        tracing::warn!("an operator has ended the faults that were ordered");
    }
    Ok(())
}

fn refused() -> Problem {
    let detail = "No faults are injected under `profile = \"prod\"`, unless `[chaos]` says `allow_in_prod = true`.";
    Problem::new(StatusCode::FORBIDDEN, detail)
}

#[cfg(test)]
mod tests;
