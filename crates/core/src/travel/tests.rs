use super::*;
use crate::{Dialect, Original, Params, Priority, RequestId, Reuse};
use tokio::time::Instant;

/// A prompt that asks for so many tokens, of which there may be no more than `limit`.
fn prompt(max_tokens: Option<u64>, limit: Option<u64>) -> Prompt {
    let request = Request {
        id: RequestId::mint(0, [0; 10]),
        model: "m".into(),
        messages: Vec::new(),
        params: Params {
            max_tokens,
            ..Params::default()
        },
        original: Original {
            dialect: Dialect::Chat,
            body: "{}".into(),
            fields: Vec::new(),
        },
        stream: false,
        priority: Priority::Normal,
        session: None,
        reuse: Reuse::Allowed,
        fingerprint: None,
        deadline: Instant::now(),
        wanted_by: None,
        chaos: None,
    };
    Prompt {
        request: Box::new(request),
        rewritten: false,
        grounding: Vec::new(),
        limit,
    }
}

#[test]
fn the_smallest_limit_holds_and_the_usual_one_only_where_none_is_asked_for() {
    for (asked, limit, usual, expected) in [
        (None, None, None, None),
        (None, None, Some(7), Some(7)),
        (Some(9), None, Some(7), Some(9)),
        (Some(9), Some(8), Some(7), Some(8)),
        (Some(9), Some(10), None, Some(9)),
        (None, Some(8), Some(7), Some(7)),
        (None, Some(8), None, Some(8)),
    ] {
        let max_tokens = prompt(asked, limit).max_tokens(usual);
        assert_eq!(max_tokens, expected, "{asked:?} {limit:?} {usual:?}");
    }
}
