//! The promises of a line, read from what happened.

use super::{Act, Client, Code, Event, HOPS, Outcome, Plan};
use proptest::{prelude::TestCaseError, prop_assert, prop_assert_eq};
use std::collections::BTreeSet;

type Checked = Result<(), TestCaseError>;

/// Nobody begins in a stage that is full.
pub(super) fn widths(events: &[Event], mut widths: [usize; HOPS]) -> Checked {
    let mut inside: [BTreeSet<usize>; HOPS] = Default::default();
    for event in events {
        match *event {
            Event::Width(hop, width) => widths[hop] = width,
            Event::In(name, hop) => {
                inside[hop].insert(name);
                prop_assert!(inside[hop].len() <= widths[hop], "{event:?} of {inside:?}");
            }
            Event::Left(name, hop) => drop(inside[hop].remove(&name)),
            Event::Out(..) => {}
        }
    }
    Ok(())
}

/// Those who begin in a stage do so in the order in which they came out of the one before.
pub(super) fn order(events: &[Event]) -> Checked {
    for hop in 0..HOPS {
        let begun: Vec<usize> = events.iter().filter_map(|event| began(event, hop)).collect();
        let came: Vec<usize> = match hop {
            0 => (0..).take(begun.iter().max().map_or(0, |last| last + 1)).collect(),
            _ => events.iter().filter_map(|event| went_on(event, hop - 1)).collect(),
        };
        let came: Vec<usize> = came.into_iter().filter(|name| begun.contains(name)).collect();
        prop_assert_eq!(begun, came, "stage {}", hop);
    }
    Ok(())
}

fn began(event: &Event, at: usize) -> Option<usize> {
    match *event {
        Event::In(name, hop) if hop == at => Some(name),
        _ => None,
    }
}

fn went_on(event: &Event, from: usize) -> Option<usize> {
    match *event {
        Event::Out(name, hop, Act::Next) if hop == from => Some(name),
        _ => None,
    }
}

/// Who stays hears what the script says; who does not is cut off by nothing but its own leave or deadline.
pub(super) fn ends(plans: &[Plan], outcome: &Outcome) -> Checked {
    for (name, (plan, end)) in plans.iter().zip(&outcome.ends).enumerate() {
        let scripted = Some(scripted(plan));
        let allowed = match plan.client {
            Client::Stays => *end == scripted,
            Client::LeavesAfter(_) => *end == scripted || end.is_none(),
            Client::WaitsNoLongerThan(_) => *end == scripted || *end == Some(Some(Code::DeadlineExceeded)),
        };
        prop_assert!(allowed, "{name}: {end:?} of {plan:?}");
    }
    Ok(())
}

/// How the job ends when nobody interferes.
fn scripted(plan: &Plan) -> Option<Code> {
    let last = plan.legs.iter().map(|(_, act)| *act).find(|act| *act != Act::Next);
    match last {
        Some(Act::Fail) => Some(Code::UpstreamError),
        Some(Act::Panic) => Some(Code::Internal),
        _ => None,
    }
}

/// Each run of a stage that came to its end has a duration or is a panic, and no other does.
pub(super) fn counts(outcome: &Outcome) -> Checked {
    for (hop, counted) in outcome.counted.iter().enumerate() {
        let outs = || {
            outcome.events.iter().filter_map(move |event| match *event {
                Event::Out(_, at, act) if at == hop => Some(act),
                _ => None,
            })
        };
        let panics = outs().filter(|act| *act == Act::Panic).count();
        let worked = outs().count() - panics;
        prop_assert_eq!(*counted, (worked as u64, panics as u64), "stage {}", hop);
    }
    Ok(())
}
