use crate::{Config, Error, Metrics, ProviderName, WorkerConfig, WorkerSpec, fixtures::alone, wire::EndpointError};
use expect_test::{Expect, expect};
use orchestrator_core::Secret;
use orchestrator_testkit::world;
use prometheus::Registry;

/// Why a worker cannot be built from this configuration in an environment of these variables.
fn refused(config: WorkerConfig, variables: &[(&str, &str)]) -> Error {
    let metrics = Metrics::register(&Registry::new()).unwrap();
    let parts = (world(1), metrics);
    let spec = WorkerSpec::new("w", config, &Config::default(), parts);
    let lookup = |name: &str| {
        let found = variables.iter().find(|(variable, _)| *variable == name);
        found.map(|(_, value)| (*value).to_owned())
    };
    spec.for_core(&lookup).map(drop).unwrap_err()
}

fn openai(change: impl FnOnce(&mut WorkerConfig)) -> WorkerConfig {
    let mut config = WorkerConfig::usual(ProviderName::OpenAi);
    change(&mut config);
    config
}

fn at(base_url: &str) -> WorkerConfig {
    openai(|config| config.base_url = Some(base_url.to_owned()))
}

fn with_key(key: &str) -> WorkerConfig {
    openai(|config| config.api_key = Some(Secret::new(key)))
}

fn says(error: &Error, expected: &Expect) {
    expected.assert_eq(&error.to_string());
}

#[test]
fn a_key_that_is_not_set_or_that_no_header_can_carry() {
    let unset = refused(with_key("${NOT_SET}"), &[]);
    assert!(matches!(&unset, Error::Key { worker, .. } if worker == "w"));
    says(
        &unset,
        &expect!["workers.w.api_key: the environment variable NOT_SET is not set"],
    );
    let newline = refused(with_key("${KEY}"), &[("KEY", "a\nb")]);
    says(
        &newline,
        &expect!["workers.w.api_key: the key holds characters that no header may have"],
    );
    let usual = refused(openai(|_| {}), &[("OPENAI_API_KEY", "a\u{7f}b")]);
    assert!(matches!(&usual, Error::Key { .. }), "{usual}");
}

#[test]
fn a_base_url_that_no_call_can_go_to_wherever_it_was_said() {
    let written = refused(at("ftp://x"), &[]);
    assert!(matches!(&written, Error::BaseUrl { worker, .. } if worker == "w"));
    says(
        &written,
        &expect!["workers.w.base_url: the base URL is not usable: its scheme is neither http nor https"],
    );
    let usual = refused(openai(|_| {}), &[("OPENAI_BASE_URL", "model server")]);
    assert!(matches!(&usual, Error::BaseUrl { .. }), "{usual}");
}

#[test]
fn a_proxy_that_cannot_be_used_is_named_by_its_variable_and_not_by_its_value() {
    let error = refused(at("http://model.test"), &[("http_proxy", "socks5://user:secret@p")]);
    assert!(matches!(
        &error,
        Error::Proxy {
            variable: "http_proxy",
            ..
        }
    ));
    says(
        &error,
        &expect![
            "workers.w: the environment variable http_proxy names no usable proxy: proxies speak http or https, not socks5"
        ],
    );
    assert!(!format!("{error} {error:?}").contains("secret"));
}

#[test]
fn a_machine_without_certificate_authorities_cannot_check_a_server() {
    let this = "error::tests::a_machine_without_certificate_authorities_cannot_check_a_server";
    if alone(this, ("SSL_CERT_FILE", "/dev/null")) {
        return;
    }
    let error = refused(at("https://model.test"), &[]);
    assert!(matches!(&error, Error::Certificates { worker, .. } if worker == "w"));
    assert!(
        error
            .to_string()
            .contains("install ca-certificates or set SSL_CERT_FILE"),
        "{error}"
    );
    assert!(
        refused(at("ftp://model.test"), &[]).to_string().contains("base_url"),
        "a URL is judged before the authorities are asked"
    );
}

#[test]
fn settings_that_the_tls_library_refuses() {
    let error = Error::endpoint(
        "w",
        EndpointError::Tls(rustls::Error::General("no cipher suite".into())),
    );
    assert!(matches!(&error, Error::Tls { .. }));
    says(
        &error,
        &expect!["workers.w: TLS cannot be set up: unexpected error: no cipher suite"],
    );
}

#[test]
fn every_error_names_its_worker_and_fits_on_a_line() {
    let errors = [
        refused(with_key("${NOT_SET}"), &[]),
        refused(at("http://"), &[]),
        refused(at("https://model.test"), &[("https_proxy", "http://")]),
        Error::endpoint("w", EndpointError::Roots("nothing there".to_owned())),
        Error::endpoint("w", EndpointError::Tls(rustls::Error::HandshakeNotComplete)),
    ];
    for error in errors {
        let text = error.to_string();
        assert!(text.starts_with("workers.w") && !text.contains('\n'), "{text}");
    }
}
