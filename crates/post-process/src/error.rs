//! Why filters cannot be built.

/// What is wrong with the filters of a configuration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A stop string is empty.
    #[error("pipeline.stages.post_process.stop[{index}] is empty: every answer would end before it began")]
    EmptyStop {
        /// Its place in the list.
        index: usize,
    },
    /// Two redactions have the same name.
    #[error("pipeline.stages.post_process.redact: two entries are named `{name}`")]
    DuplicateName {
        /// The name.
        name: String,
    },
    /// A pattern is no regular expression.
    #[error("pipeline.stages.post_process.redact `{name}`: the pattern cannot be read: {reason}")]
    Pattern {
        /// The redaction.
        name: String,
        /// What the parser says.
        reason: String,
    },
    /// A pattern compiles to more than the limit.
    #[error("pipeline.stages.post_process.redact `{name}`: the pattern is too large: {reason}")]
    TooLarge {
        /// The redaction.
        name: String,
        /// What the compiler says.
        reason: String,
    },
    /// A pattern has no longest match.
    #[error(
        "pipeline.stages.post_process.redact `{name}`: a match of the pattern may be of any length, so a stream would be \
         held back without end; bound it, as in `[0-9]{{1,20}}` for `[0-9]+`"
    )]
    Unbounded {
        /// The redaction.
        name: String,
    },
    /// The longest match is longer than allowed.
    #[error(
        "pipeline.stages.post_process.redact `{name}`: the longest match of the pattern is {longest} bytes, but \
         max_match_bytes is {allowed}"
    )]
    TooLong {
        /// The redaction.
        name: String,
        /// The longest match in bytes.
        longest: usize,
        /// `max_match_bytes`.
        allowed: usize,
    },
    /// A pattern matches the empty text.
    #[error("pipeline.stages.post_process.redact `{name}`: the pattern matches the empty text, which is everywhere")]
    MatchesEmpty {
        /// The redaction.
        name: String,
    },
    /// A pattern matches nothing.
    #[error("pipeline.stages.post_process.redact `{name}`: the pattern can match nothing at all")]
    MatchesNothing {
        /// The redaction.
        name: String,
    },
}
