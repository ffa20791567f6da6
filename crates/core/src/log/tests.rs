//! Every interleaving of a join with the last leave, on the very type that answers use.

use super::*;
use loom::thread;
use std::time::Duration;

/// Whoever joined is heard: the work cannot have seen "nobody listens" before.
#[test]
fn nobody_joins_work_that_was_given_up() {
    loom::model(|| {
        let now = Instant::now();
        let until = now + Duration::from_secs(9);
        let log = Arc::new(Log::new(Ledger::generous(), Priority::Normal));
        let first = log.listen(until);
        let other = log.clone();
        let leaver = thread::spawn(move || {
            other.leave(first);
            other.wanted_until(None).is_none()
        });
        let joined = matches!(log.join(until, Priority::Normal, now), Joined::Here { .. });
        let given_up = leaver.join().unwrap();
        assert!(!(joined && given_up));
    });
}
