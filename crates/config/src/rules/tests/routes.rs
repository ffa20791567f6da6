//! Routes and the workers that they name.

use super::{is_silent, says};
use expect_test::expect;

#[test]
fn workers_that_nobody_uses_are_warned_of() {
    says(
        "[workers.a]\nprovider = \"echo\"\n[workers.echo]\nprovider = \"ollama\"\n[workers.b]\nprovider = \"vllm\"\n",
        &expect![[r#"
            warning workers.a: no route uses the worker `a`
            warning workers.b: no route uses the worker `b`"#]],
    );
}

#[test]
fn a_route_names_workers_that_are_there_each_once_in_a_tier() {
    says(
        "[workers.fast]\nprovider = \"echo\"\n[routes.r]\nprimary = [\"fast\", \"fsat\", \"fast\"]\nbackup = [\"fast\", \"vlmm\"]\n\
         [routes.empty]\nmodels = [\"x\"]\n",
        &expect![[r#"
            error routes.r.primary[1]: no worker is called `fsat`
            error routes.r.primary[2]: the worker `fast` stands in this tier already
            error routes.r.backup[1]: no worker is called `vlmm`
            error routes.empty: the route names no worker"#]],
    );
}

#[test]
fn a_route_may_name_a_provider_as_the_stage_may() {
    says(
        "[routes.r]\nprimary = [\"echo\"]\nbackup = [\"anthropic\"]\n",
        &expect![[r#""#]],
    );
}

#[test]
fn weights_are_for_workers_of_the_route() {
    says(
        "[workers.a]\nprovider = \"echo\"\n[workers.b]\nprovider = \"echo\"\n[routes.r]\nprimary = [\"a\"]\nweights = { a = 2, b = 3 }\n",
        &expect![[r#"
            warning workers.b: no route uses the worker `b`
            error routes.r.weights.b: the route has no worker `b`"#]],
    );
}

#[test]
fn a_limit_that_cannot_be_reached_is_an_error() {
    says(
        "[routes.r]\nprimary = [\"echo\"]\nsoft_limit = 9\nhard_limit = 8\nstream_soft_limit = 10\nstream_hard_limit = 9\n",
        &expect![[r#"
            error routes.r.soft_limit: 9 is more than `hard_limit`, which is 8
            error routes.r.stream_soft_limit: 10 is more than `stream_hard_limit`, which is 9
            error routes.r.stream_soft_limit: 10 is more than `soft_limit`, which is 9
            error routes.r.stream_hard_limit: 9 is more than `hard_limit`, which is 8"#]],
    );
    says(
        "[routes.r]\nprimary = [\"echo\"]\nsoft_limit = 8\nhard_limit = 8\nstream_soft_limit = 8\nstream_hard_limit = 8\n",
        &expect![[r#""#]],
    );
}

#[test]
fn complexity_chooses_between_two_tiers_that_have_workers() {
    let route = "[routes.r]\nprimary = [\"echo\"]\nbackup = [\"ollama\"]\n[routes.r.complexity]\n";
    is_silent(&format!(
        "{route}strong = \"backup\"\nlength_bytes = 0\nturns = 0\ntools = 0\n"
    ));
    says(
        route,
        &expect!["error routes.r.complexity.strong: the route has no secondary worker"],
    );
    says(
        "[routes.r.complexity]\nturns = 3\n",
        &expect!["error routes.r: the route names no worker"],
    );
    says(
        &format!("{route}strong = \"primary\"\nlength_bytes = 0\nturns = 0\ntools = 0\ncode_blocks = 0\n"),
        &expect![[r#"
            error routes.r.complexity: no request is complex, since nothing counts
            error routes.r.complexity.strong: simple requests go to this tier first, too"#]],
    );
}

#[test]
fn nobody_waits_for_room_beside_a_latency_budget() {
    let route = "[routes.r]\nprimary = [\"echo\"]\nlatency_budget_ms = 500\noverflow_after_ms = ";
    is_silent(&format!("{route}0\n"));
    says(
        &format!("{route}1\n"),
        &expect!["error routes.r.overflow_after_ms: no request waits so long, since each has the `latency_budget_ms`"],
    );
}

#[test]
fn two_routes_do_not_claim_the_same_models() {
    says(
        "[routes.a]\nmodels = [\"gpt-4\", \"gpt-*\"]\nprimary = [\"echo\"]\n[routes.b]\nprimary = [\"echo\"]\n\
         [routes.c]\nmodels = [\"gpt-4o\", \"gpt-*\", \"*\"]\nprimary = [\"echo\"]\n",
        &expect![[r#"
            error routes.c.models[1]: the route `a` serves `gpt-*` already
            error routes.c.models[2]: the route `b` serves `*` already"#]],
    );
}

#[test]
fn the_worker_of_the_stage_is_idle_beside_routes_that_do_not_name_it() {
    let routes = "[routes.r]\nprimary = [\"echo\"]\n";
    says(
        &format!("[pipeline.stages.inference]\nworker = \"ollama\"\n{routes}"),
        &expect!["warning pipeline.stages.inference.worker: no route names `ollama`, so it is not called"],
    );
    says(
        &format!("[pipeline.stages.inference]\nworker = \"echo\"\n{routes}"),
        &expect![[r#""#]],
    );
    says(routes, &expect![[r#""#]]);
}

#[test]
fn the_model_of_the_stage_is_one_that_a_route_serves() {
    let stage = "[pipeline.stages.inference]\nmodel = \"gpt-4\"\n";
    let route = |model: &str| format!("[routes.r]\nmodels = [\"o3\", \"{model}\"]\nprimary = [\"echo\"]\n");
    says(
        &format!("{stage}{}", route("gpt-4o")),
        &expect![
            "error pipeline.stages.inference.model: no route serves `gpt-4`, so requests that name no model would fail"
        ],
    );
    for model in ["gpt-4", "gpt-*", "*"] {
        says(&format!("{stage}{}", route(model)), &expect![[r#""#]]);
    }
    says(stage, &expect![[r#""#]]);
}

#[test]
fn a_pool_is_no_larger_than_its_ceiling() {
    is_silent("[pools]\nfast = 1000\nslow = 1000\n");
    is_silent("[pools]\nfast = 5000\nceiling = 5000\n");
    says(
        "[pools]\nfast = 1001\nslow = 51\nceiling = 50\n",
        &expect![[r#"
            error pools.fast: 1001 is more than `ceiling`, which is 50
            error pools.slow: 51 is more than `ceiling`, which is 50"#]],
    );
}
