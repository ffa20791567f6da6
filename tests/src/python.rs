//! Python with the libraries that clients use, from PyPI in a venv that is made once beside the program and used again.

use crate::Program;
use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

const LIBRARIES: [&str; 2] = ["openai==3.52.0", "websockets==17.4"];

/// Runs a program to its end; what it printed.
///
/// # Panics
/// When it fails, with all that it said.
pub fn run(program: impl AsRef<Path>, arguments: &[&str]) -> String {
    let done = Command::new(program.as_ref())
        .args(arguments)
        .output()
        .expect("the program runs");
    let (out, err) = (
        String::from_utf8_lossy(&done.stdout),
        String::from_utf8_lossy(&done.stderr),
    );
    assert!(
        done.status.success(),
        "{} {arguments:?}:\n{out}{err}",
        program.as_ref().display()
    );
    out.into_owned()
}

/// The interpreter of the venv.
///
/// # Panics
/// When the venv cannot be made.
pub fn python() -> &'static PathBuf {
    // Tests run side by side; one of them makes the venv.
    static PYTHON: OnceLock<PathBuf> = OnceLock::new();
    PYTHON.get_or_init(|| {
        let venv = Program::path().parent().expect("a folder").join("python");
        let python = venv.join("bin/python");
        let has_all = Command::new(&python)
            .args(["-c", "import openai, websockets"])
            .output()
            .is_ok_and(|done| done.status.success());
        if !has_all {
            make(&venv);
            let install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
            run(&python, &[&install[..], &LIBRARIES].concat());
        }
        python
    })
}

/// Makes an empty venv, with Debian's package for that if need be.
fn make(venv: &Path) {
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/tools.sh");
    let package = format!(
        "source {} && debian_package python3-venv python3 -c 'import ensurepip, venv'",
        tools.display()
    );
    run("bash", &["-c", &package]);
    run("python3", &["-m", "venv", &venv.to_string_lossy()]);
}
