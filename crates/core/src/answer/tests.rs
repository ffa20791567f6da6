//! Who hears what of an answer, and how long the work on it is wanted.

mod alike;
mod joins;
mod limits;
mod model;

use super::*;
use crate::{Code, FinishReason, Kind, Tasks, Tier, Usage};
use futures_util::{FutureExt, StreamExt, poll};
use std::time::Duration;
use tokio::{
    task::JoinHandle,
    time::{sleep, timeout},
};

const LONG: Duration = Duration::from_secs(9);

/// How an answer ended well, with nothing special to it.
fn end() -> End {
    End {
        finish: FinishReason::Stop,
        usage: None,
        cut: false,
    }
}

/// An answer whose first listener waits so long.
fn answer_for(patience: Duration) -> (AnswerWriter, Answer) {
    answer(Instant::now() + patience, Priority::Normal, Ledger::generous())
}

fn text(text: &str) -> Chunk {
    Chunk::text(text.to_owned())
}

fn texts(pieces: &[&str]) -> Vec<Chunk> {
    pieces.iter().map(|piece| text(piece)).collect()
}

fn said(chunks: &Chunks) -> String {
    let deltas = chunks.iter().flat_map(|chunk| &chunk.deltas);
    deltas
        .filter_map(|delta| match &delta.kind {
            Kind::Text(text) => Some(&**text),
            _ => None,
        })
        .collect()
}

/// All that is there now; `None` when the listener would wait.
fn hear(answer: &mut Answer) -> Option<Option<Result<String, Failure>>> {
    let next = answer.next().now_or_never();
    next.map(|next| next.map(|chunks| chunks.map(|chunks| said(&chunks))))
}

/// As `hear`, of what those are told who are told alike. That names the last chunk, so it is wrong for another range.
fn hear_alike(answer: &mut Answer) -> Option<Option<Result<String, Failure>>> {
    let mut cx = Context::from_waker(Waker::noop());
    let tell = |seq: usize, chunks: &Chunks| format!("{seq} {}", said(chunks)).into();
    match answer.poll_alike(&mut cx, tell) {
        Poll::Ready(told) => Some(told.map(|told| told.map(|told| text_of(answer, &told)))),
        Poll::Pending => None,
    }
}

fn text_of(answer: &Answer, told: &[u8]) -> String {
    let (seq, text) = std::str::from_utf8(told).unwrap().split_once(' ').unwrap();
    assert_eq!(seq, (answer.next - 1).to_string());
    text.to_owned()
}

/// Listens to the end.
async fn all(mut answer: Answer) -> (String, Option<Code>) {
    let mut text = String::new();
    while let Some(chunks) = answer.next().await {
        match chunks {
            Ok(chunks) => text.push_str(&said(&chunks)),
            Err(failure) => return (text, Some(failure.code())),
        }
    }
    (text, None)
}

fn spawn<T: Send + 'static>(task: impl Future<Output = T> + Send + 'static) -> JoinHandle<T> {
    Tasks::new().spawn(task)
}

/// Notes after how many milliseconds nobody wants the work any more.
fn given_up(writer: &AnswerWriter) -> JoinHandle<u128> {
    let (began, unwanted) = (Instant::now(), writer.unwanted());
    spawn(async move {
        unwanted.await;
        began.elapsed().as_millis()
    })
}

async fn is_wanted(writer: &AnswerWriter) -> bool {
    poll!(writer.unwanted()).is_pending()
}

#[tokio::test(start_paused = true)]
async fn every_listener_hears_all_from_the_start_at_its_own_pace() {
    let (mut writer, mut first) = answer_for(LONG);
    writer.push(texts(&["a", "b"]));
    assert_eq!(hear(&mut first), Some(Some(Ok("ab".into()))));
    assert_eq!(hear(&mut first), None);
    let kept = writer.downgrade().unwrap();
    let (mut late, cache) = kept.join(first.deadline(), Priority::Normal).unwrap();
    assert_eq!(cache, Cache::Coalesced);
    writer.push([text("c")]);
    assert_eq!(hear(&mut late), Some(Some(Ok("abc".into()))));
    assert_eq!(hear(&mut first), Some(Some(Ok("c".into()))));
    writer.finish(end());
    assert_eq!((hear(&mut first), hear(&mut late)), (Some(None), Some(None)));
    assert_eq!((first.end(), late.end()), (Some(end()), Some(end())));
    assert_eq!((first.next, late.next), (3, 3));
}

#[tokio::test(start_paused = true)]
async fn an_end_comes_once_and_only_after_all_chunks() {
    let (mut writer, mut answer) = answer_for(LONG);
    writer.push([text("a")]);
    writer.fail(Failure::new(Code::UpstreamTruncated, "cut"));
    assert_eq!(hear(&mut answer), Some(Some(Ok("a".into()))));
    let failed = hear(&mut answer).unwrap().unwrap().unwrap_err();
    assert_eq!(failed.code(), Code::UpstreamTruncated);
    assert_eq!(hear(&mut answer), Some(None));
    assert_eq!(hear(&mut answer), Some(None));
    assert_eq!(answer.end(), None, "a failure is no end");
}

#[tokio::test(start_paused = true)]
async fn a_writer_dropped_before_its_end_fails_the_answer_as_our_fault() {
    let (mut writer, answer) = answer_for(LONG);
    writer.push([text("a")]);
    drop(writer);
    assert_eq!(all(answer).await, ("a".into(), Some(Code::Internal)));
}

/// The work may be on another core, whose timer went off a moment before the listener's.
#[tokio::test(start_paused = true)]
async fn work_that_was_dropped_at_its_deadline_ended_by_it_and_by_no_fault() {
    let (mut writer, answer) = answer_for(LONG);
    writer.push([text("a")]);
    sleep(LONG).await;
    drop(writer);
    assert_eq!(all(answer).await, ("a".into(), Some(Code::DeadlineExceeded)));
}

#[tokio::test(start_paused = true)]
async fn a_waiting_listener_is_woken_by_chunks_by_the_end_and_by_nothing_else() {
    let (mut writer, answer) = answer_for(LONG);
    let began = Instant::now();
    let listener = spawn(async move {
        let mut heard = Vec::new();
        let mut answer = answer;
        while let Some(Ok(chunks)) = answer.next().await {
            heard.push((began.elapsed().as_millis(), said(&chunks)));
        }
        heard.push((began.elapsed().as_millis(), "end".into()));
        heard
    });
    for (pause, piece) in [(10, "a"), (5, "b"), (100, "c")] {
        sleep(Duration::from_millis(pause)).await;
        writer.push([text(piece)]);
    }
    sleep(Duration::from_millis(1)).await;
    writer.finish(end());
    let expected = [(10, "a"), (15, "b"), (115, "c"), (116, "end")];
    assert_eq!(
        listener.await.unwrap(),
        expected.map(|(at, text)| (at, text.to_owned()))
    );
}

#[tokio::test(start_paused = true)]
async fn what_is_known_of_an_answer_is_there_with_its_first_chunk() {
    let (mut writer, answer) = answer_for(LONG);
    assert_eq!(answer.head(), None);
    let head = Head {
        worker: "w".into(),
        tier: Tier::Secondary,
        degraded: None,
        id: "id".into(),
        model: "m".into(),
        created: 7,
        attempts: 2,
        grounding: vec!["a.md".into()],
        waited: Duration::ZERO,
    };
    writer.head(head.clone());
    writer.push([text("a")]);
    assert_eq!(answer.head().as_deref(), Some(&head));
    let (late, _) = answer.downgrade().join(answer.deadline(), Priority::Low).unwrap();
    assert_eq!(late.head().as_deref(), Some(&head));
}

#[tokio::test(start_paused = true)]
async fn how_an_answer_ended_is_told_with_its_usage() {
    let (writer, answer) = answer_for(LONG);
    let usage = Usage {
        prompt_tokens: 3,
        completion_tokens: 4,
        ..Usage::default()
    };
    let length = End {
        finish: FinishReason::Length,
        usage: Some(usage),
        cut: true,
    };
    let kept = answer.downgrade();
    assert_eq!((kept.ended(), kept.ended_at()), (None, None));
    sleep(Duration::from_millis(3)).await;
    let now = Instant::now();
    writer.finish(length);
    sleep(Duration::from_millis(3)).await;
    assert_eq!((kept.ended(), kept.ended_at()), (Some(Ok(length)), Some(now)));
}

#[tokio::test(start_paused = true)]
async fn where_an_answer_comes_from_is_told_once_it_is_decided() {
    let (mut writer, mut answer) = answer_for(LONG);
    assert!(answer.cache().now_or_never().is_none());
    let waiting = spawn(async move { answer.cache().await });
    sleep(Duration::from_millis(1)).await;
    writer.cache(Cache::Bypass);
    assert_eq!(waiting.await.unwrap(), Ok(Cache::Bypass));

    let (writer, mut answer) = answer_for(LONG);
    writer.fail(Failure::new(Code::Overloaded, "full"));
    assert_eq!(answer.cache().await.unwrap_err().code(), Code::Overloaded);

    let (writer, mut answer) = answer_for(LONG);
    writer.finish(end());
    assert_eq!(answer.cache().await, Ok(Cache::Miss));

    let (_writer, mut answer) = answer_for(Duration::from_millis(20));
    let began = Instant::now();
    assert_eq!(answer.cache().await.unwrap_err().code(), Code::DeadlineExceeded);
    assert_eq!(began.elapsed().as_millis(), 20);
}

#[tokio::test(start_paused = true)]
async fn work_is_given_up_the_moment_the_last_listener_leaves() {
    let (writer, first) = answer_for(LONG);
    let (second, _) = first.downgrade().join(first.deadline(), Priority::Normal).unwrap();
    let given_up = given_up(&writer);
    sleep(Duration::from_millis(30)).await;
    drop(first);
    sleep(Duration::from_millis(30)).await;
    assert!(!given_up.is_finished());
    drop(second);
    assert_eq!(given_up.await.unwrap(), 60);
    assert_eq!(writer.deadline(), None);
}

#[tokio::test(start_paused = true)]
async fn nobody_joins_work_that_was_given_up() {
    let (writer, first) = answer_for(LONG);
    let kept = writer.downgrade().unwrap();
    drop(first);
    assert!(kept.join(Instant::now() + LONG, Priority::Normal).is_none());
    assert!(!is_wanted(&writer).await);
}

#[tokio::test(start_paused = true)]
async fn nobody_joins_work_whose_listeners_have_all_waited_long_enough() {
    let (writer, unread) = answer_for(Duration::from_millis(50));
    sleep(Duration::from_millis(50)).await;
    assert!(unread.downgrade().join(Instant::now() + LONG, Priority::High).is_none());
    assert!(!is_wanted(&writer).await);
}

#[tokio::test(start_paused = true)]
async fn each_listener_leaves_at_its_own_deadline() {
    let (mut writer, short) = answer_for(Duration::from_millis(150));
    let until = Instant::now() + LONG;
    let (long, _) = short.downgrade().join(until, Priority::Normal).unwrap();
    assert_eq!(writer.deadline(), Some(until));
    let script = async {
        for piece in ["a", "b", "c"] {
            sleep(Duration::from_millis(100)).await;
            writer.push([text(piece)]);
        }
        writer.finish(end());
    };
    let (short, long, ()) = tokio::join!(all(short), all(long), script);
    assert_eq!(short, ("a".into(), Some(Code::DeadlineExceeded)));
    assert_eq!(long, ("abc".into(), None));
}

#[tokio::test(start_paused = true)]
async fn work_ends_with_the_last_living_deadline_not_with_the_furthest_ever_given() {
    let (writer, short) = answer_for(Duration::from_millis(100));
    let (long, _) = short.downgrade().join(Instant::now() + LONG, Priority::Normal).unwrap();
    let given_up = given_up(&writer);
    sleep(Duration::from_millis(10)).await;
    drop(long);
    assert_eq!(given_up.await.unwrap(), 100);
    drop(short);
}

#[tokio::test(start_paused = true)]
async fn an_unread_answer_holds_its_work_no_longer_than_its_deadline() {
    let (writer, unread) = answer_for(Duration::from_millis(150));
    assert_eq!(given_up(&writer).await.unwrap(), 150);
    drop(unread);
}

#[tokio::test(start_paused = true)]
async fn a_join_prolongs_work_that_is_about_to_be_given_up() {
    let (writer, short) = answer_for(Duration::from_millis(100));
    let given_up = given_up(&writer);
    sleep(Duration::from_millis(99)).await;
    let (long, _) = short
        .downgrade()
        .join(Instant::now() + Duration::from_millis(51), Priority::Normal)
        .unwrap();
    assert_eq!(given_up.await.unwrap(), 150);
    drop((short, long));
}

#[tokio::test(start_paused = true)]
async fn an_answer_waits_in_the_highest_lane_that_a_listener_asked_for() {
    let until = Instant::now() + LONG;
    let (writer, low) = answer(until, Priority::Low, Ledger::generous());
    assert_eq!(writer.priority(), Priority::Low);
    let raised = spawn(writer.raised(Priority::Low));
    sleep(Duration::from_millis(1)).await;
    let (same, _) = low.downgrade().join(until, Priority::Low).unwrap();
    sleep(Duration::from_millis(1)).await;
    assert!(!raised.is_finished());
    let (high, _) = low.downgrade().join(until, Priority::High).unwrap();
    assert_eq!(raised.await.unwrap(), Priority::High);
    drop((same, high));
    assert_eq!(writer.priority(), Priority::High, "the lane is not left again");
}

#[tokio::test(start_paused = true)]
async fn a_listener_that_moves_to_another_task_is_woken_there() {
    let (mut writer, mut answer) = answer_for(LONG);
    assert!(hear(&mut answer).is_none());
    let moved = spawn(async move { answer.next().await.unwrap().map(|chunks| said(&chunks)) });
    sleep(Duration::from_millis(1)).await;
    writer.push([text("a")]);
    assert_eq!(moved.await.unwrap(), Ok("a".into()));
}

#[test]
fn listeners_on_other_threads_hear_the_same() {
    const LISTENERS: usize = 8;
    const CHUNKS: usize = 500;
    let (mut writer, first) = answer_for(LONG);
    let listen = |answer: Answer| {
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
            runtime.unwrap().block_on(all(answer))
        })
    };
    let others = (1..LISTENERS).map(|_| first.downgrade().join(first.deadline(), Priority::Normal).unwrap().0);
    let mut threads: Vec<_> = others.map(listen).collect();
    threads.push(listen(first));
    let pieces: Vec<String> = (0..CHUNKS).map(|nth| format!("{nth},")).collect();
    for burst in pieces.chunks(7) {
        writer.push(burst.iter().map(|piece| text(piece)));
    }
    writer.finish(end());
    for thread in threads {
        assert_eq!(thread.join().unwrap(), (pieces.concat(), None));
    }
}
