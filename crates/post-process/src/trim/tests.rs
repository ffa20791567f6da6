use super::*;
use proptest::prelude::*;

fn pieces(trim: Trim, pieces: &[&str]) -> String {
    let mut trimming = Trimming::default();
    let mut shown = Vec::new();
    for piece in pieces {
        let mut out = String::new();
        trimming.push(trim, piece, &mut out);
        shown.push(out);
    }
    shown.join(",")
}

#[test]
fn white_space_goes_where_it_should() {
    let text = [" \n", " a ", " b", "\t", "c \u{a0}", " "];
    assert_eq!(pieces(Trim::None, &text), " \n, a , b,\t,c \u{a0}, ");
    assert_eq!(pieces(Trim::Start, &text), ",a , b,\t,c \u{a0}, ");
    assert_eq!(pieces(Trim::End, &text), ", \n a,  b,,\tc,");
    assert_eq!(pieces(Trim::Both, &text), ",a,  b,,\tc,");
}

#[test]
fn a_text_of_white_space_alone_is_nothing() {
    assert_eq!(pieces(Trim::Both, &[" ", "\n", "\u{2003}"]), ",,");
    assert_eq!(pieces(Trim::Start, &[" ", "\n"]), ",");
    assert_eq!(pieces(Trim::End, &[" ", "\n"]), ",");
}

#[test]
fn endless_white_space_is_not_held_without_end() {
    let space = " ".repeat(MAX_SPACE);
    let mut trimming = Trimming::default();
    let mut out = String::new();
    trimming.push(Trim::End, "a", &mut out);
    trimming.push(Trim::End, &space, &mut out);
    assert_eq!(out.len(), 1, "as much may be held");
    trimming.push(Trim::End, " ", &mut out);
    assert_eq!(out.len(), MAX_SPACE + 2, "and no more");
    trimming.push(Trim::End, "\n", &mut out);
    assert_eq!(out.len(), MAX_SPACE + 3, "what follows in the same row is text too");
    trimming.push(Trim::End, "b ", &mut out);
    assert!(out.ends_with("\nb"), "after it a new row begins");
}

#[test]
fn the_limit_on_white_space_does_not_depend_on_the_cuts() {
    let text = format!("a{}b {}", " ".repeat(MAX_SPACE + 1), "\n".repeat(MAX_SPACE + 1));
    let mut by_one = Trimming::default();
    let mut out = String::new();
    for c in text.chars() {
        by_one.push(Trim::Both, c.encode_utf8(&mut [0; 4]), &mut out);
    }
    assert_eq!(out, text);
    assert_eq!(pieces(Trim::Both, &[&text]), text);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn cuts_change_nothing(pieces in prop::collection::vec("[a \n\u{a0}]{0,3}", 0..10)) {
        let whole = pieces.concat();
        for (trim, expected) in [
            (Trim::None, whole.as_str()),
            (Trim::Start, whole.trim_start()),
            (Trim::End, whole.trim_end()),
            (Trim::Both, whole.trim()),
        ] {
            let (mut trimming, mut out) = (Trimming::default(), String::new());
            for piece in &pieces {
                trimming.push(trim, piece, &mut out);
            }
            prop_assert_eq!(out.as_str(), expected);
        }
    }
}
