//! The comparison of instruction counts with the baseline.

mod scenery;

use expect_test::expect;
use scenery::Tree;

/// What gungraun prints for one benchmark, as far as it is read.
fn summary(name: &str, id: &str, count: u64) -> String {
    format!(
        r#"{{"module_path":"{name}","id":{id},"profiles":[
            {{"tool":"DHAT","data":{{}}}},
            {{"tool":"Callgrind","data":{{"total":{{"metrics":{{"Ir":{{"values":{{"new":{count},"old":1}}}}}}}}}}}}]}}
        "#
    )
}

fn compared(current: &[(&str, u64)], baseline: &[(&str, u64)]) -> String {
    let tree = Tree::new();
    let now: String = current
        .iter()
        .map(|(name, count)| summary(name, "null", *count))
        .collect();
    let then: String = baseline
        .iter()
        .map(|(name, count)| format!("{name}\t{count}\n"))
        .collect();
    tree.write("now.json", &now);
    tree.write("baseline.tsv", &format!("# comment\n\n{then}"));
    tree.gates(&["bench", "now.json", "baseline.tsv"]).told()
}

#[test]
fn ten_percent_more_passes_and_a_little_more_than_that_fails() {
    expect![[r#"
        exit 0
               baseline           now   change
        a          1000          1100   +10.0%
        b          1000           500   -50.0%
    "#]]
    .assert_eq(&compared(&[("a", 1100), ("b", 500)], &[("a", 1000), ("b", 1000)]));
    expect![[r#"
        exit 1
               baseline           now   change
        a          1000          1101   +10.1%  TOO MANY
    "#]]
    .assert_eq(&compared(&[("a", 1101)], &[("a", 1000)]));
    expect![[r#"
        exit 1
               baseline           now   change
        a          1000          1110   +11.0%  TOO MANY
    "#]]
    .assert_eq(&compared(&[("a", 1110)], &[("a", 1000)]));
}

#[test]
fn a_benchmark_that_only_one_side_knows_fails() {
    expect![[r#"
        exit 1
               baseline           now   change
        b             -            10        -  NOT IN THE BASELINE
        c            10             -        -  GONE
    "#]]
    .assert_eq(&compared(&[("b", 10)], &[("c", 10)]));
}

#[test]
fn nothing_measured_is_no_success() {
    assert!(compared(&[], &[]).starts_with("exit 1\n"));
}

#[test]
fn an_update_makes_the_counts_of_now_the_baseline() {
    let tree = Tree::new();
    tree.write(
        "now.json",
        &(summary("x::b", r#""id_1""#, 5) + &summary("x::a", "null", 7)),
    );
    let update = tree.gates(&["bench", "now.json", "baseline.tsv", "--update"]).told();
    assert_eq!(update, "exit 0\nbaseline.tsv: 2 benchmarks\n");
    expect![[r#"
        # benchmark	instructions; written by scripts/bench_all.sh --update
        x::a	7
        x::b.id_1	5
    "#]]
    .assert_eq(&tree.read("baseline.tsv"));
    assert_eq!(tree.gates(&["bench", "now.json", "baseline.tsv"]).code, 0);
}

#[test]
fn what_cannot_be_read_is_told_and_no_success() {
    let tree = Tree::new();
    let told = |now: &str, then: &str| {
        tree.write("now.json", now);
        tree.write("baseline.tsv", then);
        tree.gates(&["bench", "now.json", "baseline.tsv"]).told()
    };
    let twice = summary("a", "null", 1).repeat(2);
    let all = [
        told("{", ""),
        told("{}", ""),
        told(&twice, ""),
        told("", "a 1\n"),
        tree.gates(&["bench", "gone.json", "baseline.tsv"]).told(),
    ];
    expect![[r#"
        exit 2
        gates: now.json: EOF while parsing an object at line 1 column 1
        exit 2
        gates: now.json: no instruction count in a summary
        exit 2
        gates: now.json: two benchmarks are named a
        exit 2
        gates: baseline.tsv: not a name and a count: a 1
        exit 2
        gates: gone.json: No such file or directory (os error 2)
    "#]]
    .assert_eq(&all.concat());
}
