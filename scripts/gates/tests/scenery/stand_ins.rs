//! The real scripts in a small workspace, over stand-ins for cargo and its tools.

use super::{Ran, Tree, ours};
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
pub(crate) fn scripted() -> Tree {
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
    for present in ["valgrind", "llvm-cov-22", "llvm-profdata-22", "apt-get", "sudo"] {
        program(
            &tree,
            &format!("bin/{present}"),
            &format!("#!/bin/sh\necho {present} >>\"$TREE/calls\"\n"),
        );
    }
    tree.write("Cargo.lock", "[[package]]\nname = \"gungraun\"\nversion = \"7.7.7\"\n");
    tree.write("rust-toolchain.toml", "");
    tree.write("profile/release.profdata", "");
    tree.write("crates/a/src/lib.rs", "fn f() {}\n#[cfg(test)]\nfn g() {}\n");
    tree.write("benches/benches/log.rs", "use gungraun::main;\n");
    tree.write("benches/benches/times.rs", "use criterion::criterion_main;\n");
    counted(&tree, 1000);
    tree.write("benches/baseline.tsv", "log::push\t1000\n");
    tree
}

/// Lets the one benchmark count this.
pub(crate) fn counted(tree: &Tree, count: u64) {
    let summary = format!(
        r#"{{"module_path":"log::push","profiles":[{{"tool":"Callgrind","data":{{"total":{{"metrics":{{"Ir":{{"values":{{"new":{count}}}}}}}}}}}}}]}}"#
    );
    tree.write("counts.json", &summary);
}

pub(crate) fn program(tree: &Tree, path: &str, text: &str) {
    tree.write(path, text);
    fs::set_permissions(tree.path().join(path), fs::Permissions::from_mode(0o755)).unwrap();
}

pub(crate) fn run(tree: &Tree, script: &str, arguments: &[&str], fail: &str) -> Ran {
    tree.write("calls", "");
    tree.run(&mut command(tree, script, arguments, fail))
}

pub(crate) fn command(tree: &Tree, script: &str, arguments: &[&str], fail: &str) -> Command {
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
