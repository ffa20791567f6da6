use super::*;

#[test]
fn windows_are_those_that_openai_gives() {
    let windows = [
        ("gpt-3.5-turbo", 16_385),
        ("gpt-4", 8_192),
        ("gpt-4-0613", 8_192),
        ("gpt-4-32k", 32_768),
        ("gpt-4-turbo", 128_000),
        ("gpt-4-turbo-preview", 128_000),
        ("gpt-4-turbo-2024-04-09", 128_000),
        ("gpt-4-vision-preview", 128_000),
        ("gpt-4-1106-preview", 128_000),
        ("gpt-4o", 128_000),
        ("gpt-4o-mini-2024-07-18", 128_000),
        ("gpt-4.1-nano", 1_047_576),
        ("gpt-5-mini", 400_000),
        ("o1", 200_000),
        ("o3-mini", 200_000),
        ("ada", 2_049),
        ("davinci", 2_049),
        ("davinci-002", 16_384),
        ("babbage-002", 16_384),
    ];
    for (model, tokens) in windows {
        assert_eq!(context_window(model), Some(tokens), "{model}");
    }
}

#[test]
fn a_tuned_model_has_the_window_of_its_base() {
    for base in ["gpt-4-turbo", "gpt-4o-2024-08-06", "davinci-002", "ada"] {
        assert_eq!(context_window(&format!("ft:{base}:org:name:id")), context_window(base));
        assert_eq!(context_window(&format!("ft:{base}")), context_window(base));
    }
    assert_eq!(context_window("ft:"), None);
}

#[test]
fn a_name_that_only_begins_like_a_known_one_tells_nothing() {
    let unknown = [
        "adapter-7b",
        "adam",
        "ada-llm",
        "curiekit",
        "davinci-resolve",
        "babbage-next",
        "llama-3",
        "gpt",
        "o",
        "",
    ];
    for model in unknown {
        assert_eq!(context_window(model), None, "{model}");
    }
}
