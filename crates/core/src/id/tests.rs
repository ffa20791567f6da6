use super::*;
use proptest::prelude::*;

#[test]
fn an_id_reads_as_it_prints() {
    let id = RequestId::mint(1_767_225_600_000, [7; 10]);
    assert_eq!(id.to_string(), "req_019b76daa80077078707070707070707");
    assert_eq!(format!("{id:?}"), id.to_string());
    assert_eq!(RequestId::parse(&id.to_string()), Some(id));
}

#[test]
fn what_is_no_id_is_refused() {
    let good = RequestId::mint(1, [1; 10]).to_string();
    let hex = good.strip_prefix("req_").unwrap();
    let hyphens = format!("req_{}", uuid::Uuid::try_parse(hex).unwrap().hyphenated());
    for bad in [
        "",
        "req_",
        hex,
        &hyphens,
        good.strip_suffix(|_: char| true).unwrap(),
        &format!("{good}0"),
        &good.replace("req_", "REQ_"),
        &format!("req_{}", "g".repeat(32)),
    ] {
        assert_eq!(RequestId::parse(bad), None, "{bad}");
    }
}

proptest! {
    #[test]
    fn ids_sort_by_time_and_differ_by_chance(
        (early, late) in (0_u64..1 << 47, 1_u64..1 << 40).prop_map(|(at, later)| (at, at + later)),
        one: [u8; 10],
        other: [u8; 10],
    ) {
        prop_assert!(RequestId::mint(early, one) < RequestId::mint(late, other));
        prop_assert!(RequestId::mint(early, one).to_string() < RequestId::mint(late, other).to_string());
        prop_assert_eq!(RequestId::mint(early, one), RequestId::mint(early, one));
    }

    #[test]
    fn any_text_is_read_without_a_panic(text in "\\PC{0,40}", hex in "req_[0-9a-fA-F]{32}") {
        RequestId::parse(&text);
        let id = RequestId::parse(&hex).unwrap();
        prop_assert_eq!(id.to_string(), hex.to_lowercase());
    }
}
