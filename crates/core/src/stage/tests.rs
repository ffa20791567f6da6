use super::*;
use crate::{
    Code, Tier,
    fixtures::{END, LONG, Permit, code, cx},
};
use futures_util::{FutureExt, StreamExt};
use std::{sync::Arc, time::Duration};

/// What is left of a permit, and the permit.
fn permit() -> (std::sync::Weak<()>, Permit) {
    let permit = Arc::new(());
    (Arc::downgrade(&permit), Permit(permit))
}

fn head() -> Head {
    Head {
        worker: "w".into(),
        tier: Tier::Secondary,
        degraded: None,
        id: "id".into(),
        model: "m".into(),
        created: 1,
        attempts: 2,
        grounding: vec!["doc".into()],
        waited: Duration::ZERO,
    }
}

#[test]
fn stages_have_these_names_in_the_order_of_the_line() {
    let names = StageName::ALL.map(StageName::as_str);
    let line = "dedup gate rag assemble inference post_process stream";
    assert_eq!(names.join(" "), line);
}

#[tokio::test(start_paused = true)]
async fn a_permit_goes_back_whatever_way_the_request_ends() {
    let ends: [fn(Cx); 4] = [
        drop,
        |cx| cx.writer.finish(END),
        |cx| cx.writer.fail(Failure::new(Code::Cancelled, "no")),
        |cx| {
            let (_, other) = crate::fixtures::cx(LONG);
            cx.writer.join(other, Cache::Hit);
        },
    ];
    for (nth, end) in ends.into_iter().enumerate() {
        let ((left, permit), (mut cx, _client)) = (permit(), cx(LONG));
        cx.admit(permit);
        assert!(left.upgrade().is_some());
        end(cx);
        assert!(left.upgrade().is_none(), "end {nth}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_carries_one_permit_the_last() {
    let ((first, one), (second, other)) = (permit(), permit());
    let (mut cx, _client) = cx(LONG);
    assert!(cx.admitted().is_none());
    cx.admit(one);
    cx.admit(other);
    assert!(first.upgrade().is_none());
    assert!(second.upgrade().is_some());
}

#[tokio::test(start_paused = true)]
async fn what_a_stage_says_is_what_the_client_hears() {
    let (mut cx, mut client) = cx(LONG);
    let head = head();
    cx.cache(Cache::Bypass);
    cx.head(head.clone());
    assert!(cx.push([Chunk::text("a"), Chunk::text("b")]));
    cx.cut(Chunk::text("c"));
    assert_eq!(client.cache().await, Ok(Cache::Bypass));
    let heard = client.next().await.unwrap().unwrap();
    assert!(heard.iter().map(|chunk| &**chunk).eq(&["a", "b", "c"].map(Chunk::text)));
    assert_eq!(client.head().as_deref(), Some(&head));
    assert_eq!(cx.id(), RequestId::mint(0, [0; 10]));
}

#[tokio::test(start_paused = true)]
async fn a_head_tells_how_long_the_request_waited_for_others_and_not_for_us() {
    let (mut cx, mut client) = cx(LONG);
    for (stage, millis) in StageName::ALL
        .into_iter()
        .zip([1, 20, 300, 4_000, 50_000, 600_000, 7_000_000])
    {
        cx.worked(stage, Duration::from_millis(millis));
    }
    cx.head(head());
    cx.push([Chunk::text("a")]);
    client.next().await.unwrap().unwrap();
    let waited = client.head().map(|head| head.waited);
    assert_eq!(
        waited,
        Some(Duration::from_millis(50_020)),
        "at the gate and for the worker"
    );
}

#[tokio::test(start_paused = true)]
async fn the_deadline_is_that_of_the_client_who_waits_longest() {
    let (cx, client) = cx(Duration::from_secs(5));
    let now = Instant::now();
    assert_eq!(cx.deadline(), Some(now + Duration::from_secs(5)));
    let later = now + Duration::from_secs(8);
    let (other, _) = cx.answer().unwrap().join(later, Priority::Normal).unwrap();
    assert_eq!(cx.deadline(), Some(later));
    drop(other);
    assert_eq!(cx.deadline(), Some(client.deadline()));
    drop(client);
    assert_eq!(cx.deadline(), None);
}

#[tokio::test(start_paused = true)]
async fn a_client_in_a_higher_lane_raises_the_request() {
    let (cx, client) = cx(LONG);
    let join = |lane| cx.answer().unwrap().join(client.deadline(), lane).unwrap();
    let mut raised = Box::pin(cx.raised(cx.priority()));
    let _low = join(Priority::Low);
    assert!(raised.as_mut().now_or_never().is_none());
    assert_eq!(cx.priority(), Priority::Normal, "nobody is lowered");
    let _high = join(Priority::High);
    assert_eq!(raised.await, Priority::High);
    assert_eq!(cx.priority(), Priority::High);
}

#[tokio::test(start_paused = true)]
async fn a_kept_reference_replays_the_answer_after_its_client_is_gone() {
    let (mut cx, client) = cx(LONG);
    let kept = cx.answer().unwrap();
    cx.push([Chunk::text("a")]);
    drop(client);
    cx.writer.finish(END);
    let (again, cache) = kept.join(Instant::now() + LONG, Priority::Normal).unwrap();
    assert_eq!(cache, Cache::Hit);
    assert_eq!(code(again).await, None);
}

#[tokio::test(start_paused = true)]
async fn a_request_prints_its_name_alone() {
    let (mut cx, _client) = cx(LONG);
    cx.push([Chunk::text("a secret")]);
    cx.admit(permit().1);
    assert_eq!(format!("{cx:?}"), "Cx { id: req_00000000000070008000000000000000, .. }");
}
