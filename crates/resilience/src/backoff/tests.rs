use super::*;
use proptest::prelude::*;
use rand::{SeedableRng, rngs::StdRng};

#[test]
fn ceilings_double_up_to_the_longest() {
    let backoff = Backoff::new(&Config {
        retry_base_ms: 100,
        retry_max_ms: 1_000,
        ..Config::default()
    });
    let ceilings: Vec<u128> = (0..6).map(|retry| backoff.ceiling(retry).as_millis()).collect();
    assert_eq!(ceilings, [100, 200, 400, 800, 1000, 1000]);
    assert_eq!(backoff.ceiling(u32::MAX), backoff.longest());
}

#[test]
fn pauses_spread_over_the_whole_range() {
    let backoff = Backoff::new(&Config {
        retry_base_ms: 1_000,
        ..Config::default()
    });
    let mut rng = StdRng::seed_from_u64(1);
    let pauses: Vec<u128> = (0..200).map(|_| backoff.pause(0, &mut rng).as_millis()).collect();
    assert!(pauses.iter().any(|pause| *pause < 200) && pauses.iter().any(|pause| *pause > 800));
}

proptest! {
    #[test]
    fn a_pause_never_exceeds_its_ceiling(base in 1_u64..60_000, longest in 1_u64..600_000, retry in any::<u32>(), seed in any::<u64>()) {
        let backoff = Backoff::new(&Config { retry_base_ms: base, retry_max_ms: longest, ..Config::default() });
        let pause = backoff.pause(retry, &mut StdRng::seed_from_u64(seed));
        prop_assert!(pause <= backoff.ceiling(retry) && pause <= Duration::from_millis(longest));
    }
}
