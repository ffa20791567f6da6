//! Sharing as clients and operators see it: the stage in a short line, before a stage that answers.
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a fault in here shall end the test"
)]

use expect_test::expect;
use orchestrator_core::{
    Answer, Blocking, Chunk, Code, Cx, Drive, Failure, FinishReason, Flow, Job, Ledger, LineMetrics, Live, Outlet,
    Request, Reuse, Setter, Stage, StageName, Tasks, Unique, answer, edge, live,
};
use orchestrator_dedup::{Config, Dedup, Metrics};
use orchestrator_testkit::{Timeline, collect, request};
use prometheus::{Registry, TextEncoder};
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};
use tokio::time::sleep;

/// Answers in 100 ms with the number of the call, in two pieces; or as the prompt wants it.
#[derive(Default)]
struct Model(AtomicUsize);

struct Line {
    entry: Outlet<Box<Request>>,
    dedup: Arc<Dedup>,
    model: Arc<Model>,
    ledger: Arc<Ledger>,
    config: Setter<Config>,
    registry: Registry,
}

impl Stage for Model {
    const NAME: StageName = StageName::Stream;
    type In = Unique;
    type Out = std::convert::Infallible;

    async fn run(&self, cx: &mut Cx, Unique(request): Unique) -> Result<Flow<Self::Out>, Failure> {
        let call = self.0.fetch_add(1, SeqCst);
        let said = request.messages[0].text();
        sleep(Duration::from_millis(50)).await;
        cx.push([Chunk::text(format!("call {call}"))]);
        sleep(Duration::from_millis(50)).await;
        match &*said {
            "fail" => return Err(Failure::new(Code::UpstreamError, "500")),
            "panic" => panic!("as the prompt wants it"),
            "long" => drop(cx.push([Chunk::text("x".repeat(1_000))])),
            _ => drop(cx.push([Chunk::text(" is over")])),
        }
        Ok(Flow::Done(orchestrator_core::End {
            finish: FinishReason::Stop,
            usage: None,
            cut: said == "cut",
        }))
    }
}

impl Line {
    fn start(config: Config) -> Self {
        let registry = Registry::new();
        let (setter, config) = live(config);
        let ledger = Ledger::new(1 << 20, 4_000, 1_000);
        let metrics = Metrics::register(&registry).unwrap();
        let dedup = Arc::new(Dedup::new(config, ledger.clone(), metrics, Blocking::new(1)));
        let model = Arc::new(Model::default());
        let ((entry, inlet), (middle, last), (nowhere, _)) = (edge(64), edge(64), edge(1));
        drive(dedup.clone(), inlet, middle);
        drive(model.clone(), last, nowhere);
        Line {
            entry,
            dedup,
            model,
            ledger,
            config: setter,
            registry,
        }
    }

    async fn submit(&self, request: Request) -> Answer {
        let (writer, answer) = answer(request.deadline, request.priority, self.ledger.clone());
        let cx = Cx::new(request.id, writer);
        let body = Box::new(request);
        self.entry.send(Job { cx, body }).await;
        answer
    }

    async fn ask(&self, text: &str) -> Answer {
        self.submit(request(text)).await
    }

    /// Asks and listens to the end: where the answer came from, and what it said.
    async fn hear(&self, request: Request) -> String {
        let mut answer = self.submit(request).await;
        let cache = answer.cache().await.unwrap().as_str();
        match collect(answer).await {
            Ok((text, _)) => format!("{cache}: {text}"),
            Err(failure) => format!("{cache}: {}", failure.code().as_str()),
        }
    }

    fn calls(&self) -> usize {
        self.model.0.load(SeqCst)
    }

    fn shown(&self) -> String {
        let text = TextEncoder::new().encode_to_string(&self.registry.gather()).unwrap();
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        lines.flat_map(|line| [line, "\n"]).collect()
    }
}

fn drive<S: Stage>(stage: Arc<S>, inlet: orchestrator_core::Inlet<S::In>, next: Outlet<S::Out>) {
    let tasks = Tasks::new();
    let drive = Drive {
        stage,
        inlet,
        next,
        width: Live::fixed(1_000),
        tasks: tasks.clone(),
        metrics: LineMetrics::register(&Registry::new()).unwrap().stage(S::NAME),
    };
    drop(tasks.spawn(drive.run()));
}

fn window(window_s: u64) -> Config {
    Config {
        window_s,
        ..Config::default()
    }
}

fn asking(text: &str, reuse: Reuse) -> Request {
    Request { reuse, ..request(text) }
}

#[tokio::test(start_paused = true)]
async fn one_call_is_heard_by_all_who_ask_while_it_runs_and_within_the_window() {
    let (line, timeline) = (Line::start(window(1)), Timeline::begin());
    let client = async |name: &str, comes| {
        sleep(Duration::from_millis(comes)).await;
        timeline.listen(name, line.ask("x").await).await;
    };
    tokio::join!(
        client("first", 0),
        client("soon", 1),
        client("late", 99),
        client("after", 1_099),
        client("too late", 1_100),
    );
    expect![[r#"
        0      first: MISS
        1      soon: COALESCED
        50     first: "call 0"
        50     soon: "call 0"
        99     late: COALESCED
        99     late: "call 0"
        100    late: " is over"
        100    late: end stop
        100    first: " is over"
        100    first: end stop
        100    soon: " is over"
        100    soon: end stop
        1099   after: HIT
        1099   after: "call 0 is over"
        1099   after: end stop
        1100   too late: MISS
        1150   too late: "call 1"
        1200   too late: " is over"
        1200   too late: end stop
    "#]]
    .assert_eq(&timeline.to_string());
}

#[tokio::test(start_paused = true)]
async fn each_request_is_counted_by_where_its_answer_came_from() {
    let line = Line::start(window(300));
    let (first, joined) = tokio::join!(line.hear(request("x")), line.hear(request("x")));
    let rest = [
        line.hear(request("x")).await,
        line.hear(asking("x", Reuse::Never)).await,
        line.hear(asking("x", Reuse::Fresh)).await,
        line.hear(request("x")).await,
        line.hear(request("y")).await,
    ];
    expect![[r#"
        MISS: call 0 is over
        COALESCED: call 0 is over
        HIT: call 0 is over
        BYPASS: call 1 is over
        BYPASS: call 2 is over
        HIT: call 2 is over
        MISS: call 3 is over
    "#]]
    .assert_eq(
        &[first, joined]
            .iter()
            .chain(&rest)
            .flat_map(|told| [told, "\n"])
            .collect::<String>(),
    );
    expect![[r#"
        orchestrator_dedup_entries 2
        orchestrator_dedup_evictions_total 0
        orchestrator_dedup_total{result="bypass"} 2
        orchestrator_dedup_total{result="coalesced"} 1
        orchestrator_dedup_total{result="hit"} 2
        orchestrator_dedup_total{result="miss"} 2
    "#]]
    .assert_eq(&line.shown());
}

#[tokio::test(start_paused = true)]
async fn what_was_never_stored_is_joined_by_nobody() {
    let line = Line::start(window(300));
    let (private, other) = tokio::join!(line.hear(asking("x", Reuse::Never)), line.hear(request("x")));
    assert_eq!((&*private, &*other), ("BYPASS: call 0 is over", "MISS: call 1 is over"));
}

#[tokio::test(start_paused = true)]
async fn bad_ends_are_told_to_all_who_heard_the_call_and_to_nobody_after() {
    for (text, end) in [
        ("fail", "upstream_error"),
        ("panic", "internal_error"),
        ("cut", "call 0 is over"),
    ] {
        let line = Line::start(window(300));
        let (first, joined) = tokio::join!(line.hear(request(text)), line.hear(request(text)));
        assert_eq!((first, joined), (format!("MISS: {end}"), format!("COALESCED: {end}")));
        let again = line.hear(request(text)).await;
        assert!(again.starts_with("MISS"), "{text}: {again}");
        assert_eq!(line.calls(), 2);
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_all_have_left_is_called_for_again() {
    let line = Line::start(window(300));
    for call in 0..20 {
        let (leader, follower) = (line.ask("x").await, line.ask("x").await);
        sleep(Duration::from_millis(60)).await;
        assert_eq!(
            line.calls(),
            call + 1,
            "what was given up is neither joined nor replayed"
        );
        drop((leader, follower));
        sleep(Duration::from_millis(1)).await;
    }
    assert!(line.shown().contains("orchestrator_dedup_entries 1\n"));
}

#[tokio::test(start_paused = true)]
async fn settings_count_from_the_next_request_on() {
    let line = Line::start(window(300));
    assert_eq!(line.hear(request("x")).await, "MISS: call 0 is over");
    sleep(Duration::from_secs(10)).await;
    line.config.set(window(5));
    assert_eq!(
        line.hear(request("x")).await,
        "MISS: call 1 is over",
        "its time is over now"
    );
    line.config.set(Config {
        enabled: false,
        ..window(300)
    });
    assert_eq!(line.hear(request("x")).await, "BYPASS: call 2 is over");
    line.config.set(window(300));
    assert_eq!(line.hear(request("x")).await, "HIT: call 1 is over");
    line.config.set(Config {
        max_entries: 1,
        ..window(300)
    });
    assert_eq!(line.hear(request("y")).await, "MISS: call 3 is over");
    assert_eq!(
        line.hear(request("x")).await,
        "MISS: call 4 is over",
        "only one is kept"
    );
}

#[tokio::test(start_paused = true)]
async fn a_full_ledger_takes_kept_answers_and_only_as_many_as_it_must() {
    let line = Line::start(window(300));
    for seed in 0..4 {
        let mut long = request("long");
        long.session = Some("s".into());
        long.model = format!("model {seed}").into();
        line.hear(long).await;
    }
    assert!(line.ledger.is_full());
    line.dedup.relieve();
    assert!(!line.ledger.is_full());
    assert!(line.shown().contains("orchestrator_dedup_evictions_total 1\n"));
    let asked = |seed: usize| Request {
        model: format!("model {seed}").into(),
        ..request("long")
    };
    let mut caches = Vec::new();
    for seed in [1, 2, 3, 0] {
        let mut answer = line.submit(asked(seed)).await;
        caches.push(answer.cache().await.unwrap().as_str());
    }
    assert_eq!(caches, ["HIT", "HIT", "HIT", "MISS"], "the one used longest ago went");
}

#[tokio::test(start_paused = true)]
async fn without_a_window_no_answer_outlives_its_listeners() {
    let line = Line::start(Config::default());
    for nth in 0..50 {
        line.hear(request(&format!("{nth}"))).await;
        sleep(Duration::from_millis(1)).await;
        assert_eq!(line.ledger.bytes(), 0);
    }
}

/// A thousand equal requests on eight threads: one leads, and all others are sent to it.
#[test]
fn a_thousand_racers_make_one_leader() {
    use futures_util::FutureExt;
    let metrics = Metrics::register(&Registry::new()).unwrap();
    let dedup = Dedup::new(
        Live::fixed(Config::default()),
        Ledger::generous(),
        metrics,
        Blocking::new(1),
    );
    let race = || {
        let racers = (0..125).map(|_| {
            let request = request("x");
            let (writer, listener) = answer(request.deadline, request.priority, Ledger::generous());
            let mut cx = Cx::new(request.id, writer);
            let flow = dedup.run(&mut cx, Box::new(request)).now_or_never();
            (flow.expect("nothing to wait for").unwrap(), cx, listener)
        });
        racers.collect::<Vec<_>>()
    };
    let raced: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(race)).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    let leaders = raced.iter().filter(|(flow, ..)| matches!(flow, Flow::Next(_))).count();
    assert_eq!((leaders, raced.len()), (1, 1_000));
}
