//! Followers that are sent over to a leader.

use super::*;

/// A leader and a follower who has been sent over to it.
fn followed() -> (AnswerWriter, Answer, Answer) {
    let (leading, leader) = answer_for(LONG);
    let (following, follower) = answer_for(LONG);
    send_over(following, &leader);
    (leading, leader, follower)
}

fn send_over(following: AnswerWriter, leader: &Answer) {
    let until = following.deadline().unwrap();
    let (there, cache) = leader.downgrade().join(until, Priority::Normal).unwrap();
    following.join(there, cache);
}

#[tokio::test(start_paused = true)]
async fn a_follower_hears_the_leader_from_the_start() {
    let (mut leading, leader) = answer_for(LONG);
    leading.push([text("a")]);
    let (following, mut follower) = answer_for(LONG);
    send_over(following, &leader);
    leading.push([text("b")]);
    assert_eq!(follower.cache().await, Ok(Cache::Coalesced));
    leading.finish(end());
    assert_eq!(follower.cache().await, Ok(Cache::Coalesced));
    let (one, other) = tokio::join!(all(leader), all(follower));
    assert_eq!((one, other), (("ab".into(), None), ("ab".into(), None)));
}

#[tokio::test(start_paused = true)]
async fn a_reference_to_a_follower_is_to_the_log_that_it_hears() {
    let (mut leading, leader, mut follower) = followed();
    let (second, mut late) = answer_for(LONG);
    send_over(second, &follower);
    let kept = [follower.downgrade().weak(), late.downgrade().weak()];
    leading.push([text("a")]);
    // From here on the own logs of both followers are gone.
    assert_eq!(
        (hear(&mut follower), hear(&mut late)),
        (Some(Some(Ok("a".into()))), Some(Some(Ok("a".into()))))
    );
    for weak in &kept {
        let (again, _) = weak
            .upgrade()
            .unwrap()
            .join(leader.deadline(), Priority::Normal)
            .unwrap();
        assert_eq!(hear(&mut { again }), Some(Some(Ok("a".into()))));
    }
    drop((leading, leader, follower, late));
    assert!(kept.iter().all(|weak| weak.upgrade().is_none()), "it keeps nothing");
}

#[tokio::test(start_paused = true)]
async fn a_follower_that_waits_is_told_of_the_move() {
    let (mut leading, leader) = answer_for(LONG);
    let (following, follower) = answer_for(LONG);
    let heard = spawn(all(follower));
    sleep(Duration::from_millis(1)).await;
    send_over(following, &leader);
    sleep(Duration::from_millis(1)).await;
    leading.push([text("a")]);
    leading.finish(end());
    assert_eq!(heard.await.unwrap(), ("a".into(), None));
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_leaves_at_the_moment_of_joining_does_not_take_its_follower_along() {
    let (mut leading, leader, follower) = followed();
    drop(leader);
    assert!(is_wanted(&leading).await);
    leading.push([text("a")]);
    leading.finish(end());
    assert_eq!(all(follower).await, ("a".into(), None));
}

#[tokio::test(start_paused = true)]
async fn a_follower_that_leaves_before_it_has_moved_holds_nobody() {
    let (leading, leader, follower) = followed();
    drop(follower);
    assert!(is_wanted(&leading).await);
    drop(leader);
    assert!(!is_wanted(&leading).await);
}

#[tokio::test(start_paused = true)]
async fn the_last_follower_to_leave_stops_the_work() {
    let (leading, leader, mut follower) = followed();
    assert!(hear(&mut follower).is_none(), "it has moved and waits");
    drop(leader);
    let given_up = given_up(&leading);
    sleep(Duration::from_millis(5)).await;
    assert!(!given_up.is_finished());
    drop(follower);
    assert_eq!(given_up.await.unwrap(), 5);
}

#[tokio::test(start_paused = true)]
async fn a_join_that_nobody_listens_to_holds_nobody() {
    let (leading, leader) = answer_for(LONG);
    let (following, follower) = answer_for(LONG);
    let (there, cache) = leader.downgrade().join(leader.deadline(), Priority::Normal).unwrap();
    drop((follower, leader));
    following.join(there, cache);
    assert!(!is_wanted(&leading).await);
}

#[tokio::test(start_paused = true)]
async fn a_joined_answer_that_is_kept_does_not_keep_the_leader_at_work() {
    let (leading, leader) = answer_for(LONG);
    let (following, follower) = answer_for(LONG);
    let kept = following.downgrade().unwrap();
    send_over(following, &leader);
    drop((leader, follower));
    assert!(!is_wanted(&leading).await);
    assert!(kept.join(Instant::now() + LONG, Priority::Normal).is_none());
}

#[tokio::test(start_paused = true)]
async fn who_joins_a_follower_lands_at_its_leader() {
    let (mut leading, leader, follower) = followed();
    let (third, cache) = follower
        .downgrade()
        .join(Instant::now() + LONG, Priority::High)
        .unwrap();
    assert_eq!((cache, leading.priority()), (Cache::Coalesced, Priority::High));
    drop((leader, follower));
    leading.push([text("a")]);
    leading.finish(end());
    assert_eq!(all(third).await, ("a".into(), None));
}

#[tokio::test(start_paused = true)]
async fn a_chain_of_followers_ends_at_the_one_who_leads() {
    let (mut leading, leader) = answer_for(LONG);
    let mut listeners = vec![leader];
    for _ in 0..20 {
        let (following, follower) = answer_for(LONG);
        send_over(following, listeners.last().unwrap());
        listeners.push(follower);
    }
    leading.push([text("a")]);
    leading.finish(end());
    for listener in listeners {
        assert_eq!(all(listener).await, ("a".into(), None));
    }
}

#[tokio::test(start_paused = true)]
async fn a_short_leader_does_not_cut_a_long_follower() {
    let (mut leading, leader) = answer_for(Duration::from_millis(50));
    let (following, follower) = answer_for(LONG);
    send_over(following, &leader);
    let script = async {
        sleep(Duration::from_millis(100)).await;
        assert!(is_wanted(&leading).await);
        leading.push([text("a")]);
        leading.finish(end());
    };
    let (leader, follower, ()) = tokio::join!(all(leader), all(follower), script);
    assert_eq!(leader, (String::new(), Some(Code::DeadlineExceeded)));
    assert_eq!(follower, ("a".into(), None));
}

#[tokio::test(start_paused = true)]
async fn a_follower_keeps_its_own_deadline() {
    let (_leading, leader) = answer_for(LONG);
    let (following, follower) = answer_for(Duration::from_millis(30));
    send_over(following, &leader);
    let began = Instant::now();
    assert_eq!(all(follower).await, (String::new(), Some(Code::DeadlineExceeded)));
    assert_eq!(began.elapsed().as_millis(), 30);
}

#[tokio::test(start_paused = true)]
async fn the_failure_of_a_leader_is_its_followers_too() {
    let (leading, leader, follower) = followed();
    leading.fail(Failure::new(Code::UpstreamError, "boom"));
    assert_eq!(all(leader).await.1, Some(Code::UpstreamError));
    assert_eq!(all(follower).await.1, Some(Code::UpstreamError));
}

#[tokio::test(start_paused = true)]
async fn a_finished_answer_is_replayed_when_its_listeners_are_gone_and_from_any_place() {
    let (mut writer, first) = answer_for(LONG);
    let kept = writer.downgrade().unwrap();
    writer.push(texts(&["a", "b", "c"]));
    writer.finish(end());
    drop(first);
    let again = || kept.join(Instant::now() + LONG, Priority::Normal).unwrap();
    assert_eq!(again().1, Cache::Hit);
    for (at, rest) in ["abc", "bc", "c", ""].iter().enumerate() {
        assert_eq!(all(again().0.at(at)).await, ((*rest).to_owned(), None));
    }
    assert_eq!(
        all(again().0.at(4)).await,
        (String::new(), Some(Code::ResumeNotPossible))
    );
}

#[tokio::test(start_paused = true)]
async fn a_place_in_flight_goes_along_and_is_given_back_at_the_end() {
    let ledger = Ledger::new(100, 100, 1);
    let (leading, leader) = answer_for(LONG);
    let (following, follower) = answer_for(LONG);
    let mut follower = follower.carrying(ledger.enter().unwrap());
    send_over(following, &leader);
    assert!(hear(&mut follower).is_none());
    assert_eq!(ledger.requests(), 1);
    leading.finish(end());
    assert_eq!(hear(&mut follower), Some(None));
    drop(follower);
    assert_eq!(ledger.requests(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_weak_reference_finds_the_answer_as_long_as_somebody_keeps_it() {
    let (writer, answer) = answer_for(LONG);
    let weak = answer.downgrade().weak();
    writer.finish(end());
    let (again, _) = weak
        .upgrade()
        .unwrap()
        .join(Instant::now() + LONG, Priority::Normal)
        .unwrap();
    drop(answer);
    assert!(weak.upgrade().is_some());
    drop(again);
    assert!(weak.upgrade().is_none());
}
