use super::*;
use crate::Config;
use proptest::prelude::*;

fn passage(source: &str, text: &str) -> Passage {
    Passage {
        source: source.into(),
        text: text.into(),
        score: 1.0,
    }
}

#[test]
fn the_usual_template_puts_each_passage_under_its_source() {
    let template = Template::parse(&Config::default().template).unwrap();
    let text = template
        .render(&[passage("a.md", "One."), passage("b.md#x", "Two.")], "?")
        .unwrap();
    assert!(text.starts_with("Answer with the help of these passages."), "{text}");
    assert!(
        text.contains("\n[a.md]\nOne.\n") && text.contains("\n[b.md#x]\nTwo.\n"),
        "{text}"
    );
}

#[test]
fn a_broken_template_names_the_line() {
    let error = Template::parse("fine\nstill fine\n{% for x in %}").unwrap_err();
    let Error::Template { line, .. } = &error;
    assert_eq!(*line, 3, "{error}");
}

#[test]
fn a_name_that_does_not_exist_is_a_failure_and_not_an_empty_text() {
    let template = Template::parse("{{ pasages }}").unwrap();
    assert_eq!(template.render(&[], "?").unwrap_err().code(), Code::Internal);
}

#[test]
fn the_log_hears_where_a_template_failed_and_nothing_of_what_it_was_given() {
    for (template, kind) in [
        ("\n{{ pasages }}", "undefined value"),
        ("\n{% include question %}", "template not found"),
    ] {
        let failure = Template::parse(template).unwrap().render(&[], "a secret").unwrap_err();
        let causes = failure.causes().unwrap();
        assert_eq!(causes, format!("the template is not valid in line 2: {kind}"));
    }
}

#[test]
fn a_template_cannot_run_for_ever() {
    let template = Template::parse("{% for a in range(10000) %}{% for b in range(10000) %}{% endfor %}{% endfor %}");
    let failure = template.map(|template| template.render(&[], "?").unwrap_err());
    // An environment without globals does not even know `range`; with them, the fuel would end it.
    assert!(failure.is_err() || failure.is_ok_and(|failure| failure.code() == Code::Internal));
}

#[test]
fn a_template_that_repeats_what_it_gets_is_bounded() {
    let template = Template::parse("{% for p in passages %}{{ question }}{% endfor %}").unwrap();
    let many = vec![passage("s", "t"); 1000];
    let failure = template.render(&many, &"x".repeat(10_000)).unwrap_err();
    assert_eq!(failure.public(), "The server's prompt template yields too long a text.");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// What documents and users say comes out as it went in, whatever it looks like.
    #[test]
    fn values_are_never_read_as_template(text in ".{0,80}", question in "(\\{\\{|\\{%|%\\}|\\}\\}|.){0,20}") {
        let template = Template::parse("{% for p in passages %}{{ p.text }}{% endfor %}|{{ question }}").unwrap();
        let rendered = template.render(&[passage("s", &text)], &question).unwrap();
        prop_assert_eq!(rendered, format!("{text}|{question}"));
    }
}
