use super::*;
use crate::fixtures::{Bench, asking, chain, failing};
use expect_test::expect;
use orchestrator_core::{Code, Failure};
use orchestrator_testkit::scripted::{self, Call};
use std::fmt::Write;

/// Half of four requests within ten seconds; for five seconds.
fn rule(name: &str, mode: Step) -> RuleConfig {
    RuleConfig {
        name: name.to_owned(),
        mode,
        failure_rate: 0.5,
        window_s: 10,
        min_requests: 4,
        hold_s: 5,
        ..RuleConfig::default()
    }
}

fn ruled(steps: impl IntoIterator<Item = Step>, rules: impl IntoIterator<Item = RuleConfig>) -> Config {
    Config {
        rules: rules.into_iter().collect(),
        ..chain(steps)
    }
}

/// Workers that fail their first calls and then answer.
fn failing_first(calls: usize) -> scripted::Model {
    scripted::Model::responding(move |nth, _| match nth < calls {
        true => Call::new().fail(Failure::new(Code::UpstreamError, "It does.")),
        false => Call::saying(["fresh"]),
    })
}

async fn pass(seconds: u64) {
    tokio::time::advance(Duration::from_secs(seconds)).await;
}

#[tokio::test(start_paused = true)]
async fn a_rule_answers_before_the_workers_are_asked_until_they_are_well() {
    let live = failing_first(7);
    let bench = Bench::new(
        ruled([Step::Message], [rule("many failures", Step::Message)]),
        &live,
        None,
    );
    let mut told = String::new();
    for second in 0..18 {
        let before = live.calls();
        for _ in 0..4 {
            let answer = bench.told("q").await;
            write!(told, "{} ", answer.split(':').next().unwrap()).unwrap();
        }
        writeln!(told, "| {second} s, {} calls", live.calls() - before).unwrap();
        pass(1).await;
    }
    // Four failures begin it. Three probes of the first period fail, none of the second.
    expect![[r#"
        message message message message | 0 s, 4 calls
        message message message message | 1 s, 1 calls
        message message message message | 2 s, 1 calls
        message message message message | 3 s, 1 calls
        fresh message message message | 4 s, 1 calls
        fresh message message message | 5 s, 1 calls
        fresh message message message | 6 s, 1 calls
        fresh message message message | 7 s, 1 calls
        fresh message message message | 8 s, 1 calls
        fresh message message message | 9 s, 1 calls
        fresh fresh fresh fresh | 10 s, 4 calls
        fresh fresh fresh fresh | 11 s, 4 calls
        fresh fresh fresh fresh | 12 s, 4 calls
        fresh fresh fresh fresh | 13 s, 4 calls
        fresh fresh fresh fresh | 14 s, 4 calls
        fresh fresh fresh fresh | 15 s, 4 calls
        fresh fresh fresh fresh | 16 s, 4 calls
        fresh fresh fresh fresh | 17 s, 4 calls
    "#]]
    .assert_eq(&told);
}

/// The cause of each episode, the second of its end, and the messages that it gave.
fn episodes(bench: &Bench, began: Instant) -> Vec<(String, Option<u64>, u64)> {
    let told = bench.shared.episodes(Instant::now()).into_iter().map(|episode| {
        let ended = episode.ended.map(|at| at.saturating_duration_since(began).as_secs());
        (episode.cause.to_string(), ended, episode.touched.message)
    });
    told.collect()
}

#[tokio::test(start_paused = true)]
async fn each_time_is_an_episode_with_its_cause_its_length_and_what_it_touched() {
    let bench = Bench::new(
        ruled([Step::Message], [rule("many failures", Step::Message)]),
        &failing_first(4),
        None,
    );
    let began = Instant::now();
    for _ in 0..6 {
        bench.told("q").await;
    }
    pass(5).await;
    assert_eq!(bench.told("q").await, "fresh");
    assert_eq!(
        episodes(&bench, began),
        [
            ("upstream_error".to_owned(), None, 4),
            ("rule many failures".to_owned(), Some(5), 2),
        ]
    );
    assert_eq!(
        bench.shared.total(),
        Touched {
            message: 6,
            ..Touched::default()
        }
    );
}

#[tokio::test(start_paused = true)]
async fn an_episode_of_a_rule_ends_without_traffic() {
    let config = ruled([Step::Message], [rule("r", Step::Message)]);
    let (bench, began) = (Bench::new(config, &failing(Code::UpstreamError), None), Instant::now());
    for _ in 0..5 {
        bench.told("q").await;
    }
    let rules = || episodes(&bench, began).pop();
    pass(4).await;
    assert_eq!(rules(), Some(("rule r".to_owned(), None, 1)));
    pass(60).await;
    assert_eq!(
        rules(),
        Some(("rule r".to_owned(), Some(5), 1)),
        "when it ended, whoever looks when"
    );
    assert_eq!(bench.told("q").await, "message: Sorry.");
    assert_eq!(
        episodes(&bench, began).len(),
        3,
        "another one of failures, and no other of the rule"
    );
}

#[tokio::test(start_paused = true)]
async fn a_rule_of_one_route_leaves_the_others_alone() {
    let live = scripted::Model::responding(|_, prompt| {
        let said = prompt.request.messages[0].text();
        match said.starts_with('b') {
            true => Call::saying(["fresh"]),
            false => Call::new().fail(Failure::new(Code::UpstreamError, "It does.")),
        }
    });
    let bench = Bench::new(ruled([Step::Message], [rule("r", Step::Message)]), &live, None);
    for _ in 0..4 {
        bench.told("a").await;
        bench.told("b").await;
    }
    let holds = bench.shared.standings(Instant::now()).into_iter().map(|standing| {
        (
            standing.route.to_string(),
            standing.since.is_some(),
            standing.failure_rate,
        )
    });
    assert_eq!(
        holds.collect::<Vec<_>>(),
        [("a".to_owned(), true, 0.0), ("b".to_owned(), false, 0.0)]
    );
    let before = live.calls();
    bench.told("a").await;
    assert_eq!(live.calls(), before, "the workers are not asked");
    assert_eq!(bench.told("b").await, "fresh");
}

#[tokio::test(start_paused = true)]
async fn the_first_rule_that_holds_is_obeyed_and_a_step_with_nothing_asks_the_workers() {
    let rules = [
        RuleConfig {
            min_requests: 6,
            ..rule("later", Step::Message)
        },
        rule("sooner", Step::Cache),
    ];
    let live = failing(Code::UpstreamError);
    let bench = Bench::new(ruled([Step::Cache, Step::Message], rules), &live, None);
    for _ in 0..4 {
        bench.told("q").await;
    }
    assert_eq!(bench.told("q").await, "message: Sorry.", "nothing is kept");
    assert_eq!(
        live.calls(),
        5,
        "so the workers were asked after all, and then the rest of the chain"
    );
    assert_eq!(bench.told("q").await, "message: Sorry.");
    assert_eq!(live.calls(), 6);
    assert_eq!(bench.told("q").await, "message: Sorry.");
    assert_eq!(live.calls(), 6, "now the first rule holds as well");
}

#[tokio::test(start_paused = true)]
async fn a_reduced_mode_that_fails_under_a_rule_is_not_asked_twice() {
    let (live, reduced) = (failing(Code::UpstreamError), failing(Code::UpstreamError));
    let config = ruled([Step::Reduced, Step::Message], [rule("r", Step::Reduced)]);
    let bench = Bench::new(config, &live, Some(&reduced));
    for _ in 0..4 {
        bench.told("q").await;
    }
    let before = (live.calls(), reduced.calls());
    assert_eq!(bench.told("q").await, "message: Sorry.");
    assert_eq!((live.calls() - before.0, reduced.calls() - before.1), (1, 1));
}

/// A rule of latency, and workers that reach it.
fn late() -> (Bench, scripted::Model) {
    let slow = RuleConfig {
        failure_rate: 0.0,
        latency_p95_ms: 500,
        ..rule("slow", Step::Message)
    };
    let live = scripted::Model::following([Call::new()
        .after(500)
        .text("late")
        .finish(orchestrator_core::FinishReason::Stop)]);
    (Bench::new(ruled([Step::Message], [slow]), &live, None), live)
}

#[tokio::test(start_paused = true)]
async fn how_long_a_whole_answer_takes_holds_no_rule() {
    let (bench, live) = late();
    for _ in 0..8 {
        let mut whole = asking("q");
        whole.request.stream = false;
        assert_eq!(bench.send(whole).await.unwrap(), ("late".to_owned(), None));
    }
    assert_eq!(live.calls(), 8);
    assert_eq!(bench.shared.standings(Instant::now())[0].slow_rate, 0.0);
}

#[tokio::test(start_paused = true)]
async fn slow_workers_are_spared_as_failing_ones_are() {
    let (bench, _) = late();
    for _ in 0..4 {
        assert_eq!(bench.told("q").await, "late");
    }
    assert_eq!(bench.told("q").await, "message: Sorry.");
    let standing = bench.shared.standings(Instant::now()).remove(0);
    assert_eq!(
        (standing.slow_rate, standing.failure_rate),
        (0.0, 0.0),
        "it counts anew"
    );
}

#[tokio::test(start_paused = true)]
async fn clients_that_err_or_leave_tell_the_rules_nothing() {
    let live = failing(Code::UpstreamRejected);
    let bench = Bench::new(ruled([Step::Message], [rule("r", Step::Message)]), &live, None);
    for _ in 0..8 {
        assert_eq!(bench.told("q").await, "failed: upstream_rejected");
    }
    let live = scripted::Model::following([Call::new().hang()]);
    let bench = Bench::new(ruled([Step::Message], [rule("r", Step::Message)]), &live, None);
    for _ in 0..8 {
        assert!(
            tokio::time::timeout(Duration::from_secs(1), bench.ask("q"))
                .await
                .is_err()
        );
    }
    assert!(bench.shared.standings(Instant::now())[0].since.is_none());
    assert!(bench.shared.episodes(Instant::now()).is_empty());
}

#[tokio::test(start_paused = true)]
async fn looking_changes_nothing() {
    let bench = Bench::new(
        ruled([Step::Cache, Step::Message], [rule("r", Step::Cache)]),
        &failing_first(3),
        None,
    );
    for text in ["q", "q", "q", "known"] {
        bench.told(text).await;
    }
    let look = || {
        let now = Instant::now();
        (
            bench.shared.standings(now),
            bench.shared.episodes(now),
            bench.shared.total(),
            bench.shared.kept(),
            bench.metrics(),
        )
    };
    assert_eq!(look(), look());
    pass(60).await;
    assert_eq!(look(), look());
    assert!(bench.shared.find(&asking("known").request, Instant::now()).is_some());
}
