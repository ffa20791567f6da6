//! The files of a folder: which there are, by what a change is noticed, and what they say.

use crate::{
    Config, Error,
    walk::{File, Listing},
};
use std::{
    fs,
    io::{self, Read},
    path::{Path, PathBuf},
    slice,
};

/// A folder and what of it is searched.
#[derive(Clone, Debug)]
pub(crate) struct Folder {
    root: PathBuf,
    max_files: usize,
    max_file_bytes: u64,
    max_folder_bytes: u64,
}

/// A file's text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Document {
    /// Its path in the folder.
    pub(crate) source: String,
    pub(crate) text: String,
}

/// Reads the files of a listing one by one, within the limits.
#[derive(Debug)]
pub(crate) struct Documents<'a> {
    folder: &'a Folder,
    files: slice::Iter<'a, File>,
    bytes_left: u64,
    read: usize,
    skipped: Skipped,
}

/// Files that are not searched.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Skipped {
    pub(crate) files: usize,
    /// One of them, and why.
    pub(crate) example: Option<String>,
}

// === impl Folder ===

impl Folder {
    /// The folder of a configuration that names one.
    pub(crate) fn of(config: &Config) -> Option<Self> {
        Some(Folder {
            root: config.folder.clone()?,
            max_files: config.max_files,
            max_file_bytes: config.max_file_bytes,
            max_folder_bytes: config.max_folder_bytes,
        })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.root
    }

    /// Whether there is a folder that can be read.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let readable = fs::read_dir(&self.root).map(|_| ());
        readable.map_err(|source| Error::Folder {
            path: self.root.clone(),
            source,
        })
    }

    /// The files to search.
    pub(crate) fn list(&self) -> Result<Listing, Error> {
        self.check()?;
        Ok(Listing::of(&self.root, self.max_files))
    }

    /// The texts of the files in a listing.
    pub(crate) fn documents<'a>(&'a self, listing: &'a Listing) -> Documents<'a> {
        Documents {
            folder: self,
            files: listing.files().iter(),
            bytes_left: self.max_folder_bytes,
            read: 0,
            skipped: listing.skipped(),
        }
    }
}

// === impl Documents ===

impl Documents<'_> {
    /// How many files were read so far.
    pub(crate) fn read(&self) -> usize {
        self.read
    }

    /// What was left out so far.
    pub(crate) fn skipped(self) -> Skipped {
        self.skipped
    }

    fn text(&mut self, path: &Path, listed: u64) -> io::Result<String> {
        let largest = self.folder.max_file_bytes;
        let limit = largest.min(self.bytes_left);
        let mut bytes = Vec::new();
        if listed <= limit {
            // It may have grown since it was listed: one byte above the limit tells.
            let file = fs::File::open(path)?;
            file.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
        }
        let found = u64::try_from(bytes.len()).unwrap_or(u64::MAX).max(listed);
        if found > largest {
            return Err(io::Error::other("it is larger than `max_file_bytes`"));
        }
        let Some(bytes_left) = self.bytes_left.checked_sub(found) else {
            return Err(io::Error::other("the folder holds more than `max_folder_bytes`"));
        };
        let text = String::from_utf8(bytes).map_err(|_| io::Error::other("it is not UTF-8"))?;
        self.bytes_left = bytes_left;
        Ok(plain(text))
    }
}

impl Iterator for Documents<'_> {
    type Item = Document;

    fn next(&mut self) -> Option<Document> {
        loop {
            let file = self.files.next()?;
            let source = file.path.strip_prefix(&self.folder.root).unwrap_or(&file.path);
            let source = source.display().to_string();
            match self.text(&file.path, file.bytes) {
                Ok(text) => {
                    self.read = self.read.saturating_add(1);
                    return Some(Document { source, text });
                }
                Err(error) => self.skipped.add(1, || format!("{source}: {error}")),
            }
        }
    }
}

// === impl Skipped ===

impl Skipped {
    /// Counts `files` more; the first of all is the example.
    pub(crate) fn add(&mut self, files: usize, example: impl FnOnce() -> String) {
        self.files = self.files.saturating_add(files);
        if files > 0 {
            self.example.get_or_insert_with(example);
        }
    }
}

/// The text without what some editors put in: a mark of its encoding, and two signs for the end of a line.
fn plain(text: String) -> String {
    match (text.strip_prefix('\u{feff}'), text.contains("\r\n")) {
        (None, false) => text,
        (bare, _) => bare.unwrap_or(&text).replace("\r\n", "\n"),
    }
}

#[cfg(test)]
mod tests;
