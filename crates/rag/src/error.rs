//! Why documents cannot be searched.

use std::{io, path::PathBuf};

/// Why documents cannot be searched.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The folder is missing, no folder, or not to be read.
    #[error("the folder {} cannot be read: {source}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The index cannot be built.
    #[error("the index cannot be built: {0}")]
    Index(#[from] tantivy::TantivyError),
}
