//! How routes spread their calls, as operators see it.

use orchestrator_core::Tier;
use orchestrator_routing::Route;
use serde::Serialize;
use std::collections::BTreeMap;

/// How a route spreads a tier's calls over its workers.
#[derive(Debug, Serialize)]
pub(crate) struct Balancing<'a> {
    route: &'a str,
    balance: &'static str,
    /// Of all its workers, declared or not.
    weights: BTreeMap<&'a str, u32>,
}

// === impl Balancing ===

impl<'a> From<&'a Route> for Balancing<'a> {
    fn from(route: &'a Route) -> Self {
        let config = route.config();
        let members = Tier::ALL.into_iter().flat_map(|tier| route.members(tier));
        Balancing {
            route: route.name(),
            balance: config.balance.as_str(),
            weights: members
                .map(|member| (&**member.name(), config.weight(member.name())))
                .collect(),
        }
    }
}
