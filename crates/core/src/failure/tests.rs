use super::*;
use expect_test::expect;
use std::{collections::BTreeSet, fmt::Write, io};

#[test]
fn every_code_has_one_word_one_culprit_and_one_answer_to_another_try() {
    let mut table = String::new();
    for code in Code::ALL {
        let retry = format!("{:?}", code.retry()).to_lowercase();
        writeln!(table, "{:24} {:9} {retry}", code.as_str(), code.blame().as_str()).unwrap();
    }
    expect![[r#"
        invalid_request          client    never
        context_length_exceeded  client    never
        invalid_api_key          client    never
        model_not_found          client    never
        request_too_large        client    never
        method_not_allowed       client    never
        not_found                client    never
        unsupported_media_type   client    never
        request_timeout          client    never
        id_in_use                client    never
        resume_not_possible      client    never
        slow_consumer            client    never
        server_is_overloaded     gateway   after
        server_draining          gateway   after
        breaker_open             gateway   after
        rate_limit_exceeded      upstream  after
        upstream_rejected        client    never
        upstream_credentials     upstream  never
        upstream_redirected      upstream  never
        upstream_connect         upstream  now
        upstream_error           upstream  now
        upstream_protocol        upstream  now
        upstream_truncated       upstream  now
        first_token_timeout      upstream  now
        idle_timeout             upstream  now
        retrieval_failed         gateway   never
        deadline_exceeded        gateway   never
        cancelled                client    never
        internal_error           gateway   never
    "#]]
    .assert_eq(&table);
}

#[test]
fn all_codes_stand_in_the_list_once_and_in_order() {
    assert!(Code::ALL.is_sorted());
    let words: BTreeSet<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
    assert_eq!(words.len(), Code::ALL.len());
}

#[test]
fn what_a_failure_is_given_it_tells() {
    let failure = Failure::invalid("messages[0]", "no")
        .with_status(422)
        .with_retry_after(Duration::from_secs(3));
    assert_eq!(failure.code(), Code::InvalidRequest);
    assert_eq!(failure.public(), "no");
    assert_eq!(failure.param(), Some("messages[0]"));
    assert_eq!(failure.status(), Some(422));
    assert_eq!(failure.retry_after(), Some(Duration::from_secs(3)));
    let bare = Failure::new(Code::Internal, "no");
    assert_eq!((bare.param(), bare.status(), bare.retry_after()), (None, None, None));
}

#[test]
fn the_cause_is_for_the_log_and_never_in_the_text() {
    let cause = io::Error::other("sk-secret at 10.0.0.1");
    let failure = Failure::new(Code::UpstreamConnect, "The worker cannot be reached.").with_source(cause);
    assert!(!format!("{failure} {failure:?}").contains("secret"));
    assert!(failure.source().unwrap().to_string().contains("secret"));
    assert_eq!(
        format!("{failure:?}"),
        "upstream_connect: The worker cannot be reached."
    );
    assert!(Failure::new(Code::Internal, "").source().is_none());
}

/// An error that wraps another and tells it, or leaves it to [`Error::source`].
#[derive(Debug)]
struct Wrapped(&'static str, Option<Box<Wrapped>>);

impl fmt::Display for Wrapped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl Error for Wrapped {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.1.as_deref().map(|cause| cause as &(dyn Error + 'static))
    }
}

#[test]
fn causes_are_told_from_the_nearest_to_the_last_and_none_twice() {
    let chain = |words: &[&'static str]| {
        let wrap = |inner, word: &&'static str| Some(Box::new(Wrapped(word, inner)));
        let outermost = words.iter().rev().fold(None, wrap).unwrap();
        Failure::new(Code::Internal, "").with_source(*outermost).causes()
    };
    let table: [(&[&str], &str); 3] = [
        (&["refused"], "refused"),
        (
            &["cannot connect", "refused", "errno 111"],
            "cannot connect: refused: errno 111",
        ),
        (
            &["cannot connect: refused", "refused", "errno 111"],
            "cannot connect: refused: errno 111",
        ),
    ];
    for (words, expected) in table {
        assert_eq!(chain(words).as_deref(), Some(expected), "{words:?}");
    }
    assert_eq!(Failure::new(Code::Internal, "").causes(), None);
}

#[test]
fn words_that_may_be_a_workers_or_repeat_a_clients_are_not_for_the_log() {
    let ours = |code: &Code| Failure::new(*code, "said").loggable() == "said";
    let told: Vec<&str> = Code::ALL.into_iter().filter(ours).map(Code::as_str).collect();
    let expected = [
        "server_is_overloaded",
        "server_draining",
        "breaker_open",
        "upstream_credentials",
        "upstream_redirected",
        "upstream_connect",
        "upstream_protocol",
        "upstream_truncated",
        "first_token_timeout",
        "idle_timeout",
        "retrieval_failed",
        "deadline_exceeded",
        "internal_error",
    ];
    assert_eq!(told, expected);
}

#[test]
fn a_change_to_a_copy_leaves_the_other_as_it_was() {
    let one = Failure::new(Code::RateLimited, "wait");
    let other = one.clone().with_retry_after(Duration::from_secs(1));
    assert_eq!(one.retry_after(), None);
    assert_ne!(one, other);
    assert_eq!(
        one,
        one.clone().with_source(io::Error::other("x")),
        "causes are not compared"
    );
}

#[test]
fn a_workers_status_says_whose_fault_it_was() {
    let table = [
        (302, Code::UpstreamProtocol),
        (400, Code::UpstreamRejected),
        (401, Code::UpstreamCredentials),
        (403, Code::UpstreamCredentials),
        (404, Code::UpstreamRejected),
        (408, Code::UpstreamError),
        (422, Code::UpstreamRejected),
        (429, Code::RateLimited),
        (499, Code::UpstreamRejected),
        (500, Code::UpstreamError),
        (503, Code::UpstreamError),
        (599, Code::UpstreamError),
    ];
    for (status, code) in table {
        let failure = Failure::refused(status, None);
        assert_eq!((failure.code(), failure.status()), (code, Some(status)));
        let theirs = Failure::refused(status, Some("too hot".to_owned()));
        let passed_on = !matches!(code, Code::UpstreamCredentials | Code::UpstreamProtocol);
        assert_eq!(theirs.public() == "too hot", passed_on, "{status}: {}", theirs.public());
    }
    assert_eq!(
        Failure::refused(503, None).public(),
        "The worker answered with status 503."
    );
}
