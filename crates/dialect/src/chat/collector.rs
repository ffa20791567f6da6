//! An answer as one whole body for a client: the worker's own where it was whole, else put together from its deltas.

use super::{answer_id, writer::Used};
use bytes::Bytes;
use orchestrator_core::{Chunk, Delta, Dialect, End, FinishReason, Head, Kind, RequestId};
use serde::Serialize;

/// Puts one answer together for one client.
#[derive(Debug)]
pub struct Collector {
    id: RequestId,
    created: u64,
    /// The worker's own body, while nothing else was said.
    whole: Option<Bytes>,
    chunks: usize,
    choices: Vec<Choice>,
}

#[derive(Debug, Default)]
struct Choice {
    index: u32,
    text: Option<String>,
    reasoning: Option<String>,
    refusal: Option<String>,
    calls: Vec<Call>,
    finish: Option<FinishReason>,
}

#[derive(Debug)]
struct Call {
    index: u32,
    id: String,
    name: String,
    arguments: String,
}

// === impl Collector ===

impl Collector {
    /// A collector for the request `id`; `created` (seconds since 1970) stands in for a worker that does not say.
    pub fn new(id: RequestId, created: u64) -> Self {
        Collector {
            id,
            created,
            whole: None,
            chunks: 0,
            choices: Vec::new(),
        }
    }

    /// Adds a chunk.
    pub fn push(&mut self, chunk: &Chunk) {
        let event = chunk
            .event
            .as_ref()
            .filter(|event| event.whole && event.dialect == Dialect::Chat);
        self.whole = event.filter(|_| self.chunks == 0).map(|event| event.data.clone());
        self.chunks = self.chunks.saturating_add(1);
        chunk.deltas.iter().for_each(|delta| self.add(delta));
    }

    /// The whole body.
    pub fn finish(self, head: &Head, end: &End) -> Bytes {
        if let Some(whole) = self.whole {
            return whole;
        }
        let completion = Completion {
            id: answer_id(head, self.id),
            object: "chat.completion",
            created: if head.created == 0 { self.created } else { head.created },
            model: &head.model,
            choices: self.choices.iter().map(WireChoice::from).collect(),
            usage: end.usage.map(Used::from),
        };
        serde_json::to_vec(&completion).unwrap_or_default().into()
    }

    fn add(&mut self, delta: &Delta) {
        if matches!(delta.kind, Kind::Usage(_)) {
            return;
        }
        let Some(choice) = self.choice(delta.choice) else {
            return;
        };
        match &delta.kind {
            Kind::Text(text) => choice.text.get_or_insert_default().push_str(text),
            Kind::Reasoning(text) => choice.reasoning.get_or_insert_default().push_str(text),
            Kind::Refusal(text) => choice.refusal.get_or_insert_default().push_str(text),
            Kind::Finish(reason) => choice.finish = Some(*reason),
            Kind::ToolCall {
                index,
                id,
                name,
                arguments,
            } => {
                let Some(call) = choice.call(*index) else { return };
                call.id.push_str(id.as_deref().unwrap_or_default());
                call.name.push_str(name.as_deref().unwrap_or_default());
                call.arguments.push_str(arguments);
            }
            Kind::Usage(_) => {}
        }
    }

    fn choice(&mut self, index: u32) -> Option<&mut Choice> {
        let at = self.choices.partition_point(|choice| choice.index < index);
        if self.choices.get(at).is_none_or(|choice| choice.index != index) {
            self.choices.insert(
                at,
                Choice {
                    index,
                    ..Choice::default()
                },
            );
        }
        self.choices.get_mut(at)
    }
}

// === impl Choice ===

impl Choice {
    fn call(&mut self, index: u32) -> Option<&mut Call> {
        let at = self.calls.partition_point(|call| call.index < index);
        if self.calls.get(at).is_none_or(|call| call.index != index) {
            let call = Call {
                index,
                id: String::new(),
                name: String::new(),
                arguments: String::new(),
            };
            self.calls.insert(at, call);
        }
        self.calls.get_mut(at)
    }
}

#[derive(Serialize)]
struct Completion<'a> {
    id: String,
    object: &'static str,
    created: u64,
    model: &'a str,
    choices: Vec<WireChoice<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Used>,
}

#[derive(Serialize)]
struct WireChoice<'a> {
    index: u32,
    message: Message<'a>,
    logprobs: (),
    finish_reason: &'static str,
}

#[derive(Serialize)]
struct Message<'a> {
    role: &'static str,
    content: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_content: Option<&'a str>,
    refusal: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<WireCall<'a>>,
}

#[derive(Serialize)]
struct WireCall<'a> {
    id: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    function: Function<'a>,
}

#[derive(Serialize)]
struct Function<'a> {
    name: &'a str,
    arguments: &'a str,
}

// === impl WireChoice ===

impl<'a> From<&'a Choice> for WireChoice<'a> {
    fn from(choice: &'a Choice) -> Self {
        let call = |call: &'a Call| {
            let function = Function {
                name: &call.name,
                arguments: &call.arguments,
            };
            WireCall {
                id: &call.id,
                kind: "function",
                function,
            }
        };
        let nothing_else = choice.calls.is_empty() && choice.refusal.is_none();
        WireChoice {
            index: choice.index,
            message: Message {
                role: "assistant",
                content: choice.text.as_deref().or(nothing_else.then_some("")),
                reasoning_content: choice.reasoning.as_deref(),
                refusal: choice.refusal.as_deref(),
                tool_calls: choice.calls.iter().map(call).collect(),
            },
            logprobs: (),
            finish_reason: choice.finish.unwrap_or(FinishReason::Stop).as_str(),
        }
    }
}

#[cfg(test)]
mod tests;
