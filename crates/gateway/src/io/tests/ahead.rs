//! What comes ahead of its turn: held back, handed over in order, and no veil before a client that leaves.

use super::*;
use crate::fixtures::on_paused_clock;
use proptest::prelude::*;
use std::{
    future::poll_fn,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
};
use tokio::time::{sleep, timeout};

/// A socket that counts how often it is read.
struct Counting(DuplexStream, Arc<AtomicUsize>);

impl AsyncRead for Counting {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.1.fetch_add(1, Relaxed);
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Counting {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

/// A request that was read to its end and is being answered.
fn at_work(link: &Link) -> Work {
    let work = link.clone().work();
    link.received();
    work
}

/// Reads, although nothing comes, for so long.
async fn waits(watched: &mut Watched<DuplexStream>, seconds: u64) {
    let read = timeout(Duration::from_secs(seconds), watched.read_u8()).await;
    assert!(read.is_err(), "{read:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever comes while requests are answered is read afterwards, in order and without a gap.
    #[test]
    fn what_is_held_back_is_handed_over_in_order(
        rounds in prop::collection::vec((prop::collection::vec(any::<u8>(), 0..40), any::<bool>(), 1..9_usize), 1..9),
    ) {
        on_paused_clock(async {
            let (ours, mut client) = duplex(1_024);
            let link = Link::default();
            let mut watched = Watched::new(ours, LIMITS, link.clone(), place());
            let (mut sent, mut read) = (Vec::new(), Vec::new());
            for (bytes, is_reading, step) in rounds {
                let work = at_work(&link);
                let send = async {
                    client.write_all(&bytes).await.unwrap();
                    sleep(Duration::from_secs(1)).await;
                };
                let look = async {
                    match is_reading {
                        true => waits(&mut watched, 1).await,
                        false => drop(timeout(Duration::from_secs(1), flushing(&mut watched)).await),
                    }
                };
                tokio::join!(send, look);
                drop(work);
                sent.extend_from_slice(&bytes);
                while read.len() < sent.len() {
                    let mut some = vec![0; step];
                    let bytes = watched.read(&mut some).await.unwrap();
                    read.extend_from_slice(&some[..bytes]);
                }
            }
            assert_eq!(read, sent);
        });
    }
}

/// Flushes whenever it is woken, as hyper does, until that fails.
async fn flushing(watched: &mut Watched<DuplexStream>) -> io::Error {
    poll_fn(|cx| match Pin::new(&mut *watched).poll_flush(cx) {
        Poll::Ready(Err(error)) => Poll::Ready(error),
        _ => Poll::Pending,
    })
    .await
}

#[tokio::test(start_paused = true)]
async fn the_end_behind_what_is_held_back_is_told_to_who_reads_and_to_who_flushes() {
    for early in ["", "abc"] {
        let (mut watched, link, mut client) = watched();
        let _work = at_work(&link);
        client.write_all(early.as_bytes()).await.unwrap();
        waits(&mut watched, 1).await;
        drop(client);
        assert_eq!(watched.read(&mut [0; 8]).await.unwrap(), 0, "{early:?}");
    }
    let (mut watched, link, mut client) = watched();
    client.write_all(b"abc").await.unwrap();
    watched.read_u8().await.unwrap();
    let _work = at_work(&link);
    let leave = async {
        sleep(Duration::from_secs(1)).await;
        drop(client);
        Instant::now()
    };
    let (error, left) = tokio::join!(flushing(&mut watched), leave);
    assert_eq!(
        (error.kind(), left.elapsed()),
        (io::ErrorKind::ConnectionAborted, Duration::ZERO)
    );
}

#[tokio::test(start_paused = true)]
async fn the_end_behind_what_is_held_back_is_told_to_who_cannot_write() {
    let (mut watched, link, mut client) = watched();
    client.write_all(b"abc").await.unwrap();
    watched.read_u8().await.unwrap();
    let _work = at_work(&link);
    client.shutdown().await.unwrap();
    let began = Instant::now();
    let error = watched.write_all(&[0; 64]).await.unwrap_err();
    assert_eq!(
        (error.kind(), began.elapsed()),
        (io::ErrorKind::ConnectionAborted, Duration::ZERO)
    );
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_waits_is_woken_when_its_turn_has_come() {
    let (mut watched, link, mut client) = watched();
    let work = at_work(&link);
    client.write_all(b"abc").await.unwrap();
    let (mut work, mut polls, mut buf) = (Some(work), 0, [0; 8]);
    // As hyper does: it reads, answers, flushes, and waits to be woken.
    let read = poll_fn(|cx| {
        polls += 1;
        let mut buf = ReadBuf::new(&mut buf);
        if Pin::new(&mut watched).poll_read(cx, &mut buf)?.is_ready() {
            return Poll::Ready(io::Result::Ok(buf.filled().to_vec()));
        }
        drop(work.take());
        assert!(Pin::new(&mut watched).poll_flush(cx)?.is_ready());
        Poll::Pending
    });
    let read = timeout(Duration::from_secs(1), read).await.unwrap().unwrap();
    assert_eq!((read.as_slice(), polls), (&b"abc"[..], 2));
}

#[tokio::test(start_paused = true)]
async fn a_socket_that_its_reader_waits_for_is_read_no_more_than_before() {
    let (ours, mut client) = duplex(16);
    let (reads, link) = (Arc::new(AtomicUsize::new(0)), Link::default());
    let mut watched = Watched::new(Counting(ours, reads.clone()), LIMITS, link.clone(), place());
    client.write_all(b"x").await.unwrap();
    watched.read_u8().await.unwrap();
    let (before, work) = (reads.load(Relaxed), at_work(&link));
    let read = timeout(Duration::from_millis(1), watched.read_u8()).await;
    assert!(read.is_err());
    let waiting = reads.load(Relaxed);
    for _ in 0..100 {
        watched.write_all(b"t").await.unwrap();
        watched.flush().await.unwrap();
        client.read_u8().await.unwrap();
    }
    drop(work);
    watched.flush().await.unwrap();
    assert_eq!(reads.load(Relaxed), waiting);
    assert!(
        waiting - before <= 2,
        "once when it is polled and once when the time is up"
    );
}

#[tokio::test(start_paused = true)]
async fn half_a_head_that_came_too_early_has_its_time_from_its_turn() {
    for is_held in [true, false] {
        let (mut watched, link, mut client) = watched();
        client.write_all(b"xab").await.unwrap();
        let taken = if is_held { 1 } else { 3 };
        watched.read_exact(&mut [0; 3][..taken]).await.unwrap();
        let work = at_work(&link);
        if is_held {
            waits(&mut watched, 1_000).await;
        }
        drop(timeout(Duration::from_secs(1_000), flushing(&mut watched)).await);
        drop(work);
        if is_held {
            watched.read_exact(&mut [0; 2]).await.unwrap();
        }
        let (waited, why) = waits_for(&mut watched).await;
        assert_eq!(waited, LIMITS.head, "{is_held}");
        assert!(why.contains("the head of a request"), "{why}");
    }
}

#[tokio::test(start_paused = true)]
async fn no_more_is_held_back_than_may_be() {
    let (ours, mut client) = duplex(1_000);
    let link = Link::default();
    let mut watched = Watched::new(ours, LIMITS, link.clone(), place());
    let _work = at_work(&link);
    let mut sent = 0;
    let send = async {
        loop {
            sent += client.write(&[0; 1_000]).await.unwrap();
        }
    };
    tokio::select! { () = send => {}, () = waits(&mut watched, 1) => {} }
    assert_eq!(sent, MAX_EARLY + 1_000, "what is held, and what the socket holds");
}
