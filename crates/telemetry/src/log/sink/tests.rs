use super::super::tests::Written;
use super::*;
use proptest::prelude::*;

fn dropped() -> IntCounter {
    IntCounter::new("orchestrator_log_lines_dropped_total", "help").unwrap()
}

fn open(capacity: usize) -> (Sink, Written, IntCounter) {
    let (written, dropped) = (Written::default(), dropped());
    let sink = Sink::open(Output::new(written.clone(), false), capacity, dropped.clone()).unwrap();
    (sink, written, dropped)
}

#[test]
fn lines_are_written_whole_and_in_order() {
    let (sink, written, dropped) = open(1 << 20);
    let expected: String = (0..10_000).map(|n| format!("line {n}\n")).collect();
    for line in expected.split_inclusive('\n') {
        sink.take(line.as_bytes());
    }
    assert!(sink.flush());
    assert_eq!((written.text(), dropped.get()), (expected, 0));
}

#[test]
fn lines_of_many_threads_do_not_mix() {
    let (sink, written, _) = open(1 << 20);
    std::thread::scope(|scope| {
        for name in ["a", "b", "c", "d"] {
            let (sink, line) = (sink.clone(), format!("{}\n", name.repeat(50)));
            scope.spawn(move || (0..500).for_each(|_| sink.take(line.as_bytes())));
        }
    });
    assert!(sink.flush());
    let text = written.text();
    assert_eq!(text.lines().count(), 2000);
    for name in ["a", "b", "c", "d"] {
        assert_eq!(text.lines().filter(|line| *line == name.repeat(50)).count(), 500);
    }
}

#[test]
fn an_output_that_takes_nothing_costs_lines_and_not_time() {
    let (sink, written, dropped) = open(1000);
    let stopped = written.stop();
    for _ in 0..1000 {
        sink.take(&[b"x".repeat(99), b"\n".to_vec()].concat());
    }
    drop(stopped);
    assert!(sink.flush());
    let kept = written.text().lines().count() as u64;
    // One buffer waits, and another may be on its way out.
    assert!((10..=20).contains(&kept), "{kept} lines were kept");
    assert_eq!(dropped.get() + kept, 1000);
}

#[test]
fn a_line_larger_than_the_buffer_is_dropped_alone() {
    let (sink, written, dropped) = open(100);
    sink.take(&[b'x'; 101]);
    sink.take(b"short\n");
    assert!(sink.flush());
    assert_eq!((written.text().as_str(), dropped.get()), ("short\n", 1));
}

#[test]
fn a_full_batch_is_written_without_being_asked_for() {
    let (sink, written, _) = open(1 << 20);
    let line = [vec![b'x'; 1023], b"\n".to_vec()].concat();
    (0..BATCH_BYTES / 1024).for_each(|_| sink.take(&line));
    let mut state = sink.0.state.lock();
    let wait = sink
        .0
        .written
        .wait_while_for(&mut state, |state| state.done == 0, PATIENCE);
    assert!(!wait.timed_out());
    drop(state);
    assert_eq!(written.text().len(), BATCH_BYTES);
}

#[test]
fn a_single_line_is_written_soon() {
    let (sink, written, _) = open(1000);
    sink.take(b"alone\n");
    let mut state = sink.0.state.lock();
    let wait = sink
        .0
        .written
        .wait_while_for(&mut state, |state| state.done == 0, PATIENCE);
    assert!(!wait.timed_out());
    drop(state);
    assert_eq!(written.text(), "alone\n");
}

#[test]
fn nothing_is_taken_after_the_end() {
    let (sink, written, dropped) = open(1000);
    sink.take(b"before\n");
    sink.close();
    sink.take(b"after\n");
    sink.close();
    assert_eq!((written.text().as_str(), dropped.get()), ("before\n", 1));
}

#[test]
fn the_thread_ends_with_the_sink() {
    let (sink, written, _) = open(1000);
    let mut working = Arc::downgrade(&sink.0);
    sink.close();
    drop((sink, written));
    // The thread holds the last reference until it has seen the end.
    for _ in 0..1_000_000 {
        if working.strong_count() == 0 {
            working = std::sync::Weak::new();
            break;
        }
        std::thread::yield_now();
    }
    assert_eq!(working.strong_count(), 0);
    assert!(working.upgrade().is_none());
}

#[test]
fn flushing_nothing_does_not_wait() {
    let (sink, written, _) = open(1000);
    assert!(sink.flush());
    assert!(sink.flush());
    assert_eq!(written.text(), "");
}

/// An output that is broken.
struct Broken;

impl Write for Broken {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn lines_for_a_broken_output_are_counted_as_dropped() {
    let dropped = dropped();
    let sink = Sink::open(Output::new(Broken, false), 1000, dropped.clone()).unwrap();
    sink.take(b"one\n");
    sink.take(b"two\n");
    assert!(sink.flush());
    assert_eq!(dropped.get(), 2);
}

#[test]
fn a_thread_that_cannot_start_is_an_error() {
    let output = Output::new(io::sink(), false);
    let started = Sink::open_on(1 << 47, output, 1000, dropped());
    assert!(matches!(started.map(|_| ()), Err(Error::Thread(_))));
}

#[test]
fn standard_error_is_an_output() {
    let output = Output::stderr();
    assert_eq!(output.is_terminal(), io::stderr().is_terminal());
    assert!(format!("{output:?}").starts_with("Output { is_terminal: "));
}

/// What may happen to a sink of a hundred bytes.
#[derive(Clone, Debug)]
enum Step {
    Take(usize),
    Hurry,
    Flush,
    /// The output takes nothing while so many lines of ten bytes come.
    Stall(usize),
    Clone,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (2..120_usize).prop_map(Step::Take),
        1 => Just(Step::Hurry),
        2 => Just(Step::Flush),
        1 => (0..30_usize).prop_map(Step::Stall),
        1 => Just(Step::Clone),
    ];
    prop::collection::vec(step, 0..40)
}

/// Lines that are told apart by their number.
struct Lines {
    sink: Sink,
    taken: Vec<String>,
}

impl Lines {
    fn take(&mut self, length: usize) {
        let line = format!("{:0width$}\n", self.taken.len(), width = length.saturating_sub(1));
        self.sink.take(line.as_bytes());
        self.taken.push(line);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever happens, each line is written once, whole and in order, or it is dropped and counted; and a sink that was
    /// flushed takes at least what it has room for.
    #[test]
    fn each_line_is_written_or_counted(steps in steps()) {
        let (sink, written, dropped) = open(100);
        let mut lines = Lines { sink, taken: Vec::new() };
        let mut fitting = 0; // Whether a line as long as the buffer came when that was empty.
        for step in &steps {
            match step {
                Step::Take(length) => lines.take(*length),
                Step::Hurry => lines.sink.hurry(),
                Step::Flush => {
                    prop_assert!(lines.sink.flush());
                    lines.take(100);
                    fitting = 1;
                    prop_assert!(lines.sink.flush());
                }
                Step::Stall(count) => {
                    let stopped = written.stop();
                    (0..*count).for_each(|_| lines.take(10));
                    drop(stopped);
                }
                Step::Clone => lines.sink = lines.sink.clone(),
            }
        }
        lines.sink.close();
        let text = written.text();
        let kept: Vec<&str> = text.split_inclusive('\n').collect();
        let mut all = lines.taken.iter();
        for line in &kept {
            prop_assert!(all.any(|taken| taken == line), "{line:?} was not taken, or not then");
        }
        prop_assert_eq!((kept.len() as u64).checked_add(dropped.get()), Some(lines.taken.len() as u64));
        prop_assert!(kept.iter().filter(|line| line.len() == 100).count() >= fitting);
    }
}
