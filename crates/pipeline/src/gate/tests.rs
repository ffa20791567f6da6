use super::*;
use orchestrator_core::{Answer, Code, Ledger, RequestId, answer};
use orchestrator_testkit::Credits;
use prometheus::Registry;
use std::{future::Future, task::Poll};

mod rooms;

/// A gate before one room.
struct Gated {
    gate: Gate,
    credits: Credits,
}

impl Gated {
    async fn pass(&self, cx: &Cx) -> Result<Pass, Failure> {
        self.gate.pass(cx, 0).await
    }

    fn free(&self) -> usize {
        self.credits.free()
    }

    fn waiting(&self, priority: Priority) -> usize {
        self.gate.waiting(priority)
    }
}

/// A gate of `credits`, and the registry that shows what it refused.
fn gate(credits: usize, lanes: LanesConfig) -> (Gated, Registry) {
    before(Credits::of(credits), lanes)
}

fn before(credits: Credits, lanes: LanesConfig) -> (Gated, Registry) {
    let registry = Registry::new();
    let metrics = Metrics::register(&registry, Ledger::generous()).unwrap();
    let gate = Gate::new(credits.port(), Live::fixed(lanes), metrics);
    (Gated { gate, credits }, registry)
}

/// A request in the line and its client.
fn job(priority: Priority, patience: Duration) -> (Cx, Answer) {
    let (writer, client) = answer(Instant::now() + patience, priority, Ledger::generous());
    (Cx::new(RequestId::mint(0, [0; 10]), writer), client)
}

const LONG: Duration = Duration::from_secs(600);

async fn admitted(gate: &Gated) -> Pass {
    let (cx, _client) = job(Priority::Normal, LONG);
    gate.pass(&cx).await.unwrap()
}

fn shed(registry: &Registry, reason: &str) -> f64 {
    let families = registry.gather();
    let family = families
        .iter()
        .find(|family| family.name() == "orchestrator_shed_total")
        .unwrap();
    let metric = family
        .get_metric()
        .iter()
        .find(|metric| metric.get_label()[0].value() == reason);
    metric.map_or(0.0, |metric| metric.get_counter().get_value())
}

#[tokio::test(start_paused = true)]
async fn as_many_go_on_as_there_are_credits_and_the_next_waits_for_one() {
    let (gate, _) = gate(2, LanesConfig::default());
    let (first, second) = (admitted(&gate).await, admitted(&gate).await);
    let (cx, _client) = job(Priority::Normal, LONG);
    let mut third = Box::pin(gate.pass(&cx));
    assert!(futures_util::poll!(third.as_mut()).is_pending());
    assert_eq!((gate.free(), gate.waiting(Priority::Normal)), (0, 1));
    drop(first);
    let third = third.await.unwrap();
    assert_eq!((gate.free(), gate.waiting(Priority::Normal)), (0, 0));
    drop((second, third));
    assert_eq!(gate.free(), 2);
}

#[tokio::test(start_paused = true)]
async fn waits_are_shown_by_stage_and_lane_and_every_lane_from_the_start() {
    let (gate, registry) = gate(1, LanesConfig::default());
    let held = admitted(&gate).await;
    let (cx, _client) = job(Priority::High, LONG);
    let leaving = async {
        tokio::time::sleep(Duration::from_millis(250)).await;
        drop(held);
    };
    let (passed, ()) = tokio::join!(gate.pass(&cx), leaving);
    passed.unwrap().waited(Priority::Normal, Duration::from_millis(1_500));
    let page = prometheus::TextEncoder::new()
        .encode_to_string(&registry.gather())
        .unwrap();
    let sums = page
        .lines()
        .filter_map(|line| line.strip_prefix("orchestrator_queue_wait_seconds_sum"));
    let expected = [
        r#"{priority="high",stage="gate"} 0.25"#,
        r#"{priority="high",stage="inference"} 0"#,
        r#"{priority="low",stage="gate"} 0"#,
        r#"{priority="low",stage="inference"} 0"#,
        r#"{priority="normal",stage="gate"} 0"#,
        r#"{priority="normal",stage="inference"} 1.5"#,
    ];
    assert_eq!(sums.collect::<Vec<_>>(), expected);
}

#[tokio::test(start_paused = true)]
async fn nobody_overtakes_while_somebody_waits() {
    let (gate, _) = gate(1, LanesConfig::default());
    let held = admitted(&gate).await;
    let (one, two) = (job(Priority::Normal, LONG), job(Priority::High, LONG));
    let mut early = Box::pin(gate.pass(&one.0));
    assert!(futures_util::poll!(early.as_mut()).is_pending());
    drop(held);
    // The credit is on its way to the one who waits, so even a high request takes its place behind.
    let mut late = Box::pin(gate.pass(&two.0));
    assert!(futures_util::poll!(late.as_mut()).is_pending());
    drop(early.await);
    assert!(late.await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_high_request_goes_before_normal_ones_that_came_earlier() {
    let (gate, _) = gate(1, LanesConfig::default());
    let held = admitted(&gate).await;
    let jobs = [Priority::Normal, Priority::Normal, Priority::High].map(|priority| job(priority, LONG));
    let mut passes: Vec<_> = jobs.iter().map(|(cx, _)| Box::pin(gate.pass(cx))).collect();
    for pass in &mut passes {
        assert!(futures_util::poll!(pass.as_mut()).is_pending());
    }
    drop(held);
    let states = [
        poll(&mut passes[0]).await,
        poll(&mut passes[1]).await,
        poll(&mut passes[2]).await,
    ];
    assert_eq!(states, [false, false, true]);
}

async fn poll<T>(pass: &mut std::pin::Pin<Box<impl Future<Output = T>>>) -> bool {
    matches!(futures_util::poll!(pass.as_mut()), Poll::Ready(_))
}

#[tokio::test(start_paused = true)]
async fn one_who_leaves_the_room_gives_the_place_up_and_loses_no_credit() {
    let (gate, _) = gate(1, LanesConfig::default());
    let held = admitted(&gate).await;
    let (cx, _client) = job(Priority::Low, LONG);
    let mut waits = Box::pin(gate.pass(&cx));
    assert!(futures_util::poll!(waits.as_mut()).is_pending());
    drop(waits);
    assert_eq!(gate.waiting(Priority::Low), 0);
    drop(held);
    assert_eq!(gate.free(), 1);
}

#[tokio::test(start_paused = true)]
async fn one_who_leaves_with_the_credit_already_granted_hands_it_to_the_next() {
    let (gate, _) = gate(1, LanesConfig::default());
    let held = admitted(&gate).await;
    let (one, two) = (job(Priority::Normal, LONG), job(Priority::Normal, LONG));
    let (mut first, mut second) = (Box::pin(gate.pass(&one.0)), Box::pin(gate.pass(&two.0)));
    assert!(futures_util::poll!(first.as_mut()).is_pending());
    assert!(futures_util::poll!(second.as_mut()).is_pending());
    drop(held);
    drop(first);
    assert!(second.await.is_ok());
    assert_eq!(gate.free(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_full_lane_refuses_at_once_and_says_when_to_come_back() {
    let (gate, registry) = gate(
        1,
        LanesConfig {
            capacity: 1,
            ..LanesConfig::default()
        },
    );
    let _held = admitted(&gate).await;
    let (one, two) = (job(Priority::Normal, LONG), job(Priority::Normal, LONG));
    let mut waits = Box::pin(gate.pass(&one.0));
    assert!(futures_util::poll!(waits.as_mut()).is_pending());
    let began = Instant::now();
    let refused = gate.pass(&two.0).await.unwrap_err();
    assert_eq!((refused.code(), began.elapsed()), (Code::Overloaded, Duration::ZERO));
    assert!((1..=60).contains(&refused.retry_after().unwrap().as_secs()));
    assert_eq!(shed(&registry, "lane_full"), 1.0);
    // Another lane has room of its own.
    let (low, _client) = job(Priority::Low, LONG);
    assert!(futures_util::poll!(Box::pin(gate.pass(&low))).is_pending());
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_turns_out_too_long_ends_in_a_refusal() {
    let (gate, registry) = gate(
        1,
        LanesConfig {
            max_wait_ms: 250,
            ..LanesConfig::default()
        },
    );
    let _held = admitted(&gate).await;
    let (cx, _client) = job(Priority::Normal, LONG);
    let began = Instant::now();
    let refused = gate.pass(&cx).await.unwrap_err();
    assert_eq!(
        (refused.code(), began.elapsed()),
        (Code::Overloaded, Duration::from_millis(250))
    );
    assert_eq!(shed(&registry, "wait_too_long"), 1.0);
    assert_eq!(gate.waiting(Priority::Normal), 0);
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_is_expected_to_be_too_long_is_refused_before_it_begins() {
    let lanes = LanesConfig {
        max_wait_ms: 1_000,
        ..LanesConfig::default()
    };
    let (gate, _) = before(Credits::of(1).each(Duration::from_secs(3)), lanes);
    let _held = admitted(&gate).await;
    let (cx, _client) = job(Priority::Normal, LONG);
    let began = Instant::now();
    let refused = gate.pass(&cx).await.unwrap_err();
    assert_eq!(began.elapsed(), Duration::ZERO);
    assert_eq!(
        refused.retry_after(),
        Some(Duration::from_secs(3)),
        "the time until the next credit"
    );
}

#[tokio::test(start_paused = true)]
async fn a_request_with_little_time_left_does_not_wait_for_what_takes_longer() {
    let (gate, _) = before(Credits::of(1).each(Duration::from_secs(3)), LanesConfig::default());
    let _held = admitted(&gate).await;
    let (hurried, _client) = job(Priority::Normal, Duration::from_secs(2));
    assert_eq!(gate.pass(&hurried).await.unwrap_err().code(), Code::Overloaded);
    let (patient, _client) = job(Priority::Normal, Duration::from_secs(9));
    assert!(futures_util::poll!(Box::pin(gate.pass(&patient))).is_pending());
}

#[tokio::test(start_paused = true)]
async fn an_answer_with_several_listeners_waits_in_the_highest_of_their_lanes() {
    let (gate, _) = gate(1, LanesConfig::default());
    let held = admitted(&gate).await;
    let (normal, _client) = job(Priority::Normal, LONG);
    let mut before = Box::pin(gate.pass(&normal));
    assert!(futures_util::poll!(before.as_mut()).is_pending());
    let (low, _client) = job(Priority::Low, LONG);
    let mut raised = Box::pin(gate.pass(&low));
    assert!(futures_util::poll!(raised.as_mut()).is_pending());
    let _joined = low
        .answer()
        .unwrap()
        .join(Instant::now() + LONG, Priority::High)
        .unwrap();
    assert!(futures_util::poll!(raised.as_mut()).is_pending());
    assert_eq!((gate.waiting(Priority::High), gate.waiting(Priority::Low)), (1, 0));
    drop(held);
    assert!(raised.await.is_ok());
}

/// Requests of a lane, one each `every_ms` for half a minute, each of which holds its credit for 100 ms: how long those
/// waited that went on, and how many were refused.
async fn flood(gate: &Gated, lane: Priority, every_ms: u64) -> (Vec<Duration>, usize) {
    let requests = (0..30_000 / every_ms).map(|turn| async move {
        tokio::time::sleep(Duration::from_millis(turn * every_ms)).await;
        let (cx, _client) = job(lane, LONG);
        let came = Instant::now();
        let credit = gate.pass(&cx).await.ok()?;
        let waited = came.elapsed();
        tokio::time::sleep(Duration::from_millis(100)).await;
        drop(credit);
        Some(waited)
    });
    let ends = futures_util::future::join_all(requests).await;
    let refused = ends.iter().filter(|end| end.is_none()).count();
    (ends.into_iter().flatten().collect(), refused)
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_low_requests_neither_refuses_nor_delays_high_ones() {
    let lanes = LanesConfig {
        capacity: 80,
        ..LanesConfig::default()
    };
    let (gate, registry) = gate(1, lanes);
    // One credit lets 10 requests on a second: 20 low ones come, and 5 high ones.
    let ((low, low_refused), (high, high_refused)) =
        tokio::join!(flood(&gate, Priority::Low, 50), flood(&gate, Priority::High, 200));
    assert_eq!((high.len(), high_refused), (150, 0));
    let longest = high.iter().max().unwrap();
    assert!(*longest <= Duration::from_millis(300), "{longest:?}");
    assert!(shed(&registry, "lane_full") > 0.0, "the low lane was full");
    assert!(low_refused > 300 && low.len() > 100, "{low_refused} and {}", low.len());
    assert!(low.iter().any(|waited| *waited > Duration::from_secs(5)), "they aged");
}

/// N + M racers on several threads at a gate of N: never more than N inside, all credits back in the end.
#[test]
fn racers_never_exceed_the_credits() {
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
    let (gate, _) = gate(
        8,
        LanesConfig {
            capacity: 10_000,
            max_wait_ms: 60_000,
            ..LanesConfig::default()
        },
    );
    let (inside, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_time()
                    .build()
                    .unwrap();
                runtime.block_on(futures_util::future::join_all((0..200).map(|_| async {
                    let (cx, _client) = job(Priority::Normal, LONG);
                    let credit = gate.pass(&cx).await.unwrap();
                    most.fetch_max(inside.fetch_add(1, SeqCst) + 1, SeqCst);
                    tokio::task::yield_now().await;
                    inside.fetch_sub(1, SeqCst);
                    drop(credit);
                })));
            });
        }
    });
    assert!(most.load(SeqCst) <= 8, "{most:?} were inside at once");
    assert_eq!((gate.free(), gate.waiting(Priority::Normal)), (8, 0));
}

#[tokio::test(start_paused = true)]
async fn the_credit_rides_with_the_request_until_its_context_is_gone() {
    let (gate, _) = gate(1, LanesConfig::default());
    let (mut cx, _client) = job(Priority::Normal, LONG);
    let credit = gate.pass(&cx).await.unwrap();
    cx.admit(credit);
    assert_eq!(gate.free(), 0);
    drop(cx);
    assert_eq!(gate.free(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_credit_that_is_given_back_early_lets_the_next_one_on_and_goes_back_once() {
    let (gate, _) = gate(1, LanesConfig::default());
    let held = admitted(&gate).await;
    let (cx, _client) = job(Priority::Normal, LONG);
    let mut next = Box::pin(gate.pass(&cx));
    assert!(!poll(&mut next).await);
    held.give_back();
    let next = next.await.unwrap();
    held.give_back();
    drop(held);
    assert_eq!(gate.free(), 0, "it is the next one's");
    drop(next);
    assert_eq!(gate.free(), 1);
}

#[tokio::test(start_paused = true)]
async fn who_waited_at_the_gate_may_wait_as_much_less_further_on() {
    let (gate, registry) = gate(1, LanesConfig::default());
    let held = admitted(&gate).await;
    assert_eq!(held.patience(), Duration::from_secs(10));
    let (cx, _client) = job(Priority::Normal, LONG);
    let leaving = async {
        tokio::time::sleep(Duration::from_secs(4)).await;
        drop(held);
    };
    let (passed, ()) = tokio::join!(gate.pass(&cx), leaving);
    let passed = passed.unwrap();
    assert_eq!(passed.patience(), Duration::from_secs(6));
    let refused = passed.refusal();
    assert_eq!(
        (refused.code(), shed(&registry, "wait_too_long")),
        (Code::Overloaded, 1.0)
    );
    assert_eq!(refused.retry_after(), Some(Duration::from_secs(1)));
}
