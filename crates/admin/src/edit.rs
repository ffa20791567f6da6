//! PATCH: which settings a resource shows, and how an edit of them is told.

use crate::{
    body,
    problem::Problem,
    resource::Resource,
    settings::{Change, Edit, Fault, Section, Settings},
};
use bytes::Bytes;
use http::StatusCode;

/// Changes the settings of a resource. One without settings is left as it is.
pub(crate) fn edit(settings: &dyn Settings, resource: &Resource, body: &Bytes) -> Result<(), Problem> {
    let Some((section, keys)) = settings_of(resource) else {
        return Ok(());
    };
    let patch = body::fields(body)?;
    let edit = Edit {
        section,
        keys,
        patch: &patch,
    };
    for change in settings.edit(edit).map_err(refused)? {
        let Change { path, from, to } = change;
        tracing::info!(setting = path, %from, %to, "an operator has changed a setting");
    }
    Ok(())
}

/// The table that a resource shows, and which of its keys.
fn settings_of(resource: &Resource) -> Option<(Section<'_>, Option<&'static [&'static str]>)> {
    Some(match resource {
        Resource::Route(name) => (Section::Route(name), None),
        Resource::RetryOf(route) => {
            let keys: &[&str] = &["retry_budget_percent", "retry_budget_min"];
            (Section::Route(route), Some(keys))
        }
        Resource::LoadBalancingOf(route) => {
            let keys: &[&str] = &["balance", "weights"];
            (Section::Route(route), Some(keys))
        }
        Resource::Worker(name) => (Section::Worker(name), None),
        Resource::Pools => (Section::Pools, None),
        _ => return None,
    })
}

/// All that is wrong, the first of it in words for whoever reads no further.
fn refused(faults: Vec<Fault>) -> Problem {
    let more = match faults.len() {
        0 | 1 => String::new(),
        all => format!(" And {} more.", all.saturating_sub(1)),
    };
    let first = faults.first();
    let first = first.map_or_else(String::new, |fault| format!(" `{}`: {}.", fault.path, fault.message));
    let detail = format!("Nothing was changed.{first}{more}");
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail).with_errors(faults)
}

#[cfg(test)]
mod tests;
