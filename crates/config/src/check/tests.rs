use super::*;
use crate::{document::Document, schema, source::Source};
use expect_test::{Expect, expect};

/// Path, message and what is allowed, a finding a line.
fn found(text: &str, expected: &Expect) {
    let source = Source::new(None, text);
    let document = Document::parse(&source).unwrap();
    let schema = schema();
    let findings = check(&document.root, Shape::of(&schema).unwrap());
    let lines = findings.iter().map(|finding| {
        let allowed = finding.allowed.as_deref().unwrap_or_default();
        let allowed: String = allowed.chars().take(60).collect();
        format!("{} | {} | {allowed}", finding.path, finding.message)
    });
    expected.assert_eq(&lines.collect::<Vec<_>>().join("\n"));
}

#[test]
fn a_document_without_faults_has_none() {
    found("", &expect![""]);
    found("[pipeline.stages.inference]\ntemperature = 1\n", &expect![""]);
    found("[server]\nthreads = 1_024\nmax_body_bytes = 0x400\n", &expect![""]);
}

#[test]
fn all_faults_of_a_table_are_found_at_once() {
    found(
        "[workers.w]\nmodle = 1\nmax_concurrent = 0\napi_key = []\nupstream_stream = \"never\"\n",
        &expect![[r#"
            workers.w.modle | unknown key `modle` | `provider`, `base_url`, `api_key`, `model`, `max_concurrent`
            workers.w.max_concurrent | 0 is too small | an integer, 1 to 100000
            workers.w.api_key | wrong type: an array where a string is wanted | a string
            workers.w.upstream_stream | unknown value `never` | `as_asked`, `always`
            workers.w.provider | `provider` is missing | `openai`, `anthropic`, `llama_cpp`, `ollama`, `vllm`, `echo`"#]],
    );
}

#[test]
fn items_of_arrays_are_looked_into() {
    found(
        "[pipeline.stages.post_process]\nstop = [\"\", [], \"ok\"]\nredact = [{}, 1, { name = \"a\", pattern = \"a\", x = 1 }]\n",
        &expect![[r#"
            pipeline.stages.post_process.stop[0] | the text is empty | a string of 1 to 256 characters
            pipeline.stages.post_process.stop[1] | wrong type: an array where a string is wanted | a string of 1 to 256 characters
            pipeline.stages.post_process.redact[0].name | `name` is missing | a string that matches `^[a-z0-9_-]{1,64}$`
            pipeline.stages.post_process.redact[0].pattern | `pattern` is missing | a string of 1 to 4096 characters
            pipeline.stages.post_process.redact[1] | wrong type: an integer where a table is wanted | a table
            pipeline.stages.post_process.redact[2].x | unknown key `x` | `name`, `pattern`, `replacement`, `max_match_bytes`"#]],
    );
}

#[test]
fn what_stands_in_a_wrong_place_is_not_looked_into() {
    found(
        "[pipeline]\nstages = [{ x = 1 }]\n[experiments.default]\ny = 2\n",
        &expect![[r#"
            pipeline.stages | wrong type: an array where a table is wanted | a table
            experiments | unknown key `experiments` | `profile`, `pipeline`, `server`, `workers`, `routes`, `pools"#]],
    );
}

#[test]
fn numbers_of_any_size_and_base_are_compared() {
    found(
        "[server]\nthreads = 0b0\nmax_in_flight = -0\nmax_connections = 0o77777777\nmax_body_bytes = 1_000\n\
         [pipeline.stages.inference]\ntemperature = -nan\nmax_tokens = 1e3\n[pipeline.lanes]\ncapacity = +5\n",
        &expect![[r#"
            server.threads | 0b0 is too small | an integer, 1 to 1024
            server.max_in_flight | -0 is too small | an integer, 1 to 10000000
            server.max_connections | 0o77777777 is too large | an integer, 1 to 10000000
            server.max_body_bytes | 1000 is too small | an integer, 1024 to 1073741824
            pipeline.stages.inference.temperature | -nan is no number | a float, 0 to 2
            pipeline.stages.inference.max_tokens | wrong type: a float where an integer is wanted | an integer, 1 to 10000000"#]],
    );
}

#[test]
fn a_length_is_counted_in_characters() {
    let text = |length| format!("[pipeline.stages.post_process]\nstop = [\"{}\"]\n", "日".repeat(length));
    found(&text(256), &expect![""]);
    found(
        &text(257),
        &expect![
            "pipeline.stages.post_process.stop[0] | a text of 257 characters is too long | a string of 1 to 256 characters"
        ],
    );
}

#[test]
fn long_values_are_repeated_in_part_and_without_control_characters() {
    assert_eq!(shown("short"), "short");
    assert_eq!(shown("a\nb\u{1b}[0m"), "a b [0m");
    let long = shown(&"日".repeat(100));
    assert_eq!(long, format!("{}...", "日".repeat(60)));
}
