use super::*;

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
