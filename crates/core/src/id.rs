//! The name of a request.

use std::fmt;
use uuid::Uuid;

/// Our name for a request: `req_` and a UUIDv7 in hex, so names sort by time.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RequestId(Uuid);

impl RequestId {
    /// Mints a name from the wall clock and 74 random bits.
    pub fn mint(unix_millis: u64, random: [u8; 10]) -> Self {
        RequestId(uuid::Builder::from_unix_timestamp_millis(unix_millis, &random).into_uuid())
    }

    /// Reads `req_` and 32 hex digits; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let hex = text.strip_prefix("req_").filter(|hex| hex.len() == 32)?;
        Uuid::try_parse(hex).ok().map(RequestId)
    }

    /// Its text, written into `buffer`.
    pub fn encode(self, buffer: &mut [u8; 36]) -> &str {
        let (head, hex) = buffer.split_at_mut(4);
        head.copy_from_slice(b"req_");
        self.0.simple().encode_lower(hex);
        std::str::from_utf8(buffer).unwrap_or_default()
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.encode(&mut [0; 36]))
    }
}

impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
#[cfg(not(sim_loom))]
mod tests;
