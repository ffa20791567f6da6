use super::*;
use futures_util::FutureExt;
use orchestrator_core::{Flow, Stage, Unique};

/// A benchmark of work that fails at once would be fast.
#[test]
fn the_benchmarks_do_what_they_measure() {
    let (bytes, size) = (body(1 << 16), 1 << 16);
    assert!((size..size + 200).contains(&bytes.len()));
    assert!(orchestrator_dialect::chat::parse_request(bytes).unwrap().stream);
    assert!(!orchestrator_dialect::chat::parse_request(short()).unwrap().stream);
    for (dedup, mut cx, request) in [shared(1 << 10), short_shared()] {
        let flow = dedup.run(&mut cx, request).now_or_never();
        assert!(matches!(flow, Some(Ok(Flow::Next(Unique(_))))));
    }
    let (_, chunk) = orchestrator_dialect::whole::read(Protocol::Chat, &whole()).unwrap();
    assert_eq!(chunk.deltas.len(), 3, "a text, the finish, the usage");
    let (mut writer, head, chunks) = chunks();
    let mut written = 0;
    for chunk in &chunks {
        writer.write(&head, chunk, &mut |_| written += 1);
    }
    assert_eq!((chunks.len(), written), (CHUNKS, CHUNKS));
    let passed = Midway::new().pass();
    assert!(passed.windows(6).any(|bytes| bytes == b"\"tok3 "), "{passed:?}");
}

#[test]
fn the_line_answers() {
    assert_eq!(crate::line::Line::warm(2).answer().unwrap(), "tok0 tok1 ");
}
