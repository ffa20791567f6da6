//! The index and a model of the folder, over random series of changes.

use super::Searched;
use proptest::prelude::*;
use std::{collections::BTreeMap, fs};

/// What may happen to a folder's files, each named by a number.
#[derive(Clone, Copy, Debug)]
enum Step {
    Write(u8, u16),
    Rename(u8, u8),
    Delete(u8),
    Refresh,
}

fn step() -> impl Strategy<Value = Step> {
    let file = 0..4_u8;
    prop_oneof![
        4 => (file.clone(), 0..6_u16).prop_map(|(file, word)| Step::Write(file, word)),
        2 => (file.clone(), file.clone()).prop_map(|(from, to)| Step::Rename(from, to)),
        1 => file.prop_map(Step::Delete),
        3 => Just(Step::Refresh),
    ]
}

/// The file of a number; every second one lies in a folder.
fn name(file: u8) -> String {
    let folder = ["", "deep/"][usize::from(file % 2)];
    format!("{folder}{file}.md")
}

/// Does a step to the folder and to the model, which says what word each file holds.
fn apply(step: Step, searched: &Searched, model: &mut BTreeMap<String, u16>) {
    let path = |file| searched.library.path(&name(file));
    match step {
        Step::Write(file, word) => {
            searched.library.write(&name(file), &format!("word{word}"));
            model.insert(name(file), word);
        }
        Step::Rename(from, to) => {
            if let Some(word) = model.remove(&name(from)) {
                fs::create_dir_all(path(to).parent().unwrap()).unwrap();
                fs::rename(path(from), path(to)).unwrap();
                model.insert(name(to), word);
            }
        }
        Step::Delete(file) => {
            if model.remove(&name(file)).is_some() {
                fs::remove_file(path(file)).unwrap();
            }
        }
        Step::Refresh => searched.index.refresh().unwrap(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    /// Whatever was written, renamed and deleted: after a refresh the index holds what the folder holds.
    #[test]
    fn the_index_follows_any_series_of_changes(steps in prop::collection::vec(step(), 1..12)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let searched = Searched::open(&[]);
        let mut model = BTreeMap::new();
        for step in steps {
            apply(step, &searched, &mut model);
        }
        searched.index.refresh().unwrap();
        for word in 0..6 {
            let mut found = runtime.block_on(searched.find(&format!("word{word}")));
            found.sort_unstable();
            let holding = model.iter().filter(|(_, held)| **held == word);
            let expected: Vec<String> = holding.map(|(name, _)| name.clone()).collect();
            prop_assert_eq!(found, expected, "word{}", word);
        }
    }
}
