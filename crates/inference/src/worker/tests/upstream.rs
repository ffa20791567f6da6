//! What servers send that they should not, for each kind of worker: read where it is legal, a typed failure else, and
//! never an answer that is not the worker's.

use super::*;
use crate::fixtures::{events, whole};
use ProviderName::{Anthropic, LlamaCpp, Ollama, OpenAi, Vllm};
use orchestrator_core::Code::{self, *};
use orchestrator_dialect::Protocol;

const SAID: &str = "grün 🙂";
const EVENTS: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n";

/// The kinds of workers that have a server.
const SERVERS: [ProviderName; 5] = [OpenAi, Vllm, LlamaCpp, Anthropic, Ollama];
/// Those whose streams are events rather than lines of JSON.
const EVENT_STREAMS: [ProviderName; 4] = [OpenAi, Vllm, LlamaCpp, Anthropic];
const CHATS: [ProviderName; 3] = [OpenAi, Vllm, LlamaCpp];

fn protocol(name: ProviderName) -> Protocol {
    provider(name).unwrap().protocol
}

fn stream_of(name: ProviderName) -> Vec<String> {
    events(protocol(name))
}

/// What a worker makes of these bytes, all that its server says before it closes: text, or a failure.
async fn heard(name: ProviderName, stream: bool, response: impl Into<Vec<u8>>) -> Result<String, Code> {
    let (wire, _, mut peers) = pipes(1, 1 << 24);
    let (worker, timeline) = (over(wire, name, |_| {}), Timeline::begin());
    let acts = [Act::Say(response.into().into()), Act::End];
    let mut prompt = streamed("x");
    prompt.request.stream = stream;
    let call = async {
        let answer = answer(&worker, &prompt).await;
        drop(worker);
        answer
    };
    let server = peers.remove(0).plays(1, &acts, &timeline);
    let (answer, ()) = soon(async { tokio::join!(call, server) }).await;
    answer.map_err(|failure| failure.code())
}

/// Checks one row for these kinds; `body` makes what follows the head out of the good stream's events.
async fn row(kinds: &[ProviderName], name: &str, expected: Result<&str, Code>, body: impl Fn(Vec<String>) -> String) {
    for &kind in kinds {
        let response = format!("{EVENTS}{}", body(stream_of(kind)));
        let heard = heard(kind, true, response).await;
        assert_eq!(heard, expected.map(str::to_owned), "{name}, {kind:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_legal_is_read() {
    row(&SERVERS, "as it should be", Ok(SAID), |events| events.concat()).await;
    row(&SERVERS, "CR LF", Ok(SAID), |events| {
        events.concat().replace('\n', "\r\n")
    })
    .await;
    row(&SERVERS, "CR alone", Ok(SAID), |events| {
        events.concat().replace('\n', "\r")
    })
    .await;
    row(&SERVERS, "a byte order mark", Ok(SAID), |events| {
        format!("\u{feff}{}", events.concat())
    })
    .await;
    row(&SERVERS, "empty lines", Ok(SAID), |events| events.join("\n\n\n")).await;
    row(&EVENT_STREAMS, "no space after the colon", Ok(SAID), |events| {
        events.concat().replace("data: ", "data:")
    })
    .await;
    row(&EVENT_STREAMS, "comments and unknown fields", Ok(SAID), |events| {
        events.join(": a comment\n:\nid: 7\nretry: 10\nodd: x\n")
    })
    .await;
    row(&EVENT_STREAMS, "JSON over several data lines", Ok(SAID), |events| {
        events.concat().replace(",\"", ",\ndata: \"")
    })
    .await;
    row(
        &EVENT_STREAMS,
        "comments alone before the first event",
        Ok(SAID),
        |events| format!("{}{}", ": ping\n\n".repeat(10_000), events.concat()),
    )
    .await;
    row(&SERVERS, "data after the end", Ok(SAID), |events| {
        format!("{}data: {{\"error\":1}}\n\n{{\"error\":1}}\n", events.concat())
    })
    .await;
    row(&CHATS, "no last event after the finish", Ok(SAID), |events| {
        events[..4].concat()
    })
    .await;
    row(&[Anthropic], "events of unknown kinds", Ok(SAID), |events| {
        events.join("event: odd\ndata: {\"type\":\"odd\",\"delta\":{\"text\":\"x\"}}\n\n")
    })
    .await;
    row(&CHATS, "no index", Ok(SAID), |events| {
        events.concat().replace("\"index\":0,", "")
    })
    .await;
    row(&CHATS, "an escaped NUL", Ok("gr\0ün 🙂"), |events| {
        events.concat().replace("grün", "gr\\u0000ün")
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_end_without_a_finish_is_a_failure_wherever_it_comes() {
    for kind in SERVERS {
        let events = stream_of(kind);
        let finish = events.len() - if kind == Ollama { 1 } else { 2 };
        let begun = format!("{EVENTS}{}", events[..finish].concat());
        // Every border of the last event before the finish, and within it.
        let from = begun.len() - 40;
        for cut in from..=begun.len() {
            let heard = heard(kind, true, &begun.as_bytes()[..cut]).await;
            assert_eq!(heard, Err(UpstreamTruncated), "{kind:?} at {cut}");
        }
    }
    row(
        &CHATS,
        "the last event without a finish",
        Err(UpstreamTruncated),
        |events| format!("{}{}", events[..3].concat(), events[4]),
    )
    .await;
    row(
        &[Anthropic],
        "the last event without a finish",
        Err(UpstreamTruncated),
        |events| format!("{}{}", events[..5].concat(), events[6]),
    )
    .await;
    row(&SERVERS, "nothing at all", Err(UpstreamTruncated), |_| String::new()).await;
    row(&EVENT_STREAMS, "comments alone", Err(UpstreamTruncated), |_| {
        ": ping\n\n".repeat(9)
    })
    .await;
    row(
        &CHATS,
        "a call of a tool that is cut",
        Err(UpstreamTruncated),
        |events| {
            let call = r#"{"index":0,"id":"c","function":{"name":"f","arguments":"{\"a\":"}}"#;
            let delta = format!(r#"{{"choices":[{{"index":0,"delta":{{"tool_calls":[{call}]}}}}]}}"#);
            format!("{}data: {delta}\n\n", events[0])
        },
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn what_is_no_answer_is_a_typed_failure() {
    row(&SERVERS, "HTML", Err(UpstreamTruncated), |_| "<html>no</html>".into()).await;
    row(&SERVERS, "no JSON", Err(UpstreamProtocol), |events| {
        events.concat().replace('{', "[")
    })
    .await;
    row(&SERVERS, "a number", Err(UpstreamProtocol), |_| "data: 7\n\n7\n".into()).await;
    row(&SERVERS, "a NUL as it is", Err(UpstreamProtocol), |events| {
        events.concat().replace('ü', "\0")
    })
    .await;
    row(&SERVERS, "a line without an end", Err(UpstreamProtocol), |_| {
        "data: x".repeat(2 << 20)
    })
    .await;
    row(&CHATS, "choices without number", Err(UpstreamProtocol), |events| {
        events.concat().replace("\"index\":0", "\"index\":4294967295")
    })
    .await;
    row(&CHATS, "an error in its place", Err(UpstreamError), |events| {
        format!(
            "{}data: {{\"error\":{{\"message\":\"overheated\"}}}}\n\n",
            events[..3].concat()
        )
    })
    .await;
    row(&[Anthropic], "an error in its place", Err(UpstreamError), |events| {
        let error = r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#;
        format!("{}event: error\ndata: {error}\n\n", events[..4].concat())
    })
    .await;
    row(&[Ollama], "an error in its place", Err(UpstreamError), |events| {
        format!("{}{{\"error\":\"unexpected EOF\"}}\n", events[..3].concat())
    })
    .await;
}

/// A response with these bytes as the body: JSON in one piece.
fn json(body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let length = body.len();
    let head = format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n");
    [head.as_bytes(), body].concat()
}

#[tokio::test(start_paused = true)]
async fn an_answer_in_one_piece_is_read_or_fails_by_the_same_rules() {
    for kind in SERVERS {
        let good = whole(protocol(kind));
        let cut_off = &json(good)[..json(good).len() - 1];
        let unfinished = good
            .replace("\"stop\"", "null")
            .replace("\"end_turn\"", "null")
            .replace("true", "false");
        let rows = [
            ("as it should be", json(good), Ok(SAID.to_owned())),
            ("one byte short", cut_off.to_vec(), Err(UpstreamTruncated)),
            ("no finish", json(unfinished), Err(UpstreamTruncated)),
            ("no JSON", json("<html>"), Err(UpstreamProtocol)),
            ("nothing", json(""), Err(UpstreamProtocol)),
            (
                "no UTF-8",
                json([good.as_bytes(), &[0xff]].concat()),
                Err(UpstreamProtocol),
            ),
            ("two answers", json(format!("{good}{good}")), Err(UpstreamProtocol)),
            ("a NUL as it is", json(good.replace('ü', "\0")), Err(UpstreamProtocol)),
            (
                "compressed, unasked",
                json([0x1f, 0x8b, 8, 0, 0, 0, 0, 0]),
                Err(UpstreamProtocol),
            ),
            (
                "an error with a good status",
                json(r#"{"error":{"message":"full"}}"#),
                Err(UpstreamError),
            ),
        ];
        for (name, response, expected) in rows {
            let asked_whole = heard(kind, false, response.clone()).await;
            assert_eq!(asked_whole, expected, "{name}, {kind:?}");
            // A server may answer in one piece also when it was asked for a stream.
            assert_eq!(
                heard(kind, true, response).await,
                expected,
                "{name}, {kind:?}, streaming"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_http_forbids_is_a_typed_failure_of_every_kind() {
    let body = "x".repeat(50);
    let rows = [
        ("not HTTP", "SSH-2.0-OpenSSH\r\n".to_owned(), UpstreamProtocol),
        (
            "two lengths",
            format!("HTTP/1.1 200 OK\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\n{body}"),
            UpstreamProtocol,
        ),
        (
            "a length with a sign",
            format!("HTTP/1.1 200 OK\r\ncontent-length: +5\r\n\r\n{body}"),
            UpstreamProtocol,
        ),
        (
            "length and chunks",
            "HTTP/1.1 200 OK\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n".to_owned(),
            UpstreamProtocol,
        ),
        (
            "a chunk without a size",
            format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0x5\r\n{body}"),
            UpstreamProtocol,
        ),
        (
            "a length that lies",
            "HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n".to_owned(),
            UpstreamTruncated,
        ),
        (
            "a chunk that lies",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nff\r\n\n".to_owned(),
            UpstreamTruncated,
        ),
        (
            "more fields than are read",
            format!("HTTP/1.1 200 OK\r\n{}\r\n", "a: b\r\n".repeat(1_000)),
            UpstreamProtocol,
        ),
        (
            "a head without an end",
            format!("HTTP/1.1 200 OK\r\na: {}", "b".repeat(100_000)),
            UpstreamProtocol,
        ),
        (
            "interim answers without an end",
            "HTTP/1.1 100 Continue\r\n\r\n".repeat(10_000),
            UpstreamProtocol,
        ),
        (
            "an upgrade",
            "HTTP/1.1 101 Switching\r\nupgrade: x\r\n\r\n".to_owned(),
            UpstreamProtocol,
        ),
        (
            "a redirect",
            "HTTP/1.1 302 Found\r\nlocation: http://169.254.169.254/\r\n\r\n".to_owned(),
            UpstreamRedirected,
        ),
        (
            "a length beyond what is read",
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 99999999999\r\n\r\n".to_owned(),
            UpstreamProtocol,
        ),
        ("nothing", String::new(), UpstreamConnect),
    ];
    for (name, response, code) in rows {
        for kind in SERVERS {
            assert_eq!(heard(kind, true, &*response).await, Err(code), "{name}, {kind:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_is_read_by_its_bytes_whatever_type_it_claims() {
    for claim in [
        "text/event-stream",
        "text/event-stream;charset=utf-8",
        "text/plain",
        "application/x-ndjson",
        "",
    ] {
        for kind in SERVERS {
            let body = stream_of(kind).concat();
            let response = format!("HTTP/1.1 200 OK\r\ncontent-type: {claim}\r\n\r\n{body}");
            assert_eq!(
                heard(kind, true, response).await,
                Ok(SAID.to_owned()),
                "{claim}, {kind:?}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_number_of_tokens_that_is_none_costs_no_answer() {
    let numbers = ["-1", "9223372036854775808", "1e400", "1.5", "null", "\"7\""];
    for number in numbers {
        row(&SERVERS, number, Ok(SAID), |events| {
            let events = events.concat();
            let finish = "\"finish_reason\":\"stop\"}]";
            let usage = format!("{finish},\"usage\":{{\"prompt_tokens\":{number},\"completion_tokens\":{number}}}");
            let events = events.replace(finish, &usage);
            events
                .replace("_tokens\":3", &format!("_tokens\":{number}"))
                .replace("eval_count\":3", &format!("eval_count\":{number}"))
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn events_without_a_token_are_not_hoarded_for_ever() {
    row(&CHATS[..1], "roles alone", Err(UpstreamProtocol), |events| {
        events[0].repeat(40_000)
    })
    .await;
    row(&[Ollama], "empty lines of a model", Err(UpstreamProtocol), |events| {
        events[0].repeat(40_000)
    })
    .await;
    row(&CHATS[..1], "a thousand before a token", Ok(SAID), |events| {
        format!("{}{}", events[0].repeat(1_000), events.concat())
    })
    .await;
}

#[tokio::test]
async fn the_echo_has_no_server_that_could_do_wrong_and_gives_odd_text_back() {
    let spec = spec(ProviderName::Echo, |_| {});
    let echo = spec.for_core(&|_| None).unwrap();
    for text in ["grün 🙂", "a\0b", "\u{feff}data: [DONE]\r\r", " \n ", ""] {
        for stream in [true, false] {
            let mut prompt = streamed(text);
            prompt.request.stream = stream;
            assert_eq!(answer(&echo, &prompt).await.unwrap(), text, "{text:?}");
        }
    }
}
