use super::*;

#[test]
fn nothing_stands_in_for_workers_unless_it_is_declared() {
    let config = Config::default();
    assert!(!config.is_on());
    let steps = [Step::Cache, Step::Reduced, Step::Message];
    assert!(!steps.into_iter().any(|step| config.has(step)));
}

#[test]
fn steps_have_one_name_in_the_document_and_everywhere_else() {
    for step in [Step::Cache, Step::Reduced, Step::Message] {
        let declared = serde_json::to_value(step).unwrap();
        assert_eq!(declared, step.as_str());
        let config: Config = serde_json::from_value(serde_json::json!({ "chain": [declared] })).unwrap();
        assert!(config.is_on() && config.has(step));
    }
}

#[test]
fn without_stale_answers_the_fresh_ones_are_all_there_are() {
    let cache = |fresh_s, stale_s| CacheConfig {
        fresh_s,
        stale_s,
        ..CacheConfig::default()
    };
    assert_eq!(cache(10, 0).longest(), Duration::from_secs(10));
    assert_eq!(cache(10, 20).longest(), Duration::from_secs(20));
    assert_eq!(cache(10, 20).fresh(), Duration::from_secs(10));
}
