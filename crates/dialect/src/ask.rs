//! The plain face: a question as one text, or a conversation, without the rest of an API.

use crate::json::{Fields, describe};
use bytes::Bytes;
use orchestrator_core::Failure;
use serde_json::value::RawValue;

/// Turns `{prompt | messages, model?, stream?}` into the body of a chat completion. Other fields are refused, since this
/// face promises nothing about them.
pub fn to_chat(body: Bytes) -> Result<Bytes, Failure> {
    let fields = Fields::read(&body)?;
    let (mut prompt, mut messages, mut kept) = (None, None, Vec::new());
    for (name, value) in &fields.0 {
        match &**name {
            "prompt" => prompt = Some(*value),
            "messages" => messages = Some(*value),
            "model" | "stream" => kept.push((name, *value)),
            other => {
                let shown: String = other.chars().take(40).collect();
                let text = format!("`{shown}` is not known here: use prompt or messages, model and stream.");
                return Err(Failure::invalid(shown, text));
            }
        }
    }
    let mut chat = String::with_capacity(body.len().saturating_add(64));
    chat.push_str("{\"messages\":");
    match (prompt, messages) {
        (Some(prompt), None) => push_question(&mut chat, prompt)?,
        (None, Some(messages)) => chat.push_str(messages.get()),
        (None, None) => return Err(Failure::invalid("prompt", "Give a `prompt`, or `messages`.")),
        (Some(_), Some(_)) => return Err(Failure::invalid("prompt", "Give a `prompt` or `messages`, not both.")),
    }
    for (name, value) in kept {
        chat.push_str(",\"");
        chat.push_str(name);
        chat.push_str("\":");
        chat.push_str(value.get());
    }
    chat.push('}');
    Ok(chat.into())
}

fn push_question(chat: &mut String, prompt: &RawValue) -> Result<(), Failure> {
    if !prompt.get().starts_with('"') {
        let text = format!("`prompt` must be a text, found {}.", describe(prompt));
        return Err(Failure::invalid("prompt", text));
    }
    chat.push_str("[{\"role\":\"user\",\"content\":");
    chat.push_str(prompt.get());
    chat.push_str("}]");
    Ok(())
}

#[cfg(test)]
mod tests;
