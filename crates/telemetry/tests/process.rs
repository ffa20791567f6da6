//! What can be done once in a process: install the logs and the panic hook.

use expect_test::expect;
use orchestrator_telemetry::{Config, Error, Logs, Registry, log};
use parking_lot::Mutex;
use std::{
    io::{self, Write},
    sync::Arc,
    time::Duration,
};

#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn start(written: &Written) -> Result<Logs, Error> {
    let output = log::Output::new(written.clone(), false);
    let registry = Registry::new("1", Duration::ZERO)?;
    log::start(
        &Config::default(),
        output,
        Arc::new(|| Duration::ZERO),
        registry.metrics(),
    )
}

fn panics(name: &str, work: impl FnOnce() + Send + 'static) -> bool {
    let thread = std::thread::Builder::new().name(name.to_owned());
    thread.spawn(work).is_ok_and(|thread| thread.join().is_err())
}

/// One test, since the process has one subscriber and one panic hook.
#[test]
fn logs_and_panics_of_the_process_reach_the_output() {
    let written = Written::default();
    let logs = start(&written).unwrap();
    tracing::info!(target: "orchestrator_test", "from anywhere");

    log::panics(&logs);
    assert!(panics("core-0", || panic!("the loop of a stage ended")));
    let prompt = String::from("my secret prompt");
    assert!(panics("core-1", move || panic!("cannot read {prompt}")));
    assert!(panics("core-2", || std::panic::panic_any(7)));
    logs.flush();

    let text = String::from_utf8(written.0.lock().clone()).unwrap();
    let places: String = text.split_inclusive('\n').map(without_place).collect();
    expect![[r#"
        {"timestamp":"1970-01-01T00:00:00.000000Z","level":"INFO","target":"orchestrator_test","message":"from anywhere"}
        {"timestamp":"1970-01-01T00:00:00.000000Z","level":"ERROR","target":"panic","message":"the loop of a stage ended","location":"crates/telemetry/tests/process.rs:PLACE","thread":"core-0"}
        {"timestamp":"1970-01-01T00:00:00.000000Z","level":"ERROR","target":"panic","message":"panic","location":"crates/telemetry/tests/process.rs:PLACE","thread":"core-1"}
        {"timestamp":"1970-01-01T00:00:00.000000Z","level":"ERROR","target":"panic","message":"panic","location":"crates/telemetry/tests/process.rs:PLACE","thread":"core-2"}
    "#]].assert_eq(&places);

    assert!(matches!(start(&written), Err(Error::AlreadyStarted)));
    drop(logs);
    assert!(matches!(start(&written), Err(Error::AlreadyStarted)));
}

/// Takes line and column out of a line of the log.
fn without_place(line: &str) -> String {
    match line.split_once(".rs:") {
        Some((before, after)) => {
            let rest = after.trim_start_matches(|c: char| c.is_ascii_digit() || c == ':');
            format!("{before}.rs:PLACE{rest}")
        }
        None => line.to_owned(),
    }
}
