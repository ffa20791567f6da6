use super::*;
use orchestrator_testkit::chat;
use proptest::{collection::vec, prelude::*};

/// Turns by the letters of their roles: system, user, assistant, tool; each says its place and takes five tokens.
fn turns(roles: &str) -> Vec<Message> {
    let turn = |(place, role): (usize, char)| {
        let role = match role {
            's' => "system",
            'u' => "user",
            'a' => "assistant",
            _ => "tool",
        };
        format!(r#"{{"role":"{role}","content":"{place:03}"}}"#)
    };
    let turns: Vec<String> = roles.chars().enumerate().map(turn).collect();
    chat(format!(r#"{{"messages":[{}]}}"#, turns.join(","))).messages
}

fn window(tokens: u64) -> Window {
    Window {
        tokens,
        answer: 0,
        beside: 0,
    }
}

/// The places of the turns that are left in a window for so many of them.
fn left(roles: &str, room: u64) -> Option<Vec<usize>> {
    let mut messages = turns(roles);
    let left = shorten(&mut messages, window(3 + 5 * room), |_| 5).ok()?;
    let places: Vec<usize> = messages.iter().map(|message| message.text().parse().unwrap()).collect();
    let all_stay = places.len() == roles.len();
    assert_eq!(left, all_stay.then(|| 5 * (room - places.len() as u64)));
    Some(places)
}

#[test]
fn whole_exchanges_go_oldest_first() {
    assert_eq!(left("suauau", 6), Some(vec![0, 1, 2, 3, 4, 5]));
    assert_eq!(left("suauau", 5), Some(vec![0, 3, 4, 5]));
    assert_eq!(left("suauau", 3), Some(vec![0, 5]));
    assert_eq!(left("suauau", 1), None);
}

#[test]
fn calls_of_tools_stay_with_their_results() {
    assert_eq!(left("uattauau", 7), Some(vec![5, 6, 7]));
}

#[test]
fn what_comes_after_the_last_question_stays() {
    assert_eq!(left("uauatt", 4), Some(vec![2, 3, 4, 5]));
    assert_eq!(left("uauatt", 3), None);
}

#[test]
fn system_turns_stay_wherever_they_stand() {
    assert_eq!(left("suasuau", 5), Some(vec![0, 3, 4, 5, 6]));
    assert_eq!(left("suasuau", 3), Some(vec![0, 3, 6]));
}

#[test]
fn an_answer_before_any_question_is_an_exchange_of_its_own() {
    assert_eq!(left("aau", 2), Some(vec![2]));
    assert_eq!(left("aauau", 3), Some(vec![2, 3, 4]));
}

#[test]
fn a_conversation_without_a_question_may_go_but_for_its_frame() {
    assert_eq!(left("saa", 1), Some(vec![0]));
    assert_eq!(left("", 0), Some(vec![]));
}

/// A body may hold more than a million messages; a tenth of them shows it.
#[test]
fn no_more_turns_are_counted_than_the_window_can_hold() {
    let counted = |roles: &str, times: usize| {
        let mut messages: Vec<Message> = turns(roles).iter().cycle().take(times * roles.len()).cloned().collect();
        let looks = std::cell::Cell::new(0);
        let tokens = |_: &Message| {
            looks.set(looks.get() + 1);
            5
        };
        let fits = shorten(&mut messages, window(3 + 5 * 4), tokens).map_err(|failure| failure.code());
        (fits, messages.len(), looks.get())
    };
    let too_long = Err(Code::ContextLengthExceeded);
    // The last question and its answer, one exchange before it, and a turn that is one too many.
    assert_eq!(counted("ua", 100_000), (Ok(None), 4, 5));
    assert_eq!(counted("a", 100_000), (Ok(None), 0, 5));
    assert_eq!(counted("s", 100_000), (too_long, 100_000, 5));
    assert_eq!(counted("ua", 2), (Ok(Some(0)), 4, 4));
}

#[test]
fn what_is_kept_for_the_answer_is_no_room() {
    let window = Window {
        tokens: 100,
        answer: 70,
        beside: 20,
    };
    assert_eq!(window.room(), 10);
    let too_much = Window { answer: 200, ..window };
    assert_eq!(too_much.room(), 0);
}

proptest! {
    #[test]
    fn what_is_left_fits_in_order_and_as_much_as_can_be(roles in vec(prop_oneof![Just('s'), Just('u'), Just('a'), Just('t')], 0..20), room in 0_u64..20) {
        let roles: String = roles.into_iter().collect();
        let messages = turns(&roles);
        let last_question = messages.iter().rposition(|message| message.role == Role::User).unwrap_or(messages.len());
        let must_stay = |(place, message): (usize, &Message)| place >= last_question || message.role == Role::System;
        let fixed = messages.iter().enumerate().filter(|(place, message)| must_stay((*place, message))).count();
        match left(&roles, room) {
            None => prop_assert!(fixed as u64 > room),
            Some(places) => {
                prop_assert!(places.is_sorted() && places.len() as u64 <= room);
                for (place, message) in messages.iter().enumerate() {
                    prop_assert!(!must_stay((place, message)) || places.contains(&place));
                }
                // A wider window never keeps less.
                let wider = left(&roles, room + 1).unwrap();
                prop_assert!(places.iter().all(|place| wider.contains(place)));
            }
        }
    }
}
