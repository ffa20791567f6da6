use super::*;
use crate::schema;
use expect_test::expect;
use toml::de::DeTable;

const TEXT: &str = r#"[pipeline]
name = "x"
[[pipeline.stages.post_process.redact]]
name = "a"
[[pipeline.stages.post_process.redact]]
name = "b"
[workers]
w = { provider = "openai", api_key = "sk-1", base_url = "http://u:p@h/v1" }
[workers.v]
api_key = "${KEY}"
resilience.min_calls = 1
api_kye = "sk-2"
"#;

fn source(text: &str) -> Source {
    Source::new(Some("p.toml".as_ref()), text)
}

/// Where findings with these paths are shown: line, column and what is marked.
fn places(paths: &[Path]) -> Vec<(usize, usize, String)> {
    let source = source(TEXT);
    let document = Document::parse(&source).unwrap();
    let schema = schema();
    let shape = Shape::of(&schema).unwrap();
    let place = |path: &Path| {
        let finding = document.located(vec![Finding::error(path, "x")], shape).remove(0);
        let place = finding.place.unwrap();
        let line = TEXT.lines().nth(place.line - 1).unwrap();
        let marked = line.chars().skip(place.column - 1).take(place.length).collect();
        (place.line, place.column, marked)
    };
    paths.iter().map(place).collect()
}

#[test]
fn a_path_leads_to_its_value_or_to_the_nearest_table_above() {
    let redact = Path::of("pipeline.stages.post_process.redact");
    let paths = [
        Path::of("pipeline.name"),
        Path::of("pipeline.version"),
        redact.index(1).key("name"),
        redact.index(1).key("pattern"),
        Path::of("workers.w.provider"),
        Path::of("workers.w.model"),
        Path::of("workers.v"),
        Path::of("workers.v.resilience.min_calls"),
        Path::of("workers.v.resilience.close_after"),
        Path::of("workers.none.model"),
        Path::of("pipeline.name.x"),
    ];
    let found: Vec<String> = places(&paths)
        .iter()
        .map(|(line, column, marked)| format!("{line}:{column} {marked}"))
        .collect();
    expect![[r#"
        2:8 "x"
        1:2 pipeline
        6:8 "b"
        5:1 [[pipeline.stages.post_process.redact]]
        8:18 "openai"
        8:1 w
        9:10 v
        11:24 1
        11:1 resilience
        7:2 workers
        2:8 "x""#]]
    .assert_eq(&found.join("\n"));
}

#[test]
fn a_place_leads_back_to_its_path() {
    let source = source(TEXT);
    let document = Document::parse(&source).unwrap();
    for (value, path) in [
        ("\"x\"", "pipeline.name"),
        ("\"openai\"", "workers.w.provider"),
        ("\"b\"", "pipeline.stages.post_process.redact[1].name"),
    ] {
        let at = TEXT.find(value).unwrap();
        assert_eq!(document.path(&(at..at + value.len())).unwrap().to_string(), path);
    }
    assert_eq!(document.path(&(1..3)), None);
}

#[test]
fn secrets_are_covered_in_every_line_that_is_shown() {
    let source = source(TEXT);
    let document = Document::parse(&source).unwrap();
    let schema = schema();
    let lines = ["workers.w.model", "workers.v.api_key", "workers.v.api_kye"].map(|path| {
        let found = document.located(vec![Finding::error(&Path::of(path), "x")], Shape::of(&schema).unwrap());
        found[0].source.clone().unwrap()
    });
    expect![[r#"
        w = { provider = "openai", api_key = "****", base_url = "***************" }
        api_key = "${KEY}"
        api_kye = "****""#]]
    .assert_eq(&lines.join("\n"));
}

#[test]
fn references_are_no_secrets_unless_they_bring_a_default() {
    let texts = [
        ("${KEY}", true),
        ("${file:/run/key}", true),
        ("${KEY:-sk}", false),
        ("sk", false),
        ("x${KEY}", false),
        ("${KEY}x", false),
    ];
    for (text, expected) in texts {
        assert_eq!(is_reference(text), expected, "{text}");
    }
}

#[test]
fn what_is_set_from_outside_comes_after_the_document_and_has_its_name() {
    let source = source("a = 1\n");
    let mut document = Document::parse(&source).unwrap();
    let spans = [document.span_outside("FIRST"), document.span_outside("SECOND")];
    let DeValue::Table(root) = document.root.get_mut() else {
        panic!("a table")
    };
    for (key, span) in [("b", &spans[0]), ("c", &spans[1])] {
        let value = DeValue::parse("2").unwrap().into_inner();
        root.insert(
            Spanned::new(span.clone(), key.into()),
            Spanned::new(span.clone(), value),
        );
    }
    let schema = schema();
    let found = ["c", "a", "b"].map(|key| Finding::error(&Path::of(key), key)).to_vec();
    let found = document.located(found, Shape::of(&schema).unwrap());
    let origins: Vec<_> = found
        .iter()
        .map(|finding| {
            (
                finding.message.as_str(),
                finding.variable.as_deref(),
                finding.file.is_some(),
            )
        })
        .collect();
    assert_eq!(
        origins,
        [
            ("a", None, true),
            ("b", Some("FIRST"), false),
            ("c", Some("SECOND"), false)
        ]
    );
    assert!(document.is_from_outside(&Path::of("b")) && !document.is_from_outside(&Path::of("a")));
    assert!(!document.is_from_outside(&Path::of("d")));
}

#[test]
fn syntax_errors_come_in_order_one_a_line_and_three_at_most() {
    let source = source("a = 1.2.3\nb = 0755 x\nc = 1_\nd = tru\n");
    let errors = Document::parse(&source).unwrap_err().0;
    let errors: Vec<String> = errors
        .iter()
        .map(|finding| format!("{}: {}", finding.place.unwrap().line, finding.message))
        .collect();
    expect![[r#"
        1: this is no TOML: invalid float
        2: this is no TOML: string values must be quoted
        3: this is no TOML: `_` may only go between digits"#]]
    .assert_eq(&errors.join("\n"));
}

#[test]
fn a_walk_sees_every_value_with_its_path() {
    let source = source("a = [1, { b = 2 }]\nc.d = 3\n");
    let document = Document::parse(&source).unwrap();
    let mut seen = Vec::new();
    visit(&document.root, Path::default(), None, &mut |path, node, _| {
        seen.push(format!("{path}:{}", Kind::of(node.get_ref()).name()));
    });
    expect![":a table a:an array a[0]:an integer a[1]:a table a[1].b:an integer c:a table c.d:an integer"]
        .assert_eq(&seen.join(" "));
}

#[test]
fn the_tree_is_dropped_however_wide_it_is() {
    let source = Source::new(None, &"[[a]]\nb = {c = [1]}\n".repeat(20_000));
    let document = Document::parse(&source).unwrap();
    let items = document.value(&Path::of("a")).unwrap();
    assert!(matches!(items.get_ref(), DeValue::Array(items) if items.len() == 20_000));
    assert!(DeTable::parse(&source.text).is_ok());
}
