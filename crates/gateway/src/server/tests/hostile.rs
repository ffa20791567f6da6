//! Any bytes at all.

use super::{CHAT, chat, fine};
use crate::fixtures::{Client, Doors, body, get, on_paused_clock, post};
use orchestrator_testkit::scripted::{Call as Script, Model};
use proptest::prelude::*;
use std::time::Duration;
use tokio::{io::AsyncWriteExt, time::sleep};
use tokio_tungstenite::tungstenite::Message;

/// A head that is nearly right: a few words of HTTP in any order.
fn nearly_http() -> impl Strategy<Value = Vec<u8>> {
    let words: &[&[u8]] = &[
        b"GET ",
        b"POST ",
        b"/v1/chat/completions",
        b"/v1/stream",
        b" HTTP/1.1",
        b"\r\n",
        b"\r\n\r\n",
        b"\n",
        b"host: t",
        b"content-length: 5",
        b"content-length: -1",
        b"transfer-encoding: chunked",
        b"connection: upgrade",
        b"expect: 100-continue",
        b"5\r\nhello\r\n0\r\n\r\n",
        b"{}",
        b"\0",
        b"\xff\xfe",
    ];
    prop::collection::vec(prop::sample::select(words), 0..16).prop_map(|words| words.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// No bytes end more than their own connection, and that one ends.
    #[test]
    fn any_bytes_end_their_own_connection_alone(
        bytes in prop_oneof![prop::collection::vec(any::<u8>(), 0..200), nearly_http()],
    ) {
        on_paused_clock(async {
            let doors = Doors::before(fine());
            let mut wire = doors.send(&bytes).await;
            wire.pipe.shutdown().await.unwrap();
            wire.served.await.expect("no panic");
            let mut next = doors.send(get("/livez")).await;
            next.hear("HTTP/1.1 200").await;
        });
    }

    /// A request may come in any pieces; it is answered once.
    #[test]
    fn any_pieces_make_the_request(cuts in prop::collection::btree_set(1_usize..180, 0..12), stream in any::<bool>()) {
        on_paused_clock(async {
            let doors = Doors::before(fine());
            let asked = body("x", if stream { r#","stream":true"# } else { "" });
            let request = post(CHAT, "connection: close\r\n", &asked);
            let mut wire = doors.connect();
            let mut sent = 0;
            for cut in cuts.into_iter().filter(|cut| *cut < request.len()) {
                wire.say(request.get(sent..cut).unwrap()).await;
                sent = cut;
                sleep(Duration::from_millis(1)).await;
            }
            wire.say(request.get(sent..).unwrap()).await;
            let said = wire.rest().await;
            assert_eq!((said.matches("HTTP/1.1 200").count(), said.matches("fine").count()), (1, 1), "{said}");
            assert_eq!(doors.lines.model.prompts(), ["x"]);
        });
    }

    /// A client may go away after any byte of its request; nothing of it is left.
    #[test]
    fn a_request_that_breaks_off_anywhere_leaves_nothing(cut in 0_usize..200) {
        on_paused_clock(async {
            let doors = Doors::before(Model::following([Script::new().text("a").hang()]));
            let request = chat("");
            let wire = doors.send(request.get(..cut).unwrap_or(&request)).await;
            sleep(Duration::from_millis(5)).await;
            let served = wire.served;
            drop(wire.pipe);
            served.await.expect("no panic");
            sleep(Duration::from_millis(5)).await;
            assert_eq!((doors.lines.model.running(), doors.lines.ledger.bytes()), (0, 0));
        });
    }

    /// Whatever bytes follow the handshake of a WebSocket, its connection ends and others go on.
    #[test]
    fn any_bytes_after_a_handshake_end_their_own_socket_alone(bytes in prop::collection::vec(any::<u8>(), 1..100)) {
        on_paused_clock(async {
            let doors = Doors::before(fine());
            let (mut client, mut other) = (Client::connect(&doors).await, Client::connect(&doors).await);
            client.send_bytes(&bytes).await;
            drop(client);
            sleep(Duration::from_secs(6)).await;
            other.send(Message::text("{}")).await;
            assert_eq!(other.refused().await.0, "invalid_request");
            other.close().await;
            assert!(doors.lines.tasks.is_empty());
        });
    }
}
