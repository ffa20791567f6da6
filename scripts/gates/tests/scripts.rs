//! The scripts fail when they should and name what failed. They are the real ones, in a small workspace, over stand-ins
//! for cargo and its tools that write down how they were called and fail where a test says so.

#![allow(clippy::unwrap_used, reason = "a fault in here shall end the test")]

mod scenery;

use expect_test::expect;
use scenery::{Ran, Tree, ours};
use std::{fs, os::unix::fs::PermissionsExt, process::Command};

/// Writes down its call; hands calls of the gates to the real ones; prints counts for benchmarks.
const CARGO: &str = r#"#!/usr/bin/env bash
echo "cargo $*" >>"$TREE/calls"
if [[ -n ${FAIL:-} && $* == $FAIL ]]; then echo "stand-in: failed" >&2; exit 101; fi
if [[ $* == *'-p orchestrator-gates -- '* ]]; then
    while [[ $1 != -- ]]; do shift; done
    shift
    exec "$GATES" "$@"
fi
case "$1" in
    bench) cat "$TREE/counts.json" ;;
    llvm-cov) echo "with $LLVM_COV $LLVM_PROFDATA $CARGO_LLVM_COV_SETUP" ;;
esac
exit 0
"#;
/// A program of the version that the scripts ask for, whatever that is.
const TOOL: &str =
    "#!/bin/sh\necho \"${0##*/} $(cat \"$TREE\"/scripts/*.sh | sed -n \"s/.*cargo_tool ${0##*/} //p\")\"\n";

/// A tree with the scripts and the stand-ins, whose `a` passes every gate.
fn scripted() -> Tree {
    let tree = Tree::new();
    let scripts = ours().join("scripts");
    for script in fs::read_dir(scripts).unwrap().map(|entry| entry.unwrap().path()) {
        if script.extension().is_some_and(|extension| extension == "sh") {
            program(
                &tree,
                &format!("scripts/{}", script.file_name().unwrap().display()),
                &fs::read_to_string(script).unwrap(),
            );
        }
    }
    program(&tree, ".ci/run", &fs::read_to_string(ours().join(".ci/run")).unwrap());
    program(&tree, "bin/cargo", CARGO);
    for tool in ["cargo-deny", "cargo-audit", "cargo-llvm-cov"] {
        program(&tree, &format!("bin/{tool}"), TOOL);
    }
    program(&tree, "bin/gungraun-runner", "#!/bin/sh\necho gungraun-runner 7.7.7\n");
    for present in ["valgrind", "llvm-cov-22", "apt-get", "sudo"] {
        program(
            &tree,
            &format!("bin/{present}"),
            &format!("#!/bin/sh\necho {present} >>\"$TREE/calls\"\n"),
        );
    }
    tree.write("Cargo.lock", "[[package]]\nname = \"gungraun\"\nversion = \"7.7.7\"\n");
    tree.write("crates/a/src/lib.rs", "fn f() {}\n#[cfg(test)]\nfn g() {}\n");
    tree.write("benches/benches/log.rs", "use gungraun::main;\n");
    tree.write("benches/benches/times.rs", "use criterion::criterion_main;\n");
    counted(&tree, 1000);
    tree.write("benches/baseline.tsv", "log::push\t1000\n");
    tree
}

/// Lets the one benchmark count this.
fn counted(tree: &Tree, count: u64) {
    let summary = format!(
        r#"{{"module_path":"log::push","profiles":[{{"tool":"Callgrind","data":{{"total":{{"metrics":{{"Ir":{{"values":{{"new":{count}}}}}}}}}}}}}]}}"#
    );
    tree.write("counts.json", &summary);
}

fn program(tree: &Tree, path: &str, text: &str) {
    tree.write(path, text);
    fs::set_permissions(tree.path().join(path), fs::Permissions::from_mode(0o755)).unwrap();
}

fn run(tree: &Tree, script: &str, arguments: &[&str], fail: &str) -> Ran {
    tree.write("calls", "");
    tree.run(&mut command(tree, script, arguments, fail))
}

fn command(tree: &Tree, script: &str, arguments: &[&str], fail: &str) -> Command {
    let root = tree.path();
    let mut command = Command::new(root.join(script));
    command
        .args(arguments)
        .env_clear()
        .env("PATH", format!("{}:/usr/bin:/bin", root.join("bin").display()))
        .env("HOME", root.join("home"))
        .env("TREE", &root)
        .env("GATES", env!("CARGO_BIN_EXE_gates"))
        .env("FAIL", fail);
    command
}

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
