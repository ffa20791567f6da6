//! The panic scan finds what may panic in shipped code, and nothing else.

mod scenery;

use expect_test::{Expect, expect};
use scenery::Tree;

/// Scans a crate whose `lib.rs` is this.
fn scan(code: &str, expected: &Expect) {
    let tree = Tree::new();
    tree.write("crates/a/src/lib.rs", code);
    expected.assert_eq(&tree.gates(&["panics"]).told());
}

#[test]
fn every_call_and_macro_that_may_panic_is_found_with_its_line() {
    let code = r#"
fn f(x: Option<u8>, r: Result<u8, u8>) {
    x.unwrap();
    x
        .expect("now");
    r.unwrap_err(); r.expect_err("no");
    let all: Vec<u8> = [x].into_iter().map(Option::unwrap).collect();
    x.map(Some).unwrap::<>();
    panic!("a"); todo!(); unimplemented!(); unreachable!();
    assert!(x.is_some()); assert_eq!(x, y); assert_ne!(x, y);
    debug_assert!(x.is_some()); debug_assert_eq!(x, y); debug_assert_ne!(x, y); dbg!(x);
    std::panic![];
    unsafe { std::hint::unreachable_unchecked() }
    std::process::exit(1); process::abort();
}
use std::process::{ExitCode, exit};
"#;
    scan(
        code,
        &expect![[r#"
            exit 1
            crates/a/src/lib.rs:3: .unwrap()
            crates/a/src/lib.rs:5: .expect()
            crates/a/src/lib.rs:6: .unwrap_err()
            crates/a/src/lib.rs:6: .expect_err()
            crates/a/src/lib.rs:7: .unwrap()
            crates/a/src/lib.rs:8: .unwrap()
            crates/a/src/lib.rs:9: panic!
            crates/a/src/lib.rs:9: todo!
            crates/a/src/lib.rs:9: unimplemented!
            crates/a/src/lib.rs:9: unreachable!
            crates/a/src/lib.rs:10: assert!
            crates/a/src/lib.rs:10: assert_eq!
            crates/a/src/lib.rs:10: assert_ne!
            crates/a/src/lib.rs:11: debug_assert!
            crates/a/src/lib.rs:11: debug_assert_eq!
            crates/a/src/lib.rs:11: debug_assert_ne!
            crates/a/src/lib.rs:11: dbg!
            crates/a/src/lib.rs:12: panic!
            crates/a/src/lib.rs:13: unsafe
            crates/a/src/lib.rs:14: process::exit
            crates/a/src/lib.rs:14: process::abort
            crates/a/src/lib.rs:16: process::exit
            22 places in shipped code may panic
        "#]],
    );
}

#[test]
fn indexing_is_found_wherever_it_hides() {
    let code = r#"
fn f(a: &[u8], s: &str) -> u8 {
    let _ = a[0];
    let _ = &s[1..];
    let _ = &"text"[..2];
    let _ = g()[0][1];
    let _ = h()?[0];
    let _ = self.x[0] + (a)[1];
    println!("{}", a[0]);
    vec![a[1]];
    fields[self[0]]
}
"#;
    scan(
        code,
        &expect![[r#"
            exit 1
            crates/a/src/lib.rs:3: index expression
            crates/a/src/lib.rs:4: index expression
            crates/a/src/lib.rs:5: index expression
            crates/a/src/lib.rs:6: index expression
            crates/a/src/lib.rs:6: index expression
            crates/a/src/lib.rs:7: index expression
            crates/a/src/lib.rs:8: index expression
            crates/a/src/lib.rs:8: index expression
            crates/a/src/lib.rs:9: index expression
            crates/a/src/lib.rs:10: index expression
            crates/a/src/lib.rs:11: index expression
            crates/a/src/lib.rs:11: index expression
            12 places in shipped code may panic
        "#]],
    );
}

#[test]
fn arrays_slices_patterns_attributes_strings_and_comments_are_no_finding() {
    let code = r##"
//! Never `x.unwrap()` or `a[0]`.
#![allow(clippy::unwrap_used, reason = "x.unwrap()")]
/// Calls `panic!()`, they say: a[0].
#[derive(Clone)]
pub struct S<'a>(pub [u8; 4], pub(crate) [u8; 2], #[serde(skip)] [u8; 1], &'a [u8], &'a mut [u8]);
impl<'a> From<[u8; 4]> for S<'a> {}
fn f(x: Option<u8>) -> [u8; 2] {
    // x.unwrap(); a[0]
    let text = "x.unwrap(); panic!() a[0]";
    let raw = r#"x.expect("a")[0]"#;
    let [a, b] = [1, 2];
    for c in [a, b] {}
    match &[a, b][..] { [] => {} [one] => {} rest @ [..] => {} }
    if let Some([x, y]) = x { return [x, y] }
    x.unwrap_or(1); x.unwrap_or_default(); x.unwrap_or_else(|| 1); x.expecting();
    let panic = 1; if panic != 2 {}
    vec![1, 2]; matches!(x, [a, b]); std::process::id();
    [a as u8, b]
}
const N: std::num::NonZeroU8 = std::num::NonZeroU8::new(1).unwrap();
const _: () = assert!(size_of::<u8>() == 1);
"##;
    scan(
        code,
        &expect![[r#"
            exit 0
            nothing in shipped code may panic
        "#]],
    );
}

#[test]
fn test_code_may_panic_and_what_only_looks_like_it_may_not() {
    let code = r##"
#[cfg(test)]
mod tests { fn f() { None::<u8>.unwrap(); } }
#[cfg(all(test, sim_loom))]
fn g() { panic!() }
#[cfg(any(test, all(unix, test)))]
impl S { fn h() { a[0] } }
#[test]
fn i() { todo!() }
#[tokio::test(start_paused = true)]
async fn j() { todo!() }
struct S;
impl S { #[cfg(test)] fn k() { todo!() } }
fn l() { #[cfg(test)] { todo!() } #[cfg(test)] let x = a[0]; }
#[cfg(not(test))]
fn shipped_1() { panic!() }
#[cfg(feature = "test")]
fn shipped_2() { panic!() }
#[cfg_attr(test, derive(Debug))]
struct T { x: [u8; { panic!() }] }
fn shipped_3() { let s = "#[cfg(test)]"; panic!() }
// #[cfg(test)]
fn shipped_4() { panic!() }
/* #[cfg(test)] mod tests { */ fn shipped_5() { panic!() } /* } */
#[cfg(test)] use std::fmt; fn shipped_6() { panic!() }
#[cfg(all(unix, not(test)))]
fn shipped_7() { panic!() }
#[cfg(any(test, feature = "testing"))]
fn shipped_8() { panic!() }
#[cfg(any())]
fn shipped_9() { panic!() }
"##;
    scan(
        code,
        &expect![[r#"
            exit 1
            crates/a/src/lib.rs:16: panic!
            crates/a/src/lib.rs:18: panic!
            crates/a/src/lib.rs:20: panic!
            crates/a/src/lib.rs:21: panic!
            crates/a/src/lib.rs:23: panic!
            crates/a/src/lib.rs:24: panic!
            crates/a/src/lib.rs:25: panic!
            crates/a/src/lib.rs:27: panic!
            crates/a/src/lib.rs:29: panic!
            crates/a/src/lib.rs:31: panic!
            10 places in shipped code may panic
        "#]],
    );
}

#[test]
fn only_files_that_ship_are_scanned_and_only_main_may_exit() {
    let tree = Tree::new();
    let bad = "fn f() { todo!() }\n";
    tree.write("crates/a/src/lib.rs", "#[cfg(test)]\nmod tests;\nmod x;\nmod orphan;\n");
    tree.write("crates/a/src/tests.rs", &format!("mod deep;\n{bad}"));
    tree.write("crates/a/src/tests/deep.rs", bad);
    tree.write(
        "crates/a/src/x.rs",
        "#[cfg(test)] mod tests;\n#[cfg(test)] mod more { mod far; }\n",
    );
    tree.write("crates/a/src/x/tests.rs", bad);
    tree.write("crates/a/src/x/more/far.rs", bad);
    tree.write(
        "crates/a/src/odd.rs",
        "#[cfg(test)] #[path = \"named.rs\"] mod tests;\n",
    );
    tree.write("crates/a/src/named.rs", bad);
    tree.write("crates/a/src/inner.rs", &format!("#![cfg(test)]\n{bad}"));
    tree.write("crates/a/src/main.rs", "fn main() { std::process::exit(1) }\n");
    tree.write("crates/a/tests/it.rs", bad);
    tree.write("crates/a/benches/it.rs", bad);
    tree.write("tests/tests/it.rs", bad);
    tree.write("scripts/x/src/lib.rs", bad);
    tree.write("crates/testkit/Cargo.toml", "");
    tree.write("crates/testkit/src/lib.rs", bad);
    assert_eq!(tree.gates(&["panics"]).code, 0, "{:?}", tree.gates(&["panics"]));
    tree.write("crates/a/src/orphan.rs", bad);
    tree.write("crates/a/src/bin/tests.rs", bad);
    expect![[r#"
        exit 1
        crates/a/src/bin/tests.rs:1: todo!
        crates/a/src/orphan.rs:1: todo!
        2 places in shipped code may panic
    "#]]
    .assert_eq(&tree.gates(&["panics"]).told());
}

#[test]
fn a_file_that_is_no_rust_stops_the_scan() {
    scan(
        "fn f() {\n",
        &expect![[r#"
            exit 2
            gates: TREE/crates/a/src/lib.rs:1: cannot parse string into token stream
        "#]],
    );
}
