use super::*;
use proptest::prelude::*;
use std::fmt::Write;

fn rule() -> RuleConfig {
    RuleConfig {
        failure_rate: 0.5,
        window_s: 10,
        min_requests: 4,
        hold_s: 5,
        ..RuleConfig::default()
    }
}

/// A rule on a clock of its own.
struct Script {
    watch: Watch,
    began: Instant,
}

impl Script {
    fn of(rule: RuleConfig) -> Self {
        Script {
            watch: Watch::new(rule),
            began: Instant::now(),
        }
    }

    fn at(&self, millis: u64) -> Instant {
        self.began + Duration::from_millis(millis)
    }

    /// The workers stream an answer within so many milliseconds, or fail. Whether the rule begins to hold.
    fn heard(&mut self, millis: u64, first_token: Option<u64>) -> bool {
        let first_token = first_token.map(Duration::from_millis);
        self.hear(millis, first_token.map_or(Heard::Failed, Heard::FirstToken))
    }

    fn hear(&mut self, millis: u64, heard: Heard) -> bool {
        let now = self.at(millis);
        self.watch.settle(now);
        self.watch.heard(heard, now)
    }

    /// The workers fail at these times.
    fn fail(&mut self, at: impl IntoIterator<Item = u64>) {
        for millis in at {
            self.heard(millis, None);
        }
    }

    fn holds(&self, millis: u64) -> bool {
        self.watch.holds(self.at(millis)).is_some()
    }
}

#[tokio::test(start_paused = true)]
async fn it_begins_when_enough_requests_fail_and_not_before_enough_were_heard() {
    let mut script = Script::of(rule());
    assert!(!script.heard(0, None));
    assert!(!script.heard(1, None));
    assert!(!script.heard(2, None), "three say nothing");
    assert_eq!(script.watch.rates(script.at(2)), (1.0, 0.0));
    assert!(script.heard(3, Some(1)), "three of four failed");
    assert_eq!(
        script.watch.rates(script.at(3)),
        (0.0, 0.0),
        "what is heard from now on says when it ends"
    );
    assert!(script.holds(3));
    assert!(!script.heard(4, None), "it begins but once");
}

#[tokio::test(start_paused = true)]
async fn requests_count_for_the_window_and_no_longer() {
    let mut script = Script::of(rule());
    for millis in [0, 100, 200] {
        script.heard(millis, None);
    }
    assert!(!script.heard(10_200, None), "those before are too old");
    let mut script = Script::of(rule());
    for millis in [0, 3_000, 6_000] {
        script.heard(millis, None);
    }
    assert!(script.heard(9_900, None), "those before are within ten seconds");
}

#[tokio::test(start_paused = true)]
async fn it_ends_by_the_clock_when_nothing_is_heard() {
    let mut script = Script::of(rule());
    script.fail(0..4);
    assert!(script.holds(5_002));
    assert!(!script.holds(5_003), "five seconds after it began");
    let noticed = script.watch.settle(script.at(60_000));
    assert_eq!(noticed, Some(script.at(5_003)), "whenever that is noticed");
    assert_eq!(script.watch.settle(script.at(60_001)), None, "once");
}

#[tokio::test(start_paused = true)]
async fn it_goes_on_while_a_part_of_its_threshold_is_reached() {
    // Holds from 50 % on, and is well below 25 %.
    let mut script = Script::of(rule());
    script.fail([0; 4]);
    let mut told = String::new();
    // One of four fails, as probes find out, then one of five.
    for (period, outcomes) in [
        [None, Some(1), Some(1), Some(1), Some(1)],
        [Some(1), None, Some(1), Some(1), Some(1)],
    ]
    .into_iter()
    .enumerate()
    {
        let heard = if period == 0 { &outcomes[..4] } else { &outcomes[..] };
        for (second, outcome) in (0..).zip(heard) {
            script.heard(period as u64 * 5_000 + second * 1_000, *outcome);
        }
        let end = (period as u64 + 1) * 5_000;
        writeln!(told, "{end}: {}", if script.holds(end) { "holds" } else { "is over" }).unwrap();
    }
    assert_eq!(told, "5000: holds\n10000: is over\n");
}

#[tokio::test(start_paused = true)]
async fn what_was_before_it_began_or_ended_counts_no_more() {
    let mut script = Script::of(RuleConfig {
        window_s: 3_600,
        ..rule()
    });
    script.fail(0..100);
    assert!(
        script.holds(10_002),
        "those after the fourth were heard in its first period"
    );
    assert!(!script.holds(10_003));
    assert!(!script.heard(10_003, None), "the hundred are forgotten");
    assert!(!script.heard(10_004, None));
    assert!(!script.heard(10_005, None));
    assert!(script.heard(10_006, None), "four new ones are enough");
}

/// A twentieth of twenty streams takes a second or more.
fn slow() -> RuleConfig {
    RuleConfig {
        failure_rate: 0.0,
        latency_p95_ms: 1_000,
        min_requests: 20,
        ..rule()
    }
}

#[tokio::test(start_paused = true)]
async fn slow_answers_hold_it_when_more_than_a_twentieth_are() {
    let mut script = Script::of(slow());
    (0..19).for_each(|millis| assert!(!script.heard(millis, Some(999))));
    assert!(script.heard(19, Some(1_000)), "one of twenty");
    let mut script = Script::of(slow());
    (0..19).for_each(|millis| assert!(!script.heard(millis, None), "failures are not slow"));
    assert!(!script.heard(19, Some(999)));
    assert_eq!(script.watch.rates(script.at(19)), (0.95, 0.0));
}

#[tokio::test(start_paused = true)]
async fn answers_that_come_as_a_whole_say_nothing_of_first_tokens() {
    let mut script = Script::of(slow());
    (0..100).for_each(|millis| assert!(!script.hear(millis, Heard::Whole)));
    assert!(!script.heard(100, Some(1_000)), "one stream says nothing");
    assert_eq!(
        script.watch.rates(script.at(100)),
        (0.0, 1.0),
        "of one stream, not of 101 requests"
    );
    (0..18).for_each(|millis| assert!(!script.heard(101 + millis, Some(1))));
    assert!(script.heard(119, Some(1)), "one of twenty streams");
    (1..4).for_each(|period| assert!(!script.hear(period * 1_000, Heard::Whole)));
    assert!(!script.holds(5_119), "nor do they hold it");
}

#[tokio::test(start_paused = true)]
async fn without_a_threshold_no_answer_is_slow() {
    let mut script = Script::of(rule());
    (0..3).for_each(|millis| assert!(!script.heard(millis, Some(5))));
    script.heard(3, None);
    assert_eq!(script.watch.rates(script.at(3)), (0.25, 0.0));
}

#[tokio::test(start_paused = true)]
async fn one_request_a_second_finds_out_while_it_holds() {
    let mut script = Script::of(rule());
    assert!(
        !script.watch.may_probe(script.at(0)),
        "as long as it does not hold nobody need"
    );
    script.fail([0; 4]);
    let probes = (0..50).filter(|tenth| {
        let now = script.at(tenth * 100);
        script.watch.may_probe(now)
    });
    assert_eq!(probes.collect::<Vec<_>>(), [10, 20, 30, 40]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// However requests come: it begins only at its threshold, holds at least for `hold_s`, and looking changes nothing.
    #[test]
    fn it_keeps_its_word(heard in proptest::collection::vec((0_u64..3_000, any::<bool>()), 1..120)) {
        let mut script = Script::of(rule());
        let (mut millis, mut since): (u64, Option<u64>) = (0, None);
        for (gap, fails) in heard {
            millis += gap;
            let before = script.watch.rates(script.at(millis));
            let (holds, again) = (script.holds(millis), script.holds(millis));
            prop_assert_eq!(holds, again);
            prop_assert_eq!(before, script.watch.rates(script.at(millis)));
            if let Some(begun) = since {
                prop_assert!(holds || millis >= begun + 5_000, "it was over after {} ms", millis - begun);
            } else {
                prop_assert!(!holds);
            }
            if !holds {
                since = None;
            }
            if script.heard(millis, (!fails).then_some(1)) {
                prop_assert!(fails || since.is_none());
                prop_assert!(script.holds(millis));
                since = Some(millis);
            }
        }
        prop_assert!(!script.holds(millis + 10_000), "two quiet periods are the end of it");
    }

    /// Workers that never fail and are never slow hold no rule.
    #[test]
    fn it_never_holds_without_a_reason(heard in proptest::collection::vec((0_u64..2_000, any::<bool>()), 1..120)) {
        let mut script = Script::of(RuleConfig { latency_p95_ms: 50, ..rule() });
        let mut millis = 0;
        for (gap, streams) in heard {
            millis += gap;
            let heard = if streams { Heard::FirstToken(Duration::from_millis(49)) } else { Heard::Whole };
            prop_assert!(!script.hear(millis, heard));
            prop_assert!(!script.holds(millis));
        }
    }
}
