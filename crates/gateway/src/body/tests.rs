use super::*;
use crate::io::Link;
use http_body::Body as _;
use http_body_util::BodyExt;

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
fn a_connection_is_at_work_while_a_body_of_its_lives() {
    let link = Link::default();
    assert!(!link.has_worked() && !link.is_at_work());
    let mut body = Body::empty();
    body.keep_busy(link.clone().work());
    assert!(link.is_at_work());
    drop(body);
    assert!(link.has_worked() && !link.is_at_work());
}
