//! An answer as one whole body for a client: the worker's own where it was whole, else put together from its deltas.

use super::{answer_id, render::write_usage};
use bytes::Bytes;
use orchestrator_core::{Chunk, Delta, Dialect, End, FinishReason, Head, Kind, RequestId, Usage};
use serde_json::{Value, json};
use std::sync::Arc;

/// Puts one answer together for one client.
#[derive(Debug)]
pub struct Collector {
    id: RequestId,
    created: u64,
    begun: bool,
    /// The worker's whole answer, while nothing else was said.
    whole: Option<Arc<Chunk>>,
    /// By index.
    choices: Vec<Choice>,
    usage: Option<Usage>,
}

#[derive(Debug, Default)]
struct Choice {
    index: u32,
    text: Option<String>,
    reasoning: Option<String>,
    refusal: Option<String>,
    /// By index.
    calls: Vec<Call>,
    finish: Option<FinishReason>,
}

#[derive(Debug, Default)]
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
            begun: false,
            whole: None,
            choices: Vec::new(),
            usage: None,
        }
    }

    /// Adds a chunk. What a whole answer says is taken out of it only once more is said.
    pub fn push(&mut self, chunk: &Arc<Chunk>) {
        let event = chunk.event.as_ref();
        let is_whole = event.is_some_and(|event| event.whole && event.dialect == Dialect::Chat);
        if is_whole && !self.begun {
            self.whole = Some(chunk.clone());
        } else {
            let before = self.whole.take();
            let chunks = before.iter().chain([chunk]);
            chunks.flat_map(|chunk| &chunk.deltas).for_each(|delta| self.add(delta));
        }
        self.begun = true;
    }

    /// The whole body: the worker's own when it was the only chunk. A choice without a finish ends as the answer did.
    pub fn finish(mut self, head: &Head, end: &End) -> Bytes {
        if let Some(event) = self.whole.as_ref().and_then(|chunk| chunk.event.as_ref()) {
            return event.data.clone();
        }
        self.choice(0);
        let choices: Vec<Value> = self.choices.iter().map(|choice| choice.wire(end.finish)).collect();
        let mut completion = json!({
            "id": answer_id(head, self.id),
            "object": "chat.completion",
            "created": if head.created == 0 { self.created } else { head.created },
            "model": &*head.model,
            "choices": choices,
        });
        if let Some(usage) = end.usage.or(self.usage) {
            insert(&mut completion, "usage", usage_json(&usage));
        }
        completion.to_string().into()
    }

    fn add(&mut self, delta: &Delta) {
        if let Kind::Usage(usage) = delta.kind {
            self.usage = Some(usage);
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
            Kind::ToolCall { .. } => choice.add_call(&delta.kind),
            Kind::Usage(_) => {}
        }
    }

    fn choice(&mut self, index: u32) -> Option<&mut Choice> {
        let at = self.choices.partition_point(|choice| choice.index < index);
        if self.choices.get(at).is_none_or(|choice| choice.index != index) {
            let choice = Choice {
                index,
                ..Choice::default()
            };
            self.choices.insert(at, choice);
        }
        self.choices.get_mut(at)
    }
}

// === impl Choice ===

impl Choice {
    fn add_call(&mut self, kind: &Kind) {
        let Kind::ToolCall {
            index,
            id,
            name,
            arguments,
        } = kind
        else {
            return;
        };
        let at = self.calls.partition_point(|call| call.index < *index);
        if self.calls.get(at).is_none_or(|call| call.index != *index) {
            let call = Call {
                index: *index,
                ..Call::default()
            };
            self.calls.insert(at, call);
        }
        let Some(call) = self.calls.get_mut(at) else { return };
        // Some servers repeat the id in each delta, and some the name: the first counts.
        for (known, said) in [(&mut call.id, id), (&mut call.name, name)] {
            if let (true, Some(said)) = (known.is_empty(), said) {
                known.push_str(said);
            }
        }
        call.arguments.push_str(arguments);
    }

    fn wire(&self, finish: FinishReason) -> Value {
        let nothing_else = self.calls.is_empty() && self.refusal.is_none();
        let mut message = json!({
            "role": "assistant",
            "content": self.text.as_deref().or(nothing_else.then_some("")),
            "refusal": self.refusal,
        });
        if let Some(reasoning) = &self.reasoning {
            insert(&mut message, "reasoning_content", reasoning.as_str().into());
        }
        if !self.calls.is_empty() {
            insert(&mut message, "tool_calls", self.calls.iter().map(Call::wire).collect());
        }
        let finish = self.finish.unwrap_or(finish).as_str();
        json!({ "index": self.index, "message": message, "logprobs": null, "finish_reason": finish })
    }
}

// === impl Call ===

impl Call {
    fn wire(&self) -> Value {
        let function = json!({ "name": self.name, "arguments": self.arguments });
        json!({ "id": self.id, "type": "function", "function": function })
    }
}

fn insert(object: &mut Value, name: &str, value: Value) {
    if let Some(object) = object.as_object_mut() {
        object.insert(name.to_owned(), value);
    }
}

fn usage_json(usage: &Usage) -> Value {
    let mut json = Vec::new();
    write_usage(&mut json, usage);
    serde_json::from_slice(&json).unwrap_or_default()
}

#[cfg(test)]
mod tests;
