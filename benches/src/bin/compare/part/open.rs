//! Many slow streams at once, and WebSockets that are silent: the memory of each, and whether a token costs more processor
//! time the more streams are open. All streams together bring some thousand tokens a second, however many they are.

use crate::{
    answer::Answer,
    crowd::Crowd,
    load::{Client, all, drive},
    process::Server,
    servers::{Bench, Setting},
    shape::Shape,
    table::{Table, kb, mb, us},
};
use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::{
    task::JoinSet,
    time::{interval, sleep},
};

const STREAMS: [usize; 5] = [1, 10, 100, 1000, 5000];
const SOCKETS: usize = 2000;
/// How long is measured; a stream of 5000 has a token each 5 s.
const WINDOW: Duration = Duration::from_secs(10);
/// After a load, until its last things are put away.
const REST: Duration = Duration::from_secs(1);

/// What so many open streams cost.
struct Cost {
    memory: u64,
    /// More memory than before, for a stream.
    a_stream: f64,
    /// Microseconds of processor time for a token.
    a_token: f64,
}

pub(super) async fn measure(bench: &Bench) -> io::Result<()> {
    sockets(bench).await?;
    let title = "Open streams, one thread beside one worker of nginx";
    let columns = [
        "open streams",
        "a token: nginx",
        "the program",
        "ratio",
        "times one stream's",
        "memory",
        "a stream",
        "nginx",
        "goal",
    ];
    let table = Table::begin(title, columns);
    let mut alone = None;
    for streams in STREAMS {
        // Anew each time: memory that a crowd has left behind would hide what the next one takes.
        let (nginx, program) = (bench.nginx(1).await?, bench.program(Setting::threads(1)).await?);
        let floor = cost(bench, &nginx, streams).await?;
        let ours = cost(bench, &program, streams).await?;
        let one = *alone.get_or_insert(ours.a_token);
        table.row([
            streams.to_string(),
            us(floor.a_token),
            us(ours.a_token),
            format!("{:.2}", ours.a_token / floor.a_token),
            format!("{:.2}", ours.a_token / one),
            mb(ours.memory),
            kb(ours.a_stream),
            kb(floor.a_stream),
            "flat; 20 KB a stream".into(),
        ]);
    }
    Ok(())
}

async fn sockets(bench: &Bench) -> io::Result<()> {
    let program = bench.program(Setting::threads(1)).await?;
    let table = Table::begin("Memory at rest", ["what", "memory", "goal"]);
    sleep(REST).await;
    let idle = program.resident()?;
    table.row(["the program, started".into(), mb(idle), "40 MB".into()]);
    let crowd = Crowd::connect(program.address, SOCKETS).await?;
    sleep(REST).await;
    let a_socket = (program.resident()? - idle) as f64 / SOCKETS as f64;
    table.row([format!("an idle WebSocket, of {SOCKETS}"), kb(a_socket), "12 KB".into()]);
    drop(crowd);
    Ok(())
}

async fn cost(bench: &Bench, server: &Server, streams: usize) -> io::Result<Cost> {
    // What the first requests ever need is no stream's own.
    bench.follow(Shape::JSON);
    drive(server.address, Shape::JSON, 1, 100).await?;
    let before = server.resident()?;
    let shape = shape(streams);
    bench.follow(shape);
    let heard = Arc::new(AtomicUsize::new(0));
    let mut open = open(server.address, shape, streams, &heard).await;
    sleep(REST).await;
    let memory = server.resident()?;
    let count = async {
        let first = heard.load(Relaxed);
        sleep(WINDOW).await;
        io::Result::Ok(heard.load(Relaxed) - first)
    };
    let (told, spent) = server.during(count).await?;
    if let Some(one) = open.try_join_next() {
        one??;
        return Err(io::Error::other("a stream was over before it was measured"));
    }
    all(open).await?;
    Ok(Cost {
        memory,
        a_stream: (memory as f64 - before as f64) / streams as f64,
        a_token: spent / told as f64,
    })
}

/// Streams that all are open for the window and a little more, when their starts are spread over one gap.
fn shape(streams: usize) -> Shape {
    let needed = (WINDOW + 2 * REST).as_millis() as usize + streams;
    Shape::stream(needed.div_ceil(streams) + 1, streams as u64)
}

/// Opens streams, a millisecond apart. Their events are counted as they come, their texts checked when they are over.
async fn open(server: SocketAddr, shape: Shape, streams: usize, heard: &Arc<AtomicUsize>) -> JoinSet<io::Result<()>> {
    let expected: Arc<str> = shape.text().into();
    let (mut open, mut pace) = (JoinSet::new(), interval(Duration::from_millis(1)));
    for _ in 0..streams {
        pace.tick().await;
        let (expected, heard) = (expected.clone(), heard.clone());
        open.spawn(async move {
            let mut client = Client::connect(server).await?;
            let count = |answer: &Answer, before| {
                heard.fetch_add(answer.events_since(before), Relaxed);
            };
            client.ask(&shape.request(), count).await?;
            client.answer.check(&expected)
        });
    }
    open
}
