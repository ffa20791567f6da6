//! What makes two requests equal: everything that changes the answer, and nothing else.

use crate::canonical::{Speller, Unreadable, write_text};
use orchestrator_core::{Code, Dialect, Failure, Field, Fingerprint, Request};
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
    let mut fields: Vec<&Field> = original.fields.iter().collect();
    fields.retain(|field| !DELIVERY.contains(&&*field.name) && *field.name != *"model");
    fields.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    write_text(b"request v2", out);
    write_text(dialect(original.dialect), out);
    write_text(request.model.as_bytes(), out);
    if by_session {
        write_text(request.session.as_deref().unwrap_or_default().as_bytes(), out);
    }
    for field in fields {
        write_text(field.name.as_bytes(), out);
        speller.write(original.body.get(field.value.clone()).ok_or(Unreadable)?, out)?;
    }
    Ok(())
}

fn dialect(dialect: Dialect) -> &'static [u8] {
    match dialect {
        Dialect::Chat => b"chat",
        Dialect::Messages => b"messages",
        Dialect::Ollama => b"ollama",
    }
}

#[cfg(test)]
mod tests;
