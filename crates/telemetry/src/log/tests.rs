use super::*;
use expect_test::expect;
use parking_lot::Mutex;
use std::{
    io::{self, Write},
    sync::atomic::{AtomicU64, Ordering},
};

/// What the log has written so far.
#[derive(Clone, Default)]
pub(crate) struct Written(Arc<Mutex<Vec<u8>>>);

impl Written {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().clone()).unwrap()
    }

    /// Stops the output for as long as the guard lives.
    pub(crate) fn stop(&self) -> impl Sized + '_ {
        self.0.lock()
    }
}

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A clock that stands at 2026-11-20T12:00:00.000250Z.
pub(crate) fn clock() -> Clock {
    Arc::new(|| Duration::from_micros(1_795_176_000_000_250))
}

/// What is logged while `work` runs under `config`.
pub(crate) fn logged(config: &Config, work: impl FnOnce(&Logs)) -> String {
    let written = Written::default();
    let output = Output::new(written.clone(), false);
    let (logs, subscriber) = open(config, output, clock(), &Registry::new()).unwrap();
    tracing::subscriber::with_default(subscriber, || work(&logs));
    logs.flush();
    written.text()
}

#[test]
fn an_event_is_one_json_object_on_a_line() {
    let text = logged(&Config::default(), |_| {
        tracing::info!(target: "orchestrator_test", count = 3, "said \"{}\"", "so");
        tracing::warn!(target: "orchestrator_test", "twice");
    });
    expect![[r#"
        {"timestamp":"2026-11-20T12:00:00.000250Z","level":"INFO","target":"orchestrator_test","message":"said \"so\"","count":3}
        {"timestamp":"2026-11-20T12:00:00.000250Z","level":"WARN","target":"orchestrator_test","message":"twice"}
    "#]]
    .assert_eq(&text);
}

#[test]
fn dropping_the_logs_writes_what_is_left() {
    let written = Written::default();
    let output = Output::new(written.clone(), false);
    let (logs, subscriber) = open(&Config::default(), output, clock(), &Registry::new()).unwrap();
    tracing::subscriber::with_default(subscriber, || tracing::info!(target: "orchestrator_test", "last words"));
    drop(logs);
    assert!(written.text().contains("last words"));
}

#[test]
fn an_error_is_written_at_once() {
    let written = Written::default();
    let output = Output::new(written.clone(), false);
    let (logs, subscriber) = open(&Config::default(), output, clock(), &Registry::new()).unwrap();
    tracing::subscriber::with_default(subscriber, || tracing::error!(target: "orchestrator_test", "help"));
    assert!(logs.source.sink.flush(), "the thread writes");
    assert!(written.text().contains("help"));
}

#[test]
fn dropped_lines_are_counted_where_operators_look() {
    let registry = Registry::new();
    let written = Written::default();
    let config = Config {
        buffer_bytes: 300,
        ..Config::default()
    };
    let (logs, subscriber) = open(&config, Output::new(written.clone(), false), clock(), &registry).unwrap();
    let stopped = written.stop();
    tracing::subscriber::with_default(subscriber, || {
        for _ in 0..20 {
            tracing::info!(target: "orchestrator_test", "a line of a hundred bytes or somewhat more than that");
        }
    });
    drop(stopped);
    logs.flush();
    let kept = written.text().lines().count() as u64;
    let families = registry.gather();
    assert_eq!(crate::naming::findings(&families), Vec::<String>::new());
    assert_eq!(families[0].name(), "orchestrator_log_lines_dropped_total");
    let dropped = families[0].get_metric()[0].get_counter().get_value();
    assert!((1..=4).contains(&kept), "{kept} lines were kept");
    assert_eq!(dropped + kept as f64, 20.0);
}

#[test]
fn a_second_log_on_the_same_registry_is_an_error() {
    let registry = Registry::new();
    let open = || open(&Config::default(), Output::new(io::sink(), false), clock(), &registry).map(|(logs, _)| logs);
    let _first = open().unwrap();
    assert!(matches!(open(), Err(Error::Metric(_))));
}

#[test]
fn events_of_many_threads_are_whole_lines_with_the_spans_of_their_thread() {
    let written = Written::default();
    let output = Output::new(written.clone(), false);
    let (logs, subscriber) = open(&Config::default(), output, clock(), &Registry::new()).unwrap();
    let dispatch = tracing::Dispatch::new(subscriber);
    std::thread::scope(|scope| {
        for core in 0..4_u64 {
            let dispatch = dispatch.clone();
            scope.spawn(move || {
                let _guard = tracing::dispatcher::set_default(&dispatch);
                let _span = tracing::info_span!(target: "orchestrator_test", "core", core).entered();
                for n in 0..200_u64 {
                    tracing::info!(target: "orchestrator_test", n, of = core, "event");
                }
            });
        }
    });
    logs.flush();
    let mut next = [0_u64; 4];
    for line in written.text().lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        let core = line["core"].as_u64().unwrap();
        assert_eq!(line["of"], core, "the span of another thread");
        let expected = &mut next[usize::try_from(core).unwrap()];
        assert_eq!(line["n"], *expected, "the lines of a thread keep their order");
        *expected = expected.wrapping_add(1);
    }
    assert_eq!(next, [200; 4]);
}

#[test]
fn each_line_bears_the_time_of_its_event() {
    let ticks = Arc::new(AtomicU64::new(0));
    let clock: Clock = {
        let ticks = ticks.clone();
        Arc::new(move || Duration::from_secs(ticks.load(Ordering::SeqCst)))
    };
    let written = Written::default();
    let output = Output::new(written.clone(), false);
    let (logs, subscriber) = open(&Config::default(), output, clock, &Registry::new()).unwrap();
    tracing::subscriber::with_default(subscriber, || {
        for second in [0, 59, 86_400] {
            ticks.store(second, Ordering::SeqCst);
            tracing::info!(target: "orchestrator_test", "tick");
        }
    });
    logs.flush();
    let text = written.text();
    let times: Vec<&str> = text.lines().filter_map(|line| line.get(14..41)).collect();
    let expected = [
        "1970-01-01T00:00:00.000000Z",
        "1970-01-01T00:00:59.000000Z",
        "1970-01-02T00:00:00.000000Z",
    ];
    assert_eq!(times, expected);
}

#[test]
fn an_access_log_outlives_the_logs_without_harm() {
    let written = Written::default();
    let output = Output::new(written.clone(), false);
    let (logs, _) = open(&Config::default(), output, clock(), &Registry::new()).unwrap();
    let access = logs.access();
    assert_eq!(format!("{logs:?} {access:?}"), "Logs { .. } AccessLog { is_on: true }");
    drop(logs);
    access.write(&AccessLine {
        request_id: "late",
        caller_id: None,
        session_id: None,
        client: None,
        method: "GET",
        path: "/",
        model: "m",
        worker: None,
        tier: None,
        degraded: None,
        cache: None,
        attempts: 0,
        status: 200,
        outcome: "ok",
        error_code: None,
        error_source: None,
        ttft_ms: None,
        duration_us: 0,
        prompt_tokens: None,
        completion_tokens: None,
    });
    assert_eq!(written.text(), "");
}
