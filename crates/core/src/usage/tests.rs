use super::*;
use proptest::prelude::*;

#[test]
fn reasons_are_openais_words() {
    use FinishReason::{ContentFilter, Length, Stop, ToolCalls};
    let words = [Stop, Length, ToolCalls, ContentFilter].map(FinishReason::as_str);
    assert_eq!(words, ["stop", "length", "tool_calls", "content_filter"]);
}

proptest! {
    /// Cached and reasoning tokens are parts of the other two, so they are not counted again.
    #[test]
    fn a_total_is_prompt_and_answer_and_never_overflows(
        prompt_tokens: u64,
        completion_tokens: u64,
        cached_tokens: u64,
        reasoning_tokens: u64,
    ) {
        let usage = Usage { prompt_tokens, completion_tokens, cached_tokens, reasoning_tokens };
        let sum = u128::from(prompt_tokens) + u128::from(completion_tokens);
        prop_assert_eq!(u128::from(usage.total_tokens()), sum.min(u64::MAX.into()));
    }
}
