use super::*;
use proptest::prelude::*;

#[test]
fn a_path_reads_as_the_document_spells_it() {
    let path = Path::of("pipeline.stages.post_process.redact").index(1).key("pattern");
    assert_eq!(path.to_string(), "pipeline.stages.post_process.redact[1].pattern");
    assert_eq!(Path::default().to_string(), "");
}

#[test]
fn keys_that_cannot_stand_bare_stand_in_quotes() {
    let workers = Path::of("workers");
    let spelled = [
        ("fast-1", "workers.fast-1"),
        ("my server", r#"workers."my server""#),
        ("", r#"workers."""#),
    ];
    for (key, expected) in spelled {
        assert_eq!(workers.key(key).to_string(), expected);
    }
    assert_eq!(workers.key("a.b").key("model").to_string(), r#"workers."a.b".model"#);
    assert_eq!(Path::default().key("日本").to_string(), r#""日本""#);
}

#[test]
fn a_path_is_one_string_in_json() {
    assert_eq!(serde_json::to_value(Path::of("a.b").index(0)).unwrap(), "a.b[0]");
}

proptest! {
    #[test]
    fn different_paths_read_differently(a in keys(), b in keys()) {
        let path = |keys: &[String]| keys.iter().fold(Path::default(), |path, key| path.key(key));
        prop_assert_eq!(a == b, path(&a).to_string() == path(&b).to_string());
    }
}

fn keys() -> impl Strategy<Value = Vec<String>> {
    proptest::collection::vec("[a.\" -]{0,3}", 1..4)
}
