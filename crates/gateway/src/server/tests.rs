mod hostile;
mod pipelined;
mod unwritten;

use super::*;
use crate::{
    Config,
    fixtures::{Doors, Wire, body, get, post},
};
use orchestrator_testkit::{
    client::Http,
    scripted::{Call as Script, Model},
};
use tokio::time::Instant;

const CHAT: &str = "/v1/chat/completions";

fn fine() -> Model {
    Model::saying(["fine"])
}

fn chat(headers: &str) -> String {
    post(CHAT, headers, &body("x", ""))
}

/// What a connection says to its end, and the milliseconds until then.
async fn to_the_end(wire: Wire) -> (u128, String) {
    let began = Instant::now();
    let said = wire.rest().await;
    (began.elapsed().as_millis(), said)
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_brings_nothing_is_closed_after_the_idle_time() {
    let doors = Doors::before(fine());
    assert_eq!(to_the_end(doors.connect()).await, (75_000, String::new()));
}

#[tokio::test(start_paused = true)]
async fn a_head_that_is_never_finished_ends_the_connection() {
    let doors = Doors::before(fine());
    for beginning in [
        "P",
        "POST /v1/chat",
        "GET / HTTP/1.1\r\nhost: t\r\n",
        "GET / HTTP/1.1\r\nhost: t\r\nx: ",
    ] {
        let wire = doors.send(beginning).await;
        let (after, _) = to_the_end(wire).await;
        assert_eq!(after, 10_000, "{beginning:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_that_is_never_finished_is_answered_and_ends_the_connection() {
    let doors = Doors::before(fine());
    let asked = body("x", "");
    for (sent, announced) in [("", 100), (asked.split_at(10).0, asked.len())] {
        let head = format!("POST {CHAT} HTTP/1.1\r\nhost: t\r\ncontent-length: {announced}\r\n\r\n");
        let wire = doors.send(format!("{head}{sent}")).await;
        let (after, said) = to_the_end(wire).await;
        assert!(
            said.starts_with("HTTP/1.1 408") && said.contains("request_timeout"),
            "{said}"
        );
        assert!((60_000..80_000).contains(&after), "{after}");
    }
    assert_eq!(doors.lines.model.calls(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_trickles_in_has_its_time_in_all() {
    let doors = Doors::before(fine());
    let mut wire = doors
        .send(format!(
            "POST {CHAT} HTTP/1.1\r\nhost: t\r\ncontent-length: 100\r\n\r\n"
        ))
        .await;
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(61) {
        sleep(Duration::from_secs(2)).await;
        wire.say("x").await;
    }
    wire.hear("HTTP/1.1 408").await;
}

#[tokio::test(start_paused = true)]
async fn the_limits_are_those_of_the_configuration() {
    let strict = Config {
        header_timeout_ms: 30,
        body_timeout_ms: 200,
        idle_timeout_ms: 1_000,
        ..Config::default()
    };
    let doors = Doors::with(strict, fine());
    assert_eq!(to_the_end(doors.connect()).await.0, 1_000);
    assert_eq!(to_the_end(doors.send("GET /").await).await.0, 30);
    let mut wire = doors
        .send(format!("POST {CHAT} HTTP/1.1\r\ncontent-length: 5\r\nhost: t\r\n\r\n"))
        .await;
    let began = Instant::now();
    wire.hear("HTTP/1.1 408").await;
    assert_eq!(began.elapsed().as_millis(), 200);
}

#[tokio::test(start_paused = true)]
async fn between_requests_a_connection_idles_anew() {
    let doors = Doors::before(Model::following([
        Script::new().after(50_000).text("fine"),
        Script::saying(["fine"]),
    ]));
    let mut wire = doors.send(chat("")).await;
    wire.hear("fine").await;
    sleep(Duration::from_secs(60)).await;
    wire.say(get("/v1/models")).await;
    wire.hear("org/other").await;
    let (after, _) = to_the_end(wire).await;
    assert!(
        (75_000..=150_000).contains(&after),
        "its one timer is looked at when it fires: {after}"
    );
}

#[tokio::test(start_paused = true)]
async fn after_an_answer_that_took_long_a_connection_idles_as_after_any() {
    for took in [1_000, 20_000, 200_000] {
        let doors = Doors::before(Model::following([Script::new().after(took).text("fine")]));
        let mut wire = doors.send(chat("")).await;
        wire.hear("fine").await;
        let (after, _) = to_the_end(wire).await;
        assert_eq!(after, 75_000, "after an answer of {took} ms");
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_may_wait_for_its_answer_longer_than_it_may_idle() {
    let doors = Doors::before(Model::following([Script::new()
        .after(500_000)
        .text("late")
        .finish(orchestrator_core::FinishReason::Stop)]));
    let mut wire = doors.send(chat("")).await;
    wire.hear("late").await;
}

#[tokio::test(start_paused = true)]
async fn requests_that_come_at_once_are_answered_in_order() {
    let echo = |_: usize, prompt: &orchestrator_core::Prompt| {
        let said = prompt.request.messages[0].text();
        Script::new()
            .after(1_000 / u64::try_from(said.len()).unwrap())
            .text(&said)
    };
    let doors = Doors::before(Model::responding(echo));
    let questions = ["a", "ab", "abc"].map(|question| post(CHAT, "", &body(question, "")));
    let mut wire = doors.send(questions.concat()).await;
    wire.hear("\"content\":\"abc\"").await;
    let places = ["a", "ab", "abc"].map(|said| wire.heard.find(&format!("\"content\":\"{said}\"")).unwrap());
    assert!(places.is_sorted(), "{places:?}");
}

#[tokio::test(start_paused = true)]
async fn idle_connections_are_closed_when_we_drain() {
    let doors = Doors::before(fine());
    let mut wire = doors.send(chat("")).await;
    wire.hear("fine").await;
    doors.director.enter(Stage::Leaving);
    sleep(Duration::from_secs(1)).await;
    assert!(!wire.served.is_finished(), "not yet: a load balancer may still send");
    doors.director.enter(Stage::Draining);
    assert_eq!(to_the_end(wire).await.0, 0);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_has_just_come_is_told_that_we_go() {
    let doors = Doors::before(fine());
    let mut wire = doors.connect();
    doors.director.enter(Stage::Draining);
    sleep(Duration::from_secs(1)).await;
    wire.say(chat("x-request-id: mine\r\n")).await;
    let (after, said) = to_the_end(wire).await;
    assert_eq!(after, 0, "and the connection is closed");
    for part in [
        "HTTP/1.1 503",
        "server_draining",
        "connection: close",
        "retry-after: 1\r",
        "x-should-retry: true",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(said.contains("x-request-id: mine\r"), "{said}");
}

#[tokio::test(start_paused = true)]
async fn what_runs_when_we_drain_is_answered_and_the_connection_closed() {
    let doors = Doors::before(Model::following([Script::new().after(5_000).text("fine")]));
    let wire = doors.send(chat("")).await;
    doors.running(1).await;
    doors.director.enter(Stage::Draining);
    let (_, said) = to_the_end(wire).await;
    assert!(
        said.starts_with("HTTP/1.1 200") && said.contains("connection: close") && said.contains("fine"),
        "{said}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_request_is_in_flight_until_its_client_has_taken_the_answer() {
    let long = "a long answer ".repeat(10_000);
    for more in [r#","stream":true"#, r#","stream":false"#] {
        for path in [CHAT, "/v1/ask"] {
            let doors = Doors::before(Model::saying([&long]));
            let mut wire = doors.connect_narrow(4_096);
            wire.say(post(path, "", &body("x", more))).await;
            wire.hear("\r\n\r\n").await;
            doors.director.enter(Stage::Draining);
            let in_flight = || (doors.lines.model.finished(), doors.lines.ledger.requests());
            sleep(Duration::from_secs(20)).await;
            assert_eq!(in_flight(), (1, 1), "{path} {more}");
            let (_, said) = to_the_end(wire).await;
            assert!(Http::read(&said).body.contains(&long), "{path} {more}");
            assert_eq!(in_flight(), (1, 0), "{path} {more}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn on_a_connection_that_stays_open_nothing_is_in_flight_between_requests() {
    let doors = Doors::before(fine()).admitting(1);
    let mut wire = doors.connect();
    for more in ["", r#","stream":true"#, r#","stream":false"#] {
        wire.say(post(CHAT, "", &body("x", more))).await;
        wire.hear("fine").await;
        sleep(Duration::from_millis(1)).await;
        assert_eq!(doors.lines.ledger.requests(), 0, "{more}");
        wire.heard.clear();
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_its_answer_is_not_in_flight() {
    let doors = Doors::before(Model::saying(["a long answer ".repeat(10_000)]));
    let mut wire = doors.connect_narrow(4_096);
    wire.say(chat("")).await;
    wire.hear("a long answer").await;
    assert_eq!(doors.lines.ledger.requests(), 1);
    let Wire { pipe, served, .. } = wire;
    drop(pipe);
    served.await.unwrap();
    assert_eq!(doors.lines.ledger.requests(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_still_runs_when_the_time_is_up_is_told_so() {
    let doors = Doors::before(Model::following([Script::new().hang()]));
    let wire = doors.send(chat("x-request-id: mine\r\n")).await;
    doors.running(1).await;
    doors.director.enter(Stage::Draining);
    sleep(Duration::from_secs(20)).await;
    doors.director.enter(Stage::Over);
    let (after, said) = to_the_end(wire).await;
    assert!(after <= FAREWELL.as_millis(), "{after}");
    assert!(
        said.starts_with("HTTP/1.1 503") && said.contains("server_draining"),
        "{said}"
    );
    assert!(
        said.contains("x-request-id: mine\r") && said.contains("x-orchestrator-error-source: gateway"),
        "{said}"
    );
    doors.running(0).await;
}

#[tokio::test(start_paused = true)]
async fn a_fault_of_ours_ends_one_request_and_says_so() {
    let doors = Doors::before(fine()).asking(|| panic!("a fault"));
    let mut wire = doors.send(chat("x-request-id: mine\r\n")).await;
    wire.hear("internal_error").await;
    assert!(
        wire.heard.starts_with("HTTP/1.1 500") && wire.heard.contains("x-request-id: mine"),
        "{}",
        wire.heard
    );
    assert!(
        !wire.heard.contains("a fault"),
        "what went wrong is not the client's to know"
    );
    wire.say(get("/livez")).await;
    wire.hear("HTTP/1.1 200").await;
    let counted = r#"orchestrator_requests_total{code="internal_error",error_source="gateway",model="test",path="/v1/chat/completions",worker="none"}"#;
    assert_eq!(doors.metric(counted), 1.0);
}

#[tokio::test(start_paused = true)]
async fn a_fault_behind_the_line_ends_one_request_and_says_so() {
    let doors = Doors::before(Model::following([Script::new().panic(), Script::saying(["fine"])]));
    let mut wire = doors.send(chat("")).await;
    wire.hear("internal_error").await;
    wire.say(chat("")).await;
    wire.hear("fine").await;
}

#[test]
fn a_head_is_as_large_as_its_names_and_values() {
    let headers: HeaderMap = [("a", "12"), ("bcd", ""), ("e", "xyz")]
        .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
        .into_iter()
        .collect();
    assert_eq!((head_bytes(&headers), head_bytes(&HeaderMap::new())), (10, 0));
}

#[tokio::test(start_paused = true)]
async fn a_head_at_its_limit_is_served_and_one_beyond_refused() {
    let limit = Config::default().max_header_bytes;
    let doors = Doors::before(fine());
    let bare = "host".len() + "t".len() + "x".len();
    for (beyond, status) in [(0, "HTTP/1.1 200"), (1, "HTTP/1.1 431")] {
        let value = "v".repeat(limit - bare + beyond);
        let mut wire = doors
            .send(format!("GET /livez HTTP/1.1\r\nhost: t\r\nx: {value}\r\n\r\n"))
            .await;
        wire.hear("\r\n\r\n").await;
        assert!(wire.heard.starts_with(status), "{beyond}: {}", wire.heard);
        assert!(
            beyond == 0 || wire.heard.contains("x-request-id: req_"),
            "{}",
            wire.heard
        );
    }
}

#[tokio::test]
async fn a_connection_that_waits_has_no_room_for_what_it_might_become() {
    let doors = Doors::before(fine());
    let (ours, _theirs) = tokio::io::duplex(1);
    let served = doors.connection(Plane::Data, ours);
    // Most of it is hyper's. A session and its socket are 1 KB, a request's future 5 KB.
    let bytes = size_of_val(&served);
    assert!(bytes < 1_500, "{bytes}");
}
