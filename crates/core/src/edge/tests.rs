//! An edge with nobody behind it but the test. What goes around it is tested beside the loop.

mod model;

use super::*;
use crate::{
    Answer, Code,
    fixtures::{LONG, code, job},
};
use futures_util::FutureExt;
use std::{future::Future, pin::Pin};
use tokio::task::yield_now;

type Waiting = Pin<Box<dyn Future<Output = ()>>>;

/// Begins to send a job; the future is there when it has to wait.
fn begin(outlet: &Outlet<u32>, name: u32) -> (Option<Waiting>, Answer) {
    let (outlet, (job, answer)) = (outlet.clone(), job(name, LONG));
    let mut send: Waiting = Box::pin(async move { outlet.send(job).await });
    let waits = send.as_mut().now_or_never().is_none();
    (waits.then_some(send), answer)
}

/// The job that is there now; `None` when the taker would wait.
fn taken(inlet: &Inlet<u32>) -> Option<u32> {
    inlet
        .recv()
        .now_or_never()
        .map(|job| job.expect("the edge is not dry").body)
}

#[tokio::test]
async fn an_edge_holds_its_capacity_and_the_next_one_waits() {
    let (outlet, inlet) = edge(2);
    let sent = [1, 2].map(|name| begin(&outlet, name));
    assert!(sent.iter().all(|(waits, _)| waits.is_none()));
    let (waits, _answer) = begin(&outlet, 3);
    let mut third = waits.expect("the edge is full");
    assert_eq!(taken(&inlet), Some(1));
    assert!(third.as_mut().now_or_never().is_some(), "there is room now");
    assert_eq!([taken(&inlet), taken(&inlet), taken(&inlet)], [Some(2), Some(3), None]);
}

#[tokio::test]
async fn an_edge_of_capacity_zero_holds_one() {
    let (outlet, _inlet) = edge(0);
    assert!(begin(&outlet, 1).0.is_none());
    assert!(begin(&outlet, 2).0.is_some());
}

#[tokio::test]
async fn clones_of_an_outlet_stand_in_one_row() {
    let (one, inlet) = edge(1);
    let other = one.clone();
    let _full = begin(&one, 0);
    let (mut first, _answer) = begin(&one, 1);
    let (mut second, _answer) = begin(&other, 2);
    assert_eq!(taken(&inlet), Some(0));
    let second = second.as_mut().unwrap();
    assert!(second.as_mut().now_or_never().is_none(), "it is not its turn");
    assert!(first.as_mut().unwrap().as_mut().now_or_never().is_some());
    assert_eq!(taken(&inlet), Some(1));
    assert!(second.as_mut().now_or_never().is_some());
    assert_eq!(taken(&inlet), Some(2));
}

#[tokio::test]
async fn nobody_goes_around_the_edge_past_one_whose_turn_it_is() {
    let (outlet, inlet) = edge(1);
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = asked.clone();
    inlet.shorten(move |job| {
        counted.fetch_add(1, SeqCst);
        Err(job)
    });
    let pass = |name| {
        let (outlet, (job, answer)) = (outlet.clone(), job(name, LONG));
        let mut passing = Box::pin(async move { outlet.pass(job).await.is_none() });
        let passed = passing.as_mut().now_or_never();
        (passed, passing, answer)
    };
    let _full = begin(&outlet, 0);
    let (first, _first) = begin(&outlet, 1);
    assert_eq!(taken(&inlet), Some(0));
    let (passed, late, _late) = pass(2);
    assert_eq!(
        (passed, asked.load(SeqCst)),
        (None, 0),
        "the edge is empty, but another one is first"
    );
    assert!(first.unwrap().as_mut().now_or_never().is_some());
    assert_eq!(taken(&inlet), Some(1));
    assert_eq!(
        (late.now_or_never(), asked.load(SeqCst)),
        (Some(true), 1),
        "its turn has come"
    );
    assert_eq!(taken(&inlet), Some(2));
    let (passed, _, _last) = pass(3);
    assert_eq!(
        (passed, asked.load(SeqCst)),
        (Some(true), 3),
        "nobody waits: at once, and then in its turn"
    );
    assert_eq!(taken(&inlet), Some(3));
}

#[tokio::test]
async fn who_gives_up_waiting_drops_its_job_and_holds_up_nobody() {
    let (outlet, inlet) = edge(1);
    let _full = begin(&outlet, 0);
    let (first, gave_up) = begin(&outlet, 1);
    let (second, _answer) = begin(&outlet, 2);
    drop(first);
    assert_eq!(code(gave_up).await, Some(Code::Internal));
    assert_eq!(taken(&inlet), Some(0));
    assert!(second.unwrap().as_mut().now_or_never().is_some());
    assert_eq!(taken(&inlet), Some(2));
}

#[tokio::test]
async fn losing_the_wait_for_a_job_loses_no_job() {
    let (outlet, inlet) = edge(1);
    let mut lost = Box::pin(inlet.recv());
    assert!(lost.as_mut().now_or_never().is_none());
    let _sent = begin(&outlet, 1);
    drop(lost);
    assert_eq!(taken(&inlet), Some(1));
}

#[tokio::test]
async fn an_edge_is_dry_when_every_outlet_is_gone_and_every_job_taken() {
    let (outlet, inlet) = edge(2);
    let other = outlet.clone();
    let _sent = begin(&outlet, 1);
    drop(outlet);
    assert_eq!(taken(&inlet), Some(1));
    assert_eq!(taken(&inlet), None, "an outlet lives");
    let _sent = begin(&other, 2);
    drop(other);
    assert_eq!(taken(&inlet), Some(2));
    assert!(inlet.recv().now_or_never().unwrap().is_none());
}

#[tokio::test]
async fn when_nobody_takes_jobs_any_more_each_ends_as_a_fault_of_ours() {
    let (outlet, inlet) = edge(1);
    let (_, queued) = begin(&outlet, 1);
    let (waiting, waits) = begin(&outlet, 2);
    drop(inlet);
    assert!(waiting.unwrap().as_mut().now_or_never().is_some());
    let (refused, late) = begin(&outlet, 3);
    assert!(refused.is_none(), "it does not wait for nobody");
    for answer in [queued, waits, late] {
        assert_eq!(code(answer).now_or_never(), Some(Some(Code::Internal)));
    }
}

#[tokio::test]
async fn a_depth_is_read_without_holding_the_edge() {
    let (outlet, inlet) = edge(2);
    let depth = inlet.depth();
    assert_eq!(depth(), Some(0));
    let _sent = [begin(&outlet, 1), begin(&outlet, 2)];
    let _waits = begin(&outlet, 3);
    assert_eq!(depth(), Some(2), "who waits outside does not count");
    taken(&inlet);
    assert_eq!(depth(), Some(1));
    drop(inlet);
    assert_eq!(depth(), None);
    assert!(outlet.sender.is_closed());
}

#[tokio::test(start_paused = true)]
async fn a_launch_takes_a_task_only_when_it_has_to_wait() {
    let (outlet, inlet) = edge(1);
    let tasks = Tasks::new();
    let answers: Vec<_> = (1..=3)
        .map(|name| {
            let (job, answer) = job(name, LONG);
            outlet.launch(job, &tasks);
            assert_eq!(tasks.len(), name as usize - 1);
            answer
        })
        .collect();
    for name in 1..=3 {
        assert_eq!(inlet.recv().await.map(|job| job.body), Some(name));
        yield_now().await;
    }
    assert!(tasks.is_empty());
    drop(answers);
}

#[tokio::test(start_paused = true)]
async fn a_launched_job_does_not_overtake_one_that_is_being_sent() {
    let (outlet, inlet) = edge(1);
    let tasks = Tasks::new();
    let _full = begin(&outlet, 0);
    let (sending, _answer) = begin(&outlet, 1);
    let (late, _answer) = job(2, LONG);
    assert_eq!(taken(&inlet), Some(0));
    outlet.launch(late, &tasks);
    yield_now().await;
    assert_eq!(taken(&inlet), None, "it stands behind the one who came first");
    sending.unwrap().await;
    assert_eq!(taken(&inlet), Some(1));
    tasks.idle().await;
    assert_eq!(taken(&inlet), Some(2));
}

#[test]
fn an_edge_prints_nothing_of_its_jobs() {
    let (outlet, inlet) = edge::<&str>(1);
    let sent = outlet.sender.try_send(job("a secret", LONG).0);
    assert!(sent.is_ok());
    let printed = format!("{outlet:?} {inlet:?}");
    assert!(printed.contains("Shortcut { open: false }"), "{printed}");
    assert!(!printed.contains("secret"), "{printed}");
}
