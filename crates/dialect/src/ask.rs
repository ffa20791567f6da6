//! The plain face: a question as one text, or a conversation, without the rest of an API.

use crate::json::{Fields, body_text, brief, wrong};
use bytes::Bytes;
use orchestrator_core::Failure;

/// Turns `{prompt | messages, model?, stream?}` into the body of a chat completion. Other fields are refused, since this
/// face promises nothing about them; the values are checked where the chat completion is read.
pub fn to_chat(body: Bytes) -> Result<Bytes, Failure> {
    let body = body_text(body)?;
    let fields = Fields::read(&body, "")?;
    let mut chat = String::with_capacity(body.len().saturating_add(64));
    chat.push_str("{\"messages\":");
    match (fields.get("prompt"), fields.get("messages")) {
        (Some(prompt), None) => push_question(&mut chat, prompt.get())?,
        (None, Some(messages)) => chat.push_str(messages.get()),
        (None, None) => return Err(Failure::invalid("prompt", "Give a `prompt`, or `messages`.")),
        (Some(_), Some(_)) => return Err(Failure::invalid("prompt", "Give a `prompt` or `messages`, not both.")),
    }
    for (name, value) in &fields.0 {
        match &**name {
            "prompt" | "messages" => {}
            "model" | "stream" => chat.extend([",\"", name, "\":", value.get()]),
            other => {
                let name = brief(other);
                let text = format!("`{name}` is not known here: use prompt or messages, model and stream.");
                return Err(Failure::invalid(name, text));
            }
        }
    }
    chat.push('}');
    Ok(chat.into())
}

fn push_question(chat: &mut String, prompt: &str) -> Result<(), Failure> {
    if !prompt.starts_with('"') || prompt == "\"\"" {
        return Err(wrong("prompt", "a text that is not empty", prompt));
    }
    chat.extend(["[{\"role\":\"user\",\"content\":", prompt, "}]"]);
    Ok(())
}

#[cfg(test)]
mod tests;
