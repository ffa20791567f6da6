//! The body of an answer, as it arrives.

use super::{WireError, framing::Framing, link::Link, pool::Pool};
use bytes::Bytes;
use std::{
    future::poll_fn,
    sync::Arc,
    task::{Context, Poll},
};

/// An answer's body. Read to its clean end, it gives its connection back for the next request; dropped before, it
/// closes the connection at once, which is how a call is cancelled.
#[derive(Debug)]
pub(crate) struct Body {
    source: Source,
    framing: Framing,
    pool: Arc<Pool>,
}

#[derive(Debug)]
enum Source {
    /// More may come; `reusable` when the connection may serve another request afterwards.
    Open { link: Link, reusable: bool },
    /// The whole body has been read.
    Over,
    /// It broke off.
    Broken,
}

// === impl Body ===

impl Body {
    /// The body that follows a head on `link`.
    pub(super) fn new(link: Link, framing: Framing, reusable: bool, pool: Arc<Pool>) -> Self {
        let reusable = reusable && framing != Framing::UntilClose;
        let mut body = Body {
            source: Source::Open { link, reusable },
            framing,
            pool,
        };
        body.settle();
        body
    }

    /// All bytes of the body that have arrived by now, without framing; `None` at its clean end.
    ///
    /// Waits only while nothing is there. Bytes that came before an error are handed over before it. Cancel safe: a
    /// dropped future has taken nothing.
    ///
    /// # Errors
    /// [`WireError::Truncated`] when the connection ends before the body does, [`WireError::Protocol`] for bad framing,
    /// [`WireError::Io`] otherwise.
    pub(crate) async fn arrived(&mut self) -> Result<Option<Bytes>, WireError> {
        poll_fn(|cx| self.poll_arrived(cx)).await
    }

    /// [`Body::arrived`] as a poll.
    pub(crate) fn poll_arrived(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, WireError>> {
        let step = self.poll_step(cx);
        if let Poll::Ready(Err(_)) = step {
            self.source = Source::Broken;
        }
        step
    }

    /// Reads the whole body.
    ///
    /// # Errors
    /// [`WireError::BodyTooLarge`] beyond `limit` bytes, before reading when the server announces so many; else those
    /// of [`Body::arrived`].
    pub(crate) async fn collect(mut self, limit: usize) -> Result<Bytes, WireError> {
        let announced = self.framing.announced().and_then(|length| usize::try_from(length).ok());
        if self.framing.announced().is_some() && announced.is_none_or(|length| length > limit) {
            return Err(WireError::BodyTooLarge { limit });
        }
        let mut whole = self.arrived().await?.unwrap_or_default();
        let mut parts = Vec::new();
        loop {
            if whole.len().max(parts.len()) > limit {
                return Err(WireError::BodyTooLarge { limit });
            }
            let Some(more) = self.arrived().await? else { break };
            if parts.is_empty() {
                parts = std::mem::take(&mut whole).into();
            }
            parts.extend_from_slice(&more);
        }
        Ok(if parts.is_empty() { whole } else { parts.into() })
    }

    /// Ends reading without closing the connection, for a caller that has all it wants and leaves at most the last
    /// framing bytes: the connection serves again if those, and nothing else, have come by the next request.
    pub(crate) fn release(mut self) {
        if let Source::Open { link, reusable: true } = std::mem::replace(&mut self.source, Source::Over) {
            self.pool.put(link, self.framing);
        }
    }

    fn poll_step(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, WireError>> {
        loop {
            let link = match &mut self.source {
                Source::Open { link, .. } => link,
                Source::Over => return Poll::Ready(Ok(None)),
                Source::Broken => return Poll::Ready(Err(WireError::Truncated)),
            };
            let filled = link.poll_fill(cx);
            let bytes = self.framing.decode(link.buffer())?;
            link.rest();
            let is_over = self.settle();
            if !bytes.is_empty() {
                return Poll::Ready(Ok(Some(bytes)));
            }
            if !is_over && filled.is_pending() {
                return Poll::Pending;
            }
            self.end_with_the_connection()?;
        }
    }

    /// Lets go of the connection when the body is over.
    fn settle(&mut self) -> bool {
        let is_over = self.framing.is_over();
        if is_over
            && let Source::Open { link, reusable } = std::mem::replace(&mut self.source, Source::Over)
            && reusable
            && link.is_clean()
        {
            self.pool.put(link, self.framing.clone());
        }
        is_over
    }

    /// What the end of the connection means for a body that has given all its bytes.
    fn end_with_the_connection(&mut self) -> Result<(), WireError> {
        let Source::Open { link, .. } = &mut self.source else {
            return Ok(());
        };
        match link.take_end() {
            Some(Ok(())) if self.framing.may_end() => self.source = Source::Over,
            Some(Ok(())) => return Err(WireError::Truncated),
            Some(Err(error)) => return Err(WireError::broken(error, true)),
            None => {}
        }
        Ok(())
    }
}
