use super::*;
use expect_test::{Expect, expect};

fn finding() -> Finding {
    Finding {
        file: Some("pipeline.toml".into()),
        place: Some(Place {
            line: 12,
            column: 1,
            length: 5,
        }),
        source: Some("modle = \"gpt\"".to_owned()),
        ..Finding::error(&Path::of("workers.w.modle"), "unknown key `modle`")
            .allowed("`model`")
            .help("did you mean `model`?")
    }
}

fn shown(finding: &Finding, expected: &Expect) {
    expected.assert_eq(&finding.to_string());
}

#[test]
fn a_finding_shows_what_where_and_how_to_mend_it() {
    shown(
        &finding(),
        &expect![[r#"
            error: unknown key `modle`
              --> pipeline.toml:12:1
               |
            12 | modle = "gpt"
               | ^^^^^
               |
               = field: workers.w.modle
               = allowed: `model`
               = help: did you mean `model`?"#]],
    );
}

#[test]
fn a_warning_says_that_it_is_one() {
    let warning = Finding::warning(&Path::of("workers.w"), "no stage uses it");
    shown(
        &warning,
        &expect![[r#"
            warning: no stage uses it
             |
             = field: workers.w"#]],
    );
}

#[test]
fn a_line_that_is_too_long_is_not_shown() {
    let long = Finding {
        source: None,
        ..finding()
    };
    assert!(long.to_string().contains("pipeline.toml:12:1\n"), "{long}");
}

#[test]
fn what_comes_from_outside_is_named_by_its_variable() {
    let outside = Finding {
        file: None,
        variable: Some("ORCHESTRATOR__SERVER__THREADS".into()),
        place: None,
        source: None,
        ..finding()
    };
    assert!(
        outside
            .to_string()
            .contains("--> environment: ORCHESTRATOR__SERVER__THREADS\n"),
        "{outside}"
    );
}

#[test]
fn a_document_as_a_whole_has_no_place() {
    let whole = Finding {
        file: Some("none.toml".into()),
        ..Finding::error(&Path::default(), "the file cannot be read")
    };
    shown(
        &whole,
        &expect![[r#"
        error: the file cannot be read
        --> none.toml"#]],
    );
}

#[test]
fn the_mark_stands_under_characters_of_any_width() {
    let wide = Finding {
        place: Some(Place {
            line: 1,
            column: 5,
            length: 2,
        }),
        source: Some("名 = 日本".to_owned()),
        path: Path::default(),
        allowed: None,
        help: None,
        ..finding()
    };
    shown(
        &wide,
        &expect![[r#"
            error: unknown key `modle`
             --> pipeline.toml:1:5
              |
            1 | 名 = 日本
              |      ^^^^"#]],
    );
}

#[test]
fn a_place_beyond_its_line_is_shown_at_its_end() {
    for (column, length) in [(99, 1), (14, 1), (1, 99), (usize::MAX, usize::MAX)] {
        let place = Some(Place {
            line: 1,
            column,
            length,
        });
        let beyond = Finding { place, ..finding() };
        assert!(beyond.to_string().contains("modle = \"gpt\""), "{beyond}");
    }
}

#[test]
fn colours_are_for_terminals_and_control_characters_for_nobody() {
    let coloured = finding().coloured();
    assert!(coloured.contains("\u{1b}[") && !finding().to_string().contains('\u{1b}'));
    let bold = Finding::error(&Path::default(), "\u{1b}[31mred")
        .help("\u{1b}[31mred")
        .allowed("\u{1b}[31mred");
    assert!(!bold.to_string().contains('\u{1b}'));
}

#[test]
fn json_holds_the_same() {
    let json = serde_json::to_string_pretty(&finding()).unwrap();
    expect![[r#"
        {
          "severity": "error",
          "file": "pipeline.toml",
          "place": {
            "line": 12,
            "column": 1,
            "length": 5
          },
          "source": "modle = \"gpt\"",
          "path": "workers.w.modle",
          "message": "unknown key `modle`",
          "allowed": "`model`",
          "help": "did you mean `model`?"
        }"#]]
    .assert_eq(&json);
    let bare = serde_json::to_string(&Finding::warning(&Path::default(), "m")).unwrap();
    assert_eq!(bare, r#"{"severity":"warning","path":"","message":"m"}"#);
}

#[test]
fn findings_stand_apart() {
    let findings = Findings(vec![finding(), finding()]);
    assert_eq!(findings.to_string(), format!("{0}\n\n{0}", finding()));
}
