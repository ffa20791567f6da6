//! Real sockets of this machine: what pipes in memory cannot show.

use super::*;
use proxy::Proxies;
use rustls::RootCertStore;
use tokio::net::{TcpListener, TcpSocket, TcpStream};

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

fn endpoint(url: &str) -> Endpoint {
    let roots = || Ok(RootCertStore::empty());
    Endpoint::build(url, Duration::from_secs(60), &Proxies::default(), roots).unwrap()
}

async fn listener() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, format!("http://{address}/v1"))
}

/// Takes a connection and reads one request without a body.
async fn hear(listener: &TcpListener) -> TcpStream {
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        request.push(stream.read_u8().await.unwrap());
    }
    stream
}

#[tokio::test]
async fn an_answer_comes_over_ipv4_ipv6_and_by_name() {
    for (address, host) in [
        ("127.0.0.1:0", "127.0.0.1"),
        ("127.0.0.1:0", "localhost"),
        ("[::1]:0", "[::1]"),
    ] {
        // A machine without IPv6 cannot listen there.
        let Ok(listener) = TcpListener::bind(address).await else {
            continue;
        };
        let wire = Wire::new(endpoint(&format!(
            "http://{host}:{}/v1",
            listener.local_addr().unwrap().port()
        )));
        let serve = async {
            let mut stream = hear(&listener).await;
            stream.write_all(OK.as_bytes()).await.unwrap();
        };
        let (incoming, ()) = tokio::join!(wire.send(get()), serve);
        assert_eq!(incoming.unwrap().body.collect(2).await.unwrap(), "ok", "{host}");
    }
}

#[tokio::test]
async fn a_refused_connection_is_told_as_such() {
    // Bound and not listening: nobody else gets the port, and nobody answers at it.
    let silent = TcpSocket::new_v4().unwrap();
    silent.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let name = silent.local_addr().unwrap().to_string();
    match Wire::new(endpoint(&format!("http://{name}")))
        .send(get())
        .await
        .unwrap_err()
    {
        WireError::Connect { to, source } => assert_eq!((to, source.kind()), (name, io::ErrorKind::ConnectionRefused)),
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn dropping_a_body_is_seen_by_the_server_at_once() {
    let (listener, url) = listener().await;
    let wire = Wire::new(endpoint(&url));
    let serve = async {
        let mut stream = hear(&listener).await;
        stream
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc")
            .await
            .unwrap();
        stream
    };
    let (incoming, mut stream) = tokio::join!(wire.send(get()), serve);
    let mut body = incoming.unwrap().body;
    assert_eq!(body.arrived().await.unwrap().unwrap(), "abc");
    drop(body);
    assert_eq!(stream.read(&mut [0; 1]).await.unwrap(), 0);
}

#[tokio::test]
async fn a_refusal_of_a_large_upload_is_heard_over_a_socket() {
    let (listener, url) = listener().await;
    let wire = Wire::new(endpoint(&url));
    let serve = async {
        let mut stream = hear(&listener).await;
        stream
            .write_all(b"HTTP/1.1 413 Too Large\r\ncontent-length: 4\r\n\r\nsize")
            .await
            .unwrap();
        stream
    };
    let (incoming, _stream) = tokio::join!(wire.send(post(vec![b'x'; 64 << 20])), serve);
    let incoming = incoming.unwrap();
    assert_eq!(
        (incoming.status, incoming.body.collect(4).await.unwrap()),
        (413, Bytes::from("size"))
    );
}

#[tokio::test]
async fn a_connection_that_the_server_closes_between_requests_is_replaced() {
    let (listener, url) = listener().await;
    let wire = Wire::new(endpoint(&url));
    for turn in 0..5 {
        let serve = async {
            let mut stream = hear(&listener).await;
            stream.write_all(OK.as_bytes()).await.unwrap();
        };
        let (incoming, ()) = tokio::join!(wire.send(get()), serve);
        assert_eq!(incoming.unwrap().body.collect(2).await.unwrap(), "ok", "turn {turn}");
    }
}

#[tokio::test]
async fn a_plain_proxy_is_asked_with_the_whole_url() {
    let proxy = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let value = format!("http://u:p@{}", proxy.local_addr().unwrap());
    let proxies = Proxies::read(|name| (name == "http_proxy").then(|| value.clone()));
    let roots = || Ok(RootCertStore::empty());
    let endpoint = Endpoint::build("http://model.test/v1", Duration::from_secs(60), &proxies, roots).unwrap();
    let wire = Wire::new(endpoint);
    let serve = async {
        let (stream, _) = proxy.accept().await.unwrap();
        let mut stream = tokio::io::BufReader::new(stream);
        let mut line = String::new();
        tokio::io::AsyncBufReadExt::read_line(&mut stream, &mut line)
            .await
            .unwrap();
        stream.write_all(OK.as_bytes()).await.unwrap();
        line
    };
    let (incoming, line) = tokio::join!(wire.send(get()), serve);
    assert_eq!(incoming.unwrap().status, 200);
    assert_eq!(line, "GET http://model.test/v1/models HTTP/1.1\r\n");
}
