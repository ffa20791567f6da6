use super::*;
use crate::io::Link;
use http_body::Body as _;
use http_body_util::BodyExt;
use std::task::Waker;

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
fn a_long_body_is_given_in_parts_each_when_the_one_before_was_written() {
    let all: Bytes = (0..3 * MAX_UNWRITTEN + 5)
        .map(|nth| nth as u8)
        .collect::<Vec<u8>>()
        .into();
    let (link, mut body) = (Link::default(), Body::from(all.clone()));
    body.keep_busy(link.clone().work());
    let mut cx = Context::from_waker(Waker::noop());
    let mut parts = Vec::<Bytes>::new();
    while !body.is_end_stream() {
        assert_eq!(
            body.size_hint().exact(),
            Some((all.len() - parts.concat().len()) as u64)
        );
        let Poll::Ready(Some(Ok(frame))) = Pin::new(&mut body).poll_frame(&mut cx) else {
            panic!("all before was written");
        };
        parts.push(frame.into_data().unwrap());
        let more = Pin::new(&mut body).poll_frame(&mut cx);
        assert_eq!(more.is_pending(), !body.is_end_stream(), "not before it was written");
        assert_eq!(link.flushed(), more.is_pending(), "only one who waits is woken");
    }
    let lengths: Vec<usize> = parts.iter().map(Bytes::len).collect();
    assert_eq!(lengths, [MAX_UNWRITTEN, MAX_UNWRITTEN, MAX_UNWRITTEN, 5]);
    assert_eq!(parts.concat(), all.to_vec());
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
