use super::*;
use expect_test::{Expect, expect};

fn route(name: &str) -> Arc<str> {
    name.into()
}

fn failed() -> Cause {
    Cause::Failed(Code::UpstreamConnect)
}

/// All episodes, each in a line.
fn told(episodes: &Episodes, began: Instant, now: Instant, expected: &Expect) {
    let millis = |at: Instant| at.saturating_duration_since(began).as_millis();
    let lines = episodes.all(now).into_iter().map(|episode| {
        let Episode {
            route, cause, touched, ..
        } = &episode;
        let until = episode.ended.map_or("now".to_owned(), |at| millis(at).to_string());
        let Touched {
            cache,
            stale,
            reduced,
            message,
            none,
        } = touched;
        format!(
            "{route} {cause} {}..{until}: {} = {cache} {stale} {reduced} {message} {none}\n",
            millis(episode.began),
            touched.all()
        )
    });
    expected.assert_eq(&lines.collect::<String>());
}

#[tokio::test(start_paused = true)]
async fn failures_of_a_route_are_one_episode_until_it_has_been_quiet() {
    let (began, mut episodes) = (Instant::now(), Episodes::new(Duration::from_secs(30)));
    let at = |seconds| began + Duration::from_secs(seconds);
    let age = Duration::ZERO;
    assert!(
        episodes.touch(&route("a"), &failed(), Some(Degraded::Cache { age }), at(0)),
        "it begins"
    );
    for (second, by) in [
        (10, Some(Degraded::Stale { age })),
        (20, Some(Degraded::Reduced)),
        (49, Some(Degraded::Message)),
        (50, None),
    ] {
        let other = Cause::Failed(Code::BreakerOpen);
        assert!(
            !episodes.touch(&route("a"), &other, by, at(second)),
            "it goes on, whatever fails then"
        );
    }
    told(
        &episodes,
        began,
        at(79),
        &expect![[r#"
        a upstream_connect 0..now: 5 = 1 1 1 1 1
    "#]],
    );
    told(
        &episodes,
        began,
        at(80),
        &expect![[r#"
        a upstream_connect 0..50000: 5 = 1 1 1 1 1
    "#]],
    );
    assert!(episodes.touch(&route("a"), &failed(), None, at(80)), "another one");
    told(
        &episodes,
        began,
        at(81),
        &expect![[r#"
        a upstream_connect 80000..now: 1 = 0 0 0 0 1
        a upstream_connect 0..50000: 5 = 1 1 1 1 1
    "#]],
    );
}

#[tokio::test(start_paused = true)]
async fn routes_and_rules_have_episodes_of_their_own() {
    let (began, mut episodes) = (Instant::now(), Episodes::new(Duration::from_secs(30)));
    let at = |seconds| began + Duration::from_secs(seconds);
    let rule = Cause::Rule("slow".into());
    episodes.begin(&route("a"), "slow".into(), at(1));
    episodes.begin(&route("a"), "dead".into(), at(2));
    episodes.begin(&route("b"), "slow".into(), at(3));
    assert!(!episodes.touch(&route("a"), &rule, Some(Degraded::Message), at(4)));
    assert!(episodes.touch(&route("a"), &failed(), None, at(5)));
    episodes.end(&route("a"), "slow", at(6));
    episodes.end(&route("nobody"), "slow", at(7));
    told(
        &episodes,
        began,
        at(600),
        &expect![[r#"
        a upstream_connect 5000..5000: 1 = 0 0 0 0 1
        b rule slow 3000..now: 0 = 0 0 0 0 0
        a rule dead 2000..now: 0 = 0 0 0 0 0
        a rule slow 1000..6000: 1 = 0 0 0 1 0
    "#]],
    );
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_answered_after_its_rule_has_ended_belongs_to_the_episode_that_it_began_in() {
    let (began, mut episodes) = (Instant::now(), Episodes::new(Duration::from_secs(30)));
    let at = |seconds| began + Duration::from_secs(seconds);
    let rule = Cause::Rule("slow".into());
    assert!(
        !episodes.touch(&route("a"), &rule, None, at(0)),
        "and to none where there was none"
    );
    episodes.begin(&route("a"), "slow".into(), at(1));
    episodes.end(&route("a"), "slow", at(6));
    assert!(!episodes.touch(&route("a"), &rule, Some(Degraded::Reduced), at(9)));
    told(
        &episodes,
        began,
        at(600),
        &expect![[r#"
            a rule slow 1000..6000: 1 = 0 0 1 0 0
        "#]],
    );
}

#[tokio::test(start_paused = true)]
async fn the_last_hundred_are_remembered() {
    let (began, mut episodes) = (Instant::now(), Episodes::new(Duration::from_secs(1)));
    for second in (0..500).step_by(2) {
        episodes.touch(&route("a"), &failed(), None, began + Duration::from_secs(second));
    }
    let all = episodes.all(began + Duration::from_secs(600));
    assert_eq!(all.len(), REMEMBERED + 1, "and the one that is open");
    assert_eq!(all[0].began, began + Duration::from_secs(498), "the latest first");
}
