//! One request and its answer's head on one connection.
//!
//! Sending and reading go on side by side, so that a server that refuses in the middle of an upload is heard.

use super::{
    WireError,
    head::{Head, HeadReader},
    link::Link,
};
use bytes::Buf;
use std::{
    future::poll_fn,
    task::{Context, Poll},
};

/// A request on its way.
pub(super) struct Exchange<B> {
    link: Link,
    message: B,
    sending: Sending,
    reader: HeadReader,
    /// Whether a byte of the answer has come.
    begun: bool,
}

/// What came of an exchange that failed.
#[derive(Debug)]
pub(super) struct Broken {
    pub(super) error: WireError,
    /// Whether the connection died before a byte of the answer, so that another one may be tried.
    pub(super) nothing_came: bool,
}

enum Sending {
    Underway,
    Sent,
    /// The server takes no more; what it says about that may still be read.
    Failed,
}

// === impl Exchange ===

impl<B: Buf> Exchange<B> {
    /// A request about to be sent.
    pub(super) fn new(link: Link, message: B) -> Self {
        Exchange {
            link,
            message,
            sending: Sending::Underway,
            reader: HeadReader::default(),
            begun: false,
        }
    }

    /// Sends and waits for the head; also says whether the whole request went out.
    ///
    /// An answer that comes early stops the sending. Dropping the future closes the connection.
    pub(super) async fn run(mut self) -> Result<(Link, Head, bool), Broken> {
        match poll_fn(|cx| self.poll(cx)).await {
            Ok(head) => Ok((self.link, head, matches!(self.sending, Sending::Sent))),
            Err(error) => Err(Broken {
                error,
                nothing_came: !self.begun,
            }),
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Head, WireError>> {
        if let Sending::Underway = self.sending {
            match self.link.poll_send(cx, &mut self.message) {
                Poll::Ready(Ok(())) => self.sending = Sending::Sent,
                Poll::Ready(Err(_)) => self.sending = Sending::Failed,
                Poll::Pending => {}
            }
        }
        self.poll_head(cx)
    }

    fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<Result<Head, WireError>> {
        loop {
            let filled = self.link.poll_fill(cx);
            self.begun |= !self.link.buffer().is_empty();
            if let Some(head) = self.reader.read(self.link.buffer())? {
                return Poll::Ready(Ok(head));
            }
            if filled.is_pending() {
                return Poll::Pending;
            }
            match self.link.take_end() {
                Some(Ok(())) => return Poll::Ready(Err(WireError::ended(self.begun))),
                Some(Err(error)) => return Poll::Ready(Err(WireError::broken(error, self.begun))),
                None => {}
            }
        }
    }
}
