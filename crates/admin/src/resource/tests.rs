use super::*;
use crate::fixtures::words;
use expect_test::expect;

#[test]
fn every_path_names_what_it_says() {
    let name = || "fast".to_owned();
    let cases = [
        ("circuit-breakers", Resource::Breakers),
        ("circuit-breakers/fast", Resource::Breaker(name())),
        ("circuit-breakers/fast/history", Resource::History(name())),
        ("circuit-breakers/fast/reset", Resource::Reset(name())),
        ("circuit-breakers/fast/force-open", Resource::ForceOpen(name())),
        ("workers", Resource::Workers),
        ("workers/fast", Resource::Worker(name())),
        ("routes", Resource::Routes),
        ("routes/fast", Resource::Route(name())),
        ("retry", Resource::Retry),
        ("retry/fast", Resource::RetryOf(name())),
        ("load-balancing", Resource::LoadBalancing),
        ("load-balancing/fast", Resource::LoadBalancingOf(name())),
        ("pools", Resource::Pools),
        ("pipeline", Resource::Pipeline),
        ("chaos", Resource::Chaos),
    ];
    for (path, expected) in cases {
        assert_eq!(Resource::of(&format!("/api/v1/{path}")).unwrap(), expected);
    }
}

#[test]
fn a_name_is_one_part_of_the_path_and_read_as_its_client_wrote_it() {
    let cases = [
        ("a%2Fb", "a/b"),
        ("a%2fhistory", "a/history"),
        ("caf%C3%A9", "café"),
        ("100%", "100%"),
        ("%zz", "%zz"),
        ("%ff", "\u{fffd}"),
        ("a+b", "a+b"),
        ("reset", "reset"),
        ("", ""),
    ];
    for (part, expected) in cases {
        let named = Resource::of(&format!("/api/v1/circuit-breakers/{part}")).unwrap();
        assert_eq!(named, Resource::Breaker(expected.to_owned()), "{part}");
    }
}

#[test]
fn a_path_that_names_nothing_is_told_what_may_be_meant() {
    let cases = [
        "/api/v1/",
        "/api/v1/circuit_breakers",
        "/api/v1/Workers",
        "/api/v1/worker",
        "/api/v1/routes/a/b",
        "/api/v1/pool",
        "/api/v1/pools/fast",
        "/api/v1/pipelines",
        "/api/v1/load-balancer",
        "/api/v1/circuit-breakers/fast/forceopen",
        "/api/v1/circuit-breakers/a%2Fb/rest",
        "/api/v1/circuit-breakers/fast/close",
        "/api/v1/circuit-breakers/fast/reset/now",
        "/api/v1/degradations",
        "/api/v1/degradation/stat",
        "/api/v1/degradation/test/now",
        "/api/v2/workers",
        "/workers",
        "",
    ];
    let told: String = cases
        .iter()
        .map(|path| format!("{path}\n  {}\n", words(Resource::of(path))))
        .collect();
    expect![[r#"
        /api/v1/
          404 Nothing is served at this path.
        /api/v1/circuit_breakers
          404 Nothing is served at this path. Did you mean `/api/v1/circuit-breakers`?
        /api/v1/Workers
          404 Nothing is served at this path. Did you mean `/api/v1/workers`?
        /api/v1/worker
          404 Nothing is served at this path. Did you mean `/api/v1/workers`?
        /api/v1/routes/a/b
          404 Nothing is served at this path. Did you mean `/api/v1/routes`?
        /api/v1/pool
          404 Nothing is served at this path. Did you mean `/api/v1/pools`?
        /api/v1/pools/fast
          404 Nothing is served at this path. Did you mean `/api/v1/pools`?
        /api/v1/pipelines
          404 Nothing is served at this path. Did you mean `/api/v1/pipeline`?
        /api/v1/load-balancer
          404 Nothing is served at this path. Did you mean `/api/v1/load-balancing`?
        /api/v1/circuit-breakers/fast/forceopen
          404 Nothing is served at this path. Did you mean `/api/v1/circuit-breakers/fast/force-open`?
        /api/v1/circuit-breakers/a%2Fb/rest
          404 Nothing is served at this path. Did you mean `/api/v1/circuit-breakers/a%2Fb/reset`?
        /api/v1/circuit-breakers/fast/close
          404 Nothing is served at this path.
        /api/v1/circuit-breakers/fast/reset/now
          404 Nothing is served at this path. Did you mean `/api/v1/circuit-breakers`?
        /api/v1/degradations
          404 Nothing is served at this path. Did you mean `/api/v1/degradation`?
        /api/v1/degradation/stat
          404 Nothing is served at this path. Did you mean `/api/v1/degradation/stats`?
        /api/v1/degradation/test/now
          404 Nothing is served at this path. Did you mean `/api/v1/degradation`?
        /api/v2/workers
          404 Nothing is served at this path.
        /workers
          404 Nothing is served at this path.

          404 Nothing is served at this path.
    "#]]
    .assert_eq(&told);
}

#[test]
fn a_very_long_path_is_refused_as_any_other() {
    let long = format!("/api/v1/circuit-breakers/fast/{}", "x".repeat(64 << 10));
    assert_eq!(words(Resource::of(&long)), words(Resource::of("/api/v1/")));
}
