use super::*;
use proptest::prelude::*;

/// Faults that all come true with the same probability.
fn faults(probability: f64) -> WorkerFaults {
    WorkerFaults {
        latency: probability,
        latency_min_ms: 100,
        latency_max_ms: 300,
        failure: probability,
        cut: probability,
        trickle: probability,
        ..WorkerFaults::default()
    }
}

/// Which of the four kinds came true.
fn came_true(hits: Hits) -> [bool; 4] {
    [
        hits.latency.is_some(),
        hits.failure.is_some(),
        hits.cut.is_some(),
        hits.trickle.is_some(),
    ]
}

fn run(seed: u64, target: &str, calls: u64, faults: &WorkerFaults) -> Vec<Hits> {
    (0..calls).map(|nth| draw(seed, target, nth, faults)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn a_probability_of_0_never_comes_true_and_one_of_1_always(seed: u64, target in ".{0,12}", nth: u64) {
        prop_assert_eq!(draw(seed, &target, nth, &faults(0.0)), Hits::default());
        let all = draw(seed, &target, nth, &faults(1.0));
        prop_assert_eq!(came_true(all), [true; 4]);
        prop_assert_eq!((all.failure, all.cut), (Some(503), Some(10)));
        prop_assert_eq!(all.trickle, Some(Duration::from_millis(250)));
    }

    #[test]
    fn the_same_seed_gives_the_same_run_and_another_seed_another(seed: u64, p in 0.2..0.8_f64) {
        let of = |seed| run(seed, "w", 60, &faults(p));
        prop_assert_eq!(of(seed), of(seed));
        prop_assert_ne!(of(seed), of(seed.wrapping_add(1)));
    }

    /// What one target meets says nothing of what another does: each pair of outcomes is about as frequent as by chance.
    #[test]
    fn targets_and_kinds_of_faults_are_independent(seed: u64) {
        let (one, other) = (run(seed, "a", 2_000, &faults(0.5)), run(seed, "b", 2_000, &faults(0.5)));
        let alike = |pairs: &mut dyn Iterator<Item = (bool, bool)>| pairs.filter(|(one, other)| one == other).count();
        for kind in 0..4 {
            let targets = alike(&mut one.iter().zip(&other).map(|(a, b)| (came_true(*a)[kind], came_true(*b)[kind])));
            prop_assert!((800..1_200).contains(&targets), "kind {}: {} of 2000", kind, targets);
            let next = (kind + 1) % 4;
            let kinds = alike(&mut one.iter().map(|hits| (came_true(*hits)[kind], came_true(*hits)[next])));
            prop_assert!((800..1_200).contains(&kinds), "kinds {} and {}: {} of 2000", kind, next, kinds);
        }
    }

    #[test]
    fn shares_come_near_their_probabilities(seed: u64, p in 0.0..=1.0_f64) {
        let calls = 4_000;
        let run = run(seed, "w", calls, &faults(p));
        for kind in 0..4 {
            let share = run.iter().filter(|hits| came_true(**hits)[kind]).count() as f64 / calls as f64;
            // More than six times the standard deviation.
            prop_assert!((share - p).abs() < 0.05, "kind {}: {} for {}", kind, share, p);
        }
    }

    #[test]
    fn a_fault_depends_on_no_other_ones_probability(seed: u64, nth: u64, p in 0.0..=1.0_f64, other in 0.0..=1.0_f64) {
        let one = draw(seed, "w", nth, &faults(p));
        let changed = draw(seed, "w", nth, &WorkerFaults { failure: other, ..faults(p) });
        prop_assert_eq!(Hits { failure: None, ..one }, Hits { failure: None, ..changed });
    }

    /// Whoever meets a fault rarely meets it still when it is made more frequent.
    #[test]
    fn a_fault_that_is_made_likelier_loses_nobody(seed: u64, nth: u64, p in 0.0..=1.0_f64, q in 0.0..=1.0_f64) {
        let (rare, often) = (came_true(draw(seed, "w", nth, &faults(p.min(q)))), came_true(draw(seed, "w", nth, &faults(p.max(q)))));
        for (rare, often) in rare.into_iter().zip(often) {
            prop_assert!(often || !rare);
        }
    }

    #[test]
    fn latencies_lie_within_their_bounds_and_reach_them(seed: u64, least in 0..20_u64, more in 0..4_u64) {
        let most = least + more;
        let bounds = WorkerFaults { latency_min_ms: least, latency_max_ms: most, ..faults(1.0) };
        let run = run(seed, "w", 400, &bounds);
        let drawn: std::collections::BTreeSet<u64> =
            run.iter().map(|hits| hits.latency.unwrap().as_millis() as u64).collect();
        prop_assert_eq!(drawn, (least..=most).collect());
    }
}

#[test]
fn bounds_that_are_crossed_give_the_lower_one() {
    let crossed = WorkerFaults {
        latency_min_ms: 300,
        latency_max_ms: 100,
        ..faults(1.0)
    };
    assert_eq!(draw(1, "w", 0, &crossed).latency, Some(Duration::from_millis(300)));
}

/// A seed that somebody wrote down tells the same run after an update.
#[test]
fn the_draws_of_a_seed_are_known() {
    let run = run(42, "fast", 16, &faults(0.3));
    let shown: Vec<String> = run
        .iter()
        .map(|hits| {
            let words = ["l", "f", "c", "t"].into_iter().zip(came_true(*hits));
            words.filter(|(_, came)| *came).map(|(word, _)| word).collect()
        })
        .collect();
    expect_test::expect!["f c lf f ft  c f l l f lf  lf lft t"].assert_eq(&shown.join(" "));
}

/// The published values of both.
#[test]
fn the_hash_and_the_generator_are_those_that_they_are_called() {
    assert_eq!(
        [seed_of(""), seed_of("a"), seed_of("foobar")],
        [0xcbf2_9ce4_8422_2325, 0xaf63_dc4c_8601_ec8c, 0x8594_4171_f739_67e8]
    );
    let mut dice = Dice(1_234_567);
    assert_eq!(
        [dice.next(), dice.next(), dice.next()],
        [
            6_457_827_717_110_365_317,
            3_203_168_211_198_807_973,
            9_817_491_932_198_370_423
        ]
    );
}
