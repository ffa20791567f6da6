use super::*;
use futures_util::{FutureExt, future::join_all};
use std::sync::{
    atomic::{AtomicUsize, Ordering::SeqCst},
    mpsc::{SyncSender, sync_channel},
};

/// A computation that has begun, and what lets it end.
fn begun(pool: &Blocking) -> (impl Future<Output = Result<(), Failure>>, SyncSender<()>) {
    let ((begun, has_begun), (go, may_go)) = (sync_channel(1), sync_channel(1));
    let mut work = Box::pin(pool.run(move || {
        begun.send(()).unwrap();
        may_go.recv().unwrap();
    }));
    assert!(work.as_mut().now_or_never().is_none());
    has_begun.recv().unwrap();
    (work, go)
}

#[tokio::test]
async fn a_result_comes_back() {
    assert_eq!(Blocking::new(1).run(|| 6 * 7).await, Ok(42));
}

#[tokio::test]
async fn no_more_run_at_once_than_the_pool_is_wide() {
    let pool = Blocking::new(3);
    let (running, peak) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let work = (0..30).map(|_| {
        let (running, peak) = (running.clone(), peak.clone());
        pool.run(move || {
            peak.fetch_max(running.fetch_add(1, SeqCst) + 1, SeqCst);
            std::thread::yield_now();
            running.fetch_sub(1, SeqCst);
        })
    });
    assert!(join_all(work).await.iter().all(Result::is_ok));
    assert!(peak.load(SeqCst) <= 3);
}

#[tokio::test]
async fn a_panic_fails_its_own_request_and_gives_the_place_back() {
    let pool = Blocking::new(1);
    let failure = pool.run(|| -> u8 { panic!("boom") }).await.unwrap_err();
    assert_eq!(failure.code(), Code::Internal);
    assert!(!failure.public().contains("boom"));
    assert_eq!(failure.causes(), None, "a panic's message may hold content");
    assert_eq!(pool.run(|| 1).await, Ok(1));
}

#[tokio::test]
async fn work_that_nobody_waits_for_keeps_its_place_until_it_ends() {
    let pool = Blocking::new(1);
    let (first, go) = begun(&pool);
    drop(first);
    let mut second = Box::pin(pool.run(|| 2));
    assert!(second.as_mut().now_or_never().is_none(), "the first still computes");
    go.send(()).unwrap();
    assert_eq!(second.await, Ok(2));
}

#[tokio::test]
async fn work_that_is_dropped_while_it_waits_never_runs() {
    let pool = Blocking::new(1);
    let (first, go) = begun(&pool);
    let ran = Arc::new(AtomicUsize::new(0));
    let count = ran.clone();
    let mut second = Box::pin(pool.run(move || count.fetch_add(1, SeqCst)));
    assert!(second.as_mut().now_or_never().is_none());
    drop(second);
    go.send(()).unwrap();
    first.await.unwrap();
    assert_eq!(pool.run(|| ()).await, Ok(()));
    assert_eq!(ran.load(SeqCst), 0);
}

#[tokio::test]
async fn a_pool_of_width_zero_still_works() {
    assert_eq!(Blocking::new(0).run(|| 1).await, Ok(1));
}
