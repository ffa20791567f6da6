//! Open files: a connection of a client takes one, and its call to a model another.

use std::io;

/// Files that the program needs beside its connections: logs, listeners, runtimes, the index.
const OTHERS: u64 = 128;

/// Lets the process open as many files as the system allows, since the usual 1024 are fewer than the connections that it
/// would take, and warns when `connections` of clients could use them up.
pub(crate) fn raise_limit(connections: usize) {
    if let Some(warning) = warning(rlimit::increase_nofile_limit(u64::MAX), connections) {
        tracing::warn!("{warning}");
    }
}

fn warning(limit: io::Result<u64>, connections: usize) -> Option<String> {
    let needed = u64::try_from(connections).unwrap_or(u64::MAX).saturating_add(OTHERS);
    match limit {
        Ok(limit) if limit >= needed => None,
        Ok(limit) => Some(format!(
            "the system lets the program open {limit} files, fewer than `server.max_connections` [{connections}] takes: \
             raise the limit (LimitNOFILE, ulimits) or lower the setting"
        )),
        Err(error) => Some(format!("the limit on open files cannot be raised: {error}")),
    }
}

#[cfg(test)]
mod tests;
