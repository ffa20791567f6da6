use super::*;
use futures_util::FutureExt;
use orchestrator_core::{Flow, Stage, Unique};

/// A benchmark of work that fails at once would be fast.
#[test]
fn the_benchmarks_do_what_they_measure() {
    let (bytes, size) = (body(1 << 16), 1 << 16);
    assert!((size..size + 200).contains(&bytes.len()));
    assert!(orchestrator_dialect::chat::parse_request(bytes).unwrap().stream);
    let (dedup, mut cx, request) = shared(1 << 10);
    let flow = dedup.run(&mut cx, request).now_or_never();
    assert!(matches!(flow, Some(Ok(Flow::Next(Unique(_))))));
    let (mut writer, head, chunks) = chunks();
    let mut written = 0;
    for chunk in &chunks {
        writer.write(&head, chunk, &mut |_| written += 1);
    }
    assert_eq!((chunks.len(), written), (CHUNKS, CHUNKS));
}
