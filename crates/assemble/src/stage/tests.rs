use super::*;
use crate::count::tests::counter;
use orchestrator_core::{Code, Ledger, Priority, RequestId, answer};
use orchestrator_testkit::{chat, cx, request};
use proptest::{collection::vec, prelude::*};
use std::{future::Future, task::Poll, time::Duration};
use tokio::time::Instant;

fn passages() -> Vec<Passage> {
    let passage = |source: &str, text: &str| Passage {
        source: source.into(),
        text: text.into(),
        score: 1.0,
    };
    vec![
        passage("a.md", "The sky is \"blue\".\n"),
        passage("b.md", "Grass is green."),
    ]
}

async fn run(config: &Config, request: Request, passages: Vec<Passage>) -> Prompt {
    try_run(config, Target::default(), request, passages).await.unwrap()
}

fn build(config: &Config, target: Target) -> Result<Assemble, Error> {
    Assemble::build(config, target, Blocking::new(1))
}

async fn try_run(config: &Config, target: Target, request: Request, passages: Vec<Passage>) -> Result<Prompt, Failure> {
    let assemble = build(config, target).unwrap();
    let (writer, _client) = answer(
        Instant::now() + Duration::from_secs(9),
        Priority::Normal,
        Ledger::generous(),
    );
    let mut cx = Cx::new(RequestId::mint(0, [0; 10]), writer);
    let request = Box::new(request);
    match assemble.run(&mut cx, Grounded { request, passages }).await? {
        Flow::Next(prompt) => Ok(prompt),
        other => panic!("assembly always goes on, not {other:?}"),
    }
}

#[tokio::test]
async fn a_request_without_passages_passes_as_it_came() {
    let before = request("hello");
    let prompt = run(&Config::default(), before.clone(), Vec::new()).await;
    assert!(!prompt.rewritten && prompt.grounding.is_empty());
    assert_eq!(
        (prompt.request.messages, prompt.request.original),
        (before.messages, before.original)
    );
}

#[tokio::test]
async fn assembly_that_is_switched_off_passes_requests_as_they_came() {
    let off = Config {
        enabled: false,
        ..Config::default()
    };
    let prompt = run(&off, request("hello"), passages()).await;
    assert!(!prompt.rewritten && prompt.grounding.is_empty());
    assert_eq!(prompt.request.messages.len(), 1);
}

#[tokio::test]
async fn passages_stand_in_a_system_message_before_the_conversation() {
    let body = r#"{"model":"m","messages":[{"role":"system","content":"Be kind."},{"role":"user","content":"Why?"}]}"#;
    let prompt = run(&Config::default(), chat(body), passages()).await;
    let roles: Vec<Role> = prompt.request.messages.iter().map(|message| message.role).collect();
    assert_eq!(roles, [Role::System, Role::System, Role::User]);
    assert_eq!(prompt.grounding, ["a.md", "b.md"]);
    assert!(prompt.rewritten);
    assert_eq!(
        prompt.request.original.body,
        body.as_bytes(),
        "the client's body is kept beside the view"
    );
}

#[tokio::test]
async fn the_new_message_is_valid_json_with_the_text_that_stages_read() {
    let prompt = run(&Config::default(), request("Why?"), passages()).await;
    let message = &prompt.request.messages[0];
    let raw: serde_json::Value = serde_json::from_slice(&message.raw).unwrap();
    assert_eq!(
        raw,
        serde_json::json!({ "role": "system", "content": &*message.text() })
    );
    assert!(message.text().contains("The sky is \"blue\"."));
}

#[tokio::test]
async fn a_template_sees_the_question() {
    let config = Config {
        template: "{{ question }} -> {{ passages | length }}".to_owned(),
        ..Config::default()
    };
    let builtin_missing = build(&config, Target::default()).is_err();
    assert!(
        !builtin_missing,
        "a filter that is not known shows when it is used, not when it is read"
    );
    let config = Config {
        template: "Q: {{ question }}".to_owned(),
        ..Config::default()
    };
    let prompt = run(&config, request("Why?"), passages()).await;
    assert_eq!(&*prompt.request.messages[0].text(), "Q: Why?");
}

#[test]
fn a_broken_template_is_refused_when_the_stage_is_built() {
    let config = Config {
        template: "{{ open".to_owned(),
        ..Config::default()
    };
    let error = build(&config, Target::default()).unwrap_err().to_string();
    assert!(error.starts_with("the template is not valid in line 1"), "{error}");
}

const WINDOW: u64 = 100;

/// A conversation of exchanges with this many bytes a turn, after a system turn; the model's vocabulary is not known.
fn conversation(exchanges: usize, bytes: usize) -> Request {
    let turn = |role: &str, nth: usize| {
        let text = format!("{nth}{}", "x".repeat(bytes.saturating_sub(1)));
        format!(r#"{{"role":"{role}","content":"{text}"}}"#)
    };
    let mut turns = vec![r#"{"role":"system","content":"Be kind."}"#.to_owned()];
    for nth in 1..exchanges {
        turns.extend([turn("user", nth), turn("assistant", nth)]);
    }
    turns.push(turn("user", exchanges));
    chat(format!(r#"{{"model":"local","messages":[{}]}}"#, turns.join(",")))
}

fn windowed() -> Config {
    Config {
        context_window: Some(WINDOW),
        template: "{% for passage in passages %}{{ passage.text }}{% endfor %}".to_owned(),
        ..Config::default()
    }
}

/// The first letters of what the turns say.
fn turns(prompt: &Prompt) -> String {
    let first = |message: &Message| message.text().chars().next().unwrap();
    prompt.request.messages.iter().map(first).collect()
}

#[tokio::test]
async fn a_conversation_that_fits_is_not_touched() {
    let before = conversation(2, 30);
    let prompt = run(&windowed(), before.clone(), Vec::new()).await;
    assert!(!prompt.rewritten);
    assert_eq!(prompt.request.messages, before.messages);
}

#[tokio::test]
async fn the_oldest_exchanges_go_until_the_rest_fits() {
    let prompt = run(&windowed(), conversation(5, 60), Vec::new()).await;
    assert!(prompt.rewritten);
    assert_eq!(turns(&prompt), "B445");
}

#[tokio::test]
async fn passages_go_before_turns_and_the_worst_first() {
    let passage = |name: &str| Passage {
        source: name.into(),
        text: name.repeat(60).into(),
        score: 1.0,
    };
    let three = vec![passage("a"), passage("b"), passage("c")];
    let prompt = run(&windowed(), conversation(2, 30), three.clone()).await;
    assert_eq!((prompt.grounding.len(), turns(&prompt)), (2, "aB112".to_owned()));
    let prompt = run(&windowed(), conversation(2, 60), three).await;
    assert_eq!((prompt.grounding.len(), turns(&prompt)), (0, "B112".to_owned()));
    assert!(!prompt.rewritten, "the client's body holds again");
}

#[tokio::test]
async fn room_is_kept_for_the_answer_and_for_the_tools() {
    let asked = |more: &str| {
        let text = "x".repeat(150);
        chat(format!(
            r#"{{"model":"local","messages":[{{"role":"user","content":"old"}},{{"role":"user","content":"{text}"}}]{more}}}"#
        ))
    };
    let turns_left = |prompt: Result<Prompt, Failure>| prompt.unwrap().request.messages.len();
    let none = Target::default;
    assert_eq!(turns_left(try_run(&windowed(), none(), asked(""), Vec::new()).await), 2);
    let answer = asked(r#","max_tokens":40"#);
    assert_eq!(turns_left(try_run(&windowed(), none(), answer, Vec::new()).await), 1);
    let usual = Target {
        max_tokens: Some(40),
        ..Target::default()
    };
    assert_eq!(turns_left(try_run(&windowed(), usual, asked(""), Vec::new()).await), 1);
    let tools = asked(&format!(r#","tools":[{{"name":"{}"}}]"#, "y".repeat(110)));
    assert_eq!(turns_left(try_run(&windowed(), none(), tools, Vec::new()).await), 1);
}

#[tokio::test]
async fn what_must_stay_and_does_not_fit_is_refused_with_both_numbers() {
    let failure = try_run(&windowed(), Target::default(), conversation(3, 600), Vec::new()).await;
    let failure = failure.unwrap_err();
    assert_eq!(
        (failure.code(), failure.param()),
        (Code::ContextLengthExceeded, Some("messages"))
    );
    assert_eq!(
        failure.public(),
        "This model's context window is 100 tokens, but the messages take at least 214 and 0 are asked for the answer. \
         Shorten the messages or ask for less."
    );
}

#[tokio::test]
async fn the_windows_of_known_models_are_known_also_by_the_name_that_the_worker_uses() {
    let long = |model: &str| {
        let text = "word ".repeat(9_000);
        chat(format!(
            r#"{{"model":"{model}","messages":[{{"role":"user","content":"{text}"}}]}}"#
        ))
    };
    let run = async |model: &str, upstream: Option<&'static str>| {
        let target = Target {
            model: Some(Arc::new(move |_| upstream.map(Text::from))),
            ..Target::default()
        };
        let prompt = try_run(&Config::default(), target, long(model), Vec::new()).await;
        prompt.map(drop).map_err(|failure| failure.code())
    };
    assert_eq!(run("gpt-4", None).await, Err(Code::ContextLengthExceeded));
    assert_eq!(run("fast", Some("gpt-4")).await, Err(Code::ContextLengthExceeded));
    assert_eq!(run("gpt-4", Some("gpt-4o")).await, Ok(()));
    assert_eq!(run("llama", None).await, Ok(()), "nobody knows its window");
}

/// A count of so many blanks takes many times as long as this test may.
#[tokio::test]
async fn a_count_stops_and_gives_its_place_back_when_the_client_has_left() {
    let blocking = Blocking::new(1);
    let config = Config {
        context_window: Some(100_000_000),
        ..Config::default()
    };
    let assemble = Assemble::build(&config, Target::default(), blocking.clone()).unwrap();
    let blanks = " ".repeat(32 << 20);
    let body =
        format!(r#"{{"model":"gpt-4o","max_tokens":99999000,"messages":[{{"role":"user","content":"{blanks}"}}]}}"#);
    let long = Grounded {
        request: Box::new(chat(body)),
        passages: Vec::new(),
    };
    let (mut cx, _client) = cx(Instant::now() + Duration::from_secs(600));
    let mut run = Box::pin(assemble.run(&mut cx, long));
    let waits = std::future::poll_fn(|cx| Poll::Ready(run.as_mut().poll(cx).is_pending()));
    assert!(waits.await);
    drop(run);
    let next = tokio::time::timeout(Duration::from_secs(10), blocking.run(|| ())).await;
    assert_eq!(next, Ok(Ok(())));
}

/// What is left when passages go one by one from the end until the prompt fits, the plain way; `None` when turns must go.
fn plainly(config: &Config, request: &Request, passages: &[Passage]) -> Option<usize> {
    let template = Template::parse(&config.template).unwrap();
    let fits = |count: usize| {
        let grounding = (count > 0).then(|| system(template.render(&passages[..count], "").unwrap()));
        let turns = grounding.iter().chain(&request.messages);
        conversation_of(turns) <= config.context_window.unwrap()
    };
    (0..=passages.len()).rev().find(|count| fits(*count))
}

fn conversation_of<'a>(turns: impl Iterator<Item = &'a Message>) -> u64 {
    let counter = counter("local");
    crate::count::conversation(turns.map(|message| counter.turn(message)))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn as_many_passages_stay_as_when_they_go_one_by_one(
        lengths in vec(0_usize..120, 0..12), exchanges in 1_usize..3, bytes in 1_usize..40, window in 64_u64..400,
    ) {
        let passage = |(nth, length): (usize, &usize)| Passage {
            source: nth.to_string().into(),
            text: "p".repeat(*length).into(),
            score: 1.0,
        };
        let passages: Vec<Passage> = lengths.iter().enumerate().map(passage).collect();
        let config = Config { context_window: Some(window), ..windowed() };
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let request = runtime.block_on(async { conversation(exchanges, bytes) });
        let prompt = runtime.block_on(run(&config, request.clone(), passages.clone()));
        match plainly(&config, &request, &passages) {
            Some(kept) => {
                prop_assert_eq!(prompt.grounding.len(), kept);
                prop_assert_eq!(prompt.rewritten, kept > 0);
                prop_assert_eq!(prompt.request.messages.len(), request.messages.len() + usize::from(kept > 0));
            }
            None => {
                prop_assert!(prompt.grounding.is_empty() && prompt.rewritten);
                prop_assert!(prompt.request.messages.len() < request.messages.len());
            }
        }
        prop_assert!(conversation_of(prompt.request.messages.iter()) <= window);
    }
}

#[tokio::test]
async fn a_hundred_passages_too_many_cost_a_handful_of_renderings() {
    let passages: Vec<Passage> = (0..100)
        .map(|nth: u32| Passage {
            source: nth.to_string().into(),
            text: "word ".repeat(20).into(),
            score: 1.0,
        })
        .collect();
    let maker = build(&windowed(), Target::default()).unwrap().maker;
    for fitting in [0, 1, 37, 99, 100] {
        let looks = std::cell::Cell::new(0);
        let request = request("Why?");
        let (best, grounding) = maker
            .best(&request, &passages, |message| {
                looks.set(looks.get() + 1);
                message.text().len() <= fitting * 100
            })
            .unwrap();
        assert_eq!((best.len(), grounding.is_some()), (fitting, fitting > 0));
        assert!(looks.get() <= 7, "{}", looks.get());
    }
}

#[tokio::test]
async fn a_template_that_fails_on_what_it_is_given_fails_the_request_and_nothing_else() {
    let config = Config {
        template: "{{ passages | no_such_filter }}".to_owned(),
        ..Config::default()
    };
    let failure = try_run(&config, Target::default(), request("Why?"), passages())
        .await
        .unwrap_err();
    assert_eq!(failure.code(), Code::Internal);
    let untouched = try_run(&config, Target::default(), request("Why?"), Vec::new()).await;
    assert!(
        !untouched.unwrap().rewritten,
        "without passages the template is not used"
    );
}

#[tokio::test]
async fn a_request_for_a_model_whose_name_begins_like_a_small_one_is_not_cut_to_its_window() {
    let text = "word ".repeat(9_000);
    for model in ["adapter-7b", "gpt-4-turbo"] {
        let body = format!(r#"{{"model":"{model}","messages":[{{"role":"user","content":"{text}"}}]}}"#);
        assert!(
            !run(&Config::default(), chat(body), Vec::new()).await.rewritten,
            "{model}"
        );
    }
}
