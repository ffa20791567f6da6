//! Degradation: its steps and its rules.

use super::says;
use expect_test::expect;

#[test]
fn each_step_stands_in_the_chain_once_and_has_what_it_needs() {
    says(
        "[pipeline.deduplication]\nenabled = false\n[degradation]\nchain = [\"cache\", \"reduced\", \"cache\"]\n",
        &expect![[r#"
            error degradation.reduced.workers: the step `reduced` has no worker to ask
            error degradation.chain: the step `cache` keeps nothing while deduplication is off
            error degradation.chain[2]: the step `cache` stands in the chain already"#]],
    );
    says(
        "[degradation]\nchain = [\"cache\", \"reduced\", \"message\"]\n[degradation.reduced]\nworkers = [\"echo\"]\n",
        &expect![[r#""#]],
    );
}

#[test]
fn the_reduced_mode_asks_workers_that_are_there() {
    let chain = "[degradation]\nchain = [\"reduced\"]\n[degradation.reduced]\nworkers = [\"echo\"";
    says(
        &format!("{chain}, \"ehco\"]\n"),
        &expect!["error degradation.reduced.workers[1]: no worker is called `ehco`"],
    );
    says(
        "[degradation.reduced]\nworkers = [\"echo\"]\n",
        &expect!["warning degradation.reduced.workers: they are not asked, since the chain has no step `reduced`"],
    );
}

#[test]
fn its_route_may_be_declared_if_it_says_the_same_and_serves_no_model() {
    let chain = "[degradation]\nchain = [\"reduced\"]\n";
    let workers = "[degradation.reduced]\nworkers = [\"echo\"]\n";
    let all = "[routes.all]\nprimary = [\"echo\"]\n";
    let route = |models: &str, worker: &str| format!("[routes.reduced]\nmodels = {models}\nprimary = [\"{worker}\"]\n");
    let declared = route("[]", "echo");
    says(&format!("{chain}{all}{declared}"), &expect![[""]]);
    says(&format!("{chain}{workers}{all}{declared}"), &expect![[""]]);
    says(
        &format!("{all}{declared}"),
        &expect!["error routes.reduced.models: no request takes the route"],
    );
    let other = route("[\"m\"]", "ollama");
    says(
        &format!("{chain}{workers}{all}{other}"),
        &expect![[r#"
        error routes.reduced: it names other workers than `degradation.reduced.workers`
        error routes.reduced.models: the route of this name is for the step `reduced` alone"#]],
    );
}

#[test]
fn beside_its_route_there_is_one_that_requests_take() {
    let declared = "[degradation]\nchain = [\"reduced\"]\n[routes.reduced]\nmodels = []\nprimary = [\"ollama\"]\n";
    says(declared, &expect![[""]]);
    says(
        &format!("{declared}[pipeline.stages.inference]\nworker = \"ehco\"\n"),
        &expect!["error pipeline.stages.inference.worker: no worker is called `ehco`"],
    );
    says(
        &format!("{declared}[pipeline.stages.inference]\nmodel = \"m\"\n"),
        &expect![[""]],
    );
}

#[test]
fn stale_answers_are_older_than_fresh_ones_if_there_are_any() {
    let cache = |stale_s| {
        format!("[degradation]\nchain = [\"cache\"]\n[degradation.cache]\nfresh_s = 60\nstale_s = {stale_s}\n")
    };
    says(
        &cache(1),
        &expect!["error degradation.cache.fresh_s: no answer is given as a stale one, since `stale_s` is 1"],
    );
    says(
        &cache(60),
        &expect!["error degradation.cache.fresh_s: no answer is given as a stale one, since `stale_s` is 60"],
    );
    says(&cache(61), &expect![[""]]);
    says(&cache(0), &expect![[""]]);
}

#[test]
fn a_rule_has_a_name_of_its_own_a_threshold_and_a_step_of_the_chain() {
    let rule = |rest: &str| format!("[[degradation.rules]]\nname = \"r\"\n{rest}\n");
    let rules = rule("mode = \"cache\"\nfailure_rate = 0.5") + &rule("") + &rule("latency_p95_ms = 10");
    says(
        &format!("[degradation]\nchain = [\"message\"]\n{rules}"),
        &expect![[r#"
            error degradation.rules[0]: the chain has no step `cache`
            error degradation.rules[1]: the rule never holds, since it has no threshold
            error degradation.rules[1].name: a rule is called `r` already
            error degradation.rules[2].name: a rule is called `r` already"#]],
    );
}
