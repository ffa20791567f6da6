//! `GET /v1/stream`: the handshake of our WebSocket. What then runs is a [`Session`].

mod bells;
mod hearing;
mod outbox;
mod session;
mod times;

use crate::{
    body::{Body, Reply},
    call::Call,
    io::Link,
    life::Stage,
    options::{DRY_RUN, Options},
    reply::failed,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, Version, header};
use http_body::Body as _;
use hyper::body::Incoming;
use orchestrator_core::{Code, Failure, RequestId};
pub(crate) use session::{Served, Session};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

/// What a session begins with.
#[derive(Debug)]
pub(crate) struct Handshake {
    /// Our name for it.
    pub(crate) id: RequestId,
    /// What the session's requests have where they do not say otherwise.
    pub(crate) options: Options,
}

/// Answers the handshake, after which a session takes the connection over.
pub(crate) fn upgrade(mut call: Call, request: &Request<Incoming>, link: &Link) -> Reply {
    let accepted = match check(&call, request) {
        Ok(accepted) => accepted,
        Err(failure) => return refuse(call, &failure),
    };
    let mut reply = Response::new(Body::empty());
    call.stamp(reply.headers_mut());
    link.agree(Handshake {
        id: call.arrival.id,
        options: accepted.options,
    });
    call.switch();
    *reply.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = reply.headers_mut();
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(header::SEC_WEBSOCKET_ACCEPT, accepted.key);
    reply
}

struct Accepted {
    key: HeaderValue,
    options: Options,
}

fn check(call: &Call, request: &Request<Incoming>) -> Result<Accepted, Failure> {
    let headers = request.headers();
    if request.version() < Version::HTTP_11 {
        return Err(upgrade_required("A WebSocket begins with HTTP/1.1."));
    }
    if !request.body().is_end_stream() {
        return Err(Failure::invalid("body", "The handshake of a WebSocket has no body."));
    }
    if !has_token(headers, header::UPGRADE, "websocket") || !has_token(headers, header::CONNECTION, "upgrade") {
        return Err(upgrade_required("This path is a WebSocket: connect with an upgrade."));
    }
    let version = headers.get(header::SEC_WEBSOCKET_VERSION);
    if version.is_none_or(|version| version != "13") {
        return Err(upgrade_required("The WebSocket version must be 13."));
    }
    let wrong_key = || Failure::invalid("sec-websocket-key", "The handshake's key must be 16 bytes in base64.");
    let key = headers.get(header::SEC_WEBSOCKET_KEY).ok_or_else(wrong_key)?;
    if STANDARD.decode(key).ok().is_none_or(|bytes| bytes.len() != 16) {
        return Err(wrong_key());
    }
    if call.door.life().stage() >= Stage::Draining {
        let text = "The server is going down. Connect to another one.";
        return Err(Failure::new(Code::Draining, text));
    }
    let options = call.door.options(headers)?;
    if options.dry_run {
        let text = "A socket's requests are run: ask for a plan over HTTP.";
        return Err(Failure::invalid(DRY_RUN.as_str(), text));
    }
    let key = HeaderValue::try_from(derive_accept_key(key.as_bytes())).map_err(|_| wrong_key())?;
    Ok(Accepted { key, options })
}

fn upgrade_required(text: &str) -> Failure {
    Failure::new(Code::InvalidRequest, text).with_status(StatusCode::UPGRADE_REQUIRED.as_u16())
}

fn refuse(call: Call, failure: &Failure) -> Reply {
    let mut reply = failed(call, failure);
    if reply.status() == StatusCode::UPGRADE_REQUIRED {
        let headers = reply.headers_mut();
        headers.insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    reply
}

fn has_token(headers: &HeaderMap, name: header::HeaderName, token: &str) -> bool {
    let values = headers
        .get_all(name)
        .into_iter()
        .filter_map(|value| value.to_str().ok());
    values
        .flat_map(|value| value.split(','))
        .any(|value| value.trim().eq_ignore_ascii_case(token))
}

#[cfg(test)]
mod tests;
