//! The arrows between the crates: a crate sees only crates on lower floors, and only tests see the testkit.
#![allow(clippy::unwrap_used, reason = "a fault in here shall end the test")]

use expect_test::expect;
use serde_json::{Value, json};
use std::{collections::BTreeMap, process::Command};

/// The floor of each crate, as docs/ARCHITECTURE.md draws the house.
const FLOORS: [(&str, usize); 17] = [
    ("core", 0),
    ("telemetry", 0),
    ("assemble", 1),
    ("dedup", 1),
    ("dialect", 1),
    ("post-process", 1),
    ("rag", 1),
    ("resilience", 1),
    ("stream", 1),
    ("degradation", 2),
    ("inference", 2),
    ("routing", 2),
    ("admin", 3),
    ("gateway", 3),
    ("pipeline", 3),
    ("config", 4),
    ("orchestrator", 5),
];
/// The testkit stands for a provider, so it may know the words, but nothing that it helps to test from outside.
const TESTKIT_SEES: [&str; 2] = ["core", "dialect"];

/// What `cargo metadata` tells of the workspace's packages.
fn metadata() -> Value {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["metadata", "--no-deps", "--offline", "--format-version", "1"]);
    let told = cargo.current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
    assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
    serde_json::from_slice(&told.stdout).unwrap()
}

/// Every arrow that must not be, and every crate that stands on no floor.
fn findings(metadata: &Value) -> String {
    let floors = BTreeMap::from(FLOORS);
    let mut findings = Vec::new();
    for package in metadata["packages"].as_array().unwrap() {
        let manifest = package["manifest_path"].as_str().unwrap();
        let Some(folder) = manifest
            .rsplit_once("/crates/")
            .and_then(|(_, path)| path.strip_suffix("/Cargo.toml"))
        else {
            continue;
        };
        let name = package["name"].as_str().unwrap();
        if crate_of(name) != Some(folder) {
            findings.push(format!("crates/{folder} holds the package {name}"));
        }
        let floor = floors.get(folder);
        if folder != "testkit" && floor.is_none() {
            findings.push(format!("{folder} stands on no floor"));
            continue;
        }
        for dependency in package["dependencies"].as_array().unwrap() {
            let is_for_tests = dependency["kind"] == "dev";
            let Some(other) = dependency["name"].as_str().and_then(crate_of) else {
                continue;
            };
            let may_see = match (folder, other) {
                ("testkit", other) => TESTKIT_SEES.contains(&other),
                (_, "testkit") => is_for_tests,
                _ => floors.get(other).is_some_and(|lower| Some(lower) < floor),
            };
            if !may_see {
                findings.push(format!("{folder} must not see {other}"));
            }
        }
    }
    findings.join("\n")
}

/// The folder of one of our crates; `None` for any other package.
fn crate_of(package: &str) -> Option<&str> {
    match package {
        "orchestrator" => Some(package),
        _ => package.strip_prefix("orchestrator-"),
    }
}

#[test]
fn crates_see_only_lower_floors() {
    assert_eq!(findings(&metadata()), "");
}

#[test]
fn every_crate_on_a_floor_exists() {
    let metadata = metadata();
    let packages = metadata["packages"].as_array().unwrap();
    let exists = |name: &str| {
        packages
            .iter()
            .any(|package| package["name"].as_str().and_then(crate_of) == Some(name))
    };
    let missing: Vec<&str> = FLOORS
        .iter()
        .map(|(name, _)| *name)
        .filter(|name| !exists(name))
        .collect();
    assert_eq!(missing, [""; 0]);
}

#[test]
fn arrows_upwards_sideways_and_to_the_testkit_are_found() {
    let package = |folder: &str, name: &str, sees: &[(&str, &str)]| {
        let dependencies = sees.iter().map(|(name, kind)| json!({"name": name, "kind": kind}));
        json!({
            "name": name,
            "manifest_path": format!("/x/crates/{folder}/Cargo.toml"),
            "dependencies": dependencies.collect::<Vec<_>>(),
        })
    };
    let planted = json!({"packages": [
        package("core", "orchestrator-core", &[("orchestrator-dedup", "normal"), ("orchestrator-testkit", "dev")]),
        package("dedup", "orchestrator-dedup", &[("orchestrator-core", "normal"), ("orchestrator-rag", "dev")]),
        package("gateway", "orchestrator-gateway", &[("orchestrator-pipeline", "normal"), ("serde", "normal")]),
        package("config", "orchestrator-config", &[("orchestrator-testkit", "build"), ("orchestrator", "normal")]),
        package("testkit", "orchestrator-testkit", &[("orchestrator-core", "normal"), ("orchestrator-pipeline", "normal")]),
        package("common", "orchestrator-common", &[]),
        package("stream", "stream", &[("orchestrator-core", "normal"), ("orchestrator-dialekt", "normal")]),
    ]});
    expect![[r#"
        core must not see dedup
        dedup must not see rag
        gateway must not see pipeline
        config must not see testkit
        config must not see orchestrator
        testkit must not see pipeline
        common stands on no floor
        crates/stream holds the package stream
        stream must not see dialekt"#]]
    .assert_eq(&findings(&planted));
}
