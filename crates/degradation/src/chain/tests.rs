use super::*;
use crate::{
    Config, ReducedConfig,
    fixtures::{Bench, asking, chain, failing, waiting},
};
use expect_test::expect;
use orchestrator_core::{Message, Role, Text};
use orchestrator_testkit::{
    chat,
    scripted::{self, Call},
};
use smallvec::smallvec;

const ALL: [Step; 3] = [Step::Cache, Step::Reduced, Step::Message];

fn failure(code: Code) -> Failure {
    Failure::new(code, "It does.")
}

/// Workers that answer the first request with "fresh" and fail all others.
fn once() -> scripted::Model {
    scripted::Model::following([
        Call::saying(["fresh"]),
        Call::new().fail(failure(Code::UpstreamConnect)),
    ])
}

#[tokio::test(start_paused = true)]
async fn workers_that_answer_are_all_that_is_asked() {
    let (live, reduced) = (scripted::Model::saying(["fresh"]), scripted::Model::saying(["small"]));
    let bench = Bench::new(chain(ALL), &live, Some(&reduced));
    assert_eq!(bench.told("q").await, "fresh");
    assert_eq!(
        bench.told("q").await,
        "fresh",
        "a kept answer is not for them who need not"
    );
    assert_eq!((live.calls(), reduced.calls()), (2, 0));
}

#[tokio::test(start_paused = true)]
async fn the_first_step_that_can_answers() {
    let (live, reduced) = (once(), scripted::Model::saying(["small"]));
    let bench = Bench::new(chain(ALL), &live, Some(&reduced));
    assert_eq!(bench.told("known").await, "fresh");
    assert_eq!(bench.told("known").await, "cache: fresh");
    assert_eq!(bench.told("new").await, "reduced: small");
    tokio::time::advance(Duration::from_secs(301)).await;
    assert_eq!(bench.told("known").await, "stale: fresh");
    let reduced = failing(Code::BreakerOpen);
    let bench = Bench::new(chain(ALL), &once(), Some(&reduced));
    assert_eq!(bench.told("known").await, "fresh");
    assert_eq!(bench.told("new").await, "message: Sorry.");
}

#[tokio::test(start_paused = true)]
async fn an_empty_chain_leaves_the_failure_as_it_is() {
    for chain in [chain([]), chain([Step::Cache]), chain([Step::Reduced])] {
        let live = failing(Code::UpstreamError);
        let bench = Bench::new(chain, &live, None);
        let told = bench.ask("q").await.unwrap_err();
        assert_eq!(told, failure(Code::UpstreamError));
    }
}

#[tokio::test(start_paused = true)]
async fn only_what_is_no_fault_of_the_client_is_answered_by_the_chain() {
    let mut told = String::new();
    for code in Code::ALL {
        let bench = Bench::new(chain([Step::Message]), &failing(code), None);
        if let Ok((_, degraded)) = bench.ask("q").await {
            assert_eq!(degraded, Some(Degraded::Message));
            told.push_str(code.as_str());
            told.push('\n');
        }
    }
    expect![[r#"
        breaker_open
        rate_limit_exceeded
        upstream_credentials
        upstream_redirected
        upstream_connect
        upstream_error
        upstream_protocol
        upstream_truncated
        first_token_timeout
        idle_timeout
    "#]]
    .assert_eq(&told);
}

#[tokio::test(start_paused = true)]
async fn nothing_stands_in_once_a_token_is_out() {
    let live = scripted::Model::following([Call::new().text("half").fail(failure(Code::UpstreamTruncated))]);
    let bench = Bench::new(chain(ALL), &live, Some(&scripted::Model::saying(["small"])));
    assert_eq!(bench.told("q").await, "failed: upstream_truncated");
    assert_eq!(bench.metrics(), "");
}

#[tokio::test(start_paused = true)]
async fn a_request_of_no_route_is_for_the_workers_to_refuse() {
    let bench = Bench::new(chain(ALL), &failing(Code::ModelNotFound), None);
    assert_eq!(bench.told("nowhere").await, "failed: model_not_found");
    let bench = Bench::new(chain(ALL), &failing(Code::UpstreamError), None);
    assert_eq!(bench.told("nowhere").await, "failed: upstream_error");
}

#[tokio::test(start_paused = true)]
async fn a_kept_answer_tells_its_age_and_that_nobody_was_called() {
    let bench = Bench::new(chain(ALL), &once(), None);
    assert_eq!(bench.told("q").await, "fresh");
    tokio::time::advance(Duration::from_secs(7)).await;
    let (cx, _client) = waiting();
    let head = bench.chain.call(&cx, &asking("q")).await.unwrap().head;
    let age = Duration::from_secs(7);
    assert_eq!(head.degraded, Some(Degraded::Cache { age }));
    assert_eq!((&*head.worker, head.attempts, head.tier_name()), ("none", 0, None));
    assert_eq!(&*head.model, "test", "the model that it was given by");
}

#[tokio::test(start_paused = true)]
async fn who_wants_no_others_answer_is_given_none() {
    let bench = Bench::new(chain([Step::Cache]), &once(), None);
    assert_eq!(bench.told("q").await, "fresh");
    for reuse in [orchestrator_core::Reuse::Fresh, orchestrator_core::Reuse::Never] {
        let mut prompt = asking("q");
        prompt.request.reuse = reuse;
        let told = bench.send(prompt).await.unwrap_err();
        assert_eq!(told.code(), Code::UpstreamConnect);
    }
    assert_eq!(bench.told("q").await, "cache: fresh");
}

#[tokio::test(start_paused = true)]
async fn the_reduced_mode_asks_for_less() {
    let reduced = scripted::Model::responding(|_, prompt| {
        let turns: Vec<_> = prompt.request.messages.iter().map(Message::text).collect();
        let asked = format!("{turns:?} {:?} {:?}", prompt.max_tokens(None), prompt.grounding);
        Call::saying([asked])
    });
    let config = Config {
        reduced: ReducedConfig {
            max_tokens: 64,
            ..ReducedConfig::default()
        },
        ..chain([Step::Reduced])
    };
    let bench = Bench::new(config, &failing(Code::BreakerOpen), Some(&reduced));
    let told = |prompt| async { bench.send(prompt).await.unwrap().0 };
    let body = |limit: &str| format!(r#"{{"messages":[{{"role":"user","content":"q"}}]{limit}}}"#);
    let prompt = |body: String| {
        let mut prompt = asking("q");
        *prompt.request = chat(body);
        prompt
    };
    assert_eq!(told(prompt(body(""))).await, r#"["q"] Some(64) []"#);
    let mut grounded = prompt(body(r#","max_tokens":100"#));
    let passages = Message {
        role: Role::System,
        texts: smallvec![Text::from_static("passages")],
        raw: Default::default(),
    };
    grounded.request.messages.insert(0, passages);
    grounded.grounding = vec!["a.md".into()];
    grounded.rewritten = true;
    assert_eq!(told(grounded).await, r#"["q"] Some(64) []"#);
    assert_eq!(told(prompt(body(r#","max_tokens":10"#))).await, r#"["q"] Some(10) []"#);
}

#[tokio::test(start_paused = true)]
async fn the_reduced_mode_is_waited_for_as_long_as_is_said() {
    let config = |patience_ms| Config {
        reduced: ReducedConfig {
            patience_ms,
            ..ReducedConfig::default()
        },
        ..chain([Step::Reduced, Step::Message])
    };
    let reduced = scripted::Model::following([Call::new().after(1_000).text("small").finish(FinishReason::Stop)]);
    let bench = Bench::new(config(1_001), &failing(Code::BreakerOpen), Some(&reduced));
    assert_eq!(bench.told("q").await, "reduced: small");
    let bench = Bench::new(config(999), &failing(Code::BreakerOpen), Some(&reduced));
    assert_eq!(bench.told("q").await, "message: Sorry.");
    assert_eq!(
        (reduced.running(), reduced.dropped()),
        (0, 1),
        "and then it is not called any more"
    );
}

#[tokio::test(start_paused = true)]
async fn a_message_is_a_whole_answer_for_each_choice() {
    let bench = Bench::new(chain([Step::Message]), &failing(Code::BreakerOpen), None);
    let mut prompt = asking("q");
    prompt.request.params.choices = Some(2);
    let (cx, _client) = waiting();
    let mut reply = bench.chain.call(&cx, &prompt).await.unwrap();
    let batch = reply.events.next().await.unwrap().unwrap();
    let told: Vec<_> = batch[0]
        .deltas
        .iter()
        .map(|delta| (delta.choice, format!("{:?}", delta.kind)))
        .collect();
    expect![[r#"[(0, "Text(\"Sorry.\")"), (0, "Finish(Stop)"), (1, "Text(\"Sorry.\")"), (1, "Finish(Stop)")]"#]]
        .assert_eq(&format!("{told:?}"));
    assert!(reply.events.next().await.is_none());
    assert_eq!((&*reply.head.worker, &*reply.head.model), ("none", "test"));
}

#[tokio::test(start_paused = true)]
async fn whoever_leaves_while_the_chain_is_tried_leaves_no_call_behind() {
    let reduced = scripted::Model::following([Call::new().hang()]);
    let bench = Bench::new(chain(ALL), &failing(Code::BreakerOpen), Some(&reduced));
    let left = timeout(Duration::from_secs(1), bench.ask("q")).await;
    assert!(left.is_err());
    assert_eq!((reduced.calls(), reduced.running()), (1, 0));
    assert_eq!(bench.shared.total().all(), 0, "it was not answered");
}
