//! A worker's answer as one body.

use crate::{Meta, Protocol, chat::read_whole};
use bytes::Bytes;
use orchestrator_core::{Chunk, Failure};

/// Reads a whole answer as one chunk. An error in its place, or an answer without a finish reason, is a failure.
pub fn read(protocol: Protocol, body: &Bytes) -> Result<(Meta, Chunk), Failure> {
    match protocol {
        Protocol::Chat => read_whole(body),
    }
}
