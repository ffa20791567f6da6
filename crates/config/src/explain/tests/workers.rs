//! What is said of workers, of the routes over them, and of what befalls their calls.

use super::*;

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
        "[workers.echo]\nprovider = \"echo\"\npool = \"slow\"\nresilience = { close_after = 1, circuit_breaker_threshold = 0 }\n",
        "inference",
        &expect![[r#"
            Works on at most 1024 requests at once, with 64 waiting before it, on each core.
            The worker `echo` repeats the last message, with 0 ms before each token.
            It takes at most 95 calls at once, as a stream when the client asked for one.
            A call may take 5000 ms to connect and 120000 ms to its first token, then be silent for 60000 ms.
            Its calls count against the 100 of the slow pool.
            For it alone: circuit_breaker_threshold = 0.
            For it alone: close_after = 1."#]],
    );
    part(
        "[pipeline.resilience]\nretry_attempts = 1\ncircuit_breaker_threshold = 0\nfailure_rate = 0\n",
        "resilience",
        &expect![[r#"
            A call that fails is not tried again.
            Breakers are off."#]],
    );
    part(
        "[pipeline.resilience]\nrequests_per_minute = 600\ntokens_per_minute = 90000\nlatency_p95_ms = 900\nrate_limit_rate = 0.5\nadaptive_thresholds = true\n",
        "resilience",
        &expect![[r#"
            A call that fails before its first token is made again at the next worker, 3 calls in all; at the same one after pauses of up to 100 ms that double up to 5000 ms.
            5 failures in a row open a worker's breaker.
            Of the last 50 calls of 60 s, if they are 10 or more, a share of 0.5 that failed opens it too.
            Of the last 50 calls of 60 s, if they are 10 or more, a share of 0.5 that was answered with 429 opens it too.
            Of the last 50 calls of 60 s, if they are 10 or more, a 95th percentile of 900 ms to the first token opens it too.
            These follow what is usual of each worker: a share from half of it to half way to 1, a time from half of it to twice.
            It stays open for 60 s, each time longer, up to 300 s.
            Then 3 calls at once are let through, and 2 successes close it; its calls come back over 10 s.
            A worker is sent at most 600 calls a minute, 10 of them at once.
            A worker is asked for at most 90000 tokens a minute, 10000 of them at once."#]],
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
            At most 9 requests run; the next is refused at once.
            Calls beyond a request's first are at most 20 % of the requests of 10 s, or 30 if that is more.
            Requests for * take the route `two`.
            It calls echo; those of a tier by p2c_ewma.
            When a tier is full the next one is taken after 7 ms.
            Calls beyond a request's first are at most 20 % of the requests of 10 s, or 30 if that is more."#]],
    );
}

#[test]
fn a_route_tells_what_it_chooses_by() {
    part(
        "[routes.one]\nprimary = [\"echo\"]\nsecondary = [\"vllm\"]\nlatency_budget_ms = 800\n\
         [routes.one.complexity]\ntools = 0\ncode_blocks = 0\n",
        "routes",
        &expect![[r#"
            Requests for * take the route `one`.
            It calls echo, then vllm; those of a tier by p2c_ewma.
            Simple requests go to the primary workers first, complex ones to the secondary; complex is what comes to 8000 bytes of text, 12 turns, or to parts of these that add up to one.
            While the worker that would be called is expected to take longer than 800 ms, the fastest that does not goes first, whatever its tier.
            Calls beyond a request's first are at most 20 % of the requests of 10 s, or 30 if that is more."#]],
    );
}

#[test]
fn a_route_tells_no_limit_but_its_own() {
    for (limits, expected) in [
        (
            "soft_limit = 4",
            "A tier has at most 4 calls; then the next one is taken.",
        ),
        (
            "stream_soft_limit = 2",
            "A tier has at most 2 calls that stream; then the next one is taken.",
        ),
        (
            "stream_hard_limit = 3",
            "At most 3 requests that stream run; the next is refused at once.",
        ),
        (
            "hard_limit = 9\nstream_hard_limit = 3",
            "At most 9 requests run, 3 of them streams; the next is refused at once.",
        ),
    ] {
        let words = explain(&config(&format!("[routes.r]\nprimary = [\"echo\"]\n{limits}\n")));
        let told = words
            .lines()
            .filter(|line| line.contains("; then the next") || line.contains("; the next"));
        let told: Vec<&str> = told.map(str::trim).collect();
        assert_eq!(told, [expected]);
    }
}

#[test]
fn degradation_says_what_stands_in_for_workers_and_when() {
    part(
        "",
        "degradation",
        &expect!["Nothing stands in for workers that cannot answer: the request fails."],
    );
    part(
        "[degradation]\nchain = [\"cache\", \"reduced\", \"message\"]\n[degradation.reduced]\nworkers = [\"echo\"]\n\
         [[degradation.rules]]\nname = \"dying\"\nmode = \"reduced\"\nfailure_rate = 0.5\n\
         [[degradation.rules]]\nname = \"slow\"\nfailure_rate = 0.5\nlatency_p95_ms = 900\n",
        "degradation",
        &expect![[r#"
            An equal request's answer stands in for workers that cannot answer, if it is no older than 3600 s; from 300 s on it is told to be stale.
            echo stands in with at most 256 tokens and without passages, if the first, or all where nothing is streamed, comes within 8000 ms.
            A message stands in: The service is temporarily unavailable.
            dying: of at least 20 requests in 60 s, a share of 0.5 that fails makes `reduced` answer first, until for 30 s it is below 0.5 of that.
            slow: of at least 20 requests in 60 s, a share of 0.5 that fails or a 95th percentile of 900 ms to the first token of streams makes `message` answer first, until for 30 s it is below 0.5 of that."#]],
    );
    part(
        "[degradation]\nchain = [\"reduced\"]\n[degradation.reduced]\nworkers = [\"echo\"]\n",
        "routes",
        &expect![[r#"
            Requests for * take the route `default`.
            It calls echo; those of a tier by p2c_ewma.
            Calls beyond a request's first are at most 20 % of the requests of 10 s, or 30 if that is more.
            No request asks for the route `reduced`: it is for degradation.
            It calls echo; those of a tier by p2c_ewma.
            Calls beyond a request's first are at most 20 % of the requests of 10 s, or 30 if that is more."#]],
    );
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
