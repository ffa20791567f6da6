//! A scripted world for tests: connections are in-memory pipes whose other ends the test holds.

use super::{Dial, Wire, WireError, link::Io, request::Origin};
use async_trait::async_trait;
use bytes::Bytes;
use orchestrator_testkit::Timeline;
use parking_lot::Mutex;
use proptest::sample::Index;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::{RootCertStore, ServerConfig, pki_types::PrivateKeyDer};
use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio_rustls::TlsAcceptor;

/// Hands out prepared connections one by one; when none is left, it never connects.
#[derive(Default)]
pub(crate) struct Script {
    pub(super) ready: Mutex<VecDeque<Result<Box<dyn Io>, WireError>>>,
    dialed: AtomicUsize,
}

/// The server's end of a connection.
pub(crate) struct Peer(pub(super) DuplexStream);

/// What a server does on a connection.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    /// Is silent for so many milliseconds.
    Wait(u64),
    /// Sends this.
    Say(Bytes),
    /// Ends its side.
    End,
}

impl Script {
    pub(crate) fn dialed(&self) -> usize {
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
pub(crate) fn world(count: usize, room: usize) -> (Wire, Arc<Script>, Vec<Peer>) {
    let script = Arc::new(Script::default());
    let peers = (0..count).map(|_| {
        let (ours, theirs) = tokio::io::duplex(room);
        script.ready.lock().push_back(Ok(Box::new(ours)));
        Peer(theirs)
    });
    let peers = peers.collect();
    (wire(Arc::clone(&script) as Arc<dyn Dial>), script, peers)
}

pub(super) fn wire(dial: Arc<dyn Dial>) -> Wire {
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
pub(crate) fn pair() -> (Wire, Peer) {
    let (wire, _, mut peers) = world(1, 1 << 20);
    (wire, peers.remove(0))
}

impl Peer {
    /// Reads one request: its head, and its body by `content-length`.
    pub(crate) async fn hears(&mut self) -> String {
        soon(self.hear()).await.expect("a whole request")
    }

    /// One request; `None` when the other side ends before a whole one.
    async fn hear(&mut self) -> Option<String> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(self.0.read_u8().await.ok()?);
        }
        let head = String::from_utf8(head).unwrap();
        let length = head.split("content-length: ").nth(1);
        let length = length.and_then(|rest| rest.split("\r\n").next());
        let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
        self.0.read_exact(&mut body).await.ok()?;
        Some(head + std::str::from_utf8(&body).unwrap())
    }

    /// Hears a request, acts, and waits until the other side closes the connection; writes down under `name` when it
    /// was asked and left. A connection that nobody uses leaves no line.
    pub(crate) async fn plays(mut self, name: usize, acts: &[Act], timeline: &Timeline) {
        if self.hear().await.is_none() {
            return;
        }
        timeline.note(format_args!("server {name}: asked"));
        let (mut reading, mut writing) = tokio::io::split(self.0);
        let acting = async {
            for act in acts {
                match act {
                    Act::Wait(ms) => tokio::time::sleep(Duration::from_millis(*ms)).await,
                    Act::Say(bytes) => drop(writing.write_all(bytes).await),
                    Act::End => writing.shutdown().await.unwrap(),
                }
            }
            std::future::pending::<()>().await;
        };
        let mut rest = Vec::new();
        tokio::select! {
            _ = reading.read_to_end(&mut rest) => timeline.note(format_args!("server {name}: left")),
            () = acting => {}
        }
    }

    pub(crate) async fn says(&mut self, text: impl AsRef<[u8]>) {
        self.0.write_all(text.as_ref()).await.unwrap();
    }

    /// Says what may come too late: to an answer that is over, and a connection that is closed.
    pub(crate) async fn may_say(&mut self, text: impl AsRef<[u8]>) {
        self.0.write_all(text.as_ref()).await.ok();
    }

    /// Hears a request and answers it.
    pub(crate) async fn answers(&mut self, text: impl AsRef<[u8]>) -> String {
        let request = self.hears().await;
        self.says(text).await;
        request
    }

    /// Hears a request, says these one after another, each after the last one could be looked at, and ends.
    pub(crate) async fn dribbles(&mut self, parts: &[&[u8]]) {
        self.hears().await;
        for part in parts {
            self.may_say(part).await;
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        self.0.shutdown().await.ok();
    }

    /// Ends its side of the connection; what was said before can still be read.
    pub(crate) async fn ends(&mut self) {
        self.0.shutdown().await.unwrap();
    }

    /// Waits until the other side has closed the connection, dropping what it still says.
    pub(crate) async fn sees_the_end(&mut self) {
        let mut rest = Vec::new();
        soon(self.0.read_to_end(&mut rest)).await.unwrap();
    }
}

/// Fails instead of waiting for ever: the clock is paused, so it runs out only when nothing else can happen.
pub(crate) async fn soon<T>(future: impl Future<Output = T>) -> T {
    let patience = tokio::time::timeout(Duration::from_secs(86_400), future);
    patience.await.expect("the other side does its part")
}

/// A server's certificate and the authority that a client needs to trust it.
pub(crate) struct Identity {
    pub(crate) acceptor: TlsAcceptor,
    pub(crate) roots: RootCertStore,
    /// The authority's certificate as a file holds it.
    pub(crate) pem: String,
}

/// Of a server by this name.
pub(crate) fn identity(name: &str) -> Identity {
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed([name.to_owned()]).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(cert.der().clone()).unwrap();
    let key = PrivateKeyDer::Pkcs8(signing_key.serialize_der().into());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap();
    let mut config = config
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let pem = cert.pem();
    Identity { acceptor, roots, pem }
}

/// Cuts `input` at `places`; they may come in any order and fall together.
pub(crate) fn cut<'a>(input: &'a [u8], places: &[Index]) -> Vec<&'a [u8]> {
    let inner = places.iter().map(|place| place.index(input.len().saturating_add(1)));
    let mut places: Vec<usize> = inner.chain([0, input.len()]).collect();
    places.sort_unstable();
    places.windows(2).map(|ends| &input[ends[0]..ends[1]]).collect()
}
