//! What is known of models by their names.

use tiktoken_rs::model::get_context_size;

/// Windows that tiktoken does not know, or takes for another model's.
const WINDOWS: [(&str, u64); 4] = [
    ("gpt-4-turbo", 128_000),
    ("gpt-4-vision-preview", 128_000),
    ("davinci-002", 16_384),
    ("babbage-002", 16_384),
];
/// OpenAI's first models, called by a word that names of other models begin with too.
const WORDS: [&str; 4] = ["ada", "babbage", "curie", "davinci"];

/// The tokens that a model reads and writes in all; `None` where its name does not tell. `ft:NAME:..` is as its base.
pub(crate) fn context_window(model: &str) -> Option<u64> {
    let tuned = model.strip_prefix("ft:").and_then(|rest| rest.split(':').next());
    let model = tuned.unwrap_or(model);
    if let Some((_, tokens)) = WINDOWS.iter().find(|(name, _)| *name == model) {
        return Some(*tokens);
    }
    // tiktoken's table goes by how a name begins, and `adapter-7b` is no `ada`.
    if WORDS.iter().any(|word| model.starts_with(word) && model != *word) {
        return None;
    }
    get_context_size(model).and_then(|tokens| u64::try_from(tokens).ok())
}

#[cfg(test)]
mod tests;
