//! Several rooms side by side.

use super::*;
use orchestrator_core::Request;
use orchestrator_testkit::request;
use serde_json::Value;
use std::{
    pin::Pin,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
};

/// Two rooms of one credit each, and a limit above which the first refuses.
#[derive(Default)]
struct TwoRooms {
    out: [Arc<Mutex<usize>>; 2],
    looks: Arc<[AtomicUsize; 2]>,
    refuses: bool,
}

struct Out(Arc<Mutex<usize>>);

impl Drop for Out {
    fn drop(&mut self) {
        *self.0.lock() -= 1;
    }
}

impl Capacity for TwoRooms {
    fn rooms(&self) -> usize {
        2
    }

    fn room(&self, request: &Request) -> Result<usize, Failure> {
        match &*request.model {
            "one" => Ok(0),
            "two" => Ok(1),
            _ => Err(Failure::new(Code::ModelNotFound, "No such room.")),
        }
    }

    fn admit(&self, room: usize) -> Admission {
        self.looks[room].fetch_add(1, Relaxed);
        let mut out = self.out[room].lock();
        match *out {
            0 => {
                *out += 1;
                Admission::Granted(Credit::new(Out(self.out[room].clone())))
            }
            _ if self.refuses => Admission::Refused,
            _ => Admission::Full,
        }
    }

    fn interval(&self, _: usize) -> Duration {
        Duration::ZERO
    }

    fn shares(&self, room: usize, other: usize) -> bool {
        room == other
    }

    fn plan(&self, _: &Request) -> Result<Value, Failure> {
        Ok(Value::Null)
    }
}

fn rooms(refuses: bool) -> (Gate, Registry) {
    before(TwoRooms {
        refuses,
        ..TwoRooms::default()
    })
}

fn before(capacity: TwoRooms) -> (Gate, Registry) {
    let registry = Registry::new();
    let metrics = Metrics::register(&registry, Ledger::generous()).unwrap();
    let lanes = Live::fixed(LanesConfig::default());
    (Gate::new(Arc::new(capacity), lanes, metrics), registry)
}

/// All come to the gate, each to its room; what each hears at once.
async fn all_pass<'a>(
    gate: &'a Gate,
    jobs: &'a [(usize, (Cx, Answer))],
) -> (
    Vec<Pin<Box<impl Future<Output = Result<Pass, Failure>> + use<'a>>>>,
    Vec<Poll<Result<Pass, Failure>>>,
) {
    let coming = jobs.iter().map(|(room, (cx, _))| Box::pin(gate.pass(cx, *room)));
    let (mut passes, mut heard): (Vec<_>, Vec<_>) = (coming.collect(), Vec::new());
    for pass in &mut passes {
        heard.push(futures_util::poll!(pass.as_mut()));
    }
    (passes, heard)
}

#[tokio::test(start_paused = true)]
async fn a_full_room_blocks_no_other_and_each_calls_its_own() {
    let (gate, _) = rooms(false);
    let jobs = [0, 0, 1, 1].map(|room| (room, job(Priority::Normal, LONG)));
    let (mut passes, mut heard) = all_pass(&gate, &jobs).await;
    let ready: Vec<bool> = heard.iter().map(Poll::is_ready).collect();
    assert_eq!(ready, [true, false, true, false]);
    drop(heard.remove(2));
    assert!(poll(&mut passes[3]).await, "the second room's next");
    assert!(!poll(&mut passes[1]).await, "the first room's is still out");
    drop(heard);
    assert!(poll(&mut passes[1]).await);
    assert_eq!(gate.waiting(Priority::Normal), 0);
}

#[tokio::test(start_paused = true)]
async fn what_one_room_gives_back_is_asked_for_by_those_alone_that_share_it() {
    let capacity = TwoRooms::default();
    let looks = capacity.looks.clone();
    let (gate, _) = before(capacity);
    let jobs = [0, 0, 1, 1, 1].map(|room| (room, job(Priority::Normal, LONG)));
    let (mut passes, mut heard) = all_pass(&gate, &jobs).await;
    let before = looks[1].load(Relaxed);
    drop(heard.remove(0));
    assert_eq!((looks[1].load(Relaxed), poll(&mut passes[1]).await), (before, true));
}

/// A place that nobody gives back: the rooms have become larger.
#[tokio::test(start_paused = true)]
async fn whoever_waits_is_let_on_when_somebody_says_that_there_is_more_room() {
    let capacity = TwoRooms::default();
    let out = capacity.out.clone();
    let (gate, _) = before(capacity);
    let jobs = [0, 1, 1, 1].map(|room| (room, job(Priority::Normal, LONG)));
    let mut passes = Vec::new();
    for (room, (cx, _)) in &jobs {
        let mut pass = Box::pin(gate.pass(cx, *room));
        let heard = futures_util::poll!(pass.as_mut());
        passes.push((pass, heard));
    }
    gate.look_again();
    assert_eq!(gate.waiting(Priority::Normal), 2, "there is no more room");
    *out[1].lock() -= 1;
    assert_eq!(gate.waiting(Priority::Normal), 2, "nobody has heard of it");
    gate.look_again();
    assert_eq!(gate.waiting(Priority::Normal), 1);
    let third = futures_util::poll!(passes[2].0.as_mut());
    assert!(third.is_ready() && futures_util::poll!(passes[3].0.as_mut()).is_pending());
    // Both are given back in the end.
    *out[1].lock() += 1;
}

#[tokio::test(start_paused = true)]
async fn at_its_hard_limit_a_room_refuses_at_once_and_says_so() {
    let (gate, registry) = rooms(true);
    let (cx, _client) = job(Priority::High, LONG);
    let held = gate.pass(&cx, 0).await.unwrap();
    let refused = gate.pass(&cx, 0).await.unwrap_err();
    assert_eq!((refused.code(), shed(&registry, "hard_limit")), (Code::Overloaded, 1.0));
    assert!(refused.public().contains("route"), "{refused}");
    drop(held);
    assert!(gate.pass(&cx, 0).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_request_goes_to_the_room_of_its_model_or_nowhere() {
    let (gate, _) = rooms(false);
    let ask = async |model: &str| {
        let (mut cx, _client) = job(Priority::Normal, LONG);
        let mut request = request("x");
        request.model = model.into();
        match gate.run(&mut cx, Unique(Box::new(request))).await {
            Ok(_) => "on".to_owned(),
            Err(failure) => failure.code().as_str().to_owned(),
        }
    };
    assert_eq!(
        [ask("one").await, ask("two").await, ask("three").await],
        ["on", "on", "model_not_found"]
    );
    assert!(gate.capacity().plan(&request("x")).unwrap().is_null());
}

/// Two rooms that share their credits, as those of one route do.
#[derive(Clone, Default)]
struct Shared {
    free: Arc<Mutex<usize>>,
    looks: Arc<Mutex<usize>>,
}

/// One of the shared credits.
struct Back(Arc<Mutex<usize>>);

impl Drop for Back {
    fn drop(&mut self) {
        *self.0.lock() += 1;
    }
}

impl Capacity for Shared {
    fn rooms(&self) -> usize {
        2
    }

    fn room(&self, _: &Request) -> Result<usize, Failure> {
        Ok(0)
    }

    fn admit(&self, _: usize) -> Admission {
        *self.looks.lock() += 1;
        let mut free = self.free.lock();
        match free.checked_sub(1) {
            Some(left) => {
                *free = left;
                Admission::Granted(Credit::new(Back(self.free.clone())))
            }
            None => Admission::Full,
        }
    }

    fn interval(&self, _: usize) -> Duration {
        Duration::ZERO
    }

    fn shares(&self, _: usize, _: usize) -> bool {
        true
    }

    fn plan(&self, _: &Request) -> Result<Value, Failure> {
        Ok(Value::Null)
    }
}

fn shared(free: usize) -> (Gate, Shared) {
    let metrics = Metrics::register(&Registry::new(), Ledger::generous()).unwrap();
    let capacity = Shared::default();
    *capacity.free.lock() = free;
    let gate = Gate::new(Arc::new(capacity.clone()), Live::fixed(LanesConfig::default()), metrics);
    (gate, capacity)
}

/// The rooms and lanes in the order in which those who wait there are let on, one after the other.
async fn order(gate: &Gate, waiting: &[(usize, Priority)]) -> String {
    let (cx, _client) = job(Priority::Normal, LONG);
    let held = gate.pass(&cx, 0).await.unwrap();
    let served = Mutex::new(Vec::new());
    let served = &served;
    let waits = waiting.iter().map(|&(room, priority)| async move {
        let (cx, _client) = job(priority, LONG);
        let pass = gate.pass(&cx, room).await.unwrap();
        let lane = priority.as_str().chars().next().unwrap();
        served.lock().push(format!("{room}{lane}"));
        drop(pass);
    });
    let all = futures_util::future::join_all(waits);
    tokio::join!(all, async { drop(held) });
    served.lock().join(" ")
}

#[tokio::test(start_paused = true)]
async fn rooms_that_share_their_credits_take_turns() {
    let (gate, _) = shared(1);
    let waiting = [(0, Priority::Normal); 4].into_iter().chain([(1, Priority::Normal); 2]);
    let order = order(&gate, &waiting.collect::<Vec<_>>()).await;
    assert_eq!(order, "0n 1n 0n 1n 0n 0n");
}

#[tokio::test(start_paused = true)]
async fn between_rooms_priority_counts_and_starves_nobody() {
    let (gate, _) = shared(1);
    let waiting = [(0, Priority::Low); 3].into_iter().chain([(1, Priority::High); 18]);
    let order = order(&gate, &waiting.collect::<Vec<_>>()).await;
    assert!(order.starts_with("1h 1h"), "{order}");
    let first_low = order.split(' ').position(|served| served == "0l").unwrap();
    assert!((4..18).contains(&first_low), "{order}");
}

#[tokio::test(start_paused = true)]
async fn room_that_comes_without_a_word_is_found_soon_by_one_look_for_all() {
    let (gate, capacity) = shared(0);
    let jobs: Vec<_> = (0..1_000).map(|_| job(Priority::Normal, LONG)).collect();
    let began = Instant::now();
    let waits = futures_util::future::join_all(jobs.iter().map(|(cx, _)| async {
        let passed = gate.pass(cx, 1).await;
        (passed.is_ok(), began.elapsed())
    }));
    let comes = async {
        tokio::time::sleep(Duration::from_millis(2_050)).await;
        let looks = *capacity.looks.lock() - jobs.len();
        assert!((10..=40).contains(&looks), "{looks} looks in two seconds");
        *capacity.free.lock() = 3;
    };
    let (heard, ()) = tokio::join!(waits, comes);
    let soon = Duration::from_millis(2_200);
    assert!(heard.iter().all(|(passed, at)| *passed && *at <= soon), "{heard:?}");
    assert_eq!((gate.waiting(Priority::Normal), *capacity.free.lock()), (0, 3));
}

#[tokio::test(start_paused = true)]
async fn who_looks_for_the_others_may_leave() {
    let (gate, capacity) = shared(0);
    let (one, two) = (job(Priority::Normal, LONG), job(Priority::Normal, LONG));
    let (mut first, mut second) = (Box::pin(gate.pass(&one.0, 0)), Box::pin(gate.pass(&two.0, 0)));
    assert!(!poll(&mut first).await && !poll(&mut second).await);
    drop(first);
    let began = Instant::now();
    *capacity.free.lock() = 1;
    assert!(second.await.is_ok());
    assert!(began.elapsed() <= Duration::from_millis(200), "{:?}", began.elapsed());
}
