//! Workers over sockets, where no time is told, and over pipes in memory, where the clock is paused and every millisecond
//! is.

use super::*;
use crate::{
    Config,
    wire::fixtures::{Act, soon, world as pipes},
};
use futures_util::{TryStreamExt, future::join_all};
use orchestrator_testkit::{ModelServer, Timeline, chat, cx, prompt, text_of, world};
use prometheus::Registry;

mod answers;
mod failures;
mod leaving;
mod logged;
mod signs;
mod timeouts;
mod tls;
mod upstream;

/// A worker of `provider` after `change`.
fn spec(provider: ProviderName, change: impl FnOnce(&mut WorkerConfig)) -> WorkerSpec {
    let mut config = WorkerConfig::usual(provider);
    change(&mut config);
    let metrics = Metrics::register(&Registry::new()).unwrap();
    WorkerSpec::new("w", config, &Config::default(), (world(1), metrics))
}

/// The worker at `server`.
fn worker(provider: ProviderName, server: &ModelServer, change: impl FnOnce(&mut WorkerConfig)) -> Worker {
    let root = server.url();
    let url = if provider == ProviderName::OpenAi {
        format!("{root}/v1")
    } else {
        root
    };
    let spec = spec(provider, |config| {
        config.base_url = Some(url);
        change(config);
    });
    spec.for_core(&|_| None).unwrap()
}

fn openai(server: &ModelServer) -> Worker {
    worker(ProviderName::OpenAi, server, |_| {})
}

/// The worker over a wire in memory.
fn over(wire: Wire, name: ProviderName, change: impl FnOnce(&mut WorkerConfig)) -> Worker {
    let spec = spec(name, change);
    let provider = provider(name).unwrap();
    let place = provider.place(&spec.name, &spec.config, &|_| None).unwrap();
    let server = spec.server(provider, place.headers, wire);
    spec.worker(Backend::Server(Box::new(server)))
}

fn streamed(text: &str) -> Prompt {
    let text = serde_json::to_string(text).unwrap();
    let body = format!(r#"{{"model":"test","stream":true,"messages":[{{"role":"user","content":{text}}}]}}"#);
    Prompt {
        request: Box::new(chat(body)),
        ..prompt("")
    }
}

/// Calls the worker for a client that waits until the request's deadline.
async fn call(worker: &Worker, prompt: &Prompt) -> Result<Reply, Failure> {
    let (cx, _client) = cx(prompt.request.deadline);
    worker.call(&cx, prompt).await
}

/// All that a request hears.
async fn answer(worker: &Worker, prompt: &Prompt) -> Result<String, Failure> {
    let reply = call(worker, prompt).await?;
    let batches: Vec<Vec<Chunk>> = reply.events.try_collect().await?;
    Ok(text_of(batches.iter().flatten()))
}

/// Calls, listens to the end and writes down what is heard.
async fn hear(worker: &Worker, prompt: &Prompt, timeline: &Timeline) {
    let reply = match call(worker, prompt).await {
        Ok(reply) => reply,
        Err(failure) => return timeline.note(format_args!("failed {}", failure.code().as_str())),
    };
    timeline.note("begins");
    let mut events = reply.events;
    while let Some(batch) = events.next().await {
        match batch {
            Ok(chunks) => timeline.note(format_args!("{:?}", text_of(&chunks))),
            Err(failure) => timeline.note(format_args!("failed {}", failure.code().as_str())),
        }
    }
    timeline.note("over");
}

/// What happens when an OpenAI worker is asked whose connections act like this, of which a call takes one.
async fn story(prompt: Prompt, connections: &[Vec<Act>], change: impl FnOnce(&mut WorkerConfig)) -> Timeline {
    let (wire, _, peers) = pipes(connections.len(), 1 << 20);
    let timeline = Timeline::begin();
    let worker = over(wire, ProviderName::OpenAi, change);
    let servers = peers.into_iter().zip(connections).enumerate();
    let servers = servers.map(|(nth, (peer, acts))| peer.plays(nth + 1, acts, &timeline));
    let call = async {
        hear(&worker, &prompt, &timeline).await;
        drop(worker);
    };
    soon(async { tokio::join!(call, join_all(servers)) }).await;
    timeline
}

fn say(text: impl Into<String>) -> Act {
    Act::Say(text.into().into())
}

/// The head of a stream that ends with its connection.
fn begin() -> Act {
    say("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n")
}

fn token(text: &str) -> Act {
    say(format!(
        "data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{text}\"}}}}]}}\n\n"
    ))
}

fn finish() -> Act {
    say("data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n")
}

/// An answer without a body; `fields` are whole lines.
fn status(status: u16, fields: &str) -> Vec<Act> {
    vec![say(format!(
        "HTTP/1.1 {status} Said\r\n{fields}content-length: 0\r\nconnection: close\r\n\r\n"
    ))]
}
