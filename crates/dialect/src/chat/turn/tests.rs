use super::*;
use crate::fixtures::{prompt, tell};
use expect_test::expect;

/// What becomes of one message, in words.
fn turn(message: &str) -> Result<String, Failure> {
    let prompt = prompt(&format!(r#"{{"model":"m","messages":[{message}]}}"#));
    let turn = Turn::read(0, &prompt.request.messages[0])?;
    let pieces = turn.pieces.iter().map(|piece| match piece {
        Piece::Text(text) => format!("text {text:?}"),
        Piece::Image { media_type, base64 } => format!("image {media_type} {base64}"),
        Piece::Link { url, at } => format!("link {url} from {at}"),
    });
    let calls = turn
        .calls
        .iter()
        .map(|call| format!("call {} {} {}", call.id, call.name, call.input));
    let answers = turn.answers.iter().map(|id| format!("answers {id}"));
    let said: Vec<String> = pieces.chain(calls).chain(answers).collect();
    Ok(format!("{:?}: {}", turn.role, said.join(", ")))
}

#[test]
fn a_turn_is_taken_apart() {
    let table = [
        r#"{"role":"user","content":"hi \"there\""}"#,
        r#"{"role":"user","content":""}"#,
        r#"{"role":"developer","content":"be brief","name":"ops"}"#,
        r#"{"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":""},{"type":"image_url","image_url":{"url":"http://x/y.png","detail":"low"}}]}"#,
        r#"{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,iVBO=="}}]}"#,
        r#"{"role":"assistant","content":"Let me see.","tool_calls":[{"id":"c1","type":"function","function":{"name":"look","arguments":"{\"n\": 12345678901234567890123}"}}]}"#,
        r#"{"role":"assistant","content":null,"tool_calls":[{"id":"c1","function":{"name":"look","arguments":""}}]}"#,
        r#"{"role":"assistant","content":[{"type":"refusal","refusal":"No."}]}"#,
        r#"{"role":"assistant","refusal":"No."}"#,
        r#"{"role":"tool","tool_call_id":"c1","content":"a cat"}"#,
    ];
    let told: Vec<String> = table.into_iter().map(|message| turn(message).unwrap() + "\n").collect();
    expect![[r#"
        User: text "hi \"there\""
        User: 
        System: text "be brief"
        User: text "a", link http://x/y.png from messages[0].content[2].image_url.url
        User: image image/png iVBO==
        Assistant: text "Let me see.", call c1 look {"n": 12345678901234567890123}
        Assistant: call c1 look {}
        Assistant: text "No."
        Assistant: text "No."
        Tool: text "a cat", answers c1
    "#]]
    .assert_eq(&told.concat());
}

#[test]
fn what_cannot_be_carried_is_refused_with_its_path() {
    let table = [
        r#"{"role":"function","name":"f","content":"a"}"#,
        r#"{"role":"assistant","function_call":{"name":"f","arguments":"{}"}}"#,
        r#"{"role":"assistant","audio":{"id":"a"}}"#,
        r#"{"role":"user","content":[{"type":"text","text":"a"},{"type":"input_audio","input_audio":{}}]}"#,
        r#"{"role":"user","content":[{"type":"image_url"}]}"#,
        r#"{"role":"user","content":[{"type":"image_url","image_url":"http://x"}]}"#,
        r#"{"role":"user","content":[{"type":"image_url","image_url":{"url":"file:///etc/passwd"}}]}"#,
        r#"{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/svg+xml,<svg/>"}}]}"#,
        r#"{"role":"assistant","tool_calls":[{"id":"c1","type":"custom","custom":{}}]}"#,
        r#"{"role":"assistant","tool_calls":[{"id":"c1","function":{"name":"f","arguments":"{\"cut"}}]}"#,
        r#"{"role":"assistant","tool_calls":[{"id":"c1","function":{"name":"f","arguments":"[1]"}}]}"#,
        r#"{"role":"assistant","tool_calls":"x"}"#,
    ];
    let told: Vec<String> = table
        .into_iter()
        .map(|message| tell(&turn(message).unwrap_err()) + "\n")
        .collect();
    expect![[r#"
        invalid_request at messages[0].role: `messages[0].role` cannot be told to the worker that serves this model.
        invalid_request at messages[0].function_call: `messages[0].function_call` cannot be told to the worker that serves this model.
        invalid_request at messages[0].audio: `messages[0].audio` cannot be told to the worker that serves this model.
        invalid_request at messages[0].content[1]: `messages[0].content[1]` cannot be told to the worker that serves this model.
        invalid_request at messages[0].content[0]: `messages[0].content[0]` cannot be told to the worker that serves this model.
        invalid_request at messages[0].content[0].image_url: `messages[0].content[0].image_url` must be an object, found a text.
        invalid_request at messages[0].content[0].image_url.url: `messages[0].content[0].image_url.url` must be an http address or a data: URL in base64.
        invalid_request at messages[0].content[0].image_url.url: `messages[0].content[0].image_url.url` must be an http address or a data: URL in base64.
        invalid_request at messages[0].tool_calls[0]: `messages[0].tool_calls[0]` cannot be told to the worker that serves this model.
        invalid_request at messages[0].tool_calls[0].function.arguments: `messages[0].tool_calls[0].function.arguments` must be the text of a JSON object.
        invalid_request at messages[0].tool_calls[0].function.arguments: `messages[0].tool_calls[0].function.arguments` must be the text of a JSON object.
        invalid_request at messages[0]: `messages[0]` is not valid: expected a sequence.
    "#]].assert_eq(&told.concat());
}

#[test]
fn the_text_of_a_turn_leaves_its_images_out() {
    let prompt = prompt(
        r#"{"messages":[{"role":"user","content":[{"type":"text","text":"a"},{"type":"image_url","image_url":{"url":"http://x"}},{"type":"text","text":"b"}]}]}"#,
    );
    let turn = Turn::read(0, &prompt.request.messages[0]).unwrap();
    assert_eq!(turn.text(), "a\nb");
}
