//! What is wrong with a configuration, and where.

use std::{fmt, path::PathBuf};

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The document.
    pub file: PathBuf,
    /// Line and column, from 1, where the place is known.
    pub place: Option<(usize, usize)>,
    /// The source line, where the place is known.
    pub source: Option<String>,
    /// The path of the field, such as `pipeline.stages.inference.worker`; empty when it is the document as a whole.
    pub path: String,
    /// What was found and what is allowed.
    pub message: String,
}

/// All that is wrong with a document.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.0.iter().map(Finding::to_string).collect::<Vec<_>>().join("\n"))]
pub struct Findings(pub Vec<Finding>);

// === impl Finding ===

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}", self.message)?;
        if !self.path.is_empty() {
            write!(f, " (at {})", self.path)?;
        }
        let file = self.file.display();
        let Some((line, column)) = self.place else {
            return write!(f, "\n  --> {file}");
        };
        write!(f, "\n  --> {file}:{line}:{column}")?;
        if let Some(source) = &self.source {
            let blank = " ".repeat(column.saturating_sub(1));
            write!(f, "\n   |\n   | {source}\n   | {blank}^")?;
        }
        Ok(())
    }
}
