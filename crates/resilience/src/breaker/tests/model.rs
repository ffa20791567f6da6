//! The breaker against a model of another make, which keeps what was reported and counts it anew each time.

use super::*;

/// What happened since the breaker last changed.
#[derive(Debug)]
struct Model {
    config: Config,
    /// How often it has changed.
    era: usize,
    phase: Phase,
    reports: Vec<Outcome>,
}

#[derive(Clone, Copy, Debug)]
enum Phase {
    Closed,
    /// For `held` from `since` on, give or take the jitter; `over` once it was seen half-open.
    Open {
        since: Instant,
        held: Duration,
        over: bool,
    },
    HalfOpen {
        held: Duration,
    },
}

/// A call that was let through, and what it has reported last.
#[derive(Debug)]
struct Call {
    admission: Admission,
    era: usize,
    probe: bool,
    said: Option<Outcome>,
}

#[derive(Clone, Copy, Debug)]
enum Event {
    Pass(Duration),
    Ask,
    End(usize, Outcome),
    BreakOff(usize),
}

impl Model {
    fn enter(&mut self, phase: Phase) {
        self.phase = phase;
        self.era += 1;
        self.reports.clear();
    }

    fn open(&mut self, held: Duration, now: Instant) {
        self.enter(Phase::Open {
            since: now,
            held: held.min(Duration::from_secs(self.config.open_max_s)),
            over: false,
        });
    }

    /// Whether `state` is what may be seen now. Within the jitter both are right, but not to and fro.
    fn allows(&mut self, state: State, now: Instant) -> bool {
        match &mut self.phase {
            Phase::Closed => state == State::Closed,
            Phase::HalfOpen { .. } => state == State::HalfOpen,
            Phase::Open { since, held, over } => {
                let passed = now - *since;
                let may_be_open = passed < held.mul_f64(1.1) && !*over;
                let may_be_over = passed >= held.mul_f64(0.9);
                *over = state == State::HalfOpen;
                (state == State::Open && may_be_open) || (state == State::HalfOpen && may_be_over)
            }
        }
    }

    /// Whether a call goes through, `probes` being out.
    fn lets_through(&mut self, probes: usize) -> bool {
        match self.phase {
            Phase::Closed => true,
            Phase::Open { over: false, .. } => false,
            Phase::Open { held, .. } => {
                self.enter(Phase::HalfOpen { held });
                true
            }
            Phase::HalfOpen { .. } => probes < self.config.half_open_probes as usize,
        }
    }

    fn report(&mut self, era: usize, outcome: Outcome, now: Instant) {
        if era != self.era {
            return;
        }
        self.reports.push(outcome);
        let told = |what: Outcome| self.reports.iter().filter(|said| **said == what).count();
        match self.phase {
            Phase::Open { .. } => panic!("nobody is let through while it is open"),
            Phase::Closed => {
                let of_note = self.reports.iter().rev().filter(|said| **said != Outcome::Neutral);
                let run = of_note.take_while(|said| **said == Outcome::Failure).count();
                let threshold = self.config.circuit_breaker_threshold as usize;
                if threshold > 0 && run >= threshold {
                    self.open(Duration::from_secs(self.config.circuit_breaker_timeout_s), now);
                }
            }
            Phase::HalfOpen { held } if told(Outcome::Failure) > 0 => self.open(held * 2, now),
            Phase::HalfOpen { .. } if told(Outcome::Success) >= self.config.close_after as usize => {
                self.enter(Phase::Closed);
            }
            Phase::HalfOpen { .. } => {}
        }
    }
}

/// Lets one event happen to both, and compares what went through.
fn happen(event: Event, world: &mut World, model: &mut Model, calls: &mut Vec<Call>) -> Result<(), TestCaseError> {
    match event {
        Event::Pass(pause) => world.now += pause,
        Event::Ask => {
            let is_out = |call: &&Call| call.probe && call.era == model.era && call.said.is_none();
            let probes = calls.iter().filter(is_out).count();
            let admitted = world.admit();
            prop_assert_eq!(admitted.is_ok(), model.lets_through(probes));
            let (era, probe) = (model.era, matches!(model.phase, Phase::HalfOpen { .. }));
            calls.extend(admitted.ok().map(|admission| Call {
                admission,
                era,
                probe,
                said: None,
            }));
        }
        Event::End(at, outcome) => {
            if let Some(call) = calls.iter_mut().filter(|call| call.said.is_none()).nth(at) {
                call.said = Some(outcome);
                world.report(call.admission, outcome);
                model.report(call.era, outcome, world.now);
            }
        }
        Event::BreakOff(at) => {
            let mut served = calls.iter_mut().filter(|call| call.said == Some(Outcome::Success));
            if let Some(call) = served.nth(at) {
                call.said = Some(Outcome::Failure);
                world.breaker.broke_off(call.admission, world.now, &mut world.rng);
                model.report(call.era, Outcome::Failure, world.now);
            }
        }
    }
    Ok(())
}

fn any_event() -> impl Strategy<Value = Event> {
    let outcome = prop_oneof![
        2 => Just(Outcome::Failure),
        2 => Just(Outcome::Success),
        1 => Just(Outcome::Neutral)
    ];
    let seconds = prop_oneof![4 => 0_u64..4, 2 => 4_u64..40, 1 => Just(1_000_000)];
    prop_oneof![
        2 => (seconds, 0_u32..1_000_000_000).prop_map(|(s, nanos)| Event::Pass(Duration::new(s, nanos))),
        4 => Just(Event::Ask),
        // Low places are old calls, so results that come late are common.
        4 => (0_usize..4, outcome).prop_map(|(at, outcome)| Event::End(at, outcome)),
        1 => (0_usize..3).prop_map(Event::BreakOff),
    ]
}

fn any_config() -> impl Strategy<Value = Config> {
    (0_u32..4, 1_u64..20, 1_u32..4, 1_u32..4, 1_u64..60).prop_map(|(threshold, timeout, probes, close, max)| Config {
        circuit_breaker_threshold: threshold,
        circuit_breaker_timeout_s: timeout,
        half_open_probes: probes,
        close_after: close,
        open_max_s: max,
        ..Config::default()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn it_does_what_the_model_does(config in any_config(), events in prop::collection::vec(any_event(), 0..150)) {
        let mut world = World::new(config.clone());
        let mut model = Model { config, era: 0, phase: Phase::Closed, reports: Vec::new() };
        let mut calls = Vec::new();
        for (nth, event) in events.into_iter().enumerate() {
            happen(event, &mut world, &mut model, &mut calls)?;
            let state = world.state();
            prop_assert!(model.allows(state, world.now), "{state:?} after event {nth}, {event:?}: {model:?}");
        }
    }
}
