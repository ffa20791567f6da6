//! The files of a folder: which there are, by what a change is noticed, and what they say.

use crate::{Config, Error};
use std::{
    fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::SystemTime,
};

/// The names of files that are searched.
const EXTENSIONS: [&str; 3] = ["md", "markdown", "txt"];
/// How deep folders may lie in folders; a link to a folder above would else never end.
const MAX_DEPTH: usize = 16;

/// A folder and what of it is searched.
#[derive(Clone, Debug)]
pub(crate) struct Folder {
    root: PathBuf,
    max_files: usize,
    max_file_bytes: u64,
    max_folder_bytes: u64,
}

/// A file as it was last seen. Any difference is a change: a link that points elsewhere has another inode.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct File {
    path: PathBuf,
    bytes: u64,
    inode: u64,
    modified: Option<SystemTime>,
}

/// A file's text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Document {
    /// Its path in the folder.
    pub(crate) source: String,
    pub(crate) text: String,
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

    /// The files to search, in the order of their paths. What lies below and cannot be read is left out.
    pub(crate) fn files(&self) -> Result<Vec<File>, Error> {
        let mut files = Vec::new();
        let list = fs::read_dir(&self.root).map_err(|source| Error::Folder {
            path: self.root.clone(),
            source,
        })?;
        self.collect(list, 0, &mut files);
        files.sort();
        Ok(files)
    }

    fn collect(&self, list: fs::ReadDir, depth: usize, files: &mut Vec<File>) {
        for entry in list.flatten().filter(|entry| !is_hidden(entry)) {
            let path = entry.path();
            let Ok(metadata) = fs::metadata(&path) else { continue };
            if metadata.is_dir() {
                if let (true, Ok(list)) = (depth < MAX_DEPTH, fs::read_dir(&path)) {
                    self.collect(list, depth.saturating_add(1), files);
                }
            } else if metadata.is_file() && is_text(&path) {
                files.push(File {
                    bytes: metadata.len(),
                    inode: metadata.ino(),
                    modified: metadata.modified().ok(),
                    path,
                });
            }
        }
    }

    /// The texts of these files, within the limits, and how many were left out.
    pub(crate) fn read(&self, files: &[File]) -> (Vec<Document>, usize) {
        let mut documents = Vec::new();
        let mut left = self.max_folder_bytes;
        for file in files.iter().take(self.max_files) {
            match self.read_one(file, left) {
                Ok(text) => {
                    left = left.saturating_sub(file.bytes);
                    let source = file.path.strip_prefix(&self.root).unwrap_or(&file.path);
                    let source = source.display().to_string();
                    documents.push(Document { source, text });
                }
                Err(error) => tracing::warn!(file = %file.path.display(), %error, "a file is not searched"),
            }
        }
        if let Some(more) = files.len().checked_sub(self.max_files).filter(|more| *more > 0) {
            tracing::warn!(more, folder = %self.root.display(), "more files than `max_files` are not searched");
        }
        let skipped = files.len().saturating_sub(documents.len());
        (documents, skipped)
    }

    fn read_one(&self, file: &File, left: u64) -> io::Result<String> {
        if file.bytes > self.max_file_bytes {
            return Err(io::Error::other("it is larger than `max_file_bytes`"));
        }
        if file.bytes > left {
            return Err(io::Error::other("the folder holds more than `max_folder_bytes`"));
        }
        fs::read_to_string(&file.path)
    }
}

fn is_hidden(entry: &fs::DirEntry) -> bool {
    entry.file_name().as_encoded_bytes().starts_with(b".")
}

fn is_text(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str());
    extension.is_some_and(|found| EXTENSIONS.iter().any(|one| one.eq_ignore_ascii_case(found)))
}

#[cfg(test)]
mod tests;
