//! Release builds, and they alone, are compiled with the profile in the tree, by the real cargo and the real compiler.
#![allow(
    clippy::unwrap_used,
    clippy::string_slice,
    reason = "a fault in here shall end the test"
)]

mod scenery;

use expect_test::expect;
use scenery::{
    Tree, ours,
    stand_ins::{command, program, run, scripted},
};
use std::{fs, path::Path, process::Command};

/// Writes down what the wrapper has it do, and does it.
const RUSTC: &str = "#!/bin/sh\necho \"$*\" >>\"$TREE/calls\"\nexec rustc \"$@\"\n";

/// A program and its library, with a build script, that are built with our own settings.
fn workspace() -> Tree {
    let tree = Tree::new();
    let settings = fs::read_to_string(ours().join("Cargo.toml")).unwrap();
    let from = settings.find("[profile.release]").unwrap();
    let workspace = format!(
        "[workspace]\nresolver = \"3\"\nmembers = [\"crates/*\"]\n{}",
        &settings[from..]
    );
    tree.write("Cargo.toml", &workspace);
    let named = |name: &str, more: &str| format!("[package]\nname = \"{name}\"\nedition = \"2024\"\n{more}");
    let needs = "[dependencies]\nlibrary = { path = \"../a\" }\n";
    tree.write("crates/a/Cargo.toml", &named("library", ""));
    tree.write("crates/a/build.rs", "fn main() {}\n");
    tree.write(
        "crates/a/src/lib.rs",
        "pub fn f(n: usize) -> usize { n.count_ones() as usize }\n",
    );
    tree.write("crates/b/Cargo.toml", &named("program", needs));
    let main = "fn main() { std::process::exit(library::f(std::env::args().count()) as i32 - 1) }\n";
    tree.write("crates/b/src/main.rs", main);
    program(&tree, "bin/rustc-told", RUSTC);
    tree
}

/// Tells counts as text, and copies what they become.
const PROFDATA: &str = r#"#!/bin/sh
echo "llvm-profdata-22 $1 $2" >>"$TREE/calls"
case "$*" in *--text*) cat "$TREE/counts.proftext" ;; *) cp "$4" "$3" ;; esac
"#;

/// Builds it from a folder of its own. The flag of a profile that each crate was compiled with.
fn built(tree: &Tree, of: &[&str], training: Option<&Path>) -> Vec<(String, String)> {
    tree.write("calls", "");
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--offline", "--target-dir", "target"]).args(of);
    cargo.env("RUSTC", tree.path().join("bin/rustc-told"));
    cargo.env("RUSTC_WRAPPER", ours().join("scripts/rustc_profiled.sh"));
    cargo
        .env("TREE", tree.path())
        .env_remove("TRAINING")
        .envs(training.map(|folder| ("TRAINING", folder)));
    let ran = tree.run(&mut cargo);
    assert!(ran.code == 0 && !ran.out.contains("warning"), "{}", ran.out);
    let after = |call: &str, word: &str| {
        let found = call.split(word).nth(1).and_then(|rest| rest.split(' ').next());
        found.map(str::to_owned)
    };
    let calls = tree.read("calls");
    let crates = calls.lines().filter_map(|call| {
        let profile = after(call, " -Cprofile-").unwrap_or_default();
        Some((after(call, "--crate-name ").filter(|name| name != "___")?, profile))
    });
    crates.collect()
}

/// What is expected where the program and its library are compiled with this flag.
fn all(flag: &str) -> Vec<(String, String)> {
    [("build_script_build", ""), ("library", flag), ("program", flag)]
        .map(|(name, flag)| (name.to_owned(), flag.to_owned()))
        .to_vec()
}

#[test]
fn a_release_build_alone_takes_the_profile_in_the_tree() {
    let tree = workspace();
    let profile = ours().join("scripts/../profile/release.profdata");
    assert_eq!(
        built(&tree, &["--release"], None),
        all(&format!("use={}", profile.display()))
    );
    assert_eq!(built(&tree, &[], None), all(""));
    let benchmarks = built(&tree, &["--profile", "bench", "-p", "library"], None);
    assert_eq!(benchmarks, all("")[..2]);
}

#[test]
fn a_training_counts_instead_and_the_program_writes_the_counts() {
    let tree = workspace();
    let counts = tree.path().join("counts");
    assert_eq!(
        built(&tree, &["--release"], Some(&counts)),
        all(&format!("generate={}", counts.display()))
    );
    let mut program = Command::new(tree.path().join("target/release/program"));
    let ran = tree.run(program.env("LLVM_PROFILE_FILE", counts.join("%p.profraw")));
    assert_eq!(ran.told(), "exit 0\n");
    assert_eq!(fs::read_dir(counts).unwrap().count(), 1);
}

#[test]
fn the_compiler_hears_all_that_cargo_tells_by_variables() {
    let mut wrapper = Command::new(ours().join("scripts/rustc_profiled.sh"));
    let heard = wrapper.args(["printenv", "CARGO_BIN_EXE_model-server"]);
    let heard = heard.env("CARGO_BIN_EXE_model-server", "there").output().unwrap();
    assert_eq!(heard.stdout, b"there\n", "{heard:?}");
}

#[test]
fn cargo_calls_the_wrapper() {
    let config = fs::read_to_string(ours().join(".cargo/config.toml")).unwrap();
    assert!(
        config.contains("\nrustc-wrapper = \"scripts/rustc_profiled.sh\"\n"),
        "{config}"
    );
}

#[test]
fn training_keeps_a_profile_and_what_it_was_taken_with() {
    const OLDER: &str = "its profile was taken with other dependencies";
    let tree = scripted();
    program(&tree, "bin/llvm-profdata-22", PROFDATA);
    let counted = |name: &str, counts: &str| {
        format!(
            "{name}\n# Func Hash:\n9999\n# Num Counters:\n2\n# Counter Values:\n{counts}\n# Num Value Kinds:\n1\n9999\n\n"
        )
    };
    let [rare, hot, often] =
        [("rare", "0\n499"), ("hot", "1000000\n3"), ("often", "1\n500")].map(|(name, counts)| counted(name, counts));
    let all = format!("# IR level Instrumentation Flag\n:ir\n{rare}{hot}{often}");
    tree.write("counts.proftext", &all);
    let trained = run(&tree, "scripts/train.sh", &[], "");
    assert_eq!(trained.code, 0, "{}", trained.out);
    assert_eq!(tree.read("profile/release.profdata"), format!(":ir\n\n{hot}{often}"));
    expect![[r#"
        cargo build --release -p orchestrator --target-dir target/training
        cargo run --profile bench -p orchestrator-benches --bin compare -- --only training --program target/training/release/orchestrator
        llvm-profdata-22 merge --sparse
        llvm-profdata-22 merge --output
    "#]]
    .assert_eq(&tree.read("calls"));
    program(&tree, "target/release/orchestrator", "");
    let told = || {
        let nginx = tree.path().join("bin/valgrind");
        tree.run(command(&tree, "scripts/bench_all.sh", &[], "").env("NGINX", nginx))
            .out
    };
    assert!(!told().contains(OLDER), "{}", told());
    tree.write("rust-toolchain.toml", "[toolchain]\nchannel = \"2.0.0\"\n");
    assert!(told().contains(OLDER), "{}", told());
    assert_eq!(run(&tree, "scripts/train.sh", &[], "").code, 0);
    assert!(!told().contains(OLDER), "{}", told());
    tree.write("profile/trained-with.sha256", "");
    assert_ne!(run(&tree, "scripts/train.sh", &[], "*--only training*").code, 0);
    assert_eq!(
        tree.read("profile/trained-with.sha256"),
        "",
        "what failed keeps nothing"
    );
}
