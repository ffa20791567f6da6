//! How much of an answer waits to be written.

use super::*;
use crate::io::MAX_UNWRITTEN;
use orchestrator_core::FinishReason;
use std::{
    io,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    task::Context,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, ReadBuf, duplex};

/// A socket that tells how many bytes it was offered at most in one write.
struct Offered(DuplexStream, Arc<AtomicUsize>);

impl AsyncRead for Offered {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Offered {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.1.fetch_max(bytes.len(), Relaxed);
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

#[tokio::test(start_paused = true)]
async fn no_more_of_an_answer_waits_to_be_written_however_slow_its_client() {
    let long = "a long answer ".repeat(20_000);
    let paced = (0..2_000).fold(Script::new(), |script, _| {
        script.after(1).text("some words that are a token ")
    });
    let paced = paced.finish(FinishReason::Stop);
    for (script, more) in [
        (Script::saying([&*long]), "false"),
        (Script::saying([&*long]), "true"),
        (paced, "true"),
    ] {
        let doors = Doors::before(Model::following([script]));
        let (ours, mut theirs) = duplex(1_024);
        let offered = Arc::new(AtomicUsize::new(0));
        let served = doors.serve(Offered(ours, offered.clone()));
        let request = post(
            CHAT,
            "connection: close\r\n",
            &body("x", &format!(r#","stream":{more}"#)),
        );
        theirs.write_all(request.as_bytes()).await.unwrap();
        sleep(Duration::from_secs(10)).await;
        let mut heard = String::new();
        theirs.read_to_string(&mut heard).await.unwrap();
        served.await.unwrap();
        assert!(heard.len() > 4 * MAX_UNWRITTEN, "{more}: {}", heard.len());
        // What was given before the last part, that part, and the head or the frames of chunks.
        let most = offered.load(Relaxed);
        assert!(most <= 2 * MAX_UNWRITTEN + 1_024, "{more}: {most}");
    }
}
