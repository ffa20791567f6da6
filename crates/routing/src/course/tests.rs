//! A request's course over scripted workers on a paused clock, where every millisecond and every call is told.

mod breakers;
mod edits;
mod failover;
mod grey;
mod leaving;
mod logged;
mod outage;
mod rests;
mod room;
mod tokens;
mod wishes;

use super::*;
use crate::fixtures::{Bench, Setup, bad, failing, fine, ms, of_kind, prompt, resting, slow, streamed, within};
use expect_test::{Expect, expect};
use futures_util::{StreamExt, future::join_all};
use orchestrator_testkit::scripted::Call;

/// Workers whose first calls are told by a word each, as in `bad bad fine`, of which the last one stays.
fn told(words: &'static [(&'static str, &'static str)]) -> impl Fn(&str, usize) -> Call + Send + Sync + 'static {
    move |name, nth| {
        let (_, calls) = words.iter().find(|(known, _)| *known == name).expect("a script");
        let calls: Vec<&str> = calls.split(' ').collect();
        match calls[nth.min(calls.len() - 1)] {
            "fine" => fine(),
            "bad" => bad(),
            "keys" => failing(Code::UpstreamCredentials),
            "moved" => failing(Code::UpstreamRedirected),
            "rejects" => failing(Code::UpstreamRejected),
            "hangs" => Call::new().hang(),
            "breaks" => Call::new()
                .text("half")
                .after(10)
                .fail(Failure::new(Code::UpstreamTruncated, "cut")),
            word => match word.split_once(':') {
                Some(("rests", seconds)) => resting(seconds.parse().unwrap()),
                Some(("slow", millis)) => slow(millis.parse().unwrap()),
                _ => panic!("no script is called {word}"),
            },
        }
    }
}

/// Asserts what happens when a streaming request is sent to these workers.
async fn check(tiers: &str, words: &'static [(&'static str, &'static str)], expected: Expect) {
    let bench = Bench::new(tiers, told(words), |_| {});
    bench.hear(&streamed()).await;
    expected.assert_eq(&bench.timeline.to_string());
    bench.is_at_rest();
}
