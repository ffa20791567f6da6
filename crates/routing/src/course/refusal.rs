//! What a request is told that no worker is called for.

use crate::{Refused, Reject, routes::unknown_model};
use orchestrator_core::{Code, Failure};
use std::time::Duration;

// === impl Reject ===

impl Reject {
    /// The refusal in words; none where a slot is waited for.
    pub(super) fn failure(self) -> Option<Failure> {
        let (code, text) = match self.refused {
            Refused::OverCapacity => return None,
            Refused::UnknownModel => return Some(unknown_model()),
            Refused::DeadlineTooShort => {
                let text = "Nothing is left of the time that the request has.";
                return Some(Failure::new(Code::DeadlineExceeded, text));
            }
            Refused::AllResting => (Code::RateLimited, "All workers asked for a rest."),
            Refused::RateLimited => (Code::RateLimited, "The workers are called as often as they may."),
            Refused::AllBreakersOpen => (
                Code::BreakerOpen,
                "No worker is called for now, since their last calls failed.",
            ),
        };
        let least = match code {
            // The rest is waited for if it is short, so it is told as it is.
            Code::RateLimited => Duration::ZERO,
            _ => Duration::from_secs(1),
        };
        Some(Failure::new(code, text).with_retry_after(self.after.max(least)))
    }
}
