//! The ratio check counts lines of code and nothing else, on the right side.

mod scenery;

use expect_test::expect;
use scenery::Tree;

/// So many lines of code.
fn lines(count: usize) -> String {
    "fn f() {}\n".repeat(count)
}

/// So many lines of code for tests.
fn tests(count: usize) -> String {
    format!("#[cfg(test)]\nmod tests {{\n{}}}\n", lines(count.saturating_sub(3)))
}

#[test]
fn a_crate_with_one_and_a_half_times_as_much_test_code_passes_and_one_line_less_fails() {
    let tree = Tree::new();
    tree.write("crates/a/src/lib.rs", &(lines(10) + &tests(15)));
    expect![[r#"
        exit 0
                          shipped     test  ratio
        a                      10       15   1.50
        tests/                  0        0      -
        in the whole           10       15   1.50
    "#]]
    .assert_eq(&tree.gates(&["ratio"]).told());
    tree.write("crates/a/src/lib.rs", &(lines(10) + &tests(14)));
    expect![[r#"
        exit 1
                          shipped     test  ratio
        a                      10       14   1.40  too low: 1 lines of test code are missing
        tests/                  0        0      -
        in the whole           10       14   1.40  too low: 1 lines of test code are missing
    "#]]
    .assert_eq(&tree.gates(&["ratio"]).told());
}

#[test]
fn a_rich_crate_does_not_pay_for_a_poor_one() {
    let tree = Tree::new();
    tree.write("crates/a/src/lib.rs", &lines(10));
    tree.write("crates/a/tests/it.rs", &lines(12));
    tree.write("crates/b/Cargo.toml", "");
    tree.write("crates/b/src/lib.rs", &lines(2));
    tree.write("crates/b/tests/it.rs", &lines(100));
    expect![[r#"
        exit 1
                          shipped     test  ratio
        a                      10       12   1.20  too low: 3 lines of test code are missing
        b                       2      100  50.00
        tests/                  0        0      -
        in the whole           12      112   9.33
    "#]]
    .assert_eq(&tree.gates(&["ratio"]).told());
}

#[test]
fn testkit_and_end_to_end_tests_count_in_the_whole_and_benchmarks_scripts_and_data_nowhere() {
    let tree = Tree::new();
    tree.write("crates/a/src/lib.rs", &lines(10));
    tree.write("crates/a/src/x/tests.rs", "");
    tree.write("crates/a/benches/b.rs", &lines(1000));
    tree.write("crates/a/examples/e.rs", &lines(1000));
    tree.write("crates/a/tests/data.toml", "x = 1\n");
    tree.write("crates/testkit/Cargo.toml", "");
    tree.write("crates/testkit/src/lib.rs", &(lines(4) + &tests(4)));
    tree.write("tests/src/lib.rs", &lines(1));
    tree.write("tests/tests/it.rs", &lines(2));
    tree.write("tests/python/it.py", "# comment\nimport x\n\n  # more\nx()  # last\n");
    tree.write("tests/python/.venv/lib/x.py", "x()\n");
    tree.write("tests/data/x.json", "{}\n");
    tree.write("benches/benches/b.rs", &lines(1000));
    tree.write("scripts/gates/src/lib.rs", &lines(1000));
    expect![[r#"
        exit 1
                          shipped     test  ratio
        a                      10        0   0.00  too low: 15 lines of test code are missing
        testkit                 0        8      -
        tests/                  0        5      -
        in the whole           10       13   1.30  too low: 2 lines of test code are missing
    "#]]
    .assert_eq(&tree.gates(&["ratio"]).told());
}

#[test]
fn blank_lines_and_comments_of_every_kind_do_not_count() {
    let tree = Tree::new();
    let code = r##"//! A crate.
//! With two lines.
/*! And a third. */

/// A function,
/// explained.
fn f() {
    // A comment.
    let a = "// no comment"; // a comment
    /* one
       two */
    let b = r#"
        text that stands in the code

        /* no comment */
    "#;
    /** inside */
    #[doc = "an attribute"]
    fn g() {}

}
"##;
    tree.write("crates/a/src/lib.rs", code);
    let told = tree.gates(&["ratio"]).told();
    // fn, let a, let b and its three lines, the attribute, fn g, the brace.
    assert!(told.contains("\na                       9        0 "), "{told}");
}

#[test]
fn strings_and_comments_cannot_turn_shipped_code_into_test_code() {
    let tree = Tree::new();
    let code = r##"
const A: &str = "#[cfg(test)] mod tests {";
// #[cfg(test)] mod tests {
/* #[cfg(test)] */ fn b() {}
/// #[cfg(test)]
fn c() {}
#[doc = "#[cfg(test)]"]
fn d() {}
#[cfg(not(test))]
fn e() {}
#[cfg(all(unix, not(any(test))))]
fn f() {}
#[cfg_attr(test, allow(unused))]
fn g() {}
const H: &str = r#"
#[cfg(test)]
mod tests {
"#;
fn i() {}
"##;
    tree.write("crates/a/src/lib.rs", code);
    let told = tree.gates(&["ratio"]).told();
    assert!(told.contains("\na                      16        0 "), "{told}");
}

#[test]
fn every_way_to_keep_code_out_of_a_build_without_tests_is_test_code() {
    let tree = Tree::new();
    let code = "
fn shipped() {
    #[cfg(test)]
    let x = 1;
}
#[cfg(test)]
use std::fmt;
#[cfg(all(test, sim_loom))]
mod a;
#[cfg(any(test, all(test, unix)))]
impl<A, B> S<A, B> {
    fn f() {}
}
#[tokio::test]
async fn g() {}
struct S {
    #[cfg(test)]
    x: u8,
}
mod b;
";
    tree.write("crates/a/src/lib.rs", code);
    tree.write("crates/a/src/a.rs", "mod c;\nfn a() {}\n");
    tree.write("crates/a/src/a/c.rs", "fn c() {}\n");
    tree.write("crates/a/src/b.rs", "#![cfg(test)]\nfn b() {}\n");
    let told = tree.gates(&["ratio"]).told();
    // Shipped: fn and its brace, struct and its brace, mod b. Test: 14 lines in lib.rs, 2 + 1 + 2 in other files.
    assert!(told.contains("\na                       5       19 "), "{told}");
}

#[test]
fn it_looks_at_the_workspace_around_the_folder_it_is_given() {
    let tree = Tree::new();
    tree.write("crates/a/src/lib.rs", &tests(9));
    assert_eq!(tree.gates(&["ratio", "crates/a/src"]).code, 0);
    let none = tree.gates(&["ratio", "/"]);
    assert_eq!(
        (none.code, &*none.out),
        (2, "gates: no Cargo.toml with [workspace] in / or above it\n")
    );
    assert_eq!(tree.gates(&["ratios"]).code, 2);
}
