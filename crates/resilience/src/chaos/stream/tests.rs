use super::*;
use expect_test::expect;
use orchestrator_core::{Code, Delta, Dialect, Event, FinishReason};
use orchestrator_testkit::{Timeline, text_of};
use proptest::prelude::*;
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::SeqCst},
};

/// How long silence is borne.
const PATIENCE: Duration = Duration::from_millis(500);

fn finish() -> Chunk {
    Delta::first(Kind::Finish(FinishReason::Stop)).into()
}

fn broken() -> Failure {
    Failure::new(Code::UpstreamTruncated, "cut")
}

/// An answer in these batches.
fn answer(batches: Vec<Vec<Chunk>>) -> Events {
    stream::iter(batches.into_iter().map(Ok)).boxed()
}

/// So many tokens `t0 `, `t1 `, ... and a finish, in batches of these lengths.
fn tokens(count: usize, lengths: &[usize]) -> Vec<Vec<Chunk>> {
    let mut chunks: VecDeque<Chunk> = (0..count).map(|nth| Chunk::text(format!("t{nth} "))).collect();
    chunks.push_back(finish());
    let mut batches = Vec::new();
    for length in lengths.iter().cycle() {
        if chunks.is_empty() {
            break;
        }
        batches.push(chunks.drain(..chunks.len().min(*length)).collect());
    }
    batches
}

/// All that is heard: its text, whether it finished, and how often it failed.
async fn heard(mut events: Events) -> (String, bool, usize) {
    let (mut text, mut finished, mut failures) = (String::new(), false, 0);
    while let Some(batch) = events.next().await {
        assert_eq!(failures, 0, "nothing follows a failure");
        match batch {
            Ok(chunks) => {
                assert!(!chunks.is_empty(), "a batch is never empty");
                text.push_str(&text_of(&chunks));
                let is_finish = |delta: &Delta| matches!(delta.kind, Kind::Finish(_));
                finished |= chunks.iter().flat_map(|chunk| &chunk.deltas).any(is_finish);
            }
            Err(_) => failures += 1,
        }
    }
    (text, finished, failures)
}

fn block_on<F: Future>(future: F) -> F::Output {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_time().start_paused(true).build().unwrap();
    runtime.block_on(future)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// However an answer is parted into batches, just so many tokens come through, and then it fails once.
    #[test]
    fn an_answer_breaks_off_after_just_so_many_tokens(
        count in 1..30_usize,
        after in 1..40_usize,
        lengths in prop::collection::vec(1..7_usize, 1..5),
    ) {
        let breaks = Arc::new(AtomicUsize::new(0));
        let told = breaks.clone();
        let (text, finished, failures) = block_on(async {
            let events = cut(answer(tokens(count, &lengths)), after as u64, move || {
                told.fetch_add(1, SeqCst);
                broken()
            });
            heard(events.await.unwrap()).await
        });
        let through: String = (0..count.min(after)).map(|nth| format!("t{nth} ")).collect();
        let is_cut = after <= count;
        prop_assert_eq!((text, finished, failures), (through, !is_cut, usize::from(is_cut)));
        prop_assert_eq!(breaks.load(SeqCst), usize::from(is_cut));
    }

    /// A slow answer says what a fast one does, and takes a pause for each token, whatever came together.
    #[test]
    fn a_slow_answer_is_whole_and_takes_a_pause_for_each_token(
        count in 1..30_usize,
        pause in 1..500_u64,
        lengths in prop::collection::vec(1..7_usize, 1..5),
    ) {
        let (told, took) = block_on(async {
            let began = tokio::time::Instant::now();
            let events = trickle(answer(tokens(count, &lengths)), Duration::from_millis(pause), PATIENCE);
            (heard(events).await, began.elapsed())
        });
        let all: String = (0..count).map(|nth| format!("t{nth} ")).collect();
        prop_assert_eq!(told, (all, true, 0));
        prop_assert_eq!(took, Duration::from_millis(pause * count as u64));
    }
}

#[tokio::test]
async fn an_answer_in_one_piece_is_lost_before_its_first_token() {
    let mut whole = Chunk::text("all of it");
    whole.event = Some(Event {
        dialect: Dialect::Chat,
        whole: true,
        data: "{}".into(),
    });
    let lost = cut(answer(vec![vec![whole]]), 1_000, broken).await;
    assert_eq!(lost.err().map(|failure| failure.code()), Some(Code::UpstreamTruncated));
}

#[tokio::test]
async fn an_answer_that_fails_by_itself_is_not_cut_as_well() {
    let own = || Failure::new(Code::IdleTimeout, "silent");
    let events = || stream::iter([Ok(vec![Chunk::text("a")]), Err(own())]).boxed();
    let mut cut = cut(events(), 2, broken).await.unwrap();
    assert!(cut.next().await.unwrap().is_ok());
    assert_eq!(cut.next().await, Some(Err(own())));
    assert_eq!(cut.next().await, None);
    let mut slow = trickle(events(), Duration::ZERO, PATIENCE);
    assert!(slow.next().await.unwrap().is_ok());
    assert_eq!(slow.next().await, Some(Err(own())));
    assert_eq!(slow.next().await, None);
}

#[tokio::test]
async fn an_answer_without_a_batch_stays_without() {
    let mut nothing = cut(answer(Vec::new()), 1, broken).await.unwrap();
    assert_eq!(nothing.next().await, None);
}

/// What rides inside a stream, such as a slot, must not be held until somebody drops the whole.
#[tokio::test]
async fn the_answer_is_dropped_as_soon_as_it_breaks_off() {
    let held = Arc::new(());
    let riding = held.clone();
    let endless = stream::repeat_with(move || {
        let _riding = &riding;
        Ok(vec![Chunk::text("t ")])
    });
    let mut events = cut(endless.boxed(), 3, broken).await.unwrap();
    for _ in 0..3 {
        assert!(events.next().await.unwrap().is_ok());
        assert_eq!(Arc::strong_count(&held), 2);
    }
    assert!(events.next().await.unwrap().is_err());
    assert_eq!(Arc::strong_count(&held), 1);
}

#[tokio::test(start_paused = true)]
async fn silence_is_borne_for_just_so_long() {
    let longer = PATIENCE + Duration::from_millis(1);
    for (pause, text, failures, took) in [(PATIENCE, "t0 t1 ", 0, 2 * PATIENCE), (longer, "", 1, PATIENCE)] {
        let began = tokio::time::Instant::now();
        let told = heard(trickle(answer(tokens(2, &[1])), pause, PATIENCE)).await;
        assert_eq!(told, (text.to_owned(), failures == 0, failures));
        assert_eq!(began.elapsed(), took);
    }
}

#[tokio::test(start_paused = true)]
async fn a_burst_is_taken_apart_and_its_end_comes_with_its_last_token() {
    let timeline = Timeline::begin();
    let mut events = trickle(answer(tokens(3, &[9])), Duration::from_millis(100), PATIENCE);
    while let Some(Ok(chunks)) = events.next().await {
        timeline.note(format_args!("{:?} {}", text_of(&chunks), chunks.len()));
    }
    expect![[r#"
        100    "t0 " 1
        200    "t1 " 1
        300    "t2 " 1
        300    "" 1
    "#]]
    .assert_eq(&timeline.to_string());
}
