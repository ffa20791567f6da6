use super::*;
use crate::{Environment, parse};
use expect_test::{Expect, expect};

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
        "A line without a name, doors, dedup, gate, rag, assemble, inference, routes, resilience, post_process, stream, telemetry, shutdown"
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
              Operators' metrics ask for a token; while that is empty, they are for this machine only.
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
fn the_worker_is_named_with_its_place_and_its_limits() {
    part(
        "",
        "inference",
        &expect![[r#"
              Works on at most 1024 requests at once, with 64 waiting before it, on each core.
              The worker `echo` repeats the last message, with 0 ms before each token.
              It takes at most 95 calls at once, as a stream when the client asked for one.
              A call may take 5000 ms to connect and 120000 ms to its first token, then be silent for 60000 ms."#]],
    );
    part(
        "[pipeline.stages.inference]\nworker = \"fast\"\nmodel = \"gpt-4\"\nmax_tokens = 5\ntemperature = 0.0\n\
         [workers.fast]\nprovider = \"openai\"\nbase_url = \"http://h/v1\"\nmodel = \"m\"\nupstream_stream = \"always\"\n\
         [workers.spare]\nprovider = \"vllm\"\n",
        "inference",
        &expect![[r#"
            Works on at most 1024 requests at once, with 64 waiting before it, on each core.
            A request that names no model gets `gpt-4`.
            A request that does not say gets at most 5 tokens.
            A request that does not say is answered at temperature 0.0.
            The worker `fast` speaks the API of openai at http://h/v1.
            It is asked for the model `m`, whatever the client named.
            It takes at most 95 calls at once, always as a stream.
            A call may take 5000 ms to connect and 120000 ms to its first token, then be silent for 60000 ms.
            Every 30 s its server is asked for a sign of life; after 3 in a row without one within 5000 ms requests go elsewhere, after 2 with one they come back."#]],
    );
    part(
        "[pipeline.stages.inference]\nworker = \"ollama\"\n[workers.ollama]\nprovider = \"ollama\"\nhealth.interval_s = 0\n",
        "inference",
        &expect![[r#"
            Works on at most 1024 requests at once, with 64 waiting before it, on each core.
            The worker `ollama` speaks the API of ollama at its usual place.
            It takes at most 95 calls at once, as a stream when the client asked for one.
            A call may take 5000 ms to connect and 120000 ms to its first token, then be silent for 60000 ms.
            Its server is never asked for a sign of life."#]],
    );
}

#[test]
fn resilience_is_told_for_all_and_where_a_worker_differs() {
    part(
        "[workers.echo]\nprovider = \"echo\"\npool = \"slow\"\nresilience = { retry_attempts = 1, circuit_breaker_threshold = 0 }\n",
        "inference",
        &expect![[r#"
            Works on at most 1024 requests at once, with 64 waiting before it, on each core.
            The worker `echo` repeats the last message, with 0 ms before each token.
            It takes at most 95 calls at once, as a stream when the client asked for one.
            A call may take 5000 ms to connect and 120000 ms to its first token, then be silent for 60000 ms.
            Its calls count against the 100 of the slow pool.
            For it alone: circuit_breaker_threshold = 0.
            For it alone: retry_attempts = 1."#]],
    );
    part(
        "[pipeline.resilience]\nretry_attempts = 1\ncircuit_breaker_threshold = 0\nfailure_rate = 0\n",
        "resilience",
        &expect![[r#"
            A call that fails is not tried again.
            Breakers are off."#]],
    );
    part(
        "[pipeline.resilience]\nrequests_per_minute = 600\nlatency_p95_ms = 900\nrate_limit_rate = 0.5\n",
        "resilience",
        &expect![[r#"
            A call that fails before its first token is made again at the next worker, 3 calls in all; at the same one after pauses of up to 100 ms that double up to 5000 ms.
            5 failures in a row open a worker's breaker.
            Of the last 50 calls of 60 s, if they are 10 or more, a share of 0.5 that failed opens it too.
            Of the last 50 calls of 60 s, if they are 10 or more, a share of 0.5 that was answered with 429 opens it too.
            Of the last 50 calls of 60 s, if they are 10 or more, a 95th percentile of 900 ms to the first token opens it too.
            It stays open for 60 s, each time longer, up to 300 s.
            Then 3 calls at once are let through, and 2 successes close it; its calls come back over 10 s.
            A worker is sent at most 600 calls a minute, 10 of them at once."#]],
    );
    part(
        "[pipeline.resilience]\nretry_attempts = 4\n",
        "resilience",
        &expect![[r#"
            A call that fails before its first token is made again at the next worker, 4 calls in all; at the same one after pauses of up to 100 ms that double up to 5000 ms.
            5 failures in a row open a worker's breaker.
            Of the last 50 calls of 60 s, if they are 10 or more, a share of 0.5 that failed opens it too.
            It stays open for 60 s, each time longer, up to 300 s.
            Then 3 calls at once are let through, and 2 successes close it; its calls come back over 10 s."#]],
    );
}

#[test]
fn routes_are_told_with_their_workers_and_limits() {
    part(
        "",
        "routes",
        &expect![[r#"
        Requests for * take the route `default`.
        It calls echo; those of a tier by p2c_ewma.
        Calls beyond a request's first are at most 20 % of the requests of 10 s, or 30 if that is more."#]],
    );
    part(
        "[workers.a]\nprovider = \"echo\"\n[routes.one]\nmodels = [\"gpt-*\", \"o1\"]\nprimary = [\"a\", \"echo\"]\n\
         secondary = [\"ollama\"]\nbackup = [\"vllm\"]\nweights = { a = 3 }\nsoft_limit = 4\nhard_limit = 9\n\
         stream_soft_limit = 2\noverflow_after_ms = 50\n[routes.two]\nprimary = [\"echo\"]\noverflow_after_ms = 7\n",
        "routes",
        &expect![[r#"
            Requests for gpt-*, o1 take the route `one`.
            It calls a, echo, then ollama, at last vllm; those of a tier by p2c_ewma, with weights a 3.
            A tier has at most 4 calls, 2 of them streams; then the next one is taken after 50 ms.
            At most 9 requests run, all of them streams; the next is refused at once.
            Calls beyond a request's first are at most 20 % of the requests of 10 s, or 30 if that is more.
            Requests for * take the route `two`.
            It calls echo; those of a tier by p2c_ewma.
            When a tier is full the next one is taken after 7 ms.
            Calls beyond a request's first are at most 20 % of the requests of 10 s, or 30 if that is more."#]],
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

#[test]
fn chaos_is_told_only_where_there_is_some() {
    assert!(!explain(&config("[chaos.workers.echo]\nfailure = 1.0\n")).contains("chaos"));
    let all = "profile = \"ci\"\n[chaos]\nenabled = true\nseed = 7\nretriever = { latency = 1, failure = 0.5 }\n\
               [chaos.workers]\necho.failure = 0.25\n\"*\" = { latency = 0.5, cut = 0.125, trickle = 1 }\n";
    part(
        all,
        "chaos",
        &expect![[r#"
        Faults are injected on purpose under the profile `ci`, with the seed 7.
        Calls of workers that are not named are held up by 500 to 3000 ms, with the probability 0.5.
        Answers of workers that are not named break off after 10 tokens, with the probability 0.125.
        Answers of workers that are not named have a pause of 250 ms before each token, with the probability 1.0.
        Calls of `echo` fail with the status 503, with the probability 0.25.
        Searches are held up by 200 to 1500 ms, with the probability 1.0.
        Searches fail, with the probability 0.5."#]],
    );
    part(
        "[chaos]\nallow_header = true\n",
        "chaos",
        &expect![
            "Under the profile `dev` a client may have faults injected into its own request: `x-orchestrator-chaos`."
        ],
    );
    let words = explain(&config("[chaos]\nallow_header = true\n"));
    assert!(
        words.contains("\n\nchaos\n") && words.contains("\n\nshutdown\n"),
        "{words}"
    );
}
