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
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("req_")?;
        f.write_str(self.0.simple().encode_lower(&mut Uuid::encode_buffer()))
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
