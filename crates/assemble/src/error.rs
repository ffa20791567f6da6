//! Why assembly cannot be built.

/// Why assembly cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The template is no Jinja.
    #[error("the template is not valid in line {line}: {reason}")]
    Template {
        /// The line in the template, from 1.
        line: usize,
        /// What is wrong there.
        reason: String,
    },
}
