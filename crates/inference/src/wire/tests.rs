//! A scripted world: connections are in-memory pipes whose other ends the test holds.

use super::*;
use async_trait::async_trait;
use http::{HeaderName, HeaderValue};
use link::Io;
use parking_lot::Mutex;
use proptest::sample::Index;
use std::{
    collections::VecDeque,
    io,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

mod answers;
mod calls;
mod fuzz;
mod reuse;
mod sockets;

/// Hands out prepared connections one by one; when none is left, it never connects.
#[derive(Default)]
struct Script {
    ready: Mutex<VecDeque<Result<Box<dyn Io>, WireError>>>,
    dialed: AtomicUsize,
}

/// The server's end of a connection.
struct Peer(DuplexStream);

impl Script {
    fn dialed(&self) -> usize {
        self.dialed.load(Relaxed)
    }
}

#[async_trait]
impl Dial for Script {
    async fn dial(&self) -> Result<Box<dyn Io>, WireError> {
        self.dialed.fetch_add(1, Relaxed);
        let next = self.ready.lock().pop_front();
        match next {
            Some(connection) => connection,
            None => std::future::pending().await,
        }
    }

    fn target(&self) -> &str {
        "model.test:80"
    }
}

/// A wire over `count` connections with `room` bytes in flight each way, and their other ends.
fn world(count: usize, room: usize) -> (Wire, Arc<Script>, Vec<Peer>) {
    let script = Arc::new(Script::default());
    let peers = (0..count).map(|_| {
        let (ours, theirs) = tokio::io::duplex(room);
        script.ready.lock().push_back(Ok(Box::new(ours)));
        Peer(theirs)
    });
    let peers = peers.collect();
    (wire(Arc::clone(&script) as Arc<dyn Dial>), script, peers)
}

fn wire(dial: Arc<dyn Dial>) -> Wire {
    Wire {
        origin: Origin {
            prefix: "/v1".into(),
            host: "model.test".into(),
            proxy_authorization: None,
        },
        dial,
        connect_timeout: Duration::from_secs(5),
        pool: Arc::default(),
    }
}

/// A wire over one connection.
fn pair() -> (Wire, Peer) {
    let (wire, _, mut peers) = world(1, 1 << 20);
    (wire, peers.remove(0))
}

fn post(body: impl Into<Bytes>) -> Outgoing<'static> {
    Outgoing {
        method: Method::POST,
        path: "/chat",
        headers: &[],
        body: body.into(),
    }
}

fn get() -> Outgoing<'static> {
    Outgoing {
        method: Method::GET,
        path: "/models",
        headers: &[],
        body: Bytes::new(),
    }
}

impl Peer {
    /// Reads one request: its head, and its body by `content-length`.
    async fn hears(&mut self) -> String {
        let request = async {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(self.0.read_u8().await.expect("a whole head"));
            }
            let head = String::from_utf8(head).unwrap();
            let length = head
                .split("content-length: ")
                .nth(1)
                .and_then(|rest| rest.split("\r\n").next());
            let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
            self.0.read_exact(&mut body).await.expect("a whole body");
            head + std::str::from_utf8(&body).unwrap()
        };
        soon(request).await
    }

    async fn says(&mut self, text: impl AsRef<[u8]>) {
        self.0.write_all(text.as_ref()).await.unwrap();
    }

    /// Says what may come too late: to an answer that is over, and a connection that is closed.
    async fn may_say(&mut self, text: impl AsRef<[u8]>) {
        self.0.write_all(text.as_ref()).await.ok();
    }

    /// Hears a request and answers it.
    async fn answers(&mut self, text: impl AsRef<[u8]>) -> String {
        let request = self.hears().await;
        self.says(text).await;
        request
    }

    /// Ends its side of the connection; what was said before can still be read.
    async fn ends(&mut self) {
        self.0.shutdown().await.unwrap();
    }

    /// Waits until the other side has closed the connection, dropping what it still says.
    async fn sees_the_end(&mut self) {
        let mut rest = Vec::new();
        soon(self.0.read_to_end(&mut rest)).await.unwrap();
    }
}

/// Fails instead of waiting for ever: the clock is paused, so it runs out only when nothing else can happen.
async fn soon<T>(future: impl Future<Output = T>) -> T {
    let patience = tokio::time::timeout(Duration::from_secs(86_400), future);
    patience.await.expect("the other side does its part")
}

/// Sends a request to a peer that hears it, answers, and ends if told to; gives status and body.
async fn ask(wire: &Wire, peer: &mut Peer, answer: impl AsRef<[u8]>, end: bool) -> Result<(u16, String), WireError> {
    let serve = async {
        peer.answers(answer).await;
        if end {
            peer.ends().await;
        }
    };
    let call = async {
        let incoming = wire.send(post("{}")).await?;
        let body = incoming.body.collect(1 << 20).await?;
        Ok((incoming.status, String::from_utf8_lossy(&body).into_owned()))
    };
    soon(async { tokio::join!(call, serve).0 }).await
}

/// Cuts `input` at `places`; they may come in any order and fall together.
pub(super) fn cut<'a>(input: &'a [u8], places: &[Index]) -> Vec<&'a [u8]> {
    let inner = places.iter().map(|place| place.index(input.len().saturating_add(1)));
    let mut places: Vec<usize> = inner.chain([0, input.len()]).collect();
    places.sort_unstable();
    places.windows(2).map(|ends| &input[ends[0]..ends[1]]).collect()
}
