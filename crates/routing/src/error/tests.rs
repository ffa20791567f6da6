//! Each way in which routes cannot be built, and what is said about it.

use super::*;
use crate::{Metrics, RouteConfig, Routes};
use expect_test::{Expect, expect};
use prometheus::Registry;

/// What is said about routes over no workers at all.
fn check(routes: &[(&str, RouteConfig)], expected: Expect) {
    let metrics = Metrics::register(&Registry::new()).unwrap();
    let routes = routes.iter().map(|(name, config)| (*name, config.clone()));
    let error: Error = Routes::build(routes, &[], 1, &metrics).unwrap_err();
    expected.assert_eq(&error.to_string());
}

#[test]
fn a_worker_that_there_is_not() {
    for tier in 0..3 {
        let mut config = RouteConfig::default();
        let tiers = [&mut config.primary, &mut config.secondary, &mut config.backup];
        tiers[tier].push("nobody".to_owned());
        check(
            &[("r", config)],
            expect!["the route `r` names the worker `nobody`, which there is not"],
        );
    }
}

#[test]
fn a_route_without_workers() {
    check(
        &[("empty", RouteConfig::default())],
        expect!["the route `empty` names no worker"],
    );
}
