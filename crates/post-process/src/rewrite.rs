//! From chunks to filtered chunks: each text of each choice passes the filters by itself.
//!
//! A chunk whose deltas come out as they went in keeps the worker's event; any other loses it and is rendered anew.

use crate::cascade::{Filters, Outcome, Passage, Scope};
use orchestrator_core::{Chunk, Code, Delta, Failure, FinishReason, Kind, Text};
use smallvec::SmallVec;
use std::{
    collections::{BTreeMap, btree_map::Entry},
    sync::Arc,
};

/// The most choices that a worker may send: as many as OpenAI's `n` allows.
const MAX_CHOICES: usize = 128;

type Deltas = SmallVec<[Delta; 1]>;

/// One answer on its way through the filters.
#[derive(Debug)]
pub(crate) struct Rewriter {
    filters: Arc<Filters>,
    choices: BTreeMap<u32, Choice>,
    /// How many choices the answer will have.
    expected: usize,
}

/// The texts of one choice.
#[derive(Debug, Default)]
struct Choice {
    text: Passage,
    /// Reasoning that runs.
    reasoning: Option<Passage>,
    /// A refusal that runs.
    refusal: Option<Passage>,
    state: State,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Running,
    /// The model ended it.
    Finished,
    /// A stop string of ours ended it; whatever the model still says is dropped.
    Stopped,
}

// === impl Rewriter ===

impl Rewriter {
    /// For an answer of `expected` choices.
    pub(crate) fn new(filters: Arc<Filters>, expected: u32) -> Self {
        Rewriter {
            filters,
            choices: BTreeMap::new(),
            expected: usize::try_from(expected).unwrap_or(usize::MAX),
        }
    }

    /// What becomes of a chunk; `None` when nothing of it is left for now.
    pub(crate) fn chunk(&mut self, chunk: Chunk) -> Result<Option<Chunk>, Failure> {
        let mut kept = Deltas::new();
        for delta in &chunk.deltas {
            self.delta(delta, &mut kept)?;
        }
        if kept == chunk.deltas {
            return Ok(Some(chunk));
        }
        Ok(rendered(kept))
    }

    /// What was held back when the worker's events end without a finish.
    pub(crate) fn rest(&mut self) -> Option<Chunk> {
        let mut kept = Deltas::new();
        for (index, choice) in &mut self.choices {
            if choice.state == State::Running && choice.end_all(&self.filters, *index, &mut kept) == Outcome::Stopped {
                choice.stop(&self.filters, *index, &mut kept);
            }
        }
        rendered(kept)
    }

    /// Whether all choices have begun and ended, and one of them by a stop string, so that nothing of use can follow.
    pub(crate) fn is_over(&self) -> bool {
        let mut states = self.choices.values().map(|choice| choice.state);
        self.choices.len() >= self.expected
            && states.clone().any(|state| state == State::Stopped)
            && states.all(|state| state != State::Running)
    }

    fn delta(&mut self, delta: &Delta, kept: &mut Deltas) -> Result<(), Failure> {
        if matches!(delta.kind, Kind::Usage(_)) {
            kept.push(delta.clone());
            return Ok(());
        }
        let has_room = self.choices.len() < MAX_CHOICES;
        let choice = match self.choices.entry(delta.choice) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) if has_room => new.insert(Choice::default()),
            Entry::Vacant(_) => return Err(too_many_choices()),
        };
        if choice.state != State::Stopped {
            choice.delta(&self.filters, delta, kept);
        }
        Ok(())
    }
}

fn too_many_choices() -> Failure {
    let text = format!("The worker sent more than {MAX_CHOICES} choices.");
    Failure::new(Code::UpstreamProtocol, text)
}

fn rendered(deltas: Deltas) -> Option<Chunk> {
    (!deltas.is_empty()).then_some(Chunk { event: None, deltas })
}

// === impl Choice ===

impl Choice {
    fn delta(&mut self, filters: &Filters, delta: &Delta, kept: &mut Deltas) {
        match &delta.kind {
            Kind::Text(text) => {
                if !text.is_empty() {
                    // Reasoning is over when the answer begins; its end must not come after it.
                    self.end_reasoning(filters, delta.choice, kept);
                }
                self.text(filters, delta, text, kept);
            }
            Kind::Reasoning(text) => beside(&mut self.reasoning, filters, (delta, text), kept),
            Kind::Refusal(text) => beside(&mut self.refusal, filters, (delta, text), kept),
            Kind::Finish(_) => self.finish(filters, delta, kept),
            Kind::ToolCall { .. } | Kind::Usage(_) => kept.push(delta.clone()),
        }
    }

    fn text(&mut self, filters: &Filters, delta: &Delta, text: &str, kept: &mut Deltas) {
        let mut out = String::new();
        let outcome = self.text.push(filters, Scope::Answer, text, &mut out);
        keep(delta, text, out, kept);
        if outcome == Outcome::Stopped {
            self.stop(filters, delta.choice, kept);
        }
    }

    fn finish(&mut self, filters: &Filters, delta: &Delta, kept: &mut Deltas) {
        match self.end_all(filters, delta.choice, kept) {
            Outcome::Stopped => self.stop(filters, delta.choice, kept),
            Outcome::Running => {
                self.state = State::Finished;
                kept.push(delta.clone());
            }
        }
    }

    /// Running -> Stopped.
    fn stop(&mut self, filters: &Filters, choice: u32, kept: &mut Deltas) {
        self.end_reasoning(filters, choice, kept);
        self.end_refusal(filters, choice, kept);
        filters.stopped.inc();
        self.state = State::Stopped;
        kept.push(Delta {
            choice,
            kind: Kind::Finish(FinishReason::Stop),
        });
    }

    fn end_all(&mut self, filters: &Filters, choice: u32, kept: &mut Deltas) -> Outcome {
        self.end_reasoning(filters, choice, kept);
        let mut out = String::new();
        let outcome = self.text.end(filters, Scope::Answer, &mut out);
        append(choice, out, Kind::Text, kept);
        self.end_refusal(filters, choice, kept);
        outcome
    }

    fn end_reasoning(&mut self, filters: &Filters, choice: u32, kept: &mut Deltas) {
        if let Some(mut reasoning) = self.reasoning.take() {
            let mut out = String::new();
            reasoning.end(filters, Scope::Beside, &mut out);
            append(choice, out, Kind::Reasoning, kept);
        }
    }

    fn end_refusal(&mut self, filters: &Filters, choice: u32, kept: &mut Deltas) {
        if let Some(mut refusal) = self.refusal.take() {
            let mut out = String::new();
            refusal.end(filters, Scope::Beside, &mut out);
            append(choice, out, Kind::Refusal, kept);
        }
    }
}

fn beside(passage: &mut Option<Passage>, filters: &Filters, (delta, text): (&Delta, &Text), kept: &mut Deltas) {
    let mut out = String::new();
    let passage = passage.get_or_insert_default();
    passage.push(filters, Scope::Beside, text, &mut out);
    keep(delta, text, out, kept);
}

/// Keeps a delta whose text became `out`; as it is when nothing changed, not at all when nothing is left.
fn keep(delta: &Delta, text: &str, out: String, kept: &mut Deltas) {
    if out == text {
        kept.push(delta.clone());
        return;
    }
    let kind = match &delta.kind {
        Kind::Reasoning(_) => Kind::Reasoning,
        Kind::Refusal(_) => Kind::Refusal,
        _ => Kind::Text,
    };
    if !out.is_empty() {
        kept.push(Delta {
            choice: delta.choice,
            kind: kind(out.into()),
        });
    }
}

/// Adds the end of a text to its last delta in this chunk, so that one which was held back in part and released within
/// the chunk comes out as it went in.
fn append(choice: u32, end: String, kind: fn(Text) -> Kind, kept: &mut Deltas) {
    if end.is_empty() {
        return;
    }
    let new = kind(end.into());
    let same = |delta: &&mut Delta| {
        delta.choice == choice && std::mem::discriminant(&delta.kind) == std::mem::discriminant(&new)
    };
    match kept.iter_mut().rev().find(same) {
        Some(last) => last.kind = kind([text_of(&last.kind), text_of(&new)].concat().into()),
        None => kept.push(Delta { choice, kind: new }),
    }
}

fn text_of(kind: &Kind) -> &str {
    match kind {
        Kind::Text(text) | Kind::Reasoning(text) | Kind::Refusal(text) => text,
        _ => "",
    }
}

#[cfg(test)]
mod tests;
