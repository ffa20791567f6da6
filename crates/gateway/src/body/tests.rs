use super::*;
use crate::io::Link;
use http_body::Body as _;
use http_body_util::BodyExt;
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    task::Wake,
};

/// Counts how often it is woken.
#[derive(Debug, Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Relaxed);
    }
}

#[tokio::test]
async fn a_whole_body_is_one_frame_of_known_size() {
    let reply = json(StatusCode::BAD_GATEWAY, "{}");
    assert_eq!(
        (reply.status(), &reply.headers()[header::CONTENT_TYPE]),
        (StatusCode::BAD_GATEWAY, &HeaderValue::from_static("application/json"))
    );
    let mut body = reply.into_body();
    assert_eq!((body.size_hint().exact(), body.is_end_stream()), (Some(2), false));
    let frame = body.frame().await.unwrap().unwrap();
    assert_eq!(frame.into_data().unwrap(), "{}");
    assert_eq!((body.size_hint().exact(), body.is_end_stream()), (Some(0), true));
    assert!(body.frame().await.is_none());
}

#[tokio::test]
async fn an_empty_body_has_no_frame() {
    for mut body in [Body::empty(), whole(StatusCode::OK, "text/plain", "").into_body()] {
        assert_eq!((body.size_hint().exact(), body.is_end_stream()), (Some(0), true));
        assert!(body.frame().await.is_none());
    }
}

#[test]
fn a_long_body_is_given_in_parts_and_time_to_write_each() {
    let all: Bytes = (0..3 * PART + 5).map(|nth| nth as u8).collect::<Vec<u8>>().into();
    let mut body = Body::from(all.clone());
    let mut parts = Vec::<Bytes>::new();
    let wakes = Arc::new(Wakes::default());
    let waker = wakes.clone().into();
    while !body.is_end_stream() {
        assert_eq!(
            body.size_hint().exact(),
            Some((all.len() - parts.concat().len()) as u64)
        );
        match Pin::new(&mut body).poll_frame(&mut Context::from_waker(&waker)) {
            Poll::Ready(frame) => parts.push(frame.unwrap().unwrap().into_data().unwrap()),
            Poll::Pending => assert_eq!(wakes.0.load(Relaxed), parts.len(), "it is asked again at once"),
        }
    }
    let lengths: Vec<usize> = parts.iter().map(Bytes::len).collect();
    assert_eq!(lengths, [PART, PART, PART, 5]);
    assert_eq!((parts.concat(), wakes.0.load(Relaxed)), (all.to_vec(), 3));
}

#[test]
fn a_connection_is_at_work_while_a_body_of_its_lives() {
    let link = Link::default();
    assert!(!link.has_worked() && !link.is_at_work());
    let mut body = Body::empty();
    body.keep_busy(link.clone().work());
    assert!(link.is_at_work());
    drop(body);
    assert!(link.has_worked() && !link.is_at_work());
}
