use super::*;
use futures_util::TryStreamExt;
use orchestrator_testkit::{chat, prompt, text_of};
use proptest::prelude::*;
use tokio::time::Instant;

async fn all(echo: Echo, prompt: &Prompt, max_tokens: Option<u64>, stream: bool) -> Vec<Chunk> {
    let answered = echo.call(prompt, max_tokens, stream).await;
    let rest: Vec<Vec<Chunk>> = answered.rest.try_collect().await.unwrap();
    answered.first.into_iter().chain(rest.into_iter().flatten()).collect()
}

const ECHO: Echo = Echo { delay: Duration::ZERO };

#[tokio::test]
async fn a_stream_says_the_question_word_by_word_and_ends_with_its_usage() {
    let chunks = all(ECHO, &prompt("Hello there, world"), None, true).await;
    assert_eq!(text_of(&chunks), "Hello there, world");
    assert_eq!(chunks.len(), 5, "three words, the finish and the usage");
    assert_eq!(chunks[3].deltas[0].kind, Kind::Finish(FinishReason::Stop));
    let usage = Usage {
        prompt_tokens: 3,
        completion_tokens: 3,
        ..Usage::default()
    };
    assert_eq!(chunks[4].deltas[0].kind, Kind::Usage(usage));
}

#[tokio::test]
async fn a_whole_answer_is_one_chunk() {
    let chunks = all(ECHO, &prompt("Hello there"), None, false).await;
    assert_eq!((chunks.len(), text_of(&chunks)), (1, "Hello there".to_owned()));
}

#[tokio::test]
async fn the_requests_limit_goes_before_the_stages() {
    let limited = Prompt {
        request: Box::new(chat(
            r#"{"model":"m","max_tokens":1,"messages":[{"role":"user","content":"a b c"}]}"#,
        )),
        ..prompt("")
    };
    for (prompt, limit, expected) in [
        (&limited, Some(2), "a"),
        (&prompt("a b c"), Some(2), "a b"),
        (&prompt("a b"), Some(2), "a b"),
    ] {
        let chunks = all(ECHO, prompt, limit, true).await;
        assert_eq!(text_of(&chunks), expected);
        let cut = chunks
            .iter()
            .any(|chunk| chunk.deltas[0].kind == Kind::Finish(FinishReason::Length));
        assert_eq!(
            cut,
            expected != "a b" || limit != Some(2) || prompt.request.messages[0].text() == "a b c"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn each_token_waits_its_turn() {
    let began = Instant::now();
    let slow = Echo {
        delay: Duration::from_millis(100),
    };
    let answered = slow.call(&prompt("one two"), None, true).await;
    assert_eq!(began.elapsed(), Duration::from_millis(100), "the first token");
    let _rest: Vec<Vec<Chunk>> = answered.rest.try_collect().await.unwrap();
    assert_eq!(
        began.elapsed(),
        Duration::from_millis(400),
        "one more, the finish and the usage"
    );
}

#[tokio::test]
async fn an_empty_question_has_an_empty_answer_that_is_finished() {
    let chunks = all(ECHO, &prompt(""), None, true).await;
    assert!(chunks.iter().any(|chunk| {
        chunk
            .deltas
            .iter()
            .any(|delta| delta.kind == Kind::Finish(FinishReason::Stop))
    }));
    assert_eq!(text_of(&chunks), "");
}

proptest! {
    #[test]
    fn words_joined_are_the_text_again(text in "[a-z \n\tä€🙂]{0,60}") {
        let words = split(&text);
        let joined: String = words.iter().map(|word| &**word).collect();
        prop_assert_eq!(joined, text);
    }
}
