use super::*;
use crate::fixtures::Library;
use std::os::unix::fs::symlink;

/// What is read of the folder: the sources, and what is left out.
fn read(config: &Config) -> (String, Skipped) {
    let folder = Folder::of(config).unwrap();
    let listing = folder.list().unwrap();
    let mut documents = folder.documents(&listing);
    let sources: Vec<String> = documents.by_ref().map(|document| document.source).collect();
    assert_eq!(documents.read(), sources.len());
    (sources.join(" "), documents.skipped())
}

/// The text of the only file in a folder.
fn text(bytes: &[u8]) -> String {
    let library = Library::new(&[]);
    fs::write(library.path("a.md"), bytes).unwrap();
    let folder = Folder::of(&library.config()).unwrap();
    let listing = folder.list().unwrap();
    let documents: Vec<Document> = folder.documents(&listing).collect();
    let [document] = &documents[..] else {
        panic!("{documents:?}")
    };
    document.text.clone()
}

fn example(files: usize, example: &str) -> Skipped {
    Skipped {
        files,
        example: Some(example.to_owned()),
    }
}

#[test]
fn the_files_of_a_folder_are_read_in_the_order_of_their_paths() {
    let library = Library::new(&[("b.txt", "b"), ("a.md", "a"), ("deep/er/c.MARKDOWN", "c")]);
    let expected = "a.md b.txt deep/er/c.MARKDOWN".to_owned();
    assert_eq!(read(&library.config()), (expected, Skipped::default()));
}

#[test]
fn a_file_that_is_not_text_is_left_out_and_the_others_are_read() {
    let library = Library::new(&[("a.md", "good"), ("z.md", "good")]);
    fs::write(library.path("bad.md"), [0xff, 0xfe, 0x00]).unwrap();
    fs::write(library.path("cut.md"), "caf\u{e9}".as_bytes().split_last().unwrap().1).unwrap();
    let (sources, skipped) = read(&library.config());
    assert_eq!(sources, "a.md z.md");
    assert_eq!(skipped, example(2, "bad.md: it is not UTF-8"));
}

#[test]
fn a_file_that_cannot_be_read_is_left_out_with_what_the_system_says() {
    let library = Library::new(&[("a.md", "good")]);
    // The system refuses to read the beginning of a program's memory to everybody.
    symlink("/proc/self/mem", library.path("memory.md")).unwrap();
    let (sources, skipped) = read(&library.config());
    assert_eq!(sources, "a.md");
    assert_eq!(skipped, example(1, "memory.md: Input/output error (os error 5)"));
}

#[test]
fn a_file_that_goes_between_the_look_and_the_reading_is_left_out() {
    let library = Library::new(&[("a.md", "a"), ("b.md", "b")]);
    let folder = Folder::of(&library.config()).unwrap();
    let listing = folder.list().unwrap();
    fs::remove_file(library.path("a.md")).unwrap();
    let mut documents = folder.documents(&listing);
    assert_eq!(documents.next().unwrap().source, "b.md");
    assert_eq!(documents.next(), None);
    assert_eq!(documents.skipped().files, 1);
}

#[test]
fn the_limits_hold() {
    let library = Library::new(&[
        ("a.md", "aaaa"),
        ("b.md", "bbbbbbbb"),
        ("c.md", "cccc"),
        ("d.md", "dddd"),
    ]);
    let limited = |change: fn(&mut Config)| {
        let mut config = library.config();
        change(&mut config);
        read(&config)
    };
    let (sources, skipped) = limited(|config| config.max_files = 2);
    assert_eq!(sources, "a.md b.md");
    assert_eq!(skipped, example(2, "there are more than `max_files`"));
    let (sources, skipped) = limited(|config| config.max_file_bytes = 7);
    assert_eq!(sources, "a.md c.md d.md");
    assert_eq!(skipped, example(1, "b.md: it is larger than `max_file_bytes`"));
    let (sources, skipped) = limited(|config| config.max_folder_bytes = 9);
    assert_eq!(sources, "a.md c.md");
    assert_eq!(
        skipped,
        example(2, "b.md: the folder holds more than `max_folder_bytes`")
    );
    let exactly = |config: &mut Config| (config.max_files, config.max_file_bytes, config.max_folder_bytes) = (4, 8, 20);
    assert_eq!(limited(exactly), ("a.md b.md c.md d.md".to_owned(), Skipped::default()));
}

#[test]
fn a_file_that_grew_since_the_look_is_not_read_beyond_the_limits() {
    let library = Library::new(&[("a.md", "aaaa"), ("b.md", "b")]);
    let mut config = library.config();
    config.max_file_bytes = 8;
    let folder = Folder::of(&config).unwrap();
    let listing = folder.list().unwrap();
    library.write("a.md", &"a".repeat(1000));
    let mut documents = folder.documents(&listing);
    assert_eq!(documents.next().unwrap().source, "b.md");
    assert_eq!(
        documents.skipped(),
        example(1, "a.md: it is larger than `max_file_bytes`")
    );
}

#[test]
fn marks_of_editors_are_no_part_of_a_text() {
    for (bytes, expected) in [
        ("\u{feff}# Title\n", "# Title\n"),
        ("one\r\n\r\ntwo\r\n", "one\n\ntwo\n"),
        ("\u{feff}one\r\ntwo", "one\ntwo"),
        ("one\rtwo\u{feff}", "one\rtwo\u{feff}"),
        ("", ""),
    ] {
        assert_eq!(text(bytes.as_bytes()), expected, "{bytes:?}");
    }
}

#[test]
fn a_folder_that_is_missing_or_is_none_is_named() {
    let library = Library::new(&[("a.md", "a")]);
    for (name, reason) in [
        ("nowhere", "No such file or directory (os error 2)"),
        ("a.md", "Not a directory (os error 20)"),
    ] {
        let config = Config {
            folder: Some(library.path(name)),
            ..Config::default()
        };
        let folder = Folder::of(&config).unwrap();
        let expected = format!("the folder {} cannot be read: {reason}", library.path(name).display());
        assert_eq!(folder.check().unwrap_err().to_string(), expected);
        assert_eq!(folder.list().unwrap_err().to_string(), expected);
    }
    assert!(Folder::of(&Config::default()).is_none());
}
