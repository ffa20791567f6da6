use super::*;
use proptest::prelude::*;

#[test]
fn the_core_with_fewest_open_requests_is_next() {
    let deal = Deal::new(3);
    let _busy = [deal.count(0, What::Request), deal.count(1, What::Request)];
    assert_eq!(deal.least(), 2);
}

#[test]
fn ties_go_to_the_core_with_fewest_connections() {
    let deal = Deal::new(2);
    let first = deal.count(deal.least(), What::Connection);
    assert_eq!(deal.least(), 1);
    drop(first);
    assert_eq!(deal.least(), 0);
}

#[test]
fn a_core_that_does_not_exist_counts_for_nothing() {
    let deal = Deal::new(1);
    drop(deal.count(9, What::Request));
    assert_eq!((deal.least(), Deal::new(0).least()), (0, 0));
}

proptest! {
    /// Dealt one by one, no core ever has more than one more than another, and all counts return to zero.
    #[test]
    fn cores_stay_level(cores in 1_usize..8, requests in 0_usize..64) {
        let deal = Deal::new(cores);
        let open: Vec<Counted> = (0..requests).map(|_| deal.count(deal.least(), What::Request)).collect();
        let loads = || deal.0.iter().map(|core| core.requests.load(Relaxed)).collect::<Vec<_>>();
        let (most, least) = (loads().into_iter().max().unwrap_or(0), loads().into_iter().min().unwrap_or(0));
        prop_assert!(most - least <= 1);
        drop(open);
        prop_assert!(loads().iter().all(|load| *load == 0));
    }
}
