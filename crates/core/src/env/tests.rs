use super::*;
use std::collections::BTreeSet;

struct Stopped(SystemTime);

impl WallClock for Stopped {
    fn now(&self) -> SystemTime {
        self.0
    }
}

fn env(at: SystemTime, seed: u64) -> Env {
    Env::new(Arc::new(Stopped(at)), Entropy::seeded(seed))
}

fn draw(env: &Env, label: &str) -> [u64; 2] {
    let mut random = env.random(label);
    [random.next_u64(), random.next_u64()]
}

#[test]
fn equal_seeds_give_equal_streams_and_each_part_has_its_own() {
    let (one, same, other) = (env(UNIX_EPOCH, 7), env(UNIX_EPOCH, 7), env(UNIX_EPOCH, 8));
    assert_eq!(draw(&one, "retry"), draw(&same, "retry"));
    assert_eq!(
        draw(&one, "retry"),
        draw(&one, "retry"),
        "a draw of one part shifts nobody's"
    );
    assert_ne!(draw(&one, "retry"), draw(&one, "breaker"));
    assert_ne!(draw(&one, "retry"), draw(&other, "retry"));
}

#[test]
fn ids_differ_and_follow_from_the_seed() {
    let at = UNIX_EPOCH + Duration::from_millis(1_767_225_600_123);
    let (one, same) = (env(at, 7), env(at, 7));
    let ids: Vec<RequestId> = (0..100).map(|_| one.request_id()).collect();
    assert_eq!(ids, (0..100).map(|_| same.request_id()).collect::<Vec<_>>());
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), 100);
    assert!(
        ids.iter().all(|id| id.to_string().starts_with("req_019b76daa87b")),
        "{:?}",
        ids.first()
    );
}

#[test]
fn clones_share_the_ids() {
    let one = env(UNIX_EPOCH, 7);
    assert_ne!(one.request_id(), one.clone().request_id());
}

#[test]
fn a_clock_before_1970_counts_as_1970() {
    assert_eq!(env(UNIX_EPOCH - Duration::from_secs(9), 7).unix_time(), Duration::ZERO);
    assert_eq!(
        env(UNIX_EPOCH + Duration::from_secs(9), 7).unix_time(),
        Duration::from_secs(9)
    );
}

#[test]
fn two_worlds_of_the_system_do_not_share_their_chance() {
    assert_ne!(draw(&Env::system(), "retry"), draw(&Env::system(), "retry"));
    assert!(Env::system().unix_time() > Duration::from_secs(1_767_225_600));
}
