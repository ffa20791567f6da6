//! Any order of sending, taking and giving up, against a row of people before a small room.

use super::*;
use proptest::{collection::vec, prelude::*};
use std::collections::VecDeque;

#[derive(Clone, Copy, Debug)]
enum Step {
    Send,
    Take,
    /// The n-th of those who wait gives up.
    GiveUp(usize),
}

/// What an edge is to be: a room, and a row before it.
#[derive(Default)]
struct Model {
    room: VecDeque<u32>,
    row: VecDeque<u32>,
}

/// Those who wait to send, by name.
type Row = Vec<(u32, Waiting)>;

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => Just(Step::Send),
        3 => Just(Step::Take),
        1 => (0_usize..4).prop_map(Step::GiveUp),
    ]
}

impl Model {
    /// Whoever is first in the row goes in while there is room.
    fn settle(&mut self, capacity: usize) {
        while self.room.len() < capacity
            && let Some(first) = self.row.pop_front()
        {
            self.room.push_back(first);
        }
    }
}

/// Wakes all who wait, the last first, until nobody moves: the order is not to come from who is polled first.
fn settle(row: &mut Row) {
    loop {
        let before = row.len();
        for at in (0..row.len()).rev() {
            if row[at].1.as_mut().now_or_never().is_some() {
                drop(row.remove(at));
            }
        }
        if row.len() == before {
            return;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn jobs_come_out_in_the_order_in_which_they_came(capacity in 1_usize..4, steps in vec(step(), 1..60)) {
        let (outlet, inlet) = edge(capacity);
        let (mut model, mut row, mut answers) = (Model::default(), Row::new(), Vec::new());
        for (name, step) in (0..).zip(steps) {
            match step {
                Step::Send => {
                    let (waits, answer) = begin(&outlet, name);
                    row.extend(waits.map(|waits| (name, waits)));
                    answers.push(answer);
                    model.row.push_back(name);
                }
                Step::Take => prop_assert_eq!(taken(&inlet), model.room.pop_front()),
                Step::GiveUp(nth) if nth < row.len() => {
                    let (gone, _) = row.remove(nth);
                    model.row.retain(|name| *name != gone);
                }
                Step::GiveUp(_) => {}
            }
            settle(&mut row);
            model.settle(capacity);
            prop_assert_eq!(inlet.receiver.len(), model.room.len());
            prop_assert!(row.iter().map(|(name, _)| name).eq(&model.row));
        }
    }
}
