use super::*;
use futures_util::{FutureExt, stream};
use orchestrator_core::{
    Answer, AnswerWriter, Chunks, Dialect, Event, Head, Ledger, Priority, Reply, RequestId, Tier, answer,
};
use proptest::prelude::*;
use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};
use tokio::time::{Instant, sleep};

mod limits;

type Item = Result<Vec<Chunk>, Failure>;

const USAGE: Usage = Usage {
    prompt_tokens: 3,
    completion_tokens: 5,
    cached_tokens: 0,
    reasoning_tokens: 0,
};

fn head() -> Head {
    Head {
        worker: "w".into(),
        tier: Tier::Primary,
        degraded: None,
        id: "chatcmpl-1".into(),
        model: "m".into(),
        created: 7,
        attempts: 1,
        grounding: Vec::new(),
        waited: Duration::ZERO,
    }
}

fn text(text: &str) -> Chunk {
    Chunk::text(text.to_owned())
}

fn kind(kind: Kind) -> Chunk {
    Delta::first(kind).into()
}

fn finish(reason: FinishReason) -> Chunk {
    kind(Kind::Finish(reason))
}

fn reply(events: impl futures_util::Stream<Item = Item> + Send + 'static) -> Filtered {
    Filtered(Reply {
        head: Box::new(head()),
        events: events.boxed(),
    })
}

fn open(ledger: Arc<Ledger>) -> (Cx, Answer) {
    let until = Instant::now().checked_add(Duration::from_secs(600)).unwrap();
    let (writer, answer): (AnswerWriter, Answer) = answer(until, Priority::Normal, ledger);
    (Cx::new(RequestId::mint(0, [0; 10]), writer), answer)
}

/// Runs the stage over `items`, each of which is ready at once; what it says, and what a listener finds in one look.
async fn run_all(items: Vec<Item>) -> (Result<Flow<Infallible>, Failure>, Chunks) {
    let (mut cx, mut answer) = open(Ledger::generous());
    let flow = Stream.run(&mut cx, reply(stream::iter(items))).await;
    let heard = answer.next().now_or_never().flatten();
    (flow, heard.and_then(Result::ok).unwrap_or_default())
}

fn done(flow: Result<Flow<Infallible>, Failure>) -> End {
    match flow {
        Ok(Flow::Done(end)) => end,
        other => panic!("not done: {other:?}"),
    }
}

fn said(chunks: &Chunks) -> String {
    let deltas = chunks.iter().flat_map(|chunk| &chunk.deltas);
    let texts = deltas.filter_map(|delta| match &delta.kind {
        Kind::Text(text) => Some(&**text),
        _ => None,
    });
    texts.collect()
}

#[tokio::test(start_paused = true)]
async fn a_finished_reply_becomes_a_finished_answer() {
    let items = vec![
        Ok(vec![text("Hel")]),
        Ok(vec![text("lo"), finish(FinishReason::Stop)]),
        Ok(vec![kind(Kind::Usage(USAGE))]),
    ];
    let (flow, heard) = run_all(items).await;
    let expected = End {
        finish: FinishReason::Stop,
        usage: Some(USAGE),
        cut: false,
    };
    assert_eq!(done(flow), expected);
    assert_eq!((heard.len(), said(&heard).as_str()), (4, "Hello"));
}

#[tokio::test(start_paused = true)]
async fn the_last_usage_counts() {
    let more = Usage {
        completion_tokens: 9,
        ..USAGE
    };
    let items = vec![
        Ok(vec![kind(Kind::Usage(more)), kind(Kind::Usage(USAGE))]),
        Ok(vec![finish(FinishReason::Length), kind(Kind::Usage(more))]),
    ];
    let end = done(run_all(items).await.0);
    assert_eq!(
        (end.finish, end.usage, end.cut),
        (FinishReason::Length, Some(more), false)
    );
}

#[tokio::test(start_paused = true)]
async fn the_finish_of_another_choice_does_not_finish_the_answer() {
    let other = |choice| {
        Chunk::from(Delta {
            choice,
            kind: Kind::Finish(FinishReason::Stop),
        })
    };
    let failure = run_all(vec![Ok(vec![text("a"), other(1)])]).await.0.unwrap_err();
    assert_eq!(failure.code(), Code::UpstreamTruncated);
    let first = finish(FinishReason::ToolCalls);
    let end = done(run_all(vec![Ok(vec![text("a"), first, other(1), other(2)])]).await.0);
    assert_eq!(end.finish, FinishReason::ToolCalls);
}

#[tokio::test(start_paused = true)]
async fn an_end_without_a_finish_is_a_failure_and_keeps_what_was_heard() {
    for items in [
        vec![],
        vec![Ok(vec![text("half")])],
        vec![Ok(vec![kind(Kind::Usage(USAGE))])],
    ] {
        let expected = items.len();
        let (flow, heard) = run_all(items).await;
        assert_eq!(flow.unwrap_err().code(), Code::UpstreamTruncated);
        assert_eq!(heard.len(), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn a_failure_in_the_middle_comes_after_what_was_said_before_it() {
    let broken = Failure::new(Code::UpstreamConnect, "The connection broke.");
    let items = vec![Ok(vec![text("so ")]), Ok(vec![text("far")]), Err(broken.clone())];
    let (flow, heard) = run_all(items).await;
    assert_eq!(flow.unwrap_err(), broken);
    assert_eq!(said(&heard), "so far");
}

#[tokio::test(start_paused = true)]
async fn a_failure_after_the_finish_still_fails_the_answer() {
    let broken = Failure::new(Code::UpstreamError, "The worker reported an error.");
    let items = vec![Ok(vec![text("a"), finish(FinishReason::Stop)]), Err(broken.clone())];
    assert_eq!(run_all(items).await.0.unwrap_err(), broken);
}

#[tokio::test(start_paused = true)]
async fn the_head_is_there_before_the_first_chunk() {
    let (mut cx, answer) = open(Ledger::generous());
    let mut run = Box::pin(Stream.run(&mut cx, reply(stream::pending())));
    assert!(run.as_mut().now_or_never().is_none());
    assert_eq!(answer.head().as_deref(), Some(&head()));
}

/// Counts how often a listener is woken to find something.
async fn looks(mut answer: Answer) -> Vec<usize> {
    let mut looks = Vec::new();
    while let Some(Ok(chunks)) = answer.next().await {
        looks.push(chunks.len());
    }
    looks
}

#[tokio::test(start_paused = true)]
async fn what_is_ready_at_once_is_one_append_and_what_comes_later_another() {
    let (mut cx, answer) = open(Ledger::generous());
    let burst = |n: usize| stream::iter((0..n).map(|_| Ok(vec![text("t")])));
    let pause = stream::once(sleep(Duration::from_millis(5))).filter_map(|()| async { None });
    let last = stream::iter([Ok(vec![finish(FinishReason::Stop)])]);
    let events = burst(32).chain(pause).chain(burst(3)).chain(last);
    let heard = tokio::task::JoinSet::from_iter([looks(answer)]);
    let flow = Stream.run(&mut cx, reply(events)).await;
    assert_eq!(done(flow).finish, FinishReason::Stop);
    drop(cx);
    assert_eq!(heard.join_all().await, [vec![32, 4]]);
}

/// A token that comes alone costs two looks at the source: the one that finds it, and the one that finds no more.
#[tokio::test(start_paused = true)]
async fn a_source_that_has_no_more_is_left_alone_until_it_wakes_the_task() {
    const TOKENS: usize = 5;
    let (mut cx, answer) = open(Ledger::generous());
    let tokens = stream::iter(0..TOKENS).then(|_| async {
        sleep(Duration::from_millis(5)).await;
        Ok(vec![text("t")])
    });
    let last = stream::iter([Ok(vec![finish(FinishReason::Stop)])]);
    let mut events = Box::pin(tokens.chain(last));
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = asked.clone();
    let source = stream::poll_fn(move |cx| {
        counted.fetch_add(1, SeqCst);
        events.poll_next_unpin(cx)
    });
    let heard = tokio::task::JoinSet::from_iter([looks(answer)]);
    let flow = Stream.run(&mut cx, reply(source)).await;
    assert_eq!(done(flow).finish, FinishReason::Stop);
    drop(cx);
    assert_eq!(
        heard.join_all().await,
        [[1, 1, 1, 1, 2]],
        "the finish comes with the last token"
    );
    // Once before anything is there; at the last token the finish and the end are found, and nothing is waited for.
    assert_eq!(asked.load(SeqCst), 1 + 2 * TOKENS + 1);
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_is_never_silent_does_not_hold_its_core() {
    let (mut cx, answer) = open(Ledger::generous());
    let endless = stream::repeat_with(|| Ok(vec![text("x")]));
    let mut listening = tokio::task::JoinSet::new();
    listening.spawn(async move { answer.take(3).count().await });
    tokio::select! {
        biased;
        _ = Stream.run(&mut cx, reply(endless)) => panic!("it has no end"),
        heard = listening.join_next() => assert_eq!(heard.unwrap().unwrap(), 3),
    }
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_sends_only_empty_batches_does_not_hold_its_core() {
    let (mut cx, _answer) = open(Ledger::generous());
    let endless = stream::repeat_with(|| Ok(Vec::new()));
    let others = async {
        for _ in 0..3 {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        biased;
        _ = Stream.run(&mut cx, reply(endless)) => panic!("it has no end"),
        () = others => (),
    }
}

/// Notes when it is dropped: the call behind a reply.
struct Call(Arc<AtomicUsize>);

impl Drop for Call {
    fn drop(&mut self) {
        self.0.fetch_add(1, SeqCst);
    }
}

impl futures_util::Stream for Call {
    type Item = Item;

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Item>> {
        let event = Event {
            dialect: Dialect::Chat,
            whole: false,
            data: bytes::Bytes::from(vec![b'x'; 300]),
        };
        let deltas = text("t").deltas;
        Poll::Ready(Some(Ok(vec![Chunk {
            event: Some(event),
            deltas,
        }])))
    }
}

#[tokio::test(start_paused = true)]
async fn dropping_the_stage_drops_the_call() {
    let dropped = Arc::new(AtomicUsize::new(0));
    let (mut cx, _answer) = open(Ledger::generous());
    let call = Call(dropped.clone());
    let silent = stream::pending().inspect(move |_: &Item| {
        let _ = &call;
    });
    let mut run = Box::pin(Stream.run(&mut cx, reply(silent)));
    assert!(run.as_mut().now_or_never().is_none());
    assert_eq!(dropped.load(SeqCst), 0);
    drop(run);
    assert_eq!(dropped.load(SeqCst), 1);
}

#[derive(Clone, Debug)]
enum Step {
    Batch(Vec<u8>),
    Pause,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let batch = prop::collection::vec(0..26_u8, 0..5).prop_map(Step::Batch);
    prop::collection::vec(prop_oneof![3 => batch, 1 => Just(Step::Pause)], 0..200)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// However the worker paces its events, a listener hears each of them, once and in order.
    #[test]
    fn no_chunk_is_lost_doubled_or_moved(steps in steps()) {
        let letter = |n: &u8| char::from(b'a'.wrapping_add(*n)).to_string();
        let expected: String = steps.iter().map(|step| match step {
            Step::Batch(batch) => batch.iter().map(letter).collect(),
            Step::Pause => String::new(),
        }).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        let heard = runtime.block_on(async move {
            let (mut cx, answer) = open(Ledger::generous());
            let events = stream::iter(steps).filter_map(move |step| async move {
                match step {
                    Step::Batch(batch) => Some(Ok(batch.iter().map(|n| text(&letter(n))).collect())),
                    Step::Pause => { sleep(Duration::from_millis(1)).await; None }
                }
            });
            let end = stream::iter([Ok(vec![finish(FinishReason::Stop)])]);
            let writing = async move {
                let flow = Stream.run(&mut cx, reply(events.chain(end))).await;
                assert_eq!(done(flow).finish, FinishReason::Stop);
            };
            let heard = answer.filter_map(|chunks| async { chunks.ok() }).collect::<Vec<Chunks>>();
            futures_util::future::join(writing, heard).await.1
        });
        prop_assert_eq!(said(&heard.concat()), expected);
    }
}

/// A timeline: what a worker sends at which virtual millisecond, and what a listener hears when.
#[tokio::test(start_paused = true)]
async fn a_listener_hears_each_burst_when_it_comes() {
    let (mut cx, answer) = open(Ledger::generous());
    let script = [(0, "Once", 1), (10, " upon", 3), (10, " a", 1), (25, " time", 2)];
    let started = Instant::now();
    let events = stream::iter(script).then(move |(at, word, times)| async move {
        tokio::time::sleep_until(started.checked_add(Duration::from_millis(at)).unwrap()).await;
        Ok((0..times).map(|_| text(word)).collect::<Vec<Chunk>>())
    });
    let end = stream::iter([Ok(vec![finish(FinishReason::Stop)])]);
    let writing = async {
        let flow = Stream.run(&mut cx, reply(events.chain(end))).await;
        assert_eq!(done(flow).finish, FinishReason::Stop);
        drop(cx);
    };
    let heard = answer.filter_map(|chunks| async move {
        let at = started.elapsed().as_millis();
        chunks.ok().map(|chunks| format!("{at}{}", said(&chunks)))
    });
    let (heard, ()) = futures_util::future::join(heard.collect::<Vec<String>>(), writing).await;
    assert_eq!(heard, ["0Once", "10 upon upon upon a", "25 time time"]);
}
