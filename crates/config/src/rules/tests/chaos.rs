//! Faults on purpose: where they are refused, and what nobody would meet.

use super::{environment, is_silent, says, says_in};
use expect_test::expect;

const FAULTS: &str = "enabled = true\nallow_header = true\n[chaos.workers.\"*\"]\nfailure = 0.1\n";

#[test]
fn faults_are_refused_in_production_unless_they_are_allowed_there() {
    let on = |profile: &str, more: &str| format!("profile = \"{profile}\"\n[chaos]\n{more}{FAULTS}");
    is_silent(&on("dev", ""));
    is_silent(&on("ci", ""));
    is_silent(&on("prod", "allow_in_prod = true\n"));
    says(
        &on("prod", ""),
        &expect![[r#"
            error chaos.enabled: no faults are injected under `profile = "prod"`
            error chaos.allow_header: no faults are injected under `profile = "prod"`"#]],
    );
    is_silent("profile = \"prod\"\n[chaos.workers.echo]\nfailure = 1.0\n");
}

#[test]
fn a_profile_that_is_found_refuses_them_as_well() {
    says_in(
        &format!("[chaos]\n{FAULTS}"),
        &environment(&[("ENV", "production")]),
        &expect![[r#"
            error chaos.enabled: no faults are injected under `profile = "prod"`
            error chaos.allow_header: no faults are injected under `profile = "prod"`"#]],
    );
}

#[test]
fn faults_are_for_workers_that_there_are() {
    let of = |name: &str| format!("[workers.spare]\nprovider = \"echo\"\n[chaos.workers.{name}]\nfailure = 1.0\n");
    says(
        &of("ehco"),
        &expect![[r#"
            warning workers.spare: no route uses the worker `spare`
            error chaos.workers.ehco: no worker is called `ehco`"#]],
    );
    says(
        &of("spare"),
        &expect!["warning workers.spare: no route uses the worker `spare`"],
    );
    is_silent("[chaos.workers.echo]\ncut = 1.0\n");
    says(
        "[chaos.workers.openai]\ncut = 1.0\n",
        &expect!["error chaos.workers.openai: no worker is called `openai`"],
    );
}

#[test]
fn latencies_may_meet_but_not_cross() {
    is_silent("[chaos.workers.\"*\"]\nlatency_min_ms = 3000\n[chaos.retriever]\nlatency_min_ms = 1500\n");
    says(
        "[chaos.workers.echo]\nlatency_min_ms = 3001\n[chaos.retriever]\nlatency_max_ms = 199\n",
        &expect![[r#"
            error chaos.workers.echo.latency_min_ms: 3001 is more than `latency_max_ms`, which is 3000
            error chaos.retriever.latency_min_ms: 200 is more than `latency_max_ms`, which is 199"#]],
    );
}

#[test]
fn chaos_in_which_nothing_ever_happens_is_warned_of() {
    for harmless in ["", "[chaos.workers.echo]\nstatus = 500\nlatency_max_ms = 9000\n"] {
        says(
            &format!("[chaos]\nenabled = true\n{harmless}"),
            &expect!["warning chaos.enabled: nothing is injected: every probability is 0"],
        );
    }
    for harm in [
        "[chaos.retriever]\nfailure = 0.001\n",
        "[chaos.workers.echo]\ntrickle = 1.0\n",
    ] {
        is_silent(&format!("[chaos]\nenabled = true\n{harm}"));
    }
}

#[test]
fn no_worker_has_the_name_by_which_faults_of_searches_are_told() {
    says(
        "[workers.retriever]\nprovider = \"echo\"\n[routes.r]\nprimary = [\"retriever\"]\n",
        &expect!["error workers.retriever: a worker cannot be called this: faults of searches are told by this name"],
    );
}
