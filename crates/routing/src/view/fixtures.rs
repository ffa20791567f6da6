//! Routes in a few words, and plans as a few lines of text.
//!
//! A route is written tier by tier, `|` between them, a word for each worker: `ok`, `half` (open), `open:30` (due in 30 s),
//! `rate:0.6` (opened by a failure rate of 0.6), `full`, `down`, `unknown`, `rest:5`, `limited:2`, `weight:3`, `busy:4`
//! (running calls), `ms:300` (its latency), `new` (which nobody knows), `waits:2` (calls unheard), `least:2` (a bound); several
//! with `+` between them. Workers are numbered from 0 as they stand there; `#0` names one that stood there before.

use crate::{
    Ask, Balance, First, Plan, View,
    balance::wheel::Wheel,
    plan,
    plan::first::{Front, Workers},
};
use orchestrator_core::{Tier, stable};
use orchestrator_resilience::State;
use std::{cell::Cell, collections::BTreeSet, fmt::Write, time::Duration};

/// A worker that is well, healthy and idle.
pub(crate) fn well(worker: usize) -> View {
    View {
        worker,
        key: stable::hash(format!("worker {worker}").as_bytes()),
        weight: 1,
        state: State::Closed,
        opened_by_rate: false,
        badness: 0.0,
        due: Duration::ZERO,
        rest: Duration::ZERO,
        rate_limited: Duration::ZERO,
        running: 0,
        free: 10,
        warmth: 1.0,
        healthy: Some(true),
        latency: Some(Duration::from_millis(100)),
        latency_at_least: Duration::ZERO,
        last_latency: Some(Duration::from_millis(100)),
        unheard: 0,
    }
}

/// As many of them.
pub(crate) fn wells(count: usize) -> Vec<View> {
    (0..count).map(well).collect()
}

/// The views of a route in words.
pub(crate) fn route(words: &str) -> [Vec<View>; 3] {
    let mut next = 0;
    let mut tiers = words.split('|').map(|tier| {
        let mut number = |word: &str| match word.split_once('#') {
            Some((_, same)) => same.parse().unwrap(),
            None => {
                next += 1;
                next - 1
            }
        };
        tier.split_whitespace()
            .map(|word| worker(number(word), word.split('#').next().unwrap()))
            .collect()
    });
    std::array::from_fn(|_| tiers.next().unwrap_or_default())
}

/// The plan for a route in words, round-robin at turn 0, so that a tier keeps the order in which it is written.
pub(crate) fn planned(words: &str, ask: &Ask) -> Plan {
    planned_by(&route(words), Balance::RoundRobin, ask)
}

pub(crate) fn planned_by(tiers: &[Vec<View>; 3], balance: Balance, ask: &Ask) -> Plan {
    plan(tiers.each_ref().map(Vec::as_slice), balance, ask)
}

/// What comes first in the plan of these workers, and how many looks it takes to know, or to give up.
pub(crate) fn first_by(tiers: &[Vec<View>; 3], balance: Balance, ask: &Ask) -> (Option<First>, usize) {
    let workers: BTreeSet<_> = tiers.iter().flatten().map(|view| view.worker).collect();
    let tiers = ask.in_order([0, 1, 2].map(|nth| (Tier::ALL[nth], &tiers[nth])));
    let mut filled = tiers.into_iter().filter(|(_, views)| !views.is_empty());
    let Some((tier, views)) = filled.next() else {
        return (None, 0);
    };
    let front = Front {
        tier,
        workers: Watched {
            views,
            weights: Wheel::new(views.iter().map(|view| view.weight)),
            looks: Cell::new(0),
        },
        is_only: workers.len() == 1,
    };
    let first = front.first(balance, ask);
    (first, front.workers.looks.get())
}

/// Workers who count how often they are looked at.
struct Watched<'a> {
    views: &'a [View],
    weights: Wheel,
    looks: Cell<usize>,
}

impl Workers for Watched<'_> {
    fn weights(&self) -> &Wheel {
        &self.weights
    }

    fn key(&self, place: usize) -> u64 {
        self.views[place].key
    }

    fn running(&self, place: usize) -> usize {
        self.views[place].running
    }

    fn look(&self, place: usize) -> Option<View> {
        self.looks.set(self.looks.get() + 1);
        self.views.get(place).cloned()
    }
}

/// The plan as text, a line for each of its parts.
pub(crate) fn told(plan: &Plan) -> String {
    let mut text = String::new();
    for one in &plan.candidates {
        writeln!(text, "call {} {} {:?}", one.worker, one.reason.as_str(), one.pass).unwrap();
    }
    for one in &plan.skipped {
        writeln!(text, "skip {} {}", one.worker, one.code()).unwrap();
    }
    if let Some(one) = &plan.probe {
        writeln!(text, "probe {} {}", one.worker, one.reason.as_str()).unwrap();
    }
    if let Some(one) = &plan.reject {
        writeln!(text, "reject {} after {:?}", one.refused.as_str(), one.after).unwrap();
    }
    text
}

fn worker(worker: usize, words: &str) -> View {
    let mut view = well(worker);
    for word in words.split('+') {
        let (word, number) = word.split_once(':').unwrap_or((word, "1"));
        let number: f64 = number.parse().unwrap();
        let seconds = Duration::from_secs_f64(number);
        match word {
            "ok" => {}
            "half" => view.state = State::HalfOpen,
            "open" => (view.state, view.due) = (State::Open, seconds),
            "rate" => {
                (view.state, view.due) = (State::Open, Duration::from_secs(60));
                (view.opened_by_rate, view.badness) = (true, number);
            }
            "full" => view.free = 0,
            "down" => view.healthy = Some(false),
            "unknown" => view.healthy = None,
            "rest" => view.rest = seconds,
            "limited" => view.rate_limited = seconds,
            "weight" => view.weight = number as u32,
            "busy" => view.running = number as usize,
            "ms" => (view.latency, view.last_latency) = (Some(seconds / 1_000), Some(seconds / 1_000)),
            "new" => (view.latency, view.last_latency) = (None, None),
            "waits" => view.unheard = number as usize,
            "least" => view.latency_at_least = seconds,
            other => panic!("no word for a worker: {other}"),
        }
    }
    view
}
