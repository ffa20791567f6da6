//! From a document to a configuration that can run, or to all that is wrong with it.
//!
//! Text -> tree -> what is set from outside -> references -> the schema -> types -> rules. Each step needs the one before
//! to be right, and tells all that it finds.

use crate::{
    Config, Environment, Finding, Findings, Path, Profile, Severity, check, document::Document, rules, schema,
    shape::Shape, source::Source,
};
use serde::Deserialize;
use std::path::Path as FilePath;
use toml::de::ValueDeserializer;

/// A configuration that can run.
#[derive(Clone, Debug, PartialEq)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// What its author may not have meant.
    pub warnings: Vec<Finding>,
}

/// Reads and checks a document.
///
/// # Errors
/// All that is wrong with it, in its order.
pub fn load(file: &FilePath, environment: &Environment) -> Result<Loaded, Findings> {
    let source = Source::read(file)?;
    from(&source, environment)
}

/// Checks the text of a document; `file` is what findings name.
///
/// # Errors
/// All that is wrong with it, in its order.
pub fn parse(file: &FilePath, text: &str, environment: &Environment) -> Result<Loaded, Findings> {
    from(&Source::new(Some(file), text), environment)
}

/// The defaults with what the environment sets: what runs without a document, on the echo worker.
///
/// # Errors
/// All that is wrong with the environment.
pub fn without_document(environment: &Environment) -> Result<Loaded, Findings> {
    from(&Source::new(None, ""), environment)
}

fn from(source: &Source, environment: &Environment) -> Result<Loaded, Findings> {
    let schema = schema();
    let Some(shape) = Shape::of(&schema) else {
        return Err(Findings(vec![source.finding("there is no schema: a bug")]));
    };
    let mut document = Document::parse(source)?;
    let mut findings = environment.set(&mut document, shape);
    findings.extend(environment.fill(&mut document, shape));
    findings.extend(check::check(&document.root, shape));
    if !findings.is_empty() {
        return Err(Findings(document.located(findings, shape)));
    }
    let mut config = match Config::deserialize(ValueDeserializer::from(document.root.clone())) {
        Ok(config) => config,
        Err(error) => return Err(Findings(document.located(vec![unfit(&document, &error, shape)], shape))),
    };
    if document.value(&Path::of("profile")).is_none() {
        config.profile = Profile::found(environment);
    }
    let findings = document.located(rules::check(&config, &document, environment), shape);
    if findings.iter().any(|finding| finding.severity == Severity::Error) {
        return Err(Findings(findings));
    }
    Ok(Loaded {
        config,
        warnings: findings,
    })
}

/// A value that the schema allows but its type does not, such as half an address.
fn unfit(document: &Document<'_>, error: &toml::de::Error, root: Shape<'_>) -> Finding {
    let path = error.span().and_then(|span| document.path(&span)).unwrap_or_default();
    let description = root.at(&path).and_then(Shape::description);
    Finding::error(&path, error.message()).allowed(description.unwrap_or("see `orchestrator schema`"))
}

#[cfg(test)]
mod tests;
