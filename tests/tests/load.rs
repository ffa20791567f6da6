//! The program under many clients at once: nothing is lost, mixed or left behind.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a fault in here shall end the test"
)]

use futures_util::future::join_all;
use orchestrator_e2e::{Call, Program};
use orchestrator_testkit::{ModelServer, Script};
use tokio::sync::Semaphore;

const CHAT: &str = "/v1/chat/completions";

fn stream(text: &str) -> String {
    format!(r#"{{"model":"m","stream":true,"messages":[{{"role":"user","content":"{text}"}}]}}"#)
}

fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.unwrap().block_on(test);
}

/// All that is counted while a request lives stands at zero.
fn nothing_is_left(program: &Program) {
    for gauge in [
        "orchestrator_in_flight_requests",
        "orchestrator_answer_log_bytes",
        r#"orchestrator_worker_in_flight{worker="w"}"#,
        r#"orchestrator_queue_depth{stage="inference"}"#,
    ] {
        assert_eq!(program.metric(gauge), 0.0, "{gauge}");
    }
}

#[test]
fn a_thousand_clients_that_leave_in_the_middle_leave_nothing_behind() {
    const CLIENTS: u64 = 1000;
    let server = ModelServer::following(Script::paced(10_000, 20));
    let program = Program::before(&server.url(), "max_concurrent = 2000\n");
    run(async {
        let clients = (0..CLIENTS).map(|number| {
            let body = stream(&format!("client {number}"));
            async move {
                let mut call = Call::post(program.address, CHAT, &body).await;
                call.hear("tok0").await;
                call
            }
        });
        let clients = join_all(clients).await;
        assert_eq!(server.stats().total.running, CLIENTS);
        assert_eq!(program.metric("orchestrator_in_flight_requests"), 1000.0);
        drop(clients);
        let stats = server.until(|stats| stats.total.running == 0).await;
        assert_eq!((stats.total.calls, stats.total.aborted), (CLIENTS, CLIENTS));
    });
    nothing_is_left(&program);
}

#[test]
fn five_hundred_streams_keep_every_token_in_order_and_to_themselves() {
    const STREAMS: usize = 500;
    const TOKENS: usize = 40;
    let server = ModelServer::following(Script {
        piece: "{tag}:{i} ".to_owned(),
        ..Script::paced(TOKENS, 10)
    });
    let program = Program::before(&server.url(), "max_concurrent = 500\n");
    run(async {
        let streams = (0..STREAMS).map(|number| {
            let body = stream(&format!("s{number}"));
            async move { Call::post(program.address, CHAT, &body).await.answer().await }
        });
        for (number, reply) in join_all(streams).await.into_iter().enumerate() {
            let expected: String = (0..TOKENS).map(|token| format!("s{number}:{token} ")).collect();
            assert_eq!(reply.text(), expected);
            assert_eq!(reply.events().last(), Some(&"[DONE]"));
        }
    });
    assert_eq!(server.stats().total.calls, STREAMS as u64);
    nothing_is_left(&program);
}

#[test]
fn five_hundred_listeners_at_mixed_speeds_hear_the_same_of_one_call() {
    const TOKENS: usize = 50;
    let server = ModelServer::following(Script::paced(TOKENS, 10));
    let program = Program::before(&server.url(), "[pipeline.deduplication]\nwindow_s = 60\n");
    let expected: String = (0..TOKENS).map(|token| format!("tok{token} ")).collect();
    run(async {
        let listeners = (0..500_u64).map(|number| async move {
            let mut call = Call::post(program.address, CHAT, &stream("the same")).await;
            // Some hear at once, some wait in the middle until others are done, some come when all is over.
            if number % 3 == 1 {
                call.hear(&format!("tok{} ", number % 40)).await;
                tokio::time::sleep(std::time::Duration::from_millis(number)).await;
            }
            call.answer().await
        });
        for reply in join_all(listeners).await {
            assert_eq!((reply.status, reply.text()), (200, expected.clone()));
        }
    });
    assert_eq!(server.stats().total.calls, 1);
}

#[test]
fn a_shutdown_under_load_loses_none_that_was_accepted() {
    const CLIENTS: u64 = 200;
    let server = ModelServer::following(Script::paced(30, 20));
    let document =
        "max_concurrent = 50\n[server]\nkeepalive_ms = 100\n[shutdown]\npre_stop_ms = 50\ngrace_ms = 20000\n";
    let program = Program::before(&server.url(), document);
    let (address, accepted) = (program.address, Semaphore::new(0));
    run(async {
        let clients = (0..CLIENTS).map(|number| {
            let (body, accepted) = (stream(&format!("client {number}")), &accepted);
            async move {
                let mut call = Call::post(address, CHAT, &body).await;
                call.hear("200 OK").await;
                accepted.add_permits(1);
                call.answer().await
            }
        });
        // All are in before the signal: some run, some wait at the gate and have heard no more than a sign of life.
        let signal = async {
            drop(accepted.acquire_many(CLIENTS as u32).await);
            program.signal("TERM");
        };
        let (replies, ()) = tokio::join!(join_all(clients), signal);
        for reply in replies {
            assert_eq!(
                (reply.status, reply.events().last()),
                (200, Some(&"[DONE]")),
                "{}",
                reply.body
            );
        }
    });
    let ended = program.wait();
    assert_eq!(ended.code, Some(0), "{}", ended.log);
    assert_eq!(server.stats().total.calls, CLIENTS);
}
