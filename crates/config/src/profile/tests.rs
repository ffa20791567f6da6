use super::*;
use crate::{Findings, parse};

fn environment(variables: &[(&str, &str)]) -> Environment {
    let owned = |(name, value): &(&str, &str)| (name.to_string(), value.to_string());
    variables.iter().map(owned).collect()
}

/// The profile of a document in an environment.
fn profile(text: &str, variables: &[(&str, &str)]) -> Result<Profile, Findings> {
    let loaded = parse("p.toml".as_ref(), text, &environment(variables));
    loaded.map(|loaded| loaded.config.profile)
}

#[test]
fn the_environment_says_what_a_document_does_not() {
    let table: [(&[(&str, &str)], Profile); 11] = [
        (&[], Profile::Dev),
        (&[("CI", "true")], Profile::Ci),
        (&[("CI", "1")], Profile::Ci),
        (&[("CI", "")], Profile::Dev),
        (&[("CI", "False")], Profile::Dev),
        (&[("CI", "0")], Profile::Dev),
        (&[("ENV", "prod")], Profile::Prod),
        (&[("ENV", "Production ")], Profile::Prod),
        (&[("ENV", "staging")], Profile::Dev),
        (&[("ENV", "prod"), ("CI", "true")], Profile::Prod),
        (&[("ENV", "test"), ("CI", "true")], Profile::Ci),
    ];
    for (variables, expected) in table {
        assert_eq!(profile("", variables), Ok(expected), "{variables:?}");
    }
}

#[test]
fn a_document_goes_before_what_is_found_and_a_variable_of_its_own_before_both() {
    let found = [("ENV", "prod"), ("CI", "1")];
    assert_eq!(profile("profile = \"dev\"\n", &found), Ok(Profile::Dev));
    let own = [("ENV", "prod"), ("ORCHESTRATOR__PROFILE", "ci")];
    assert_eq!(profile("profile = \"dev\"\n", &own), Ok(Profile::Ci));
    assert_eq!(profile("", &own), Ok(Profile::Ci));
}

#[test]
fn a_profile_reads_as_it_prints_and_no_other_word_is_one() {
    for known in [Profile::Dev, Profile::Ci, Profile::Prod] {
        let text = format!("profile = \"{}\"\n", known.as_str());
        assert_eq!(profile(&text, &[]), Ok(known));
    }
    let Findings(findings) = profile("profile = \"production\"\n", &[]).unwrap_err();
    assert_eq!(findings[0].path.to_string(), "profile");
    assert_eq!(findings[0].help.as_deref(), None);
    assert!(
        findings[0].allowed.as_deref().unwrap().contains("`prod`"),
        "{}",
        findings[0]
    );
}

#[test]
fn a_profile_in_a_table_is_shown_its_place() {
    let Findings(findings) = profile("[server]\nprofile = \"prod\"\n", &[]).unwrap_err();
    let help = findings[0].help.as_deref();
    assert_eq!(help, Some("write `profile = ...` before the first table"));
}
