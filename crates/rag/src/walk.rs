//! What a folder holds at one moment, by which a change is noticed.
//!
//! Links are followed, and each folder is entered once, whatever leads to it: the walk ends, and nothing is found twice.

use crate::folder::Skipped;
use std::{
    collections::HashSet,
    fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

/// The names of files that are searched.
const EXTENSIONS: [&str; 3] = ["md", "markdown", "txt"];

/// What a folder holds at one moment. Any difference is a change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Listing {
    files: Vec<File>,
    /// Files and folders beyond the limit.
    more: usize,
    /// Files and folders that cannot be looked at.
    closed: usize,
}

/// A file as it was last seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct File {
    pub(crate) path: PathBuf,
    pub(crate) bytes: u64,
    /// Another one when a link was turned to another file, or a file was put in its place.
    identity: Identity,
    modified: (i64, i64),
    /// Moves with everything that is done to a file, a change of its permissions too.
    changed: (i64, i64),
}

/// Which file or folder it is, whatever its name: device and inode.
type Identity = (u64, u64);

/// A walk through a folder and the folders in it.
struct Walk {
    /// Of files, and of folders too.
    limit: usize,
    /// What is still to be looked at, the next one last.
    ahead: Vec<PathBuf>,
    entered: HashSet<Identity>,
    listing: Listing,
}

// === impl Listing ===

impl Listing {
    /// The first `limit` files below `root` in the order of their paths, from at most so many folders.
    pub(crate) fn of(root: &Path, limit: usize) -> Self {
        let mut walk = Walk {
            limit,
            ahead: vec![root.to_owned()],
            entered: HashSet::new(),
            listing: Listing::default(),
        };
        while let Some(path) = walk.ahead.pop() {
            walk.look(path);
        }
        walk.listing
    }

    pub(crate) fn files(&self) -> &[File] {
        &self.files
    }

    /// What is there and not among the files.
    pub(crate) fn skipped(&self) -> Skipped {
        let mut skipped = Skipped::default();
        skipped.add(self.more, || "there are more than `max_files`".to_owned());
        skipped.add(self.closed, || "some cannot be looked at".to_owned());
        skipped
    }
}

// === impl Walk ===

impl Walk {
    fn look(&mut self, path: PathBuf) {
        match fs::metadata(&path) {
            Ok(found) if found.is_dir() => self.folder(&path, identity(&found)),
            Ok(found) if found.is_file() && is_text(&path) => self.file(path, &found),
            // What is gone again, and a link to nowhere, is not there.
            Err(error) if is_text(&path) && error.kind() != io::ErrorKind::NotFound => self.closed(),
            _ => {}
        }
    }

    fn folder(&mut self, path: &Path, identity: Identity) {
        if self.entered.contains(&identity) {
            return;
        }
        if self.entered.len() >= self.limit {
            self.more();
            return;
        }
        self.entered.insert(identity);
        let Ok(entries) = fs::read_dir(path) else {
            self.closed();
            return;
        };
        let visible = entries.flatten().filter(|entry| !is_hidden(entry));
        let mut paths: Vec<PathBuf> = visible.map(|entry| entry.path()).collect();
        paths.sort_unstable_by(|one, other| other.cmp(one));
        self.ahead.append(&mut paths);
    }

    fn file(&mut self, path: PathBuf, found: &fs::Metadata) {
        if self.listing.files.len() >= self.limit {
            self.more();
            return;
        }
        self.listing.files.push(File {
            path,
            bytes: found.len(),
            identity: identity(found),
            modified: (found.mtime(), found.mtime_nsec()),
            changed: (found.ctime(), found.ctime_nsec()),
        });
    }

    fn more(&mut self) {
        self.listing.more = self.listing.more.saturating_add(1);
    }

    fn closed(&mut self) {
        self.listing.closed = self.listing.closed.saturating_add(1);
    }
}

fn identity(found: &fs::Metadata) -> Identity {
    (found.dev(), found.ino())
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
