use super::*;

#[test]
fn a_wait_is_expected_to_take_an_interval_for_each_who_is_called_before_and_its_own() {
    let (now, lanes, second) = (Instant::now(), LanesConfig::default(), Duration::from_secs(1));
    let mut rooms = Rooms::new(1);
    let expected = |rooms: &Rooms<()>, interval| rooms.expected_wait((0, interval), Priority::Normal, &lanes);
    assert_eq!(expected(&rooms, second), second);
    for _ in 0..3 {
        rooms.wait(0, Priority::Normal, (), now);
    }
    assert_eq!(expected(&rooms, second), second * 4);
    assert_eq!(expected(&rooms, Duration::ZERO), Duration::ZERO);
    assert_eq!(expected(&rooms, Duration::MAX), Duration::MAX);
    assert_eq!(
        rooms.expected_wait((1, second), Priority::Normal, &lanes),
        Duration::ZERO,
        "there is no such room"
    );
}

/// Who is called in how many of `turns`, when somebody waits in each of these rooms all the time and `full` has no credit.
fn turns(lanes: &[Priority], full: Option<usize>, turns: usize) -> Vec<usize> {
    let (now, weights) = (Instant::now(), Weights::default());
    let mut rooms = Rooms::new(lanes.len());
    for (room, priority) in lanes.iter().enumerate() {
        rooms.wait(room, *priority, (), now);
    }
    let mut called = vec![0; lanes.len()];
    for _ in 0..turns {
        let mut left = rooms.occupied();
        while let Some(room) = rooms.turn(&left, &weights) {
            if Some(room) != full {
                rooms.take_turn(&left, room, &weights);
                called[room] += 1;
                break;
            }
            left.retain(|other| *other != room);
        }
    }
    called
}

#[test]
fn rooms_have_turns_by_the_weight_of_their_highest_lane() {
    use Priority::{High, Low, Normal};
    assert_eq!(turns(&[Low, High, Normal], None, 210), [10, 160, 40]);
    assert_eq!(turns(&[Normal; 3], None, 9), [3; 3]);
    assert_eq!(turns(&[], None, 9), [0; 0]);
}

#[test]
fn a_room_without_a_credit_keeps_nobody_from_a_turn_and_is_owed_little_for_it() {
    use Priority::{High, Normal};
    assert_eq!(turns(&[High, Normal, Normal], Some(0), 100), [0, 50, 50]);
    let (now, weights) = (Instant::now(), Weights::default());
    let mut rooms = Rooms::new(2);
    for room in [0, 1] {
        rooms.wait(room, Normal, (), now);
    }
    for _ in 0..1_000 {
        // The first has no credit, so that the second is called whoever's turn it is.
        let left = if rooms.turn(&[0, 1], &weights) == Some(0) {
            &[1][..]
        } else {
            &[0, 1]
        };
        rooms.take_turn(left, 1, &weights);
    }
    let next: Vec<_> = (0..8)
        .map(|_| {
            let room = rooms.turn(&[0, 1], &weights).unwrap();
            rooms.take_turn(&[0, 1], room, &weights);
            room
        })
        .collect();
    assert!(next.iter().filter(|room| **room == 0).count() <= 5, "{next:?}");
}
