use super::*;
use crate::{
    Index,
    fixtures::{Library, warnings},
};
use async_trait::async_trait;
use expect_test::expect;
use orchestrator_core::{Blocking, Ledger, Priority, RequestId, answer};
use orchestrator_testkit::request;
use prometheus::Registry;
use proptest::prelude::*;
use std::{sync::mpsc, time::Duration};
use tokio::time::advance;

/// Finds what it is told to, after a while.
struct Scripted {
    after: Duration,
    found: Result<Vec<Passage>, Failure>,
    asked: parking_lot::Mutex<Vec<(String, usize)>>,
}

#[async_trait]
impl Retriever for Scripted {
    async fn retrieve(&self, question: &str, limit: usize) -> Result<Vec<Passage>, Failure> {
        self.asked.lock().push((question.to_owned(), limit));
        tokio::time::sleep(self.after).await;
        self.found.clone()
    }
}

fn passage(source: &str, text: &str) -> Passage {
    Passage {
        source: source.into(),
        text: text.into(),
        score: 1.0,
    }
}

fn finding(found: Result<Vec<Passage>, Failure>, after_ms: u64) -> Arc<Scripted> {
    Arc::new(Scripted {
        after: Duration::from_millis(after_ms),
        found,
        asked: parking_lot::Mutex::default(),
    })
}

/// What the stage makes of a question, and what it shows of it.
async fn run(config: Config, retriever: Option<Arc<Scripted>>, question: &str) -> (Result<Vec<String>, Code>, String) {
    run_with(config, retriever.map(|retriever| retriever as _), question).await
}

async fn run_with(
    config: Config,
    retriever: Option<Arc<dyn Retriever>>,
    question: &str,
) -> (Result<Vec<String>, Code>, String) {
    let registry = Registry::new();
    let rag = Rag::new(config, retriever, Metrics::register(&registry).unwrap());
    (ask(&rag, question).await, counted(&registry))
}

/// The sources of the passages with which a question goes on.
async fn ask(rag: &Rag, question: &str) -> Result<Vec<String>, Code> {
    let until = Instant::now() + Duration::from_secs(600);
    let (writer, _client) = answer(until, Priority::Normal, Ledger::generous());
    let mut cx = Cx::new(RequestId::mint(0, [0; 10]), writer);
    let flow = rag.run(&mut cx, Unique(Box::new(request(question)))).await;
    let sources = flow.map(|flow| match flow {
        Flow::Next(grounded) => grounded
            .passages
            .iter()
            .map(|passage| passage.source.to_string())
            .collect(),
        other => panic!("retrieval always goes on, not {other:?}"),
    });
    sources.map_err(|failure| failure.code())
}

/// The outcomes that were counted.
fn counted(registry: &Registry) -> String {
    let families = registry.gather();
    let family = families
        .iter()
        .find(|family| family.name() == "orchestrator_retrievals_total")
        .unwrap();
    let outcomes = family
        .get_metric()
        .iter()
        .filter(|metric| metric.get_counter().get_value() > 0.0);
    outcomes
        .map(|metric| metric.get_label()[0].value().to_owned())
        .collect::<Vec<_>>()
        .join(" ")
}

#[tokio::test(start_paused = true)]
async fn passages_come_along_best_first() {
    let found = finding(Ok(vec![passage("a.md", "one"), passage("b.md", "two")]), 10);
    let (sources, counted) = run(Config::default(), Some(found.clone()), "what is one?").await;
    assert_eq!(sources.unwrap(), ["a.md", "b.md"]);
    assert_eq!(counted, "found");
    assert_eq!(*found.asked.lock(), [("what is one?".to_owned(), 4)]);
}

#[tokio::test(start_paused = true)]
async fn a_stage_without_a_retriever_passes_on_at_once() {
    let began = Instant::now();
    let (sources, counted) = run(Config::default(), None, "anything").await;
    assert_eq!(
        (sources.unwrap().len(), counted.as_str(), began.elapsed()),
        (0, "", Duration::ZERO)
    );
}

#[tokio::test(start_paused = true)]
async fn required_passages_without_a_retriever_fail_each_request_unless_the_stage_is_off() {
    for (enabled, expected) in [(true, Err(Code::RetrievalFailed)), (false, Ok(Vec::new()))] {
        let config = Config {
            enabled,
            required: true,
            ..Config::default()
        };
        assert_eq!(run(config, None, "anything").await.0, expected);
    }
}

/// The warnings of a stage whose retriever fails, asked at these seconds.
fn warned(required: bool, seconds: &[u64]) -> Vec<String> {
    let failing = finding(Err(Failure::new(Code::Internal, "the index is gone")), 0);
    let config = Config {
        required,
        ..Config::default()
    };
    let metrics = Metrics::register(&Registry::new()).unwrap();
    let rag = Rag::new(config, Some(failing), metrics);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    let script = async {
        let began = Instant::now();
        for second in seconds {
            tokio::time::sleep_until(began + Duration::from_secs(*second)).await;
            assert_eq!(ask(&rag, "anything").await.is_err(), required);
        }
    };
    warnings(|| runtime.block_on(script))
}

#[test]
fn a_retriever_that_fails_is_told_once_a_minute() {
    let expected = expect![[r#"
        WARN the documents cannot be searched: requests go on without passages reason="the index is gone""#]];
    expected.assert_eq(&warned(false, &[0, 1, 59]).join("\n"));
    let expected = expect![[r#"
        WARN the documents cannot be searched: requests fail reason="the index is gone""#]];
    expected.assert_eq(&warned(true, &[0]).join("\n"));
    assert_eq!(warned(false, &[0, 59, 60, 61, 119, 120]).len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_stage_that_is_switched_off_asks_nobody() {
    let found = finding(Ok(vec![passage("a.md", "one")]), 0);
    let off = Config {
        enabled: false,
        ..Config::default()
    };
    let (sources, _) = run(off, Some(found.clone()), "anything").await;
    assert!(sources.unwrap().is_empty());
    assert!(found.asked.lock().is_empty());
}

#[tokio::test(start_paused = true)]
async fn nothing_found_is_no_failure_even_when_retrieval_is_required() {
    let required = Config {
        required: true,
        ..Config::default()
    };
    let (sources, counted) = run(required, Some(finding(Ok(Vec::new()), 0)), "anything").await;
    assert_eq!((sources.unwrap().len(), counted.as_str()), (0, "empty"));
}

#[tokio::test(start_paused = true)]
async fn a_slow_retriever_is_not_waited_for_beyond_its_time() {
    let began = Instant::now();
    let slow = finding(Ok(vec![passage("a.md", "one")]), 60_000);
    let (sources, counted) = run(
        Config {
            timeout_ms: 250,
            ..Config::default()
        },
        Some(slow),
        "anything",
    )
    .await;
    assert_eq!((sources.unwrap().len(), counted.as_str()), (0, "timeout"));
    assert_eq!(began.elapsed(), Duration::from_millis(250));
}

#[tokio::test(start_paused = true)]
async fn a_failing_retriever_leaves_the_request_ungrounded_or_ends_it_where_it_is_required() {
    let failing = || Some(finding(Err(Failure::new(Code::Internal, "the index is gone")), 0));
    let (sources, counted) = run(Config::default(), failing(), "anything").await;
    assert_eq!((sources.unwrap().len(), counted.as_str()), (0, "failed"));
    let required = Config {
        required: true,
        ..Config::default()
    };
    let (sources, _) = run(required.clone(), failing(), "anything").await;
    assert_eq!(sources.unwrap_err(), Code::RetrievalFailed);
    let slow = finding(Ok(Vec::new()), 60_000);
    assert_eq!(
        run(required, Some(slow), "anything").await.0.unwrap_err(),
        Code::RetrievalFailed
    );
}

#[tokio::test(start_paused = true)]
async fn an_index_that_is_not_built_in_time_leaves_the_request_ungrounded() {
    let library = Library::new(&[("a.md", "apples")]);
    let metrics = Metrics::register(&Registry::new()).unwrap();
    let index = Index::open(&library.config(), Blocking::new(1), metrics).unwrap();
    let began = Instant::now();
    let config = library.config();
    let asked = run_with(config.clone(), index.clone().map(|index| index as _), "apples?").await;
    assert_eq!((asked.0.unwrap().len(), asked.1.as_str()), (0, "timeout"));
    assert_eq!(began.elapsed(), config.timeout());
    index.as_ref().unwrap().refresh().unwrap();
    let asked = run_with(config, index.map(|index| index as _), "apples?").await;
    assert_eq!(
        (asked.0.unwrap().join(" ").as_str(), asked.1.as_str()),
        ("a.md", "found")
    );
}

#[tokio::test(start_paused = true)]
async fn searches_that_are_all_busy_leave_the_request_ungrounded() {
    let library = Library::new(&[("a.md", "apples")]);
    let searches = Blocking::new(1);
    let metrics = Metrics::register(&Registry::new()).unwrap();
    let index = Index::open(&library.config(), searches.clone(), metrics)
        .unwrap()
        .unwrap();
    index.refresh().unwrap();
    let config = Config {
        timeout_ms: 1,
        ..library.config()
    };
    let (end, ended) = mpsc::sync_channel::<()>(1);
    let busy = searches.run(move || ended.recv());
    let script = async {
        // The clock stands while a thread works: it is moved by hand.
        let ask = run_with(config, Some(index.clone()), "apples?");
        let (asked, ()) = tokio::join!(ask, advance(Duration::from_millis(2)));
        end.send(()).unwrap();
        asked
    };
    let (busy, (sources, counted)) = tokio::join!(busy, script);
    busy.unwrap().unwrap();
    assert_eq!((sources.unwrap().len(), counted.as_str()), (0, "timeout"));
}

#[tokio::test(start_paused = true)]
async fn passages_stop_where_their_tokens_would_exceed_the_budget() {
    let found = || {
        Some(finding(
            Ok(vec![
                passage("a", "12345678"),
                passage("b", "1234"),
                passage("c", "12345"),
            ]),
            0,
        ))
    };
    for (tokens, expected) in [(1, 0), (2, 1), (3, 2), (4, 2), (5, 3)] {
        let config = Config {
            max_context_tokens: tokens,
            ..Config::default()
        };
        assert_eq!(
            run(config, found(), "x").await.0.unwrap().len(),
            expected,
            "{tokens} tokens"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn the_question_is_the_last_user_message_and_bounded() {
    let found = finding(Ok(Vec::new()), 0);
    run(Config::default(), Some(found.clone()), &"ä".repeat(MAX_QUESTION))
        .await
        .0
        .unwrap();
    let (asked, _) = found.asked.lock().pop().unwrap();
    assert_eq!(asked.len(), MAX_QUESTION);
    assert!(asked.chars().all(|c| c == 'ä'));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever is found, the best come first, none is skipped for a smaller one behind it, and the budget holds.
    #[test]
    fn passages_are_a_prefix_within_the_budget(lengths in prop::collection::vec(0_usize..50, 0..20), tokens in 0_usize..40) {
        let found: Vec<Passage> = lengths.iter().map(|length| passage("s", &"x".repeat(*length))).collect();
        let kept = within(found.clone(), tokens);
        prop_assert_eq!(&found[..kept.len()], &kept[..]);
        let used: usize = kept.iter().map(|passage| passage.text.len()).sum();
        prop_assert!(used <= tokens * 4);
        if let Some(next) = found.get(kept.len()) {
            prop_assert!(used + next.text.len() > tokens * 4);
        }
    }
}
