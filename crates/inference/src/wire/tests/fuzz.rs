//! Any bytes, cut anywhere: a call always ends, and in the same way.

use super::*;
use crate::fixtures::paused;
use proptest::{collection::vec, prelude::*, sample::Index};

/// How a call ended: status and body so far, and the error if there was one.
type Outcome = (Option<u16>, Vec<u8>, Option<String>);

/// Sends a request to a peer that says `parts`, each after the last one was looked at, and ends.
fn outcome(parts: &[&[u8]]) -> Outcome {
    paused(async {
        let (wire, mut peer) = pair();
        let call = tokio::time::timeout(Duration::from_secs(60), call(&wire));
        let ended = tokio::join!(call, peer.dribbles(parts)).0;
        ended.expect("a call ends when its connection does")
    })
}

async fn call(wire: &Wire) -> Outcome {
    let mut body = Vec::new();
    match wire.send(post("{}")).await {
        Err(error) => (None, body, Some(error.to_string())),
        Ok(mut incoming) => loop {
            match incoming.body.arrived().await {
                Ok(Some(bytes)) => body.extend_from_slice(&bytes),
                Ok(None) => return (Some(incoming.status), body, None),
                Err(error) => return (Some(incoming.status), body, Some(error.to_string())),
            }
        },
    }
}

/// Bytes that look like answers more often than chance would have it.
fn answer_like() -> impl Strategy<Value = Vec<u8>> {
    let start = prop_oneof![
        6 => Just("HTTP/1.1 200 OK\r\n"),
        1 => Just("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n"),
        1 => Just("HTTP/1.0 503 No\r\n"),
        1 => Just("HTTP/1.1 204 \r\n"),
        1 => Just(""),
    ];
    let fields = prop_oneof![
        4 => Just("transfer-encoding: chunked\r\n\r\n"),
        3 => Just("content-length: 9\r\n\r\n"),
        2 => Just("\r\n"),
        1 => Just("content-length: 9\r\ntransfer-encoding: chunked\r\n\r\n"),
        1 => Just("a: b\r\n"),
    ];
    let word = prop_oneof![
        Just(b"3\r\nabc\r\n".to_vec()),
        Just(b"1;x\r\nz\r\n".to_vec()),
        Just(b"0\r\n\r\n".to_vec()),
        Just(b"\r\n".to_vec()),
        vec(any::<u8>(), 0..5),
    ];
    (start, fields, vec(word, 0..8))
        .prop_map(|(start, fields, words)| [start.as_bytes(), fields.as_bytes(), &words.concat()].concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn any_bytes_end_a_call_and_in_the_same_way_wherever_they_are_cut(
        input in answer_like(),
        places in vec(any::<Index>(), 0..6),
    ) {
        let at_once = outcome(&[&input]);
        prop_assert_eq!(&at_once, &outcome(&cut(&input, &places)));
        prop_assert_eq!(&at_once, &outcome(&input.chunks(1).collect::<Vec<_>>()));
    }

    #[test]
    fn an_answer_in_any_chunks_cut_anywhere_is_read_as_it_was(
        chunks in vec(vec(any::<u8>(), 1..300), 0..8),
        places in vec(any::<Index>(), 0..8),
    ) {
        let mut input = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
        for chunk in &chunks {
            input.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
            input.extend_from_slice(chunk);
            input.extend_from_slice(b"\r\n");
        }
        input.extend_from_slice(b"0\r\n\r\n");
        prop_assert_eq!(outcome(&cut(&input, &places)), (Some(200), chunks.concat(), None));
        let cut_short = input.split_last().unwrap().1;
        let (_, _, error) = outcome(&cut(cut_short, &places));
        prop_assert_eq!(error.as_deref(), Some("the connection ended in the middle of the answer"));
    }
}
