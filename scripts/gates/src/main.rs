//! `gates ratio|panics [ROOT]` and `gates bench CURRENT BASELINE [--update]`. Exit code 0: passes; 1: does not; 2: could
//! not look.

use orchestrator_gates::{Error, Report, Workspace, bench, panics, ratio};
use std::{
    env,
    io::{self, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

const USAGE: &str = "usage: gates ratio|panics [ROOT]\n       gates bench CURRENT BASELINE [--update]\n";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let report = match arguments.as_slice() {
        ["ratio"] => look(".", ratio::check),
        ["ratio", root] => look(root, ratio::check),
        ["panics"] => look(".", panics::check),
        ["panics", root] => look(root, panics::check),
        ["bench", current, baseline] => bench::check(Path::new(current), Path::new(baseline)),
        ["bench", current, baseline, "--update"] => bench::update(Path::new(current), Path::new(baseline)),
        _ => return say(&mut io::stderr(), USAGE, 2),
    };
    match report {
        Ok(Report { text, passes }) => say(&mut io::stdout(), &text, u8::from(!passes)),
        Err(error) => say(&mut io::stderr(), &format!("gates: {error}\n"), 2),
    }
}

fn look(from: &str, check: impl FnOnce(&Workspace) -> Result<Report, Error>) -> Result<Report, Error> {
    check(&Workspace::above(&PathBuf::from(from))?)
}

fn say(to: &mut impl Write, text: &str, code: u8) -> ExitCode {
    match to.write_all(text.as_bytes()) {
        Ok(()) => ExitCode::from(code),
        Err(_) => ExitCode::from(2),
    }
}
