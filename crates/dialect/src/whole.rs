//! A worker's answer as one body.

use crate::{Meta, Protocol, chat, error::truncated, messages, ollama};
use bytes::Bytes;
use orchestrator_core::{Chunk, Code, Failure, Kind, Text};

/// Reads a whole answer as one chunk, with what the worker says of it. An error in its place, an answer that is no JSON of
/// the protocol, and one without a finish reason for the first choice are failures.
pub fn read(protocol: Protocol, body: &Bytes) -> Result<(Meta, Chunk), Failure> {
    let body = Text::try_from(body.clone()).map_err(|_| {
        let text = "The worker sent an answer that is not valid UTF-8.";
        Failure::new(Code::UpstreamProtocol, text)
    })?;
    let mut meta = Meta::default();
    let chunk = match protocol {
        Protocol::Chat => chat::read_whole(&body, &mut meta),
        Protocol::Messages => messages::read_whole(&body, &mut meta),
        Protocol::Ollama => ollama::read_whole(&body, &mut meta),
    }?;
    let is_finish = |kind: &Kind| matches!(kind, Kind::Finish(_));
    match chunk
        .deltas
        .iter()
        .any(|delta| delta.choice == 0 && is_finish(&delta.kind))
    {
        true => Ok((meta, chunk)),
        false => Err(truncated("The worker's answer has no finish reason.")),
    }
}

#[cfg(test)]
mod tests;
