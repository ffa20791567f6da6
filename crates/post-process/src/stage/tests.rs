use super::*;
use crate::{Redaction, Trim};
use futures_util::{FutureExt, stream};
use orchestrator_core::{Code, Delta, FinishReason, Head, Kind, Ledger, Priority, RequestId, Tier, Usage, answer};
use prometheus::Registry;
use proptest::prelude::*;
use regex::{NoExpand, Regex};
use std::{
    sync::atomic::{AtomicUsize, Ordering::SeqCst},
    time::Duration,
};
use tokio::time::{Instant, sleep};

type Item = Result<Vec<Chunk>, Failure>;

fn config() -> Config {
    let redaction = Redaction {
        name: "key".to_owned(),
        pattern: "key[0-9]".to_owned(),
        replacement: "*".to_owned(),
        max_match_bytes: 16,
    };
    Config {
        stop: vec!["STOP".to_owned()],
        redact: vec![redaction],
        trim: Trim::Start,
        ..Config::default()
    }
}

fn build(config: &Config) -> (PostProcess, Registry) {
    let registry = Registry::new();
    let stage = PostProcess::build(config, &Metrics::register(&registry).unwrap()).unwrap();
    (stage, registry)
}

fn reply(events: impl Stream<Item = Item> + Send + 'static) -> Reply {
    let head = Head {
        worker: "w".into(),
        tier: Tier::Primary,
        degraded: None,
        id: "id".into(),
        model: "m".into(),
        created: 0,
        attempts: 1,
        grounding: Vec::new(),
        waited: Duration::ZERO,
    };
    Reply {
        head: Box::new(head),
        events: events.boxed(),
    }
}

fn text(text: &'static str) -> Item {
    Ok(vec![Chunk::text(text)])
}

fn delta(kind: Kind) -> Chunk {
    Delta::first(kind).into()
}

/// Takes a reply through the stage.
async fn filtered(stage: &PostProcess, reply: Reply) -> Reply {
    filtered_of(1, stage, reply).await
}

/// Takes a reply with so many choices through the stage.
async fn filtered_of(choices: u32, stage: &PostProcess, reply: Reply) -> Reply {
    let until = Instant::now().checked_add(Duration::from_secs(60)).unwrap();
    let (writer, _answer) = answer(until, Priority::Normal, Ledger::generous());
    let mut cx = Cx::new(RequestId::mint(0, [0; 10]), writer);
    cx.expect_choices(choices);
    match stage.run(&mut cx, reply).await {
        Ok(Flow::Next(Filtered(reply))) => reply,
        other => panic!("it goes on: {other:?}"),
    }
}

/// The texts of a batch, `|` for a finish; or the code of a failure.
fn short(item: &Item) -> String {
    let chunks = match item {
        Ok(chunks) => chunks,
        Err(failure) => return failure.code().as_str().to_owned(),
    };
    let deltas = chunks.iter().flat_map(|chunk| &chunk.deltas);
    let parts = deltas.map(|delta| match &delta.kind {
        Kind::Text(text) => text.to_string(),
        Kind::Finish(reason) => format!("|{}", reason.as_str()),
        _ => "?".to_owned(),
    });
    parts.collect()
}

async fn run(items: Vec<Item>) -> Vec<String> {
    let (stage, _) = build(&config());
    let reply = filtered(&stage, reply(stream::iter(items))).await;
    reply.events.map(|item| short(&item)).collect().await
}

#[tokio::test(start_paused = true)]
async fn batches_come_out_filtered_one_by_one() {
    let finish = Ok(vec![delta(Kind::Finish(FinishReason::Length))]);
    let heard = run(vec![text(" "), text("a ke"), text("y"), text("7."), text("b"), finish]).await;
    assert_eq!(heard, ["a ", "*.", "b", "|length"]);
}

#[tokio::test(start_paused = true)]
async fn a_failure_comes_after_what_was_held_back() {
    let broken = Failure::new(Code::UpstreamConnect, "The connection broke.");
    assert_eq!(
        run(vec![text("a ke"), Err(broken)]).await,
        ["a ", "ke", "upstream_connect"]
    );
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_just_ends_leaves_nothing_behind() {
    assert_eq!(run(vec![text("a ke")]).await, ["a ", "ke"]);
    assert_eq!(run(vec![]).await, Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn too_many_choices_fail_the_answer_after_what_was_good() {
    let many = (0..=128).map(|choice| {
        Chunk::from(Delta {
            choice,
            kind: Kind::Text("x".into()),
        })
    });
    let heard = run(vec![Ok(many.collect()), text("never heard")]).await;
    assert_eq!(heard, ["x".repeat(128), "upstream_protocol".to_owned()]);
}

/// A worker that counts how far it was heard, and when it was dropped.
fn counted(items: Vec<Item>, heard: Arc<AtomicUsize>, dropped: Arc<AtomicUsize>) -> impl Stream<Item = Item> {
    struct Call(Arc<AtomicUsize>);
    impl Drop for Call {
        fn drop(&mut self) {
            self.0.fetch_add(1, SeqCst);
        }
    }
    let call = Call(dropped);
    stream::iter(items).inspect(move |_| {
        let Call(_) = &call;
        heard.fetch_add(1, SeqCst);
    })
}

#[tokio::test(start_paused = true)]
async fn the_call_is_dropped_with_the_chunk_that_stops() {
    let (stage, registry) = build(&config());
    let (heard, dropped) = (Arc::default(), Arc::default());
    let items = vec![
        text("a key1 ST"),
        text("OP"),
        text("never"),
        Err(Failure::new(Code::UpstreamError, "never")),
    ];
    let reply = reply(counted(items, Arc::clone(&heard), Arc::clone(&dropped)));
    let mut events = filtered(&stage, reply).await.events;
    assert_eq!(short(&events.next().await.unwrap()), "a * ");
    assert_eq!(dropped.load(SeqCst), 0);
    assert_eq!(short(&events.next().await.unwrap()), "|stop");
    assert_eq!((heard.load(SeqCst), dropped.load(SeqCst)), (2, 1));
    assert!(events.next().await.is_none());

    let counts = registry.gather();
    let counts: Vec<_> = counts
        .iter()
        .map(|family| (family.name(), family.get_metric()[0].get_counter().get_value()))
        .collect();
    assert_eq!(
        counts,
        [
            ("orchestrator_redactions_total", 1.0),
            ("orchestrator_stops_total", 1.0)
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn the_call_lives_until_the_last_of_its_choices_has_ended() {
    let (stage, _) = build(&config());
    let (heard, dropped) = (Arc::default(), Arc::default());
    let of = |choice, kind| Ok(vec![Chunk::from(Delta { choice, kind })]);
    let items = vec![
        of(0, Kind::Text("a STOP".into())),
        of(1, Kind::Text("b STOP".into())),
        of(2, Kind::Text("c".into())),
        of(2, Kind::Text("STOP".into())),
        text("never"),
    ];
    let reply = reply(counted(items, Arc::clone(&heard), Arc::clone(&dropped)));
    let events = filtered_of(3, &stage, reply).await.events;
    let said: Vec<String> = events.map(|item| short(&item)).collect().await;
    assert_eq!(said, ["a |stop", "b |stop", "c", "|stop"]);
    assert_eq!((heard.load(SeqCst), dropped.load(SeqCst)), (4, 1));
}

#[tokio::test(start_paused = true)]
async fn usage_that_came_with_the_stop_is_kept() {
    let usage = delta(Kind::Usage(Usage::default()));
    let heard = run(vec![Ok(vec![
        Chunk::text("xSTOPy"),
        delta(Kind::Finish(FinishReason::Length)),
        usage,
    ])])
    .await;
    assert_eq!(heard, ["x|stop?"]);
}

#[tokio::test(start_paused = true)]
async fn nothing_waits_that_need_not() {
    let (stage, _) = build(&config());
    let started = Instant::now();
    let paced = stream::iter(["One", " two ke", "y", " three"]).then(|piece| async move {
        sleep(Duration::from_millis(10)).await;
        text(piece)
    });
    let events = filtered(&stage, reply(paced)).await.events;
    let heard = events.map(|item| (short(&item), started.elapsed().as_millis()));
    let expected = [("One", 10), (" two ", 20), ("key three", 40)].map(|(text, at)| (text.to_owned(), at));
    assert_eq!(heard.collect::<Vec<_>>().await, expected);
}

#[tokio::test(start_paused = true)]
async fn dropping_the_reply_drops_the_call() {
    let (stage, _) = build(&config());
    let dropped = Arc::default();
    let call = counted(vec![text("k")], Arc::default(), Arc::clone(&dropped)).chain(stream::pending());
    let mut events = filtered(&stage, reply(call)).await.events;
    assert!(events.next().now_or_never().is_none());
    drop(events);
    assert_eq!(dropped.load(SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn without_filters_the_reply_goes_on_as_it_is() {
    let off = Config {
        enabled: false,
        ..config()
    };
    for config in [Config::default(), off] {
        let (stage, _) = build(&config);
        let before = reply(stream::iter(vec![text(" a key1 STOP b")]));
        let place = std::ptr::from_ref(&*before.events.as_ref());
        let after = filtered(&stage, before).await;
        assert!(
            std::ptr::addr_eq(place, std::ptr::from_ref(&*after.events.as_ref())),
            "it was wrapped"
        );
        let heard: Vec<_> = after.events.map(|item| short(&item)).collect().await;
        assert_eq!(heard, [" a key1 STOP b"]);
    }
}

#[test]
fn metrics_register_once() {
    let registry = Registry::new();
    assert!(Metrics::register(&registry).is_ok());
    assert!(Metrics::register(&registry).is_err());
}

/// All the text that is heard, and how it ends.
fn heard(items: &[Item]) -> (String, Vec<FinishReason>) {
    let chunks = items.iter().filter_map(|item| item.as_ref().ok()).flatten();
    let (mut text, mut ends) = (String::new(), Vec::new());
    for delta in chunks.flat_map(|chunk| &chunk.deltas) {
        match &delta.kind {
            Kind::Text(more) => text.push_str(more),
            Kind::Finish(reason) => ends.push(*reason),
            _ => {}
        }
    }
    (text, ends)
}

fn some_words() -> impl Strategy<Value = Vec<Vec<String>>> {
    let planted = prop::sample::select(&["STOP", "key7", " ", "ke"][..]).prop_map(str::to_owned);
    let word = prop_oneof![2 => "[STOPkey0-9 .]{0,4}", 1 => planted];
    prop::collection::vec(prop::collection::vec(word, 0..4), 0..10)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// However a worker puts its words into chunks and batches and whenever they come, a client hears what the filters
    /// make of the whole text, and exactly one finish.
    #[test]
    fn a_client_hears_what_the_filters_make_of_the_whole(batches in some_words(), pauses in any::<u16>()) {
        let whole = batches.concat().concat();
        let stop = whole.find("STOP");
        let before = whole.get(..stop.unwrap_or(whole.len())).unwrap();
        let expected = Regex::new("key[0-9]").unwrap().replace_all(before, NoExpand("*")).trim_start().to_owned();
        let reason = if stop.is_some() { FinishReason::Stop } else { FinishReason::Length };

        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        let items = runtime.block_on(async move {
            let (stage, _) = build(&config());
            let chunks = |words: Vec<String>| words.into_iter().map(Chunk::text).collect::<Vec<_>>();
            let paced = stream::iter(batches.into_iter().enumerate()).then(move |(n, words)| async move {
                if pauses.rotate_left(u32::try_from(n).unwrap()) & 1 == 1 {
                    sleep(Duration::from_millis(1)).await;
                }
                Ok(chunks(words))
            });
            let end = stream::iter([Ok(vec![delta(Kind::Finish(FinishReason::Length))])]);
            filtered(&stage, reply(paced.chain(end))).await.events.collect::<Vec<Item>>().await
        });
        prop_assert_eq!(heard(&items), (expected, vec![reason]));
        prop_assert!(items.iter().all(|item| item.as_ref().is_ok_and(|batch| !batch.is_empty())));
    }
}
