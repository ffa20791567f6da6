//! Clients that keep their connections and check every answer: those that ask one request after the other, and those
//! that ask at a rate whatever becomes of it.

use crate::{answer::Answer, shape::Shape, statistics::Sample};
use parking_lot::Mutex;
use std::{io, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval},
};

/// A connection.
pub(crate) struct Client {
    socket: TcpStream,
    pub(crate) answer: Answer,
}

/// How an answer came, in microseconds since its request left.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Told {
    pub(crate) status: u16,
    pub(crate) first_token: f64,
    pub(crate) whole: f64,
    pub(crate) says_when_to_come_back: bool,
}

// === impl Client ===

impl Client {
    pub(crate) async fn connect(server: SocketAddr) -> io::Result<Self> {
        let socket = TcpStream::connect(server).await?;
        socket.set_nodelay(true)?;
        let answer = Answer::default();
        Ok(Client { socket, answer })
    }

    /// Sends a request and reads its answer to the end. `heard` is called with each piece, told by the bytes before it.
    pub(crate) async fn ask(&mut self, request: &[u8], mut heard: impl FnMut(&Answer, usize)) -> io::Result<Told> {
        self.answer.bytes.clear();
        let sent = Instant::now();
        let mut first_token = None;
        self.socket.write_all(request).await?;
        while !self.answer.is_whole() {
            let before = self.answer.bytes.len();
            if self.socket.read_buf(&mut self.answer.bytes).await? == 0 {
                return Err(io::Error::other(format!("an answer is cut: {:?}", self.answer)));
            }
            if first_token.is_none() && self.answer.has_token() {
                first_token = Some(micros(sent));
            }
            heard(&self.answer, before);
        }
        let whole = micros(sent);
        Ok(Told {
            status: self.answer.status().unwrap_or_default(),
            first_token: first_token.unwrap_or(whole),
            whole,
            says_when_to_come_back: self.answer.header("retry-after").is_some(),
        })
    }
}

/// Asks `requests` requests over so many connections. How long each took, in microseconds.
pub(crate) async fn drive(server: SocketAddr, shape: Shape, connections: usize, requests: usize) -> io::Result<Sample> {
    ask_all(server, shape, (connections, requests), Shape::request).await
}

/// The same with requests that `request` writes.
pub(crate) async fn ask_all(
    server: SocketAddr,
    shape: Shape,
    (connections, requests): (usize, usize),
    request: fn(Shape) -> Vec<u8>,
) -> io::Result<Sample> {
    let expected: Arc<str> = shape.text().into();
    let mut clients = JoinSet::new();
    for nth in 0..connections {
        let share = requests / connections + usize::from(nth < requests % connections);
        let expected = expected.clone();
        clients.spawn(async move {
            let mut client = Client::connect(server).await?;
            let mut took = Vec::with_capacity(share);
            for _ in 0..share {
                took.push(client.ask(&request(shape), |_, _| {}).await?.whole);
                client.answer.check(&expected)?;
            }
            io::Result::Ok(took)
        });
    }
    Ok(all(clients).await?.into_iter().flatten().collect())
}

/// Asks a rate of requests for so long. Good answers are checked, refusals are told.
pub(crate) async fn at_rate(
    server: SocketAddr,
    shape: Shape,
    per_second: f64,
    time: Duration,
) -> io::Result<Vec<Told>> {
    let expected: Arc<str> = shape.text().into();
    let idle: Arc<Mutex<Vec<Client>>> = Arc::default();
    let mut ticks = interval(Duration::from_secs_f64(1.0 / per_second));
    // Who is late asks the more at once: the rate holds.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut asked = JoinSet::new();
    for _ in 0..(per_second * time.as_secs_f64()) as usize {
        ticks.tick().await;
        let (expected, idle) = (expected.clone(), idle.clone());
        asked.spawn(async move {
            let kept = idle.lock().pop();
            let mut client = match kept {
                Some(client) => client,
                None => Client::connect(server).await?,
            };
            let told = client.ask(&shape.request(), |_, _| {}).await?;
            if told.status == 200 {
                client.answer.check(&expected)?;
            }
            idle.lock().push(client);
            io::Result::Ok(told)
        });
    }
    all(asked).await
}

/// What all of them bring, or the first failure.
pub(crate) async fn all<T: 'static>(mut set: JoinSet<io::Result<T>>) -> io::Result<Vec<T>> {
    let mut brought = Vec::with_capacity(set.len());
    while let Some(one) = set.join_next().await {
        brought.push(one??);
    }
    Ok(brought)
}

fn micros(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e6
}
