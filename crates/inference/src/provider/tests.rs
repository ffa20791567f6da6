use super::*;
use expect_test::expect;
use orchestrator_core::Secret;

/// Where a provider's server is and how it is asked, in an environment of these variables.
fn place(name: ProviderName, base_url: Option<&str>, variables: &[(&str, &str)]) -> Place {
    let config = WorkerConfig {
        base_url: base_url.map(str::to_owned),
        ..WorkerConfig::usual(name)
    };
    placed(name, &config, variables)
}

fn placed(name: ProviderName, config: &WorkerConfig, variables: &[(&str, &str)]) -> Place {
    let lookup = |name: &str| {
        let found = variables.iter().find(|(variable, _)| *variable == name);
        found.map(|(_, value)| (*value).to_owned())
    };
    provider(name).unwrap().place("w", config, &lookup).unwrap()
}

fn header<'a>(place: &'a Place, name: &str) -> Option<&'a HeaderValue> {
    let mut headers = place.headers.iter();
    headers.find(|(field, _)| field == name).map(|(_, value)| value)
}

#[test]
fn each_provider_is_found_and_asked_in_its_own_way() {
    let mut page = String::new();
    for name in ProviderName::ALL {
        let Some(provider) = provider(name) else { continue };
        let variables = provider.key_variable.map(|variable| (variable, "KEY"));
        let place = place(name, None, variables.as_slice());
        page += &format!("{} {}{}\n", name.as_str(), place.base_url, provider.path);
        for (name, value) in &place.headers[2..] {
            page += &format!("    {name}: {}\n", value.to_str().unwrap());
        }
    }
    expect![[r#"
        anthropic https://api.anthropic.com/v1/messages
            x-api-key: KEY
            anthropic-version: 2023-06-01
        ollama http://127.0.0.1:11434/api/chat
        openai https://api.openai.com/v1/chat/completions
            authorization: Bearer KEY
        llama_cpp http://127.0.0.1:8080/v1/chat/completions
            authorization: Bearer KEY
        vllm http://127.0.0.1:8000/v1/chat/completions
            authorization: Bearer KEY
    "#]]
    .assert_eq(&page);
}

#[test]
fn every_request_says_what_it_holds_and_who_asks() {
    let place = place(ProviderName::Ollama, None, &[]);
    assert_eq!(header(&place, "content-type").unwrap(), "application/json");
    let agent = header(&place, "user-agent").unwrap().to_str().unwrap();
    assert!(agent.starts_with("orchestrator/"), "{agent}");
    assert_eq!(place.headers.len(), 2, "no key, no header for it");
}

#[test]
fn the_configuration_goes_before_the_environment_and_both_before_the_usual_place() {
    let usual = "https://api.openai.com/v1";
    let env = [("OPENAI_BASE_URL", "http://env/v1")];
    let cases = [
        (None, &env[..0], usual),
        (None, &env[..], "http://env/v1"),
        (Some("http://written/v1"), &env[..], "http://written/v1"),
        (None, &[("OPENAI_BASE_URL", "")][..], usual),
    ];
    for (written, variables, expected) in cases {
        assert_eq!(place(ProviderName::OpenAi, written, variables).base_url, expected);
    }
}

#[test]
fn a_base_url_is_the_same_with_and_without_its_usual_end() {
    use ProviderName::{Anthropic, LlamaCpp, Ollama, OpenAi, Vllm};
    for name in [Anthropic, LlamaCpp, Vllm] {
        for written in ["http://h:1", "http://h:1/", "http://h:1/v1", "http://h:1/v1/"] {
            assert_eq!(place(name, Some(written), &[]).base_url, "http://h:1/v1", "{name:?}");
        }
    }
    // OpenAI's own form has the version in it, and servers that speak it put it where they like.
    assert_eq!(place(OpenAi, Some("http://h/api/"), &[]).base_url, "http://h/api");
    assert_eq!(place(Ollama, Some("http://h:1/"), &[]).base_url, "http://h:1");
}

#[test]
fn a_host_in_the_environment_needs_no_scheme_and_no_port() {
    let cases = [
        ("gpu-box", "http://gpu-box:11434"),
        ("gpu-box:9000", "http://gpu-box:9000"),
        ("0.0.0.0", "http://0.0.0.0:11434"),
        ("[::1]", "http://[::1]:11434"),
        ("[::1]:9000", "http://[::1]:9000"),
        ("http://gpu-box", "http://gpu-box"),
        ("https://gpu-box/ollama/", "https://gpu-box/ollama"),
    ];
    for (value, expected) in cases {
        let place = place(ProviderName::Ollama, None, &[("OLLAMA_HOST", value)]);
        assert_eq!(place.base_url, expected, "{value}");
    }
    let openai = place(ProviderName::OpenAi, None, &[("OPENAI_BASE_URL", "proxy/v1")]);
    assert_eq!(openai.base_url, "http://proxy/v1");
}

#[test]
fn a_key_comes_from_the_configuration_before_the_environment_and_never_prints() {
    let env = [("OPENAI_API_KEY", "sk-env"), ("MINE", "sk-mine")];
    let with = |key: &str| WorkerConfig {
        api_key: Some(Secret::new(key)),
        ..WorkerConfig::usual(ProviderName::OpenAi)
    };
    let key_of = |config: &WorkerConfig| {
        let place = placed(ProviderName::OpenAi, config, &env);
        let value = header(&place, "authorization").cloned()?;
        assert!(value.is_sensitive() && !format!("{:?}", place.headers).contains("sk-"));
        Some(value.to_str().unwrap().to_owned())
    };
    let usual = WorkerConfig::usual(ProviderName::OpenAi);
    assert_eq!(key_of(&usual).as_deref(), Some("Bearer sk-env"));
    assert_eq!(key_of(&with("sk-written")).as_deref(), Some("Bearer sk-written"));
    assert_eq!(key_of(&with("${MINE}")).as_deref(), Some("Bearer sk-mine"));
    assert_eq!(key_of(&with("")), None, "an empty key asks without one");
}
