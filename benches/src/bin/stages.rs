//! How long each stage works on a request, what a hop between two costs, and the whole line without a model: P50 and P99
//! of many requests, one after the other, on one core.
#![allow(
    clippy::print_stdout,
    clippy::arithmetic_side_effects,
    reason = "a command for people whose numbers are small"
)]

use futures_util::{StreamExt, stream};
use orchestrator_benches::line::{self, Clients};
use orchestrator_core::{
    Answer, Blocking, Chunk, Cx, Delta, Failure, Filtered, FinishReason, Flow, Grounded, Head, Kind, Ledger, Passage,
    Priority, Prompt, Reply, Request, RequestId, Retriever, Stage, Submit, Tasks, Tier, Unique, answer,
};
use orchestrator_pipeline::Parts;
use orchestrator_rag::{Index, Rag};
use orchestrator_testkit::collect;
use prometheus::Registry;
use std::{error::Error, sync::Arc};
use tokio::time::{Duration, Instant};

const WARM_UP: usize = 1_000;
const REQUESTS: usize = 10_000;
const TOKENS: usize = 32;

/// The parts that are measured, and what they are registered on.
struct Bench {
    parts: Parts,
    searching: Arc<Rag>,
    registry: Registry,
    ledger: Arc<Ledger>,
    clients: Clients,
    _folder: tempfile::TempDir,
}

fn main() -> Result<(), Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut bench = Bench::new()?;
        println!("| what | P50 | P99 |\n|---|---|---|");
        bench.stages().await?;
        bench.line().await?;
        hop().await;
        Ok(())
    })
}

/// Measures `work` on what `prepare` makes, which does not count.
async fn measure<T, F>(what: &str, mut prepare: impl FnMut() -> T, mut work: impl FnMut(T) -> F) -> Result<(), Failure>
where
    F: Future<Output = Result<(), Failure>>,
{
    let mut times = Vec::with_capacity(REQUESTS);
    for nth in 0..WARM_UP + REQUESTS {
        let input = prepare();
        let began = Instant::now();
        work(input).await?;
        if nth >= WARM_UP {
            times.push(began.elapsed());
        }
    }
    show(what, times);
    Ok(())
}

fn show(what: &str, mut times: Vec<Duration>) {
    times.sort();
    let at = |percent: usize| times.get(times.len() * percent / 100).copied().unwrap_or_default();
    let micros = |time: Duration| time.as_nanos() as f64 / 1000.0;
    println!("| {what} | {:.1} us | {:.1} us |", micros(at(50)), micros(at(99)));
}

// === impl Bench ===

impl Bench {
    fn new() -> Result<Self, Box<dyn Error>> {
        let registry = Registry::new();
        let ledger = Ledger::new(8 << 20, 512 << 20, 10_000);
        let parts = line::parts(TOKENS, &registry, &ledger)?;
        let searching = orchestrator_rag::Metrics::register(&Registry::new())?;
        let folder = library()?;
        let searched = orchestrator_rag::Config {
            folder: Some(folder.path().to_owned()),
            ..Default::default()
        };
        let index = Index::open(&searched, Blocking::new(1), searching.clone())?;
        index.as_ref().map_or(Ok(()), |index| index.refresh())?;
        let index = index.map(|index| index as Arc<dyn Retriever>);
        Ok(Bench {
            searching: Arc::new(Rag::new(searched, index, searching)),
            parts,
            registry,
            ledger,
            clients: Clients::default(),
            _folder: folder,
        })
    }

    /// A request with its way through the line and its client.
    fn job(&mut self) -> (Cx, Answer, Box<Request>) {
        let request = self.clients.request();
        let until = Instant::now() + Duration::from_secs(600);
        let (writer, client) = answer(until, Priority::Normal, self.ledger.clone());
        let id = RequestId::mint(self.clients.asked(), [0; 10]);
        (Cx::new(id, writer), client, Box::new(request))
    }

    async fn stages(&mut self) -> Result<(), Failure> {
        let Parts {
            dedup,
            gate,
            rag,
            assemble,
            inference,
            post_process,
            stream,
        } = self.parts.clone();
        run("dedup", &*dedup, || self.job(), |request| request).await?;
        run("gate", &gate, || self.job(), Unique).await?;
        run("rag without a folder", &*rag, || self.job(), Unique).await?;
        let prompt = |request| Prompt {
            request,
            rewritten: false,
            grounding: Vec::new(),
            limit: None,
        };
        let grounded = |passages: Vec<Passage>| {
            move |request| Grounded {
                request,
                passages: passages.clone(),
            }
        };
        run("assemble", &*assemble, || self.job(), grounded(Vec::new())).await?;
        run(
            "assemble with four passages",
            &*assemble,
            || self.job(),
            grounded(passages()),
        )
        .await?;
        run("inference but for the call", &*inference, || self.job(), prompt).await?;
        run("post-process, set up", &*post_process, || self.job(), |_| reply()).await?;
        run("stream, 32 tokens", &*stream, || self.job(), |_| Filtered(reply())).await?;
        let searching = self.searching.clone();
        run(
            "rag, 2000 passages, on a blocking thread",
            &*searching,
            || self.job(),
            Unique,
        )
        .await
    }

    /// From the submission of a request to the end of its answer of 32 tokens.
    async fn line(&mut self) -> Result<(), Box<dyn Error>> {
        let entry = line::open(self.parts.clone(), &self.registry, self.ledger.clone())?;
        let ask = |request: Request| {
            let answer = entry.submit(request);
            async { collect(answer?).await.map(drop) }
        };
        measure("the line without a model, 32 tokens", || self.clients.request(), ask).await?;
        entry.close();
        Ok(())
    }
}

async fn run<S: Stage>(
    what: &str,
    stage: &S,
    mut job: impl FnMut() -> (Cx, Answer, Box<Request>),
    body: impl Fn(Box<Request>) -> S::In,
) -> Result<(), Failure> {
    let prepare = || {
        let (cx, client, request) = job();
        (cx, client, body(request))
    };
    measure(what, prepare, |(mut cx, client, body)| async move {
        let flow = stage.run(&mut cx, body).await?;
        drop((cx, client));
        match flow {
            Flow::Next(_) | Flow::Done(_) | Flow::Join(..) => Ok(()),
        }
    })
    .await
}

/// A value handed over to another task and back, half of it.
async fn hop() {
    let (there, theirs) = async_channel::bounded::<u64>(1);
    let (back, ours) = async_channel::bounded::<u64>(1);
    let echo = Tasks::new().spawn(async move {
        while let Ok(value) = theirs.recv().await {
            if back.send(value).await.is_err() {
                return;
            }
        }
    });
    let mut times = Vec::with_capacity(REQUESTS);
    for nth in 0..REQUESTS as u64 {
        let began = Instant::now();
        if there.send(nth).await.is_err() || ours.recv().await.is_err() {
            break;
        }
        times.push(began.elapsed() / 2);
    }
    echo.abort();
    show("a channel hop to another task", times);
}

/// A folder with about 2000 passages.
fn library() -> std::io::Result<tempfile::TempDir> {
    let folder = tempfile::tempdir()?;
    for room in 0..20 {
        let mut text = String::new();
        for shelf in 0..100 {
            let sentence = "It holds books on rivers, bridges, boats and those who build them.";
            text += &format!(
                "# Shelf {shelf} of room {room}\n{sentence} Number {}.\n\n",
                shelf * room
            );
        }
        std::fs::write(folder.path().join(format!("room-{room}.md")), text)?;
    }
    Ok(folder)
}

fn passages() -> Vec<Passage> {
    let passage = |nth: usize| Passage {
        source: format!("room-{nth}.md").into(),
        text: "It holds books on rivers, bridges, boats and those who build them. "
            .repeat(8)
            .into(),
        score: 1.0,
    };
    (0..4).map(passage).collect()
}

fn reply() -> Reply {
    let text = |nth: usize| Chunk::text(format!("tok{nth} "));
    let finish = Chunk::from(Delta::first(Kind::Finish(FinishReason::Stop)));
    let batch: Vec<Chunk> = (0..TOKENS).map(text).chain([finish]).collect();
    let head = Head {
        worker: "bench".into(),
        tier: Tier::Primary,
        degraded: None,
        id: "id".into(),
        model: "m".into(),
        created: 0,
        attempts: 1,
        grounding: Vec::new(),
        waited: Duration::ZERO,
    };
    let events = stream::iter([Ok(batch)]).boxed();
    Reply {
        head: Box::new(head),
        events,
    }
}
