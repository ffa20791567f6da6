//! Any jobs, any sizes, any clients: what a line promises holds.

mod check;

use super::*;
use crate::{InFlight, Ledger, fixtures::Permit};
use proptest::{collection::vec, prelude::*, sample::select};
use std::sync::Weak;

/// Stages in the line.
const HOPS: usize = 3;

/// What happened, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Event {
    /// The job began in the stage.
    In(usize, usize),
    /// The job came out of the stage by itself, and goes on or not.
    Out(usize, usize, Act),
    /// The stage has let go of the job, whatever made it so.
    Left(usize, usize),
    /// The stage takes so many from now on.
    Width(usize, usize),
}

type Events = Arc<Mutex<Vec<Event>>>;

/// One job: when it comes after the one before, what each stage does with it after so long, and its client.
#[derive(Clone, Debug)]
struct Plan {
    pause: u64,
    launched: bool,
    legs: [(u64, Act); HOPS],
    client: Client,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Client {
    Stays,
    LeavesAfter(u64),
    WaitsNoLongerThan(u64),
}

/// The line: how wide each stage is, how much the edge before it holds, and how its width changes when.
#[derive(Clone, Debug)]
struct Sizes {
    widths: [usize; HOPS],
    capacities: [usize; HOPS],
    changes: Vec<(u64, usize, usize)>,
}

/// What came of it.
struct Outcome {
    events: Vec<Event>,
    /// How each job ended for its client; `None` for one who left.
    ends: Vec<Option<Option<Code>>>,
    /// Durations and panics by stage.
    counted: [(u64, u64); HOPS],
    left: [usize; 3],
}

/// Tells that a stage lets go of a job.
struct Inside(Events, usize, usize);

impl Drop for Inside {
    fn drop(&mut self) {
        self.0.lock().push(Event::Left(self.1, self.2));
    }
}

/// The N-th stage.
struct Hop<const N: usize>(Events);

impl<const N: usize> Stage for Hop<N> {
    const NAME: StageName = StageName::ALL[N];
    type In = (usize, Plan);
    type Out = (usize, Plan);

    async fn run(&self, _: &mut Cx, (name, plan): Self::In) -> Result<Flow<Self::Out>, Failure> {
        self.0.lock().push(Event::In(name, N));
        let _inside = Inside(self.0.clone(), name, N);
        let (pause, act) = plan.legs[N];
        if pause > 0 {
            sleep(Duration::from_millis(pause)).await;
        }
        self.0.lock().push(Event::Out(name, N, act));
        match act {
            Act::Panic => panic!("boom"),
            Act::Fail => Err(Failure::new(Code::UpstreamError, "boom")),
            Act::Next if N + 1 < HOPS => Ok(Flow::Next((name, plan))),
            _ => Ok(Flow::Done(END)),
        }
    }
}

/// Two milliseconds each, so that what happens at odd ones happens alone.
fn millis(up_to: u64) -> impl Strategy<Value = u64> {
    (0..up_to).prop_map(|half| 2 * half)
}

fn plan() -> impl Strategy<Value = Plan> {
    let act = select(vec![
        Act::Next,
        Act::Next,
        Act::Next,
        Act::Next,
        Act::Done,
        Act::Fail,
        Act::Panic,
    ]);
    let client = prop_oneof![
        4 => Just(Client::Stays),
        1 => millis(12).prop_map(Client::LeavesAfter),
        1 => millis(12).prop_map(|patience| Client::WaitsNoLongerThan(patience + 1)),
    ];
    let legs = proptest::array::uniform3((millis(5), act));
    (millis(3), any::<bool>(), legs, client).prop_map(|(pause, launched, legs, client)| Plan {
        pause,
        launched,
        legs,
        client,
    })
}

fn sizes() -> impl Strategy<Value = Sizes> {
    let sizes = || proptest::array::uniform3(1_usize..4);
    let changes = vec((millis(20).prop_map(|at| at + 1), 0..HOPS, 1_usize..4), 0..3);
    (sizes(), sizes(), changes).prop_map(|(widths, capacities, changes)| Sizes {
        widths,
        capacities,
        changes,
    })
}

/// A loop around the N-th stage.
struct Wiring<'a> {
    events: &'a Events,
    tasks: &'a Tasks,
    metrics: &'a LineMetrics,
    widths: &'a [Live<usize>],
}

impl Wiring<'_> {
    fn drive<const N: usize>(&self, inlet: Inlet<(usize, Plan)>, next: Outlet<(usize, Plan)>) {
        let drive = Drive {
            stage: Arc::new(Hop::<N>(self.events.clone())),
            inlet,
            next,
            width: self.widths[N].clone(),
            tasks: self.tasks.clone(),
            metrics: self.metrics.stage(StageName::ALL[N]),
        };
        drop(self.tasks.spawn(drive.run()));
    }
}

/// Sends all jobs through a line of these sizes and waits until it is dry.
async fn run(plans: Vec<Plan>, sizes: Sizes) -> Outcome {
    let (events, tasks, ledger) = (
        Events::default(),
        Tasks::new(),
        Ledger::new(1 << 20, 1 << 20, plans.len()),
    );
    let metrics = LineMetrics::register(&prometheus::Registry::new()).unwrap();
    let (setters, widths): (Vec<_>, Vec<_>) = sizes.widths.map(live).into_iter().unzip();
    let [(entry, first), (to_second, second), (to_third, third)] = sizes.capacities.map(edge);
    let wiring = Wiring {
        events: &events,
        tasks: &tasks,
        metrics: &metrics,
        widths: &widths,
    };
    wiring.drive::<0>(first, to_second);
    wiring.drive::<1>(second, to_third);
    wiring.drive::<2>(third, edge(1).0);
    tasks.spawn(change(sizes.changes, setters, events.clone()));
    let (mut clients, mut permits) = (Vec::new(), Vec::new());
    for (name, plan) in plans.into_iter().enumerate() {
        sleep(Duration::from_millis(plan.pause)).await;
        let (job, answer, permit) = submitted(name, &plan, &ledger);
        permits.push(permit);
        clients.push(tasks.spawn(client(answer, plan.client)));
        match plan.launched {
            true => entry.launch(job, &tasks),
            false => entry.send(job).await,
        }
    }
    drop(entry);
    tasks.idle().await;
    let mut ends = Vec::new();
    for client in clients {
        ends.push(client.await.unwrap());
    }
    let held = permits.iter().filter(|permit| permit.upgrade().is_some()).count();
    Outcome {
        events: events.lock().clone(),
        ends,
        counted: std::array::from_fn(|hop| metrics.stage(StageName::ALL[hop]).counted()),
        left: [held, ledger.requests(), ledger.bytes()],
    }
}

/// A job that carries a permit, and its client's end, which carries a place in flight.
fn submitted(name: usize, plan: &Plan, ledger: &Arc<Ledger>) -> (Job<(usize, Plan)>, Answer, Weak<()>) {
    let patience = match plan.client {
        Client::WaitsNoLongerThan(patience) => Duration::from_millis(patience),
        _ => LONG,
    };
    let (writer, answer) = crate::answer(Instant::now() + patience, Priority::Normal, ledger.clone());
    let place: InFlight = ledger.enter().expect("as many places as jobs");
    let mut cx = Cx::new(crate::RequestId::mint(0, [0; 10]), writer);
    let permit = Arc::new(());
    let kept = Arc::downgrade(&permit);
    cx.admit(Permit(permit));
    cx.push([Chunk::text("said")]);
    let body = (name, plan.clone());
    (Job { cx, body }, answer.carrying(place), kept)
}

/// Listens; tells how the job ended, unless it leaves before that.
async fn client(answer: Answer, client: Client) -> Option<Option<Code>> {
    let Client::LeavesAfter(millis) = client else {
        return Some(code(answer).await);
    };
    let mut listening = Box::pin(code(answer));
    tokio::select! {
        biased;
        end = &mut listening => Some(end),
        () = sleep(Duration::from_millis(millis)) => None,
    }
}

async fn change(mut changes: Vec<(u64, usize, usize)>, setters: Vec<Setter<usize>>, events: Events) {
    let began = Instant::now();
    changes.sort_unstable();
    for (at, hop, width) in changes {
        tokio::time::sleep_until(began + Duration::from_millis(at)).await;
        events.lock().push(Event::Width(hop, width));
        setters[hop].set(width);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn a_line_keeps_its_promises(plans in vec(plan(), 1..20), sizes in sizes()) {
        let clock = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        let outcome = clock.block_on(run(plans.clone(), sizes.clone()));
        check::widths(&outcome.events, sizes.widths)?;
        check::order(&outcome.events)?;
        check::ends(&plans, &outcome)?;
        check::counts(&outcome)?;
        prop_assert_eq!(outcome.left, [0, 0, 0]);
    }
}
