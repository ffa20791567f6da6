//! Whatever clients and models do: each request ends once, nothing runs beyond its credits, and nothing is left behind.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs,
    unreachable_pub,
    dead_code,
    reason = "a fault in here shall end the test"
)]

mod support;

use futures_util::{StreamExt, future::join_all};
use orchestrator_core::{Answer, Code, Failure, Priority, Request, Submit};
use orchestrator_pipeline::LanesConfig;
use orchestrator_testkit::{
    request,
    scripted::{Call, Model},
};
use proptest::{collection::vec, prelude::*};
use std::time::Duration;
use support::Plan;
use tokio::time::{Instant, sleep};

/// What one client does: when it comes, what it asks, in which lane, how long it waits, and after how many milliseconds it
/// hangs up.
#[derive(Clone, Debug)]
struct Client {
    comes_ms: u64,
    question: usize,
    lane: usize,
    patience_ms: u64,
    leaves_after_ms: Option<u64>,
    line: usize,
}

fn client() -> impl Strategy<Value = Client> {
    let leaves = prop_oneof![3 => Just(None), 1 => (0_u64..60).prop_map(Some)];
    (0_u64..80, 0_usize..6, 0_usize..3, 1_u64..200, leaves, 0_usize..2).prop_map(
        |(comes_ms, question, lane, patience_ms, leaves_after_ms, line)| Client {
            comes_ms,
            question,
            lane,
            patience_ms,
            leaves_after_ms,
            line,
        },
    )
}

/// What the model does with the questions 0 to 5.
fn model() -> Model {
    Model::responding(|_, prompt| match &*prompt.request.messages[0].text() {
        "0" => Call::paced(3, 10),
        "1" => Call::new().fail(Failure::new(Code::UpstreamError, "boom")),
        "2" => Call::new()
            .text("a")
            .after(7)
            .fail(Failure::new(Code::UpstreamTruncated, "cut")),
        "3" => Call::new().hang(),
        "4" => Call::new().after(3).panic(),
        _ => Call::saying(["x", "y"]),
    })
}

/// How an answer ended for its client.
#[derive(Debug, PartialEq)]
enum Outcome {
    Answered,
    Failed(Code),
    Left,
}

async fn listen(mut answer: Answer) -> Outcome {
    while let Some(chunks) = answer.next().await {
        if let Err(failure) = chunks {
            assert!(answer.next().await.is_none(), "nothing follows a failure");
            return Outcome::Failed(failure.code());
        }
    }
    assert!(answer.end().is_some());
    Outcome::Answered
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn every_request_ends_once_and_nothing_is_left(clients in vec(client(), 1..30), credits in 1_usize..4) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let model = model();
            let lanes = LanesConfig { capacity: 4, max_wait_ms: 50, ..LanesConfig::default() };
            let lines = Plan { lines: 2, credits, lanes, ..Plan::default() }.start(&model);
            let began = Instant::now();
            let outcomes = join_all(clients.iter().map(|client| {
                let entry = &lines.entries[client.line];
                async move {
                    sleep(Duration::from_millis(client.comes_ms)).await;
                    let came = Instant::now();
                    let asked = Request {
                        priority: Priority::ALL[client.lane],
                        deadline: came + Duration::from_millis(client.patience_ms),
                        ..request(&client.question.to_string())
                    };
                    let answer = match entry.submit(asked) {
                        Ok(answer) => answer,
                        Err(failure) => return Outcome::Failed(failure.code()),
                    };
                    let leaves = client.leaves_after_ms.map_or(Duration::MAX, Duration::from_millis);
                    let outcome = tokio::time::timeout(leaves, listen(answer)).await.unwrap_or(Outcome::Left);
                    assert!(came.elapsed().as_millis() <= u128::from(client.patience_ms), "nobody waits past their deadline");
                    outcome
                }
            }))
            .await;
            assert!(began.elapsed() < Duration::from_millis(300));
            sleep(Duration::from_millis(1)).await;
            lines.assert_idle(credits);
            assert!(model.peak() <= credits);
            assert_eq!(model.running(), 0);
            assert_eq!(model.calls(), model.finished() + model.failed() + model.dropped());
            assert_eq!(outcomes.len(), clients.len());
            let answered = outcomes.iter().filter(|outcome| **outcome == Outcome::Answered).count();
            assert!(answered == 0 || model.finished() > 0);
            lines.close().await;
        });
    }
}
