//! Going straight on keeps what the edge promises.

use super::*;
use proptest::prelude::*;
use tokio::task::yield_now;

/// Runs a stage of this width by hand: the end that jobs go into, and the diary of what happened.
struct Single {
    outlet: Outlet<Task>,
    diary: Diary,
    tasks: Tasks,
}

impl Single {
    async fn start(width: usize, capacity: usize) -> Self {
        let (outlet, inlet) = edge(capacity);
        let (nowhere, _) = edge(1);
        let (diary, tasks) = (Diary::begin(), Tasks::new());
        let metrics = LineMetrics::register(&prometheus::Registry::new()).unwrap();
        let drive = Drive {
            stage: Arc::new(Second(diary.clone())),
            inlet,
            next: nowhere,
            width: Live::fixed(width),
            tasks: tasks.clone(),
            metrics: metrics.stage(StageName::Stream),
        };
        drop(tasks.spawn(drive.run()));
        yield_now().await;
        Single { outlet, diary, tasks }
    }
}

#[tokio::test(start_paused = true)]
async fn a_job_goes_straight_on_into_a_stage_with_room() {
    let single = Single::start(2, 2).await;
    let (first, _answer) = job(task(1, 0, 10), Duration::from_secs(1));
    let tasks = single.tasks.len();
    let onward = single.outlet.pass(first).await.expect("there is room");
    assert_eq!(single.tasks.len(), tasks, "no task was spawned");
    onward.travel().await;
    expect![[r"
        0    1 in second
        10   1 through
    "]]
    .assert_eq(&single.diary.text());
}

#[tokio::test(start_paused = true)]
async fn a_job_that_was_let_in_and_dropped_before_it_began_gives_its_place_back() {
    let single = Single::start(1, 1).await;
    let (first, _answer) = job(task(1, 0, 10), Duration::from_secs(1));
    drop(single.outlet.pass(first).await);
    let (second, _answer) = job(task(2, 0, 10), Duration::from_secs(1));
    assert!(single.outlet.pass(second).await.is_some());
}

#[tokio::test(start_paused = true)]
async fn nobody_goes_straight_on_past_one_who_waits() {
    let single = Single::start(1, 8).await;
    let mut answers = Vec::new();
    for name in 1..=3 {
        let (job, answer) = job(task(name, 0, 10), Duration::from_secs(1));
        single.outlet.launch(job, &single.tasks);
        answers.push(answer);
    }
    // The stage has just become free, and two still wait in the edge.
    sleep(Duration::from_millis(10)).await;
    let (late, answer) = job(task(4, 0, 10), Duration::from_secs(1));
    assert!(single.outlet.pass(late).await.is_none());
    assert_eq!(code(answer).await, None);
    let order: Vec<_> = single
        .diary
        .text()
        .lines()
        .filter(|line| line.ends_with("in second"))
        .map(|line| line.split_whitespace().nth(1).unwrap().to_owned())
        .collect();
    assert_eq!(order, ["1", "2", "3", "4"]);
}

#[tokio::test(start_paused = true)]
async fn a_burst_beyond_the_capacity_waits_in_order_and_loses_nobody() {
    let single = Single::start(2, 1).await;
    let mut answers = Vec::new();
    for name in 0..20 {
        let (job, answer) = job(task(name, 0, 10), Duration::from_secs(9));
        single.outlet.launch(job, &single.tasks);
        answers.push(answer);
    }
    for answer in answers {
        assert_eq!(code(answer).await, None);
    }
    assert_eq!(single.diary.began.elapsed().as_millis(), 100);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whoever goes straight on and whoever does not: at most `width` are in the stage, and they begin in the order in
    /// which they came.
    #[test]
    fn width_and_order_hold_for_any_arrivals(
        width in 1_usize..4,
        capacity in 1_usize..4,
        jobs in proptest::collection::vec((0_u64..4, 0_u64..6), 1..24),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        let text = runtime.block_on(async {
            let single = Single::start(width, capacity).await;
            let mut answers = Vec::new();
            for (name, (pause, work)) in jobs.iter().enumerate() {
                sleep(Duration::from_millis(*pause)).await;
                let (job, answer) = job(task(name as u64, 0, *work), Duration::from_secs(60));
                match single.outlet.pass(job).await {
                    Some(onward) => drop(single.tasks.spawn(onward.travel())),
                    None => yield_now().await,
                }
                answers.push(answer);
            }
            for answer in answers {
                prop_assert_eq!(code(answer).await, None);
            }
            Ok(single.diary.text())
        })?;
        let (mut inside, mut begun) = (0_usize, Vec::new());
        for line in text.lines() {
            let name: usize = line.split_whitespace().nth(1).unwrap().parse().unwrap();
            if line.ends_with("in second") {
                inside += 1;
                begun.push(name);
            } else {
                inside -= 1;
            }
            prop_assert!(inside <= width, "{text}");
        }
        prop_assert!(begun.is_sorted(), "{text}");
        prop_assert_eq!(begun.len(), jobs.len());
    }
}
