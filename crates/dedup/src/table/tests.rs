mod model;

use super::*;
use orchestrator_core::{AnswerWriter, Chunk, Degraded, End, FinishReason, Head, Tier, answer};
use prometheus::Registry;
use std::sync::Arc;

fn table() -> (Table, Metrics) {
    let metrics = Metrics::register(&Registry::new()).unwrap();
    (Table::new(metrics.clone()), metrics)
}

fn what(number: u8) -> Fingerprint {
    Fingerprint([number; 32])
}

fn asker() -> Asker {
    Asker {
        until: Instant::now() + Duration::from_secs(600),
        priority: Priority::Normal,
    }
}

fn leader(ledger: &Arc<Ledger>) -> (AnswerWriter, Answer) {
    answer(asker().until, Priority::Normal, ledger.clone())
}

fn end() -> End {
    End {
        finish: FinishReason::Stop,
        usage: None,
        cut: false,
    }
}

/// Asks with an answer of its own that nobody hears any more when it was not needed.
fn ask(table: &mut Table, number: u8, config: &Config) -> Option<Cache> {
    let (own, _listener) = leader(&Ledger::generous());
    let reference = own.downgrade().unwrap();
    table
        .join_or_lead(what(number), asker(), reference, config)
        .map(|(_, cache)| cache)
}

fn window(window_s: u64) -> Config {
    Config {
        window_s,
        ..Config::default()
    }
}

#[tokio::test(start_paused = true)]
async fn a_finished_answer_is_replayed_within_the_window_from_its_end_and_not_after() {
    let (mut table, _) = table();
    let (writer, listener) = leader(&Ledger::generous());
    table.lead(what(1), writer.downgrade().unwrap(), &window(10));
    tokio::time::advance(Duration::from_secs(100)).await;
    writer.finish(end());
    drop(listener);
    tokio::time::advance(Duration::from_millis(9_999)).await;
    assert_eq!(ask(&mut table, 1, &window(10)), Some(Cache::Hit));
    tokio::time::advance(Duration::from_millis(1)).await;
    assert_eq!(ask(&mut table, 1, &window(10)), None);
}

#[tokio::test(start_paused = true)]
async fn without_a_window_only_running_answers_are_shared_and_nothing_is_kept() {
    let (mut table, _) = table();
    let ledger = Ledger::generous();
    let (mut writer, listener) = leader(&ledger);
    table.lead(what(1), writer.downgrade().unwrap(), &window(0));
    assert_eq!(ask(&mut table, 1, &window(0)), Some(Cache::Coalesced));
    writer.push([Chunk::text("x")]);
    writer.finish(end());
    drop(listener);
    assert_eq!(ledger.bytes(), 0, "the table keeps no log alive");
    assert_eq!(ask(&mut table, 1, &window(0)), None);
}

#[tokio::test(start_paused = true)]
async fn failed_cut_and_abandoned_answers_are_never_replayed() {
    let (mut table, _) = table();
    let endings: [fn(AnswerWriter); 3] = [
        |writer| {
            writer.fail(orchestrator_core::Failure::new(
                orchestrator_core::Code::UpstreamError,
                "500",
            ))
        },
        |writer| writer.finish(End { cut: true, ..end() }),
        |writer| drop(writer),
    ];
    for ending in endings {
        let (writer, _listener) = leader(&Ledger::generous());
        table.lead(what(1), writer.downgrade().unwrap(), &window(300));
        ending(writer);
        assert_eq!(ask(&mut table, 1, &window(300)), None);
    }
}

#[tokio::test(start_paused = true)]
async fn what_only_stands_in_for_an_answer_is_shared_while_it_runs_and_never_replayed() {
    let head = |degraded| Head {
        worker: "w".into(),
        tier: Tier::Primary,
        degraded,
        id: "id".into(),
        model: "m".into(),
        created: 0,
        attempts: 1,
        grounding: Vec::new(),
        waited: Duration::ZERO,
    };
    for (degraded, replayed) in [(Some(Degraded::Message), None), (None, Some(Cache::Hit))] {
        let (mut table, _) = table();
        let (mut writer, listener) = leader(&Ledger::generous());
        table.lead(what(1), writer.downgrade().unwrap(), &window(300));
        writer.head(head(degraded));
        writer.push([Chunk::text("x")]);
        assert_eq!(ask(&mut table, 1, &window(300)), Some(Cache::Coalesced));
        writer.finish(end());
        drop(listener);
        assert_eq!(ask(&mut table, 1, &window(300)), replayed);
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_nobody_hears_any_more_is_not_joined() {
    let (mut table, _) = table();
    let (writer, listener) = leader(&Ledger::generous());
    table.lead(what(1), writer.downgrade().unwrap(), &window(300));
    drop(listener);
    assert_eq!(ask(&mut table, 1, &window(300)), None, "its work is being given up");
    drop(writer);
}

#[tokio::test(start_paused = true)]
async fn the_answer_used_longest_ago_goes_first_when_there_are_too_many() {
    let (mut table, metrics) = table();
    let config = Config {
        max_entries: 2,
        ..window(300)
    };
    for number in 1..=2 {
        let (writer, _listener) = leader(&Ledger::generous());
        table.lead(what(number), writer.downgrade().unwrap(), &config);
        writer.finish(end());
    }
    assert_eq!(
        ask(&mut table, 1, &config),
        Some(Cache::Hit),
        "now 2 was used longest ago"
    );
    assert_eq!(ask(&mut table, 3, &config), None);
    assert_eq!((metrics.entries.get(), metrics.evictions.get()), (2, 1));
    assert_eq!(ask(&mut table, 1, &config), Some(Cache::Hit));
    assert_eq!(ask(&mut table, 2, &config), None);
}

#[tokio::test(start_paused = true)]
async fn a_running_answer_outlives_those_that_ended_however_long_ago_it_was_asked_for() {
    for (window_s, evictions) in [(0, 0), (300, 96)] {
        let (mut table, metrics) = table();
        let config = Config {
            max_entries: 4,
            ..window(window_s)
        };
        let (running, _listener) = leader(&Ledger::generous());
        table.lead(what(0), running.downgrade().unwrap(), &config);
        for number in 1..100 {
            let (writer, _listener) = leader(&Ledger::generous());
            table.lead(what(number), writer.downgrade().unwrap(), &config);
            writer.finish(end());
        }
        assert_eq!(metrics.evictions.get(), evictions);
        assert_eq!(ask(&mut table, 0, &config), Some(Cache::Coalesced));
    }
}

#[tokio::test(start_paused = true)]
async fn answers_that_are_over_do_not_pile_up_behind_those_that_run() {
    let (mut table, metrics) = table();
    let lead = |table: &mut Table, number: usize| {
        let (writer, listener) = leader(&Ledger::generous());
        let what = Fingerprint(*blake3::hash(&number.to_le_bytes()).as_bytes());
        table.lead(what, writer.downgrade().unwrap(), &window(0));
        (writer, listener)
    };
    let _running: Vec<_> = (0..700).map(|number| lead(&mut table, number)).collect();
    for number in 700..5_000 {
        drop(lead(&mut table, number));
    }
    let entries = metrics.entries.get();
    assert!((700..=810).contains(&entries), "{entries} entries for 700 that run");
}

#[tokio::test(start_paused = true)]
async fn as_many_as_run_beyond_the_limit_are_forgotten_the_oldest_first() {
    let (mut table, metrics) = table();
    let config = Config {
        max_entries: 3,
        ..window(0)
    };
    let leaders: Vec<_> = (0..5).map(|_| leader(&Ledger::generous())).collect();
    for (number, (writer, _)) in (0..).zip(&leaders) {
        table.lead(what(number), writer.downgrade().unwrap(), &config);
    }
    assert_eq!((metrics.entries.get(), metrics.evictions.get()), (3, 0));
    let known = (0..5).filter(|number| table.answers.peek(&what(*number)).is_some());
    assert_eq!(known.collect::<Vec<_>>(), [2, 3, 4]);
}

#[tokio::test(start_paused = true)]
async fn kept_answers_go_when_the_ledger_is_full_and_running_ones_stay() {
    let (mut table, metrics) = table();
    let ledger = Ledger::new(1 << 20, 3_000, 100);
    let mut listeners = Vec::new();
    for number in 1..=4 {
        let (mut writer, listener) = leader(&ledger);
        table.lead(what(number), writer.downgrade().unwrap(), &window(300));
        writer.push([Chunk::text("x".repeat(1_000))]);
        if number == 1 {
            listeners.push((Some(writer), listener));
        } else {
            writer.finish(end());
        }
    }
    assert!(ledger.is_full());
    table.relieve(&ledger);
    assert!(!ledger.is_full());
    assert!(metrics.evictions.get() >= 1);
    assert_eq!(
        ask(&mut table, 1, &window(300)),
        Some(Cache::Coalesced),
        "it runs, so it is heard on"
    );
}

#[tokio::test(start_paused = true)]
async fn entries_whose_time_is_over_go_as_new_ones_come() {
    let (mut table, metrics) = table();
    for number in 1..=40 {
        let (writer, _listener) = leader(&Ledger::generous());
        table.lead(what(number), writer.downgrade().unwrap(), &window(1));
        writer.finish(end());
    }
    tokio::time::advance(Duration::from_secs(2)).await;
    for number in 41..=60 {
        assert_eq!(ask(&mut table, number, &window(1)), None);
    }
    assert!(
        metrics.entries.get() <= 20,
        "{} entries are left",
        metrics.entries.get()
    );
}
