use super::*;

fn origin(prefix: &str, proxy_authorization: Option<&'static str>) -> Origin {
    Origin {
        prefix: prefix.into(),
        host: "model.test:8000".into(),
        proxy_authorization: proxy_authorization.map(HeaderValue::from_static),
    }
}

fn request<'a>(method: Method, path: &'a str, body: &'static str) -> Outgoing<'a> {
    Outgoing {
        method,
        path,
        headers: &[],
        body: Bytes::from_static(body.as_bytes()),
    }
}

fn text(pieces: Result<[Bytes; 2], WireError>) -> String {
    String::from_utf8(pieces.unwrap().concat()).unwrap()
}

#[test]
fn a_head_is_written_in_the_order_of_its_fields() {
    let headers = [
        (http::header::AUTHORIZATION, HeaderValue::from_static("Bearer k")),
        (http::header::ACCEPT, HeaderValue::from_static("text/event-stream")),
        (HeaderName::from_static("x-b"), HeaderValue::from_static("1")),
        (HeaderName::from_static("x-b"), HeaderValue::from_static("2")),
    ];
    let request = Outgoing {
        headers: &headers,
        ..request(Method::POST, "/chat/completions", "{}")
    };
    let expected = "POST /v1/chat/completions HTTP/1.1\r\nhost: model.test:8000\r\nauthorization: Bearer k\r\n\
                    accept: text/event-stream\r\nx-b: 1\r\nx-b: 2\r\ncontent-length: 2\r\n\r\n{}";
    assert_eq!(text(request.pieces(&origin("/v1", None))), expected);
}

#[test]
fn a_plain_proxy_reads_the_whole_url_and_its_credentials() {
    let pieces =
        request(Method::GET, "/models?a=b", "").pieces(&origin("http://model.test:8000/v1", Some("Basic dTpw")));
    let expected = "GET http://model.test:8000/v1/models?a=b HTTP/1.1\r\nhost: model.test:8000\r\n\
                    proxy-authorization: Basic dTpw\r\n\r\n";
    assert_eq!(text(pieces), expected);
}

#[test]
fn the_length_is_said_for_methods_that_have_a_body_and_for_bodies() {
    let table = [
        (Method::POST, "", Some("content-length: 0\r\n")),
        (Method::PUT, "", Some("content-length: 0\r\n")),
        (Method::PATCH, "abc", Some("content-length: 3\r\n")),
        (Method::GET, "", None),
        (Method::HEAD, "", None),
        (Method::DELETE, "abcd", Some("content-length: 4\r\n")),
    ];
    for (method, body, field) in table {
        let head = text(request(method.clone(), "/", body).pieces(&origin("", None)));
        assert_eq!(
            head.matches("content-length").count(),
            usize::from(field.is_some()),
            "{method} {body:?}"
        );
        assert!(head.contains(field.unwrap_or("")), "{method} {body:?}");
    }
}

#[test]
fn a_path_cannot_break_out_of_its_line() {
    for path in [
        "",
        "models",
        "/a b",
        "/a\r\nx: y",
        "/a\n",
        "/\u{e4}",
        "/a\0",
        "/a#b",
        "http://other.test/",
        "/a\x7f",
    ] {
        let error = request(Method::GET, path, "").pieces(&origin("", None)).unwrap_err();
        assert!(matches!(error, WireError::Request(_)), "{path:?}");
    }
}

#[test]
fn the_fields_that_carry_framing_cannot_be_set_from_outside() {
    for name in [HOST, CONTENT_LENGTH, TRANSFER_ENCODING, CONNECTION] {
        let headers = [(name.clone(), HeaderValue::from_static("1"))];
        let request = Outgoing {
            headers: &headers,
            ..request(Method::POST, "/", "")
        };
        let error = request.pieces(&origin("", None)).unwrap_err().to_string();
        assert_eq!(
            error, "the request cannot be sent: host, connection and framing are the wire's to write",
            "{name}"
        );
    }
}
