//! Which files there are, and which of them are test code as a whole.

use crate::{Error, source::Source};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// The crate that ships nothing though it lies among those that do.
const TESTKIT: &str = "testkit";

/// A Cargo workspace on disk.
#[derive(Clone, Debug)]
pub struct Workspace {
    root: PathBuf,
}

/// One crate's files.
pub(crate) struct Crate {
    /// The name of its folder.
    pub(crate) name: String,
    /// Whether it is for tests only.
    pub(crate) is_testkit: bool,
    /// Its files under `src/`.
    pub(crate) src: Vec<File>,
    /// Its files under `tests/`.
    pub(crate) tests: Vec<Source>,
}

/// A file under `src/`.
pub(crate) struct File {
    pub(crate) source: Source,
    /// Whether the file as a whole is compiled for tests only.
    pub(crate) is_test: bool,
}

// === impl Workspace ===

impl Workspace {
    /// The workspace that `folder` lies in.
    pub fn above(folder: &Path) -> Result<Self, Error> {
        let folder = fs::canonicalize(folder).map_err(Error::io(folder))?;
        let is_workspace = |dir: &&Path| {
            let manifest = fs::read_to_string(dir.join("Cargo.toml")).unwrap_or_default();
            manifest.lines().any(|line| line.trim() == "[workspace]")
        };
        let root = folder.ancestors().find(is_workspace);
        match root {
            Some(root) => Ok(Workspace { root: root.into() }),
            None => Err(Error::NoWorkspace(folder)),
        }
    }

    /// The crates under `crates/`, by name.
    pub(crate) fn crates(&self) -> Result<Vec<Crate>, Error> {
        let mut crates = Vec::new();
        for folder in entries(&self.root.join("crates"))? {
            if folder.join("Cargo.toml").is_file() {
                crates.push(self.read(&folder)?);
            }
        }
        Ok(crates)
    }

    /// The Rust files of the package with the end-to-end tests.
    pub(crate) fn end_to_end(&self) -> Result<Vec<Source>, Error> {
        self.sources(&self.root.join("tests"))
    }

    /// The Python files among the end-to-end tests.
    pub(crate) fn python(&self) -> Result<Vec<String>, Error> {
        let files = files(&self.root.join("tests"), "py")?;
        let read = |path: &PathBuf| fs::read_to_string(path).map_err(Error::io(path));
        files.iter().map(read).collect()
    }

    fn read(&self, folder: &Path) -> Result<Crate, Error> {
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let src = self.sources(&folder.join("src"))?;
        let test_files = test_files(&src);
        let file = |source: Source| File {
            is_test: source.is_test || test_files.contains(&source.path),
            source,
        };
        Ok(Crate {
            is_testkit: name == TESTKIT,
            name,
            src: src.into_iter().map(file).collect(),
            tests: self.sources(&folder.join("tests"))?,
        })
    }

    fn sources(&self, folder: &Path) -> Result<Vec<Source>, Error> {
        let files = files(folder, "rs")?;
        files.into_iter().map(|path| Source::read(&self.root, path)).collect()
    }
}

/// The files that only modules for tests lead to.
fn test_files(sources: &[Source]) -> BTreeSet<PathBuf> {
    let by_path: BTreeMap<&Path, &Source> = sources.iter().map(|source| (&*source.path, source)).collect();
    let mut found = BTreeSet::new();
    let mut open: Vec<PathBuf> = sources
        .iter()
        .flat_map(|source| source.modules_for(source.is_test))
        .collect();
    while let Some(path) = open.pop() {
        if let Some(source) = by_path.get(&*path)
            && found.insert(path)
        {
            open.extend(source.modules_for(true));
        }
    }
    found
}

/// All files below a folder with this extension, in order; none when there is no such folder.
fn files(folder: &Path, extension: &str) -> Result<Vec<PathBuf>, Error> {
    let mut found = Vec::new();
    for entry in entries(folder)? {
        let name = entry.file_name().unwrap_or_default().to_string_lossy();
        if entry.is_dir() && name != "target" && !name.starts_with('.') {
            found.extend(files(&entry, extension)?);
        } else if entry.extension().is_some_and(|found| found == extension) {
            found.push(entry);
        }
    }
    Ok(found)
}

/// What lies in a folder, in order; nothing when there is no such folder.
fn entries(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let entries = fs::read_dir(folder).map_err(Error::io(folder))?;
    let paths = entries.map(|entry| Ok(entry.map_err(Error::io(folder))?.path()));
    let mut paths = paths.collect::<Result<Vec<_>, Error>>()?;
    paths.sort();
    Ok(paths)
}
