//! The gate before real routes over scripted models, and a load that is counted request by request.

use futures_util::StreamExt;
use orchestrator_core::{
    Admission, Capacity, Cx, Failure, Flow, Ledger, Live, Model as _, Priority, Prompt, RequestId, Stage, Unique,
    answer,
};
use orchestrator_pipeline::{Gate, LanesConfig, Metrics};
use orchestrator_resilience::{Config, Guard};
use orchestrator_routing::{Member, RouteConfig, Router, Routes};
use orchestrator_testkit::{
    request,
    scripted::{Call, Model},
    world,
};
use prometheus::Registry;
use std::{sync::Arc, time::Duration};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep_until},
};

/// The slots of each of three workers, one in each tier.
pub const SLOTS: [usize; 3] = [5, 3, 2];
/// Requests that are let on for slots that are not free yet.
pub const HEAD_START: usize = 2;

/// A gate before a route of three workers.
pub struct Routed {
    pub gate: Gate,
    pub models: Vec<Model>,
    routes: Arc<Routes>,
    router: Router,
    members: Vec<Arc<Member>>,
}

/// How one request fared.
#[derive(Debug)]
pub struct Outcome {
    pub priority: Priority,
    /// When it came, since the load began.
    pub came: Duration,
    /// How long it took to its end.
    pub took: Duration,
    pub result: Result<(), Failure>,
}

// === impl Routed ===

impl Routed {
    /// Every call of every worker follows `script`.
    pub fn new(
        lanes: LanesConfig,
        config: Config,
        script: impl Fn() -> Call + Clone + Send + Sync + 'static,
    ) -> Arc<Self> {
        let registry = Registry::new();
        let guards = orchestrator_resilience::Metrics::register(&registry).unwrap();
        let names = ["a", "b", "c"];
        let member = |(name, slots): (&str, usize)| {
            let guard = Guard::new(name.into(), config.clone(), slots, world(1).random(name), &guards);
            Arc::new(Member::new(guard, None))
        };
        let members: Vec<_> = names.into_iter().zip(SLOTS).map(member).collect();
        let models: Vec<Model> = names
            .map(|_| {
                let script = script.clone();
                Model::responding(move |_, _| script())
            })
            .into();
        let [primary, secondary, backup] = names.map(|name| vec![name.to_owned()]);
        let route = RouteConfig {
            primary,
            secondary,
            backup,
            ..RouteConfig::default()
        };
        let metrics = orchestrator_routing::Metrics::register(&registry).unwrap();
        let routes = Routes::build([("all", route)], &members, HEAD_START, &metrics).unwrap();
        let callable = models.iter().map(|model| Arc::new(model.clone()) as Arc<_>).collect();
        let metrics = Metrics::register(&registry, Ledger::generous()).unwrap();
        Arc::new(Routed {
            gate: Gate::new(routes.clone(), Live::fixed(lanes), metrics),
            router: Router::new(routes.clone(), callable, world(1).random("retries")),
            routes,
            models,
            members,
        })
    }

    /// Sends requests from `clock` on, `every` so often, until `ends`; those that have begun come to their end.
    pub async fn load(
        self: &Arc<Self>,
        (every, ends): (Duration, Duration),
        priority: impl Fn(usize) -> Priority,
        mut look: impl FnMut(&Gate),
    ) -> Vec<Outcome> {
        let (began, mut tasks) = (Instant::now(), JoinSet::new());
        let mut came = Duration::ZERO;
        for number in 0.. {
            if came >= ends {
                break;
            }
            sleep_until(began + came).await;
            look(&self.gate);
            let (routed, priority) = (self.clone(), priority(number));
            tasks.spawn(async move {
                let asked = Instant::now();
                let result = routed.ask(number, priority).await;
                let took = asked.elapsed();
                Outcome {
                    priority,
                    came,
                    took,
                    result,
                }
            });
            came += every;
        }
        tasks.join_all().await
    }

    /// One request through the gate to a worker, heard to its end.
    async fn ask(&self, number: usize, priority: Priority) -> Result<(), Failure> {
        let request = Box::new(request(&number.to_string()));
        let (writer, _client) = answer(request.deadline, priority, Ledger::generous());
        let mut cx = Cx::new(RequestId::mint(number as u64, [0; 10]), writer);
        let Flow::Next(Unique(request)) = self.gate.run(&mut cx, Unique(request)).await? else {
            panic!("the gate lets on or refuses");
        };
        let prompt = Prompt {
            request,
            rewritten: false,
            grounding: Vec::new(),
            limit: None,
        };
        let mut reply = self.router.call(&cx, &prompt).await?;
        while let Some(batch) = reply.events.next().await {
            batch?;
        }
        Ok(())
    }

    /// Gives each worker so many slots, and lets those on who waited for them.
    #[allow(dead_code, reason = "each test uses some of it")]
    pub fn resize(&self, slots: usize) {
        self.members
            .iter()
            .for_each(|member| member.guard().set_max_concurrent(slots));
        self.routes.look_again();
        self.gate.look_again();
    }

    /// Calls of all workers at this moment.
    pub fn running(&self) -> usize {
        self.models.iter().map(Model::running).sum()
    }

    /// Calls of all workers so far.
    pub fn calls(&self) -> usize {
        self.models.iter().map(Model::calls).sum()
    }

    /// Requests that the gate has let on and that no worker answers yet.
    #[allow(dead_code, reason = "each test uses some of it")]
    pub fn on_the_way(&self) -> usize {
        let route = &self.routes.all()[0];
        route.requests() - route.calls().iter().sum::<usize>()
    }

    /// All that is counted while a request lives stands as it stood before.
    pub fn is_at_rest(&self) {
        assert_eq!(self.running(), 0, "calls");
        let taken = self.members.iter().map(|member| member.guard().slots().taken());
        assert_eq!(taken.sum::<usize>(), 0, "slots");
        let waiting = Priority::ALL.map(|priority| self.gate.waiting(priority));
        assert_eq!(waiting, [0; 3], "waiting");
        let plan = self.routes.plan(&request("x")).unwrap();
        assert_eq!(plan["limits"]["running"], 0, "the route's calls");
        // As many may go on as there are slots of workers that are well, and a few more that are on their way: no credit is out.
        self.members.iter().for_each(|member| member.guard().reset());
        let slots: usize = self.members.iter().map(|member| member.guard().max_concurrent()).sum();
        let mut credits = Vec::new();
        while let Admission::Granted(credit) = self.routes.admit(0) {
            credits.push(credit);
        }
        assert_eq!(credits.len(), slots + HEAD_START, "credits");
    }
}
