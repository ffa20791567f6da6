use super::*;
use crate::fixtures::words;

fn fault(path: &str, message: &str) -> Fault {
    Fault {
        path: path.to_owned(),
        message: message.to_owned(),
        allowed: None,
        help: None,
    }
}

#[test]
fn the_first_fault_is_told_in_words_and_how_many_follow() {
    let told = |faults: &[Fault]| words::<()>(Err(refused(faults.to_vec())));
    let (first, second) = (fault("pools.fast", "0 is too small"), fault("pools.slow", "no"));
    assert_eq!(told(&[]), "422 Nothing was changed.");
    let one = "422 Nothing was changed. `pools.fast`: 0 is too small.";
    assert_eq!(told(std::slice::from_ref(&first)), one);
    assert_eq!(told(&[first, second.clone(), second]), format!("{one} And 2 more."));
}

#[test]
fn only_resources_with_settings_are_edited() {
    let name = || "x".to_owned();
    for resource in [
        Resource::Breakers,
        Resource::Breaker(name()),
        Resource::Reset(name()),
        Resource::Workers,
        Resource::Routes,
        Resource::Retry,
        Resource::LoadBalancing,
        Resource::Pipeline,
    ] {
        assert_eq!(settings_of(&resource), None, "{resource:?}");
    }
    assert_eq!(settings_of(&Resource::Pools), Some((Section::Pools, None)));
}
