//! The template that passages are put into. What users and documents say goes in as values and is never read as template.

use crate::Error;
use minijinja::{Environment, ErrorKind, UndefinedBehavior, context};
use orchestrator_core::{Code, Failure, Passage};

/// The steps that a rendering may take; thousands of passages take less.
const FUEL: u64 = 1_000_000;
/// The longest text that it may yield, in bytes.
const MAX_TEXT: usize = 8 << 20;
const NAME: &str = "prompt";

/// A template that was read.
#[derive(Debug)]
pub(crate) struct Template(Environment<'static>);

// === impl Template ===

impl Template {
    pub(crate) fn parse(source: &str) -> Result<Self, Error> {
        let mut environment = Environment::empty();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_fuel(Some(FUEL));
        environment
            .add_template_owned(NAME, source.to_owned())
            .map_err(|error| Error::Template {
                line: error.line().unwrap_or(1),
                reason: error.detail().map_or_else(|| error.kind().to_string(), str::to_owned),
            })?;
        Ok(Template(environment))
    }

    /// The text for these passages.
    pub(crate) fn render(&self, passages: &[Passage], question: &str) -> Result<String, Failure> {
        let failed = |error: minijinja::Error| {
            let text = match error.kind() {
                ErrorKind::OutOfFuel => "The server's prompt template takes too long for this request.",
                _ => "The server's prompt template does not fit this request.",
            };
            // The engine's own text may quote what it was given; the log gets the kind alone.
            Failure::new(Code::Internal, text).with_source(Error::Template {
                line: error.line().unwrap_or(1),
                reason: error.kind().to_string(),
            })
        };
        let passages: Vec<_> = passages
            .iter()
            .map(|passage| context! { source => &*passage.source, text => &*passage.text })
            .collect();
        let template = self.0.get_template(NAME).map_err(failed)?;
        let text = template.render(context! { passages, question }).map_err(failed)?;
        match text.len() > MAX_TEXT {
            true => Err(Failure::new(
                Code::Internal,
                "The server's prompt template yields too long a text.",
            )),
            false => Ok(text),
        }
    }
}

#[cfg(test)]
mod tests;
