//! The stage: a request without passages that fits its model's window passes as it came; passages become a system message
//! before its first turn, and what is too long is shortened.

use crate::{
    Config, Error,
    count::{Counter, ceiling},
    fit::{Window, shorten},
    model::context_window,
    template::Template,
};
use orchestrator_core::{
    Blocking, Cx, Failure, Flow, Grounded, Message, Passage, Prompt, Request, Role, Stage, StageName, Text,
};
use smallvec::smallvec;
use std::{
    fmt,
    sync::{Arc, Weak},
};

/// Makes prompts.
#[derive(Debug)]
pub struct Assemble {
    maker: Arc<Maker>,
    blocking: Blocking,
}

/// What is known of the models that read the prompts.
#[derive(Clone, Default)]
pub struct Target {
    /// The name that the model of a request is called by, if that is not the client's.
    pub model: Option<Arc<NameOf>>,
    /// The tokens of an answer, for requests that do not say.
    pub max_tokens: Option<u64>,
}

/// The name of a request's model at its worker, if that is not the client's.
pub type NameOf = dyn Fn(&Request) -> Option<Text> + Send + Sync;

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
        let grounding = maker.grounding(&request, &passages)?;
        // A token is at least a byte, so most prompts need no count.
        let ceiling = ceiling(grounding.iter().chain(&request.messages));
        let window = maker
            .window(&request)
            .filter(|window| maker.enabled && ceiling > window.room());
        match window {
            Some(window) => {
                // Lives as long as this future, which is dropped when nobody wants the prompt any more.
                let interest = Arc::new(());
                let held = Arc::downgrade(&interest);
                let fitted = self.blocking.run(move || maker.fit(request, passages, window, held));
                fitted.await?.map(Flow::Next)
            }
            None => Ok(Flow::Next(prompt(request, grounding, &passages))),
        }
    }
}

// === impl Maker ===

impl Maker {
    /// The window of the request's model, if it is known.
    fn window(&self, request: &Request) -> Option<Window> {
        let answer = request.params.max_tokens.or(self.target.max_tokens);
        Some(Window {
            tokens: self.context_window.or_else(|| context_window(&self.model(request)))?,
            answer: answer.unwrap_or(0),
            beside: request
                .original
                .field("tools")
                .map_or(0, |tools| u64::try_from(tools.len()).unwrap_or(u64::MAX)),
        })
    }

    fn model(&self, request: &Request) -> Text {
        let upstream = self.target.model.as_ref().and_then(|name_of| name_of(request));
        upstream.unwrap_or_else(|| request.model.clone())
    }

    /// The prompt with as many of the passages, and then of the conversation's turns, as fit: the worst passage goes first,
    /// and all of them before any turn. Once nobody holds `interest` the prompt is no good, but soon done.
    fn fit(
        &self,
        mut request: Box<Request>,
        passages: Vec<Passage>,
        mut window: Window,
        interest: Weak<()>,
    ) -> Result<Prompt, Failure> {
        let counter = Counter::of(&self.model(&request), window.tokens, interest);
        if let Some(tools) = request.original.field("tools") {
            window.beside = counter.text(tools);
        }
        let left = shorten(&mut request.messages, window, |message| counter.turn(message))?;
        let (best, grounding) = match left {
            Some(left) => self.best(&request, &passages, |message| counter.turn(message) <= left)?,
            None => Default::default(),
        };
        let mut prompt = prompt(request, grounding, best);
        prompt.rewritten |= left.is_none();
        Ok(prompt)
    }

    /// As many of the passages as fit, with the message that carries them. Each of them makes it longer, so half of those in
    /// question are tried at a time.
    fn best<'a>(
        &self,
        request: &Request,
        passages: &'a [Passage],
        fits: impl Fn(&Message) -> bool,
    ) -> Result<(&'a [Passage], Option<Message>), Failure> {
        let (mut best, mut grounding) = (passages.get(..0).unwrap_or_default(), None);
        let mut too_many = passages.len().saturating_add(1);
        while too_many.saturating_sub(best.len()) > 1 {
            let tried = passages.get(..best.len().midpoint(too_many)).unwrap_or_default();
            let message = self.grounding(request, tried)?;
            if message.as_ref().is_some_and(&fits) {
                (best, grounding) = (tried, message);
            } else {
                too_many = tried.len();
            }
        }
        Ok((best, grounding))
    }

    /// The message that carries these passages; `None` without any, or when assembly is switched off.
    fn grounding(&self, request: &Request, passages: &[Passage]) -> Result<Option<Message>, Failure> {
        if !self.enabled || passages.is_empty() {
            return Ok(None);
        }
        let question = request.messages.iter().rfind(|message| message.role == Role::User);
        let question = question.map(|message| message.text()).unwrap_or_default();
        self.template.render(passages, &question).map(|text| Some(system(text)))
    }
}

/// The request with the message that carries these passages, if there is one, before its first turn.
fn prompt(mut request: Box<Request>, grounding: Option<Message>, passages: &[Passage]) -> Prompt {
    let rewritten = grounding.is_some();
    request.messages.splice(0..0, grounding);
    let sources = passages.iter().map(|passage| passage.source.clone());
    Prompt {
        request,
        rewritten,
        grounding: sources.filter(|_| rewritten).collect(),
        limit: None,
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

// === impl Target ===

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target")
            .field("max_tokens", &self.max_tokens)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
