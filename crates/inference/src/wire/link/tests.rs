use super::*;
use parking_lot::Mutex;
use std::sync::Arc;
use tokio::io::{AsyncWriteExt, ReadBuf, duplex};

/// Always has bytes, and keeps how much room each read gave it.
#[derive(Clone, Default)]
struct Endless(Arc<Mutex<Vec<usize>>>);

impl AsyncRead for Endless {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let room = buffer.remaining();
        self.0.lock().push(room);
        buffer.put_slice(&vec![b'x'; room]);
        Poll::Ready(Ok(()))
    }
}

fn fill(link: &mut Link) -> bool {
    let mut cx = Context::from_waker(std::task::Waker::noop());
    link.poll_fill(&mut cx).is_ready()
}

#[test]
fn reads_stop_at_the_bound() {
    let endless = Endless::default();
    let mut link = Link::new(Box::new(tokio::io::join(endless.clone(), tokio::io::sink())));
    assert!(fill(&mut link));
    let reads = endless.0.lock().clone();
    assert_eq!((link.buffer().len(), reads.iter().sum()), (READ_AHEAD, READ_AHEAD));
    assert_eq!(reads, [ROOM; READ_AHEAD / ROOM]);
    assert!(fill(&mut link), "the bound is reached");
    assert_eq!(endless.0.lock().len(), reads.len(), "and nothing more is read");
}

#[tokio::test]
async fn a_link_holds_as_many_bytes_as_have_arrived() {
    let (ours, mut theirs) = duplex(100);
    let mut link = Link::new(Box::new(ours));
    for text in ["data: a", "data: of another length", "x"] {
        theirs.write_all(text.as_bytes()).await.unwrap();
        assert!(!fill(&mut link));
        let whole = link.buffer().split();
        assert_eq!((&whole[..], whole.capacity()), (text.as_bytes(), text.len()));
        assert!(!fill(&mut link));
        assert_eq!(link.buffer().capacity(), 0);
    }
}

#[tokio::test]
async fn a_link_that_rests_holds_no_memory_but_keeps_what_was_not_taken() {
    let (ours, mut theirs) = duplex(100);
    let mut link = Link::new(Box::new(ours));
    theirs.write_all(b"abc").await.unwrap();
    assert!(!fill(&mut link));
    link.rest();
    assert_eq!(&link.buffer()[..], b"abc");
    link.buffer().clear();
    link.rest();
    assert_eq!(link.buffer().capacity(), 0);
    assert!(link.is_clean());
}

#[tokio::test]
async fn bytes_before_the_end_are_there_with_it() {
    let (ours, mut theirs) = duplex(100);
    let mut link = Link::new(Box::new(ours));
    theirs.write_all(b"abc").await.unwrap();
    drop(theirs);
    assert!(fill(&mut link));
    assert_eq!(&link.buffer()[..], b"abc");
    assert!(!link.is_clean());
    assert!(matches!(link.take_end(), Some(Ok(()))));
    assert!(link.take_end().is_none(), "told once");
    assert!(
        format!("{link:?}").contains("buffered: 3"),
        "sizes print, bytes do not: {link:?}"
    );
}

#[tokio::test]
async fn a_socket_that_takes_nothing_is_an_error_and_not_a_loop() {
    struct Full;
    impl AsyncWrite for Full {
        fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
            Poll::Ready(Ok(0))
        }
        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }
    let mut link = Link::new(Box::new(tokio::io::join(tokio::io::empty(), Full)));
    let mut cx = Context::from_waker(std::task::Waker::noop());
    match link.poll_send(&mut cx, &mut &b"request"[..]) {
        Poll::Ready(Err(error)) => assert_eq!(error.kind(), io::ErrorKind::WriteZero),
        other => panic!("{other:?}"),
    }
}
