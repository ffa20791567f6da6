//! The line and the pools, as operators see them.

use crate::fixtures::Bench;
use expect_test::expect;

#[tokio::test(start_paused = true)]
async fn pools_show_their_slots_and_what_runs_in_them() {
    let bench = Bench::new();
    let held = bench.keeper.slots.fast.try_take().unwrap();
    expect![[r#"
        {
          "fast": 1,
          "slow": 100,
          "running": {
            "fast": 1,
            "slow": 0
          }
        }"#]]
    .assert_eq(&bench.get("pools"));
    drop(held);
}

#[tokio::test(start_paused = true)]
async fn the_pipeline_shows_stages_and_lanes() {
    expect![[r#"
        {
          "name": "p",
          "version": "1",
          "lines": 2,
          "in_flight": 5,
          "max_in_flight": 100,
          "stages": [
            {
              "name": "gate",
              "width": 200,
              "capacity": 64,
              "depth": 3
            }
          ],
          "lanes": [
            {
              "name": "high",
              "weight": 16,
              "waiting": 2,
              "capacity": 1000
            }
          ]
        }"#]]
    .assert_eq(&Bench::new().get("pipeline"));
}
