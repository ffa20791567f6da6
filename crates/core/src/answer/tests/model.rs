//! The answer against a small model: whatever happens in whatever order, every listener hears a contiguous part of one
//! sequence, in order, then one end; and the work is wanted exactly while somebody listens.

use super::*;
use proptest::{collection::vec, prelude::*};

#[derive(Clone, Debug)]
enum Step {
    Push(usize),
    Listen { at: usize, alike: bool },
    Hear(usize),
    Leave(usize),
    Finish,
    Fail,
    DropWriter,
}

/// What should be so.
#[derive(Default)]
struct Model {
    chunks: Vec<String>,
    over: Option<Option<Code>>,
    listeners: Vec<Listener>,
}

struct Listener {
    answer: Answer,
    at: usize,
    told_end: bool,
    /// Whether it is told what others are.
    alike: bool,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0_usize..4).prop_map(Step::Push),
        2 => (0_usize..6, any::<bool>()).prop_map(|(at, alike)| Step::Listen { at, alike }),
        6 => (0_usize..6).prop_map(Step::Hear),
        2 => (0_usize..6).prop_map(Step::Leave),
        1 => Just(Step::Finish),
        1 => Just(Step::Fail),
        1 => Just(Step::DropWriter),
    ];
    vec(step, 1..60)
}

impl Model {
    /// What a listener at this place should hear next.
    fn expected(&self, at: usize, told_end: bool) -> Option<Option<Result<String, Code>>> {
        match (self.chunks.get(at..), &self.over) {
            _ if told_end => Some(None),
            (None, _) => Some(Some(Err(Code::ResumeNotPossible))),
            (Some([]), None) => None,
            (Some([]), Some(None)) => Some(None),
            (Some([]), Some(Some(code))) => Some(Some(Err(*code))),
            (Some(rest), _) => Some(Some(Ok(rest.concat()))),
        }
    }

    fn hear(&mut self, nth: usize) {
        let nth = nth % self.listeners.len().max(1);
        let Some(listener) = self.listeners.get(nth) else {
            return;
        };
        let expected = self.expected(listener.at, listener.told_end);
        let there = self.chunks.len();
        let Some(listener) = self.listeners.get_mut(nth) else {
            return;
        };
        let heard = match listener.alike {
            true => hear_alike(&mut listener.answer),
            false => hear(&mut listener.answer),
        };
        let heard = heard.map(|next| next.map(|text| text.map_err(|failure| failure.code())));
        assert_eq!(heard, expected);
        match heard {
            Some(Some(Ok(_))) => listener.at = there,
            Some(_) => listener.told_end = true,
            None => {}
        }
    }

    fn leave(&mut self, nth: usize) {
        if !self.listeners.is_empty() {
            let nth = nth % self.listeners.len();
            self.listeners.swap_remove(nth);
        }
    }
}

/// The answer under test: its writer, and a reference that late listeners come by.
struct Subject {
    writer: Option<AnswerWriter>,
    kept: AnswerRef,
}

fn listen(model: &mut Model, subject: &Subject, at: usize, alike: bool) {
    let joined = subject.kept.join(Instant::now() + LONG, Priority::Normal);
    let wanted = model.over.is_some() || !model.listeners.is_empty();
    assert_eq!(joined.is_some(), wanted, "work that was given up is not joined");
    if let Some((answer, cache)) = joined {
        let expected = if model.over.is_some() {
            Cache::Hit
        } else {
            Cache::Coalesced
        };
        assert_eq!(cache, expected);
        model.listeners.push(Listener {
            answer: answer.at(at),
            at,
            told_end: false,
            alike,
        });
    }
}

fn push(model: &mut Model, subject: &mut Subject, pieces: usize) {
    if let Some(writer) = &mut subject.writer {
        let from = model.chunks.len();
        let pieces: Vec<String> = (from..from + pieces).map(|nth| format!("{nth},")).collect();
        assert!(writer.push(pieces.iter().map(|piece| text(piece))));
        model.chunks.extend(pieces);
    }
}

fn finish(model: &mut Model, subject: &mut Subject, how: &Step) {
    let Some(writer) = subject.writer.take() else { return };
    model.over = Some(match how {
        Step::Finish => None,
        Step::Fail => Some(Code::UpstreamError),
        _ => Some(Code::Internal),
    });
    match how {
        Step::Finish => writer.finish(end()),
        Step::Fail => writer.fail(Failure::new(Code::UpstreamError, "boom")),
        _ => drop(writer),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn listeners_hear_one_sequence_and_work_is_wanted_while_they_do(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let ledger = Ledger::generous();
            let (writer, first) = answer(Instant::now() + LONG, Priority::Normal, ledger.clone());
            let mut subject = Subject { kept: first.downgrade(), writer: Some(writer) };
            let mut model = Model::default();
            model.listeners.push(Listener { answer: first, at: 0, told_end: false, alike: true });
            for step in &steps {
                match step {
                    Step::Push(pieces) => push(&mut model, &mut subject, *pieces),
                    Step::Listen { at, alike } => listen(&mut model, &subject, *at, *alike),
                    Step::Hear(nth) => model.hear(*nth),
                    Step::Leave(nth) => model.leave(*nth),
                    end => finish(&mut model, &mut subject, end),
                }
                if let Some(writer) = &subject.writer {
                    assert_eq!(is_wanted(writer).await, !model.listeners.is_empty());
                }
            }
            drop((model, subject));
            assert_eq!(ledger.bytes(), 0);
        });
    }
}
