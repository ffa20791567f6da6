//! For tests: answers in each wire format, as bytes; a paused clock for properties; a process of a test's own.

use orchestrator_dialect::Protocol;
use std::process::Command;

/// Set in a process that a test was started in again.
const ALONE: &str = "ORCHESTRATOR_TEST_ALONE";

/// Runs the test of this path once more in a process of its own with this variable, which no test may set for others, and
/// says so; `false` inside that process, where the test goes on.
pub(crate) fn alone(test: &str, (name, value): (&str, &str)) -> bool {
    if std::env::var_os(ALONE).is_some() {
        return false;
    }
    let mut again = Command::new(std::env::current_exe().unwrap());
    again.args(["--exact", test]).env(ALONE, "1").env(name, value);
    let output = again.env_remove("SSL_CERT_DIR").output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
    true
}

/// Runs to the end on a clock of its own that goes on only when nothing else can.
pub(crate) fn paused<F: Future>(future: F) -> F::Output {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_time().start_paused(true).build().unwrap();
    runtime.block_on(future)
}

/// A good stream of two tokens that says `grün 🙂`, event by event; the last one ends it.
pub(crate) fn events(protocol: Protocol) -> Vec<String> {
    let sse = |(kind, data): (&str, &str)| match kind {
        "" => format!("data: {data}\n\n"),
        kind => format!("event: {kind}\ndata: {{\"type\":\"{kind}\",{data}}}\n\n"),
    };
    match protocol {
        Protocol::Chat => [
            r#"{"id":"c","model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}"#,
            r#"{"id":"c","model":"m","choices":[{"index":0,"delta":{"content":"grün "}}]}"#,
            r#"{"id":"c","model":"m","choices":[{"index":0,"delta":{"content":"🙂"}}]}"#,
            r#"{"id":"c","model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#,
            "[DONE]",
        ]
        .map(|data| sse(("", data)))
        .into(),
        Protocol::Messages => [
            (
                "message_start",
                r#""message":{"id":"c","model":"m","usage":{"input_tokens":7,"output_tokens":1}}"#,
            ),
            ("content_block_start", r#""index":0,"content_block":{"type":"text","text":""}"#),
            ("content_block_delta", r#""index":0,"delta":{"type":"text_delta","text":"grün "}"#),
            ("content_block_delta", r#""index":0,"delta":{"type":"text_delta","text":"🙂"}"#),
            ("content_block_stop", r#""index":0"#),
            (
                "message_delta",
                r#""delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":3}"#,
            ),
            ("message_stop", r#""x":0"#),
        ]
        .map(sse)
        .into(),
        Protocol::Ollama => [
            r#"{"model":"m","message":{"role":"assistant","content":""},"done":false}"#,
            r#"{"model":"m","message":{"role":"assistant","content":"grün "},"done":false}"#,
            r#"{"model":"m","message":{"role":"assistant","content":"🙂"},"done":false}"#,
            r#"{"model":"m","message":{"content":""},"done":true,"done_reason":"stop","prompt_eval_count":7,"eval_count":3}"#,
        ]
        .map(|line| format!("{line}\n"))
        .into(),
    }
}

/// The same answer in one piece.
pub(crate) fn whole(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Chat => {
            r#"{"id":"c","choices":[{"index":0,"message":{"content":"grün 🙂"},"finish_reason":"stop"}]}"#
        }
        Protocol::Messages => {
            r#"{"id":"c","type":"message","content":[{"type":"text","text":"grün 🙂"}],"stop_reason":"end_turn"}"#
        }
        Protocol::Ollama => r#"{"model":"m","message":{"content":"grün 🙂"},"done":true,"done_reason":"stop"}"#,
    }
}
