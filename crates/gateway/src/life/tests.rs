use super::*;
use futures_util::FutureExt;
use orchestrator_core::Tasks;

#[tokio::test(start_paused = true)]
async fn it_only_goes_forward() {
    let (director, life) = life();
    assert_eq!(life.stage(), Stage::Starting);
    director.enter(Stage::Draining);
    director.enter(Stage::Ready);
    assert_eq!(life.stage(), Stage::Draining);
}

#[tokio::test(start_paused = true)]
async fn a_stage_is_reached_by_a_later_one_too() {
    let (director, mut life) = life();
    assert!(!life.reached_within(Stage::Ready, Duration::from_secs(1)).await);
    director.enter(Stage::Over);
    assert!(life.reached_within(Stage::Draining, Duration::ZERO).await);
}

#[tokio::test(start_paused = true)]
async fn a_life_without_a_director_waits_for_ever() {
    let (director, mut life) = life();
    drop(director);
    assert!(!life.reached_within(Stage::Ready, Duration::from_secs(3600)).await);
}

#[tokio::test(start_paused = true)]
async fn one_who_waits_is_told_after_any_stages_between_and_whoever_asks() {
    let (director, mut life) = life();
    let mut draining = Box::pin(async move { life.reached(Stage::Draining).await });
    // Asked at the start by somebody whom nobody wakes.
    assert!(draining.as_mut().now_or_never().is_none());
    let waiting = Tasks::new().spawn(async move {
        let mut seen = 0;
        loop {
            tokio::select! {
                biased;
                () = &mut draining => return seen,
                () = tokio::task::yield_now(), if seen < 300 => seen += 1,
            }
        }
    });
    for stage in [Stage::Ready, Stage::Leaving] {
        director.enter(stage);
        tokio::time::sleep(Duration::from_millis(1)).await;
        assert!(!waiting.is_finished());
    }
    director.enter(Stage::Draining);
    let asked = tokio::time::timeout(Duration::from_secs(1), waiting).await;
    assert_eq!(asked.expect("it is woken").unwrap(), 300, "asked often meanwhile");
}
