//! Whatever clients do, each request that was accepted ends exactly once, and nothing is left when the socket is gone.

use crate::fixtures::{Client, Doors, on_paused_clock};
use orchestrator_core::{Code, Failure, FinishReason};
use orchestrator_testkit::scripted::{Call as Script, Model};
use proptest::prelude::*;
use serde_json::Value;
use std::{collections::HashMap, time::Duration};
use tokio::time::{sleep, timeout};
use tokio_tungstenite::tungstenite::Message;

/// What a client does next.
#[derive(Clone, Debug)]
enum Act {
    /// Asks what a kind of script answers, under one of few names.
    Submit {
        name: usize,
        kind: usize,
    },
    Cancel {
        name: usize,
    },
    Wait {
        millis: u64,
    },
    Say {
        words: String,
    },
}

/// How the socket comes to its end.
#[derive(Clone, Copy, Debug)]
enum Goodbye {
    Close,
    BreakOff,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => (0_usize..4, 0_usize..5).prop_map(|(name, kind)| Act::Submit { name, kind }),
        2 => (0_usize..4).prop_map(|name| Act::Cancel { name }),
        2 => (0_u64..30).prop_map(|millis| Act::Wait { millis }),
        1 => "\\PC{0,20}".prop_map(|words| Act::Say { words }),
    ]
}

fn script(kind: usize) -> Script {
    let failure = Failure::new(Code::UpstreamError, "No.");
    match kind {
        0 => Script::saying(["at once"]),
        1 => Script::paced(3, 10),
        2 => Script::new().fail(failure),
        3 => Script::new().text("a").after(10).fail(failure),
        _ => Script::new().after(15).text("a").after(20).finish(FinishReason::Length),
    }
}

fn doors() -> Doors {
    Doors::before(Model::responding(|_, prompt| {
        script(prompt.request.messages[0].text().parse().unwrap())
    }))
}

async fn obey(client: &mut Client, act: &Act) {
    let name = |name: &usize| format!("c{name}");
    match act {
        Act::Submit { name: id, kind } => client.submit(&name(id), &kind.to_string()).await,
        Act::Cancel { name: id } => client.cancel(&name(id)).await,
        Act::Wait { millis } => sleep(Duration::from_millis(*millis)).await,
        Act::Say { words } => client.send(Message::text(words.clone())).await,
    }
}

/// All frames until nothing more comes.
async fn hear_out(client: &mut Client) -> Vec<Value> {
    let mut frames = Vec::new();
    while let Ok(frame) = timeout(Duration::from_secs(1), client.hear()).await {
        frames.push(frame);
    }
    frames
}

/// Each name's frames are accepted, tokens and one end, again and again; refusals of frames may stand between them.
fn check(frames: &[Value]) -> usize {
    let mut running: HashMap<&str, Option<u64>> = HashMap::new();
    let mut ended = 0;
    for frame in frames {
        let name = frame["id"].as_str().unwrap_or_default();
        match frame["type"].as_str().unwrap() {
            "accepted" => assert!(running.insert(name, None).is_none(), "accepted twice: {frame}"),
            "token" => {
                let seq = frame["seq"].as_u64();
                let last = running.insert(name, seq).expect("a token of a request that runs");
                assert!(last < seq, "in order: {frame}");
            }
            "done" => {
                assert!(running.remove(name).is_some(), "it was running: {frame}");
                ended += 1;
            }
            _ => match frame["error"]["code"].as_str().unwrap() {
                "id_in_use" | "invalid_request" => {}
                "cancelled" | "upstream_error" => {
                    running.remove(name);
                    ended += 1;
                }
                other => panic!("{other}: {frame}"),
            },
        }
    }
    assert!(running.is_empty(), "all have ended: {running:?}");
    ended
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn each_request_ends_once(acts in prop::collection::vec(act(), 0..40)) {
        on_paused_clock(async {
            let doors = doors();
            let mut client = Client::connect(&doors).await;
            for act in &acts {
                obey(&mut client, act).await;
            }
            let ended = check(&hear_out(&mut client).await);
            assert_eq!(ended, doors.lines.asked.lock().len());
            assert_eq!((doors.lines.model.running(), doors.lines.ledger.bytes()), (0, 0));
        });
    }

    #[test]
    fn nothing_is_left_when_the_socket_is_gone(
        acts in prop::collection::vec(act(), 0..20),
        goodbye in prop::sample::select(&[Goodbye::Close, Goodbye::BreakOff][..]),
    ) {
        on_paused_clock(async {
            let doors = doors();
            let mut client = Client::connect(&doors).await;
            for act in &acts {
                obey(&mut client, act).await;
            }
            match goodbye {
                Goodbye::Close => client.close().await,
                Goodbye::BreakOff => drop(client),
            }
            sleep(Duration::from_secs(6)).await;
            assert!(doors.lines.tasks.is_empty(), "{} tasks", doors.lines.tasks.len());
            assert_eq!((doors.lines.model.running(), doors.lines.ledger.bytes()), (0, 0));
            assert_eq!(doors.metric("orchestrator_ws_connections"), 0.0);
            assert_eq!(doors.door.shared.deal.least(), 0);
        });
    }
}
