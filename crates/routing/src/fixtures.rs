//! For tests: workers that follow scripts, routes over them, and those who call.

mod let_on;
mod logged;

pub(crate) use let_on::LetOn;
pub(crate) use logged::Logged;

use crate::{Ask, Member, Metrics, Probing, RouteConfig, Router, Routes, route::Route};
use futures_util::StreamExt;
use orchestrator_core::{Admission, Capacity, Code, Failure, Model as _, Prompt, Reply, Request};
use orchestrator_resilience::{Config, Guard, Slots};
use orchestrator_testkit::{
    Timeline, chat, cx,
    scripted::{Call, Model},
    text_of, world,
};
use parking_lot::Mutex;
use prometheus::{Registry, TextEncoder};
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;

/// What a test may change of a [`Bench`] before it is built.
pub(crate) struct Setup {
    /// Of every worker.
    pub(crate) config: Config,
    pub(crate) slots: usize,
    pub(crate) pool: Option<Slots>,
    pub(crate) route: RouteConfig,
    /// Another route, for requests that do not choose by their model.
    pub(crate) aside: Option<RouteConfig>,
    pub(crate) head_start: usize,
    /// How long requests may wait that were let on; otherwise they come from no gate.
    pub(crate) patience: Option<Duration>,
    /// Of every worker.
    pub(crate) probing: Probing,
    /// Draws pauses and jitter.
    pub(crate) seed: u64,
}

/// A route over scripted workers, and what happened.
pub(crate) struct Bench {
    pub(crate) timeline: Timeline,
    pub(crate) routes: Arc<Routes>,
    pub(crate) router: Arc<Router>,
    pub(crate) members: Vec<Arc<Member>>,
    pub(crate) models: Vec<Model>,
    /// How long those waited for a slot that were let on.
    pub(crate) waits: Arc<Mutex<Vec<Duration>>>,
    patience: Option<Duration>,
    registry: Registry,
}

// === impl Bench ===

impl Bench {
    /// Workers by tier, as in `a b | c | d`, each of which answers its n-th call, from 0, by the script of its name.
    pub(crate) fn new(
        tiers: &str,
        script: impl Fn(&str, usize) -> Call + Send + Sync + 'static,
        change: impl FnOnce(&mut Setup),
    ) -> Self {
        let (setup, names) = Setup::of(tiers, change);
        let (registry, timeline, script) = (Registry::new(), Timeline::begin(), Arc::new(script));
        let guards = orchestrator_resilience::Metrics::register(&registry).unwrap();
        let member = |name: &String| {
            let rng = world(setup.seed).random(name);
            let guard = Guard::new(name.as_str().into(), setup.config.clone(), setup.slots, rng, &guards);
            Arc::new(Member::new(guard, setup.pool.clone()).probed_by(setup.probing))
        };
        let model = |name: &String| {
            let (name, timeline, script) = (name.clone(), timeline.clone(), script.clone());
            Model::responding(move |nth, _| {
                timeline.note(format_args!("{name} is called"));
                script(&name, nth)
            })
        };
        let members: Vec<_> = names.iter().map(member).collect();
        let models: Vec<Model> = names.iter().map(model).collect();
        let metrics = Metrics::register(&registry).unwrap();
        let all = std::iter::once(("r", setup.route)).chain(setup.aside.map(|aside| ("aside", aside)));
        let routes = Routes::build(all, &members, setup.head_start, &metrics).unwrap();
        let callable = models.iter().map(|model| Arc::new(model.clone()) as Arc<_>).collect();
        Bench {
            router: Arc::new(Router::new(
                routes.clone(),
                callable,
                world(setup.seed).random("retries"),
            )),
            timeline,
            routes,
            members,
            models,
            waits: Arc::default(),
            patience: setup.patience,
            registry,
        }
    }

    /// Calls for a client that waits until the request's deadline.
    pub(crate) async fn call(&self, prompt: &Prompt) -> Result<Reply, Failure> {
        let (mut cx, _client) = cx(prompt.request.deadline);
        if let Some(patience) = self.patience {
            cx.admit(LetOn::waiting(patience, self.waits.clone()));
        }
        self.router.call(&cx, prompt).await
    }

    /// All that a request hears.
    pub(crate) async fn answer(&self, prompt: &Prompt) -> Result<String, Failure> {
        let mut reply = self.call(prompt).await?;
        let mut text = String::new();
        while let Some(batch) = reply.events.next().await {
            text += &text_of(batch?.iter());
        }
        Ok(text)
    }

    /// Calls, listens to the end and writes down what is heard.
    pub(crate) async fn hear(&self, prompt: &Prompt) {
        let note = |what: std::fmt::Arguments<'_>| self.timeline.note(what);
        let mut reply = match self.call(prompt).await {
            Ok(reply) => reply,
            Err(failure) => return note(format_args!("failed: {}", brief(&failure))),
        };
        let (attempts, tier) = (reply.head.attempts, reply.head.tier);
        note(format_args!("begins at call {attempts}, {}", tier.as_str()));
        while let Some(batch) = reply.events.next().await {
            match batch {
                Ok(chunks) => note(format_args!("{:?}", text_of(&chunks))),
                Err(failure) => note(format_args!("broke off: {}", brief(&failure))),
            }
        }
        note(format_args!("over"));
    }

    /// How many calls each worker has had.
    pub(crate) fn calls(&self) -> Vec<usize> {
        self.models.iter().map(Model::calls).collect()
    }

    /// The states of the breakers.
    pub(crate) fn states(&self) -> Vec<&'static str> {
        let states = self.members.iter().map(|member| member.guard().state().as_str());
        states.collect()
    }

    /// Asserts that nothing is under way and that everything that calls hold has been given back.
    pub(crate) fn is_at_rest(&self) {
        let taken = self.members.iter().map(|member| member.guard().slots().taken());
        assert_eq!(taken.sum::<usize>(), 0, "slots");
        assert_eq!(self.models.iter().map(Model::running).sum::<usize>(), 0, "calls");
        let unheard = |member: &Arc<Member>| {
            [true, false].map(|kind| member.view((0, 1), &of_kind(kind), Instant::now()).unheard)
        };
        assert!(
            self.members.iter().all(|member| unheard(member) == [0; 2]),
            "calls unheard"
        );
        for route in self.routes.all() {
            assert_eq!((route.calls(), route.requests.all()), ([0; 3], 0), "places");
        }
    }

    /// The lines of the metrics that have this in their name, without those at zero.
    pub(crate) fn shown(&self, name: &str) -> String {
        let page = self.shown_with_zeros(name);
        let lines = page.lines().filter(|line| !line.ends_with(" 0"));
        lines.map(|line| format!("{line}\n")).collect()
    }

    /// The lines of the metrics that have this in their name.
    pub(crate) fn shown_with_zeros(&self, name: &str) -> String {
        let page = TextEncoder::new().encode_to_string(&self.registry.gather()).unwrap();
        let lines = page
            .lines()
            .filter(|line| !line.starts_with('#') && line.contains(name));
        lines.map(|line| format!("{line}\n")).collect()
    }

    /// Calls of a kind that the route's usable workers take at once.
    pub(crate) fn slots(&self, is_stream: bool) -> usize {
        self.routes.all()[0].slots(is_stream, Instant::now())
    }

    /// What the gate would be told about a request of this room, as long as it holds what it gets.
    pub(crate) fn admit(&self, room: usize) -> Result<orchestrator_core::Credit, &'static str> {
        match self.routes.admit(room) {
            Admission::Granted(credit) => Ok(credit),
            Admission::Full => Err("full"),
            Admission::Refused => Err("refused"),
        }
    }
}

// === impl Setup ===

impl Setup {
    fn of(tiers: &str, change: impl FnOnce(&mut Setup)) -> (Self, Vec<String>) {
        let mut of_tiers = tiers
            .split('|')
            .map(|tier| tier.split_whitespace().map(String::from).collect());
        let mut tier = || of_tiers.next().unwrap_or_default();
        let route = RouteConfig {
            primary: tier(),
            secondary: tier(),
            backup: tier(),
            balance: crate::Balance::RoundRobin,
            ..RouteConfig::default()
        };
        let mut setup = Setup {
            config: Config::default(),
            slots: 100,
            pool: None,
            route,
            aside: None,
            head_start: 0,
            patience: None,
            probing: Probing::OFF,
            seed: 1,
        };
        change(&mut setup);
        let routes = std::iter::once(&setup.route).chain(&setup.aside);
        let mut names: Vec<_> = routes.flat_map(RouteConfig::workers).cloned().collect();
        names.dedup();
        (setup, names)
    }
}

/// Code and rest of a failure.
pub(crate) fn brief(failure: &Failure) -> String {
    let code = failure.code().as_str();
    match failure.retry_after() {
        Some(after) => format!("{code}, again after {after:?}"),
        None => code.to_owned(),
    }
}

/// A prompt with ten minutes to live.
pub(crate) fn prompt(stream: bool) -> Prompt {
    let body = r#"{"model":"m","messages":[{"role":"user","content":"x"}]}"#;
    let mut prompt = Prompt {
        request: Box::new(chat(body)),
        rewritten: false,
        grounding: Vec::new(),
        limit: None,
    };
    prompt.request.stream = stream;
    prompt
}

/// One that streams.
/// What the smallest request asks, for a stream or a whole answer.
pub(crate) fn of_kind(is_stream: bool) -> Ask {
    Ask {
        is_stream,
        ..Ask::new(0, 0)
    }
}

/// What a request asks that has a second left, as the next of its route.
pub(crate) fn asked(route: &Route, request: &Request) -> Ask {
    Ask {
        turn: route.take_turn(),
        deadline_left: ms(1_000),
        ..route.ask(request)
    }
}

pub(crate) fn streamed() -> Prompt {
    prompt(true)
}

/// One with so many milliseconds to live.
pub(crate) fn within(stream: bool, millis: u64) -> Prompt {
    let mut prompt = prompt(stream);
    prompt.request.deadline = Instant::now() + ms(millis);
    prompt
}

/// A call that answers at once.
pub(crate) fn fine() -> Call {
    Call::saying(["fine"])
}

/// A call that answers after so many milliseconds.
pub(crate) fn slow(millis: u64) -> Call {
    Call::new()
        .after(millis)
        .text("slow")
        .finish(orchestrator_core::FinishReason::Stop)
}

/// A call that fails at once.
pub(crate) fn failing(code: Code) -> Call {
    Call::new().fail(Failure::new(code, "no"))
}

/// A call that fails with 5xx at once.
pub(crate) fn bad() -> Call {
    failing(Code::UpstreamError)
}

/// A call that is answered with 429 and asked to wait.
pub(crate) fn resting(seconds: u64) -> Call {
    Call::new().fail(limited(seconds))
}

/// A 429 that asks for so many seconds.
pub(crate) fn limited(seconds: u64) -> Failure {
    Failure::new(Code::RateLimited, "busy").with_retry_after(Duration::from_secs(seconds))
}

pub(crate) fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Runs to the end on a clock of its own that goes on only when nothing else can.
pub(crate) fn paused<F: Future>(future: F) -> F::Output {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_time().start_paused(true).build().unwrap();
    runtime.block_on(future)
}
