use super::*;
use futures_util::StreamExt;
use orchestrator_core::{Code, Ledger, Priority, RequestId, answer};
use orchestrator_testkit::{
    chat, prompt,
    scripted::{self, Call},
    text_of,
};
use std::time::Duration;
use tokio::time::Instant;

/// What the stage makes of a prompt, and the choices that the rest of the line is told to expect.
async fn run(model: &scripted::Model, prompt: Prompt) -> (Result<Flow<Reply>, Failure>, u32) {
    let deadline = Instant::now() + Duration::from_secs(9);
    let (writer, _client) = answer(deadline, Priority::Normal, Ledger::generous());
    let mut cx = Cx::new(RequestId::mint(0, [0; 10]), writer);
    let stage = Inference::new(Arc::new(model.clone()));
    let flow = stage.run(&mut cx, prompt).await;
    (flow, cx.choices())
}

#[tokio::test(start_paused = true)]
async fn a_prompt_goes_to_the_model_and_its_reply_goes_on() {
    let model = scripted::Model::saying(["a", "b"]);
    let (flow, choices) = run(&model, prompt("hello")).await;
    let Ok(Flow::Next(reply)) = flow else {
        panic!("a reply goes on, not {flow:?}")
    };
    let batches: Vec<_> = reply.events.collect().await;
    let said: String = batches.into_iter().map(|batch| text_of(batch.unwrap())).collect();
    assert_eq!((said.as_str(), choices, model.calls()), ("ab", 1, 1));
    assert_eq!(model.prompts(), ["hello"]);
}

#[tokio::test(start_paused = true)]
async fn a_request_for_several_choices_says_so_to_the_rest_of_the_line() {
    let several = Prompt {
        request: Box::new(chat(
            r#"{"model":"m","n":3,"messages":[{"role":"user","content":"x"}]}"#,
        )),
        ..prompt("")
    };
    assert_eq!(run(&scripted::Model::saying(["a"]), several).await.1, 3);
}

#[tokio::test(start_paused = true)]
async fn a_failure_before_the_first_token_is_the_stages() {
    let model = scripted::Model::following([Call::new().fail(Failure::new(Code::UpstreamError, "full"))]);
    let (flow, _) = run(&model, prompt("hello")).await;
    assert_eq!(flow.unwrap_err().code(), Code::UpstreamError);
}
