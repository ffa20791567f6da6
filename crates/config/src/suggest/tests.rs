use super::*;
use crate::{path::Path, schema};

#[test]
fn a_key_is_helped_by_its_table_then_by_others_then_by_the_schema() {
    let schema = schema();
    let root = Shape::of(&schema).unwrap();
    let cases = [
        ("server", "max_inflight", "did you mean `max_in_flight`?"),
        ("server", "grace_ms", "`grace_ms` belongs in `[shutdown]`"),
        (
            "pipeline",
            "close_after",
            "`close_after` belongs in `[pipeline.resilience]`, `[workers.NAME.resilience]`",
        ),
        (
            "workers.w.resilience",
            "retry_attempts",
            "`retry_attempts` belongs in `[pipeline.resilience]`",
        ),
        (
            "pipeline",
            "pattern",
            "`pattern` belongs in `[[pipeline.stages.post_process.redact]]`",
        ),
        (
            "telemetry",
            "workers",
            "write `[workers]`, which stands in no other table",
        ),
        (
            "server",
            "capacity",
            "take it out; `orchestrator schema` lists all keys",
        ),
        ("server", "bananas", "take it out; `orchestrator schema` lists all keys"),
    ];
    for (table, key, expected) in cases {
        let shape = root.at(&Path::of(table)).unwrap();
        assert_eq!(for_key(key, shape, root), expected);
    }
}
