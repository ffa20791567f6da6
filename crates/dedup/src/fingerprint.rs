//! What makes two requests equal: everything that changes the answer, and nothing else.

use crate::canonical::{Speller, Unreadable, write_text};
use orchestrator_core::{Code, Failure, Fingerprint, Request};
use std::cell::RefCell;

/// Fields that say how the answer is delivered, not what it is.
const DELIVERY: [&str; 2] = ["stream", "stream_options"];

/// Memory that is kept from one request to the next, in bytes a buffer: a large one shall not hold its own for ever.
const KEPT: usize = 1 << 20;

thread_local! {
    /// Where requests are spelt out, and by whom.
    static SPELT: RefCell<(Vec<u8>, Speller)> = RefCell::default();
}

/// The BLAKE3 hash of a request: its model, all its other parameters, known or not, and all messages; and its session
/// when `by_session`. Headers, ids and time have no part in it.
pub(crate) fn fingerprint(request: &Request, by_session: bool) -> Result<Fingerprint, Failure> {
    SPELT.with_borrow_mut(|(out, speller)| {
        let spelt = spell(request, by_session, speller, out);
        let hash = spelt.map(|()| Fingerprint(*blake3::hash(out).as_bytes()));
        out.clear();
        out.shrink_to(KEPT);
        speller.shrink_to(KEPT);
        hash.map_err(|Unreadable| {
            Failure::new(Code::InvalidRequest, "The request is nested more than 128 levels deep.")
        })
    })
}

fn spell(request: &Request, by_session: bool, speller: &mut Speller, out: &mut Vec<u8>) -> Result<(), Unreadable> {
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
        speller.write(original.field(name).ok_or(Unreadable)?, out)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
