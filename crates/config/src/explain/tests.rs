use super::*;
use crate::{Environment, parse};
use expect_test::{Expect, expect};

mod workers;

fn config(text: &str) -> Config {
    parse("p.toml".as_ref(), text, &Environment::default()).unwrap().config
}

/// The paragraph of one part.
fn part(text: &str, name: &str, expected: &Expect) {
    let words = explain(&config(text));
    let part = words
        .split("\n\n")
        .find_map(|part| part.strip_prefix(&format!("{name}\n")));
    let sentences = part.unwrap_or_else(|| panic!("no part {name} in\n{words}")).lines();
    let sentences = sentences.map(|line| line.strip_prefix("  ").unwrap());
    expected.assert_eq(&sentences.collect::<Vec<_>>().join("\n"));
}

#[test]
fn the_parts_come_in_the_order_of_a_request() {
    let words = explain(&Config::dev());
    let parts: Vec<&str> = words.split("\n\n").map(|part| part.lines().next().unwrap()).collect();
    expect![
        "A line without a name, doors, dedup, gate, rag, assemble, inference, routes, degradation, resilience, post_process, stream, telemetry, shutdown"
    ]
    .assert_eq(&parts.join(", "));
    assert!(explain(&config("[pipeline]\nname = \"n\"\nversion = \"2\"\n")).starts_with("n 2\n\ndoors\n"));
}

#[test]
fn the_doors_say_who_may_come_in() {
    part(
        "[server]\nthreads = 2\nadmin_token = \"sk-plain\"\nallowed_origins = [\"https://a.example\"]\n",
        "doors",
        &expect![[r#"
              Clients connect to http://127.0.0.1:8080, operators to http://127.0.0.1:8081.
              `/metrics` and `/api/v1` ask for a token; while that is empty, loopback alone may read, and nobody change anything.
              Cores: 2, each with a whole line.
              At most 10000 requests are in flight and 20000 connections open.
              A request has a head of at most 65536 bytes, sent within 10000 ms, and a body of at most 33554432 bytes, sent within 60000 ms.
              It takes at most 600000 ms in all.
              A silent stream is sent a keepalive every 10000 ms; a client that takes nothing for 30 s is closed, an idle connection after 75000 ms.
              A WebSocket carries at most 1000 requests at once, which wait 5000 ms for its return.
              Web pages of the same host and of https://a.example may open one."#]],
    );
}

#[test]
fn without_a_token_operators_may_read_alone() {
    let words = explain(&Config::dev());
    let told = "\n  Loopback alone may read `/metrics` and `/api/v1`, and nobody change anything: there is no token.\n";
    assert!(words.contains(told), "{words}");
}

#[test]
fn dedup_says_what_is_shared() {
    part(
        "",
        "dedup",
        &expect![[r#"
              Works on at most 64 requests at once, with 64 waiting before it, on each core.
              Equal requests that run at the same time share one answer.
              A finished answer is not replayed.
              At most 10000 answers are known at once.
              An answer holds at most 8388608 bytes, all together 536870912."#]],
    );
    part(
        "[pipeline.deduplication]\nwindow_s = 300\nscope = \"deterministic\"\nshare_across_sessions = false\n",
        "dedup",
        &expect![[r#"
              Works on at most 64 requests at once, with 64 waiting before it, on each core.
              Equal requests at temperature 0 of one session that run at the same time share one answer.
              A finished answer is replayed for 300 s.
              At most 10000 answers are known at once.
              An answer holds at most 8388608 bytes, all together 536870912."#]],
    );
    part(
        "[pipeline.deduplication]\nenabled = false\n",
        "dedup",
        &expect![[r#"
              Works on at most 64 requests at once, with 64 waiting before it, on each core.
              Off: every request has an answer of its own.
              An answer holds at most 8388608 bytes, all together 536870912."#]],
    );
}

#[test]
fn the_gate_says_who_waits_and_how_long() {
    part(
        "[pipeline.lanes]\ncapacity = 7\nweights = { low = 2 }\n",
        "gate",
        &expect![[r#"
              Requests wait for a worker in three lanes, which send on 16 high, 4 normal and 2 low in a round.
              A lane holds at most 7; a request that would wait longer than 10000 ms is refused at once.
              A low request that has waited 5 s goes before the others, a normal one after half of that; but only every fourth does."#]],
    );
}

#[test]
fn stages_that_are_off_say_so() {
    let off = "[pipeline.stages]\nrag.enabled = false\nassemble.enabled = false\npost_process.enabled = false\n";
    part(
        off,
        "rag",
        &expect![[r#"
              Works on at most 64 requests at once, with 64 waiting before it, on each core.
              Off: requests go on without passages."#]],
    );
    part(
        off,
        "assemble",
        &expect![[r#"
              Works on at most 64 requests at once, with 64 waiting before it, on each core.
              Off: the conversation goes on as it came."#]],
    );
    part(
        off,
        "post_process",
        &expect![[r#"
              Works on at most 64 requests at once, with 64 waiting before it, on each core.
              Off: answers go on as they come."#]],
    );
}

#[test]
fn assembly_says_how_long_a_prompt_may_be() {
    part(
        "",
        "assemble",
        &expect![[r#"
        Works on at most 64 requests at once, with 64 waiting before it, on each core.
        A template puts passages before the conversation.
        A prompt that is longer than the known window of its model loses passages, then old turns."#]],
    );
    part(
        "[pipeline.stages.assemble]\ncontext_window = 8192\n",
        "assemble",
        &expect![[r#"
        Works on at most 64 requests at once, with 64 waiting before it, on each core.
        A template puts passages before the conversation.
        A prompt and its answer have 8192 tokens; what is longer loses passages, then old turns."#]],
    );
}

#[test]
fn retrieval_says_what_happens_without_passages() {
    part(
        "",
        "rag",
        &expect![[r#"
        Works on at most 64 requests at once, with 64 waiting before it, on each core.
        Has no folder to search: requests go on without passages."#]],
    );
    part(
        "[pipeline.stages.rag]\nfolder = \".\"\nrequired = true\n",
        "rag",
        &expect![[r#"
            Works on at most 64 requests at once, with 64 waiting before it, on each core.
            Searches ., at most 10000 files of 8388608 bytes each and 268435456 together, in passages of 1200; looks for changes every 5 s.
            At most 4 passages of together 2048 tokens are looked for; after 5000 ms the request fails."#]],
    );
    part(
        "[pipeline.stages.rag]\nfolder = \"/\"\ntop_k = 9\n",
        "rag",
        &expect![[r#"
            Works on at most 64 requests at once, with 64 waiting before it, on each core.
            Searches /, at most 10000 files of 8388608 bytes each and 268435456 together, in passages of 1200; looks for changes every 5 s.
            At most 9 passages of together 2048 tokens are looked for; after 5000 ms the request goes on without."#]],
    );
}

#[test]
fn filters_are_listed() {
    part(
        "[pipeline.stages.post_process]\nstop = [\"END\", \"a\\nb\"]\ntrim = \"both\"\n\
         redact = [{ name = \"digit\", pattern = \"[0-9]\", replacement = \"#\" }]\n",
        "post_process",
        &expect![[r#"
              Works on at most 64 requests at once, with 64 waiting before it, on each core.
              An answer ends before `END`.
              An answer ends before `a\nb`.
              What matches `digit` is replaced by `#`.
              White space is taken away: both."#]],
    );
}

#[test]
fn the_rest_is_told_too() {
    part(
        "",
        "stream",
        &expect!["Works on at most 16384 requests at once, with 64 waiting before it, on each core."],
    );
    part(
        "[telemetry]\naccess_log = false\n",
        "telemetry",
        &expect!["Logs `info` in the format `auto` to standard error."],
    );
    part(
        "[shutdown]\npre_stop_ms = 1\n",
        "shutdown",
        &expect!["After SIGTERM new requests are taken for 1 ms; what still runs is dropped after 25000 ms."],
    );
}

#[test]
fn as_data_a_configuration_has_all_defaults_and_no_secret() {
    let config = config(
        "[server]\nadmin_token = \"${TOKEN:-t0ken}\"\n[pipeline.stages.inference]\nworker = \"w\"\n\
         [workers.w]\nprovider = \"openai\"\napi_key = \"sk-plain\"\nbase_url = \"http://h\"\n",
    );
    let data = effective(&config);
    assert_eq!(data["server"]["admin_token"], "[redacted]");
    assert_eq!(data["workers"]["w"]["api_key"], "[redacted]");
    assert_eq!(data["workers"]["w"]["max_concurrent"], 95);
    assert_eq!(data["pipeline"]["stages"]["stream"]["width"], 16_384);
    assert_eq!(effective(&Config::dev())["server"]["admin_token"], "");
}

#[test]
fn references_to_secrets_may_be_told() {
    let environment = [("KEY".to_owned(), "sk-1".to_owned())].into_iter().collect();
    let text = "[server]\nadmin_token = \"${KEY}\"\n";
    let config = parse("p.toml".as_ref(), text, &environment).unwrap().config;
    assert_eq!(effective(&config)["server"]["admin_token"], "${KEY}");
}
