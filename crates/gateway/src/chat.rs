//! `POST /v1/chat/completions`, and the plain face `POST /v1/ask`.

use crate::{
    body::{Reply, json},
    call::Call,
    fault::Fault,
    io::Link,
    options::{Options, expect_json},
    reply::{collect, failed, whole},
    sse,
};
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Request, StatusCode, header};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use orchestrator_core::{Answer, Blame, Code, Failure};
use orchestrator_dialect::{
    ask,
    chat::{self, Parsed},
};
use serde::Serialize;
use serde_json::{Value, value::RawValue};
use std::time::Duration;
use tokio::time::timeout_at;

/// A body of fewer bytes is copied out of the connection's read buffer.
const SMALL_BODY: usize = 4096;

/// Answers a chat completion.
pub(crate) async fn completions(mut call: Call, request: Box<Request<Incoming>>, link: Link) -> Reply {
    let mut taken = match take(&mut call, request, link, Ok).await {
        Ok(Taken::Submitted(taken)) => taken,
        Ok(Taken::Planned(plan)) => return planned(call, &plan),
        Err(failure) => return failed(call, &failure),
    };
    let place = taken.answer.unload();
    let reply = match taken.stream {
        true => sse::stream(call, taken.answer, taken.include_usage).await,
        false => whole(&mut call, taken.answer).await.map_err(|failure| (call, failure)),
    };
    let mut reply = reply.unwrap_or_else(|(call, failure)| failed(call, &failure));
    reply.body_mut().carry(place);
    reply
}

/// Answers a plain question. Whatever keeps it from an answer behind the door is 503 `llm_unavailable`: a worker's failure, no
/// answer in time, a fault of ours.
pub(crate) async fn ask(mut call: Call, request: Box<Request<Incoming>>, link: Link) -> Reply {
    let mut taken = match take(&mut call, request, link, ask::to_chat).await {
        Ok(Taken::Submitted(taken)) => taken,
        Ok(Taken::Planned(plan)) => return planned(call, &plan),
        Err(failure) => return ask_failed(call, &failure),
    };
    let place = taken.answer.unload();
    let reply = match taken.stream {
        true => sse::stream(call, taken.answer, taken.include_usage).await,
        false => answered(&mut call, taken.answer)
            .await
            .map_err(|failure| (call, failure)),
    };
    let mut reply = reply.unwrap_or_else(|(call, failure)| ask_failed(call, &failure));
    reply.body_mut().carry(place);
    reply
}

/// Tells what would be done with a plain question.
pub(crate) async fn dry_explain(mut call: Call, request: Box<Request<Incoming>>, link: Link) -> Reply {
    let plan = match read_in(&mut call, request, link, ask::to_chat).await {
        Ok((parsed, options)) => call.plan(parsed, options),
        Err(failure) => Err(failure),
    };
    match plan {
        Ok(plan) => planned(call, &plan),
        Err(failure) => ask_failed(call, &failure),
    }
}

/// The plan of a request that is not run.
fn planned(mut call: Call, plan: &Value) -> Reply {
    let mut reply = json(StatusCode::OK, serde_json::to_vec(plan).unwrap_or_default());
    call.stamp(reply.headers_mut());
    call.show();
    reply
}

/// The whole answer as a client of the plain face expects it.
async fn answered(call: &mut Call, answer: Answer) -> Result<Reply, Failure> {
    let collected = collect(call, answer).await?;
    let body = AskReply::of(call, &collected);
    let mut reply = json(StatusCode::OK, serde_json::to_vec(&body).unwrap_or_default());
    call.stamp(reply.headers_mut());
    call.finish(Some(&collected.end));
    Ok(reply)
}

/// What has become of a request that was read.
enum Taken {
    /// The line has taken it.
    Submitted(Submitted),
    /// It was for show.
    Planned(Value),
}

struct Submitted {
    answer: Answer,
    stream: bool,
    include_usage: bool,
}

/// Reads, checks and submits a request whose body `to_chat` turns into a chat body; one for show is only planned.
async fn take(
    call: &mut Call,
    request: Box<Request<Incoming>>,
    link: Link,
    to_chat: impl FnOnce(Bytes) -> Result<Bytes, Failure>,
) -> Result<Taken, Failure> {
    let (parsed, options) = read_in(call, request, link, to_chat).await?;
    if options.dry_run {
        return call.plan(parsed, options).map(Taken::Planned);
    }
    let (stream, include_usage) = (parsed.stream, parsed.include_usage);
    let answer = call.submit(parsed, options)?;
    Ok(Taken::Submitted(Submitted {
        answer,
        stream,
        include_usage,
    }))
}

/// Reads and checks a request.
async fn read_in(
    call: &mut Call,
    request: Box<Request<Incoming>>,
    link: Link,
    to_chat: impl FnOnce(Bytes) -> Result<Bytes, Failure>,
) -> Result<(Parsed, Options), Failure> {
    let (head, body) = request.into_parts();
    let options = call.door.options(&head.headers)?;
    expect_json(&head.headers)?;
    count_client_retry(call, &head.headers);
    let body = read(call, &head.headers, body).await?;
    call.received();
    link.received();
    let body = to_chat(body)?;
    Ok((chat::parse_request(body)?, options))
}

/// Reads a body within its limits on size and time.
async fn read(call: &Call, headers: &HeaderMap, body: Incoming) -> Result<Bytes, Failure> {
    let config = call.door.config();
    let limit = config.max_body_bytes;
    let declared = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if declared.is_some_and(|declared| declared > limit) {
        return Err(too_large(limit));
    }
    let patience = Duration::from_millis(config.body_timeout_ms);
    // From the head on, whose time is known.
    let until = call.started.checked_add(patience).unwrap_or(call.started);
    match timeout_at(until, gather(body, limit, declared.unwrap_or(0))).await {
        Ok(read) => read,
        Err(_) => Err(Failure::new(
            Code::RequestTimeout,
            format!("The body did not arrive within {} ms.", config.body_timeout_ms),
        )),
    }
}

async fn gather(mut body: Incoming, limit: usize, declared: usize) -> Result<Bytes, Failure> {
    let broken = |error| Failure::new(Code::InvalidRequest, "The body broke off before its end.").with_source(error);
    let mut first = Bytes::new();
    let mut rest = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(broken)?.into_data() else {
            continue;
        };
        if first.len().saturating_add(rest.len()).saturating_add(data.len()) > limit {
            return Err(too_large(limit));
        }
        if first.is_empty() {
            first = data;
        } else {
            if rest.is_empty() {
                rest.reserve(declared.max(first.len()).saturating_sub(first.len()));
            }
            rest.extend_from_slice(&data);
        }
    }
    if rest.is_empty() {
        // As a slice, a small body would keep the connection's whole read buffer, of 8 KB, for as long as its answer runs,
        // and the connection would take another one.
        let is_small = first.len() < SMALL_BODY;
        return Ok(if is_small {
            Bytes::copy_from_slice(&first)
        } else {
            first
        });
    }
    Ok([first.as_ref(), rest.as_ref()].concat().into())
}

fn too_large(limit: usize) -> Failure {
    Failure::new(
        Code::RequestTooLarge,
        format!("The body is larger than {limit} bytes, the server's `max_body_bytes`."),
    )
}

/// SDKs say when they send a request again.
fn count_client_retry(call: &Call, headers: &HeaderMap) {
    let count = headers
        .get("x-stainless-retry-count")
        .and_then(|value| value.to_str().ok());
    if count.is_some_and(|count| count != "0") {
        call.door.shared.parts.metrics.client_retries.inc();
    }
}

#[derive(Serialize)]
struct AskReply<'a> {
    backend: &'a str,
    model: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    degraded: Option<&'static str>,
    answer: Box<str>,
    usage: Option<Box<RawValue>>,
    latency_ms: u128,
    req_id: String,
}

impl<'a> AskReply<'a> {
    fn of(call: &'a Call, collected: &'a crate::reply::Collected) -> Self {
        #[derive(serde::Deserialize)]
        struct Completion {
            choices: Vec<Choice>,
            usage: Option<Box<RawValue>>,
        }
        #[derive(serde::Deserialize)]
        struct Choice {
            message: Message,
        }
        #[derive(serde::Deserialize)]
        struct Message {
            content: Option<Box<str>>,
        }
        let completion: Option<Completion> = serde_json::from_slice(&collected.body).ok();
        let (answer, usage) = match completion {
            Some(completion) => (
                completion
                    .choices
                    .into_iter()
                    .next()
                    .and_then(|choice| choice.message.content)
                    .unwrap_or_default(),
                completion.usage,
            ),
            None => (Box::default(), None),
        };
        AskReply {
            backend: &collected.head.worker,
            model: &collected.head.model,
            degraded: collected.head.degraded_name(),
            answer,
            usage,
            latency_ms: call.started.elapsed().as_millis(),
            req_id: call.arrival.id.to_string(),
        }
    }
}

#[derive(Serialize)]
struct AskError<'a> {
    code: &'a str,
    message: &'a str,
    param: Option<&'a str>,
    req_id: String,
}

fn ask_failed(mut call: Call, failure: &Failure) -> Reply {
    let fault = Fault::of(failure);
    let code = failure.code();
    let no_answer = matches!(code, Code::BreakerOpen | Code::DeadlineExceeded | Code::Internal);
    let (status, code) = match no_answer || code.blame() == Blame::Upstream {
        true => (StatusCode::SERVICE_UNAVAILABLE, "llm_unavailable"),
        false => (fault.status, code.as_str()),
    };
    let body = AskError {
        code,
        message: failure.public(),
        param: failure.param(),
        req_id: call.arrival.id.to_string(),
    };
    let mut reply = json(status, serde_json::to_vec(&body).unwrap_or_default());
    call.stamp(reply.headers_mut());
    reply.headers_mut().extend(fault.headers(failure));
    call.fail(failure);
    reply
}
