use super::*;

#[test]
fn the_mean_follows_slowly_and_begins_with_the_first_sample() {
    let second = Duration::from_secs(1);
    assert_eq!(average(Duration::ZERO, second), second);
    assert_eq!(average(second, second), second);
    assert_eq!(
        average(Duration::from_secs(16), Duration::ZERO),
        Duration::from_secs(15)
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
