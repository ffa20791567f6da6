//! Many requests on one socket.

use crate::{
    Config,
    fixtures::{Client, Doors, text_of},
};
use expect_test::expect;
use orchestrator_core::{Code, Delta, Failure, FinishReason, Kind, Priority};
use orchestrator_testkit::{
    Timeline,
    scripted::{Call as Script, Model},
};
use serde_json::{Value, json};
use std::collections::HashMap;

/// A model that says two tokens, so many milliseconds apart as its question tells.
fn pacing() -> Model {
    Model::responding(|_, prompt| Script::paced(2, prompt.request.messages[0].text().parse().unwrap()))
}

#[tokio::test(start_paused = true)]
async fn answers_of_one_socket_come_as_they_come() {
    let doors = Doors::before(pacing());
    let mut client = Client::connect(&doors).await;
    client.submit("slow", "100").await;
    client.submit("quick", "30").await;
    let timeline = Timeline::begin();
    tokio::time::timeout(std::time::Duration::from_secs(1), client.note_all(&timeline))
        .await
        .unwrap_err();
    expect![[r#"
        0      slow accepted MISS
        0      quick accepted MISS
        30     quick token 0 "t0 "
        60     quick token 2 "t1 "
        60     quick done stop 30
        100    slow token 0 "t0 "
        200    slow token 2 "t1 "
        200    slow done stop 100
    "#]]
    .assert_eq(&timeline.to_string());
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_told_at_its_time_alone_beside_another_and_alone_again() {
    let doors = Doors::before(Model::responding(|nth, _| match nth {
        0 => Script::paced(6, 50),
        _ => Script::paced(2, 20),
    }));
    let mut client = Client::connect(&doors).await;
    let timeline = Timeline::begin();
    client.submit("long", "x").await;
    tokio::time::timeout(std::time::Duration::from_millis(120), client.note_all(&timeline))
        .await
        .unwrap_err();
    client.submit("short", "y").await;
    tokio::time::timeout(std::time::Duration::from_secs(1), client.note_all(&timeline))
        .await
        .unwrap_err();
    expect![[r#"
        0      long accepted MISS
        50     long token 0 "t0 "
        100    long token 1 "t1 "
        120    short accepted MISS
        140    short token 0 "t0 "
        150    long token 2 "t2 "
        160    short token 2 "t1 "
        160    short done stop 20
        200    long token 3 "t3 "
        250    long token 4 "t4 "
        300    long token 6 "t5 "
        300    long done stop 50
    "#]]
    .assert_eq(&timeline.to_string());
}

#[tokio::test(start_paused = true)]
async fn a_hundred_answers_on_one_socket_are_neither_mixed_nor_lost() {
    let doors = Doors::before(Model::responding(|nth, prompt| {
        let said = prompt.request.messages[0].text().to_string();
        let say = |script: Script, part| script.after(nth as u64 % 7).text(&format!("{said}.{part} "));
        (0..5).fold(Script::new(), say).finish(FinishReason::Stop)
    }));
    let mut client = Client::connect(&doors).await;
    for nth in 0..100 {
        client.submit(&format!("c{nth}"), &nth.to_string()).await;
    }
    let mut heard: HashMap<String, Vec<Value>> = HashMap::new();
    let mut open = 100;
    while open > 0 {
        let frame = client.hear().await;
        open -= usize::from(frame["type"] == "done");
        heard
            .entry(frame["id"].as_str().unwrap().to_owned())
            .or_default()
            .push(frame);
    }
    for nth in 0..100 {
        let expected: String = (0..5).map(|part| format!("{nth}.{part} ")).collect();
        assert_eq!(text_of(&heard[&format!("c{nth}")]), expected);
    }
    assert_eq!((doors.lines.model.calls(), doors.lines.ledger.bytes()), (100, 0));
}

#[tokio::test(start_paused = true)]
async fn cancelling_one_of_many_drops_its_call_alone() {
    let doors = Doors::before(Model::responding(|_, prompt| {
        match &*prompt.request.messages[0].text() {
            "stay" => Script::paced(2, 50),
            _ => Script::new().text("a").hang(),
        }
    }));
    let mut client = Client::connect(&doors).await;
    client.submit("stays", "stay").await;
    client.submit("goes", "hang").await;
    while client.hear().await["type"] != "token" {}
    client.cancel("goes").await;
    assert_eq!(client.refused().await, ("cancelled".to_owned(), json!("goes")));
    doors.running(1).await;
    let frames = client.hear_all().await;
    assert!(frames.iter().all(|frame| frame["id"] == "stays"));
    assert_eq!(
        (text_of(&frames).as_str(), &frames.last().unwrap()["type"]),
        ("t0 t1 ", &json!("done"))
    );
    assert_eq!((doors.lines.model.dropped(), doors.lines.model.finished()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_name_may_be_given_again() {
    let doors = Doors::before(Model::following([Script::new().hang(), Script::saying(["again"])]));
    let mut client = Client::connect(&doors).await;
    client.submit("c", "one").await;
    client.accepted().await;
    client.cancel("c").await;
    assert_eq!(client.refused().await.0, "cancelled");
    client.submit("c", "two").await;
    assert_eq!(text_of(&client.hear_all().await), "again");
}

#[tokio::test(start_paused = true)]
async fn a_name_is_in_use_until_its_answer_has_ended() {
    let doors = Doors::before(Model::following([Script::paced(1, 20), Script::saying(["two"])]));
    let mut client = Client::connect(&doors).await;
    client.submit("c", "one").await;
    let request_id = client.accepted().await;
    client.submit("c", "two").await;
    assert_eq!(client.refused().await, ("id_in_use".to_owned(), json!("c")));
    client.resume("c", &request_id, None).await;
    assert_eq!(client.refused().await, ("id_in_use".to_owned(), json!("c")));
    assert_eq!(text_of(&client.hear_all().await), "t0 ", "the first one goes on");
    client.submit("c", "two").await;
    assert_eq!(text_of(&client.hear_all().await), "two");
}

#[tokio::test(start_paused = true)]
async fn more_requests_than_may_run_on_a_socket_are_refused_alone() {
    let narrow = Config {
        max_socket_requests: 2,
        ..Config::default()
    };
    let doors = Doors::with(narrow, Model::saying(["fine"]));
    let mut client = Client::connect(&doors).await;
    for id in ["a", "b", "c"] {
        client.submit(id, id).await;
    }
    let frame = client.hear().await;
    assert_eq!(
        (&frame["id"], &frame["error"]["code"]),
        (&json!("c"), &json!("server_is_overloaded"))
    );
    assert_eq!(frame["error"]["retry_after_ms"], 1000);
    let mut done = 0;
    while done < 2 {
        done += usize::from(client.hear().await["type"] == "done");
    }
    client.submit("c", "c").await;
    assert_eq!(text_of(&client.hear_all().await), "fine", "there is room again");
}

#[tokio::test(start_paused = true)]
async fn a_failure_of_one_request_is_its_own() {
    let failure = Failure::new(Code::UpstreamError, "The worker says no.");
    let doors = Doors::before(Model::following([
        Script::new().fail(failure.clone()),
        Script::new().text("a").after(10).fail(failure),
        Script::saying(["fine"]),
    ]));
    let mut client = Client::connect(&doors).await;
    for (id, types) in [
        ("early", "accepted error"),
        ("late", "accepted token error"),
        ("no", "accepted token done"),
    ] {
        client.submit(id, "x").await;
        let frames = client.hear_all().await;
        let said: Vec<&str> = frames.iter().filter_map(|frame| frame["type"].as_str()).collect();
        assert_eq!(said.join(" "), types, "{id}");
    }
}

#[tokio::test(start_paused = true)]
async fn tools_and_other_choices_come_beside_the_text() {
    let tool = Kind::ToolCall {
        index: 0,
        id: Some("call_1".into()),
        name: Some("look".into()),
        arguments: "{}".into(),
    };
    let other = Delta {
        choice: 1,
        kind: Kind::Text("two".into()),
    };
    let chunks = vec![
        Delta::first(tool).into(),
        other.into(),
        Delta::first(Kind::Text("one".into())).into(),
    ];
    let doors = Doors::before(Model::following([Script::new()
        .batch(chunks)
        .usage(3, 2)
        .finish(FinishReason::ToolCalls)]));
    let mut client = Client::connect(&doors).await;
    client.submit("c", "x").await;
    let frames = client.hear_all().await;
    assert_eq!(text_of(&frames), "one");
    let expected = json!([
        { "choice": 0, "tool_call": { "index": 0, "id": "call_1", "name": "look", "arguments": "{}" } },
        { "choice": 1, "text": "two" },
    ]);
    assert_eq!(frames[1]["delta"], expected);
    let done = frames.last().unwrap();
    assert_eq!(
        (&done["finish_reason"], &done["usage"]["total_tokens"]),
        (&json!("tool_calls"), &json!(5))
    );
    assert_eq!(
        (&done["worker"], &done["tier"]),
        (&json!("scripted"), &json!("primary"))
    );
}

/// The calls of each are counted from 0: what one request met says nothing of the next.
#[tokio::test(start_paused = true)]
async fn all_requests_of_a_socket_meet_the_faults_of_its_handshake() {
    let doors = Doors::before(Model::saying(["fine"]));
    let mut client = Client::connect_wishing(&doors, &[("x-orchestrator-chaos", "failure=0.5; seed=1")]).await;
    for id in ["a", "b"] {
        client.submit(id, "x").await;
        client.hear_all().await;
        let asked = doors.lines.last_asked();
        assert_eq!(asked.chaos, Some(("failure=0.5; seed=1".to_owned(), 0)), "{id}");
    }
}

#[tokio::test(start_paused = true)]
async fn wishes_of_a_frame_go_before_those_of_the_handshake() {
    let doors = Doors::before(Model::saying(["fine"]));
    let mut client = Client::connect_wishing(
        &doors,
        &[
            ("x-orchestrator-priority", "low"),
            ("x-orchestrator-session-id", "s1"),
            ("x-orchestrator-timeout-ms", "500"),
        ],
    )
    .await;
    client.submit("plain", "x").await;
    client.hear_all().await;
    let asked = doors.lines.last_asked();
    assert_eq!(
        (asked.priority, asked.session.as_deref(), asked.stream),
        (Priority::Low, Some("s1"), true)
    );
    assert_eq!(asked.time.as_millis(), 500);
    let request = json!({ "model": "test", "messages": [{ "role": "user", "content": "x" }] });
    client
        .say(json!({ "type": "submit", "id": "c", "request": request, "priority": "high", "session": "s2" }))
        .await;
    client.hear_all().await;
    let asked = doors.lines.last_asked();
    assert_eq!((asked.priority, asked.session.as_deref()), (Priority::High, Some("s2")));
}
