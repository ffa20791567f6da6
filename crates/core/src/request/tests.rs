use super::*;

#[test]
fn a_lane_reads_as_it_prints_and_the_first_served_is_the_highest() {
    for lane in Priority::ALL {
        assert_eq!(Priority::parse(lane.as_str()), Some(lane));
    }
    assert_eq!(Priority::ALL.map(Priority::as_str), ["high", "normal", "low"]);
    assert!(Priority::High > Priority::Normal && Priority::Normal > Priority::Low);
    assert_eq!(Priority::default(), Priority::Normal);
}

#[test]
fn other_words_are_no_lane() {
    for word in ["", "High", " high", "urgent", "0"] {
        assert_eq!(Priority::parse(word), None, "{word}");
    }
}
