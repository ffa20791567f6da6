//! What of a call is counted, and under which label.

use super::*;

/// The metric of requests for this model that were refused, by the label that they have.
async fn refused_for(model: &str, label: &str) -> f64 {
    let doors = doors(failing(Code::BreakerOpen));
    let asked = body("x", "").replace(r#""test""#, &format!(r#""{model}""#));
    doors.send(request("labels", "", &asked)).await.rest().await;
    let labels = r#"code="breaker_open",error_source="gateway""#;
    doors.metric(&format!(
        r#"orchestrator_requests_total{{{labels},model="{label}",path="/v1/chat/completions",worker="none"}}"#
    ))
}

#[tokio::test(start_paused = true)]
async fn models_that_nobody_serves_share_one_label() {
    for (model, label) in [
        ("org/other", "org/other"),
        ("test", "test"),
        ("made-up", "other"),
        ("tes", "other"),
    ] {
        assert_eq!(refused_for(model, label).await, 1.0, "{model}");
    }
}

#[tokio::test(start_paused = true)]
async fn streams_that_break_off_after_their_first_token_are_counted_by_whose_fault_it_was() {
    let late = |code| Script::new().text("a").after(1).fail(Failure::new(code, "No."));
    let table = [
        (late(Code::IdleTimeout), true, "upstream", 1.0),
        (late(Code::Internal), true, "gateway", 1.0),
        (late(Code::Internal), false, "gateway", 0.0),
        (failing(Code::UpstreamError), true, "upstream", 0.0),
        (Script::saying(["fine"]), true, "client", 0.0),
    ];
    for (nth, (script, stream, by, expected)) in table.into_iter().enumerate() {
        let doors = doors(script);
        let asked = body("x", &format!(r#","stream":{stream}"#));
        doors.send(request("aborted", "", &asked)).await.rest().await;
        let aborted = doors.metric(&format!(r#"orchestrator_stream_aborts_total{{by="{by}"}}"#));
        assert_eq!(aborted, expected, "row {nth}");
    }
}

#[tokio::test(start_paused = true)]
async fn our_overhead_is_what_neither_the_client_nor_the_gate_nor_the_worker_took() {
    let head = Head {
        worker: "w".into(),
        tier: orchestrator_core::Tier::Primary,
        degraded: None,
        id: "id".into(),
        model: "m".into(),
        created: 0,
        attempts: 1,
        grounding: Vec::new(),
        waited: Duration::from_millis(400),
    };
    for (cache, expected) in [
        (Cache::Miss, 0.02),
        (Cache::Bypass, 0.02),
        (Cache::Hit, 0.0),
        (Cache::Coalesced, 0.0),
    ] {
        let doors = doors(Script::new().hang());
        let mut call = Call::begin(&doors.door, "POST", "/v1/ask", Arrival::new(&doors.door, None));
        sleep(Duration::from_millis(3_000)).await;
        call.received();
        sleep(Duration::from_millis(420)).await;
        call.begins(Some(Arc::new(head.clone())));
        call.came_from(cache);
        sleep(Duration::from_millis(50_000)).await;
        call.finish(None);
        let sum = doors.metric("orchestrator_overhead_seconds_sum");
        assert!((sum - expected).abs() < 1e-9, "{cache:?}: {sum}");
    }
}
