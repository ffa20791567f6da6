//! The stage: a request without passages that fits its model's window passes as it came; passages become a system message
//! before its first turn, and what is too long is shortened.

use crate::{
    Config, Error,
    count::{Counter, ceiling},
    fit::{Window, fits, shorten},
    template::Template,
};
use orchestrator_core::{
    Blocking, Cx, Failure, Flow, Grounded, Message, Passage, Prompt, Request, Role, Stage, StageName, Text,
};
use smallvec::smallvec;
use std::sync::Arc;
use tiktoken_rs::model::get_context_size;

/// Makes prompts.
#[derive(Debug)]
pub struct Assemble {
    maker: Arc<Maker>,
    blocking: Blocking,
}

/// What is known of the model that reads the prompts.
#[derive(Clone, Debug, Default)]
pub struct Target {
    /// The name that it is called by, if that is not the client's.
    pub model: Option<String>,
    /// The tokens of an answer, for requests that do not say.
    pub max_tokens: Option<u64>,
}

/// Makes one prompt; where tokens have to be counted, on a blocking thread.
#[derive(Debug)]
struct Maker {
    enabled: bool,
    template: Template,
    context_window: Option<u64>,
    target: Target,
}

// === impl Assemble ===

impl Assemble {
    /// Reads the template.
    pub fn build(config: &Config, target: Target, blocking: Blocking) -> Result<Self, Error> {
        let maker = Maker {
            enabled: config.enabled,
            template: Template::parse(&config.template)?,
            context_window: config.context_window,
            target,
        };
        Ok(Assemble {
            maker: Arc::new(maker),
            blocking,
        })
    }
}

impl Stage for Assemble {
    const NAME: StageName = StageName::Assemble;
    type In = Grounded;
    type Out = Prompt;

    async fn run(&self, _: &mut Cx, Grounded { request, passages }: Grounded) -> Result<Flow<Prompt>, Failure> {
        let maker = self.maker.clone();
        let window = maker.window(&request);
        let prompt = maker.make(request, &passages)?;
        // A token is at least a byte, so most prompts need no count.
        match window.filter(|window| maker.enabled && ceiling(&prompt.request.messages) > window.room()) {
            Some(window) => {
                let fitted = self.blocking.run(move || maker.fit(prompt, passages, window));
                fitted.await?.map(Flow::Next)
            }
            None => Ok(Flow::Next(prompt)),
        }
    }
}

// === impl Maker ===

impl Maker {
    /// The window of the request's model, if it is known.
    fn window(&self, request: &Request) -> Option<Window> {
        let known = || get_context_size(self.model(request)).and_then(|tokens| u64::try_from(tokens).ok());
        let answer = request.params.max_tokens.or(self.target.max_tokens);
        Some(Window {
            tokens: self.context_window.or_else(known)?,
            answer: answer.unwrap_or(0),
            beside: request
                .original
                .field("tools")
                .map_or(0, |tools| u64::try_from(tools.len()).unwrap_or(u64::MAX)),
        })
    }

    fn model<'a>(&'a self, request: &'a Request) -> &'a str {
        self.target.model.as_deref().unwrap_or(&request.model)
    }

    fn make(&self, request: Box<Request>, passages: &[Passage]) -> Result<Prompt, Failure> {
        let mut prompt = Prompt {
            request,
            rewritten: false,
            grounding: Vec::new(),
        };
        self.ground(&mut prompt, passages)?;
        Ok(prompt)
    }

    /// The prompt with as many of the passages, and then of the conversation's turns, as fit.
    fn fit(&self, mut prompt: Prompt, mut passages: Vec<Passage>, mut window: Window) -> Result<Prompt, Failure> {
        let counter = Counter::of(self.model(&prompt.request));
        if let Some(tools) = prompt.request.original.field("tools") {
            window.beside = counter.text(tools);
        }
        // The worst passage goes first, and all of them before any turn.
        while !fits(&prompt.request.messages, counter, window) && passages.pop().is_some() {
            self.ground(&mut prompt, &passages)?;
        }
        prompt.rewritten |= shorten(&mut prompt.request.messages, counter, window)?;
        Ok(prompt)
    }

    /// Puts these passages before the conversation, in the place of those that stood there.
    fn ground(&self, prompt: &mut Prompt, passages: &[Passage]) -> Result<(), Failure> {
        let messages = &mut prompt.request.messages;
        if !prompt.grounding.is_empty() {
            messages.remove(0);
        }
        prompt.rewritten = self.enabled && !passages.is_empty();
        prompt.grounding.clear();
        if prompt.rewritten {
            let question = messages.iter().rfind(|message| message.role == Role::User);
            let question = question.map(|message| message.text()).unwrap_or_default();
            messages.insert(0, system(self.template.render(passages, &question)?));
            prompt
                .grounding
                .extend(passages.iter().map(|passage| passage.source.clone()));
        }
        Ok(())
    }
}

fn system(text: String) -> Message {
    let quoted = serde_json::Value::from(text.as_str()).to_string();
    let raw = format!("{{\"role\":\"system\",\"content\":{quoted}}}").into();
    Message {
        role: Role::System,
        texts: smallvec![Text::from(text)],
        raw,
    }
}

#[cfg(test)]
mod tests;
