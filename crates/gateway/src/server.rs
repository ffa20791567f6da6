//! Connections: accepted in one place, dealt to the core with least to do, and served there to their end.

use crate::{
    body::{Reply, json},
    call::Arrival,
    client::Client,
    deal::{Place, What},
    door::{Door, Shared},
    fault::Fault,
    io::{Limits, Link, Watched},
    life::Stage,
    router,
    socket::{Served, Session},
};
use futures_util::FutureExt;
use http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode, header};
use hyper::{
    body::Incoming,
    server::conn::http1::{self, Parts},
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use orchestrator_core::{Code, Failure};
use std::{
    convert::Infallible,
    future::{Future, poll_fn},
    net::SocketAddr,
    panic::AssertUnwindSafe,
    pin::{Pin, pin},
    sync::Arc,
    task::Poll,
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::{sleep, timeout},
};

/// Headers that a request may have.
const MAX_HEADERS: usize = 100;
/// Bytes of a head that are no fields: its first line and what separates them. Beyond, the parser refuses without words.
const HEAD_SPARE: usize = 16 << 10;
/// How long connections may take to say goodbye once the time is up.
const FAREWELL: Duration = Duration::from_secs(1);

/// A connection on its way to the core that serves it.
pub(crate) struct Accepted {
    socket: std::net::TcpStream,
    client: SocketAddr,
    place: Place,
}

/// What is served on a listener.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Plane {
    /// Clients.
    Data,
    /// Operators.
    Control,
}

/// Accepts connections until the process drains, at most `max_connections` at once, and deals them over the cores.
pub(crate) async fn accept(
    listener: TcpListener,
    plane: Plane,
    shared: Arc<Shared>,
    cores: Vec<async_channel::Sender<Accepted>>,
) {
    let places = Arc::new(Semaphore::new(shared.parts.config.max_connections));
    let mut life = shared.parts.life.clone();
    loop {
        let Ok(permit) = places.clone().acquire_owned().await else {
            return;
        };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            // Clients that still connect while we drain are told so, until the time is up.
            () = life.reached(Stage::Over) => return,
        };
        let Ok((socket, client)) = accepted else {
            // Out of descriptors, most likely: those in use come free in time.
            sleep(Duration::from_millis(20)).await;
            continue;
        };
        let core = shared.deal.least();
        let counted = shared.deal.count(core, What::Connection);
        let open = matches!(plane, Plane::Data).then(|| shared.parts.metrics.connection());
        let place = Place::new(permit, counted, open);
        let (Some(cores), Ok(socket)) = (cores.get(core), socket.into_std()) else {
            continue;
        };
        let accepted = Accepted { socket, client, place };
        if cores.send(accepted).await.is_err() {
            return;
        }
    }
}

/// Serves the connections that are dealt to a core.
pub(crate) async fn serve(door: Door, plane: Plane, dealt: async_channel::Receiver<Accepted>) {
    while let Ok(accepted) = dealt.recv().await {
        let door = door.clone();
        door.tasks.clone().spawn(async move {
            let Accepted { socket, client, place } = accepted;
            // A socket that cannot be registered is closed; its client sees a reset.
            let Ok(socket) = TcpStream::from_std(socket) else {
                return;
            };
            // Without it a token may wait 40 ms for the acknowledgement of the one before.
            if socket.set_nodelay(true).is_err() {
                return;
            }
            connection(door, plane, socket, client, place).await;
        });
    }
}

/// Serves a connection to its end.
pub(crate) async fn connection<S>(door: Door, plane: Plane, socket: S, client: SocketAddr, place: Place)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let link = Link::default();
    let client = Client::from(client);
    let watched = Watched::new(socket, Limits::of(door.config()), link.clone(), place);
    let http = serve_http(door.clone(), plane, watched, client.clone(), link.clone());
    let Some(Parts { io, read_buf, .. }) = http.await else {
        return;
    };
    if let Some(handshake) = link.handshake() {
        let tasks = door.tasks.clone();
        // Boxed, so that a connection that never becomes a WebSocket has no room for a session.
        let served = Box::pin(async move {
            let session = Session::new(door, client, handshake, link);
            Served::new(session, io.into_inner(), &read_buf).await
        });
        tasks.spawn(served.await.run());
    }
}

/// Answers the requests of a connection. What is left of it when it is over, if it ended well.
fn serve_http<S>(
    door: Door,
    plane: Plane,
    socket: Watched<S>,
    client: Client,
    link: Link,
) -> impl Future<Output = Option<Parts<TokioIo<Watched<S>>, impl Sized>>>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut life = door.life().clone();
    let max_header_bytes = door.config().max_header_bytes;
    let worked = link.clone();
    // Boxed, so that a connection that waits or streams has no room for the request's future; and the request by itself, of
    // which each of the futures inside would have one copy or two (2.5 KB of 4.2, to be made anew with each request).
    let service = service_fn(move |request| {
        let request = Box::new(request);
        Box::pin(answer(door.clone(), plane, client.clone(), link.clone(), request))
    });
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(None)
        .max_headers(MAX_HEADERS)
        .max_buf_size(max_header_bytes.saturating_add(HEAD_SPARE))
        .serve_connection(TokioIo::new(socket), service);
    // The connection stands in it once: an async fn would have room for its parameters, too.
    async move {
        let mut ended = tokio::select! {
            biased;
            ended = &mut connection => Some(ended),
            () = life.reached(Stage::Draining) => None,
        };
        if ended.is_none() {
            // A client that has just come is told with the answer to its request.
            if worked.has_worked() {
                Pin::new(&mut connection).graceful_shutdown();
            }
            ended = tokio::select! {
                biased;
                ended = &mut connection => Some(ended),
                () = life.reached(Stage::Over) => None,
            };
        }
        if ended.is_none() {
            // What still runs now ends with a clear failure, for which it is polled once more.
            ended = timeout(FAREWELL, &mut connection).await.ok();
        }
        ended?.ok().map(|()| connection.into_parts())
    }
}

/// Answers one request; a panic is the server's fault and that request's end alone.
async fn answer(
    door: Door,
    plane: Plane,
    client: Client,
    link: Link,
    request: Box<Request<Incoming>>,
) -> Result<Reply, Infallible> {
    let (work, life) = (link.clone().work(), door.life().clone());
    let arrival = Arc::new(Arrival::of(&door, client, &request));
    let fits = head_bytes(request.headers()) <= door.config().max_header_bytes;
    let (at, on) = (arrival.clone(), link.clone());
    let routed = async move {
        match plane {
            _ if !fits => router::too_large(&door, at),
            Plane::Data => router::data(door, request, at, on).await,
            Plane::Control => router::control(door, request, at).await,
        }
    };
    let mut routed = pin!(AssertUnwindSafe(routed).catch_unwind());
    let mut reply = poll_fn(|cx| {
        if life.stage() == Stage::Over {
            let late = "The server went down before the answer was complete.";
            return Poll::Ready(cut_off(&arrival, &Failure::new(Code::Draining, late)));
        }
        let fault = || Failure::new(Code::Internal, "A fault of the server ended the request.");
        let routed = routed.as_mut().poll(cx);
        routed.map(|reply| reply.unwrap_or_else(|_| cut_off(&arrival, &fault())))
    })
    .await;
    reply.body_mut().keep_busy(work);
    let upgraded = reply.status() == StatusCode::SWITCHING_PROTOCOLS;
    if upgraded {
        link.upgrade();
    }
    if !fits || (life.stage() >= Stage::Draining && !upgraded) {
        let close = HeaderValue::from_static("close");
        reply.headers_mut().insert(header::CONNECTION, close);
    }
    Ok(reply)
}

/// What a client is told whose request ended where it stood; its call, which is dropped, says so in logs and metrics.
fn cut_off(arrival: &Arrival, failure: &Failure) -> Reply {
    let fault = Fault::of(failure);
    let mut reply = json(fault.status, fault.json(failure, arrival.id));
    arrival.stamp(reply.headers_mut());
    reply.headers_mut().extend(fault.headers(failure));
    reply
}

/// The bytes of a head's fields. The parser's own limit is on what it reads at once, which may be more.
fn head_bytes(headers: &HeaderMap) -> usize {
    let field = |(name, value): (&HeaderName, &HeaderValue)| name.as_str().len().saturating_add(value.len());
    headers.iter().map(field).fold(0, usize::saturating_add)
}

#[cfg(test)]
mod tests;
