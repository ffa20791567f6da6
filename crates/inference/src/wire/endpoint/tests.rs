use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn no_roots() -> Result<RootCertStore, EndpointError> {
    Ok(RootCertStore::empty())
}

fn build(base_url: &str, variables: &[(&str, &str)]) -> Result<Endpoint, EndpointError> {
    let value = |name: &str| {
        variables
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, value)| (*value).to_owned())
    };
    Endpoint::build(base_url, SECOND, &Proxies::read(value), no_roots)
}

fn error_of(base_url: &str, variables: &[(&str, &str)]) -> String {
    build(base_url, variables).map_or_else(|error| error.to_string(), |endpoint| format!("{endpoint:?}"))
}

#[test]
fn a_base_url_gives_the_way_the_host_and_what_stands_before_each_path() {
    let table = [
        (
            "https://api.openai.com/v1",
            "api.openai.com:443",
            "api.openai.com",
            "/v1",
            true,
        ),
        (
            "https://api.openai.com/v1/",
            "api.openai.com:443",
            "api.openai.com",
            "/v1",
            true,
        ),
        (
            "https://api.openai.com",
            "api.openai.com:443",
            "api.openai.com",
            "",
            true,
        ),
        (
            "https://api.openai.com:443/a/b//",
            "api.openai.com:443",
            "api.openai.com",
            "/a/b",
            true,
        ),
        ("https://10.0.0.1:8443", "10.0.0.1:8443", "10.0.0.1:8443", "", true),
        (
            "http://127.0.0.1:11434",
            "127.0.0.1:11434",
            "127.0.0.1:11434",
            "",
            false,
        ),
        ("http://[::1]:8000/v1", "[::1]:8000", "[::1]:8000", "/v1", false),
        ("http://[2001:db8::1]/", "[2001:db8::1]:80", "[2001:db8::1]", "", false),
        ("HTTP://Model.Test:80", "model.test:80", "model.test", "", false),
        (
            "http://m\u{fc}ller.test",
            "xn--mller-kva.test:80",
            "xn--mller-kva.test",
            "",
            false,
        ),
        ("http://a.test/a%20b", "a.test:80", "a.test", "/a%20b", false),
    ];
    for (url, name, host, prefix, tls) in table {
        let endpoint = build(url, &[]).unwrap();
        let origin = endpoint.origin();
        assert_eq!((origin.host.as_str(), origin.prefix.as_str()), (host, prefix), "{url}");
        assert_eq!(
            (endpoint.server().name.as_str(), endpoint.server().tls.is_some()),
            (name, tls),
            "{url}"
        );
        assert!(
            endpoint.proxy().is_none() && origin.proxy_authorization.is_none(),
            "{url}"
        );
        assert_eq!(endpoint.connect_timeout(), SECOND);
    }
}

#[test]
fn a_url_that_no_call_can_go_to_is_refused_with_the_reason() {
    let table = [
        ("", "relative URL without a base"),
        ("api.openai.com/v1", "relative URL without a base"),
        ("localhost:8000", "its scheme is neither http nor https"),
        ("ftp://a.test", "its scheme is neither http nor https"),
        ("http://", "empty host"),
        ("http://a.test:99999", "invalid port number"),
        ("http://a.test/v1?key=x", "it has a query or a fragment"),
        ("http://a.test/v1#x", "it has a query or a fragment"),
        ("https://-\u{0}.test", "invalid international domain name"),
        (
            "https://a..b.test",
            "its host is not a name that a certificate can hold",
        ),
    ];
    for (url, reason) in table {
        assert_eq!(
            error_of(url, &[]),
            format!("the base URL is not usable: {reason}"),
            "{url:?}"
        );
    }
}

#[test]
fn a_password_in_the_url_is_refused_and_not_repeated() {
    for url in ["https://user:hunter2@a.test/v1", "https://hunter2@a.test"] {
        let text = error_of(url, &[]);
        assert_eq!(
            text,
            "the base URL is not usable: it holds a user or password; use the key's own setting"
        );
    }
}

#[test]
fn a_plain_proxy_gets_the_whole_url_and_the_credentials_with_each_request() {
    let endpoint = build("http://model.test:8000/v1", &[("http_proxy", "http://u:p@proxy:3128")]).unwrap();
    let origin = endpoint.origin();
    assert_eq!(
        (origin.prefix.as_str(), origin.host.as_str()),
        ("http://model.test:8000/v1", "model.test:8000")
    );
    assert_eq!(origin.proxy_authorization.as_ref().unwrap(), "Basic dTpw");
    let (hop, _) = endpoint.proxy().unwrap();
    assert_eq!((hop.name.as_str(), hop.tls.is_some()), ("proxy:3128", false));
}

#[test]
fn a_tunnel_hides_the_request_and_its_credentials_from_the_proxy() {
    let endpoint = build("https://model.test/v1", &[("https_proxy", "http://u:p@proxy:3128")]).unwrap();
    assert_eq!(endpoint.origin().prefix, "/v1");
    assert!(endpoint.origin().proxy_authorization.is_none());
    let (hop, proxy) = endpoint.proxy().unwrap();
    assert!(hop.tls.is_none() && proxy.authorization.is_some() && endpoint.server().tls.is_some());
}

#[test]
fn a_proxy_may_speak_tls_before_a_server_that_does_not() {
    let endpoint = build("http://model.test", &[("http_proxy", "https://proxy")]).unwrap();
    let (hop, _) = endpoint.proxy().unwrap();
    assert_eq!(hop.name, "proxy:443");
    assert!(hop.tls.is_some() && endpoint.server().tls.is_none());
}

#[test]
fn certificate_authorities_are_needed_for_tls_alone() {
    let none = || Err(EndpointError::Roots("[]".into()));
    let build = |url| Endpoint::build(url, SECOND, &Proxies::default(), none);
    assert!(build("http://a.test").is_ok());
    let error = build("https://a.test").unwrap_err().to_string();
    assert_eq!(
        error,
        "no certificate authorities found; install ca-certificates or set SSL_CERT_FILE ([])"
    );
}

#[test]
fn a_bad_proxy_variable_or_tls_setting_fails_the_endpoint() {
    let error = build("http://a.test", &[("http_proxy", "socks5://p")]).unwrap_err();
    assert!(matches!(
        error,
        EndpointError::Proxy {
            variable: "http_proxy",
            ..
        }
    ));
    let error = EndpointError::from(rustls::Error::HandshakeNotComplete);
    assert_eq!(error.to_string(), "TLS cannot be set up: handshake not complete");
}

#[test]
fn what_prints_of_an_endpoint_holds_no_credentials() {
    let endpoint = build("http://model.test", &[("http_proxy", "http://user:hunter2@proxy")]).unwrap();
    let text = format!("{endpoint:?}");
    assert!(
        !text.contains("hunter2") && !text.contains(&base64_of("user:hunter2")),
        "{text}"
    );
}

fn base64_of(text: &str) -> String {
    use base64::{Engine, prelude::BASE64_STANDARD};
    BASE64_STANDARD.encode(text)
}
