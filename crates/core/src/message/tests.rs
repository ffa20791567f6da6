use super::*;

fn message(texts: &[&'static str]) -> Message {
    Message {
        role: Role::User,
        texts: texts.iter().map(|text| Text::from_static(text)).collect(),
        raw: Bytes::new(),
    }
}

#[test]
fn the_parts_of_a_turn_are_joined_by_line_breaks() {
    assert_eq!(message(&[]).text(), "");
    assert_eq!(message(&["one"]).text(), "one");
    assert_eq!(message(&["one", "", "two\nthree"]).text(), "one\n\ntwo\nthree");
}

#[test]
fn a_single_part_is_shared_and_not_copied() {
    let body = Bytes::from_static(b"shared");
    let mut one = message(&[]);
    one.texts.push(Text::try_from(body.clone()).unwrap());
    assert_eq!(one.text().as_bytes().as_ptr(), body.as_ptr());
}
