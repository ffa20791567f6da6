use super::*;
use crate::fixtures::prompt;
use orchestrator_core::Role;
use proptest::prelude::*;
use smallvec::smallvec;

const BODY: &str = r#"{ "model": "gpt-4", "messages": [ {"role":"user","content":"hi","x":1.10} ], "seed": 12345678901234567890123, "top_p": 0.10 }"#;

fn ask(body: &str, target: &Target<'_>) -> String {
    asked(&prompt(body), target)
}

fn asked(prompt: &Prompt, target: &Target<'_>) -> String {
    String::from_utf8(render(Protocol::Chat, prompt, target).unwrap().to_vec()).unwrap()
}

fn stream() -> Target<'static> {
    Target {
        stream: true,
        ..Target::default()
    }
}

#[test]
fn a_body_that_need_not_differ_is_the_clients() {
    assert_eq!(ask(BODY, &Target::default()), BODY);
    let prompt = prompt(BODY);
    let same = render(Protocol::Chat, &prompt, &Target::default()).unwrap();
    assert_eq!(
        same.as_ptr(),
        prompt.request.original.body.as_ptr(),
        "and it is not copied"
    );
    let all = r#"{"model":"\u006d","messages":[{"role":"user","content":""}],"stream":true,"stream_options":{ "include_usage":true},"max_tokens":5,"temperature":0.0}"#;
    let target = Target {
        model: Some("m"),
        max_tokens: Some(7),
        temperature: Some(1.0),
        stream: true,
    };
    assert_eq!(ask(all, &target), all);
}

#[test]
fn a_worker_with_a_model_is_asked_for_it() {
    let target = Target {
        model: Some("my \"model\""),
        ..Target::default()
    };
    let expected = BODY.replace("{ \"model\": \"gpt-4\", ", r#"{"model":"my \"model\"","#);
    let expected = expected
        .replace(", \"seed\": ", ",\"seed\":")
        .replace(", \"top_p\": ", ",\"top_p\":");
    let expected = expected.replace("\"messages\": [", "\"messages\":[").replace(" }", "}");
    assert_eq!(ask(BODY, &target), expected);
}

#[test]
fn a_default_model_of_the_door_is_said() {
    let mut prompt = prompt(r#"{"messages":[{"role":"user","content":"a"}]}"#);
    prompt.request.model = "d".into();
    assert_eq!(
        asked(&prompt, &Target::default()),
        r#"{"messages":[{"role":"user","content":"a"}],"model":"d"}"#
    );
}

#[test]
fn defaults_fill_what_the_request_leaves_open_and_nothing_else() {
    let turn = r#"{"model":"m","messages":[{"role":"user","content":"a"}]"#;
    let target = Target {
        max_tokens: Some(64),
        temperature: Some(0.7),
        ..Target::default()
    };
    let table = [
        ("}", r#","max_tokens":64,"temperature":0.7}"#),
        (r#","max_tokens":null}"#, r#","max_tokens":64,"temperature":0.7}"#),
        (r#","temperature":1}"#, r#","temperature":1,"max_tokens":64}"#),
        (
            r#","max_completion_tokens":5}"#,
            r#","max_completion_tokens":5,"temperature":0.7}"#,
        ),
        (
            r#","max_tokens":5,"temperature":2}"#,
            r#","max_tokens":5,"temperature":2}"#,
        ),
    ];
    for (said, expected) in table {
        assert_eq!(ask(&format!("{turn}{said}"), &target), format!("{turn}{expected}"));
    }
}

#[test]
fn the_limit_has_the_name_that_the_model_knows() {
    let table = [
        ("gpt-4", "max_tokens"),
        ("gpt-4o-mini", "max_tokens"),
        ("llama-3", "max_tokens"),
        ("olmo-2", "max_tokens"),
        ("o3-mini", "max_completion_tokens"),
        ("gpt-5.1", "max_completion_tokens"),
        ("openai/o1", "max_completion_tokens"),
        ("", "max_tokens"),
    ];
    let unsaid = prompt(BODY);
    for (model, expected) in table {
        let field = limit_field(&unsaid.request.original, model);
        assert_eq!(field, expected, "{model}");
    }
}

#[test]
fn a_limit_of_ours_holds_over_what_the_request_asks_for() {
    let turn = r#"{"model":"m","messages":[{"role":"user","content":"a"}]"#;
    let table = [
        ("}", r#","max_tokens":8}"#),
        (r#","max_tokens":null}"#, r#","max_tokens":8}"#),
        (r#","max_tokens":9}"#, r#","max_tokens":8}"#),
        (r#","max_completion_tokens":9}"#, r#","max_completion_tokens":8}"#),
        (r#","max_tokens":8}"#, r#","max_tokens":8}"#),
        (r#","max_tokens":7}"#, r#","max_tokens":7}"#),
    ];
    for (said, expected) in table {
        let mut prompt = prompt(&format!("{turn}{said}"));
        prompt.limit = Some(8);
        assert_eq!(asked(&prompt, &Target::default()), format!("{turn}{expected}"));
    }
}

#[test]
fn a_stream_is_always_asked_for_its_usage() {
    let turn = r#"{"model":"m","messages":[{"role":"user","content":"a"}]"#;
    let asks = r#""stream_options":{"include_usage":true}"#;
    let table = [
        ("}", format!(r#","stream":true,{asks}}}"#)),
        (r#","stream":false}"#, format!(r#","stream":true,{asks}}}"#)),
        (r#","stream":true}"#, format!(r#","stream":true,{asks}}}"#)),
        (
            r#","stream":true,"stream_options":null}"#,
            format!(r#","stream":true,{asks}}}"#),
        ),
        (
            r#","stream":true,"stream_options":{}}"#,
            format!(r#","stream":true,{asks}}}"#),
        ),
        (
            r#","stream":true,"stream_options":{"include_usage":false,"include_obfuscation":false}}"#,
            r#","stream":true,"stream_options":{"include_usage":true,"include_obfuscation":false}}"#.to_owned(),
        ),
        (
            r#","stream":true,"stream_options":{"x":1.10}}"#,
            r#","stream":true,"stream_options":{"x":1.10,"include_usage":true}}"#.to_owned(),
        ),
    ];
    for (said, expected) in table {
        assert_eq!(
            ask(&format!("{turn}{said}"), &stream()),
            format!("{turn}{expected}"),
            "{said}"
        );
    }
}

#[test]
fn a_call_without_a_stream_has_no_options_of_one() {
    let turn = r#"{"model":"m","messages":[{"role":"user","content":"a"}]"#;
    let table = [
        (r#","stream":true}"#, r#","stream":false}"#),
        (
            r#","stream":true,"stream_options":{"include_usage":true}}"#,
            r#","stream":false}"#,
        ),
        // The client's own mistake is left for the worker to name.
        (
            r#","stream_options":{"include_usage":true}}"#,
            r#","stream_options":{"include_usage":true}}"#,
        ),
    ];
    for (said, expected) in table {
        let asked = ask(&format!("{turn}{said}"), &Target::default());
        assert_eq!(asked, format!("{turn}{expected}"), "{said}");
    }
}

#[test]
fn assembled_messages_replace_the_clients_and_nothing_else() {
    let mut prompt = prompt(BODY);
    let system = Message {
        role: Role::System,
        texts: smallvec!["ground".into()],
        raw: Bytes::from_static(br#"{"role":"system","content":"ground"}"#),
    };
    prompt.request.messages.insert(0, system);
    assert_eq!(
        asked(&prompt, &Target::default()),
        BODY,
        "until assembly says that it changed them"
    );
    prompt.rewritten = true;
    assert_eq!(
        asked(&prompt, &Target::default()),
        concat!(
            r#"{"model":"gpt-4","messages":[{"role":"system","content":"ground"},{"role":"user","content":"hi","x":1.10}],"#,
            r#""seed":12345678901234567890123,"top_p":0.10}"#
        )
    );
}

#[test]
fn a_dialect_that_nobody_translates_is_a_fault_of_ours() {
    let mut prompt = prompt(BODY);
    prompt.request.original.dialect = Dialect::Messages;
    let failure = render(Protocol::Chat, &prompt, &Target::default()).unwrap_err();
    assert_eq!(failure.code(), Code::Internal);
}

#[test]
fn stop_strings_are_one_or_a_list() {
    assert_eq!(stops("\"a\\n\"").unwrap(), ["a\n"]);
    assert_eq!(stops("[\"a\", \"b\"]").unwrap(), ["a", "b"]);
    for wrong in ["7", "[7]", "{}", "\"\\ud800\""] {
        assert_eq!(stops(wrong).unwrap_err().param(), Some("stop"), "{wrong}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Whatever is patched, all other fields keep their text and their order.
    #[test]
    fn other_fields_keep_their_text(
        names in proptest::collection::btree_set("[a-z]{8,12}", 0..6),
        streamed in any::<bool>(),
        stream in any::<bool>(),
        model in proptest::option::of("[a-z]{1,5}"),
        max_tokens in proptest::option::of(1_u64..100),
        rewritten in any::<bool>(),
    ) {
        let values = ["1.10", "[ 1 , 2 ]", "\"\\u0041\"", "1e400", "{\"a\" :1}", "-0"];
        let extra: Vec<String> = names.iter().zip(values.iter().cycle()).map(|(name, value)| format!("\"{name}\": {value}")).collect();
        let body = format!(r#"{{"messages":[{{"role":"user","content":"a"}}],"model":"m","stream":{streamed},{}"z":0}}"#,
            extra.iter().map(|field| format!("{field},")).collect::<String>());
        let mut prompt = prompt(&body);
        prompt.rewritten = rewritten;
        let target = Target { model: model.as_deref(), max_tokens, temperature: None, stream };
        let asked = render(Protocol::Chat, &prompt, &target).unwrap();
        let parsed = crate::chat::parse_request(asked).unwrap();
        prop_assert_eq!(parsed.stream, stream);
        prop_assert_eq!(parsed.include_usage, stream);
        prop_assert_eq!(&*parsed.model, model.as_deref().unwrap_or("m"));
        prop_assert_eq!(parsed.params.max_tokens, max_tokens);
        for (name, value) in names.iter().zip(values.iter().cycle()) {
            prop_assert_eq!(parsed.original.field(name), Some(*value));
        }
        let order: Vec<&str> = parsed.original.fields.iter().map(|field| &*field.name).filter(|name| names.contains(*name)).collect();
        prop_assert_eq!(order, names.iter().map(String::as_str).collect::<Vec<_>>());
    }
}
