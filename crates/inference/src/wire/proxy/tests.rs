use super::*;

fn proxies(variables: &[(&str, &str)]) -> Proxies {
    Proxies::read(|name| {
        variables
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, value)| (*value).to_owned())
    })
}

/// The proxy for a URL as `scheme://host:port`, with `!` for TLS to it and `@` for credentials; `-` for none.
fn way(proxies: &Proxies, url: &str) -> String {
    let url = Url::parse(url).unwrap();
    let host = url.host().unwrap().to_owned();
    match proxies.find(url.scheme() == "https", &host, url.port_or_known_default().unwrap()) {
        Ok(None) => "-".into(),
        Ok(Some(proxy)) => {
            let tls = if proxy.tls { "!" } else { "" };
            let credentials = if proxy.authorization.is_some() { "@" } else { "" };
            format!("{credentials}{}:{}{tls}", proxy.host, proxy.port)
        }
        Err(error) => error.to_string(),
    }
}

#[test]
fn each_scheme_has_its_variable_and_the_lower_case_one_comes_first() {
    let table = [
        (&[][..], "-", "-"),
        (&[("HTTP_PROXY", "http://a:1")], "a:1", "-"),
        (&[("https_proxy", "http://b:2")], "-", "b:2"),
        (
            &[("HTTP_PROXY", "http://a:1"), ("http_proxy", "http://b:2")],
            "b:2",
            "-",
        ),
        (&[("http_proxy", " "), ("HTTP_PROXY", "http://a:1")], "a:1", "-"),
        (&[("ALL_PROXY", "http://c:3")], "c:3", "c:3"),
        (
            &[("all_proxy", "http://c:3"), ("HTTPS_PROXY", "http://b:2")],
            "c:3",
            "b:2",
        ),
    ];
    for (variables, plain, secure) in table {
        let proxies = proxies(variables);
        let ways = (way(&proxies, "http://x.test/"), way(&proxies, "https://x.test/"));
        assert_eq!(ways, (plain.to_owned(), secure.to_owned()), "{variables:?}");
    }
}

#[test]
fn a_proxy_is_read_with_and_without_scheme_port_and_credentials() {
    let table = [
        ("http://proxy", "proxy:80"),
        ("http://proxy:3128/", "proxy:3128"),
        ("proxy:3128", "proxy:3128"),
        ("proxy", "proxy:80"),
        ("https://proxy", "proxy:443!"),
        ("http://[::1]:8080", "[::1]:8080"),
        ("http://u:p@10.0.0.1:1", "@10.0.0.1:1"),
        ("u:p@proxy:1", "@proxy:1"),
        (
            "socks5://proxy:1080",
            "the environment's http_proxy is not usable: proxies speak http or https, not socks5",
        ),
        ("http://", "the environment's http_proxy is not usable: empty host"),
        (
            "http://a:99999",
            "the environment's http_proxy is not usable: invalid port number",
        ),
    ];
    for (value, expected) in table {
        assert_eq!(
            way(&proxies(&[("http_proxy", value)]), "http://x.test/"),
            expected,
            "{value:?}"
        );
    }
}

#[test]
fn credentials_are_decoded_encoded_and_never_printed() {
    let proxies = proxies(&[("http_proxy", "http://us%40er:p%3Ass@proxy:1")]);
    let proxy = proxies
        .find(false, &Host::Domain("x.test".into()), 80)
        .unwrap()
        .unwrap();
    let value = proxy.authorization.as_ref().unwrap();
    assert_eq!(value, &format!("Basic {}", BASE64_STANDARD.encode("us@er:p:ss")));
    assert!(value.is_sensitive());
    assert!(!format!("{proxy:?}").contains("dXNA"), "{proxy:?}");
}

#[test]
fn a_variable_that_cannot_be_read_fails_without_its_value() {
    let proxies = proxies(&[("HTTPS_PROXY", "ftp://user:hunter2@proxy")]);
    let text = way(&proxies, "https://x.test/");
    assert!(text.contains("HTTPS_PROXY") && !text.contains("hunter2"), "{text}");
    assert_eq!(
        way(&proxies, "http://x.test/"),
        "-",
        "a variable that does not apply does not fail"
    );
}

#[test]
fn this_machine_is_never_reached_through_a_proxy() {
    let proxies = proxies(&[("http_proxy", "http://a:1")]);
    for host in [
        "localhost",
        "a.localhost",
        "127.0.0.1",
        "127.8.9.1",
        "[::1]",
        "LOCALHOST",
    ] {
        assert_eq!(way(&proxies, &format!("http://{host}:11434/")), "-", "{host}");
    }
    for host in ["localhost.test", "mylocalhost", "128.0.0.1", "[::2]"] {
        assert_eq!(way(&proxies, &format!("http://{host}/")), "a:1", "{host}");
    }
}

#[test]
fn exceptions_are_hosts_domains_addresses_networks_and_ports() {
    let table: [(&str, &[&str], &[&str]); 14] = [
        ("*", &["http://a.test", "http://10.1.2.3"], &[]),
        ("", &[], &["http://a.test"]),
        (" , ,", &[], &["http://a.test"]),
        (
            "a.test",
            &["http://a.test", "http://b.a.test", "http://A.TEST"],
            &["http://ba.test", "http://a.test.org"],
        ),
        (".a.test", &["http://a.test", "http://b.a.test"], &["http://ba.test"]),
        ("*.a.test", &["http://b.a.test"], &["http://ba.test"]),
        (
            "b.test, a.test",
            &["http://a.test", "http://b.test"],
            &["http://c.test"],
        ),
        ("a.test:8080", &["http://a.test:8080"], &["http://a.test"]),
        (
            "10.1.2.3",
            &["http://10.1.2.3", "http://10.1.2.3:81"],
            &["http://10.1.2.4"],
        ),
        ("10.1.2.3:81", &["http://10.1.2.3:81"], &["http://10.1.2.3"]),
        (
            "10.0.0.0/8",
            &["http://10.255.1.1"],
            &["http://11.0.0.1", "http://a.test", "http://[fd00::1]"],
        ),
        (
            "fd00::1",
            &["http://[fd00::1]"],
            &["http://[fd00::2]", "http://10.0.0.1"],
        ),
        ("[fd00::1]:81", &["http://[fd00::1]:81"], &["http://[fd00::1]"]),
        (
            "fd00::/8,192.168.0.0/16",
            &["http://[fd12::9]", "http://192.168.4.4"],
            &["http://[fe00::1]", "http://192.169.0.1"],
        ),
    ];
    for (list, direct, proxied) in table {
        let proxies = proxies(&[("http_proxy", "http://p:1"), ("no_proxy", list)]);
        for url in direct {
            assert_eq!(way(&proxies, url), "-", "{url} with no_proxy={list:?}");
        }
        for url in proxied {
            assert_eq!(way(&proxies, url), "p:1", "{url} with no_proxy={list:?}");
        }
    }
}

#[test]
fn a_network_of_no_bits_covers_its_family() {
    let proxies = proxies(&[("http_proxy", "http://p:1"), ("NO_PROXY", "0.0.0.0/0")]);
    assert_eq!(way(&proxies, "http://8.8.8.8"), "-");
    assert_eq!(way(&proxies, "http://[2001:db8::1]"), "p:1");
}
