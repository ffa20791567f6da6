//! The limit on the bytes of an answer: what is kept of it, and how its choices end.

use super::*;
use orchestrator_core::Text;

/// Which choices were finished, and how.
fn finishes(chunks: &Chunks) -> Vec<(u32, FinishReason)> {
    let deltas = chunks.iter().flat_map(|chunk| &chunk.deltas);
    let finishes = deltas.filter_map(|delta| match delta.kind {
        Kind::Finish(reason) => Some((delta.choice, reason)),
        _ => None,
    });
    finishes.collect()
}

fn of(choice: u32, kind: Kind) -> Chunk {
    Delta { choice, kind }.into()
}

/// A worker's whole answer, with its texts as slices of its event or beside it; each of its choices stops.
fn whole(texts: &[&str], is_sliced: bool) -> Chunk {
    let data = bytes::Bytes::from(texts.concat());
    let mut at = 0_usize;
    let deltas = (0_u32..).zip(texts).flat_map(|(choice, text)| {
        let end = at.saturating_add(text.len());
        let text = match is_sliced {
            true => Text::try_from(data.slice(at..end)).unwrap(),
            false => Text::from(*text),
        };
        at = end;
        [Kind::Text(text), Kind::Finish(FinishReason::Stop)].map(|kind| Delta { choice, kind })
    });
    let deltas = deltas.collect();
    Chunk {
        event: Some(Event {
            dialect: Dialect::Chat,
            whole: true,
            data,
        }),
        deltas,
    }
}

/// Runs the stage over batches that come one by one, with so much room beside that for one empty chunk; its end and what
/// was heard.
async fn run_within(room: usize, batches: Vec<Vec<Chunk>>) -> (End, Chunks) {
    let limit = room.saturating_add(size_of::<Chunk>());
    let (mut cx, answer) = open(Ledger::new(limit, usize::MAX, 1));
    let paced = stream::iter(batches).then(|batch| async move {
        sleep(Duration::from_millis(1)).await;
        Ok(batch)
    });
    let end = done(Stream.run(&mut cx, reply(paced)).await);
    drop(cx);
    let heard: Vec<Chunks> = answer.filter_map(|chunks| async { chunks.ok() }).collect().await;
    (end, heard.concat())
}

const LENGTH: FinishReason = FinishReason::Length;

#[tokio::test(start_paused = true)]
async fn a_whole_answer_over_the_limit_keeps_as_much_of_its_text_as_fits() {
    let long = "word ".repeat(1_000);
    let (end, heard) = run_within(3_000, vec![vec![whole(&[&long], true)]]).await;
    assert_eq!((end.finish, end.cut), (LENGTH, true));
    assert_eq!(
        (said(&heard).as_str(), finishes(&heard)),
        ("word ".repeat(600).as_str(), vec![(0, LENGTH)])
    );
    assert!(heard.iter().all(|chunk| chunk.event.is_none()));
}

#[tokio::test(start_paused = true)]
async fn a_whole_answer_whose_event_alone_is_too_much_keeps_all_of_its_text() {
    let chunk = whole(&[&"x".repeat(600)], false);
    let (end, heard) = run_within(1_000, vec![vec![chunk]]).await;
    assert_eq!((end.cut, said(&heard).len()), (true, 600));
    assert_eq!(finishes(&heard), [(0, LENGTH)], "what else the event said is lost");
}

#[tokio::test(start_paused = true)]
async fn a_whole_answer_that_fits_counts_the_bytes_that_it_shares_once() {
    let chunk = whole(&[&"x".repeat(600)], true);
    let (end, heard) = run_within(600, vec![vec![chunk.clone()]]).await;
    assert_eq!((end.finish, end.cut), (FinishReason::Stop, false));
    assert_eq!(*heard[0], chunk);
}

#[tokio::test(start_paused = true)]
async fn every_choice_of_a_whole_answer_over_the_limit_ends_by_length() {
    let (_, heard) = run_within(7, vec![vec![whole(&["first", "other"], true)]]).await;
    assert_eq!(finishes(&heard), [(0, LENGTH), (1, LENGTH)]);
    assert_eq!(said(&heard), "firstot");
}

#[tokio::test(start_paused = true)]
async fn a_cut_finishes_each_choice_that_is_open_and_no_other() {
    let text = |choice, text: &str| of(choice, Kind::Text(text.into()));
    let stop = |choice| of(choice, Kind::Finish(FinishReason::Stop));
    let too_much = |choice| text(choice, &"x".repeat(5_000));
    let cut = async |batches: Vec<Vec<Chunk>>| {
        let (end, heard) = run_within(4_000, batches).await;
        assert_eq!((end.finish, end.cut), (LENGTH, true));
        finishes(&heard)
    };
    let begun = || vec![text(0, "a"), text(1, "b"), text(2, "c")];
    let stopped = (0, FinishReason::Stop);
    // All are open, whether the chunks come at once or not.
    let all = vec![(0, LENGTH), (1, LENGTH), (2, LENGTH)];
    assert_eq!(cut(vec![begun(), vec![too_much(1)]]).await, all);
    assert_eq!(cut(vec![[begun(), vec![too_much(1)]].concat()]).await, all);
    // Those that are finished are not finished again.
    let first_done = vec![begun(), vec![stop(0), too_much(2)]];
    assert_eq!(cut(first_done).await, [stopped, (1, LENGTH), (2, LENGTH)]);
    // A finish that nobody hears finishes nothing, nor does it begin a choice.
    let too_late = vec![begun(), vec![too_much(1), stop(0), stop(1), text(3, "d")]];
    assert_eq!(cut(too_late).await, all);
    // The chunk that does not fit may be the first that is heard of its choice.
    assert_eq!(
        cut(vec![vec![text(0, "a"), too_much(7)]]).await,
        [(0, LENGTH), (7, LENGTH)]
    );
    assert_eq!(cut(vec![vec![stop(0), stop(1), too_much(1)]]).await[2..], [(1, LENGTH)]);
}

#[tokio::test(start_paused = true)]
async fn an_answer_whose_usage_alone_does_not_fit_is_not_finished_twice() {
    let mut usage = kind(Kind::Usage(USAGE));
    usage.event = whole(&[&"x".repeat(500)], true).event;
    let batches = vec![vec![text("all"), finish(FinishReason::Stop)], vec![usage]];
    let (end, heard) = run_within(2_usize.saturating_mul(size_of::<Chunk>()), batches).await;
    assert_eq!((end.usage, end.cut), (Some(USAGE), true));
    assert_eq!(finishes(&heard), [(0, FinishReason::Stop)]);
}

#[tokio::test(start_paused = true)]
async fn an_answer_over_its_limit_ends_by_length_and_drops_the_call() {
    // The finish must be heard whatever room the last chunk that fitted left over.
    for limit in (50_000..51_000).step_by(37) {
        let (mut cx, mut answer) = open(Ledger::new(limit, usize::MAX, 1));
        let dropped = Arc::new(AtomicUsize::new(0));
        let end = done(Stream.run(&mut cx, reply(Call(dropped.clone()))).await);
        let expected = End {
            finish: FinishReason::Length,
            usage: None,
            cut: true,
        };
        assert_eq!((end, dropped.load(SeqCst)), (expected, 1));
        let heard = answer.next().await.unwrap().unwrap();
        assert_eq!(heard.last().unwrap().deltas, finish(FinishReason::Length).deltas);
        assert!(heard.len() > 64, "only {} chunks", heard.len());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// An answer never holds more than its limit and the chunk that says so; and it is cut only when the next chunk
    /// does not fit whole.
    #[test]
    fn an_answer_keeps_its_limit(batches in prop::collection::vec(1..6_usize, 0..40), limit in 0..20_000_usize) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        let ledger = Ledger::new(limit, usize::MAX, 1);
        let in_ledger = ledger.clone();
        let sizes = batches.clone();
        let flow = runtime.block_on(async move {
            let (mut cx, answer) = open(in_ledger.clone());
            // Each batch comes by itself, so that each is one append.
            let paced = stream::iter(sizes).then(|size| async move {
                sleep(Duration::from_millis(1)).await;
                Ok((0..size).map(|_| text("token")).collect())
            });
            let pause = stream::iter([()]).then(|()| sleep(Duration::from_millis(1))).filter_map(|()| async { None });
            let end = pause.chain(stream::iter([Ok(vec![finish(FinishReason::Stop)])]));
            let end = done(Stream.run(&mut cx, reply(paced.chain(end))).await);
            let bytes = in_ledger.bytes();
            drop(cx);
            let heard: Vec<Chunks> = answer.filter_map(|chunks| async { chunks.ok() }).collect().await;
            (end, bytes, heard.concat())
        });
        let (end, bytes, heard) = flow;
        let (token, last) = (text("token").weight(), finish(FinishReason::Length).weight());
        let all: usize = batches.iter().sum();
        let kept = all.min(limit.checked_div(token).unwrap());
        let room = limit.saturating_sub(kept.saturating_mul(token));
        // Of the token that does not fit, as many letters are kept as there is room for.
        let letters = if kept < all { room.saturating_sub(last) } else { 0 };
        let is_cut = kept < all || all.saturating_mul(token).saturating_add(last) > limit;
        prop_assert_eq!(end.cut, is_cut);
        prop_assert_eq!(said(&heard).len(), kept.saturating_mul(5).saturating_add(letters));
        prop_assert_eq!(finishes(&heard), [(0, end.finish)]);
        prop_assert!(bytes <= limit.saturating_add(last), "{} bytes", bytes);
        prop_assert_eq!(ledger.bytes(), 0);
    }
}
