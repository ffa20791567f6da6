use super::*;
use futures_util::{FutureExt, poll};
use std::{future::pending, pin::pin, time::Duration};
use tokio::{
    sync::oneshot,
    time::{Instant, sleep},
};

#[tokio::test(start_paused = true)]
async fn tasks_are_counted_while_they_live() {
    let tasks = Tasks::new();
    assert!(tasks.is_empty());
    let (short, long) = (tasks.spawn(async { 7 }), tasks.spawn(sleep(Duration::from_millis(5))));
    assert_eq!((tasks.len(), tasks.is_empty()), (2, false));
    assert_eq!(short.await.unwrap(), 7);
    assert_eq!(tasks.len(), 1);
    long.await.unwrap();
    assert_eq!((tasks.len(), tasks.is_empty()), (0, true));
}

#[tokio::test(start_paused = true)]
async fn a_panic_ends_its_own_task_alone() {
    let tasks = Tasks::new();
    let (go, may_go) = oneshot::channel::<()>();
    let (broken, whole) = (tasks.spawn(async { panic!("boom") }), tasks.spawn(may_go));
    assert!(broken.await.unwrap_err().is_panic());
    assert_eq!(tasks.len(), 1, "the broken one is no longer counted");
    go.send(()).unwrap();
    assert_eq!(whole.await.unwrap(), Ok(()));
}

#[tokio::test(start_paused = true)]
async fn a_task_that_is_aborted_is_no_longer_counted() {
    let tasks = Tasks::new();
    let endless = tasks.spawn(pending::<()>());
    endless.abort();
    assert!(endless.await.unwrap_err().is_cancelled());
    tasks.idle().now_or_never().expect("nothing lives");
}

#[tokio::test(start_paused = true)]
async fn idle_waits_for_the_last_task_though_others_are_spawned_meanwhile() {
    let (tasks, began) = (Tasks::new(), Instant::now());
    let parent = tasks.clone();
    tasks.spawn(async move {
        sleep(Duration::from_millis(10)).await;
        parent.spawn(sleep(Duration::from_millis(30)));
    });
    tasks.spawn(sleep(Duration::from_millis(20)));
    tasks.idle().await;
    assert_eq!((began.elapsed().as_millis(), tasks.len()), (40, 0));
}

#[tokio::test(start_paused = true)]
async fn clones_count_together_and_idle_can_be_asked_again() {
    let tasks = Tasks::default();
    tasks.idle().await;
    let (go, may_go) = oneshot::channel::<()>();
    tasks.clone().spawn(may_go);
    let mut idle = pin!(tasks.idle());
    assert!(poll!(idle.as_mut()).is_pending(), "what the clone spawned counts");
    drop(go);
    idle.await;
    assert!(tasks.is_empty());
}
