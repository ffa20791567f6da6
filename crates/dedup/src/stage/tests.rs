use super::*;
use futures_util::StreamExt;
use orchestrator_core::{Answer, Chunk, Priority, RequestId, answer};
use orchestrator_testkit::{chat, request};
use prometheus::Registry;
use std::time::Duration;
use tokio::time::Instant;

fn dedup(config: Config) -> Dedup {
    Dedup::new(
        Live::fixed(config),
        Ledger::generous(),
        Metrics::register(&Registry::new()).unwrap(),
        Blocking::new(1),
    )
}

/// What became of a request at the stage.
enum Went {
    /// On, to be worked at; the stage set this origin.
    On(Cx, Answer),
    /// Over to another answer.
    Over(Answer, Cache),
    Failed(Code),
}

async fn send(dedup: &Dedup, request: Request) -> Went {
    let (writer, listener) = answer(
        Instant::now() + Duration::from_secs(600),
        Priority::Normal,
        Ledger::generous(),
    );
    let mut cx = Cx::new(RequestId::mint(0, [0; 10]), writer);
    match dedup.run(&mut cx, Box::new(request)).await {
        Ok(Flow::Next(_)) => Went::On(cx, listener),
        Ok(Flow::Join(answer, cache)) => Went::Over(answer, cache),
        Ok(Flow::Done(_)) => panic!("dedup answers nothing itself"),
        Err(failure) => Went::Failed(failure.code()),
    }
}

impl Went {
    fn name(&self) -> &'static str {
        match self {
            Went::On(..) => "on",
            Went::Over(_, cache) => cache.as_str(),
            Went::Failed(code) => code.as_str(),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn ten_at_once_make_one_leader_whom_nine_hear() {
    let dedup = dedup(Config::default());
    let Went::On(mut leader, _listener) = send(&dedup, request("x")).await else {
        panic!("the first leads")
    };
    let mut followers = Vec::new();
    for _ in 0..9 {
        match send(&dedup, request("x")).await {
            Went::Over(answer, Cache::Coalesced) => followers.push(answer),
            other => panic!("{}", other.name()),
        }
    }
    leader.push([Chunk::text("one"), Chunk::text("two")]);
    for follower in &mut followers {
        assert_eq!(follower.next().await.unwrap().unwrap().len(), 2);
    }
}

#[tokio::test(start_paused = true)]
async fn the_leader_learns_its_origin_and_different_requests_are_strangers() {
    let dedup = dedup(Config::default());
    let Went::On(_cx, mut listener) = send(&dedup, request("x")).await else {
        panic!("the first leads")
    };
    assert_eq!(listener.cache().await.unwrap(), Cache::Miss);
    assert_eq!(send(&dedup, request("y")).await.name(), "on");
}

#[tokio::test(start_paused = true)]
async fn switched_off_or_unwanted_nothing_is_shared() {
    let off = dedup(Config {
        enabled: false,
        ..Config::default()
    });
    let _first = send(&off, request("x")).await;
    assert_eq!(send(&off, request("x")).await.name(), "on");
    let on = dedup(Config::default());
    let never = || Request {
        reuse: Reuse::Never,
        ..request("x")
    };
    let Went::On(_cx, mut listener) = send(&on, never()).await else {
        panic!("it goes alone")
    };
    assert_eq!(listener.cache().await.unwrap(), Cache::Bypass);
    let _first = send(&on, request("x")).await;
    assert_eq!(send(&on, never()).await.name(), "on", "it takes no other's answer");
}

#[tokio::test(start_paused = true)]
async fn a_request_goes_on_with_the_name_of_its_answer_if_that_may_be_shared() {
    let dedup = dedup(Config::default());
    let what = async |reuse| {
        let (mut cx, _listener) = orchestrator_testkit::cx(Instant::now() + Duration::from_secs(600));
        let asked = Request { reuse, ..request("x") };
        match dedup.run(&mut cx, Box::new(asked)).await.unwrap() {
            Flow::Next(Unique(request)) => request.fingerprint,
            other => panic!("{other:?}"),
        }
    };
    let fresh = what(Reuse::Fresh).await;
    assert!(fresh.is_some());
    assert_eq!(what(Reuse::Never).await, None);
    assert_eq!(what(Reuse::Fresh).await, fresh);
}

#[tokio::test(start_paused = true)]
async fn a_fresh_request_takes_no_others_answer_but_gives_its_own() {
    let dedup = dedup(Config::default());
    let _old = send(&dedup, request("x")).await;
    let fresh = Request {
        reuse: Reuse::Fresh,
        ..request("x")
    };
    let Went::On(mut cx, _listener) = send(&dedup, fresh).await else {
        panic!("it goes alone")
    };
    cx.push([Chunk::text("new")]);
    let Went::Over(mut follower, Cache::Coalesced) = send(&dedup, request("x")).await else {
        panic!("it is joined")
    };
    let heard = follower.next().await.unwrap().unwrap();
    assert_eq!(*heard[0], Chunk::text("new"));
}

#[tokio::test(start_paused = true)]
async fn deterministic_scope_leaves_sampled_requests_alone() {
    let dedup = dedup(Config {
        scope: Scope::Deterministic,
        ..Config::default()
    });
    let body =
        |temperature: &str| format!(r#"{{"model":"m"{temperature},"messages":[{{"role":"user","content":"x"}}]}}"#);
    for (temperature, second) in [
        ("", "on"),
        (r#","temperature":0.1"#, "on"),
        (r#","temperature":0"#, "COALESCED"),
    ] {
        let _first = send(&dedup, chat(body(temperature))).await;
        assert_eq!(
            send(&dedup, chat(body(temperature))).await.name(),
            second,
            "{temperature}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn sessions_share_unless_they_are_kept_apart() {
    let with = |session: &str| Request {
        session: Some(session.into()),
        ..request("x")
    };
    for (share, expected) in [(true, "COALESCED"), (false, "on")] {
        let dedup = dedup(Config {
            share_across_sessions: share,
            ..Config::default()
        });
        let _first = send(&dedup, with("a")).await;
        assert_eq!(send(&dedup, with("b")).await.name(), expected);
        assert_eq!(send(&dedup, with("a")).await.name(), "COALESCED");
    }
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_failed_is_not_followed() {
    let dedup = dedup(Config {
        window_s: 300,
        ..Config::default()
    });
    let Went::On(cx, listener) = send(&dedup, request("x")).await else {
        panic!("the first leads")
    };
    drop(cx);
    let again = send(&dedup, request("x")).await;
    assert_eq!(again.name(), "on");
    drop(listener);
}

#[tokio::test]
async fn a_large_request_is_read_beside_its_core_and_shares_as_well() {
    let dedup = dedup(Config::default());
    let body = |bytes: usize| {
        chat(format!(
            r#"{{"model":"m","messages":[{{"role":"user","content":"{}"}}]}}"#,
            "x".repeat(bytes)
        ))
    };
    let (end, ended) = std::sync::mpsc::sync_channel::<()>(1);
    let blocking = dedup.blocking.clone();
    let mut busy = Box::pin(blocking.run(move || ended.recv()));
    assert!(futures_util::poll!(busy.as_mut()).is_pending());
    let mut large = Box::pin(send(&dedup, body(LARGE)));
    assert!(
        futures_util::poll!(large.as_mut()).is_pending(),
        "it waits for a thread"
    );
    assert_eq!(send(&dedup, body(LARGE / 2)).await.name(), "on", "small ones need none");
    end.send(()).unwrap();
    busy.await.unwrap().unwrap();
    let _leader = large.await;
    assert_eq!(send(&dedup, body(LARGE)).await.name(), "COALESCED");
}

#[tokio::test(start_paused = true)]
async fn hopelessly_nested_requests_are_the_clients_fault() {
    let body = format!(
        r#"{{"model":"m","messages":[{{"role":"user","content":"x"}}],"deep":{}{}}}"#,
        "[".repeat(500),
        "]".repeat(500)
    );
    assert_eq!(
        send(&dedup(Config::default()), chat(body)).await.name(),
        "invalid_request"
    );
}
