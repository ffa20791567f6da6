//! A hop between two tasks of one thread, there and back, over the channel that the edges use and over others.
#![allow(missing_docs, reason = "the macros of the benchmark make public items")]

use criterion::{Criterion, criterion_group, criterion_main};
use tokio::{runtime::Runtime, sync::mpsc, task::JoinSet};

fn hop(criterion: &mut Criterion) {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().build() else {
        return;
    };
    let mut group = criterion.benchmark_group("hop there and back");
    group.bench_function("async_channel", |bencher| {
        let (there, theirs) = async_channel::bounded::<u64>(1);
        let (back, ours) = async_channel::bounded::<u64>(1);
        let _echo = spawn(&runtime, async move {
            while let Ok(value) = theirs.recv().await {
                _ = back.send(value).await;
            }
        });
        let (there, ours) = (&there, &ours);
        bencher.to_async(&runtime).iter(|| async {
            _ = there.send(1).await;
            ours.recv().await
        });
    });
    group.bench_function("tokio::mpsc", |bencher| {
        let (there, mut theirs) = mpsc::channel::<u64>(1);
        let (back, ours) = mpsc::channel::<u64>(1);
        let _echo = spawn(&runtime, async move {
            while let Some(value) = theirs.recv().await {
                _ = back.send(value).await;
            }
        });
        let (there, ours) = (&there, &tokio::sync::Mutex::new(ours));
        bencher.to_async(&runtime).iter(|| async {
            _ = there.send(1).await;
            ours.lock().await.recv().await
        });
    });
}

/// Ends with what it returns.
fn spawn(runtime: &Runtime, echo: impl Future<Output = ()> + Send + 'static) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    tasks.spawn_on(echo, runtime.handle());
    tasks
}

criterion_group!(hops, hop);
criterion_main!(hops);
