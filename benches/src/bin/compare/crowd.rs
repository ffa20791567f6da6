//! Many WebSockets that hear the same, and the least that this can cost: a bare loop of writes to as many.

use crate::{
    frame,
    load::all,
    process::{Server, spent_us},
    shape::Shape,
    socket::Socket,
};
use orchestrator_testkit::Script;
use std::{
    io::{self, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    sync::Arc,
    time::Duration,
};
use tokio::{
    runtime::Handle,
    task::{JoinSet, spawn_blocking},
    time::interval,
};

/// The clock of the thread that asks.
const OWN_TIME: &str = "/proc/thread-self/schedstat";

/// Listeners of one answer.
#[derive(Debug)]
pub(crate) struct Crowd {
    server: SocketAddr,
    sockets: Vec<Socket>,
}

/// A crowd whose other ends are in our hand.
#[derive(Debug)]
pub(crate) struct Floor {
    crowd: Crowd,
    ends: Arc<Vec<TcpStream>>,
}

// === impl Crowd ===

impl Crowd {
    pub(crate) async fn connect(server: SocketAddr, listeners: usize) -> io::Result<Self> {
        let mut sockets = Vec::with_capacity(listeners);
        for _ in 0..listeners {
            sockets.push(Socket::connect(server).await?);
        }
        Ok(Crowd { server, sockets })
    }

    /// Lets all ask the same, and hear it. The server's processor time for a token that a listener was told, and how many
    /// frames it took.
    pub(crate) async fn hear(&mut self, server: &Server, shape: Shape) -> io::Result<(f64, f64)> {
        debug_assert_eq!(server.address, self.server);
        let body: Arc<str> = shape.body().into();
        let mut asking = JoinSet::new();
        for mut socket in self.sockets.drain(..) {
            let body = body.clone();
            asking.spawn(async move { socket.submit(&body).await.map(|()| socket) });
        }
        self.sockets = all(asking).await?;
        let (frames, spent) = server.during(self.listen(shape)).await?;
        let tokens = (self.sockets.len() * shape.tokens) as f64;
        Ok((spent / tokens, frames as f64 / tokens))
    }

    /// Lets all hear an answer to its end. The frames that its tokens came in, of all together.
    async fn listen(&mut self, shape: Shape) -> io::Result<usize> {
        let expected: Arc<str> = shape.text().into();
        let mut listening = JoinSet::new();
        for mut socket in self.sockets.drain(..) {
            let expected = expected.clone();
            listening.spawn(async move { socket.listen(&expected).await.map(|frames| (socket, frames)) });
        }
        let (sockets, frames): (Vec<Socket>, Vec<usize>) = all(listening).await?.into_iter().unzip();
        self.sockets = sockets;
        Ok(frames.into_iter().sum())
    }
}

// === impl Floor ===

impl Floor {
    pub(crate) async fn connect(listeners: usize) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let server = listener.local_addr()?;
        let (mut sockets, mut ends) = (Vec::new(), Vec::new());
        for _ in 0..listeners {
            sockets.push(Socket::bare(server).await?);
            let (end, _) = listener.accept()?;
            end.set_nodelay(true)?;
            ends.push(end);
        }
        let (crowd, ends) = (Crowd { server, sockets }, Arc::new(ends));
        Ok(Floor { crowd, ends })
    }

    /// Writes the shape's tokens, a frame each, at its pace. The processor time of the loop for a frame.
    pub(crate) async fn write(&mut self, shape: Shape) -> io::Result<f64> {
        let ends = self.ends.clone();
        let writing = spawn_blocking(move || write(&ends, shape));
        self.crowd.listen(shape).await?;
        Ok(writing.await?? / (self.ends.len() * shape.tokens) as f64)
    }
}

fn write(ends: &[TcpStream], shape: Shape) -> io::Result<f64> {
    let runtime = Handle::current();
    let mut pace = runtime.block_on(async { interval(Duration::from_millis(shape.gap_ms.max(1))) });
    let before = spent_us(OWN_TIME)?;
    for nth in 0..shape.tokens {
        runtime.block_on(pace.tick());
        let text = Script::default().piece.replace("{i}", &nth.to_string());
        tell(
            ends,
            &format!(r#"{{"type":"token","id":"c","seq":{nth},"text":"{text}"}}"#),
        )?;
    }
    let spent = spent_us(OWN_TIME)? - before;
    tell(ends, r#"{"type":"done","id":"c","finish_reason":"stop"}"#)?;
    Ok(spent)
}

fn tell(ends: &[TcpStream], text: &str) -> io::Result<()> {
    let frame = frame::plain(frame::TEXT, text.as_bytes());
    ends.iter().try_for_each(|mut end| end.write_all(&frame))
}
