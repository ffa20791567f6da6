use super::*;
use proptest::prelude::*;
use std::collections::HashSet;

#[test]
fn a_fingerprint_prints_as_hex_with_every_zero() {
    let mut bytes = [0; 32];
    bytes[0] = 0x0a;
    bytes[31] = 0xff;
    let printed = format!("{:?}", Fingerprint(bytes));
    assert_eq!(printed, format!("0a{}ff", "0".repeat(60)));
}

proptest! {
    #[test]
    fn equal_bytes_and_no_others_make_one_key(bytes: [u8; 32], at in 0_usize..32, flipped in 1_u8..) {
        let mut other = bytes;
        other[at] ^= flipped;
        let keys: HashSet<_> = [bytes, bytes, other].map(Fingerprint).into();
        prop_assert_eq!(keys.len(), 2);
        prop_assert_ne!(format!("{:?}", Fingerprint(bytes)), format!("{:?}", Fingerprint(other)));
    }
}
