//! Short lines of scripted stages on a paused clock.

mod any;
mod ends;
mod pressure;
mod straight;
mod width;

use super::*;
use crate::{
    Answer, Cache, Chunk, Code, Cx, Failure, LineMetrics, Priority, Setter, StageName, edge,
    fixtures::{END, LONG, code, job},
    live,
};
use expect_test::expect;
use futures_util::StreamExt;
use parking_lot::Mutex;
use std::{convert::Infallible, fmt::Write, time::Duration};
use tokio::{task::JoinHandle, time::sleep};

/// What happened at which millisecond.
#[derive(Clone)]
struct Diary {
    began: Instant,
    text: Arc<Mutex<String>>,
}

/// What a stage does with a job: wait so many milliseconds, then this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    Next,
    Done,
    Fail,
    Panic,
    PanicLater,
    Join,
}

#[derive(Clone, Copy, Debug)]
struct Task {
    name: u64,
    first_ms: u64,
    second_ms: u64,
    act: Act,
}

/// The first stage of the line: waits `first_ms`.
struct First {
    diary: Diary,
    /// Where those that join are sent.
    leader: Mutex<Option<Answer>>,
}

/// The last stage: waits `second_ms`, says the job's name and ends it.
struct Second(Diary);

/// A line of the two, and its loops.
struct Line {
    entry: Outlet<Task>,
    diary: Diary,
    tasks: Tasks,
    width: Setter<usize>,
    first: Arc<First>,
    loops: Vec<JoinHandle<()>>,
    registry: prometheus::Registry,
}

/// A drop is noted too.
struct Noted(Diary, u64, bool);

impl Diary {
    fn begin() -> Self {
        Diary {
            began: Instant::now(),
            text: Arc::default(),
        }
    }

    fn note(&self, what: impl std::fmt::Display) {
        let at = self.began.elapsed().as_millis();
        writeln!(self.text.lock(), "{at:<4} {what}").unwrap();
    }

    fn text(&self) -> String {
        self.text.lock().clone()
    }
}

impl Drop for Noted {
    fn drop(&mut self) {
        if !self.2 {
            self.0.note(format_args!("{} dropped", self.1));
        }
    }
}

impl Stage for First {
    const NAME: StageName = StageName::Rag;
    type In = Task;
    type Out = Task;

    async fn run(&self, _: &mut Cx, task: Task) -> Result<Flow<Task>, Failure> {
        self.diary.note(format_args!("{} in first", task.name));
        let mut noted = Noted(self.diary.clone(), task.name, false);
        sleep(Duration::from_millis(task.first_ms)).await;
        noted.2 = true;
        match task.act {
            Act::Fail => Err(Failure::new(Code::UpstreamError, "boom")),
            Act::Panic => panic!("boom"),
            Act::Done => Ok(Flow::Done(END)),
            Act::Join => Ok(Flow::Join(self.leader.lock().take().unwrap(), Cache::Coalesced)),
            Act::Next | Act::PanicLater => Ok(Flow::Next(task)),
        }
    }
}

impl Stage for Second {
    const NAME: StageName = StageName::Stream;
    type In = Task;
    type Out = Infallible;

    async fn run(&self, cx: &mut Cx, task: Task) -> Result<Flow<Infallible>, Failure> {
        self.0.note(format_args!("{} in second", task.name));
        let mut noted = Noted(self.0.clone(), task.name, false);
        sleep(Duration::from_millis(task.second_ms)).await;
        noted.2 = true;
        assert!(task.act != Act::PanicLater, "boom");
        self.0.note(format_args!("{} through", task.name));
        cx.push([Chunk::text(task.name.to_string())]);
        Ok(Flow::Done(END))
    }
}

fn task(name: u64, first_ms: u64, second_ms: u64) -> Task {
    Task {
        name,
        first_ms,
        second_ms,
        act: Act::Next,
    }
}

fn doing(name: u64, act: Act) -> Task {
    Task {
        act,
        ..task(name, 10, 0)
    }
}

impl Line {
    /// A line whose stages work on `first` and `second` jobs at once and whose second edge holds `capacity`.
    fn start(first: usize, second: usize, capacity: usize) -> Self {
        let diary = Diary::begin();
        let registry = prometheus::Registry::new();
        let metrics = LineMetrics::register(&registry).unwrap();
        let tasks = Tasks::new();
        let stage = Arc::new(First {
            diary: diary.clone(),
            leader: Mutex::default(),
        });
        let (entry, inlet) = edge(64);
        let (between, between_inlet) = edge(capacity);
        let (nowhere, _) = edge(1);
        metrics.watch(StageName::Stream, &between_inlet, capacity);
        let (width, live_width) = live(first);
        let drive = Drive {
            stage: stage.clone(),
            inlet,
            next: between,
            width: live_width,
            tasks: tasks.clone(),
            metrics: metrics.stage(StageName::Rag),
        };
        let second = Drive {
            stage: Arc::new(Second(diary.clone())),
            inlet: between_inlet,
            next: nowhere,
            width: Live::fixed(second),
            tasks: tasks.clone(),
            metrics: metrics.stage(StageName::Stream),
        };
        Line {
            entry,
            diary,
            loops: vec![tasks.spawn(drive.run()), tasks.spawn(second.run())],
            tasks,
            width,
            first: stage,
            registry,
        }
    }

    async fn submit(&self, task: Task) -> Answer {
        self.submit_for(task, LONG).await
    }

    async fn submit_for(&self, task: Task, patience: Duration) -> Answer {
        let (job, answer) = job(task, patience);
        self.entry.send(job).await;
        answer
    }

    /// Closes the entry and waits for the loops.
    async fn close(self) -> String {
        drop(self.entry);
        for one in self.loops {
            one.await.unwrap();
        }
        self.diary.text()
    }

    fn shown(&self, name: &str, stage: &str) -> prometheus::proto::Metric {
        let family = self.registry.gather().into_iter().find(|family| family.name() == name);
        let family = family.unwrap();
        let of_stage =
            |metric: &&prometheus::proto::Metric| metric.get_label().iter().any(|label| label.value() == stage);
        family.get_metric().iter().find(of_stage).unwrap().clone()
    }

    /// A counter or a gauge; one of them is zero.
    fn metric(&self, name: &str, stage: &str) -> f64 {
        let metric = self.shown(name, stage);
        metric.get_counter().get_value() + metric.get_gauge().get_value()
    }

    /// How many durations, and their sum in milliseconds.
    fn histogram(&self, name: &str, stage: &str) -> (u64, u128) {
        let metric = self.shown(name, stage);
        let histogram = metric.get_histogram();
        let sum = Duration::from_secs_f64(histogram.get_sample_sum());
        (histogram.get_sample_count(), sum.as_micros().div_ceil(1000))
    }
}

#[tokio::test(start_paused = true)]
async fn jobs_go_from_stage_to_stage_side_by_side() {
    let line = Line::start(4, 4, 4);
    let answers = [line.submit(task(1, 10, 10)).await, line.submit(task(2, 5, 1)).await];
    for answer in answers {
        assert_eq!(code(answer).await, None);
    }
    expect![[r"
        0    1 in first
        0    2 in first
        5    2 in second
        6    2 through
        10   1 in second
        20   1 through
    "]]
    .assert_eq(&line.close().await);
}

#[tokio::test(start_paused = true)]
async fn a_stage_works_on_no_more_than_its_width_and_takes_the_rest_in_order() {
    let line = Line::start(2, 8, 8);
    let mut answers = Vec::new();
    for name in 1..=4 {
        answers.push(line.submit(task(name, 10 * name, 0)).await);
    }
    expect![[r"
        0    1 in first
        0    2 in first
        10   1 in second
        10   1 through
        10   3 in first
        20   2 in second
        20   2 through
        20   4 in first
        40   3 in second
        40   3 through
        60   4 in second
        60   4 through
    "]]
    .assert_eq(&line.close().await);
    drop(answers);
}

#[tokio::test(start_paused = true)]
async fn a_full_stage_holds_back_the_one_before_it() {
    // The second stage takes one at a time for 100 ms and one more waits in its edge: the third job keeps its place in
    // the first stage, and the fourth cannot enter that.
    let line = Line::start(1, 1, 1);
    let mut answers = Vec::new();
    for name in 1..=4 {
        answers.push(line.submit(task(name, 1, 100)).await);
    }
    sleep(Duration::from_millis(50)).await;
    assert_eq!(line.metric("orchestrator_queue_depth", "stream"), 1.0);
    expect![[r"
        0    1 in first
        1    1 in second
        1    2 in first
        2    3 in first
        101  1 through
        101  2 in second
        101  4 in first
        201  2 through
        201  3 in second
        301  3 through
        301  4 in second
        401  4 through
    "]]
    .assert_eq(&line.close().await);
    drop(answers);
}

#[tokio::test(start_paused = true)]
async fn a_width_of_zero_still_works_on_one() {
    let line = Line::start(0, 0, 0);
    assert_eq!(code(line.submit(task(1, 1, 1)).await).await, None);
}

#[tokio::test(start_paused = true)]
async fn work_that_nobody_wants_is_dropped_at_once_wherever_it_is() {
    let line = Line::start(1, 1, 1);
    let in_second = line.submit(task(1, 1, 1000)).await;
    let in_first = line.submit(task(2, 1000, 1)).await;
    let queued = line.submit(task(3, 1, 1)).await;
    sleep(Duration::from_millis(10)).await;
    drop(queued);
    drop(in_first);
    sleep(Duration::from_millis(10)).await;
    drop(in_second);
    sleep(Duration::from_millis(1)).await;
    assert_eq!(line.metric("orchestrator_queue_depth", "stream"), 0.0);
    expect![[r"
        0    1 in first
        1    1 in second
        1    2 in first
        10   2 dropped
        20   1 dropped
    "]]
    .assert_eq(&line.close().await);
}

#[tokio::test(start_paused = true)]
async fn a_job_whose_deadline_has_passed_while_it_was_queued_never_begins() {
    let line = Line::start(1, 1, 1);
    let long = line.submit(task(1, 100, 0)).await;
    let short = line.submit_for(task(2, 1, 1), Duration::from_millis(50)).await;
    assert_eq!(code(short).await, Some(Code::DeadlineExceeded));
    assert_eq!(code(long).await, None);
    let text = line.close().await;
    assert!(!text.contains('2'), "{text}");
}

#[tokio::test(start_paused = true)]
async fn a_closed_line_finishes_what_it_has_and_leaves_no_task() {
    let line = Line::start(2, 2, 2);
    let mut answers = Vec::new();
    for name in 1..=9 {
        answers.push(line.submit(task(name, 7, 3)).await);
    }
    let tasks = line.tasks.clone();
    line.close().await;
    for answer in answers {
        assert_eq!(code(answer).await, None);
    }
    assert!(tasks.is_empty());
}

#[tokio::test(start_paused = true)]
async fn durations_are_measured_once_a_job_and_stage() {
    let line = Line::start(2, 2, 2);
    for (name, act) in [(1, Act::Next), (2, Act::Fail), (3, Act::Done)] {
        code(line.submit(doing(name, act)).await).await;
    }
    let worked = |stage| line.histogram("orchestrator_stage_duration_seconds", stage);
    assert_eq!((worked("rag"), worked("stream")), ((3, 30), (1, 0)));
    line.close().await;
}
