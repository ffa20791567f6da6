//! Clients that send ahead of their turn: all are answered in order, and none that leaves is worked for.

use super::{CHAT, chat, to_the_end};
use crate::fixtures::{Doors, PIPE, Wire, body, get, on_paused_clock, post};
use orchestrator_core::{FinishReason, Prompt};
use orchestrator_testkit::scripted::{Call as Script, Model};
use proptest::prelude::*;
use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf, duplex},
    time::{Instant, sleep},
};

/// A socket whose end is a reset.
struct Resetting(DuplexStream);

impl AsyncRead for Resetting {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.0).poll_read(cx, buf);
        match read.is_ready() && buf.filled().len() == before {
            true => Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
            false => read,
        }
    }
}

impl AsyncWrite for Resetting {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

/// Says the question, in two pieces with a pause between them.
fn echo() -> Model {
    Model::responding(|_: usize, prompt: &Prompt| {
        let said = prompt.request.messages[0].text();
        let script = Script::new().after(7).text("You said ").after(20).text(&said);
        script.finish(FinishReason::Stop)
    })
}

/// One request of a few kinds: streamed, whole, in chunks, long, read at once, refused.
fn request() -> impl Strategy<Value = String> {
    let streams = [r#","stream":true"#, r#","stream":false"#];
    (0..6_usize, any::<bool>(), "[a-z]{1,9}").prop_map(move |(kind, stream, said)| {
        let asked = |said: &str| body(said, streams[usize::from(stream)]);
        match kind {
            0 => post(CHAT, "", &asked(&said)),
            1 => post(CHAT, "content-type: application/json\r\n", &asked(&said)),
            2 => {
                let asked = asked(&said);
                let length = asked.len();
                format!("POST {CHAT} HTTP/1.1\r\nhost: t\r\ntransfer-encoding: chunked\r\n\r\n{length:x}\r\n{asked}\r\n0\r\n\r\n")
            }
            3 => post(CHAT, "", &asked(&said.repeat(3_000))),
            4 => get("/v1/models"),
            _ => post(CHAT, "", "{}"),
        }
    })
}

/// All that is answered to these pieces, each sent so many milliseconds after the one before.
async fn answers(pieces: impl IntoIterator<Item = (&str, u64)>) -> String {
    let doors = Doors::before(echo());
    let Wire { pipe, served, .. } = doors.connect_narrow(16 * PIPE);
    let (mut hearing, mut saying) = tokio::io::split(pipe);
    let send = async {
        for (piece, pause) in pieces {
            sleep(Duration::from_millis(pause)).await;
            saying.write_all(piece.as_bytes()).await.unwrap();
        }
        sleep(Duration::from_secs(5)).await;
        saying.shutdown().await.unwrap();
    };
    let mut heard = String::new();
    let (_, read) = tokio::join!(send, hearing.read_to_string(&mut heard));
    read.unwrap();
    served.await.unwrap();
    timeless(&heard)
}

/// An answer without what tells the time: its date, and the figures of its names and seconds.
fn timeless(heard: &str) -> String {
    let undated = heard.split_inclusive("\r\n").filter(|line| !line.starts_with("date: "));
    let mut text: String = undated.collect();
    for (mark, figures) in [("req_", 32), ("\"created\":", 10)] {
        let parts: Vec<&str> = text.split(mark).collect();
        let rest = parts[1..].iter().map(|part| part.get(figures..).unwrap());
        text = [parts[0]].into_iter().chain(rest).collect::<Vec<_>>().join(mark);
    }
    text
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// However requests are cut into writes, the answers are those that one after the other would have got.
    #[test]
    fn requests_in_any_pieces_are_answered_as_one_by_one(
        requests in prop::collection::vec(request(), 1..6),
        cuts in prop::collection::vec((any::<prop::sample::Index>(), 0..40_u64), 0..12),
    ) {
        let sent = requests.concat();
        let mut cuts: Vec<(usize, u64)> = cuts.into_iter().map(|(at, pause)| (at.index(sent.len()), pause)).collect();
        cuts.sort_unstable();
        let ends = cuts.iter().map(|(at, _)| *at).skip(1).chain([sent.len()]);
        let pieces = cuts.iter().zip(ends).map(|((at, pause), end)| (sent.get(*at..end).unwrap(), *pause));
        let first = cuts.first().map_or(sent.len(), |(at, _)| *at);
        let pieces: Vec<(&str, u64)> = [(sent.get(..first).unwrap(), 0)].into_iter().chain(pieces).collect();
        let in_pieces = on_paused_clock(answers(pieces));
        let one_by_one = on_paused_clock(answers(requests.iter().map(|request| (request.as_str(), 1_000))));
        prop_assert_eq!(in_pieces, one_by_one);
    }
}

/// What a client may have sent behind its request; also that of which hyper makes nothing.
fn ahead() -> Vec<String> {
    let half = chat("").split_at(30).0.to_owned();
    vec![get("/livez"), chat(""), half, "G".into(), "\r\n".into(), "\0\0".into()]
}

/// How long the call of a client runs on that sends this behind its request and leaves, in milliseconds.
async fn outlived_by(ahead: &str, pause: u64, answer: (&Script, &str), resets: bool) -> u128 {
    let doors = Doors::before(Model::following([answer.0.clone()]));
    let (ours, mut theirs) = duplex(PIPE);
    let served = match resets {
        true => doors.serve(Resetting(ours)),
        false => doors.serve(ours),
    };
    let request = post(CHAT, "", &body("x", answer.1));
    let (now, later) = if pause == 0 { (ahead, "") } else { ("", ahead) };
    theirs.write_all(format!("{request}{now}").as_bytes()).await.unwrap();
    sleep(Duration::from_millis(pause)).await;
    theirs.write_all(later.as_bytes()).await.unwrap();
    doors.running(1).await;
    sleep(Duration::from_millis(100)).await;
    let left = Instant::now();
    drop(theirs);
    doors.running(0).await;
    served.await.unwrap();
    assert_eq!((doors.lines.model.dropped(), doors.lines.ledger.requests()), (1, 0));
    left.elapsed().as_millis()
}

#[tokio::test(start_paused = true)]
async fn a_client_that_sent_ahead_and_leaves_is_missed_at_once() {
    let (silent, begun) = (Script::new().hang(), Script::new().text("a").hang());
    let answers = [
        (&silent, ""),
        (&silent, r#","stream":true"#),
        (&begun, r#","stream":true"#),
    ];
    for ahead in ahead() {
        for (pause, answer) in [0, 5]
            .into_iter()
            .flat_map(|pause| answers.map(|answer| (pause, answer)))
        {
            for resets in [false, true] {
                let outlived = outlived_by(&ahead, pause, answer, resets).await;
                assert!(outlived <= 1, "{ahead:?} {pause} {} {resets}: {outlived}", answer.1);
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_sent_more_than_is_held_is_missed_at_the_next_write() {
    let more = "x".repeat(crate::io::MAX_EARLY);
    let answer = Script::new().text("a").after(5_000).text("b").hang();
    let streamed = (&answer, r#","stream":true"#);
    let (within, beyond) = more.split_at(more.len() - 1);
    assert!(outlived_by(within, 5, streamed, true).await <= 1);
    let outlived = outlived_by(&format!("{within}{beyond}"), 5, streamed, true).await;
    assert!((4_000..5_000).contains(&outlived), "{outlived}");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_ends_its_side_before_its_answer_has_left() {
    for requests in 1..4 {
        let doors = Doors::before(Model::following([Script::new().after(50).text("fine")]));
        let mut wire = doors.send(chat("").repeat(requests)).await;
        wire.pipe.shutdown().await.unwrap();
        assert_eq!(to_the_end(wire).await, (0, String::new()), "{requests}");
        assert_eq!((doors.lines.model.running(), doors.lines.model.finished()), (0, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn half_a_head_ahead_of_its_turn_has_its_time_from_its_turn() {
    let half = "POST /v1/chat";
    for (now, later) in [(half, ""), ("", half), ("POST ", "/v1/chat")] {
        let doors = Doors::before(Model::following([Script::new().after(30_000).text("fine")]));
        let mut wire = doors.send(format!("{}{now}", chat(""))).await;
        sleep(Duration::from_millis(1_000)).await;
        wire.say(later).await;
        let (after, said) = to_the_end(wire).await;
        assert_eq!(
            (after, said.matches("HTTP/1.1 200").count()),
            (29_000 + 10_000, 1),
            "{now:?} {later:?}"
        );
    }
}

/// A frame of a client; its mask is of zeros, which leaves the text as it is.
fn frame(text: &str) -> Vec<u8> {
    let length = u8::try_from(text.len()).ok().filter(|length| *length < 126).unwrap();
    [&[0x81, 0x80 | length, 0, 0, 0, 0], text.as_bytes()].concat()
}

#[tokio::test(start_paused = true)]
async fn frames_that_came_before_the_handshake_was_answered_are_heard_in_order() {
    let key = "sec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n";
    let handshake =
        format!("GET /v1/stream HTTP/1.1\r\nhost: t\r\nconnection: upgrade\r\nupgrade: websocket\r\n{key}\r\n");
    let ask = |id: &str| {
        frame(&format!(
            r#"{{"type":"submit","id":"{id}","request":{{"messages":[{{"role":"user","content":"y"}}]}}}}"#
        ))
    };
    let ids = ["one", "two", "three"];
    let frames = ids.map(ask);
    let sent = [chat("").into_bytes(), handshake.into_bytes(), frames.concat()].concat();
    for cut in (1..sent.len()).step_by(7) {
        let doors = Doors::before(echo());
        let (now, later) = sent.split_at(cut);
        let mut wire = doors.send(now).await;
        sleep(Duration::from_millis(5)).await;
        wire.say(later).await;
        let mut heard = Vec::new();
        drop(tokio::time::timeout(Duration::from_secs(1), wire.pipe.read_to_end(&mut heard)).await);
        let heard = String::from_utf8_lossy(&heard).into_owned();
        let (answered, session) = heard.split_once("HTTP/1.1 101").expect("the handshake is answered");
        assert!(answered.contains("You said x"), "{cut}: {answered}");
        let places = ids.map(|id| session.find(&format!("\"id\":\"{id}\"")).expect("each is heard"));
        assert!(places.is_sorted(), "{cut}: {session}");
    }
}
