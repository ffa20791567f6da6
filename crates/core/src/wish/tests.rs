use super::*;
use proptest::prelude::*;

fn named(name: &str) -> Arc<str> {
    name.into()
}

#[test]
fn a_wish_says_what_it_was_given_and_nothing_of_its_calls() {
    let wish = Wish::new("failure=1".into());
    wish.next(&named("fast"));
    assert_eq!(wish.words(), "failure=1");
    assert_eq!(format!("{wish:?}"), r#"Wish("failure=1")"#);
}

#[test]
fn a_clone_goes_on_where_the_first_has_stopped() {
    let wish = Wish::new(Text::default());
    let again = wish.clone();
    assert_eq!((wish.next(&named("a")), again.next(&named("a"))), (0, 1));
    assert_eq!(Wish::new(Text::default()).next(&named("a")), 0, "another's are its own");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// However calls of several are mixed, each is told how many of its own came before.
    #[test]
    fn each_target_is_counted_for_itself(calls in proptest::collection::vec(0_usize..4, 0..40)) {
        let names = ["a", "b", "c", "d"].map(named);
        let wish = Wish::new(Text::default());
        let mut counts = [0_u64; 4];
        for call in calls {
            prop_assert_eq!(wish.next(&names[call]), counts[call]);
            counts[call] += 1;
        }
    }
}
