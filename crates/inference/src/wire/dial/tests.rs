use super::super::{
    EndpointError,
    fixtures::{Identity, identity},
    proxy::Proxies,
};
use super::*;
use http::HeaderValue;
use parking_lot::Mutex;
use rustls::RootCertStore;
use std::sync::Arc;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex},
    time::Instant,
};
use tokio_rustls::server::TlsStream;

/// The server of an endpoint that trusts `roots`.
fn server(url: &str, roots: &RootCertStore) -> Hop {
    let roots = || Ok::<_, EndpointError>(roots.clone());
    let endpoint = Endpoint::build(url, Duration::from_secs(5), &Proxies::default(), roots).unwrap();
    endpoint.server().clone()
}

fn proxy(authorization: Option<&'static str>) -> Proxy {
    Proxy {
        host: Host::Domain("proxy".into()),
        port: 3128,
        tls: false,
        authorization: authorization.map(HeaderValue::from_static),
    }
}

async fn hears(peer: &mut DuplexStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(peer.read_u8().await.unwrap());
    }
    String::from_utf8(head).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_tunnel_is_asked_for_by_host_and_port_with_credentials_for_the_proxy() {
    let (ours, mut theirs) = duplex(1024);
    let serve = async {
        let heard = hears(&mut theirs).await;
        theirs
            .write_all(b"HTTP/1.1 200 Connection established\r\nx: y\r\n\r\n")
            .await
            .unwrap();
        heard
    };
    let proxy = proxy(Some("Basic dTpw"));
    let (io, heard) = tokio::join!(tunnel(Box::new(ours), "model.test:443", &proxy), serve);
    assert_eq!(
        heard,
        "CONNECT model.test:443 HTTP/1.1\r\nhost: model.test:443\r\nproxy-authorization: Basic dTpw\r\n\r\n"
    );
    let mut io = io.unwrap();
    theirs.write_all(b"through").await.unwrap();
    let mut through = [0; 7];
    io.read_exact(&mut through).await.unwrap();
    assert_eq!(&through, b"through");
}

#[tokio::test(start_paused = true)]
async fn a_proxy_that_refuses_speaks_early_or_breaks_off_gives_no_tunnel() {
    let table = [
        (
            "HTTP/1.1 407 Proxy Authentication Required\r\n\r\n",
            "the proxy answered CONNECT with status 407",
        ),
        (
            "HTTP/1.1 502 Bad Gateway\r\n\r\nno such host",
            "the proxy answered CONNECT with status 502",
        ),
        ("HTTP/1.1 200 OK\r\n\r\nearly", "the proxy spoke before its turn"),
        ("HTTP/1.1 200", "the connection ended in the middle of the answer"),
        ("", "the connection ended before the answer"),
        ("SOCKS", "the server breaks the protocol: the answer is not HTTP/1"),
    ];
    for (answer, expected) in table {
        let (ours, mut theirs) = duplex(1024);
        let serve = async {
            hears(&mut theirs).await;
            theirs.write_all(answer.as_bytes()).await.unwrap();
            drop(theirs);
        };
        let proxy = proxy(None);
        let (io, ()) = tokio::join!(tunnel(Box::new(ours), "model.test:443", &proxy), serve);
        assert_eq!(io.err().unwrap().to_string(), expected, "{answer:?}");
    }
}

/// A TLS connection over a pipe; the client's end and the server's.
async fn secure(
    url: &str,
    identity: &Identity,
) -> (Result<Box<dyn Io>, WireError>, io::Result<TlsStream<DuplexStream>>) {
    let (ours, theirs) = duplex(1 << 16);
    let hop = server(url, &identity.roots);
    tokio::join!(reach(&hop, Box::new(ours)), identity.acceptor.accept(theirs))
}

#[tokio::test(start_paused = true)]
async fn a_trusted_server_is_spoken_to_over_tls_in_http_1() {
    for (url, name) in [
        ("https://model.test", "model.test"),
        ("https://10.0.0.1", "10.0.0.1"),
        ("https://[::2]", "::2"),
    ] {
        let (ours, theirs) = secure(url, &identity(name)).await;
        let (mut ours, mut theirs) = (ours.unwrap(), theirs.unwrap());
        assert_eq!(theirs.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
        ours.write_all(b"ping").await.unwrap();
        ours.flush().await.unwrap();
        let mut heard = [0; 4];
        theirs.read_exact(&mut heard).await.unwrap();
        assert_eq!(&heard, b"ping");
    }
}

#[tokio::test(start_paused = true)]
async fn a_certificate_for_another_name_or_by_an_unknown_authority_is_refused() {
    let (wrong_name, _) = secure("https://other.test", &identity("model.test")).await;
    let stranger = Identity {
        roots: identity("model.test").roots,
        ..identity("model.test")
    };
    let (unknown, _) = secure("https://model.test", &stranger).await;
    for (result, to) in [(wrong_name, "other.test:443"), (unknown, "model.test:443")] {
        let error = result.err().unwrap();
        assert!(
            matches!(&error, WireError::Tls { to: named, .. } if named == to),
            "{error}"
        );
        assert!(error.to_string().contains("certificate"), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_does_not_speak_tls_is_told_as_such() {
    let (ours, mut theirs) = duplex(1 << 16);
    theirs.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
    let hop = server("https://model.test", &RootCertStore::empty());
    let error = reach(&hop, Box::new(ours)).await.err().unwrap();
    assert!(matches!(error, WireError::Tls { .. }), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_whole_answer_over_tls_is_read_and_one_without_a_proper_end_is_truncated() {
    for (is_proper, expected) in [(true, Some("hello")), (false, None)] {
        let (ours, theirs) = secure("https://model.test", &identity("model.test")).await;
        let mut theirs = theirs.unwrap();
        let request = BytesMut::from(&b"GET / HTTP/1.1\r\n\r\n"[..]);
        theirs.write_all(b"HTTP/1.1 200 OK\r\n\r\nhello").await.unwrap();
        theirs.flush().await.unwrap();
        if is_proper {
            theirs.shutdown().await.unwrap();
        }
        let (link, head, _) = Exchange::new(Link::new(ours.unwrap()), request).run().await.unwrap();
        drop(theirs);
        let framing = head.framing(&http::Method::GET).unwrap();
        let body = super::super::Body::new(link, framing, false, Arc::default());
        match body.collect(100).await {
            Ok(body) => assert_eq!(Some(&body[..]), expected.map(str::as_bytes)),
            Err(error) => assert!(expected.is_none() && matches!(error, WireError::Truncated), "{error}"),
        }
    }
}

#[tokio::test]
async fn https_goes_through_a_tunnel_to_the_server_behind_the_proxy() {
    let identity = identity("model.test");
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let value = format!("http://{}", listener.local_addr().unwrap());
    let proxies = Proxies::read(|name| (name == "https_proxy").then(|| value.clone()));
    let roots = identity.roots.clone();
    let endpoint = Endpoint::build("https://model.test/v1", Duration::from_secs(60), &proxies, || Ok(roots)).unwrap();
    let serve = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
        let mut stream = identity.acceptor.accept(stream).await.unwrap();
        stream.write_all(b"inside").await.unwrap();
        stream.flush().await.unwrap();
        (String::from_utf8(head).unwrap(), stream)
    };
    let (io, (head, _stream)) = tokio::join!(endpoint.dial(), serve);
    assert!(head.starts_with("CONNECT model.test:443 HTTP/1.1\r\n"), "{head}");
    let mut inside = [0; 6];
    io.unwrap().read_exact(&mut inside).await.unwrap();
    assert_eq!(&inside, b"inside");
}

#[tokio::test(start_paused = true)]
async fn a_handshake_that_stalls_never_ends_by_itself() {
    let (ours, _theirs) = duplex(1 << 16);
    let hop = server("https://model.test", &RootCertStore::empty());
    let stalled = tokio::time::timeout(Duration::from_secs(3600), reach(&hop, Box::new(ours))).await;
    assert!(stalled.is_err(), "so that the connect timeout around it decides");
}

#[test]
fn addresses_of_both_families_take_turns_in_the_order_of_the_resolver() {
    let table = [
        ("", ""),
        ("1.1.1.1", "1.1.1.1"),
        ("::1 ::2 ::3 1.1.1.1 1.1.1.2", "::1 1.1.1.1 ::2 1.1.1.2 ::3"),
        ("1.1.1.1 1.1.1.2 ::1", "1.1.1.1 ::1 1.1.1.2"),
        ("::1 1.1.1.1 1.1.1.2 1.1.1.3", "::1 1.1.1.1 1.1.1.2 1.1.1.3"),
    ];
    for (found, expected) in table {
        let found = found
            .split_whitespace()
            .map(|address| SocketAddr::new(address.parse().unwrap(), 1));
        let turns: Vec<String> = by_turns(found).iter().map(|address| address.ip().to_string()).collect();
        assert_eq!(turns.join(" "), expected);
    }
}

/// When each of the addresses was tried, in virtual milliseconds, and how it ended. An address's port says after how
/// many milliseconds it answers; an even one connects, an odd one is refused.
async fn race(ports: &[u16]) -> (Vec<u128>, Result<u16, String>, u128) {
    let (started, tried) = (Instant::now(), Mutex::new(Vec::new()));
    let connect = |address: SocketAddr| {
        tried.lock().push(started.elapsed().as_millis());
        async move {
            sleep(Duration::from_millis(address.port().into())).await;
            let port = address.port();
            if port.is_multiple_of(2) {
                Ok(port)
            } else {
                Err(io::Error::other(port.to_string()))
            }
        }
    };
    let addresses = ports
        .iter()
        .map(|&port| SocketAddr::from(([10, 0, 0, 1], port)))
        .collect();
    let result = first_of(addresses, connect).await.map_err(|error| error.to_string());
    (tried.lock().clone(), result, started.elapsed().as_millis())
}

#[tokio::test(start_paused = true)]
async fn addresses_are_raced_with_a_head_start_and_a_refusal_starts_the_next_at_once() {
    let never = 60_000;
    let table = [
        (&[10, 2][..], (vec![0], Ok(10), 10)),
        (&[never, 20], (vec![0, 250], Ok(20), 270)),
        (&[never, never, 20], (vec![0, 250, 500], Ok(20), 520)),
        (&[300, 100], (vec![0, 250], Ok(300), 300)),
        (&[5, 20], (vec![0, 5], Ok(20), 25)),
        (&[255, never, 20], (vec![0, 250, 255], Ok(20), 275)),
        (&[5, 7], (vec![0, 5], Err("7".into()), 12)),
        (&[], (vec![], Err("the name has no address".into()), 0)),
    ];
    for (ports, expected) in table {
        assert_eq!(race(ports).await, expected, "{ports:?}");
    }
}

#[tokio::test]
async fn tokens_are_not_held_back_by_the_kernel() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    assert!(!stream.nodelay().unwrap(), "the system's own setting");
    assert!(prepared(stream).unwrap().nodelay().unwrap());
}
