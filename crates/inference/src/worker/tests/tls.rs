//! Workers over TLS: whom they trust.

use super::*;
use crate::{
    fixtures::{alone, whole},
    wire::fixtures::identity,
};
use orchestrator_core::Code;
use orchestrator_dialect::Protocol;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};
use tokio_rustls::TlsAcceptor;

/// Asks a worker at `https://{host}` whose server shows what `acceptor` has; the answer, and whether the server was heard.
async fn ask(host: &str, acceptor: &TlsAcceptor) -> Result<String, Failure> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let spec = spec(ProviderName::OpenAi, |config| {
        config.base_url = Some(format!("https://{host}:{port}/v1"));
    });
    let worker = spec.for_core(&|_| None).unwrap();
    let serve = async {
        let (stream, _) = listener.accept().await.unwrap();
        // A client that does not trust the server breaks the handshake off.
        let Ok(mut stream) = acceptor.accept(stream).await else {
            return;
        };
        let mut heard = [0; 16];
        stream.read_exact(&mut heard).await.unwrap();
        assert_eq!(&heard, b"POST /v1/chat/co");
        let body = whole(Protocol::Chat);
        let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        stream.write_all(answer.as_bytes()).await.unwrap();
        stream.flush().await.unwrap();
    };
    let prompt = prompt("x");
    let (answer, ()) = tokio::join!(answer(&worker, &prompt), serve);
    answer
}

#[tokio::test]
async fn an_authority_of_ones_own_is_trusted_by_its_file_for_its_names_alone() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let this = "worker::tests::tls::an_authority_of_ones_own_is_trusted_by_its_file_for_its_names_alone";
    if alone(this, ("SSL_CERT_FILE", file.path().to_str().unwrap())) {
        return;
    }
    let (ours, theirs) = (identity("localhost"), identity("localhost"));
    std::fs::write(std::env::var("SSL_CERT_FILE").unwrap(), &ours.pem).unwrap();
    assert_eq!(ask("localhost", &ours.acceptor).await.unwrap(), "grün 🙂");
    for (host, acceptor) in [("127.0.0.1", &ours.acceptor), ("localhost", &theirs.acceptor)] {
        let failure = ask(host, acceptor).await.unwrap_err();
        assert_eq!(failure.code(), Code::UpstreamConnect, "{host}");
        let cause = std::error::Error::source(&failure).unwrap().to_string();
        assert!(cause.starts_with(&format!("TLS with {host}:")), "{cause}");
    }
}
