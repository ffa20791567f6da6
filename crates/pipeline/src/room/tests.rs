use super::*;
use crate::Weights;
use proptest::prelude::*;

const STEP: Duration = Duration::from_millis(2500);

fn config() -> LanesConfig {
    LanesConfig::default()
}

fn lane() -> impl Strategy<Value = Priority> {
    prop_oneof![Just(Priority::High), Just(Priority::Normal), Just(Priority::Low)]
}

/// Fills a room with callers who know their lane and their turn in it.
fn filled(now: Instant, high: usize, normal: usize, low: usize) -> Room<(Priority, usize)> {
    let mut room = Room::new();
    for (priority, count) in [(Priority::High, high), (Priority::Normal, normal), (Priority::Low, low)] {
        for turn in 0..count {
            room.wait(priority, (priority, turn), now + STEP);
        }
    }
    room
}

fn shares(calls: &[(Priority, usize)]) -> [usize; 3] {
    Priority::ALL.map(|lane| calls.iter().filter(|(priority, _)| *priority == lane).count())
}

#[tokio::test(start_paused = true)]
async fn an_empty_room_calls_nobody() {
    let mut room: Room<()> = Room::new();
    assert!(room.is_empty());
    assert!(room.next(Instant::now(), &config()).is_none());
}

#[tokio::test(start_paused = true)]
async fn lanes_that_all_wait_share_by_their_weights() {
    let now = Instant::now();
    let mut room = filled(now, 100, 100, 100);
    let calls: Vec<_> = (0..42).filter_map(|_| room.next(now, &config())).collect();
    assert_eq!(shares(&calls), [32, 8, 2]);
}

#[tokio::test(start_paused = true)]
async fn the_first_call_goes_to_the_high_lane_even_when_all_weigh_the_same() {
    let now = Instant::now();
    let config = LanesConfig {
        weights: Weights {
            high: 1,
            normal: 1,
            low: 1,
        },
        ..config()
    };
    let mut room = filled(now, 1, 1, 1);
    let calls: Vec<_> = (0..3)
        .filter_map(|_| room.next(now, &config).map(|(lane, _)| lane))
        .collect();
    assert_eq!(calls, [Priority::High, Priority::Normal, Priority::Low]);
}

#[tokio::test(start_paused = true)]
async fn a_lane_that_waits_alone_gets_every_call() {
    let now = Instant::now();
    let mut room = filled(now, 0, 0, 5);
    let calls: Vec<_> = (0..5).filter_map(|_| room.next(now, &config())).collect();
    assert_eq!(calls, (0..5).map(|turn| (Priority::Low, turn)).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn waiting_raises_a_request_to_the_head_of_the_lanes_above() {
    let now = Instant::now();
    let mut room = Room::new();
    room.wait(Priority::Low, "patient", now + STEP);
    for _ in 0..50 {
        room.wait(Priority::High, "young", now + STEP * 9);
    }
    // The first half of the starvation time brings it to the normal lane, the second to the high one.
    assert_eq!(room.next(now + STEP, &config()), Some("young"));
    assert_eq!((room.len(Priority::Low), room.len(Priority::Normal)), (0, 1));
    assert_eq!(
        room.next(now + STEP * 2, &config()),
        Some("patient"),
        "it came first, so it goes first"
    );
}

#[tokio::test(start_paused = true)]
async fn nobody_rises_two_lanes_at_once() {
    let now = Instant::now();
    let mut room = filled(now, 1, 0, 1);
    let called = room.next(now + STEP * 9, &config());
    assert_eq!(called.map(|(lane, _)| lane), Some(Priority::High));
    assert_eq!(room.len(Priority::Normal), 1);
}

#[tokio::test(start_paused = true)]
async fn endless_high_load_drains_a_low_request_within_the_starvation_time() {
    let start = Instant::now();
    let mut room = Room::new();
    for _ in 0..100 {
        room.wait(Priority::High, false, start + STEP);
    }
    room.wait(Priority::Low, true, start + STEP);
    let config = LanesConfig {
        weights: Weights {
            high: 1000,
            normal: 1,
            low: 1,
        },
        ..config()
    };
    for second in 0..=5 {
        let now = start + Duration::from_secs(second);
        for _ in 0..20 {
            if room.next(now, &config) == Some(true) {
                return;
            }
            room.wait(Priority::High, false, now + STEP);
        }
    }
    panic!("the low request still waits after 5 s");
}

#[tokio::test(start_paused = true)]
async fn who_is_raised_keeps_seniority_and_who_left_is_not_called() {
    let now = Instant::now();
    let mut room = Room::new();
    let first = room.wait(Priority::Low, 1, now + STEP);
    let second = room.wait(Priority::High, 2, now + STEP);
    room.wait(Priority::High, 3, now + STEP);
    room.raise(first, Priority::High);
    room.leave(second);
    assert_eq!(
        (room.next(now, &config()), room.next(now, &config())),
        (Some(1), Some(3))
    );
    room.leave(first);
    assert!(room.is_empty());
}

#[tokio::test(start_paused = true)]
async fn raising_never_lowers() {
    let now = Instant::now();
    let mut room = Room::new();
    let high = room.wait(Priority::High, (), now + STEP);
    room.raise(high, Priority::Low);
    assert_eq!((room.len(Priority::High), room.len(Priority::Low)), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn those_ahead_are_those_of_the_lane_and_of_higher_ones() {
    let room = filled(Instant::now(), 3, 2, 1);
    assert_eq!(Priority::ALL.map(|lane| room.ahead_of(lane)), [3, 5, 6]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Against a naive model: everybody is called once, oldest first inside a lane while nobody rises.
    #[test]
    fn each_who_stays_is_called_once_and_in_order(arrivals in prop::collection::vec((lane(), any::<bool>()), 0..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let now = Instant::now();
            let mut room = Room::new();
            let mut stayed = Vec::new();
            for (turn, (priority, leaves)) in arrivals.iter().enumerate() {
                let number = room.wait(*priority, (*priority, turn), now + STEP);
                if *leaves {
                    room.leave(number);
                } else {
                    stayed.push((*priority, turn));
                }
            }
            let mut called = Vec::new();
            while let Some(caller) = room.next(now, &config()) {
                called.push(caller);
            }
            for lane in Priority::ALL {
                let of = |all: &[(Priority, usize)]| all.iter().filter(|(p, _)| *p == lane).map(|(_, t)| *t).collect::<Vec<_>>();
                assert_eq!(of(&called), of(&stayed));
            }
            assert!(room.is_empty());
        });
    }

    /// Over any weights, a lane that always waits gets its share of the calls, one more or less a round.
    #[test]
    fn shares_follow_any_weights(high in 1_u32..20, normal in 1_u32..20, low in 1_u32..20) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let now = Instant::now();
            let config = LanesConfig { weights: Weights { high, normal, low }, ..config() };
            let total = (high + normal + low) as usize;
            let mut room = filled(now, total * 2, total * 2, total * 2);
            let calls: Vec<_> = (0..total * 2).filter_map(|_| room.next(now, &config)).collect();
            assert_eq!(shares(&calls), [high, normal, low].map(|weight| weight as usize * 2));
        });
    }
}
