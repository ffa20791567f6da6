use super::*;
use expect_test::{Expect, expect};
use proptest::prelude::*;
use std::os::unix::fs::symlink;

fn source(text: &str) -> Source {
    Source::new(Some("p.toml".as_ref()), text)
}

/// What is refused about a file with these bytes.
fn refused(bytes: &[u8]) -> Finding {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), bytes).unwrap();
    let mut finding = Source::read(file.path()).expect_err("no text").0.remove(0);
    finding.file = Some("p.toml".into());
    finding
}

fn refusal(bytes: &[u8], expected: &Expect) {
    expected.assert_eq(&refused(bytes).to_string());
}

#[test]
fn a_byte_order_mark_is_no_part_of_the_text() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "\u{feff}a = 1\n").unwrap();
    assert_eq!(Source::read(file.path()).unwrap().text, "a = 1\n");
    assert_eq!(source("\u{feff}").text, "");
}

#[test]
fn utf_16_is_told_from_rubbish() {
    let expected = expect![[r#"
        error: the file is UTF-16
        --> p.toml
         = help: save it as UTF-8"#]];
    refusal(&[0xff, 0xfe, b'a', 0], &expected);
    refusal(&[0xfe, 0xff, 0, b'a'], &expected);
}

#[test]
fn the_first_byte_that_is_no_utf_8_is_shown() {
    refusal(
        b"a = 1\nb = \"caf\xe9\"\nc = \"\xff\"\n",
        &expect![[r#"
        error: the file is not UTF-8 from here on
         --> p.toml:2:9
          |
        2 | b = "caf�"
          |         ^
          |
          = help: save it as UTF-8"#]],
    );
    let marked = refused(b"\xef\xbb\xbfa = \"\xe9\"\n");
    assert_eq!(marked.place.unwrap().column, 6, "{marked}");
}

#[test]
fn a_secret_beside_broken_bytes_is_not_shown() {
    let finding = refused(b"api_key = \"sk-\xffsecret\"\n");
    assert_eq!(finding.source.unwrap(), "api_key = \"**********\"");
}

#[test]
fn what_is_no_file_is_refused_by_what_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let (loop_a, loop_b) = (folder.path().join("a"), folder.path().join("b"));
    symlink(&loop_a, &loop_b).unwrap();
    symlink(&loop_b, &loop_a).unwrap();
    let cases = [
        (folder.path().to_owned(), "this is a directory"),
        (
            folder.path().join("none"),
            "the file cannot be read: No such file or directory (os error 2)",
        ),
        (
            loop_a,
            "the file cannot be read: Too many levels of symbolic links (os error 40)",
        ),
        (
            "/dev/zero".into(),
            "the file cannot be read: it has more than 4194304 bytes",
        ),
    ];
    for (file, message) in cases {
        let finding = Source::read(&file).expect_err("no document").0.remove(0);
        assert_eq!((finding.message.as_str(), finding.file), (message, Some(file)));
        assert!(finding.help.is_some());
    }
}

#[test]
fn a_file_is_read_up_to_its_limit_and_not_beyond() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "12345").unwrap();
    assert_eq!(read(file.path(), 5).unwrap(), b"12345");
    assert_eq!(read(file.path(), 4).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
}

#[test]
fn places_count_characters_and_lines_from_one() {
    let text = "a = 1\r\nключ = \"日本\"\n\nend";
    let place = |needle: &str| {
        let at = text.find(needle).unwrap();
        let mut finding = source(text).finding("x");
        source(text).show(&mut finding, at..at + needle.len(), &[]);
        let Place { line, column, length } = finding.place.unwrap();
        (line, column, length, finding.source.unwrap())
    };
    assert_eq!(place("a"), (1, 1, 1, "a = 1".to_owned()));
    assert_eq!(place("日本"), (2, 9, 2, "ключ = \"日本\"".to_owned()));
    assert_eq!(place("end"), (4, 1, 3, "end".to_owned()));
    assert_eq!(
        place("本\"\n\nend"),
        (2, 10, 2, "ключ = \"日本\"".to_owned()),
        "only the first line is marked"
    );
}

#[test]
fn a_place_at_the_end_of_the_text_is_after_its_last_character() {
    for (text, line, column) in [("a = ", 1, 5), ("a = \n", 2, 1), ("", 1, 1)] {
        let mut finding = source(text).finding("x");
        source(text).show(&mut finding, text.len()..text.len(), &[]);
        let place = finding.place.unwrap();
        assert_eq!((place.line, place.column, place.length), (line, column, 1), "{text:?}");
    }
}

#[test]
fn a_line_of_a_thousand_bytes_is_shown_and_a_longer_one_is_not() {
    for (length, is_shown) in [(MAX_LINE, true), (MAX_LINE + 1, false)] {
        let text = "x".repeat(length);
        let mut finding = source(&text).finding("x");
        source(&text).show(&mut finding, 0..1, &[]);
        assert_eq!(finding.source.is_some(), is_shown);
    }
}

#[test]
fn masks_cover_all_but_quotes() {
    let text = "k = \"it's 日本\"";
    let value = 4..text.len();
    assert_eq!(masked(text, 0, &[&value]), "k = \"**'****\"");
    assert_eq!(masked(text, 100, &[&value]), text, "the mask is of another line");
    assert_eq!(masked(text, 100, &[&(105..106), &(0..3)]), "k = \"*t's 日本\"");
}

#[test]
fn what_follows_a_key_that_sounds_secret_is_suspect_until_the_next_key() {
    let cases = [
        ("api_key = sk-1", "api_key = ****"),
        ("\"api_key\"= 'sk-1'", "\"api_key\"= '****'"),
        ("ADMIN_TOKEN = x", "ADMIN_TOKEN = *"),
        (
            "w = { provider = \"openai\", api_key = \"sk-1\" }",
            "w = { provider = \"openai\", api_key = \"****\"**",
        ),
        ("max_tokens = 10x", "max_tokens = 10x"),
        ("# key", "# key"),
        (
            "password = \"\"\"\nhunter2\nabc==\n",
            "password = \"\"\"\n*******\n*****\n",
        ),
        (
            "secret = '''\na\n[server]\nlisten = 1",
            "secret = '''\n*\n[server]\nlisten = 1",
        ),
        ("secret = '''\na\nlisten = 1", "secret = '''\n*\nlisten = 1"),
    ];
    for (text, expected) in cases {
        let source = source(text);
        let suspects = source.suspects();
        let (mut shown, mut at) = (Vec::new(), 0);
        for line in text.split('\n') {
            shown.push(masked(line, at, &suspects.iter().collect::<Vec<_>>()));
            at += line.len() + 1;
        }
        assert_eq!(shown.join("\n"), expected);
    }
}

proptest! {
    #[test]
    fn a_place_in_any_text_lies_in_it(text in "[a\\PC\n\r=\"]{0,40}", start in 0_usize..60, length in 0_usize..60) {
        let source = source(&text);
        let mut finding = source.finding("x");
        source.show(&mut finding, start..start + length, &source.suspects());
        let place = finding.place.unwrap();
        prop_assert!(place.line <= source.text.split('\n').count());
        prop_assert!(place.length >= 1);
        prop_assert!(!finding.to_string().is_empty());
    }
}
