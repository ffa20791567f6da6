use super::*;
use crate::fixtures::tell;
use proptest::prelude::*;

fn parse(body: &str) -> Result<Parsed, Failure> {
    parse_request(Bytes::copy_from_slice(body.as_bytes()))
}

/// A good request with some more fields.
fn with(fields: &str) -> String {
    format!(r#"{{"model":"m","messages":[{{"role":"user","content":"hi"}}],{fields}}}"#)
}

/// A good request with these messages.
fn of(messages: &str) -> String {
    format!(r#"{{"model":"m","messages":{messages}}}"#)
}

fn fault(body: &str) -> String {
    tell(&parse(body).unwrap_err())
}

const FULL: &str = r#" { "model" : "gpt-4" , "messages" : [ {"role":"system","content":"Be brief."} ,
  { "content" : [ {"type":"text","text":"What is"}, {"type":"image_url","image_url":{"url":"http://x/y.png"}},
    {"text":"this?","type":"text"} ] , "role" : "user" },
  {"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function","function":{"name":"look","arguments":"{}"}}]},
  {"role":"tool","tool_call_id":"c1","content":"a cat"} , {"role":"developer","content":""}
] ,"temperature":0.70, "max_tokens":10, "max_completion_tokens" : 20,"stream":true, "n":2,
 "stream_options": {"include_usage" : true, "x":1}, "top_k": 1.10, "extra":{"deep":[1e400,-0,12345678901234567890123]}, "" : null } "#;

#[test]
fn a_request_is_read_with_all_that_stages_need() {
    let parsed = parse(FULL).unwrap();
    assert_eq!(parsed.model, "gpt-4");
    assert_eq!(parsed.params.temperature, Some(0.7));
    assert_eq!(parsed.params.choices, Some(2));
    assert_eq!(
        parsed.params.max_tokens,
        Some(20),
        "the newer name goes before the older"
    );
    assert!(parsed.stream && parsed.include_usage);
    let turns: Vec<(Role, String)> = parsed.messages.iter().map(|m| (m.role, m.text().to_string())).collect();
    assert_eq!(
        turns,
        [
            (Role::System, "Be brief.".to_owned()),
            (Role::User, "What is\nthis?".to_owned()),
            (Role::Assistant, String::new()),
            (Role::Tool, "a cat".to_owned()),
            (Role::System, String::new()),
        ]
    );
}

#[test]
fn the_original_keeps_its_bytes_and_knows_its_fields() {
    let parsed = parse(FULL).unwrap();
    assert_eq!(parsed.original.patched(&[]), FULL);
    let table = [
        ("model", Some(r#""gpt-4""#)),
        ("temperature", Some("0.70")),
        ("stream_options", Some(r#"{"include_usage" : true, "x":1}"#)),
        ("top_k", Some("1.10")),
        ("extra", Some(r#"{"deep":[1e400,-0,12345678901234567890123]}"#)),
        ("", Some("null")),
        ("missing", None),
    ];
    for (name, expected) in table {
        assert_eq!(parsed.original.field(name), expected, "{name}");
    }
    let messages = parsed.original.field("messages").unwrap();
    assert!(
        messages.starts_with("[ {\"role\"") && messages.ends_with("\"\"}\n]"),
        "{messages}"
    );
    let names: Vec<&str> = parsed.original.fields.iter().map(|field| &*field.name).collect();
    assert_eq!(names[..3], ["model", "messages", "temperature"]);
}

#[test]
fn each_message_keeps_its_own_json() {
    let parsed = parse(FULL).unwrap();
    let raw: Vec<&str> = parsed
        .messages
        .iter()
        .map(|m| std::str::from_utf8(&m.raw).unwrap())
        .collect();
    assert_eq!(raw[0], r#"{"role":"system","content":"Be brief."}"#);
    assert!(
        raw[1].starts_with("{ \"content\"") && raw[1].ends_with("\"user\" }"),
        "{}",
        raw[1]
    );
    assert_eq!(raw[4], r#"{"role":"developer","content":""}"#);
}

#[test]
fn texts_without_escapes_are_slices_of_the_body() {
    let body = Bytes::from(of(
        r#"[{"role":"user","content":"plain"},{"role":"user","content":"esc\"aped"}]"#,
    ));
    let parsed = parse_request(body.clone()).unwrap();
    let inside = |text: &Text| body.as_ptr_range().contains(&text.as_ptr());
    assert!(inside(&parsed.model));
    assert!(inside(&parsed.messages[0].texts[0]));
    assert!(!inside(&parsed.messages[1].texts[0]));
    assert_eq!(parsed.messages[1].text(), "esc\"aped");
    assert!(body.as_ptr_range().contains(&parsed.messages[1].raw.as_ptr()));
    assert_eq!(parsed.original.body.as_ptr(), body.as_ptr());
}

#[test]
fn names_may_be_spelt_with_escapes() {
    let body = r#"{"mod\u0065l":"m","m\u0065ssages":[{"rol\u0065":"us\u0065r","c\u006fntent":"h\u0069"}]}"#;
    let parsed = parse(body).unwrap();
    assert_eq!((&*parsed.model, &*parsed.messages[0].text()), ("m", "hi"));
    assert_eq!(parsed.original.patched(&[]), body);
}

#[test]
fn null_counts_as_absent_where_a_field_is_optional() {
    for field in [
        "temperature",
        "max_tokens",
        "max_completion_tokens",
        "stream",
        "n",
        "stream_options",
        "model",
    ] {
        let body = format!(r#"{{"messages":[{{"role":"user","content":"a"}}],"{field}":null}}"#);
        let parsed = parse(&body).unwrap();
        assert_eq!(parsed.params, Params::default());
        assert!(!parsed.stream && !parsed.include_usage && parsed.model.is_empty());
    }
    assert!(
        !parse(&with(r#""stream_options":{"include_usage":null}"#))
            .unwrap()
            .include_usage
    );
    assert!(!parse(&with(r#""stream_options":{}"#)).unwrap().include_usage);
}

#[test]
fn a_request_without_a_model_is_left_to_the_door() {
    assert_eq!(
        parse(r#"{"messages":[{"role":"user","content":"a"}]}"#).unwrap().model,
        ""
    );
}

#[test]
fn what_is_wrong_in_a_field_is_named_with_what_is_allowed() {
    let table = [
        (
            r#""model2":1,"temperature":"hot""#,
            r#"temperature: `temperature` must be a number from 0 to 2, found the text "hot"."#,
        ),
        (
            r#""temperature":2.01"#,
            "temperature: `temperature` must be a number from 0 to 2, found the number 2.01.",
        ),
        (
            r#""temperature":-0.1"#,
            "temperature: `temperature` must be a number from 0 to 2, found the number -0.1.",
        ),
        (
            r#""temperature":1e400"#,
            "temperature: `temperature` must be a number from 0 to 2, found the number 1e400.",
        ),
        (
            r#""max_tokens":0"#,
            "max_tokens: `max_tokens` must be a whole number from 1 to 2147483647, found the number 0.",
        ),
        (
            r#""max_tokens":-5"#,
            "max_tokens: `max_tokens` must be a whole number from 1 to 2147483647, found the number -5.",
        ),
        (
            r#""max_tokens":1.5"#,
            "max_tokens: `max_tokens` must be a whole number from 1 to 2147483647, found the number 1.5.",
        ),
        (
            r#""max_completion_tokens":2147483648"#,
            "max_completion_tokens: `max_completion_tokens` must be a whole number from 1 to 2147483647, found the number 2147483648.",
        ),
        (
            r#""n":1000000"#,
            "n: `n` must be a whole number from 1 to 128, found the number 1000000.",
        ),
        (
            r#""n":-0"#,
            "n: `n` must be a whole number from 1 to 128, found the number -0.",
        ),
        (
            r#""stream":"yes""#,
            r#"stream: `stream` must be true or false, found the text "yes"."#,
        ),
        (
            r#""stream":1"#,
            "stream: `stream` must be true or false, found the number 1.",
        ),
        (
            r#""stream_options":[]"#,
            "stream_options: `stream_options` must be an object, found an array.",
        ),
        (
            r#""stream_options":{"include_usage":1}"#,
            "stream_options.include_usage: `stream_options.include_usage` must be true or false, found the number 1.",
        ),
        (
            r#""stream_options":{"include_usage":true,"include_usage":false}"#,
            "stream_options: `stream_options` is not valid: duplicate field `include_usage`.",
        ),
        (
            r#""stream":true,"stream":false"#,
            "stream: The field `stream` stands twice: say it once.",
        ),
        (r#""x":1,"\u0078":2"#, "x: The field `x` stands twice: say it once."),
    ];
    for (fields, expected) in table {
        assert_eq!(fault(&with(fields)), format!("invalid_request at {expected}"));
    }
}

#[test]
fn a_request_holds_no_more_messages_than_any_window() {
    let body = |count: usize| {
        let messages = vec![r#"{"role":"user","content":""}"#; count];
        format!(r#"{{"model":"m","messages":[{}]}}"#, messages.join(","))
    };
    assert_eq!(parse_request(body(100_000).into()).unwrap().messages.len(), 100_000);
    assert_eq!(
        fault(&body(100_001)),
        "invalid_request at messages: `messages` must hold at most 100000 messages."
    );
}

#[test]
fn what_is_wrong_in_a_model_is_named() {
    for (model, found) in [
        ("7", "the number 7"),
        ("\"\"", "the text \"\""),
        ("{}", "an object"),
        ("\"\\ud800\"", "a text"),
        (&*format!("\"{}\"", "m".repeat(257)), "a text"),
    ] {
        let body = format!(r#"{{"model":{model},"messages":[{{"role":"user","content":"a"}}]}}"#);
        assert_eq!(
            fault(&body),
            format!("invalid_request at model: `model` must be the name of a model, at most 256 bytes, found {found}.")
        );
    }
}

#[test]
fn what_is_wrong_in_messages_is_named_with_its_path() {
    let roles = "system, developer, user, assistant, tool or function";
    let missing = |at: &str| format!("{at}: `{at}` is missing: it must be a text or an array of parts.");
    let table = [
        ("[]", "messages: `messages` must hold at least one message.".to_owned()),
        ("null", "messages: `messages` must hold at least one message.".to_owned()),
        ("7", "messages: `messages` must be an array of messages, found the number 7.".to_owned()),
        ("{}", "messages: `messages` must be an array of messages, found an object.".to_owned()),
        (r#""my secret""#, "messages: `messages` must be an array of messages, found a text.".to_owned()),
        (r#"[7]"#, "messages[0]: `messages[0]` must be an object with `role` and `content`, found the number 7.".to_owned()),
        (r#"[[]]"#, "messages[0]: `messages[0]` must be an object with `role` and `content`, found an array.".to_owned()),
        (r#"[{"role":"user","content":"a"}, "b"]"#, r#"messages[1]: `messages[1]` must be an object with `role` and `content`, found the text "b"."#.to_owned()),
        (r#"[null]"#, "messages[0]: `messages[0]` must be an object with `role` and `content`, found null.".to_owned()),
        (r#"[{}]"#, format!("messages[0].role: `messages[0].role` is missing: it must be {roles}.")),
        (r#"[{"role":"robot","content":"a"}]"#, format!("messages[0].role: `messages[0].role` must be {roles}, found the text \"robot\".")),
        (r#"[{"role":"USER","content":"a"}]"#, format!("messages[0].role: `messages[0].role` must be {roles}, found the text \"USER\".")),
        (r#"[{"role":null,"content":"a"}]"#, format!("messages[0].role: `messages[0].role` must be {roles}, found null.")),
        (r#"[{"role":"user"}]"#, missing("messages[0].content")),
        (r#"[{"role":"user","content":null}]"#, missing("messages[0].content")),
        (r#"[{"role":"tool","tool_call_id":"x"}]"#, missing("messages[0].content")),
        (r#"[{"role":"user","content":7}]"#, "messages[0].content: `messages[0].content` must be a text or an array of parts, found the number 7.".to_owned()),
        (r#"[{"role":"user","content":[]}]"#, "messages[0].content: `messages[0].content` must hold at least one part.".to_owned()),
        (r#"[{"role":"user","content":["a b"]}]"#, "messages[0].content[0]: `messages[0].content[0]` must be an object with a `type`, found a text.".to_owned()),
        (r#"[{"role":"user","content":[{"type":"text","text":"a"},{"text":"b"}]}]"#, "messages[0].content[1].type: `messages[0].content[1].type` must be the type of a part, as text, found null.".to_owned()),
        (r#"[{"role":"user","content":[{"type":"text"}]}]"#, "messages[0].content[0].text: `messages[0].content[0].text` must be a text, found null.".to_owned()),
        (r#"[{"role":"user","content":[{"type":"text","text":{}}]}]"#, "messages[0].content[0].text: `messages[0].content[0].text` must be a text, found an object.".to_owned()),
        (r#"[{"role":"user","content":[{"type":"text","type":"image_url"}]}]"#, "messages[0].content[0]: `messages[0].content[0]` is not valid: duplicate field `type`.".to_owned()),
        (r#"[{"role":"user","content":"half \ud83d"}]"#, "messages[0].content: `messages[0].content` has a broken escape, such as half of a surrogate pair.".to_owned()),
        (r#"[{"role":"user","content":[{"type":"text","text":"\udc00"}]}]"#, "messages[0].content[0].text: `messages[0].content[0].text` has a broken escape, such as half of a surrogate pair.".to_owned()),
        (r#"[{"role":"user","content":"a","role":"system"}]"#, "messages[0].role: `messages[0].role` stands twice, or in a message with too many fields.".to_owned()),
        (r#"[{"role":"user","content":"a"},{"x":1,"x":2}]"#, "messages[1].x: `messages[1].x` stands twice, or in a message with too many fields.".to_owned()),
    ];
    for (messages, expected) in table {
        assert_eq!(
            fault(&of(messages)),
            format!("invalid_request at {expected}"),
            "{messages}"
        );
    }
    assert_eq!(
        fault(r#"{"model":"m"}"#),
        "invalid_request at messages: `messages` must hold at least one message."
    );
}

#[test]
fn an_assistants_turn_may_say_nothing() {
    for turn in [
        r#"{"role":"assistant"}"#,
        r#"{"role":"assistant","content":null,"tool_calls":[]}"#,
        r#"{"role":"assistant","refusal":"no"}"#,
    ] {
        let parsed = parse(&of(&format!("[{turn}]"))).unwrap();
        assert!(parsed.messages[0].texts.is_empty());
        assert_eq!(parsed.messages[0].raw, turn);
    }
}

#[test]
fn parts_that_are_no_text_stand_in_the_raw_message_only() {
    let parsed = parse(&of(
        r#"[{"role":"user","content":[{"type":"input_audio","input_audio":{}},{"type":"text","text":""},{"type":"new","text":7}]}]"#,
    ))
    .unwrap();
    assert_eq!(parsed.messages[0].texts.as_slice(), [""]);
}

#[test]
fn more_top_level_fields_than_anybody_needs_are_refused() {
    let fields: Vec<String> = (0..300).map(|i| format!("\"f{i}\":0")).collect();
    assert_eq!(
        fault(&with(&fields.join(","))),
        "invalid_request at -: The body has more than 256 fields."
    );
}

#[test]
fn a_hundred_thousand_messages_are_read() {
    let turn = r#"{"role":"user","content":"a"}"#;
    let parsed = parse(&of(&format!("[{}]", vec![turn; 100_000].join(",")))).unwrap();
    assert_eq!(parsed.messages.len(), 100_000);
    assert!(parsed.messages.iter().all(|message| message.raw == turn));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = parse_request(bytes.into());
    }

    #[test]
    fn no_broken_request_makes_it_panic(at in 0_usize..800, with in any::<u8>(), cut in any::<bool>()) {
        let mut body = FULL.as_bytes().to_vec();
        let at = at.min(body.len() - 1);
        if cut { body.truncate(at) } else { body[at] = with }
        if let Ok(parsed) = parse_request(body.clone().into()) {
            prop_assert_eq!(parsed.original.patched(&[]), body);
        }
    }

    #[test]
    fn what_was_said_is_what_is_read(texts in proptest::collection::vec(".{0,20}", 1..5), model in ".{1,10}") {
        let messages: Vec<_> = texts.iter().map(|text| serde_json::json!({"role": "user", "content": text})).collect();
        let body = serde_json::json!({"model": model, "messages": messages}).to_string();
        let parsed = parse(&body).unwrap();
        prop_assert_eq!(&*parsed.model, &*model);
        let read: Vec<String> = parsed.messages.iter().map(|message| message.text().to_string()).collect();
        prop_assert_eq!(read, texts);
    }
}
