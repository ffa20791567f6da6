//! An answer as events for a client: a worker's event as it came where it came in this dialect, else rendered.

use super::answer_id;
use orchestrator_core::{Chunk, Dialect, End, Event, Head, Kind, RequestId, Usage};
use serde::{Serialize, Serializer};

/// Writes the events of one answer for one client.
#[derive(Debug)]
pub struct EventWriter {
    id: RequestId,
    created: u64,
    include_usage: bool,
    usage_sent: bool,
    /// The choices whose role was sent; a request for several choices is rare.
    begun: Vec<u32>,
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
            begun: Vec::new(),
            buffer: Vec::new(),
        }
    }

    /// Writes a chunk: `emit` is handed the JSON of each event that it makes.
    pub fn write(&mut self, head: &Head, chunk: &Chunk, emit: &mut impl FnMut(&[u8])) {
        match &chunk.event {
            Some(event) if event.dialect == Dialect::Chat && !event.whole => self.pass(event, chunk, emit),
            _ => self.render(head, chunk, emit),
        }
    }

    /// Writes what comes after the last chunk: the usage, if the client asked for it and has not heard it.
    pub fn end(&mut self, head: &Head, end: &End, emit: &mut impl FnMut(&[u8])) {
        if let Some(usage) = end.usage.filter(|_| self.include_usage && !self.usage_sent) {
            self.emit(head, &[], Some(Some(Used::from(usage))), emit);
        }
    }

    fn pass(&mut self, event: &Event, chunk: &Chunk, emit: &mut impl FnMut(&[u8])) {
        let tells_usage = chunk.deltas.iter().any(|delta| matches!(delta.kind, Kind::Usage(_)));
        if tells_usage && !self.include_usage && has_no_choices(&event.data) {
            return;
        }
        self.usage_sent |= tells_usage;
        for choice in chunk.deltas.iter().map(|delta| delta.choice) {
            self.begin(choice);
        }
        emit(&event.data);
    }

    fn render(&mut self, head: &Head, chunk: &Chunk, emit: &mut impl FnMut(&[u8])) {
        for delta in chunk
            .deltas
            .iter()
            .filter(|delta| !matches!(delta.kind, Kind::Usage(_)))
        {
            let role = self.begin(delta.choice).then_some("assistant");
            let finish_reason = match delta.kind {
                Kind::Finish(reason) => Some(reason.as_str()),
                _ => None,
            };
            let choice = Choice {
                index: delta.choice,
                delta: Said::of(role, &delta.kind),
                logprobs: (),
                finish_reason,
            };
            let usage = self.include_usage.then_some(None);
            self.emit(head, &[choice], usage, emit);
        }
    }

    /// Whether this is the first that is said of a choice.
    fn begin(&mut self, choice: u32) -> bool {
        let first = !self.begun.contains(&choice);
        if first {
            self.begun.push(choice);
        }
        first
    }

    fn emit(&mut self, head: &Head, choices: &[Choice<'_>], usage: Option<Option<Used>>, emit: &mut impl FnMut(&[u8])) {
        let event = Completion {
            id: answer_id(head, self.id),
            object: "chat.completion.chunk",
            created: if head.created == 0 { self.created } else { head.created },
            model: &head.model,
            choices,
            usage,
        };
        self.buffer.clear();
        // Writing to memory what serializes by its type cannot fail; were it to, the event would be left out.
        if serde_json::to_writer(&mut self.buffer, &event).is_ok() {
            emit(&self.buffer);
        }
    }
}

/// Whether an event's `choices` are an empty array, as in the one that only tells the usage.
fn has_no_choices(data: &[u8]) -> bool {
    #[derive(serde::Deserialize)]
    struct Choices {
        choices: Vec<serde::de::IgnoredAny>,
    }
    serde_json::from_slice::<Choices>(data).is_ok_and(|event| event.choices.is_empty())
}

#[derive(Serialize)]
struct Completion<'a> {
    id: String,
    object: &'static str,
    created: u64,
    model: &'a str,
    choices: &'a [Choice<'a>],
    /// Not there unless asked for; `null` on all events but the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Option<Used>>,
}

#[derive(Serialize)]
struct Choice<'a> {
    index: u32,
    delta: Said<'a>,
    logprobs: (),
    finish_reason: Option<&'static str>,
}

#[derive(Default, Serialize)]
struct Said<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_content: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refusal: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_calls: Option<[ToolCall<'a>; 1]>,
}

#[derive(Serialize)]
struct ToolCall<'a> {
    index: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    function: Function<'a>,
}

#[derive(Serialize)]
struct Function<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    arguments: &'a str,
}

/// Tokens in OpenAI's words.
#[derive(Clone, Copy)]
pub(super) struct Used(Usage);

// === impl Said ===

impl<'a> Said<'a> {
    fn of(role: Option<&'static str>, kind: &'a Kind) -> Self {
        let said = Said {
            role,
            ..Said::default()
        };
        match kind {
            Kind::Text(text) => Said {
                content: Some(text),
                ..said
            },
            Kind::Reasoning(text) => Said {
                reasoning_content: Some(text),
                ..said
            },
            Kind::Refusal(text) => Said {
                refusal: Some(text),
                ..said
            },
            Kind::ToolCall {
                index,
                id,
                name,
                arguments,
            } => {
                let (id, name) = (id.as_deref(), name.as_deref());
                let function = Function { name, arguments };
                let call = ToolCall {
                    index: *index,
                    id,
                    kind: id.map(|_| "function"),
                    function,
                };
                Said {
                    tool_calls: Some([call]),
                    ..said
                }
            }
            Kind::Finish(_) | Kind::Usage(_) => said,
        }
    }
}

// === impl Used ===

impl From<Usage> for Used {
    fn from(usage: Usage) -> Self {
        Used(usage)
    }
}

impl Serialize for Used {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Wire {
            prompt_tokens: u64,
            completion_tokens: u64,
            total_tokens: u64,
            prompt_tokens_details: Prompt,
            completion_tokens_details: Completion,
        }
        #[derive(Serialize)]
        struct Prompt {
            cached_tokens: u64,
        }
        #[derive(Serialize)]
        struct Completion {
            reasoning_tokens: u64,
        }
        Wire {
            prompt_tokens: self.0.prompt_tokens,
            completion_tokens: self.0.completion_tokens,
            total_tokens: self.0.total_tokens(),
            prompt_tokens_details: Prompt {
                cached_tokens: self.0.cached_tokens,
            },
            completion_tokens_details: Completion {
                reasoning_tokens: self.0.reasoning_tokens,
            },
        }
        .serialize(serializer)
    }
}

#[cfg(test)]
mod tests;
