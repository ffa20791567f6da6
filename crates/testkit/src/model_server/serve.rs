//! The connections: read a request, find its script, play it while watching whether the client is still there.

use super::{
    Framing, Received, Script, World, http,
    play::{Asked, Ending, Play},
    render::Format,
    script::unmark,
};
use bytes::BytesMut;
use orchestrator_core::Tasks;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::{borrow::Cow, io, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::yield_now,
    time::sleep,
};

/// How much a client may send ahead while a call of its runs.
const MAX_AHEAD: usize = 1 << 20;
/// The rest after a failed accept, such as for want of file descriptors.
const ACCEPT_REST: Duration = Duration::from_millis(10);

/// A request for an answer, as far as it is read here.
#[derive(Deserialize)]
struct Call<'a> {
    #[serde(borrow, default)]
    model: Cow<'a, str>,
    #[serde(default)]
    stream: Option<bool>,
    #[serde(default)]
    stream_options: Option<StreamOptions>,
    #[serde(borrow, default)]
    messages: Vec<Turn<'a>>,
}

#[derive(Deserialize)]
struct StreamOptions {
    #[serde(default)]
    include_usage: bool,
}

#[derive(Deserialize)]
struct Turn<'a> {
    #[serde(borrow, default)]
    content: Option<&'a RawValue>,
}

pub(super) async fn accept(listener: TcpListener, world: Arc<World>, tasks: Tasks) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => drop(tasks.spawn(connection(stream, world.clone()))),
            Err(_) => sleep(ACCEPT_REST).await,
        }
    }
}

async fn connection(mut stream: TcpStream, world: Arc<World>) {
    let _open = world.tally.open();
    let mut buffer = BytesMut::with_capacity(8192);
    if stream.set_nodelay(true).is_err() {
        return;
    }
    while let Ok(Some(request)) = Received::read(&mut stream, &mut buffer).await {
        let served = match Format::of(&request.path).filter(|_| request.method == "POST") {
            Some(format) => call(&mut stream, &mut buffer, &world, (format, &request)).await,
            None => plain(&mut stream, world.plain(&request)).await,
        };
        if !served.is_ok_and(|keep| keep && !request.is_last()) {
            return;
        }
    }
}

/// Answers a call; whether the connection serves on. An error means that the client has gone.
async fn call(
    stream: &mut TcpStream,
    ahead: &mut BytesMut,
    world: &World,
    (format, request): (Format, &Received),
) -> io::Result<bool> {
    world.keep(request);
    let (asked, tag, chosen) = match read(world, format, request) {
        Ok(found) => found,
        Err(error) => return plain(stream, (400, format.error(400, &error))).await,
    };
    let ticket = world.tally.begin(&tag);
    let script = chosen.part(ticket.nth_of_tag);
    let play = world.plays.lock().play(asked, script, &tag, ticket.call);
    perform(stream, ahead, &play).await?;
    match play.ending {
        Ending::Stall => return Err(gone(stream, ahead).await),
        Ending::Reset => stream.set_zero_linger()?,
        Ending::Keep | Ending::Close => {}
    }
    ticket.served();
    Ok(play.ending == Ending::Keep)
}

async fn perform(stream: &mut TcpStream, ahead: &mut BytesMut, play: &Play) -> io::Result<()> {
    for (nth, write) in play.writes.iter().enumerate() {
        if !write.after.is_zero() {
            tokio::select! {
                biased;
                error = gone(stream, ahead) => return Err(error),
                () = sleep(write.after) => {}
            }
        } else if nth > 0 {
            // Lets the client's side of a shared processor see this piece by itself.
            yield_now().await;
        }
        stream.write_all(&write.bytes).await?;
    }
    Ok(())
}

/// Resolves once the client has closed its side or reset the connection; what it sends instead is kept for later.
async fn gone(stream: &mut TcpStream, ahead: &mut BytesMut) -> io::Error {
    while ahead.len() < MAX_AHEAD {
        match stream.read_buf(ahead).await {
            Ok(0) => return io::ErrorKind::UnexpectedEof.into(),
            Ok(_) => {}
            Err(error) => return error,
        }
    }
    std::future::pending().await
}

async fn plain(stream: &mut TcpStream, (status, body): (u16, String)) -> io::Result<bool> {
    let mut answer = http::head(
        &Script::failing(status),
        "application/json",
        Framing::Length,
        body.len(),
    );
    answer.extend(body.into_bytes());
    stream.write_all(&answer).await.map(|()| true)
}

/// What is asked, the call's tag, and the script that it follows.
fn read(world: &World, format: Format, request: &Received) -> Result<(Asked, String, Arc<Script>), String> {
    let call: Call<'_> = serde_json::from_slice(&request.body).map_err(|error| error.to_string())?;
    let text = call
        .messages
        .last()
        .and_then(|turn| turn.content)
        .map(text)
        .unwrap_or_default();
    let (tag, marked) = unmark(&text);
    let named = request
        .header("x-script")
        .or(marked)
        .or(call.model.strip_prefix("script:"));
    let script = match named {
        Some(json) => Arc::new(Script::parse(json)?),
        None => {
            let scripts = world.scripts.lock();
            scripts.by_model.get(&*call.model).unwrap_or(&scripts.all).clone()
        }
    };
    let asked = Asked {
        format,
        // A script for a name shall not be said back in each chunk.
        model: if call.model.starts_with("script:") {
            "script".into()
        } else {
            call.model.into_owned()
        },
        // Ollama streams unless told not to.
        stream: call.stream.unwrap_or(format == Format::Ollama),
        include_usage: call.stream_options.is_some_and(|options| options.include_usage),
    };
    Ok((asked, tag, script))
}

/// The text of a message's content: a string, or parts with text.
fn text(content: &RawValue) -> String {
    match serde_json::from_str(content.get()) {
        Ok(serde_json::Value::String(text)) => text,
        Ok(serde_json::Value::Array(parts)) => {
            let texts = parts.iter().filter_map(|part| part.get("text")?.as_str());
            texts.collect::<Vec<_>>().join("\n")
        }
        _ => String::new(),
    }
}
