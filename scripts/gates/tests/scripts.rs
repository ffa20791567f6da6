//! The scripts fail when they should and name what failed. They are the real ones, in a small workspace, over stand-ins
//! for cargo and its tools that write down how they were called and fail where a test says so.

#![allow(clippy::unwrap_used, reason = "a fault in here shall end the test")]

mod scenery;

use expect_test::expect;
use scenery::{
    Ran, Tree,
    stand_ins::{command, counted, program, run, scripted},
};
use std::{fs, process::Command};

/// The last line of what a script said.
fn last(ran: &Ran) -> &str {
    ran.out.lines().last().unwrap_or_default()
}

#[test]
fn pre_commit_runs_every_step_when_all_is_well() {
    let tree = scripted();
    let ran = run(&tree, "scripts/pre_commit.sh", &[], "");
    assert_eq!((ran.code, last(&ran)), (0, "pre-commit: all passed"), "{}", ran.out);
    expect![[r#"
        cargo fmt --all --check
        cargo run --quiet -p orchestrator-gates -- panics
        cargo run --quiet -p orchestrator-gates -- ratio
        cargo clippy --quiet --workspace --all-targets -- -D warnings
        cargo test --quiet --workspace
        cargo deny --workspace --all-features check licenses bans sources
        cargo audit
    "#]]
    .assert_eq(&tree.read("calls"));
}

#[test]
fn pre_commit_stops_at_the_step_that_fails_and_names_it() {
    let tree = scripted();
    let steps = [
        ("fmt *", "formatting"),
        ("clippy *", "lints"),
        ("test *", "tests"),
        ("deny *", "deny"),
        ("audit*", "audit"),
    ];
    for (call, step) in steps {
        let ran = run(&tree, "scripts/pre_commit.sh", &[], call);
        assert_eq!(
            (ran.code, last(&ran)),
            (1, &*format!("pre-commit: FAILED: {step}")),
            "{}",
            ran.out
        );
        let calls = tree.read("calls");
        let stopped_at = calls.lines().last().unwrap().strip_prefix("cargo ").unwrap();
        assert!(stopped_at.starts_with(call.trim_end_matches([' ', '*'])), "{calls}");
    }
}

#[test]
fn pre_commit_fails_on_a_planted_unwrap_a_planted_index_and_too_few_tests() {
    let tree = scripted();
    let planted = [
        (
            "fn f() { g().unwrap() }\n#[cfg(test)]\nfn g() {}\n",
            "panics",
            "crates/a/src/lib.rs:1: .unwrap()",
        ),
        (
            "fn f() {\n a[0] }\n#[cfg(test)]\nfn g() {}\n",
            "panics",
            "crates/a/src/lib.rs:2: index expression",
        ),
        (
            "fn f() {}\nfn g() {}\n#[cfg(test)]\nfn h() {}\n",
            "ratio",
            "1.00  too low: 1 lines of test code are missing",
        ),
    ];
    for (code, step, told) in planted {
        tree.write("crates/a/src/lib.rs", code);
        let ran = run(&tree, "scripts/pre_commit.sh", &[], "");
        assert_eq!((ran.code, last(&ran)), (1, &*format!("pre-commit: FAILED: {step}")));
        assert!(ran.out.contains(told), "{}", ran.out);
    }
}

#[test]
fn pre_commit_becomes_the_hook_and_the_hook_refuses_a_bad_commit() {
    let tree = scripted();
    // Options of git itself stand before its command.
    program(
        &tree,
        "bin/git",
        "#!/bin/sh\nexec /usr/bin/git -c user.name=t -c user.email=t@example.org \"$@\"\n",
    );
    let git = |arguments: &[&str], fail: &str| tree.run(&mut command(&tree, "bin/git", arguments, fail));
    assert_eq!(git(&["init", "--quiet"], "").code, 0);
    let installed = run(&tree, "scripts/pre_commit.sh", &["--install"], "");
    assert_eq!(installed.told(), "exit 0\ninstalled as .git/hooks/pre-commit\n");
    assert_eq!(tree.read("calls"), "");
    let refused = git(&["commit", "--quiet", "--allow-empty", "-m", "bad"], "fmt *");
    assert_eq!((refused.code, last(&refused)), (1, "pre-commit: FAILED: formatting"));
    let accepted = git(&["commit", "--quiet", "--allow-empty", "-m", "good"], "");
    assert_eq!(
        (accepted.code, last(&accepted)),
        (0, "pre-commit: all passed"),
        "{}",
        accepted.out
    );
}

#[test]
fn pre_commit_leaves_another_hook_alone() {
    let tree = scripted();
    tree.run(Command::new("git").args(["init", "--quiet"]));
    tree.write(".git/hooks/pre-commit", "#!/bin/sh\n");
    let ran = run(&tree, "scripts/pre_commit.sh", &["--install"], "");
    assert!(ran.out.contains("is another hook and stays"), "{}", ran.out);
    assert_eq!(tree.read(".git/hooks/pre-commit"), "#!/bin/sh\n");
}

#[test]
fn the_scans_find_their_workspace_from_anywhere() {
    let tree = scripted();
    for script in ["scripts/ratio_check.sh", "scripts/panic_scan.sh"] {
        let ran = command(&tree, script, &[], "").current_dir("/").output().unwrap();
        assert!(ran.status.success(), "{ran:?}");
    }
    tree.write("crates/a/src/lib.rs", "fn f() { todo!() }\n");
    for script in ["scripts/ratio_check.sh", "scripts/panic_scan.sh"] {
        let ran = command(&tree, script, &[], "").current_dir("/").output().unwrap();
        assert_eq!(ran.status.code(), Some(1), "{ran:?}");
    }
}

#[test]
fn eleven_percent_more_instructions_fail_and_an_update_accepts_them() {
    let tree = scripted();
    counted(&tree, 1100);
    assert_eq!(run(&tree, "scripts/bench_all.sh", &[], "").code, 0);
    expect![[r#"
        cargo bench --quiet -p orchestrator-benches --bench log -- --output-format=json
        cargo run --quiet -p orchestrator-gates -- bench COUNTS benches/baseline.tsv
    "#]]
    .assert_eq(&tree.read("calls").replace(&*counts_file(&tree), "COUNTS"));
    counted(&tree, 1110);
    let slower = run(&tree, "scripts/bench_all.sh", &[], "");
    assert_eq!(slower.code, 1);
    assert!(slower.out.contains("+11.0%  TOO MANY"), "{}", slower.out);
    assert_eq!(run(&tree, "scripts/bench_all.sh", &["--update"], "").code, 0);
    assert!(tree.read("benches/baseline.tsv").ends_with("\nlog::push\t1110\n"));
    assert_eq!(run(&tree, "scripts/bench_all.sh", &[], "").code, 0);
}

/// The name of the file that the counts were gathered in.
fn counts_file(tree: &Tree) -> String {
    let calls = tree.read("calls");
    let after = calls.split_once("-- bench ").unwrap().1;
    after.split(' ').next().unwrap().to_owned()
}

#[test]
fn a_benchmark_without_baseline_or_a_baseline_without_benchmark_fails() {
    let tree = scripted();
    tree.write("benches/baseline.tsv", "log::pull\t1000\n");
    let ran = run(&tree, "scripts/bench_all.sh", &[], "");
    assert_eq!(ran.code, 1);
    assert!(
        ran.out.contains("GONE") && ran.out.contains("NOT IN THE BASELINE"),
        "{}",
        ran.out
    );
    assert_eq!(run(&tree, "scripts/bench_all.sh", &[], "bench *").code, 101);
}

#[test]
fn times_are_measured_on_request_and_only_inform() {
    let tree = scripted();
    let ran = run(&tree, "scripts/bench_all.sh", &["--criterion"], "*--bench times");
    assert_eq!(ran.code, 0, "{}", ran.out);
    assert!(
        tree.read("calls")
            .contains("cargo bench --quiet -p orchestrator-benches --bench times\n")
    );
    assert!(ran.out.contains("times failed; times only inform"), "{}", ran.out);
}

#[test]
fn the_program_is_measured_beside_nginx_where_both_are_there_and_only_informs() {
    let tree = scripted();
    let nginx = tree.path().join("bin/valgrind");
    let measured = |nginx: &std::path::Path, fail: &str| {
        tree.write("calls", "");
        let ran = tree.run(command(&tree, "scripts/bench_all.sh", &[], fail).env("NGINX", nginx));
        assert_eq!(ran.code, 0, "{}", ran.out);
        (ran.out, tree.read("calls").contains("--bin compare"))
    };
    let (out, ran) = measured(&nginx, "");
    assert!(
        out.contains("left out, since there is no target/release/orchestrator") && !ran,
        "{out}"
    );
    program(&tree, "target/release/orchestrator", "");
    let (out, ran) = measured(&tree.path().join("bin/no-such"), "");
    assert!(out.contains("left out, since there is no nginx") && !ran, "{out}");
    assert!(measured(&nginx, "").1);
    let call = "cargo run --profile bench --quiet -p orchestrator-benches --bin compare -- --short --program target/release/orchestrator\n";
    assert!(tree.read("calls").ends_with(call), "{}", tree.read("calls"));
    assert!(measured(&nginx, "*compare*").0.contains("failed; it only informs"));
    tree.write("calls", "");
    assert_eq!(run(&tree, "scripts/bench_all.sh", &["--counts"], "").code, 0);
    assert!(!tree.read("calls").contains("--bin compare"));
}

#[test]
fn the_database_of_advisories_beside_the_repository_is_used_when_there_is_one() {
    let outer = Tree::new();
    let inner = outer.path().join("main");
    fs::create_dir_all(inner.join("scripts")).unwrap();
    let tree = scripted();
    for script in ["dependency_check.sh", "tools.sh"] {
        fs::copy(
            tree.path().join("scripts").join(script),
            inner.join("scripts").join(script),
        )
        .unwrap();
    }
    let audit = |script: &str| {
        tree.write("calls", "");
        let mut audit = command(&tree, script, &["audit"], "");
        assert!(audit.output().unwrap().status.success());
        tree.read("calls")
    };
    let script = inner.join("scripts/dependency_check.sh");
    assert_eq!(audit(script.to_str().unwrap()), "cargo audit\n");
    outer.write("shared/advisory-db/crates/x.md", "");
    let expected = "cargo audit --db ../shared/advisory-db --no-fetch --stale\n";
    assert_eq!(audit(script.to_str().unwrap()), expected);
}

#[test]
fn a_tool_of_another_version_is_built_anew() {
    let tree = scripted();
    program(&tree, "bin/cargo-deny", "#!/bin/sh\necho cargo-deny 0.1.0\n");
    assert_eq!(run(&tree, "scripts/dependency_check.sh", &["deny"], "").code, 0);
    let calls = tree.read("calls");
    assert!(
        calls.starts_with("cargo install --quiet --locked --debug --force --root "),
        "{calls}"
    );
    assert!(calls.contains(" cargo-deny@"), "{calls}");
    assert_eq!(
        run(&tree, "scripts/dependency_check.sh", &["deny"], "install *").code,
        101
    );
    assert_eq!(run(&tree, "scripts/dependency_check.sh", &["both"], "deny *").code, 101);
}

#[test]
fn coverage_names_the_tools_and_hands_options_on() {
    let tree = scripted();
    let ran = run(&tree, "scripts/coverage.sh", &["--fail-under-lines", "80"], "");
    assert_eq!(ran.told(), "exit 0\nwith llvm-cov-22 llvm-profdata-22 no\n");
    assert!(tree.read("calls").ends_with(" --fail-under-lines 80\n"));
    assert_eq!(
        run(
            &tree,
            "scripts/coverage.sh",
            &["--fail-under-lines", "80"],
            "llvm-cov *"
        )
        .code,
        101
    );
}

#[test]
fn ci_runs_the_tests_loom_and_every_gate_and_names_the_one_that_fails() {
    let tree = scripted();
    let ran = run(&tree, ".ci/run", &[], "");
    assert_eq!(ran.code, 0, "{}", ran.out);
    let calls = tree.read("calls").replace(&*counts_file(&tree), "COUNTS");
    let cargo: String = calls
        .split_inclusive('\n')
        .filter(|call| call.starts_with("cargo "))
        .collect();
    expect![[r#"
        cargo test --workspace
        cargo test -p orchestrator-core -p orchestrator-resilience --release --lib interleavings
        cargo fmt --all --check
        cargo clippy --workspace --all-targets -- -D warnings
        cargo run --quiet -p orchestrator-gates -- panics
        cargo run --quiet -p orchestrator-gates -- ratio
        cargo deny --workspace --all-features check licenses bans sources
        cargo audit
        cargo bench --quiet -p orchestrator-benches --bench log -- --output-format=json
        cargo run --quiet -p orchestrator-gates -- bench COUNTS benches/baseline.tsv
    "#]]
    .assert_eq(&cargo);
    let failing = [
        ("test --workspace", "tests"),
        ("*interleavings", "loom"),
        ("fmt *", "formatting"),
        ("bench *", "instructions"),
    ];
    for (call, step) in failing {
        let ran = run(&tree, ".ci/run", &[], call);
        assert_eq!(ran.code, 1);
        assert!(
            last(&ran).starts_with(&format!("ci: FAILED: {step} after ")),
            "{}",
            ran.out
        );
    }
}
