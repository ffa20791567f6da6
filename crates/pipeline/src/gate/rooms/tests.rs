use super::*;

#[test]
fn the_mean_follows_slowly_and_begins_with_the_first_sample() {
    let second = Duration::from_secs(1);
    assert_eq!(average(Duration::ZERO, second), second);
    assert_eq!(average(second, second), second);
    assert_eq!(
        average(Duration::from_secs(16), Duration::ZERO),
        Duration::from_secs(15)
    );
}
