//! The breaker against a model of another make, which keeps all that was reported and counts it anew each time.

use super::*;

/// What happened since the breaker last changed.
#[derive(Debug)]
struct Model {
    config: Config,
    /// How often it has changed.
    era: usize,
    phase: Phase,
    reports: Vec<Report>,
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

#[derive(Clone, Copy, Debug, PartialEq)]
enum Report {
    Heard,
    Ended { outcome: Outcome, heard: bool, at: Instant },
}

/// A call that was let through.
#[derive(Debug)]
struct Call {
    grant: Grant,
    era: usize,
    probe: bool,
    heard: bool,
}

#[derive(Clone, Copy, Debug)]
enum Event {
    Pass(Duration),
    Ask,
    Hear(usize),
    End(usize, Outcome),
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

    fn ends(&self) -> impl DoubleEndedIterator<Item = (Outcome, Instant)> {
        self.reports.iter().filter_map(|report| match report {
            Report::Ended { outcome, at, .. } => Some((*outcome, *at)),
            Report::Heard => None,
        })
    }

    fn is_silent(&self) -> bool {
        let since_heard = self.reports.iter().rev().take_while(|report| **report != Report::Heard);
        let in_vain = since_heard.filter(|report| {
            matches!(
                report,
                Report::Ended {
                    outcome: Failure | GivenUp,
                    heard: false,
                    ..
                }
            )
        });
        self.config.circuit_breaker_threshold > 0 && in_vain.count() >= 20
    }

    fn is_too_bad(&self, now: Instant) -> bool {
        let config = &self.config;
        let decided = self
            .ends()
            .rev()
            .filter(|(outcome, _)| matches!(outcome, Success | Failure));
        let run = decided.take_while(|(outcome, _)| *outcome == Failure).count();
        let counted = self
            .ends()
            .filter(|(outcome, _)| matches!(outcome, Success | Failure | RateLimited));
        let last = counted.rev().take(config.window_calls as usize);
        let seen: Vec<Outcome> = last
            .filter(|(_, at)| now - *at <= Duration::from_secs(config.window_s))
            .map(|(outcome, _)| outcome)
            .collect();
        let count = |what: Outcome| seen.iter().filter(|outcome| **outcome == what).count() as f64;
        let least = f64::from(config.min_calls.min(config.window_calls));
        let (decided, all) = (count(Success) + count(Failure), seen.len() as f64);
        let threshold = config.circuit_breaker_threshold as usize;
        (threshold > 0 && run >= threshold)
            || self.is_silent()
            || (config.failure_rate > 0.0 && decided >= least && count(Failure) / decided >= config.failure_rate)
            || (config.rate_limit_rate > 0.0 && all >= least && count(RateLimited) / all >= config.rate_limit_rate)
    }

    fn report(&mut self, era: usize, report: Report, now: Instant) {
        if era != self.era {
            return;
        }
        self.reports.push(report);
        let ended = matches!(report, Report::Ended { .. });
        let successes = self.reports.iter().filter(|report| **report == Report::Heard).count();
        match self.phase {
            Phase::Open { .. } => panic!("nobody is let through while it is open"),
            Phase::Closed if ended && self.is_too_bad(now) => {
                self.open(Duration::from_secs(self.config.circuit_breaker_timeout_s), now);
            }
            Phase::HalfOpen { held } if self.ends().any(|(outcome, _)| outcome == Failure) || self.is_silent() => {
                self.open(held * 2, now);
            }
            Phase::HalfOpen { .. } if successes >= self.config.close_after as usize => self.enter(Phase::Closed),
            Phase::Closed | Phase::HalfOpen { .. } => {}
        }
    }
}

/// Lets one event happen to both, and compares what went through.
fn happen(event: Event, world: &mut World, model: &mut Model, calls: &mut Vec<Call>) -> Result<(), TestCaseError> {
    match event {
        Event::Pass(pause) => world.now += pause,
        Event::Ask => {
            let is_out = |call: &&Call| call.probe && call.era == model.era && !call.heard;
            let probes = calls.iter().filter(is_out).count();
            let admitted = world.admit();
            prop_assert_eq!(admitted.is_ok(), model.lets_through(probes));
            let (era, probe) = (model.era, matches!(model.phase, Phase::HalfOpen { .. }));
            calls.extend(admitted.ok().map(|grant| Call {
                grant,
                era,
                probe,
                heard: false,
            }));
        }
        Event::Hear(at) => {
            if let Some(call) = calls.iter_mut().filter(|call| !call.heard).nth(at) {
                call.heard = true;
                world.hear(&mut call.grant);
                model.report(call.era, Report::Heard, world.now);
            }
        }
        Event::End(at, outcome) if at < calls.len() => {
            let call = calls.remove(at);
            if outcome == Success && !call.heard {
                model.report(call.era, Report::Heard, world.now);
            }
            let heard = call.heard || outcome == Success;
            world.end(call.grant, outcome);
            model.report(
                call.era,
                Report::Ended {
                    outcome,
                    heard,
                    at: world.now,
                },
                world.now,
            );
        }
        Event::End(..) => {}
    }
    Ok(())
}

fn any_event() -> impl Strategy<Value = Event> {
    let seconds = prop_oneof![4 => 0_u64..4, 2 => 4_u64..40, 1 => Just(1_000_000)];
    prop_oneof![
        1 => (seconds, 0_u32..1_000_000_000).prop_map(|(s, nanos)| Event::Pass(Duration::new(s, nanos))),
        5 => Just(Event::Ask),
        // Low places are old calls, so results that come late are common.
        2 => (0_usize..4).prop_map(Event::Hear),
        4 => (0_usize..4, any_outcome()).prop_map(|(at, outcome)| Event::End(at, outcome)),
    ]
}

fn any_config() -> impl Strategy<Value = Config> {
    let opening = (0_u32..4, 1_u64..20, 1_u32..4, 1_u32..4, 1_u64..60);
    let rates = prop::sample::select(vec![0.0, 0.3, 0.5, 1.0]);
    let window = (rates.clone(), rates, 1_u32..12, 1_u64..30, 1_u32..8);
    (opening, window).prop_map(
        |((threshold, timeout, probes, close, max), (failures, limits, calls, age, least))| Config {
            circuit_breaker_threshold: threshold,
            circuit_breaker_timeout_s: timeout,
            half_open_probes: probes,
            close_after: close,
            open_max_s: max,
            failure_rate: failures,
            rate_limit_rate: limits,
            window_calls: calls,
            window_s: age,
            min_calls: least,
            ..Config::default()
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn it_does_what_the_model_does(config in any_config(), events in prop::collection::vec(any_event(), 0..200)) {
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
