//! What makes two requests equal: everything that changes the answer, and nothing else.

use crate::canonical::{Unreadable, write, write_text};
use orchestrator_core::{Code, Failure, Fingerprint, Request};
use std::cell::RefCell;

/// Fields that say how the answer is delivered, not what it is.
const DELIVERY: [&str; 2] = ["stream", "stream_options"];

thread_local! {
    /// Where requests are spelt out, kept from one to the next.
    static SPELT: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// The BLAKE3 hash of a request: its model, all its other parameters, known or not, and all messages; and its session
/// when `by_session`. Headers, ids and time have no part in it.
pub(crate) fn fingerprint(request: &Request, by_session: bool) -> Result<Fingerprint, Failure> {
    SPELT.with_borrow_mut(|out| {
        out.clear();
        spell(request, by_session, out).map_err(|Unreadable| {
            Failure::new(Code::InvalidRequest, "The request is nested more than 128 levels deep.")
        })?;
        let hash = Fingerprint(*blake3::hash(out).as_bytes());
        // One large request shall not hold its memory for ever.
        out.shrink_to(1 << 20);
        Ok(hash)
    })
}

fn spell(request: &Request, by_session: bool, out: &mut Vec<u8>) -> Result<(), Unreadable> {
    let original = &request.original;
    let mut fields: Vec<&str> = original.fields.iter().map(|field| &*field.name).collect();
    fields.retain(|name| !DELIVERY.contains(name) && *name != "model");
    fields.sort_unstable();
    write_text("request v1", out);
    write_text(&format!("{:?}", original.dialect), out);
    write_text(&request.model, out);
    if by_session {
        write_text(request.session.as_deref().unwrap_or_default(), out);
    }
    for name in fields {
        write_text(name, out);
        write(original.field(name).ok_or(Unreadable)?, out)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
