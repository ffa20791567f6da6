use super::*;
use std::os::unix::fs::symlink;
use tempfile::TempDir;

fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        write(&folder, name, text);
    }
    folder
}

fn write(folder: &TempDir, name: &str, text: &str) {
    let path = folder.path().join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn config(folder: &TempDir) -> Config {
    Config {
        folder: Some(folder.path().to_owned()),
        ..Config::default()
    }
}

/// What is read of the folder: the sources, and how many files are left out.
fn read(config: &Config) -> (Vec<String>, usize) {
    let folder = Folder::of(config).unwrap();
    let (documents, skipped) = folder.read(&folder.files().unwrap());
    (documents.into_iter().map(|document| document.source).collect(), skipped)
}

#[test]
fn markdown_and_text_are_read_in_order_and_the_rest_is_not() {
    let folder = folder(&[
        ("b.txt", "b"),
        ("a.md", "a"),
        ("deep/er/c.MARKDOWN", "c"),
        ("x.rs", "x"),
        ("none", "x"),
        (".hidden.md", "x"),
        (".git/y.md", "x"),
    ]);
    let sources = ["a.md", "b.txt", "deep/er/c.MARKDOWN"].map(str::to_owned);
    assert_eq!(read(&config(&folder)), (sources.to_vec(), 0));
}

#[test]
fn files_that_cannot_be_read_as_text_are_left_out() {
    let folder = folder(&[("good.md", "good")]);
    fs::write(folder.path().join("bad.md"), [0xff, 0xfe, 0x00]).unwrap();
    symlink("nowhere.md", folder.path().join("dangling.md")).unwrap();
    assert_eq!(read(&config(&folder)), (vec!["good.md".to_owned()], 1));
}

#[test]
fn the_limits_hold() {
    let folder = folder(&[
        ("a.md", "aaaa"),
        ("b.md", "bbbbbbbb"),
        ("c.md", "cccc"),
        ("d.md", "dddd"),
    ]);
    let limited = |change: fn(&mut Config)| {
        let mut config = config(&folder);
        change(&mut config);
        let (sources, skipped) = read(&config);
        (sources.join(" "), skipped)
    };
    assert_eq!(limited(|config| config.max_files = 2), ("a.md b.md".into(), 2));
    assert_eq!(
        limited(|config| config.max_file_bytes = 7),
        ("a.md c.md d.md".into(), 1)
    );
    assert_eq!(limited(|config| config.max_folder_bytes = 9), ("a.md c.md".into(), 2));
}

#[test]
fn a_link_to_a_folder_above_ends() {
    let folder = folder(&[("a.md", "a")]);
    symlink(folder.path(), folder.path().join("loop")).unwrap();
    let (sources, _) = read(&config(&folder));
    assert_eq!(sources.len(), MAX_DEPTH + 1);
}

#[test]
fn every_kind_of_change_is_seen() {
    let folder = folder(&[("a.md", "a"), ("v1/b.md", "old"), ("v2/b.md", "new")]);
    symlink("v1/b.md", folder.path().join("b.md")).unwrap();
    let watched = Folder::of(&config(&folder)).unwrap();
    let mut seen = watched.files().unwrap();
    assert_eq!(watched.files().unwrap(), seen, "nothing changed");
    let changes: [fn(&TempDir); 4] = [
        |folder| write(folder, "a.md", "longer"),
        |folder| write(folder, "new.txt", "x"),
        |folder| fs::remove_file(folder.path().join("new.txt")).unwrap(),
        |folder| {
            symlink("v2/b.md", folder.path().join("swap.md")).unwrap();
            fs::rename(folder.path().join("swap.md"), folder.path().join("b.md")).unwrap();
        },
    ];
    for (nth, change) in changes.iter().enumerate() {
        change(&folder);
        let now = watched.files().unwrap();
        assert_ne!(now, seen, "change {nth}");
        seen = now;
    }
}

#[test]
fn a_missing_folder_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let missing = Config {
        folder: Some(folder.path().join("nowhere")),
        ..Config::default()
    };
    let error = Folder::of(&missing).unwrap().files().unwrap_err().to_string();
    assert!(error.contains("nowhere cannot be read"), "{error}");
    assert!(Folder::of(&Config::default()).is_none());
}
