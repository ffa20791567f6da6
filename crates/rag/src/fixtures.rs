//! A folder of documents that goes when the test ends, and what is logged.

use crate::Config;
use parking_lot::Mutex;
use std::{
    fs,
    io::{self, Write},
    path::PathBuf,
    sync::Arc,
};
use tempfile::TempDir;

/// A folder with documents.
pub(crate) struct Library(TempDir);

/// What was logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

// === impl Library ===

impl Library {
    /// A folder with these files, by their paths in it.
    pub(crate) fn new(files: &[(&str, &str)]) -> Self {
        let library = Library(tempfile::tempdir().unwrap());
        for (name, text) in files {
            library.write(name, text);
        }
        library
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes a file, and the folders that lead to it.
    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// What searches the folder with everything else as it is by default.
    pub(crate) fn config(&self) -> Config {
        Config {
            folder: Some(self.0.path().to_owned()),
            ..Config::default()
        }
    }
}

// === impl Log ===

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The warnings that are logged during `work`.
pub(crate) fn warnings(work: impl FnOnce()) -> Vec<String> {
    let log = Log::default();
    let written = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_writer(move || written.clone())
        .with_max_level(tracing::Level::WARN)
        .with_ansi(false)
        .with_target(false)
        .without_time();
    tracing::subscriber::with_default(subscriber.finish(), work);
    let text = String::from_utf8(log.0.lock().clone()).unwrap();
    text.lines().map(|line| line.trim().to_owned()).collect()
}
