use super::*;
use crate::fixtures::Library;
use proptest::prelude::*;
use std::{
    fs::Permissions,
    os::unix::{
        fs::{PermissionsExt, symlink},
        net::UnixListener,
    },
};

fn listing(library: &Library) -> Listing {
    Listing::of(&library.path(""), 1000)
}

/// The files of a listing by their paths in the folder, and how many are skipped.
fn shown(library: &Library, listing: &Listing) -> (Vec<String>, usize) {
    let root = library.path("");
    let name = |file: &File| file.path.strip_prefix(&root).unwrap().display().to_string();
    (listing.files().iter().map(name).collect(), listing.skipped().files)
}

fn found(library: &Library) -> (Vec<String>, usize) {
    shown(library, &listing(library))
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn markdown_and_text_are_found_in_order_and_the_rest_is_not() {
    let library = Library::new(&[
        ("b.txt", "b"),
        ("a.md", "a"),
        ("a/z.md", "z"),
        ("deep/er/c.MARKDOWN", "c"),
        ("x.rs", "x"),
        ("none", "x"),
        (".hidden.md", "x"),
        (".git/y.md", "x"),
    ]);
    let _socket = UnixListener::bind(library.path("socket.md")).unwrap();
    let expected = names(&["a/z.md", "a.md", "b.txt", "deep/er/c.MARKDOWN"]);
    assert_eq!(found(&library), (expected, 0));
}

#[test]
fn links_are_followed_to_files_and_folders() {
    let library = Library::new(&[("kept/a.md", "a")]);
    let elsewhere = Library::new(&[("b.md", "b"), ("more/c.md", "c")]);
    symlink(elsewhere.path("b.md"), library.path("b.md")).unwrap();
    symlink(elsewhere.path("more"), library.path("more")).unwrap();
    assert_eq!(found(&library), (names(&["b.md", "kept/a.md", "more/c.md"]), 0));
}

#[test]
fn a_link_to_a_folder_above_ends_and_finds_nothing_twice() {
    let library = Library::new(&[("a.md", "a"), ("in/b.md", "b")]);
    symlink(library.path(""), library.path("loop")).unwrap();
    symlink(library.path("in"), library.path("in/loop")).unwrap();
    symlink("..", library.path("in/up")).unwrap();
    assert_eq!(found(&library), (names(&["a.md", "in/b.md"]), 0));
}

#[test]
fn folders_that_all_link_to_each_other_are_each_walked_once() {
    let files: Vec<String> = (0..12).map(|nth| format!("f{nth:02}/a.md")).collect();
    let library = Library::new(&files.iter().map(|name| (&**name, "a")).collect::<Vec<_>>());
    for from in 0..12 {
        for to in 0..12 {
            symlink(
                library.path(&format!("f{to:02}")),
                library.path(&format!("f{from:02}/to{to:02}")),
            )
            .unwrap();
        }
    }
    // 12 folders of 12 links are 12! ways; each folder is found by the first.
    assert_eq!(found(&library).0.len(), 12);
}

#[test]
fn a_link_to_nowhere_is_not_there_and_one_to_itself_cannot_be_looked_at() {
    let library = Library::new(&[("a.md", "a")]);
    symlink("nowhere.md", library.path("dangling.md")).unwrap();
    assert_eq!(found(&library), (names(&["a.md"]), 0));
    symlink("self.md", library.path("self.md")).unwrap();
    assert_eq!(found(&library), (names(&["a.md"]), 1));
    let example = listing(&library).skipped().example;
    assert_eq!(example.as_deref(), Some("some cannot be looked at"));
}

#[test]
fn folders_are_limited_as_files_are() {
    let library = Library::new(&[("a/1.md", ""), ("b/2.md", ""), ("c/3.md", "")]);
    let walk = |limit| shown(&library, &Listing::of(&library.path(""), limit));
    assert_eq!(
        walk(2),
        (names(&["a/1.md"]), 2),
        "the folder itself and the first in it"
    );
    assert_eq!(walk(3), (names(&["a/1.md", "b/2.md"]), 1));
    assert_eq!(walk(4), (names(&["a/1.md", "b/2.md", "c/3.md"]), 0));
}

#[test]
fn a_folder_that_is_not_there_holds_nothing() {
    let library = Library::new(&[]);
    assert_eq!(found(&library), (Vec::new(), 0));
    assert_eq!(Listing::of(&library.path("nowhere"), 10), Listing::default());
}

#[test]
fn every_kind_of_change_is_seen() {
    let library = Library::new(&[("a.md", "a"), ("c.md", "c"), ("v1/b.md", "old"), ("v2/b.md", "new")]);
    symlink("v1/b.md", library.path("b.md")).unwrap();
    type Change = fn(&Library);
    let changes: [(&str, Change); 9] = [
        ("a longer text", |library| library.write("a.md", "longer")),
        ("a new file", |library| library.write("new.txt", "x")),
        ("a new name", |library| {
            fs::rename(library.path("new.txt"), library.path("newer.txt")).unwrap();
        }),
        ("a file that goes", |library| {
            fs::remove_file(library.path("newer.txt")).unwrap();
        }),
        ("a link to another file", |library| {
            symlink("v2/b.md", library.path("swap.md")).unwrap();
            fs::rename(library.path("swap.md"), library.path("b.md")).unwrap();
        }),
        ("other permissions", |library| {
            fs::set_permissions(library.path("a.md"), Permissions::from_mode(0o600)).unwrap();
        }),
        ("another file of the same size and time", replace_alike),
        ("another text of the same size and time", rewrite_alike),
        ("a file that cannot be looked at", |library| {
            symlink("self.md", library.path("self.md")).unwrap();
        }),
    ];
    let mut seen = listing(&library);
    for (what, change) in changes {
        assert_eq!(listing(&library), seen, "nothing changed before {what}");
        change(&library);
        let now = listing(&library);
        assert_ne!(now, seen, "{what}");
        seen = now;
    }
}

/// Puts another file in the place of one, with its size and the time of its last write.
fn replace_alike(library: &Library) {
    let before = fs::metadata(library.path("c.md")).unwrap();
    library.write("other", "d");
    let file = fs::File::options().write(true).open(library.path("other")).unwrap();
    file.set_modified(before.modified().unwrap()).unwrap();
    fs::rename(library.path("other"), library.path("c.md")).unwrap();
    assert_eq!(
        fs::metadata(library.path("c.md")).unwrap().modified().unwrap(),
        before.modified().unwrap()
    );
}

/// Writes another text of the same size into a file, and turns back the time of its last write.
fn rewrite_alike(library: &Library) {
    let before = fs::metadata(library.path("c.md")).unwrap();
    let mut now = fs::metadata(library.path("c.md")).unwrap();
    // The clock of a file system ticks every few milliseconds.
    while (now.ctime(), now.ctime_nsec()) == (before.ctime(), before.ctime_nsec()) {
        library.write("c.md", "e");
        let file = fs::File::options().write(true).open(library.path("c.md")).unwrap();
        file.set_modified(before.modified().unwrap()).unwrap();
        now = fs::metadata(library.path("c.md")).unwrap();
    }
    assert_eq!(
        (now.len(), now.ino(), now.mtime()),
        (before.len(), before.ino(), before.mtime())
    );
}

/// A folder of random depth with random links between its folders.
fn links() -> impl Strategy<Value = Vec<(usize, usize)>> {
    prop::collection::vec((0..8_usize, 0..8_usize), 0..20)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// However folders link to each other, each file is found once.
    #[test]
    fn each_file_is_found_once_whatever_links_lead_to_it(parents in prop::collection::vec(0..8_usize, 7), links in links()) {
        let library = Library::new(&[]);
        let mut folders = vec![String::from(".")];
        for (nth, parent) in parents.iter().enumerate() {
            let parent = &folders[parent % folders.len()];
            folders.push(format!("{parent}/f{nth}"));
        }
        for (nth, folder) in folders.iter().enumerate() {
            library.write(&format!("{folder}/file{nth}.md"), "x");
        }
        for (nth, (from, to)) in links.iter().enumerate() {
            let link = format!("{}/{}link{nth}", folders[*from], if nth % 2 == 0 { "a" } else { "z" });
            symlink(library.path(&folders[*to]), library.path(&link)).unwrap();
        }
        let seen = listing(&library);
        let name = |file: &File| file.path.file_name().unwrap().to_str().unwrap().to_owned();
        let mut files: Vec<String> = seen.files().iter().map(name).collect();
        files.sort_unstable();
        let expected: Vec<String> = (0..8).map(|nth| format!("file{nth}.md")).collect();
        prop_assert_eq!(files, expected);
        prop_assert_eq!(seen.skipped(), Skipped::default());
        prop_assert_eq!(listing(&library), seen);
    }
}
