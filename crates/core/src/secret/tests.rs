use super::*;

fn resolve(text: &str) -> Result<String, String> {
    let lookup = |name: &str| match name {
        "KEY" => Some("sk-1".to_owned()),
        "EMPTY" => Some(String::new()),
        _ => None,
    };
    Secret::new(text).resolve(lookup)
}

#[test]
fn a_reference_is_followed_when_it_is_needed() {
    let table = [
        ("${KEY}", "sk-1"),
        ("${KEY:-other}", "sk-1"),
        ("${NONE:-other}", "other"),
        ("${NONE:-}", ""),
        ("${EMPTY:-other}", "other"),
        ("plain", "plain"),
        ("", ""),
        ("$KEY", "$KEY"),
    ];
    for (text, value) in table {
        assert_eq!(resolve(text), Ok(value.to_owned()), "{text}");
    }
}

#[test]
fn what_is_missing_is_named() {
    assert_eq!(
        resolve("${NONE}"),
        Err("the environment variable NONE is not set".into())
    );
    assert_eq!(
        resolve("${EMPTY}"),
        Err("the environment variable EMPTY is not set".into())
    );
    let missing = resolve("${file:/nowhere}").unwrap_err();
    assert!(missing.starts_with("cannot read the file /nowhere: "), "{missing}");
}

#[test]
fn a_file_is_read_without_the_end_of_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("key");
    let resolve = |content: &[u8]| {
        std::fs::write(&file, content).unwrap();
        Secret::new(format!("${{file:{}}}", file.display())).resolve(|_| None)
    };
    assert_eq!(resolve(b"sk-2\r\n"), Ok("sk-2".to_owned()));
    assert_eq!(resolve(b" two\nlines \n\n"), Ok(" two\nlines ".to_owned()));
    assert_eq!(resolve(&vec![b'k'; 1 << 20]).map(|key| key.len()), Ok(1 << 20));
    let too_large = resolve(&vec![b'k'; (1 << 20) + 1]).unwrap_err();
    assert!(too_large.ends_with("it has more than 1048576 bytes"), "{too_large}");
    let no_text = resolve(&[0xff]).unwrap_err();
    assert!(no_text.ends_with("it is not UTF-8"), "{no_text}");
}

#[test]
fn a_secret_prints_as_a_reference_or_not_at_all() {
    for reference in ["${KEY}", "${file:/run/key}", ""] {
        assert_eq!(format!("{:?}", Secret::new(reference)), reference);
    }
    for text in ["sk-1", "${KEY:-sk-1}"] {
        assert_eq!(format!("{:?}", Secret::new(text)), "[redacted]");
    }
}

#[test]
fn it_travels_through_serde_as_it_stands_in_the_document() {
    let secret: Secret = serde_json::from_str(r#""${KEY}""#).unwrap();
    assert_eq!(secret.reference(), "${KEY}");
    assert_eq!(serde_json::to_string(&secret).unwrap(), r#""${KEY}""#);
    let schema = serde_json::to_value(schemars::schema_for!(Secret)).unwrap();
    assert_eq!(
        (&schema["type"], &schema["format"]),
        (&"string".into(), &"secret".into())
    );
}
