//! What a client sends ahead of its turn.
//!
//! hyper reads no further while bytes of a later request stand in its buffer, and so would not see that the client has left:
//! the answer that runs would go on for nobody. Such bytes are held here instead, and the socket is read on behind them.

use bytes::BytesMut;
use std::{
    io,
    mem::MaybeUninit,
    pin::Pin,
    task::{Context, Poll, ready},
};
use tokio::io::{AsyncRead, ReadBuf};

/// Bytes that are held at most. Of a client that sends more meanwhile no more is read, so that it is missed only when an
/// answer is written to it.
pub(crate) const MAX_EARLY: usize = 16 << 10;
/// Bytes that are read at once.
const STEP: usize = 2 << 10;

/// Bytes of later requests; no memory as long as there are none.
#[derive(Debug, Default)]
pub(super) struct Early(BytesMut);

// === impl Early ===

impl Early {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Hands over as much as fits.
    pub(super) fn give(&mut self, buf: &mut ReadBuf<'_>) {
        let bytes = buf.remaining().min(self.0.len());
        buf.put_slice(&self.0.split_to(bytes));
        if self.0.is_empty() {
            self.0 = BytesMut::new();
        }
    }

    /// Holds what comes. Ready once the client has left: well at the end of what it sends, with an error otherwise.
    pub(super) fn poll_end<T: AsyncRead + Unpin>(
        &mut self,
        socket: &mut T,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        while self.0.len() < MAX_EARLY {
            let mut space = [const { MaybeUninit::uninit() }; STEP];
            let mut space = ReadBuf::uninit(&mut space);
            let mut buf = space.take(MAX_EARLY.saturating_sub(self.0.len()));
            ready!(Pin::new(&mut *socket).poll_read(cx, &mut buf))?;
            if buf.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
            self.0.extend_from_slice(buf.filled());
        }
        Poll::Pending
    }
}
