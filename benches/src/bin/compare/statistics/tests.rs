use super::*;

#[test]
fn quantiles_are_values_of_the_sample() {
    let sample: Sample = (1..=100).rev().map(f64::from).collect();
    let cases = [
        (0.0, 1.0),
        (0.01, 1.0),
        (0.5, 50.0),
        (0.501, 51.0),
        (0.99, 99.0),
        (1.0, 100.0),
    ];
    for (share, value) in cases {
        assert_eq!(sample.quantile(share), value, "{share}");
    }
    assert_eq!(Sample::default().quantile(0.99), 0.0);
    assert_eq!(Sample::from_iter([7.0]).quantile(0.99), 7.0);
}

#[test]
fn the_median_of_rounds_is_one_of_them() {
    assert_eq!(Sample::from_iter([3.0, 1.0, 2.0]).median(), 2.0);
    assert_eq!(Sample::from_iter([4.0, 1.0, 2.0, 3.0]).median(), 2.0);
}

#[test]
fn a_spread_shows_median_and_range() {
    let spread = Sample::from_iter([2.5, 1.0, 2.0]).spread();
    assert_eq!(spread.to_string(), "2.00 (1.00-2.50)");
    assert_eq!(format!("{spread:.1}"), "2.0 (1.0-2.5)");
}
