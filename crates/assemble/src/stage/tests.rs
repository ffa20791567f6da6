use super::*;
use orchestrator_core::{Ledger, Priority, RequestId, answer};
use orchestrator_testkit::{chat, request};
use std::time::Duration;
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
    let assemble = Assemble::build(config).unwrap();
    let (writer, _client) = answer(
        Instant::now() + Duration::from_secs(9),
        Priority::Normal,
        Ledger::generous(),
    );
    let mut cx = Cx::new(RequestId::mint(0, [0; 10]), writer);
    match assemble
        .run(
            &mut cx,
            Grounded {
                request: Box::new(request),
                passages,
            },
        )
        .await
        .unwrap()
    {
        Flow::Next(prompt) => prompt,
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
    let builtin_missing = Assemble::build(&config).is_err();
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
    let error = Assemble::build(&config).unwrap_err().to_string();
    assert!(error.starts_with("the template is not valid in line 1"), "{error}");
}
