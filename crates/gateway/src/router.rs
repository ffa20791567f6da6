//! What is served where: one table a listener.

use crate::{
    body::{Reply, json, whole},
    call::{Arrival, Call},
    chat,
    control::{self, admit, reads},
    cors,
    door::{Door, Listed},
    io::Link,
    life::Stage,
    reply::failed,
    socket,
};
use http::{HeaderValue, Method, Request, StatusCode, header};
use hyper::body::Incoming;
use orchestrator_core::{Code, Failure};
use percent_encoding::percent_decode_str;
use serde::Serialize;
use std::sync::Arc;

/// Answers a request on the data plane.
pub(crate) async fn data(door: Door, request: Box<Request<Incoming>>, arrival: Arc<Arrival>, link: Link) -> Reply {
    let page = match cors::page(request.headers(), &door.config().allowed_origins) {
        Ok(None) => return serve(door, request, arrival, link).await,
        Ok(Some(page)) => page,
        Err(failure) => return failed(Call::begin(&door, "other", "other", arrival), &failure),
    };
    let mut reply = match cors::is_preflight(&request) {
        true => cors::preflight(request.headers()),
        false => serve(door, request, arrival, link).await,
    };
    cors::admit(&mut reply, page);
    reply
}

async fn serve(door: Door, request: Box<Request<Incoming>>, arrival: Arc<Arrival>, link: Link) -> Reply {
    let path = request.uri().path();
    let path = path
        .strip_prefix("/v1")
        .filter(|rest| rest.starts_with('/'))
        .unwrap_or(path);
    let (reads, posts) = (reads(&request), request.method() == Method::POST);
    let begin = |method, path| Call::begin(&door, method, path, arrival);
    match path {
        "/chat/completions" if posts => chat::completions(begin("POST", "/v1/chat/completions"), request, link).await,
        "/ask" if posts => chat::ask(begin("POST", "/v1/ask"), request, link).await,
        "/ask/dry-explain" if posts => chat::dry_explain(begin("POST", "/v1/ask/dry-explain"), request, link).await,
        "/stream" if request.method() == Method::GET => {
            socket::upgrade(begin("GET", "/v1/stream#handshake"), &request, &link)
        }
        "/models" if reads => models(&door, begin("GET", "/v1/models")),
        "/chat/completions" | "/ask" | "/ask/dry-explain" => refused(begin("other", "other"), "POST"),
        "/stream" => refused(begin("other", "other"), "GET"),
        "/models" => refused(begin("other", "other"), "GET, HEAD"),
        _ => match path.strip_prefix("/models/") {
            Some(id) if reads => model(&door, id, begin("GET", "/v1/models/{id}")),
            Some(_) => refused(begin("other", "other"), "GET, HEAD"),
            None => operations(&door, &request, None).unwrap_or_else(|| unknown(begin("other", "other"))),
        },
    }
}

/// Answers a request on the control plane.
pub(crate) async fn control(door: Door, request: Box<Request<Incoming>>, arrival: Arc<Arrival>) -> Reply {
    if request.uri().path().starts_with(control::ROOT) {
        return control::answer(&door, request, &arrival).await;
    }
    operations(&door, &request, Some(&arrival))
        .unwrap_or_else(|| unknown(Call::begin(&door, "other", "other", arrival)))
}

/// Refuses a request whose head is larger than it may be.
pub(crate) fn too_large(door: &Door, arrival: Arc<Arrival>) -> Reply {
    let limit = door.config().max_header_bytes;
    let text = format!("The head is larger than {limit} bytes, the server's `max_header_bytes`.");
    let status = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE.as_u16();
    let failure = Failure::new(Code::RequestTooLarge, text).with_status(status);
    failed(Call::begin(door, "other", "other", arrival), &failure)
}

/// Health and metrics. On the control plane (`operator` is who came there) metrics may ask for a token.
fn operations(door: &Door, request: &Request<Incoming>, operator: Option<&Arrival>) -> Option<Reply> {
    let stage = door.life().stage();
    let reply = match request.uri().path() {
        "/livez" | "/health/liveliness" => health(true),
        "/readyz" | "/healthz" | "/health/readiness" => health(stage == Stage::Ready),
        "/startupz" => health(stage >= Stage::Ready),
        "/metrics" => match operator.map_or(Ok(()), |operator| admit(door, request, operator.client.as_ref())) {
            Ok(()) => metrics(door),
            Err(refused) => refused.reply(),
        },
        _ => return None,
    };
    if reads(request) {
        return Some(reply);
    }
    let status = StatusCode::METHOD_NOT_ALLOWED;
    let mut reply = whole(status, "text/plain; charset=utf-8", "Use GET.\n");
    allow(&mut reply, "GET, HEAD");
    Some(reply)
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

fn models(door: &Door, call: Call) -> Reply {
    let listed = door.shared.parts.models.iter();
    let data = listed.map(|listed| Model::of(listed, door.shared.born)).collect();
    told(call, &Models { object: "list", data })
}

/// One model. Names may hold a slash, which some clients escape and some do not.
fn model(door: &Door, id: &str, call: Call) -> Reply {
    let models = &door.shared.parts.models;
    let id = percent_decode_str(id).decode_utf8_lossy();
    if let Some(listed) = models.iter().find(|listed| listed.id == id) {
        return told(call, &Model::of(listed, door.shared.born));
    }
    let names: Vec<&str> = models.iter().map(|listed| listed.id.as_str()).collect();
    let text = format!("The model is not served here. Served are: {}.", names.join(", "));
    failed(call, &Failure::new(Code::ModelNotFound, text).at("model"))
}

fn told(mut call: Call, what: &impl Serialize) -> Reply {
    let mut reply = json(StatusCode::OK, serde_json::to_vec(what).unwrap_or_default());
    call.stamp(reply.headers_mut());
    call.finish(None);
    reply
}

fn unknown(call: Call) -> Reply {
    failed(call, &Failure::new(Code::NotFound, "Nothing is served at this path."))
}

fn refused(call: Call, allowed: &'static str) -> Reply {
    let text = format!("This path takes {allowed} only.");
    let mut reply = failed(call, &Failure::new(Code::MethodNotAllowed, text));
    allow(&mut reply, allowed);
    reply
}

fn allow(reply: &mut Reply, allowed: &'static str) {
    let allowed = HeaderValue::from_static(allowed);
    reply.headers_mut().insert(header::ALLOW, allowed);
}
