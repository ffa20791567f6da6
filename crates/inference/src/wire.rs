//! The provider's wire: a lean HTTP/1.1 client for one endpoint and one core.
//!
//! [`Wire::send`] resolves at status and headers; then [`Body::arrived`] hands over all bytes that have come since the
//! last look, framing removed. A call stands on one connection and lives as long as somebody holds its future or its
//! body. A body ends cleanly only when its framing says that it is whole. Redirects are not followed.

mod body;
mod dial;
mod endpoint;
mod error;
mod exchange;
mod framing;
mod head;
mod link;
mod pool;
mod proxy;
mod request;

pub(crate) use body::Body;
pub(crate) use endpoint::Endpoint;
pub(crate) use error::{EndpointError, WireError};
pub(crate) use head::Headers;
pub(crate) use request::Outgoing;

use bytes::{Buf, Bytes};
use dial::Dial;
use exchange::{Broken, Exchange};
use http::Method;
use link::Link;
use pool::Pool;
use request::Origin;
use std::{fmt, sync::Arc, time::Duration};
use tokio::time::Instant;

/// A kept connection that the server has closed breaks within a round trip; one that breaks later had taken the request.
const STALE: Duration = Duration::from_secs(1);

/// The connections to one endpoint. Used from one runtime; as many requests run at once as callers send.
pub(crate) struct Wire {
    origin: Origin,
    dial: Arc<dyn Dial>,
    connect_timeout: Duration,
    pool: Arc<Pool>,
}

/// An answer, at its head.
#[derive(Debug)]
pub(crate) struct Incoming {
    /// The final status: never 1xx.
    pub(crate) status: u16,
    /// The header fields.
    pub(crate) headers: Headers,
    /// The body, as it comes.
    pub(crate) body: Body,
}

// === impl Wire ===

impl Wire {
    /// No connection is made before the first request.
    pub(crate) fn new(endpoint: Endpoint) -> Self {
        Wire {
            origin: endpoint.origin().clone(),
            connect_timeout: endpoint.connect_timeout(),
            dial: Arc::new(endpoint),
            pool: Arc::default(),
        }
    }

    /// Sends a request and waits for the head of its answer.
    ///
    /// A kept connection that turns out to be dead at once, before a byte of the answer, is replaced by a new one, once; a
    /// new one never is, nor one that took the request and broke later. Dropping the future closes the connection.
    ///
    /// # Errors
    /// Each of [`WireError`] but [`WireError::BodyTooLarge`].
    pub(crate) async fn send(&self, request: Outgoing<'_>) -> Result<Incoming, WireError> {
        let pieces = request.pieces(&self.origin)?;
        let began = Instant::now();
        if let Some(link) = self.pool.take(began) {
            match self.exchange(link, &pieces, &request.method).await {
                Err(Broken { nothing_came: true, .. }) if began.elapsed() < STALE => {}
                done => return done.map_err(|broken| broken.error),
            }
        }
        let link = self.connect().await?;
        self.exchange(link, &pieces, &request.method)
            .await
            .map_err(|broken| broken.error)
    }

    async fn connect(&self) -> Result<Link, WireError> {
        match tokio::time::timeout(self.connect_timeout, self.dial.dial()).await {
            Ok(io) => Ok(Link::new(io?)),
            Err(_) => Err(WireError::ConnectTimeout {
                to: self.dial.target().to_owned(),
                limit: self.connect_timeout,
            }),
        }
    }

    async fn exchange(&self, link: Link, [head, rest]: &[Bytes; 2], method: &Method) -> Result<Incoming, Broken> {
        let message = head.clone().chain(rest.clone());
        let (link, head, sent) = Exchange::new(link, message).run().await?;
        let body = self.body(link, &head, sent, method);
        Ok(Incoming {
            status: head.status,
            headers: head.headers,
            body: body?,
        })
    }

    fn body(&self, link: Link, head: &head::Head, sent: bool, method: &Method) -> Result<Body, Broken> {
        let framing = head.framing(method).map_err(|error| Broken {
            error,
            nothing_came: false,
        })?;
        let reusable = sent && head.keeps_alive();
        Ok(Body::new(link, framing, reusable, Arc::clone(&self.pool)))
    }
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wire")
            .field("to", &self.dial.target())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
pub(crate) mod fixtures;
#[cfg(test)]
mod tests;
