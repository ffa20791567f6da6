//! Whatever the workers do: each request is answered once, by what a small model says, and everything that counts agrees.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a fault in here shall end the test"
)]

use futures_util::StreamExt;
use orchestrator_core::{Code, Degraded, Failure, Fingerprint, FinishReason, Model, Prompt};
use orchestrator_degradation::{
    Chain, Config, Degradation, Episode, Metrics, ReducedConfig, RuleConfig, Step, Touched,
};
use orchestrator_testkit::{
    cx, prompt,
    scripted::{self, Call},
    text_of,
};
use parking_lot::Mutex;
use prometheus::Registry;
use proptest::prelude::*;
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tokio::time::Instant;

const ROUTES: [&str; 2] = ["a", "b"];
/// How long the reduced mode is waited for.
const PATIENCE: Duration = Duration::from_secs(2);

/// What workers do with a call.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Does {
    Answer,
    /// Only after the patience of the reduced mode.
    AnswerLate,
    Fail,
    /// The request is wrong, says the worker.
    Reject,
    /// It breaks off after its first token.
    Break,
}

/// A request: on which of the two routes, which of a few questions, and what its workers and those of the reduced mode do.
#[derive(Clone, Copy, Debug)]
struct Asked {
    route: usize,
    question: u8,
    gap_ms: u64,
    live: Does,
    reduced: Does,
}

/// What a client gets.
#[derive(Clone, Debug, PartialEq)]
enum Got {
    Live(String),
    Degraded(&'static str, String),
    Failed(Code),
}

fn does() -> impl Strategy<Value = Does> {
    prop_oneof![
        3 => Just(Does::Answer),
        1 => Just(Does::AnswerLate),
        4 => Just(Does::Fail),
        1 => Just(Does::Reject),
        1 => Just(Does::Break),
    ]
}

fn asked() -> impl Strategy<Value = Asked> {
    (0..ROUTES.len(), 0_u8..4, 0_u64..4_000, does(), does()).prop_map(|(route, question, gap_ms, live, reduced)| {
        Asked {
            route,
            question,
            gap_ms,
            live,
            reduced,
        }
    })
}

fn chain() -> impl Strategy<Value = Vec<Step>> {
    let all = [Step::Cache, Step::Reduced, Step::Message];
    proptest::sample::subsequence(all.to_vec(), 0..=3).prop_shuffle()
}

fn play(does: Does, text: &str) -> Call {
    let fail = |code| Failure::new(code, "It does.");
    let whole = |call: Call| call.text(text).finish(FinishReason::Stop);
    match does {
        Does::Answer => whole(Call::new()),
        Does::AnswerLate => whole(Call::new().after(2_001)),
        Does::Fail => Call::new().fail(fail(Code::UpstreamError)),
        Does::Reject => Call::new().fail(fail(Code::UpstreamRejected)),
        Does::Break => Call::new().text(text).fail(fail(Code::UpstreamTruncated)),
    }
}

/// The chain between models that do what the request at hand says.
struct Bench {
    chain: Chain,
    shared: Arc<Degradation>,
    registry: Registry,
    now: Arc<Mutex<Asked>>,
    models: [scripted::Model; 2],
}

impl Bench {
    fn new(config: Config, first: Asked) -> Self {
        let now = Arc::new(Mutex::new(first));
        let (live, reduced) = (now.clone(), now.clone());
        let models = [
            scripted::Model::responding(move |nth, _| play(live.lock().live, &format!("live {nth}"))),
            scripted::Model::responding(move |nth, _| play(reduced.lock().reduced, &format!("reduced {nth}"))),
        ];
        let registry = Registry::new();
        let metrics = Metrics::register(&registry).unwrap();
        let names = ROUTES.map(Arc::from).into();
        let at = now.clone();
        let shared = Degradation::new(config, names, Arc::new(move |_| Some(at.lock().route)), &metrics);
        let [live, reduced] = models.each_ref().map(|model| Arc::new(model.clone()) as Arc<dyn Model>);
        Bench {
            chain: Chain::new(shared.clone(), live, Some(reduced)),
            shared,
            registry,
            now,
            models,
        }
    }

    async fn ask(&self, asked: Asked) -> Got {
        *self.now.lock() = asked;
        let (cx, _client) = cx(Instant::now() + Duration::from_secs(600));
        let mut reply = match self.chain.call(&cx, &question(asked.question)).await {
            Ok(reply) => reply,
            Err(failure) => return Got::Failed(failure.code()),
        };
        let mut text = String::new();
        while let Some(batch) = reply.events.next().await {
            match batch {
                Ok(chunks) => text.push_str(&text_of(chunks)),
                Err(failure) => return Got::Failed(failure.code()),
            }
        }
        match reply.head.degraded {
            Some(degraded) => Got::Degraded(degraded.as_str(), text),
            None => Got::Live(text),
        }
    }

    fn counted(&self, by: &str) -> u64 {
        let families = self.registry.gather();
        let degraded = families
            .iter()
            .find(|family| family.name() == "orchestrator_degraded_total");
        let counts = degraded.into_iter().flat_map(|family| family.get_metric());
        let of_it = counts.filter(|metric| metric.get_label().iter().any(|label| label.value() == by));
        of_it.map(|metric| metric.get_counter().get_value() as u64).sum()
    }

    /// That totals, metrics and episodes tell the same, and nothing runs any more.
    fn agrees(&self) {
        let total = self.shared.total();
        let Touched {
            cache,
            stale,
            reduced,
            message,
            none,
        } = total;
        for (by, count) in [
            ("cache", cache),
            ("stale", stale),
            ("reduced", reduced),
            ("message", message),
            ("none", none),
        ] {
            assert_eq!(self.counted(by), count, "{by}");
        }
        let episodes = self.shared.episodes(Instant::now());
        let touched = |episode: &Episode| episode.touched.all();
        assert_eq!(episodes.iter().map(touched).sum::<u64>(), total.all());
        let running = self.models.each_ref().map(scripted::Model::running);
        assert_eq!(running, [0, 0]);
    }
}

fn question(number: u8) -> Prompt {
    let mut prompt = prompt(&format!("question {number}"));
    prompt.request.fingerprint = Some(Fingerprint([number; 32]));
    prompt
}

fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build();
    runtime.unwrap().block_on(test);
}

fn config(chain: Vec<Step>) -> Config {
    Config {
        chain,
        message: "sorry".to_owned(),
        reduced: ReducedConfig {
            patience_ms: PATIENCE.as_millis() as u64,
            ..ReducedConfig::default()
        },
        ..Config::default()
    }
}

/// What a client should get, by a list of what was answered before, and how many calls either model has had.
#[derive(Default)]
struct Reference {
    known: BTreeMap<u8, (String, Instant)>,
    calls: [usize; 2],
}

impl Reference {
    fn of(&mut self, config: &Config, asked: Asked, now: Instant) -> Got {
        let mine = format!("live {}", self.calls[0]);
        self.calls[0] += 1;
        match asked.live {
            Does::Answer | Does::AnswerLate => {
                if config.has(Step::Cache) {
                    let late = Duration::from_millis(if asked.live == Does::Answer { 0 } else { 2_001 });
                    self.known.insert(asked.question, (mine.clone(), now + late));
                }
                Got::Live(mine)
            }
            Does::Reject => Got::Failed(Code::UpstreamRejected),
            Does::Break => Got::Failed(Code::UpstreamTruncated),
            Does::Fail => {
                let mut steps = config.chain.iter();
                steps
                    .find_map(|step| self.step(*step, asked, now))
                    .unwrap_or(Got::Failed(Code::UpstreamError))
            }
        }
    }

    fn step(&mut self, step: Step, asked: Asked, now: Instant) -> Option<Got> {
        match step {
            Step::Cache => {
                let (text, at) = self.known.get(&asked.question)?;
                let age = now.saturating_duration_since(*at).as_secs_f64();
                let by = if age <= 300.0 { "cache" } else { "stale" };
                (age <= 3_600.0).then(|| Got::Degraded(by, text.clone()))
            }
            Step::Reduced => {
                let text = format!("reduced {}", self.calls[1]);
                self.calls[1] += 1;
                match asked.reduced {
                    Does::Answer => Some(Got::Degraded("reduced", text)),
                    Does::Break => Some(Got::Failed(Code::UpstreamTruncated)),
                    Does::AnswerLate | Does::Fail | Does::Reject => None,
                }
            }
            Step::Message => Some(Got::Degraded("message", "sorry".to_owned())),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Without rules: the workers, else the first step of the chain that can.
    #[test]
    fn each_request_gets_what_the_small_model_says(
        chain in chain(),
        all in proptest::collection::vec((asked(), prop_oneof![4 => Just(1_u64), 1 => Just(400)]), 1..40),
    ) {
        run(async {
            let config = config(chain);
            let (bench, mut reference) = (Bench::new(config.clone(), all[0].0), Reference::default());
            for (asked, slower) in all {
                tokio::time::advance(Duration::from_millis(asked.gap_ms * slower)).await;
                let now = Instant::now();
                let late = |step: &Step| *step == Step::Reduced && asked.reduced == Does::AnswerLate;
                let got = bench.ask(asked).await;
                // A step that is waited for in vain takes time before the next is asked.
                let waited = config.chain.iter().any(late) && asked.live == Does::Fail;
                let expected = reference.of(&config, asked, now);
                match (&expected, &got) {
                    (Got::Degraded("cache", text), Got::Degraded("stale", told)) if waited => assert_eq!(text, told),
                    _ => assert_eq!(expected, got, "{asked:?}"),
                }
            }
            bench.agrees();
        });
    }

    /// With rules: still one outcome for each, and while a rule holds the workers hear of at most one request a second.
    #[test]
    fn rules_spare_the_workers_and_lose_nobody(
        all in proptest::collection::vec(asked(), 1..80),
        mode in prop_oneof![Just(Step::Cache), Just(Step::Reduced), Just(Step::Message)],
        failure_rate in 0.1_f64..1.0,
        hold_s in 1_u64..20,
    ) {
        run(async {
            let rule = RuleConfig {
                name: "r".to_owned(),
                mode,
                failure_rate,
                min_requests: 3,
                hold_s,
                ..RuleConfig::default()
            };
            let config = Config { rules: vec![rule], ..config(vec![Step::Cache, Step::Reduced, Step::Message]) };
            let bench = Bench::new(config, all[0]);
            let mut degraded = 0;
            let mut probed: BTreeMap<usize, Instant> = BTreeMap::new();
            for asked in all {
                tokio::time::advance(Duration::from_millis(asked.gap_ms)).await;
                let (now, before) = (Instant::now(), bench.models[0].calls());
                let since = bench.shared.standings(now)[asked.route].since;
                let got = bench.ask(asked).await;
                let called = bench.models[0].calls() > before;
                if let (Some(since), Step::Message, true) = (since, mode, called) {
                    let last = probed.insert(asked.route, now).filter(|last| *last >= since).unwrap_or(since);
                    assert!(now.saturating_duration_since(last) >= Duration::from_secs(1), "one a second");
                }
                let is_message = got == Got::Degraded("message", "sorry".to_owned());
                assert!(called || mode != Step::Message || is_message, "{got:?}");
                degraded += u64::from(!matches!(got, Got::Live(_) | Got::Failed(_)));
                let lost = got == Got::Failed(Code::UpstreamError);
                assert!(!lost, "the message is there for everybody whose workers failed");
            }
            let total = bench.shared.total();
            assert!(degraded <= total.all());
            bench.agrees();
        });
    }
}

#[test]
fn threads_that_ask_at_once_are_each_counted_once() {
    const THREADS: u64 = 4;
    const EACH: u64 = 200;
    let asked = Asked {
        route: 1,
        question: 0,
        gap_ms: 0,
        live: Does::Fail,
        reduced: Does::Fail,
    };
    let bench = Bench::new(config(vec![Step::Cache, Step::Reduced, Step::Message]), asked);
    std::thread::scope(|threads| {
        for _ in 0..THREADS {
            threads.spawn(|| {
                run(async {
                    for _ in 0..EACH {
                        let (cx, _client) = cx(Instant::now() + Duration::from_secs(600));
                        let reply = bench.chain.call(&cx, &question(0)).await.unwrap();
                        assert_eq!(reply.head.degraded, Some(Degraded::Message));
                    }
                });
            });
        }
    });
    assert_eq!(bench.shared.total().message, THREADS * EACH);
    run(async { bench.agrees() });
}
