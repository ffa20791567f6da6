use super::*;
use proptest::prelude::*;

#[test]
fn texts_are_hashed_as_everywhere_and_for_ever() {
    // Published test values of FNV-1a, 64 bits.
    for (text, expected) in [
        ("", 0xcbf2_9ce4_8422_2325),
        ("a", 0xaf63_dc4c_8601_ec8c),
        ("foobar", 0x8594_4171_f739_67e8),
    ] {
        assert_eq!(hash(text.as_bytes()), expected);
    }
}

#[test]
fn numbers_follow_each_other_as_in_the_published_generator() {
    // The first three of SplitMix64 from the seed 1234567.
    let drawn = [1, 2, 3].map(|nth: u64| mix(GOLDEN.wrapping_mul(nth).wrapping_add(1_234_567)));
    assert_eq!(
        drawn,
        [
            6_457_827_717_110_365_317,
            3_203_168_211_198_807_973,
            9_817_491_932_198_370_423
        ]
    );
}

proptest! {
    #[test]
    fn no_two_numbers_are_spread_to_one(one: u64, other: u64) {
        prop_assert_eq!(one == other, mix(one) == mix(other));
    }
}
