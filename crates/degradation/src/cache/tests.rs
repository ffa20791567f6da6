use super::*;
use crate::fixtures::what;
use orchestrator_core::{Text, Tier};
use proptest::prelude::*;
use std::time::Duration;

fn kept(model: &str, bytes: usize, at: Instant) -> Kept {
    let head = Head {
        worker: "w".into(),
        tier: Tier::Primary,
        degraded: None,
        id: Text::default(),
        model: model.into(),
        created: 0,
        attempts: 1,
        grounding: Vec::new(),
        waited: Duration::ZERO,
    };
    Kept {
        head: Box::new(head),
        chunks: Arc::new([]),
        bytes,
        at,
    }
}

fn config(max_entries: usize, max_bytes: usize) -> CacheConfig {
    CacheConfig {
        fresh_s: 10,
        stale_s: 20,
        max_entries,
        max_bytes,
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_fresh_then_stale_then_gone() {
    let mut cache = Cache::new(config(9, 1_600));
    let began = Instant::now();
    cache.keep(what("q"), kept("m", 7, began));
    let mut degraded = |millis| {
        let found = cache.find(&what("q"), began + Duration::from_millis(millis));
        found.map(|(_, degraded)| (degraded.as_str(), degraded.age().unwrap().as_millis()))
    };
    assert_eq!(degraded(0), Some(("cache", 0)));
    assert_eq!(degraded(10_000), Some(("cache", 10_000)), "the border is fresh");
    assert_eq!(degraded(10_001), Some(("stale", 10_001)));
    assert_eq!(degraded(20_000), Some(("stale", 20_000)), "the border may be given");
    assert_eq!(degraded(20_001), None);
    assert_eq!(degraded(0), None, "what was too old once has gone");
    assert_eq!(cache.size(), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn no_stale_answers_are_given_where_none_are_wanted() {
    let mut cache = Cache::new(CacheConfig {
        stale_s: 0,
        ..config(9, 1_600)
    });
    let began = Instant::now();
    cache.keep(what("q"), kept("m", 7, began));
    assert!(cache.find(&what("q"), began + Duration::from_secs(10)).is_some());
    assert!(cache.find(&what("q"), began + Duration::from_millis(10_001)).is_none());
}

#[tokio::test(start_paused = true)]
async fn the_latest_answer_to_a_question_is_the_one_that_is_kept() {
    let mut cache = Cache::new(config(9, 1_600));
    let began = Instant::now();
    cache.keep(what("q"), kept("old", 70, began));
    cache.keep(what("q"), kept("new", 7, began));
    let (found, _) = cache.find(&what("q"), began).unwrap();
    assert_eq!((&*found.head.model, cache.size()), ("new", (1, 7)));
}

#[tokio::test(start_paused = true)]
async fn a_long_answer_does_not_displace_all_others() {
    let mut cache = Cache::new(config(9, 1_600));
    let now = Instant::now();
    for question in ["a", "b"] {
        cache.keep(what(question), kept("m", 100, now));
    }
    cache.keep(what("c"), kept("m", 101, now));
    assert_eq!(cache.size(), (2, 200));
    assert!(cache.find(&what("c"), now).is_none());
}

#[tokio::test(start_paused = true)]
async fn answers_that_are_still_heard_leave_half_of_the_room_to_those_that_are_kept() {
    let mut cache = Cache::new(config(99, 1_600));
    let now = Instant::now();
    for question in 'a'..='p' {
        cache.keep(what(&question.to_string()), kept("m", 100, now));
    }
    assert_eq!(cache.size(), (16, 1_600));
    assert!(cache.set_apart(799));
    assert_eq!(cache.size(), (8, 1_599), "the oldest go for them");
    assert!(!cache.set_apart(2), "half is all they get");
    assert!(cache.set_apart(1));
    cache.take_back(800);
    assert_eq!(cache.size(), (8, 800));
    assert!(cache.find(&what("i"), now).is_some(), "the latest are still there");
}

/// What is done to a cache, with so many bytes.
#[derive(Clone, Copy, Debug)]
enum Step {
    Ask,
    Keep,
    SetApart,
    TakeBack,
}

fn step() -> impl Strategy<Value = (u8, usize, Step)> {
    let steps = vec![Step::Ask, Step::Keep, Step::Keep, Step::SetApart, Step::TakeBack];
    (0_u8..12, 1_usize..40, proptest::sample::select(steps))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// The cache holds what a list holds from which the entry used longest ago is taken until the limits hold, and never more
    /// bytes than it may, with those that are set apart.
    #[test]
    fn it_is_a_list_in_the_order_of_use(steps in proptest::collection::vec(step(), 0..80)) {
        let (max_entries, max_bytes) = (6, 320);
        let now = Instant::now();
        let mut cache = Cache::new(config(max_entries, max_bytes));
        let mut list: Vec<(u8, usize)> = Vec::new();
        let mut apart = 0;
        for (question, bytes, step) in steps {
            let key = what(&char::from(b'a' + question).to_string());
            let place = list.iter().position(|(known, _)| *known == question);
            match step {
                Step::Ask => {
                    prop_assert_eq!(cache.find(&key, now).map(|(kept, _)| kept.bytes), place.map(|place| list[place].1));
                    if let Some(place) = place {
                        let used = list.remove(place);
                        list.push(used);
                    }
                }
                Step::Keep => {
                    cache.keep(key, kept("m", bytes, now));
                    if bytes <= max_bytes.div_ceil(16) {
                        list.retain(|(known, _)| *known != question);
                        list.push((question, bytes));
                    }
                }
                Step::SetApart => {
                    let has_room = apart + bytes <= max_bytes / 2;
                    prop_assert_eq!(cache.set_apart(bytes), has_room);
                    apart += if has_room { bytes } else { 0 };
                }
                Step::TakeBack => {
                    cache.take_back(bytes.min(apart));
                    apart -= bytes.min(apart);
                }
            }
            let sum = |list: &[(u8, usize)]| apart + list.iter().map(|(_, bytes)| bytes).sum::<usize>();
            while list.len() > max_entries || sum(&list) > max_bytes {
                list.remove(0);
            }
            prop_assert_eq!(cache.size(), (list.len(), sum(&list)));
        }
    }
}
