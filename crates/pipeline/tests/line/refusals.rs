//! Who is refused, where, and by which word.

use super::*;

#[tokio::test(start_paused = true)]
async fn more_than_may_be_in_flight_are_refused_at_the_entry() {
    let model = Model::following([Call::new().hang()]);
    let lines = Plan {
        max_in_flight: 2,
        ..Plan::default()
    }
    .start(&model);
    let held = [lines.ask("a"), lines.ask("b")];
    let failure = refused(&lines, "c");
    assert_eq!(
        (failure.code(), failure.retry_after()),
        (Code::Overloaded, Some(Duration::from_secs(1)))
    );
    assert_eq!(lines.metric(r#"orchestrator_shed_total{reason="max_in_flight"}"#), 1.0);
    drop(held);
    assert!(lines.submit(request("d")).is_ok());
}

#[tokio::test(start_paused = true)]
async fn who_goes_on_with_an_answer_takes_a_place_like_any_other() {
    let model = Model::following([Call::new().hang()]);
    let lines = Plan {
        max_in_flight: 2,
        ..Plan::default()
    }
    .start(&model);
    let (entry, held) = (&lines.entries[0], lines.ask("a"));
    let place = entry.enter().unwrap();
    assert_eq!(refused(&lines, "b").code(), Code::Overloaded);
    let failure = entry.enter().unwrap_err();
    assert_eq!(
        (failure.code(), failure.retry_after()),
        (Code::Overloaded, Some(Duration::from_secs(1)))
    );
    assert_eq!(lines.metric(r#"orchestrator_shed_total{reason="max_in_flight"}"#), 2.0);
    drop((held, place));
    assert_eq!(lines.ledger.requests(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_full_lane_refuses_and_the_other_lanes_do_not() {
    let lanes = LanesConfig {
        capacity: 1,
        ..LanesConfig::default()
    };
    let model = Model::following([Call::new().hang()]);
    let lines = Plan {
        credits: 1,
        lanes,
        ..Plan::default()
    }
    .start(&model);
    let running = lines.ask("running");
    settle().await;
    let waiting = lines.ask("waiting");
    settle().await;
    let failure = collect(lines.ask("third")).await.unwrap_err();
    assert_eq!(failure.code(), Code::Overloaded);
    assert!(failure.retry_after().is_some());
    let high = lines.submit(with_priority("high", Priority::High)).unwrap();
    settle().await;
    assert_eq!(lines.gate.waiting(Priority::High), 1);
    drop((running, waiting, high));
}

#[tokio::test(start_paused = true)]
async fn full_logs_let_kept_answers_go_before_they_refuse_anybody() {
    let dedup = orchestrator_dedup::Config {
        window_s: 600,
        ..Default::default()
    };
    let model = Model::responding(|_, prompt| match &*prompt.request.messages[0].text() {
        "endless" => Call::new().text(&"x".repeat(900)).hang(),
        _ => Call::saying(["x".repeat(900)]),
    });
    let lines = Plan {
        max_log_bytes: 1000,
        dedup,
        ..Plan::default()
    }
    .start(&model);
    for text in ["a", "b", "c"] {
        collect(lines.ask(text)).await.unwrap();
    }
    let endless = lines.ask("endless");
    settle().await;
    let failure = refused(&lines, "d");
    assert_eq!(failure.code(), Code::Overloaded);
    assert_eq!(lines.metric(r#"orchestrator_shed_total{reason="max_log_bytes"}"#), 1.0);
    drop(endless);
    settle().await;
    assert!(lines.submit(request("d")).is_ok());
}
