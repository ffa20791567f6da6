use super::*;
use proptest::{collection::vec, prelude::*};
use std::{sync::Barrier, thread};

fn load(all: usize, streams: usize) -> Load {
    Load::new(Limit::new(Some(all), Some(streams)))
}

#[test]
fn without_limits_everything_is_let_on() {
    let load = Load::new(Limit::new(None, None));
    let held: Vec<_> = (0..1_000).map(|nth| load.enter(nth % 2 == 0).unwrap()).collect();
    assert_eq!((load.all(), held.len()), (1_000, 1_000));
    assert_eq!(
        (load.left(true), load.left(false)),
        (usize::MAX - 1_000, usize::MAX - 1_000)
    );
    drop(held);
    assert_eq!((load.all(), load.left(false)), (0, usize::MAX));
}

#[test]
fn a_stream_that_finds_no_room_among_streams_takes_none_among_all() {
    let load = load(3, 1);
    let stream = load.enter(true).unwrap();
    assert!(load.enter(true).is_none());
    assert_eq!((load.all(), load.left(true), load.left(false)), (1, 0, 2));
    drop(stream);
    assert_eq!((load.all(), load.left(true), load.left(false)), (0, 1, 3));
}

#[test]
fn of_many_racers_exactly_as_many_as_may_are_let_on() {
    for (all, streams, is_stream, expected) in [(7, 100, false, 7), (100, 7, true, 7), (5, 7, true, 5)] {
        let (load, barrier) = (load(all, streams), Barrier::new(16));
        let enter = || {
            barrier.wait();
            let held: Vec<_> = (0..3).map_while(|_| load.enter(is_stream)).collect();
            barrier.wait();
            held.len()
        };
        let let_on: usize = thread::scope(|scope| {
            let racers: Vec<_> = (0..16).map(|_| scope.spawn(enter)).collect();
            racers.into_iter().map(|racer| racer.join().unwrap()).sum()
        });
        assert_eq!((let_on, load.all(), load.left(is_stream)), (expected, 0, expected));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Against a list of what is under way.
    #[test]
    fn it_counts_as_a_list_would(all in 0_usize..6, streams in 0_usize..6, steps in vec((any::<bool>(), 0_usize..8), 0..60)) {
        let load = load(all, streams);
        let mut held: Vec<(bool, Counted)> = Vec::new();
        for (is_stream, leaves) in steps {
            if leaves < held.len() {
                drop(held.remove(leaves));
            }
            let streaming = held.iter().filter(|(is_stream, _)| *is_stream).count();
            let may = held.len() < all && (!is_stream || streaming < streams);
            let entered = load.enter(is_stream);
            prop_assert_eq!(entered.is_some(), may);
            held.extend(entered.map(|counted| (is_stream, counted)));
            let streaming = held.iter().filter(|(is_stream, _)| *is_stream).count();
            prop_assert_eq!(load.all(), held.len());
            prop_assert_eq!(load.left(false), all - held.len());
            prop_assert_eq!(load.left(true), (all - held.len()).min(streams.saturating_sub(streaming)));
        }
        drop(held);
        prop_assert_eq!(load.all(), 0);
    }
}
