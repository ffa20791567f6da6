//! The stage: a request without passages passes as it came; one with passages gets a system message before its first turn.

use crate::{Config, Error, template::Template};
use orchestrator_core::{Cx, Failure, Flow, Grounded, Message, Passage, Prompt, Request, Role, Stage, StageName, Text};
use smallvec::smallvec;

/// Makes prompts.
#[derive(Debug)]
pub struct Assemble {
    enabled: bool,
    template: Template,
}

// === impl Assemble ===

impl Assemble {
    /// Reads the template.
    pub fn build(config: &Config) -> Result<Self, Error> {
        Ok(Assemble {
            enabled: config.enabled,
            template: Template::parse(&config.template)?,
        })
    }

    fn ground(&self, mut request: Box<Request>, passages: &[Passage]) -> Result<Prompt, Failure> {
        let question = request.messages.iter().rfind(|message| message.role == Role::User);
        let question = question.map(|message| message.text()).unwrap_or_default();
        let text = self.template.render(passages, &question)?;
        request.messages.insert(0, system(text));
        let grounding = passages.iter().map(|passage| passage.source.clone()).collect();
        Ok(Prompt {
            request,
            rewritten: true,
            grounding,
        })
    }
}

impl Stage for Assemble {
    const NAME: StageName = StageName::Assemble;
    type In = Grounded;
    type Out = Prompt;

    async fn run(&self, _: &mut Cx, Grounded { request, passages }: Grounded) -> Result<Flow<Prompt>, Failure> {
        let prompt = match self.enabled && !passages.is_empty() {
            true => self.ground(request, &passages)?,
            false => Prompt {
                request,
                rewritten: false,
                grounding: Vec::new(),
            },
        };
        Ok(Flow::Next(prompt))
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
