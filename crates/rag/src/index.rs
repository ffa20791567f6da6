//! The index over a folder, which follows the folder's files.
//!
//! It is rebuilt as a whole when a file came, went or changed, and swapped in one step, so a question sees the old files or
//! the new ones. The folder is looked at every few seconds rather than watched: that sees swapped links and network
//! folders too.

use crate::{
    Config, Error, Metrics,
    folder::{File, Folder},
    search::Search,
};
use async_trait::async_trait;
use orchestrator_core::{Blocking, Code, Failure, Passage, Retriever};
use parking_lot::RwLock;
use std::{fmt, sync::Arc, time::Duration};
use tokio::time::sleep;

/// Finds passages in the files of a folder.
pub struct Index {
    folder: Folder,
    passage_bytes: usize,
    refresh: Duration,
    blocking: Blocking,
    metrics: Metrics,
    built: RwLock<Arc<Built>>,
}

/// The index of the files as they were.
struct Built {
    files: Vec<File>,
    search: Search,
}

// === impl Index ===

impl Index {
    /// Reads and indexes the folder of the configuration; `None` when it names none. It computes for as long as that takes.
    ///
    /// # Errors
    /// [`Error::Folder`] when the folder cannot be read. Single files that cannot be are left out with a warning.
    pub fn open(config: &Config, blocking: Blocking, metrics: Metrics) -> Result<Option<Arc<Self>>, Error> {
        let Some(folder) = Folder::of(config).filter(|_| config.enabled) else {
            return Ok(None);
        };
        let built = Built::of(&folder, folder.files()?, config.passage_bytes, &metrics)?;
        Ok(Some(Arc::new(Index {
            folder,
            passage_bytes: config.passage_bytes,
            refresh: config.refresh(),
            blocking,
            metrics,
            built: RwLock::new(Arc::new(built)),
        })))
    }

    /// Looks at the folder and rebuilds the index if a file changed; whether it did. It computes long: for blocking threads.
    /// After an error the index is as it was.
    pub fn refresh(&self) -> Result<bool, Error> {
        let files = self.folder.files()?;
        if files == self.built.read().files {
            return Ok(false);
        }
        let built = Built::of(&self.folder, files, self.passage_bytes, &self.metrics)?;
        *self.built.write() = Arc::new(built);
        Ok(true)
    }

    /// Follows the folder for ever. Dropping the future ends it; a rebuild that runs is finished.
    pub async fn follow(self: Arc<Self>) {
        let mut broken = false;
        loop {
            sleep(self.refresh).await;
            let index = self.clone();
            let refreshed = self.blocking.run(move || index.refresh()).await;
            broken = self.tell(refreshed, broken);
        }
    }

    /// Says how a refresh went, a lasting fault once; whether it is one.
    fn tell(&self, refreshed: Result<Result<bool, Error>, Failure>, broken: bool) -> bool {
        let error = match refreshed {
            Ok(Ok(false)) => return false,
            Ok(Ok(true)) => {
                let passages = self.built.read().search.passages();
                tracing::info!(folder = %self.folder.path().display(), passages, "the index was rebuilt");
                return false;
            }
            Ok(Err(error)) => error.to_string(),
            Err(failure) => failure.to_string(),
        };
        self.metrics.broken();
        if !broken {
            tracing::warn!(error, "the index stays as it was");
        }
        true
    }
}

#[async_trait]
impl Retriever for Index {
    async fn retrieve(&self, question: &str, limit: usize) -> Result<Vec<Passage>, Failure> {
        let (built, question) = (self.built.read().clone(), question.to_owned());
        let found = self.blocking.run(move || built.search.find(&question, limit)).await?;
        found.map_err(|error| Failure::new(Code::RetrievalFailed, "The index cannot be searched.").with_source(error))
    }
}

impl fmt::Debug for Index {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Index")
            .field("folder", &self.folder)
            .field("passages", &self.built.read().search.passages())
            .finish_non_exhaustive()
    }
}

// === impl Built ===

impl Built {
    fn of(folder: &Folder, files: Vec<File>, passage_bytes: usize, metrics: &Metrics) -> Result<Self, Error> {
        let (documents, skipped) = folder.read(&files);
        let search = Search::build(&documents, passage_bytes)?;
        metrics.built((documents.len(), skipped), search.passages());
        Ok(Built { files, search })
    }
}

#[cfg(test)]
mod tests;
