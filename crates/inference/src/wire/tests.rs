use super::{
    fixtures::{Peer, Script, cut, pair, soon, wire, world},
    *,
};
use http::{HeaderName, HeaderValue};
use parking_lot::Mutex;
use std::io;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

mod answers;
mod calls;
mod fuzz;
mod reuse;
mod sockets;

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
