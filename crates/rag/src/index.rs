//! The index over a folder, which follows the folder's files.
//!
//! It is rebuilt as a whole when a file came, went or changed, and swapped in one step, so a question sees the old files or
//! the new ones. The folder is looked at every few seconds rather than watched: that sees swapped links and network
//! folders too.

use crate::{
    Config, Error, Metrics,
    folder::{Folder, Skipped},
    search::Search,
    walk::Listing,
};
use async_trait::async_trait;
use orchestrator_core::{Blocking, Code, Failure, Passage, Retriever};
use std::{fmt, sync::Arc, time::Duration};
use tokio::{sync::watch, time::sleep};

/// Finds passages in the files of a folder.
pub struct Index {
    folder: Folder,
    passage_bytes: usize,
    refresh: Duration,
    searches: Blocking,
    /// Apart from the searches, so that a long build takes no place of theirs; one at once.
    builds: Blocking,
    metrics: Metrics,
    state: watch::Sender<State>,
}

#[derive(Clone)]
enum State {
    /// The first build has not ended: questions wait for it.
    Unbuilt,
    /// The first build failed: questions fail until another one succeeds.
    Broken,
    Built(Arc<Built>),
}

/// The index of the files as they were.
struct Built {
    listing: Listing,
    skipped: Skipped,
    search: Search,
}

// === impl Index ===

impl Index {
    /// An index over the folder of the configuration; `None` when it names none. It is filled by the first
    /// [`refresh`](Self::refresh), which [`follow`](Self::follow) starts with; questions wait until then, and are answered
    /// on `searches`.
    ///
    /// # Errors
    /// [`Error::Folder`] when the folder cannot be read. Single files that cannot be are left out with a warning.
    pub fn open(config: &Config, searches: Blocking, metrics: Metrics) -> Result<Option<Arc<Self>>, Error> {
        let Some(folder) = Folder::of(config).filter(|_| config.enabled) else {
            return Ok(None);
        };
        folder.check()?;
        Ok(Some(Arc::new(Index {
            folder,
            passage_bytes: config.passage_bytes,
            refresh: config.refresh(),
            searches,
            builds: Blocking::new(1),
            metrics,
            state: watch::Sender::new(State::Unbuilt),
        })))
    }

    /// Builds the index and follows the folder for ever. Dropping the future ends it; a build that runs is finished.
    pub async fn follow(self: Arc<Self>) {
        let mut broken = false;
        loop {
            let index = self.clone();
            let refreshed = self.builds.run(move || index.refresh()).await;
            broken = match refreshed {
                Ok(Ok(())) => false,
                Ok(Err(error)) => self.tell_broken(&error.to_string(), broken),
                Err(failure) => self.tell_broken(&failure.to_string(), broken),
            };
            sleep(self.refresh).await;
        }
    }

    /// Looks at the folder and rebuilds the index if a file changed. It computes long: for blocking threads.
    ///
    /// # Errors
    /// [`Error::Folder`] when the folder cannot be read, [`Error::Index`] when the index cannot be built; it stays as it was.
    pub fn refresh(&self) -> Result<(), Error> {
        let listing = self.folder.list()?;
        let before = self.built();
        if before.as_ref().is_some_and(|built| built.listing == listing) {
            return Ok(());
        }
        let mut documents = self.folder.documents(&listing);
        let search = Search::build(&mut documents, self.passage_bytes)?;
        let (files, skipped) = (documents.read(), documents.skipped());
        self.metrics.built(files, skipped.files, search.passages());
        let built = Built {
            listing,
            skipped,
            search,
        };
        tracing::info!(folder = %self.folder.path().display(), files, passages = built.search.passages(), "the index was built");
        built.warn(before.as_deref());
        self.state.send_replace(State::Built(Arc::new(built)));
        Ok(())
    }

    /// Counts a build that failed, and says so unless the one before failed too; always true.
    fn tell_broken(&self, error: &str, before: bool) -> bool {
        self.metrics.broken();
        self.state.send_if_modified(|state| {
            let first = matches!(state, State::Unbuilt);
            if first {
                *state = State::Broken;
            }
            first
        });
        if !before {
            tracing::warn!(error, "the index stays as it was");
        }
        true
    }

    fn built(&self) -> Option<Arc<Built>> {
        match &*self.state.borrow() {
            State::Built(built) => Some(built.clone()),
            State::Unbuilt | State::Broken => None,
        }
    }
}

#[async_trait]
impl Retriever for Index {
    async fn retrieve(&self, question: &str, limit: usize) -> Result<Vec<Passage>, Failure> {
        let unavailable = || Failure::new(Code::RetrievalFailed, "The index cannot be searched.");
        let mut states = self.state.subscribe();
        let begun = states.wait_for(|state| !matches!(state, State::Unbuilt)).await;
        drop(begun);
        let (built, question) = (self.built().ok_or_else(unavailable)?, question.to_owned());
        let found = self.searches.run(move || built.search.find(&question, limit)).await?;
        found.map_err(|error| unavailable().with_source(error))
    }
}

impl fmt::Debug for Index {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Index")
            .field("folder", &self.folder)
            .field("passages", &self.built().map(|built| built.search.passages()))
            .finish_non_exhaustive()
    }
}

// === impl Built ===

impl Built {
    /// Says once what is not searched, in one line, however often it is left out.
    fn warn(&self, before: Option<&Built>) {
        let known = before.map(|built| &built.skipped);
        if self.skipped.files > 0 && known != Some(&self.skipped) {
            let (files, example) = (self.skipped.files, self.skipped.example.as_deref());
            tracing::warn!(files, example, "some files are not searched");
        }
    }
}

#[cfg(test)]
mod tests;
