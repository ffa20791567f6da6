//! Those who are told alike of the same chunks share what they are told.

use super::*;

/// What is told of an answer, and how often that was made.
fn tell(answer: &mut Answer, made: &mut usize) -> Poll<Option<Result<Bytes, Failure>>> {
    let mut cx = Context::from_waker(Waker::noop());
    answer.poll_alike(&mut cx, |_, chunks| {
        *made += 1;
        said(chunks).into()
    })
}

fn told(answer: &mut Answer, made: &mut usize) -> Bytes {
    match tell(answer, made) {
        Poll::Ready(Some(Ok(told))) => told,
        other => panic!("nothing is told: {other:?}"),
    }
}

/// One answer before so many listeners, and what all logs hold.
fn crowd(listeners: usize) -> (AnswerWriter, Vec<Answer>, std::sync::Arc<Ledger>) {
    let ledger = Ledger::generous();
    let (writer, first) = answer(Instant::now() + LONG, Priority::Normal, ledger.clone());
    let kept = writer.downgrade().unwrap();
    let others = (1..listeners).map(|_| kept.join(first.deadline(), Priority::Normal).unwrap().0);
    let others: Vec<Answer> = others.collect();
    (writer, [first].into_iter().chain(others).collect(), ledger)
}

#[tokio::test(start_paused = true)]
async fn what_all_are_told_is_made_once() {
    let (mut writer, mut crowd, _) = crowd(100);
    let mut made = 0;
    for piece in ["a", "b"] {
        writer.push([text(piece)]);
        for answer in &mut crowd {
            assert_eq!(told(answer, &mut made), piece);
            assert!(tell(answer, &mut made).is_pending());
        }
    }
    assert_eq!(made, 2);
}

#[tokio::test(start_paused = true)]
async fn who_is_behind_is_told_of_all_that_it_has_not_heard() {
    let (mut writer, mut crowd, _) = crowd(4);
    let mut made = 0;
    writer.push([text("a")]);
    assert_eq!(told(&mut crowd[0], &mut made), "a");
    writer.push([text("b")]);
    assert_eq!(told(&mut crowd[0], &mut made), "b");
    for late in &mut crowd[1..] {
        assert_eq!(told(late, &mut made), "ab");
    }
    assert_eq!(made, 3);
}

#[tokio::test(start_paused = true)]
async fn what_was_told_is_counted_until_nobody_is_left_to_share_it() {
    let (mut writer, mut crowd, ledger) = crowd(3);
    let mut made = 0;
    writer.push([text("four")]);
    let log = ledger.bytes();
    assert_eq!(told(&mut crowd[0], &mut made), "four");
    assert_eq!(ledger.bytes(), log + 4);
    writer.push([text("more")]);
    assert_eq!(told(&mut crowd[1], &mut made), "fourmore");
    assert_eq!(ledger.bytes(), 2 * log + 8, "in place of the other");
    crowd.truncate(1);
    assert_eq!(ledger.bytes(), 2 * log);
    drop((crowd, writer));
    assert_eq!(ledger.bytes(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_one_is_told_alone_is_not_kept() {
    let (mut writer, mut crowd, ledger) = crowd(1);
    writer.push([text("a")]);
    let log = ledger.bytes();
    assert_eq!(told(&mut crowd[0], &mut 0), "a");
    assert_eq!(ledger.bytes(), log);
}

#[tokio::test(start_paused = true)]
async fn an_end_is_told_to_each() {
    let (mut writer, mut crowd, _) = crowd(2);
    writer.push([text("a")]);
    writer.fail(Failure::new(Code::UpstreamTruncated, "cut"));
    for answer in &mut crowd {
        assert_eq!(told(answer, &mut 0), "a");
        let Poll::Ready(Some(Err(failure))) = tell(answer, &mut 0) else {
            panic!("it has failed");
        };
        assert_eq!(failure.code(), Code::UpstreamTruncated);
        assert!(matches!(tell(answer, &mut 0), Poll::Ready(None)));
    }
}

#[tokio::test(start_paused = true)]
async fn a_listener_that_was_sent_over_is_told_what_they_are_told_there() {
    let (mut leader, mut crowd, _) = crowd(2);
    let (follower, mut moved) = answer_for(LONG);
    let (there, cache) = leader
        .downgrade()
        .unwrap()
        .join(moved.deadline(), Priority::Normal)
        .unwrap();
    follower.join(there, cache);
    leader.push([text("a")]);
    let mut made = 0;
    for answer in crowd.iter_mut().chain([&mut moved]) {
        assert_eq!(told(answer, &mut made), "a");
    }
    assert_eq!(made, 1);
}

#[tokio::test(start_paused = true)]
async fn who_was_told_all_is_woken_by_what_comes_next() {
    let (mut writer, mut crowd, _) = crowd(2);
    let mut answer = crowd.remove(0);
    writer.push([text("a")]);
    let listening = spawn(async move {
        let mut heard = Vec::new();
        poll_fn(|cx| {
            loop {
                if answer.poll_late(cx).is_ready() {
                    return Poll::Ready(());
                }
                match answer.poll_alike(cx, |_, chunks| said(chunks).into()) {
                    Poll::Ready(Some(Ok(told))) => heard.push(told),
                    Poll::Ready(_) => return Poll::Ready(()),
                    Poll::Pending => panic!("it waits already"),
                }
                if answer.waits() {
                    return Poll::Pending;
                }
            }
        })
        .await;
        (heard, Instant::now())
    });
    let began = Instant::now();
    for piece in ["b", "c"] {
        sleep(Duration::from_secs(1)).await;
        writer.push([text(piece)]);
    }
    // The deadline is news, too.
    let (heard, at) = listening.await.unwrap();
    assert_eq!((heard.concat(), at - began), (b"abc".to_vec(), LONG));
}

#[tokio::test(start_paused = true)]
async fn a_deadline_is_told_to_who_asks_for_it() {
    let (mut writer, mut crowd, _) = crowd(2);
    let mut noop = Context::from_waker(Waker::noop());
    let answer = &mut crowd[0];
    assert!(answer.poll_late(&mut noop).is_pending());
    sleep(LONG).await;
    writer.push([text("a")]);
    assert_eq!(told(answer, &mut 0), "a", "what is there is heard first");
    assert!(tell(answer, &mut 0).is_pending());
    let Poll::Ready(late) = answer.poll_late(&mut noop) else {
        panic!("the deadline has passed");
    };
    assert_eq!(late.code(), Code::DeadlineExceeded);
}

#[tokio::test(start_paused = true)]
async fn who_asked_for_its_deadline_is_woken_at_it_though_it_was_sent_over() {
    let (leader, _patient) = answer_for(2 * LONG);
    let (follower, mut moved) = answer_for(LONG);
    let kept = leader.downgrade().unwrap();
    let (began, mut is_noted) = (Instant::now(), false);
    let listening = spawn(poll_fn(move |cx| {
        let is_asked = !std::mem::replace(&mut is_noted, true) || began.elapsed() >= LONG;
        if is_asked && moved.poll_late(cx).is_ready() {
            return Poll::Ready(began.elapsed());
        }
        assert!(moved.poll_alike(cx, |_, _| Bytes::new()).is_pending());
        Poll::Pending
    }));
    sleep(Duration::from_secs(1)).await;
    let (there, cache) = kept.join(began + LONG, Priority::Normal).unwrap();
    follower.join(there, cache);
    assert_eq!(timeout(2 * LONG, listening).await.unwrap().unwrap(), LONG);
}
