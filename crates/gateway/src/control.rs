//! `/api/v1/` on the control plane: who may ask, and how much may be sent. What is answered there is not the door's.
//!
//! Without a token in the configuration only the machine itself may read, and nobody may change anything.

use crate::{
    body::{Body, Reply, whole},
    call::Arrival,
    client::Client,
    door::Door,
};
use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Incoming;
use serde::Serialize;
use std::{sync::Arc, time::Duration};
use subtle::ConstantTimeEq;
use tokio::time::timeout;

/// Answers an operator's request to a path under `/api/v1/`. Whoever asked may do so, and the body is whole and small.
/// It is called on a thread that serves no client, one request at a time, so it may compute.
pub type Control = Arc<dyn Fn(Request<Bytes>) -> Response<Bytes> + Send + Sync>;

/// Where the paths begin that [`Control`] answers.
pub(crate) const ROOT: &str = "/api/v1/";

/// The longest body of an operator.
const MAX_BODY_BYTES: usize = 64 << 10;

/// Why an operator is not answered.
#[derive(Debug)]
pub(crate) struct Refused {
    status: StatusCode,
    detail: String,
}

/// A refusal as RFC 9457 has it.
#[derive(Serialize)]
struct Problem<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'static str,
    status: u16,
    detail: &'a str,
}

/// Answers an operator.
pub(crate) async fn answer(door: &Door, request: Box<Request<Incoming>>, arrival: &Arrival) -> Reply {
    let reply = match take(door, request, arrival.client.as_ref()).await {
        Ok(request) => control(door, request).await,
        Err(refused) => Err(refused),
    };
    let mut reply = reply.unwrap_or_else(|refused| refused.reply());
    arrival.stamp(reply.headers_mut());
    reply
}

async fn control(door: &Door, request: Request<Bytes>) -> Result<Reply, Refused> {
    let control = door.shared.parts.control.clone();
    let answered = door.shared.operators.run(move || control(request)).await;
    let fault = |_| {
        Refused::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "A fault of the server ended the request.",
        )
    };
    answered.map(|reply| reply.map(Body::from)).map_err(fault)
}

/// Whether an operator may do this.
pub(crate) fn admit<B>(door: &Door, request: &Request<B>, client: Option<&Client>) -> Result<(), Refused> {
    let token = &door.shared.parts.admin_token;
    if token.is_empty() {
        return admit_without_token(reads(request), client);
    }
    let given = request.headers().get(header::AUTHORIZATION);
    let given = given.and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    match given.is_some_and(|given| given.as_bytes().ct_eq(token.as_bytes()).into()) {
        true => Ok(()),
        false => Err(Refused::new(
            StatusCode::UNAUTHORIZED,
            "Send the admin token: `authorization: Bearer ...`.",
        )),
    }
}

fn admit_without_token(reads: bool, client: Option<&Client>) -> Result<(), Refused> {
    let is_here = client.is_some_and(|client| client.address.ip().to_canonical().is_loopback());
    let what = match reads {
        true if is_here => return Ok(()),
        true => "Other machines may read here",
        false => "Changes are made here",
    };
    let detail = format!("{what} only with a token: set `server.admin_token` and send it.");
    Err(Refused::new(StatusCode::FORBIDDEN, detail))
}

/// Whether a request changes nothing.
pub(crate) fn reads<B>(request: &Request<B>) -> bool {
    [Method::GET, Method::HEAD].contains(request.method())
}

/// Lets a request in and reads its body within its limits on size and time.
async fn take(
    door: &Door,
    request: Box<Request<Incoming>>,
    client: Option<&Client>,
) -> Result<Request<Bytes>, Refused> {
    admit(door, &request, client)?;
    let (head, body) = request.into_parts();
    let millis = door.config().body_timeout_ms;
    let body = Limited::new(body, MAX_BODY_BYTES).collect();
    let late = |_| {
        let detail = format!("The body did not arrive within {millis} ms.");
        Refused::new(StatusCode::REQUEST_TIMEOUT, detail)
    };
    let broken = |error: Box<dyn std::error::Error + Send + Sync>| match error.is::<LengthLimitError>() {
        true => {
            let detail = format!("The body is larger than {MAX_BODY_BYTES} bytes.");
            Refused::new(StatusCode::PAYLOAD_TOO_LARGE, detail)
        }
        false => Refused::new(StatusCode::BAD_REQUEST, "The body broke off before its end."),
    };
    let body = timeout(Duration::from_millis(millis), body).await.map_err(late)?;
    let body = body.map_err(broken)?.to_bytes();
    Ok(Request::from_parts(head, body))
}

// === impl Refused ===

impl Refused {
    fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Refused {
            status,
            detail: detail.into(),
        }
    }

    /// The refusal as an answer.
    pub(crate) fn reply(&self) -> Reply {
        let problem = Problem {
            kind: "about:blank",
            title: self.status.canonical_reason().unwrap_or("Error"),
            status: self.status.as_u16(),
            detail: &self.detail,
        };
        let body = serde_json::to_vec(&problem).unwrap_or_default();
        let mut reply = whole(self.status, "application/problem+json", body);
        if self.status == StatusCode::UNAUTHORIZED {
            let bearer = HeaderValue::from_static("Bearer");
            reply.headers_mut().insert(header::WWW_AUTHENTICATE, bearer);
        }
        reply
    }
}

#[cfg(test)]
mod tests;
