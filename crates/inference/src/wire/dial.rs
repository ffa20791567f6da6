//! Making a connection: TCP, then what the way asks for: TLS to a proxy, a tunnel through it, TLS to the server.

use super::{
    WireError,
    endpoint::{Endpoint, Hop, Tls},
    exchange::Exchange,
    link::{Io, Link},
    proxy::Proxy,
    request::put_field,
};
use async_trait::async_trait;
use bytes::{BufMut, BytesMut};
use futures_util::{StreamExt, stream::FuturesUnordered};
use http::header::PROXY_AUTHORIZATION;
use std::{io, net::SocketAddr, time::Duration};
use tokio::{net::TcpStream, time::sleep};
use tokio_rustls::TlsConnector;
use url::Host;

/// How long one address is tried alone before the next one is tried beside it (RFC 8305, 5).
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

/// Makes connections to one server.
#[async_trait]
pub(super) trait Dial: Send + Sync {
    /// A connection that is ready for a request. The caller bounds the time; dropping the future gives up.
    async fn dial(&self) -> Result<Box<dyn Io>, WireError>;

    /// The server's `host:port`, for errors.
    fn target(&self) -> &str;
}

// === impl Endpoint ===

#[async_trait]
impl Dial for Endpoint {
    async fn dial(&self) -> Result<Box<dyn Io>, WireError> {
        let server = self.server();
        match self.proxy() {
            None => reach(server, connect(server).await?).await,
            Some((hop, proxy)) => {
                let mut io = reach(hop, connect(hop).await?).await?;
                if server.tls.is_some() {
                    io = tunnel(io, &server.name, proxy).await?;
                }
                reach(server, io).await
            }
        }
    }

    fn target(&self) -> &str {
        &self.server().name
    }
}

/// TCP to a hop.
async fn connect(hop: &Hop) -> Result<Box<dyn Io>, WireError> {
    let connected = async { prepared(first_of(addresses(hop).await?, TcpStream::connect).await?) };
    match connected.await {
        Ok(stream) => Ok(Box::new(stream)),
        Err(source) => Err(WireError::Connect {
            to: hop.name.clone(),
            source,
        }),
    }
}

/// A request goes out as soon as it is written.
fn prepared(stream: TcpStream) -> io::Result<TcpStream> {
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// TLS over a connection to a hop, where the hop speaks it.
pub(super) async fn reach(hop: &Hop, io: Box<dyn Io>) -> Result<Box<dyn Io>, WireError> {
    let Some(Tls { config, server_name }) = hop.tls.clone() else {
        return Ok(io);
    };
    match TlsConnector::from(config).connect(server_name, io).await {
        Ok(stream) => Ok(Box::new(stream)),
        Err(source) => Err(WireError::Tls {
            to: hop.name.clone(),
            source,
        }),
    }
}

/// A tunnel through a proxy (RFC 9110, 9.3.6).
pub(super) async fn tunnel(io: Box<dyn Io>, to: &str, proxy: &Proxy) -> Result<Box<dyn Io>, WireError> {
    let mut head = BytesMut::new();
    for part in ["CONNECT ", to, " HTTP/1.1\r\nhost: ", to, "\r\n"] {
        head.put_slice(part.as_bytes());
    }
    if let Some(value) = &proxy.authorization {
        put_field(&mut head, &PROXY_AUTHORIZATION, value);
    }
    head.put_slice(b"\r\n");
    let (link, head, _) = Exchange::new(Link::new(io), head)
        .run()
        .await
        .map_err(|broken| broken.error)?;
    match head.status {
        200..=299 => link.into_io(),
        status => Err(WireError::Proxy(format!("answered CONNECT with status {status}"))),
    }
}

/// The addresses of a hop, IPv6 and IPv4 by turns, in the resolver's order.
async fn addresses(hop: &Hop) -> io::Result<Vec<SocketAddr>> {
    match &hop.host {
        Host::Domain(name) => Ok(by_turns(tokio::net::lookup_host((name.as_str(), hop.port)).await?)),
        Host::Ipv4(address) => Ok(vec![SocketAddr::from((*address, hop.port))]),
        Host::Ipv6(address) => Ok(vec![SocketAddr::from((*address, hop.port))]),
    }
}

/// Keeps the order but lets the two families take turns, so that one that leads nowhere delays by one address only.
fn by_turns(found: impl Iterator<Item = SocketAddr>) -> Vec<SocketAddr> {
    let mut found = found.peekable();
    let is_v6_first = found.peek().is_some_and(SocketAddr::is_ipv6);
    let (first, second): (Vec<_>, Vec<_>) = found.partition(|address| address.is_ipv6() == is_v6_first);
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    let mut turns = Vec::new();
    loop {
        let before = turns.len();
        turns.extend(first.next().into_iter().chain(second.next()));
        if turns.len() == before {
            return turns;
        }
    }
}

/// The first connection that is made; each address gets a head start over the next.
async fn first_of<T, F>(addresses: Vec<SocketAddr>, connect: impl Fn(SocketAddr) -> F) -> io::Result<T>
where
    F: Future<Output = io::Result<T>>,
{
    let mut left = addresses.into_iter();
    let mut running: FuturesUnordered<F> = left.next().into_iter().map(&connect).collect();
    let mut last_error = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    loop {
        let is_waiting = left.len() > 0;
        tokio::select! {
            biased;
            Some(result) = running.next() => match result {
                Ok(stream) => return Ok(stream),
                Err(error) => last_error = error,
            },
            () = sleep(ATTEMPT_DELAY), if is_waiting => {}
            else => return Err(last_error),
        }
        running.extend(left.next().map(&connect));
    }
}

#[cfg(test)]
mod tests;
