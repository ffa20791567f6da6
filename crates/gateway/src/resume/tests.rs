use super::*;
use orchestrator_core::{Ledger, Priority, answer};
use std::time::Duration;
use tokio::time::Instant;

fn id(number: u64) -> RequestId {
    RequestId::mint(number, [0; 10])
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_found_as_long_as_somebody_keeps_it() {
    let table = Resumable::new(10);
    let (writer, listener) = answer(
        Instant::now() + Duration::from_secs(9),
        Priority::Normal,
        Ledger::generous(),
    );
    table.remember(id(1), &listener.downgrade());
    assert!(table.find(id(1)).is_ok());
    drop((writer, listener));
    let gone = table.find(id(1)).unwrap_err();
    assert_eq!(
        (gone.code(), gone.param()),
        (Code::ResumeNotPossible, Some("request_id"))
    );
    assert!(table.find(id(2)).is_err(), "one that never was");
}

#[tokio::test(start_paused = true)]
async fn the_table_is_bounded() {
    let table = Resumable::new(2);
    let (_writer, listener) = answer(
        Instant::now() + Duration::from_secs(9),
        Priority::Normal,
        Ledger::generous(),
    );
    for number in 1..=3 {
        table.remember(id(number), &listener.downgrade());
    }
    assert_eq!(
        [1, 2, 3].map(|number| table.find(id(number)).is_ok()),
        [false, true, true]
    );
}

#[tokio::test(start_paused = true)]
async fn a_kept_place_is_taken_over_once_or_given_back() {
    let (table, ledger) = (Resumable::new(10), Ledger::generous());
    let until = Instant::now() + Duration::from_secs(9);
    let (_writer, listener) = answer(until, Priority::Normal, ledger.clone());
    let _unknown = table.keep(id(1), ledger.enter().unwrap());
    assert!(table.take(id(1)).is_none(), "nobody can come back to it");
    table.remember(id(2), &listener.downgrade());
    for is_taken in [true, false] {
        let kept = table.keep(id(2), ledger.enter().unwrap());
        let place = is_taken.then(|| table.take(id(2)).unwrap());
        assert_eq!(table.take(id(2)).is_none(), is_taken);
        assert_eq!(ledger.requests(), 1 + usize::from(is_taken));
        drop(kept);
        assert!(table.take(id(2)).is_none());
        assert_eq!(ledger.requests(), 1 + usize::from(is_taken));
        drop(place);
        assert_eq!(ledger.requests(), 1);
    }
}
