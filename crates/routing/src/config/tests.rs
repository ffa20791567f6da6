use super::*;
use expect_test::expect;

fn read(text: &str) -> Result<RouteConfig, String> {
    serde_json::from_str(text).map_err(|error| error.to_string())
}

fn route(models: &[&str]) -> RouteConfig {
    RouteConfig {
        models: models.iter().map(|&model| model.to_owned()).collect(),
        ..RouteConfig::default()
    }
}

#[test]
fn by_default_a_route_takes_every_model_and_has_no_limits() {
    assert_eq!(read("{}").unwrap(), RouteConfig::default());
    expect![[r#"
        {
          "models": [
            "*"
          ],
          "primary": [],
          "secondary": [],
          "backup": [],
          "balance": "p2c_ewma",
          "weights": {},
          "overflow_after_ms": 0,
          "retry_budget_percent": 20,
          "retry_budget_min": 30
        }"#]]
    .assert_eq(&serde_json::to_string_pretty(&RouteConfig::default()).unwrap());
}

#[test]
fn what_is_written_is_read_again() {
    let full = RouteConfig {
        models: vec!["gpt-*".into(), "llama".into()],
        primary: vec!["fast".into()],
        secondary: vec!["strong".into()],
        backup: vec!["local".into()],
        balance: Balance::Weighted,
        weights: BTreeMap::from([("fast".into(), 3)]),
        soft_limit: Some(40),
        hard_limit: Some(80),
        stream_soft_limit: Some(8),
        stream_hard_limit: Some(16),
        overflow_after_ms: 50,
        latency_budget_ms: Some(800),
        complexity: Some(Complexity::default()),
        retry_budget_percent: 10,
        retry_budget_min: 5,
    };
    assert_eq!(read(&serde_json::to_string(&full).unwrap()).unwrap(), full);
}

#[test]
fn a_field_that_nothing_reads_is_refused() {
    let error = read(r#"{"primery":["fast"]}"#).unwrap_err();
    assert!(error.starts_with("unknown field `primery`"), "{error}");
    assert!(serde_json::from_str::<Pools>(r#"{"medium":1}"#).is_err());
}

#[test]
fn a_balance_is_one_of_five_words() {
    for balance in Balance::ALL {
        assert_eq!(serde_json::to_value(balance).unwrap(), balance.as_str());
        let text = format!(r#"{{"balance":"{}"}}"#, balance.as_str());
        assert_eq!(read(&text).unwrap().balance, balance);
    }
    expect![
        "unknown variant `random`, expected one of `round_robin`, `weighted`, `least_connections`, `p2c_ewma`, \
         `consistent_hash` at line 1 column 19"
    ]
    .assert_eq(&read(r#"{"balance":"random"}"#).unwrap_err());
}

#[test]
fn a_pool_takes_a_hundred_calls_by_default() {
    let pools: Pools = serde_json::from_str(r#"{"fast":7}"#).unwrap();
    assert_eq!((pools.fast, pools.slow, pools.ceiling), (7, 100, 1_000));
    assert_eq!((Pools::default().fast, Pools::default().slow), (100, 100));
}

/// The rest is read once: it decides which workers and connections there are.
#[test]
fn limits_balance_weights_and_budgets_are_marked_as_live() {
    let live = |schema: schemars::Schema| {
        let schema = schema.to_value();
        let fields = schema["properties"].as_object().unwrap().clone().into_iter();
        let live = fields.filter(|(_, field)| field["x-live"] == true);
        live.map(|(name, _)| name).collect::<Vec<_>>().join(" ")
    };
    expect![
        "balance weights soft_limit hard_limit stream_soft_limit stream_hard_limit overflow_after_ms latency_budget_ms \
         complexity retry_budget_percent retry_budget_min"
    ]
    .assert_eq(&live(schemars::schema_for!(RouteConfig)));
    assert_eq!(live(schemars::schema_for!(Pools)), "fast slow");
}

#[test]
fn each_field_is_described_and_each_number_bounded() {
    for schema in [schemars::schema_for!(RouteConfig), schemars::schema_for!(Pools)] {
        let schema = schema.to_value();
        for (name, field) in schema["properties"].as_object().unwrap() {
            assert!(field["description"].is_string(), "{name}: {field}");
            let is_number = field["type"] == "integer" || field["type"].as_array().is_some();
            let is_bounded = field["minimum"].is_number() && field["maximum"].is_number();
            assert_eq!(is_number, is_bounded, "{name}: {field}");
        }
    }
}

#[test]
fn weights_and_model_names_are_bounded_one_by_one() {
    let schema = schemars::schema_for!(RouteConfig).to_value();
    let weight = &schema["properties"]["weights"]["additionalProperties"];
    expect![[r##"{"$ref":"#/$defs/Weight"}"##]].assert_eq(&weight.to_string());
    let weight = &schema["$defs"]["Weight"];
    assert_eq!((&weight["minimum"], &weight["maximum"]), (&1.into(), &1_000.into()));
    expect![[r#"{"type":"string","minLength":1,"maxLength":256,"pattern":"^[^*]*\\*?$"}"#]]
        .assert_eq(&schema["properties"]["models"]["items"].to_string());
}

#[test]
fn a_name_fits_itself_and_a_beginning_what_it_begins() {
    for (pattern, model, fit) in [
        ("*", "anything", Some(Fit::Prefix(0))),
        ("*", "", Some(Fit::Prefix(0))),
        ("gpt-*", "gpt-4o", Some(Fit::Prefix(4))),
        ("gpt-*", "gpt-", Some(Fit::Prefix(4))),
        ("gpt-*", "gpt", None),
        ("gpt-4o", "gpt-4o", Some(Fit::Exact)),
        ("gpt-4o", "gpt-4o-mini", None),
        ("gpt-4o", "GPT-4o", None),
        ("modèle-*", "modèle-é", Some(Fit::Prefix(8))),
    ] {
        assert_eq!(Fit::best(&route(&[pattern]).models, model), fit, "{pattern} {model}");
    }
    assert_eq!(Fit::best(&[], "any"), None);
}

#[test]
fn the_closest_pattern_counts_and_a_name_is_closer_than_any_beginning() {
    let route = route(&["*", "gpt-*", "gpt-4*", "gpt-4o"]);
    let fits = ["llama", "gpt-3", "gpt-4", "gpt-4o"].map(|model| Fit::best(&route.models, model).unwrap());
    assert_eq!(fits, [Fit::Prefix(0), Fit::Prefix(4), Fit::Prefix(5), Fit::Exact]);
    assert!(fits.is_sorted());
}

#[test]
fn a_worker_weighs_one_unless_it_is_named() {
    let config = read(r#"{"weights":{"fast":3}}"#).unwrap();
    assert_eq!((config.weight("fast"), config.weight("strong")), (3, 1));
}
