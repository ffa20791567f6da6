use super::*;
use crate::{Timeline, prompt, text_of};
use expect_test::expect;
use futures_util::{FutureExt, StreamExt};
use orchestrator_core::{Chunk, Code, FinishReason, Model as _};
use std::panic::AssertUnwindSafe;

fn far() -> (orchestrator_core::Cx, orchestrator_core::Answer) {
    crate::cx(tokio::time::Instant::now() + std::time::Duration::from_secs(600))
}

/// Calls the model and writes down what comes when.
async fn hear(timeline: &Timeline, model: &Model) {
    let (cx, _client) = far();
    let call = AssertUnwindSafe(model.call(&cx, &prompt("hello"))).catch_unwind().await;
    let mut reply = match call {
        Ok(Ok(reply)) => reply,
        Ok(Err(failure)) => return timeline.note(format_args!("call failed: {}", failure.code().as_str())),
        Err(_) => return timeline.note("panic"),
    };
    timeline.note("first token");
    while let Some(batch) = reply.events.next().await {
        match batch {
            Ok(chunks) => timeline.note(format_args!("{:?} of {}", text_of(&chunks), chunks.len())),
            Err(failure) => timeline.note(format_args!("stream failed: {}", failure.code().as_str())),
        }
    }
    timeline.note("over");
}

#[tokio::test(start_paused = true)]
async fn a_call_resolves_at_the_first_content_and_goes_on_in_its_stream() {
    let call = Call::new().after(10).usage(3, 0).after(90).text("a");
    let call = call
        .after(5)
        .batch(vec![Chunk::text("b"), Chunk::text("c")])
        .finish(FinishReason::Stop);
    let (timeline, model) = (Timeline::begin(), Model::following([call]));
    hear(&timeline, &model).await;
    expect![[r#"
        100    first token
        100    "a" of 2
        105    "bc" of 2
        105    "" of 1
        105    over
    "#]]
    .assert_eq(&timeline.to_string());
    assert_eq!(
        (model.calls(), model.running(), model.finished(), model.dropped()),
        (1, 0, 1, 0)
    );
    assert_eq!(model.prompts(), ["hello"]);
}

#[tokio::test(start_paused = true)]
async fn failures_before_and_after_the_first_token_differ_and_the_last_script_stays() {
    let broken = || Failure::new(Code::UpstreamError, "broken");
    let calls = [
        Call::new().after(7).fail(broken()),
        Call::new().text("a").after(1).fail(broken()),
        Call::new().panic(),
        Call::saying(["x"]),
    ];
    let (timeline, model) = (Timeline::begin(), Model::following(calls));
    for _ in 0..5 {
        hear(&timeline, &model).await;
    }
    expect![[r#"
        7      call failed: upstream_error
        7      first token
        7      "a" of 1
        8      stream failed: upstream_error
        8      over
        8      panic
        8      first token
        8      "x" of 1
        8      "" of 1
        8      over
        8      first token
        8      "x" of 1
        8      "" of 1
        8      over
    "#]]
    .assert_eq(&timeline.to_string());
    assert_eq!(
        (model.failed(), model.finished(), model.dropped(), model.running()),
        (2, 2, 1, 0)
    );
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_dropped_counts_as_dropped_wherever_it_stood() {
    let model = Model::following([Call::new().hang(), Call::new().text("a").hang()]);
    let (cx, _client) = far();
    assert!(model.call(&cx, &prompt("a")).now_or_never().is_none());
    let reply = model.call(&cx, &prompt("b")).await.unwrap();
    assert_eq!((model.running(), model.dropped()), (1, 1));
    drop(reply);
    assert_eq!((model.running(), model.dropped(), model.peak()), (0, 2, 1));
}
