//! The official OpenAI SDK, from PyPI in a venv that this test makes, against the program.
#![allow(clippy::unwrap_used, reason = "a fault in here shall end the test")]

use orchestrator_e2e::Program;
use std::{
    path::{Path, PathBuf},
    process::Command,
};

const OPENAI: &str = "openai==3.52.0";

fn run(program: impl AsRef<Path>, arguments: &[&str]) {
    let done = Command::new(program.as_ref()).args(arguments).output().unwrap();
    let (out, err) = (
        String::from_utf8_lossy(&done.stdout),
        String::from_utf8_lossy(&done.stderr),
    );
    assert!(
        done.status.success(),
        "{} {arguments:?}:\n{out}{err}",
        program.as_ref().display()
    );
}

/// Python with the SDK, made once beside the program and used again.
fn python() -> PathBuf {
    let venv = Program::path().parent().unwrap().join("python-sdk");
    let python = venv.join("bin/python");
    let has_sdk = Command::new(&python)
        .args(["-c", "import openai"])
        .output()
        .is_ok_and(|done| done.status.success());
    if !has_sdk {
        run("python3", &["-m", "venv", venv.to_str().unwrap()]);
        run(
            &python,
            &["-m", "pip", "install", "--quiet", "--disable-pip-version-check", OPENAI],
        );
    }
    python
}

#[test]
fn the_official_sdk_is_content() {
    let program = Program::start("[pipeline.stages.inference]\nworker = \"echo\"\nmodel = \"echo\"\n");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("python/sdk.py");
    run(
        python(),
        &[script.to_str().unwrap(), &format!("http://{}/v1", program.address)],
    );
}
