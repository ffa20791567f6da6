use super::*;
use orchestrator_resilience::Pass;
use orchestrator_routing::{Balance, plan};

/// A decision that refuses at once would be fast.
#[test]
fn the_benchmarks_decide_for_the_request() {
    assert!(guard().try_admit(Pass::Usual).is_ok());
    let (limit, now) = rate_limit();
    assert!(limit.check(now).is_ok());
    for workers in [3, 1_000] {
        let (views, ask) = tiers(workers);
        let plan = plan(views.each_ref().map(Vec::as_slice), Balance::P2cEwma, &ask);
        assert_eq!((plan.candidates.len(), plan.reject), (workers, None));
    }
    let (runtime, calls) = calls(3);
    assert!((0..300).all(|_| runtime.block_on(calls.one())));
}
