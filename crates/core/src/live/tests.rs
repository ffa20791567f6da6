use super::*;
use futures_util::FutureExt;

#[tokio::test]
async fn readers_hear_of_changes_only() {
    let (setter, mut reader) = live(1);
    assert!(!setter.set(1));
    assert!(reader.changed().now_or_never().is_none());
    assert!(setter.set(2));
    assert_eq!(*reader.changed().await, 2);
    assert!(reader.changed().now_or_never().is_none(), "a change is told once");
}

#[tokio::test]
async fn a_reader_that_looks_late_sees_the_last_value() {
    let (setter, mut reader) = live("a");
    setter.set("b");
    setter.set("c");
    assert_eq!(*reader.load(), "c");
    assert_eq!(*reader.changed().await, "c");
}

#[test]
fn what_was_loaded_stays_as_it_was() {
    let (setter, reader) = live(vec![1]);
    let loaded = reader.load();
    setter.set(vec![2]);
    assert_eq!((&*loaded, &*reader.load()), (&vec![1], &vec![2]));
}

#[tokio::test]
async fn a_setting_that_nobody_can_change_is_read_and_never_changes() {
    let mut fixed = Live::fixed(7);
    assert_eq!(*fixed.load(), 7);
    assert!(fixed.changed().now_or_never().is_none());
}

#[tokio::test]
async fn each_reader_hears_of_a_change() {
    let (setter, mut one) = live(1);
    let mut other = one.clone();
    setter.set(2);
    assert_eq!((*one.changed().await, *other.changed().await), (2, 2));
}
