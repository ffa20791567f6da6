//! `GET /v1/stream`: the handshake of our WebSocket. What then runs is a [`Session`].

mod hearing;
mod session;

use crate::{
    body::{Body, Reply, whole},
    call::Call,
    options::Options,
    reply::failed,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};
use hyper::{body::Incoming, upgrade::OnUpgrade};
use hyper_util::rt::TokioIo;
use orchestrator_core::{Code, Failure};
use session::Session;
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        handshake::derive_accept_key,
        protocol::{Role, WebSocketConfig},
    },
};

/// Answers the handshake and, once the connection is ours, runs the session on this core.
pub(crate) fn upgrade(call: Call, mut request: Request<Incoming>) -> Reply {
    let accepted = match check(&call, &request) {
        Ok(accepted) => accepted,
        Err(reason) => return refuse(call, reason),
    };
    let door = call.door.clone();
    let session = Session::new(call, accepted.options);
    let config = limits(door.config().max_body_bytes);
    let upgraded: OnUpgrade = hyper::upgrade::on(&mut request);
    door.clone().tasks.spawn(async move {
        // A client that goes away in the middle of the handshake leaves nothing to do.
        let Ok(upgraded) = upgraded.await else { return };
        let socket = WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, Some(config)).await;
        session.run(socket).await;
    });
    let mut reply = Response::new(Body::empty());
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

enum Reason {
    /// Not a WebSocket handshake.
    NotUpgrade,
    /// A version of the protocol that we do not speak.
    Version,
    /// A web page of another host.
    Origin,
    Failure(Failure),
}

fn check(call: &Call, request: &Request<Incoming>) -> Result<Accepted, Reason> {
    let headers = request.headers();
    if !has_token(headers, header::UPGRADE, "websocket") || !has_token(headers, header::CONNECTION, "upgrade") {
        return Err(Reason::NotUpgrade);
    }
    if headers
        .get(header::SEC_WEBSOCKET_VERSION)
        .is_none_or(|version| version != "13")
    {
        return Err(Reason::Version);
    }
    if !may_connect(headers, &call.door.config().allowed_origins) {
        return Err(Reason::Origin);
    }
    let wrong_key = || Failure::invalid("sec-websocket-key", "The handshake's key must be 16 bytes in base64.");
    let key = headers
        .get(header::SEC_WEBSOCKET_KEY)
        .ok_or_else(wrong_key)
        .map_err(Reason::Failure)?;
    if STANDARD.decode(key).ok().is_none_or(|bytes| bytes.len() != 16) {
        return Err(Reason::Failure(wrong_key()));
    }
    let options = Options::read(headers, call.door.config()).map_err(Reason::Failure)?;
    let key = HeaderValue::try_from(derive_accept_key(key.as_bytes())).map_err(|_| Reason::Failure(wrong_key()))?;
    Ok(Accepted { key, options })
}

fn refuse(mut call: Call, reason: Reason) -> Reply {
    let (status, text) = match reason {
        Reason::Failure(failure) => return failed(call, &failure),
        Reason::NotUpgrade => (
            StatusCode::UPGRADE_REQUIRED,
            "This path is a WebSocket: connect with an upgrade.\n",
        ),
        Reason::Version => (StatusCode::UPGRADE_REQUIRED, "The WebSocket version must be 13.\n"),
        Reason::Origin => (
            StatusCode::FORBIDDEN,
            "Pages of this origin may not connect; see `allowed_origins`.\n",
        ),
    };
    call.fail(&Failure::new(Code::InvalidRequest, text));
    let mut reply = whole(status, "text/plain; charset=utf-8", text);
    if status == StatusCode::UPGRADE_REQUIRED {
        reply
            .headers_mut()
            .insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        reply
            .headers_mut()
            .insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
        reply
            .headers_mut()
            .insert(header::CONNECTION, HeaderValue::from_static("close"));
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

/// Programs send no origin; a page's must be our own host or be listed, or any page could speak to us in its reader's name.
fn may_connect(headers: &HeaderMap, allowed: &[String]) -> bool {
    let Some(origin) = headers.get(header::ORIGIN) else {
        return true;
    };
    let Ok(origin) = origin.to_str() else { return false };
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let own = origin
        .split_once("://")
        .is_some_and(|(_, authority)| Some(authority) == host);
    own || allowed.iter().any(|allowed| allowed == origin)
}

/// Small buffers: thousands of sockets are open and mostly silent.
fn limits(max_message: usize) -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(2 << 10)
        .write_buffer_size(0)
        .max_write_buffer_size(4 << 20)
        .max_message_size(Some(max_message))
        .max_frame_size(Some(max_message))
}

#[cfg(test)]
mod tests;
