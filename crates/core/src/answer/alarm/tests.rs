use super::*;
use futures_util::task::{ArcWake, waker};
use std::{
    future::poll_fn,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::{task::coop::consume_budget, time::sleep};

/// Counts how often it is woken.
#[derive(Default)]
struct Woken(AtomicUsize);

impl ArcWake for Woken {
    fn wake_by_ref(woken: &Arc<Self>) {
        woken.0.fetch_add(1, Relaxed);
    }
}

fn soon() -> Alarm {
    Alarm::at(Instant::now() + Duration::from_secs(1))
}

fn ask(alarm: &mut Alarm, who: &Arc<Woken>) -> Poll<()> {
    alarm.poll(&mut Context::from_waker(&waker(who.clone())))
}

#[tokio::test(start_paused = true)]
async fn who_asked_often_is_woken_once_and_then_told() {
    let (mut alarm, who) = (soon(), Arc::new(Woken::default()));
    for _ in 0..100 {
        assert!(ask(&mut alarm, &who).is_pending());
    }
    sleep(Duration::from_millis(999)).await;
    assert_eq!((ask(&mut alarm, &who), who.0.load(Relaxed)), (Poll::Pending, 0));
    sleep(Duration::from_millis(2)).await;
    assert_eq!(who.0.load(Relaxed), 1);
    assert_eq!(ask(&mut alarm, &who), Poll::Ready(()));
}

#[tokio::test(start_paused = true)]
async fn the_last_who_asked_is_woken() {
    let (mut alarm, first, last) = (soon(), Arc::new(Woken::default()), Arc::new(Woken::default()));
    for who in [&first, &last, &first, &last] {
        assert!(ask(&mut alarm, who).is_pending());
    }
    sleep(Duration::from_secs(2)).await;
    assert_eq!([first, last].map(|who| who.0.load(Relaxed)), [0, 1]);
}

#[tokio::test(start_paused = true)]
async fn a_task_that_has_had_its_turn_is_woken_all_the_same() {
    let mut alarm = soon();
    let began = Instant::now();
    let task = crate::Tasks::new().spawn(async move {
        let mut first = true;
        poll_fn(|cx| {
            if std::mem::take(&mut first) {
                while pin!(consume_budget()).poll(cx).is_ready() {}
            }
            alarm.poll(cx)
        })
        .await;
        began.elapsed()
    });
    assert_eq!(task.await.unwrap(), Duration::from_secs(1));
}
