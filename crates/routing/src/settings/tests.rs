use super::*;
use crate::Balance;

fn config() -> RouteConfig {
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    RouteConfig {
        models: names(&["m"]),
        primary: names(&["a", "b"]),
        backup: names(&["c", "a"]),
        weights: [("a".to_owned(), 4), ("c".to_owned(), 2)].into(),
        ..RouteConfig::default()
    }
}

#[test]
fn weights_stand_in_the_order_of_the_workers() {
    let in_force = InForce::new(config());
    let weights = |tiers: [&[u32]; 3]| tiers.map(|weights| Wheel::new(weights.iter().copied()));
    assert_eq!(in_force.load().weights, weights([&[4, 1], &[], &[2, 4]]));
    let of_b = [("b".to_owned(), 7)].into();
    in_force.change(RouteConfig {
        weights: of_b,
        ..config()
    });
    assert_eq!(in_force.load().weights, weights([&[1, 7], &[], &[1, 1]]));
}

#[test]
fn models_and_workers_stay_whatever_is_put_in_force() {
    let in_force = InForce::new(config());
    let other = RouteConfig {
        models: vec!["other".to_owned()],
        primary: vec!["c".to_owned()],
        secondary: vec!["d".to_owned()],
        backup: Vec::new(),
        balance: Balance::Weighted,
        hard_limit: Some(9),
        ..config()
    };
    let expected = RouteConfig {
        balance: Balance::Weighted,
        hard_limit: Some(9),
        ..config()
    };
    assert_eq!(*in_force.change(other), expected);
    assert_eq!(*in_force.load().config, expected);
}

#[test]
fn who_has_loaded_a_version_keeps_it() {
    let in_force = InForce::new(config());
    let before = in_force.load();
    in_force.change(RouteConfig {
        soft_limit: Some(1),
        ..config()
    });
    assert_eq!(
        (before.config.soft_limit, in_force.load().config.soft_limit),
        (None, Some(1))
    );
}
