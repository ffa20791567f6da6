//! What is served where: one table a listener.

use crate::{
    body::{Reply, json, whole},
    call::Call,
    chat,
    door::{Door, Listed},
    life::Stage,
    reply::failed,
    socket,
};
use http::{HeaderValue, Method, Request, StatusCode, header};
use hyper::body::Incoming;
use orchestrator_core::{Code, Failure};
use serde::Serialize;
use std::net::SocketAddr;
use subtle::ConstantTimeEq;

/// Answers a request on the data plane.
pub(crate) async fn data(door: Door, request: Request<Incoming>, client: SocketAddr) -> Reply {
    let path = request.uri().path();
    let path = path
        .strip_prefix("/v1")
        .filter(|rest| rest.starts_with('/'))
        .unwrap_or(path);
    let is = |method: Method| request.method() == method;
    let begin = |method, path| Call::begin(&door, method, path, Some(client));
    match path {
        "/chat/completions" if is(Method::POST) => {
            chat::completions(begin("POST", "/v1/chat/completions"), request).await
        }
        "/ask" if is(Method::POST) => chat::ask(begin("POST", "/v1/ask"), request).await,
        "/stream" if is(Method::GET) => socket::upgrade(begin("GET", "/v1/stream"), request),
        "/models" if is(Method::GET) => models(&door, begin("GET", "/v1/models")),
        "/chat/completions" | "/ask" => refused(begin("other", "other"), Code::MethodNotAllowed, "POST"),
        "/models" | "/stream" => refused(begin("other", "other"), Code::MethodNotAllowed, "GET"),
        _ => match path.strip_prefix("/models/") {
            Some(id) if is(Method::GET) => model(&door, id, begin("GET", "/v1/models/{id}")),
            Some(_) => refused(begin("other", "other"), Code::MethodNotAllowed, "GET"),
            None => operations(&door, &request, None).unwrap_or_else(|| {
                failed(
                    begin("other", "other"),
                    &Failure::new(Code::NotFound, "Nothing is served at this path."),
                )
            }),
        },
    }
}

/// Answers a request on the control plane.
pub(crate) fn control(door: Door, request: Request<Incoming>, client: SocketAddr) -> Reply {
    let call = || Call::begin(&door, "other", "other", Some(client));
    operations(&door, &request, Some(client))
        .unwrap_or_else(|| failed(call(), &Failure::new(Code::NotFound, "Nothing is served at this path.")))
}

/// Health and metrics. On the control plane (`operator` says from where) metrics may ask for a token.
fn operations(door: &Door, request: &Request<Incoming>, operator: Option<SocketAddr>) -> Option<Reply> {
    let stage = door.life().stage();
    let reply = match request.uri().path() {
        "/livez" | "/health/liveliness" => health(true),
        "/readyz" | "/healthz" | "/health/readiness" => health(stage == Stage::Ready),
        "/startupz" => health(stage >= Stage::Ready),
        "/metrics" => match operator.is_none_or(|client| may_read(door, request, client)) {
            true => metrics(door),
            false => unauthorized(),
        },
        _ => return None,
    };
    let readable = [Method::GET, Method::HEAD].contains(request.method());
    Some(if readable {
        reply
    } else {
        whole(
            StatusCode::METHOD_NOT_ALLOWED,
            "text/plain; charset=utf-8",
            "Use GET.\n",
        )
    })
}

fn health(good: bool) -> Reply {
    let (status, text) = if good {
        (StatusCode::OK, "ok\n")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "not ready\n")
    };
    whole(status, "text/plain; charset=utf-8", text)
}

fn metrics(door: &Door) -> Reply {
    let (content_type, text) = door.shared.parts.registry.exposition();
    whole(StatusCode::OK, content_type, text)
}

/// Without a token in the configuration only the machine itself may read.
fn may_read(door: &Door, request: &Request<Incoming>, client: SocketAddr) -> bool {
    let expected = &door.shared.parts.admin_token;
    if expected.is_empty() {
        return client.ip().to_canonical().is_loopback();
    }
    let given = request
        .headers()
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    given.is_some_and(|given| given.as_bytes().ct_eq(expected.as_bytes()).into())
}

fn unauthorized() -> Reply {
    let text = "{\"type\":\"about:blank\",\"title\":\"Unauthorized\",\"status\":401,\"detail\":\"Send the admin token: `authorization: Bearer ...`.\"}";
    let mut reply = whole(StatusCode::UNAUTHORIZED, "application/problem+json", text);
    reply
        .headers_mut()
        .insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    reply
}

#[derive(Serialize)]
struct Models<'a> {
    object: &'static str,
    data: Vec<Model<'a>>,
}

#[derive(Serialize)]
struct Model<'a> {
    id: &'a str,
    object: &'static str,
    created: u64,
    owned_by: &'a str,
}

impl<'a> Model<'a> {
    fn of(listed: &'a Listed, created: u64) -> Self {
        Model {
            id: &listed.id,
            object: "model",
            created,
            owned_by: &listed.owned_by,
        }
    }
}

fn models(door: &Door, mut call: Call) -> Reply {
    call.finish(None);
    let listed = door.shared.parts.models.iter();
    let data = listed.map(|listed| Model::of(listed, door.shared.born)).collect();
    json(
        StatusCode::OK,
        serde_json::to_vec(&Models { object: "list", data }).unwrap_or_default(),
    )
}

fn model(door: &Door, id: &str, mut call: Call) -> Reply {
    let models = &door.shared.parts.models;
    if let Some(listed) = models.iter().find(|listed| listed.id == id) {
        call.finish(None);
        return json(
            StatusCode::OK,
            serde_json::to_vec(&Model::of(listed, door.shared.born)).unwrap_or_default(),
        );
    }
    let names: Vec<&str> = models.iter().map(|listed| listed.id.as_str()).collect();
    let text = format!("The model is not served here. Served are: {}.", names.join(", "));
    failed(call, &Failure::new(Code::ModelNotFound, text).at("model"))
}

fn refused(call: Call, code: Code, allowed: &'static str) -> Reply {
    let mut reply = failed(call, &Failure::new(code, format!("This path takes {allowed} only.")));
    reply
        .headers_mut()
        .insert(header::ALLOW, HeaderValue::from_static(allowed));
    reply
}
