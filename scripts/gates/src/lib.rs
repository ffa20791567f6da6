//! What a commit must pass besides the compiler, the lints and the tests.
//!
//! - [`ratio`]: enough test code for the code that ships, in the whole and in each crate.
//! - [`panics`]: nothing in shipped code that may panic or end the process.
//! - [`bench`]: no benchmark needs more instructions than the committed baseline allows.
//!
//! Each reads the tree as it stands and gives a [`Report`]. Rust is read token by token, so neither strings nor comments
//! confuse the counts.

pub mod bench;
pub mod panics;
pub mod ratio;
mod source;
mod workspace;

pub use workspace::Workspace;

use std::{io, path::PathBuf};

/// What a gate found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The table or list for people.
    pub text: String,
    /// Whether the tree passes.
    pub passes: bool,
}

/// Why a gate could not look.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Neither the folder nor one above it is a Cargo workspace.
    #[error("no Cargo.toml with [workspace] in {0} or above it")]
    NoWorkspace(PathBuf),
    /// A file or folder cannot be read or written.
    #[error("{path}: {source}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A file is not Rust.
    #[error("{path}:{line}: {message}")]
    Rust {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What the parser says.
        message: String,
    },
    /// A file with counts is not what it should be.
    #[error("{path}: {message}")]
    Counts {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        message: String,
    },
}

impl Error {
    fn io(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        |source| Error::Io { path, source }
    }
}
