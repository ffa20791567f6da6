//! An answer as events for a client: a worker's event as it came where it came in this dialect, else rendered.

use super::{
    answer_id,
    event::choices_of,
    render::{self, Said},
};
use orchestrator_core::{Chunk, Delta, Dialect, End, Event, FinishReason, Head, Kind, RequestId, Usage};

/// Writes the events of one answer for one client. All events have the same id, time and model; each choice begins with its
/// role and ends with its finish; the usage is told once, at the end, to a client that asked.
#[derive(Debug)]
pub struct EventWriter {
    id: RequestId,
    created: u64,
    include_usage: bool,
    usage_sent: bool,
    /// The choices that were begun, and whether each is finished. More than one is rare.
    choices: Vec<(u32, bool)>,
    /// What all rendered events begin with; empty until the first.
    prefix: Vec<u8>,
    buffer: Vec<u8>,
}

// === impl EventWriter ===

impl EventWriter {
    /// A writer for the request `id`; `created` (seconds since 1970) stands in for a worker that does not say.
    pub fn new(id: RequestId, created: u64, include_usage: bool) -> Self {
        EventWriter {
            id,
            created,
            include_usage,
            usage_sent: false,
            choices: Vec::new(),
            prefix: Vec::new(),
            buffer: Vec::new(),
        }
    }

    /// Writes a chunk: `emit` is handed the JSON of each event that it makes, in order.
    pub fn write(&mut self, head: &Head, chunk: &Chunk, emit: &mut impl FnMut(&[u8])) {
        match &chunk.event {
            Some(event) if event.dialect == Dialect::Chat && !event.whole => self.pass(event, &chunk.deltas, emit),
            _ => self.render(head, &chunk.deltas, emit),
        }
    }

    /// Writes what comes after the last chunk: the finish of a choice that was cut off by a limit of ours, and the usage if
    /// the client asked for it and has not heard it.
    pub fn end(&mut self, head: &Head, end: &End, emit: &mut impl FnMut(&[u8])) {
        if self.choices.is_empty() {
            self.say(head, 0, &[], emit);
        }
        let open = self.choices.iter().filter(|(_, finished)| !finished);
        for choice in open.map(|(choice, _)| *choice).collect::<Vec<_>>() {
            self.finish(head, choice, end.finish, emit);
        }
        if let Some(usage) = end.usage.filter(|_| self.include_usage && !self.usage_sent) {
            self.usage_sent = true;
            self.event(head, None, Some(&usage), emit);
        }
    }

    fn pass(&mut self, event: &Event, deltas: &[Delta], emit: &mut impl FnMut(&[u8])) {
        let tells_usage = deltas.iter().any(|delta| matches!(delta.kind, Kind::Usage(_)));
        if deltas.iter().all(|delta| matches!(delta.kind, Kind::Usage(_))) {
            // Either a mere role, or the usage alone: only its choices tell. Clients take it that there is a first choice,
            // unless they asked for the usage.
            let choices = choices_of(&event.data);
            if choices.is_empty() && !(tells_usage && self.include_usage) {
                return;
            }
            self.usage_sent |= choices.is_empty();
            choices.into_iter().for_each(|choice| _ = self.begin(choice));
        }
        for delta in deltas {
            match delta.kind {
                Kind::Usage(_) => {}
                Kind::Finish(_) => self.mark_finished(delta.choice),
                _ => _ = self.begin(delta.choice),
            }
        }
        emit(&event.data);
    }

    fn render(&mut self, head: &Head, mut deltas: &[Delta], emit: &mut impl FnMut(&[u8])) {
        while let Some((run, rest)) = deltas.split_at_checked(render::run_length(deltas)) {
            deltas = rest;
            match run {
                [] => break,
                [first, ..] => match first.kind {
                    Kind::Usage(_) => {}
                    Kind::Finish(reason) => self.finish(head, first.choice, reason, emit),
                    _ => self.say(head, first.choice, run, emit),
                },
            }
        }
    }

    fn say(&mut self, head: &Head, choice: u32, deltas: &[Delta], emit: &mut impl FnMut(&[u8])) {
        let said = Said {
            choice,
            role: self.begin(choice),
            deltas,
            finish: None,
        };
        self.event(head, Some(said), None, emit);
    }

    fn finish(&mut self, head: &Head, choice: u32, reason: FinishReason, emit: &mut impl FnMut(&[u8])) {
        if self.choices.iter().all(|(begun, _)| *begun != choice) {
            self.say(head, choice, &[], emit);
        }
        self.mark_finished(choice);
        let said = Said {
            choice,
            role: false,
            deltas: &[],
            finish: Some(reason),
        };
        self.event(head, Some(said), None, emit);
    }

    /// Whether this is the first that is said of a choice.
    fn begin(&mut self, choice: u32) -> bool {
        let is_new = self.choices.iter().all(|(begun, _)| *begun != choice);
        if is_new {
            self.choices.push((choice, false));
        }
        is_new
    }

    fn mark_finished(&mut self, choice: u32) {
        self.begin(choice);
        let place = self.choices.iter_mut().find(|(begun, _)| *begun == choice);
        place.into_iter().for_each(|(_, finished)| *finished = true);
    }

    fn event(&mut self, head: &Head, said: Option<Said<'_>>, usage: Option<&Usage>, emit: &mut impl FnMut(&[u8])) {
        if self.prefix.is_empty() {
            let created = if head.created == 0 { self.created } else { head.created };
            self.prefix = render::prefix(&answer_id(head, self.id), created, &head.model);
        }
        self.buffer.clear();
        self.buffer.extend_from_slice(&self.prefix);
        if let Some(said) = said {
            said.write(&mut self.buffer);
        }
        self.buffer.push(b']');
        match usage {
            Some(usage) => {
                self.buffer.extend_from_slice(b",\"usage\":");
                render::write_usage(&mut self.buffer, usage);
            }
            None if self.include_usage => self.buffer.extend_from_slice(b",\"usage\":null"),
            None => {}
        }
        self.buffer.push(b'}');
        emit(&self.buffer);
    }
}

#[cfg(test)]
mod tests;
