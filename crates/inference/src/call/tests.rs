use super::*;
use crate::{
    ProviderName,
    fixtures::{events, paused, whole},
    provider::provider,
    wire::fixtures::{cut, pair, soon},
};
use futures_util::TryStreamExt;
use orchestrator_testkit::{chat, prompt, text_of, world};
use proptest::{collection::vec, prelude::*, sample::Index};
use std::convert::Infallible;
use tokio::time::sleep;

/// 2026-01-01, in seconds since 1970.
const NOW: Duration = Duration::from_secs(1_767_225_600);

/// One of each wire format.
const FORMATS: [ProviderName; 3] = [ProviderName::OpenAi, ProviderName::Anthropic, ProviderName::Ollama];

#[test]
fn a_pause_is_read_from_seconds_and_dates_and_never_leaves_its_bounds() {
    let cases = [
        ("7", Some(7.0)),
        (" 7 ", Some(7.0)),
        ("0", Some(0.0)),
        ("1.5", Some(1.5)),
        ("60", Some(60.0)),
        ("61", Some(60.0)),
        ("1000000000", Some(60.0)),
        ("1e400", Some(60.0)),
        ("inf", Some(60.0)),
        ("-5", Some(0.0)),
        ("-inf", Some(0.0)),
        ("NaN", None),
        ("", None),
        ("soon", None),
        ("Thu, 01 Jan 2026 00:00:12 GMT", Some(12.0)),
        ("Thursday, 01-Jan-26 00:00:12 GMT", Some(12.0)),
        ("Thu Jan  1 00:00:12 2026", Some(12.0)),
        ("Wed, 31 Dec 2025 23:59:59 GMT", Some(0.0)),
        ("Thu, 01 Jan 1970 00:00:00 GMT", Some(0.0)),
        ("Fri, 31 Dec 2038 00:00:00 GMT", Some(60.0)),
        ("Thu, 32 Jan 2026 00:00:00 GMT", None),
    ];
    for (value, seconds) in cases {
        let pause = retry_after(value, NOW).map(|pause| pause.as_secs_f64());
        assert_eq!(pause, seconds, "{value:?}");
    }
}

fn server(name: ProviderName, wire: Wire) -> Server {
    let patience = Patience {
        first_token: Duration::from_secs(3600),
        idle: Duration::from_secs(3600),
    };
    Server::new(provider(name).unwrap(), Vec::new(), wire, patience, world(1))
}

fn streaming() -> Prompt {
    let body = r#"{"model":"m","stream":true,"messages":[{"role":"user","content":"x"}]}"#;
    Prompt {
        request: Box::new(chat(body)),
        ..prompt("")
    }
}

fn target(stream: bool) -> request::Target<'static> {
    request::Target {
        model: None,
        max_tokens: None,
        temperature: None,
        stream,
    }
}

/// All chunks of a call that is answered in these pieces, a millisecond apart.
async fn chunks(name: ProviderName, pieces: &[&[u8]]) -> Vec<Chunk> {
    let (wire, mut peer) = pair();
    let server = server(name, wire);
    let (prompt, target) = (streaming(), target(true));
    let call = async {
        let answered = server.call(&prompt, &target).await.unwrap();
        let rest: Vec<Vec<Chunk>> = answered.rest.try_collect().await.unwrap();
        [answered.first, rest.concat()].concat()
    };
    soon(Box::pin(async { tokio::join!(call, peer.dribbles(pieces)).0 })).await
}

/// A whole response: the events of the format, each a chunk of the transfer coding.
fn response(name: ProviderName) -> Vec<u8> {
    let events = events(provider(name).unwrap().protocol);
    let chunk = |event: &String| format!("{:x}\r\n{event}\r\n", event.len());
    let body: String = events.iter().map(chunk).collect();
    format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{body}0\r\n\r\n").into()
}

#[test]
fn an_answer_cut_in_two_at_any_place_is_the_same() {
    for name in FORMATS {
        let response = response(name);
        let at_once = paused(chunks(name, &[&response]));
        assert_eq!(text_of(&at_once), "grün 🙂", "{name:?}");
        for place in 0..=response.len() {
            let (before, after) = response.split_at(place);
            let in_two = paused(chunks(name, &[before, after]));
            assert_eq!(in_two, at_once, "{name:?} at {place}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn an_answer_cut_at_any_places_is_the_same(which in 0..3_usize, places in vec(any::<Index>(), 0..40)) {
        let name = FORMATS[which];
        let response = response(name);
        let in_pieces = paused(chunks(name, &cut(&response, &places)));
        prop_assert_eq!(in_pieces, paused(chunks(name, &[&response])));
    }
}

/// The request that goes out, and what is made of the answer.
async fn call(name: ProviderName, stream: bool, answer: &str) -> (String, Result<Answered, Failure>) {
    let (wire, mut peer) = pair();
    let server = server(name, wire);
    let (prompt, target) = (streaming(), target(stream));
    let serve = async {
        let asked = peer.answers(answer).await;
        peer.ends().await;
        asked
    };
    let (answered, asked) = soon(async { tokio::join!(server.call(&prompt, &target), serve) }).await;
    (asked, answered)
}

#[tokio::test(start_paused = true)]
async fn a_stream_is_asked_for_only_where_one_is_wanted() {
    for name in FORMATS {
        for stream in [true, false] {
            let answer = format!("HTTP/1.1 200 OK\r\n\r\n{}", whole(provider(name).unwrap().protocol));
            let (asked, _) = call(name, stream, &answer).await;
            let (_, body) = asked.split_once("\r\n\r\n").unwrap();
            let body: serde_json::Value = serde_json::from_str(body).unwrap();
            // Ollama streams unless it is told not to; the others do not unless they are told to.
            assert_eq!(body["stream"].as_bool().unwrap_or(false), stream, "{name:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_answer_says_who_answered_as_far_as_it_is_told() {
    for name in FORMATS {
        let answer = String::from_utf8(response(name)).unwrap();
        let meta = call(name, true, &answer).await.1.unwrap().meta;
        let id = if name == ProviderName::Ollama { "" } else { "c" };
        assert_eq!((&*meta.id, &*meta.model), (id, "m"), "{name:?}");
    }
}

fn failure_of(answer: Result<Answered, Failure>) -> Failure {
    match answer {
        Ok(_) => panic!("a failure is expected"),
        Err(failure) => failure,
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_server_says_of_a_refusal_is_passed_on_but_for_credentials() {
    let cases = [
        (400, r#"{"error":{"message":"too hot"}}"#, "too hot"),
        (422, r#"{"detail":"no such field"}"#, "no such field"),
        (500, "<html>", "The worker answered with status 500."),
        (503, "", "The worker answered with status 503."),
        (
            401,
            r#"{"error":{"message":"key sk-123 is wrong"}}"#,
            "The worker refused the server's credentials.",
        ),
    ];
    for (status, body, said) in cases {
        let length = body.len();
        let answer = format!("HTTP/1.1 {status} No\r\ncontent-length: {length}\r\n\r\n{body}");
        let failure = failure_of(call(ProviderName::OpenAi, true, &answer).await.1);
        assert_eq!((failure.public(), failure.status()), (said, Some(status)));
    }
}

#[tokio::test(start_paused = true)]
async fn an_error_longer_than_is_read_is_told_by_its_status() {
    let text = "x".repeat(MAX_ERROR);
    let body = format!(r#"{{"error":{{"message":"{text}"}}}}"#);
    for framing in [format!("content-length: {}\r\n", body.len()), String::new()] {
        let answer = format!("HTTP/1.1 400 No\r\n{framing}\r\n{body}");
        let failure = failure_of(call(ProviderName::OpenAi, true, &answer).await.1);
        assert_eq!(failure.public(), "The worker answered with status 400.");
    }
}

#[test]
fn of_a_redirect_the_log_is_told_where_to_and_the_caller_is_not() {
    let long = format!("/{}", "v".repeat(1_000));
    let cases = [
        ("https://new.test/v1/chat", Some("https://new.test/v1/chat")),
        (
            "http://me:key@new.test:8080/v1?key=sk-1#x",
            Some("http://new.test:8080/v1"),
        ),
        ("//me:key@new.test/v1", Some("http://new.test/v1")),
        ("/v2/chat?key=sk-1", Some("/v2/chat")),
        ("v2", Some("/v2")),
        ("", Some("/")),
        ("http://here.invalid.test/", Some("http://here.invalid.test/")),
        ("/gr\u{fc}n \u{1b}[2J", Some("/gr%C3%BCn%20%1B[2J")),
        (&long, long.get(..MAX_DESTINATION)),
        ("mailto:me@new.test", None),
        ("http://", None),
    ];
    for (location, told) in cases {
        let failure = redirected(302, Some(location));
        let told = told.map(|told| format!("the worker redirects to {told}; set its `base_url`"));
        assert_eq!(failure.causes(), told, "{location:?}");
        assert!(!failure.public().contains("new.test"));
    }
    assert_eq!(redirected(304, None).causes(), None);
}

#[test]
fn a_broken_wire_is_told_by_its_kind_and_keeps_its_cause_for_the_log() {
    let connect = || WireError::Connect {
        to: "host:1".to_owned(),
        source: std::io::ErrorKind::ConnectionRefused.into(),
    };
    let cases = [
        (connect(), Code::UpstreamConnect),
        (WireError::Proxy("said no".to_owned()), Code::UpstreamConnect),
        (WireError::Closed, Code::UpstreamConnect),
        (WireError::Truncated, Code::UpstreamTruncated),
        (WireError::Protocol("x"), Code::UpstreamProtocol),
        (WireError::HeadTooLarge, Code::UpstreamProtocol),
        (WireError::BodyTooLarge { limit: 1 }, Code::UpstreamProtocol),
    ];
    for (error, code) in cases {
        let cause = error.to_string();
        let failure = broken(error);
        assert_eq!(failure.code(), code, "{cause}");
        assert!(
            !failure.public().contains("host"),
            "where a worker is, is no caller's affair"
        );
        assert_eq!(std::error::Error::source(&failure).unwrap().to_string(), cause);
    }
}

#[tokio::test(start_paused = true)]
async fn silence_is_counted_from_the_last_arrival_with_one_timer() {
    let mut idle = Idle::new(Duration::from_millis(100));
    for pause in [99, 1, 50, 99, 0] {
        let arrived = idle.guard(sleep(Duration::from_millis(pause))).await;
        assert!(arrived.is_ok(), "{pause}");
    }
    let begun = Instant::now();
    let silent = idle.guard(std::future::pending::<Infallible>()).await.unwrap_err();
    assert_eq!((silent.code(), begun.elapsed().as_millis()), (Code::IdleTimeout, 100));
    assert_eq!(silent.public(), "The worker was silent for 100 ms.");
}
