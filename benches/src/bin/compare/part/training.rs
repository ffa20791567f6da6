//! What a build is asked that counts what it runs (`scripts/train.sh`): all that is often asked, in about the parts in which
//! it is. A function that nobody comes to is compiled to be small, and laid aside. Nothing is measured.

use super::Effort;
use crate::{
    crowd::Crowd,
    load::{ask_all, at_rate, drive},
    process::Server,
    servers::{Bench, Setting},
    shape::{self, Shape},
};
use std::{io, time::Duration};

const USUAL: Setting = Setting::threads(1);
/// What the model may speak, and whether requests are grounded; the first is usual.
const LINES: [Setting; 4] = [
    USUAL,
    Setting {
        provider: "anthropic",
        ..USUAL
    },
    Setting {
        provider: "ollama",
        ..USUAL
    },
    Setting {
        grounded: true,
        ..USUAL
    },
];
/// How many requests of each are asked of the usual line, over how many connections. The other lines get a quarter.
const SHAPES: [(Shape, usize, usize); 4] = [
    (Shape::JSON, 8000, 16),
    (Shape::stream(32, 0), 4000, 16),
    (Shape::stream(32, 5), 640, 64),
    (Shape::stream(512, 1), 64, 64),
];
/// More than a worker with few slots can answer: some wait, and most are refused.
const CROWDED: Setting = Setting {
    slots: 4,
    lane: 20,
    ..USUAL
};
/// What listeners hear that keep up, and what leaves them behind.
const SHARED: [Shape; 2] = [Shape::stream(32, 20), Shape::stream(256, 2)];
const LISTENERS: usize = 100;

pub(super) async fn ask(bench: &Bench, effort: Effort) -> io::Result<()> {
    for (nth, setting) in LINES.into_iter().enumerate() {
        let program = bench.program(setting).await?;
        let part = if nth == 0 { 1 } else { 4 };
        for (shape, requests, connections) in SHAPES {
            let requests = effort.of(requests / part).max(connections);
            bench.follow(shape);
            drive(program.address, shape, connections, requests).await?;
            ask_all(program.address, shape, (connections, requests / 4), as_an_sdk_does).await?;
        }
        program.end().await?;
    }
    listen(bench, effort, bench.program(USUAL).await?).await?;
    overload(bench, effort, bench.program(CROWDED).await?).await
}

/// A conversation as an SDK sends it, with its headers.
fn as_an_sdk_does(shape: Shape) -> Vec<u8> {
    const HEADERS: &str = "host: server\r\naccept: application/json\r\nuser-agent: OpenAI/Python 3.52.0\r\n\
        x-stainless-lang: python\r\nx-stainless-package-version: 3.52.0\r\nx-stainless-os: Linux\r\n\
        x-stainless-arch: x64\r\nx-stainless-runtime: CPython\r\nx-stainless-async: false\r\n\
        authorization: Bearer key\r\nx-stainless-retry-count: 0\r\ncontent-type: application/json\r\n";
    const SAID: &str = r#"{"role":"user","content":"Es war einmal \u2014 \"so\" begann er \u2014 ein König,\nder fragte:"},{"role":"assistant","content":"Fahre fort.\n\n1. Wer?\n2. Wo?\t3. Wann?"},"#;
    let body = shape.body();
    let body = body.replacen(r#""messages":["#, &format!(r#""messages":[{}"#, SAID.repeat(8)), 1);
    shape::written(HEADERS, &body)
}

/// Equal requests over WebSockets.
async fn listen(bench: &Bench, effort: Effort, program: Server) -> io::Result<()> {
    let mut crowd = Crowd::connect(program.address, LISTENERS).await?;
    for shape in SHARED {
        bench.follow(shape);
        for _ in 0..effort.of(4).max(1) {
            crowd.hear(&program, shape).await?;
        }
    }
    program.end().await
}

async fn overload(bench: &Bench, effort: Effort, program: Server) -> io::Result<()> {
    let shape = Shape {
        first_ms: 20,
        ..Shape::JSON
    };
    bench.follow(shape);
    let time = Duration::from_millis(effort.of(4000) as u64);
    at_rate(program.address, shape, 1000.0, time).await?;
    program.end().await
}
