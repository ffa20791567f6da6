use super::*;
use crate::{
    Config, Step,
    config::CacheConfig,
    fixtures::{Bench, asking, chain, waiting, what},
};
use orchestrator_core::{Code, Delta, Failure, FinishReason, Model};
use orchestrator_testkit::scripted::{self, Call};

fn config() -> Config {
    Config {
        cache: CacheConfig {
            max_bytes: 65_536,
            ..CacheConfig::default()
        },
        ..chain([Step::Cache])
    }
}

/// What is kept after an answer that followed this script was heard to its end.
async fn kept_of(call: Call) -> Option<Kept> {
    let bench = Bench::new(config(), &scripted::Model::following([call]), None);
    drop(bench.ask("q").await);
    let found = bench.shared.find(&asking("q").request, Instant::now());
    found.map(|(kept, _)| kept)
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_kept_chunk_by_chunk_once_it_is_whole() {
    let usage = Call::new().text("one ").after(10).text("two").usage(3, 2);
    let kept = kept_of(usage.finish(FinishReason::Stop)).await.unwrap();
    let kinds: Vec<_> = kept.chunks.iter().flat_map(|chunk| chunk.deltas.iter()).collect();
    assert_eq!(kinds.len(), 4, "{kinds:?}");
    assert_eq!(*kinds[0], Delta::first(Kind::Text("one ".into())));
    assert_eq!(*kinds[3], Delta::first(Kind::Finish(FinishReason::Stop)));
    assert_eq!(kept.bytes, kept.chunks.iter().map(Chunk::weight).sum::<usize>());
    assert_eq!(&*kept.head.worker, "scripted");
}

#[tokio::test(start_paused = true)]
async fn half_an_answer_is_not_kept() {
    let failure = || Failure::new(Code::UpstreamTruncated, "It broke.");
    let table = [
        ("one that breaks off", Call::new().text("one ").fail(failure())),
        ("one that does not finish", Call::new().text("one ")),
        (
            "one that breaks off after its finish",
            Call::new().text("one ").finish(FinishReason::Stop).fail(failure()),
        ),
        (
            "one that is too long",
            Call::new().text(&"x".repeat(4_096)).finish(FinishReason::Stop),
        ),
        (
            "one that is too long long before its end",
            Call::new()
                .text(&"x".repeat(5_000))
                .text("y")
                .finish(FinishReason::Stop),
        ),
    ];
    for (what, call) in table {
        assert!(kept_of(call).await.is_none(), "{what}");
    }
    assert!(
        kept_of(Call::new().text(&"x".repeat(3_000)).finish(FinishReason::Stop))
            .await
            .is_some()
    );
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_nobody_hears_to_its_end_is_not_kept() {
    let live = scripted::Model::following([Call::new().text("one ").text("two").finish(FinishReason::Stop)]);
    let bench = Bench::new(config(), &live, None);
    let (cx, _client) = waiting();
    let mut reply = bench.chain.call(&cx, &asking("q")).await.unwrap();
    while let Some(batch) = reply.events.next().await {
        if batch
            .unwrap()
            .iter()
            .any(|chunk| chunk.deltas[0].kind == Kind::Finish(FinishReason::Stop))
        {
            break;
        }
    }
    drop(reply);
    assert_eq!(bench.shared.kept(), (0, 0));
}

/// Begins to hear an answer of 3 000 bytes that goes on for a second, under a name of its own.
async fn begin(bench: &Bench, question: usize) -> Reply {
    let (cx, _client) = waiting();
    let mut reply = bench.chain.call(&cx, &asking(&question.to_string())).await.unwrap();
    reply.events.next().await.unwrap().unwrap();
    reply
}

#[tokio::test(start_paused = true)]
async fn what_is_still_heard_counts_and_is_bounded() {
    let call = Call::new()
        .text(&"x".repeat(3_000))
        .after(1_000)
        .finish(FinishReason::Stop);
    let bench = Bench::new(config(), &scripted::Model::following([call]), None);
    let mut running = Vec::new();
    for nth in 0..100 {
        running.push(begin(&bench, nth).await);
        let (kept, bytes) = bench.shared.kept();
        assert_eq!(
            (kept, bytes),
            (0, 4_096 * (nth + 1).min(8)),
            "half of all, whoever else comes"
        );
    }
    for mut reply in running.drain(..50) {
        while reply.events.next().await.is_some() {}
    }
    let (kept, bytes) = bench.shared.kept();
    assert_eq!(kept, 8, "those that there was room for");
    assert!(
        (24_000..28_000).contains(&bytes),
        "what they take, and no more: {bytes}"
    );
    running.clear();
    assert_eq!(bench.shared.kept(), (kept, bytes), "the others have taken nothing");
}

#[tokio::test(start_paused = true)]
async fn room_is_given_back_whatever_becomes_of_an_answer() {
    let failure = Failure::new(Code::UpstreamTruncated, "It broke.");
    let begun = || Call::new().text(&"x".repeat(3_000)).after(1_000);
    let table = [
        ("it fails", begun().fail(failure), 0),
        ("it does not finish", begun(), 0),
        (
            "it is too long",
            begun().text(&"x".repeat(3_000)).after(1_000).finish(FinishReason::Stop),
            0,
        ),
        ("it is kept", begun().finish(FinishReason::Stop), 1),
    ];
    for (what, call, entries) in table {
        let bench = Bench::new(config(), &scripted::Model::following([call]), None);
        let mut reply = begin(&bench, 0).await;
        assert_eq!(bench.shared.kept(), (0, 4_096), "{what}");
        while reply.events.next().await.is_some() {}
        drop(reply);
        let (kept, bytes) = bench.shared.kept();
        assert_eq!((kept, bytes > 0, bytes < 4_096), (entries, entries > 0, true), "{what}");
        drop(begin(&bench, 1).await);
        assert_eq!(bench.shared.kept(), (kept, bytes), "nobody hears it on after: {what}");
    }
}

#[tokio::test(start_paused = true)]
async fn only_what_may_be_shared_is_kept() {
    let live = scripted::Model::saying(["one"]);
    let bench = Bench::new(config(), &live, None);
    let mut private = asking("q");
    private.request.fingerprint = None;
    assert_eq!(bench.send(private).await.unwrap().0, "one");
    assert_eq!(bench.shared.kept(), (0, 0));
    assert_eq!(bench.ask("q").await.unwrap().0, "one");
    assert_eq!(bench.shared.kept().0, 1);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_kept_where_nobody_would_give_it() {
    let bench = Bench::new(chain([Step::Message]), &scripted::Model::saying(["one"]), None);
    assert_eq!(bench.ask("q").await.unwrap().0, "one");
    assert_eq!(bench.shared.kept(), (0, 0));
    assert!(bench.shared.find(&asking("q").request, Instant::now()).is_none());
    assert_eq!(what("q"), asking("q").request.fingerprint.unwrap());
}
