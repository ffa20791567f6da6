//! The table against a model that forgets nothing and looks at the answers themselves.

use super::*;
use proptest::prelude::*;

/// The answer to a question, by those who asked last.
struct Led {
    writer: Option<AnswerWriter>,
    listeners: Vec<Answer>,
    /// When it ended, and whether well.
    ended: Option<(Instant, bool)>,
    /// The last event by which it was asked for or ran.
    used: usize,
    asked: usize,
}

#[derive(Clone, Copy, Debug)]
enum Event {
    Ask(u8),
    AskFresh(u8),
    End(u8, usize),
    Leave(u8),
    Pass(u64),
}

struct World {
    config: Config,
    table: Table,
    metrics: Metrics,
    led: Vec<Option<Led>>,
    /// Events so far.
    now: usize,
}

const ENDINGS: [fn(AnswerWriter); 4] = [
    |writer| writer.finish(end()),
    |writer| writer.finish(End { cut: true, ..end() }),
    |writer| {
        writer.fail(orchestrator_core::Failure::new(
            orchestrator_core::Code::RateLimited,
            "429",
        ))
    },
    |writer| drop(writer),
];

impl World {
    fn new(config: Config) -> Self {
        let (table, metrics) = table();
        World {
            config,
            table,
            metrics,
            led: (0..6).map(|_| None).collect(),
            now: 0,
        }
    }

    /// What somebody who asks now may be sent to.
    fn expected(&self, question: u8) -> Option<Cache> {
        let led = self.led[question as usize].as_ref()?;
        match led.ended {
            None => (!led.listeners.is_empty()).then_some(Cache::Coalesced),
            Some((at, well)) => {
                let fresh = at.elapsed() < Duration::from_secs(self.config.window_s);
                (well && fresh).then_some(Cache::Hit)
            }
        }
    }

    /// Whether the table must know a question: since it was asked, fewer others were asked or ran than there are places.
    fn is_known(&self, question: u8) -> bool {
        let Some(asked) = self.led[question as usize].as_ref().map(|led| led.asked) else {
            return false;
        };
        let others = self
            .led
            .iter()
            .enumerate()
            .filter(|(other, _)| *other != question as usize);
        let used = others.filter_map(|(_, led)| led.as_ref());
        let crowd = used.filter(|led| led.writer.is_some() || led.used > asked).count();
        crowd < self.config.max_entries
    }

    fn lead(&mut self, question: u8, writer: AnswerWriter, listener: Answer) {
        self.led[question as usize] = Some(Led {
            writer: Some(writer),
            listeners: vec![listener],
            ended: None,
            used: self.now,
            asked: self.now,
        });
    }

    fn ask(&mut self, question: u8) {
        let (writer, listener) = leader(&Ledger::generous());
        let own = writer.downgrade().unwrap();
        let expected = self.expected(question);
        let known = self.is_known(question);
        let joined = self.table.join_or_lead(what(question), asker(), own, &self.config);
        let cache = joined.as_ref().map(|(_, cache)| *cache);
        assert!(
            cache == expected || (!known && cache.is_none()),
            "{cache:?} is not {expected:?}"
        );
        match (joined, &mut self.led[question as usize]) {
            (Some((answer, _)), Some(led)) => {
                led.listeners.push(answer);
                (led.used, led.asked) = (self.now, self.now);
            }
            _ => self.lead(question, writer, listener),
        }
    }

    fn happen(&mut self, event: Event) {
        self.now += 1;
        match event {
            Event::Ask(question) => self.ask(question),
            Event::AskFresh(question) => {
                let (writer, listener) = leader(&Ledger::generous());
                self.table
                    .lead(what(question), writer.downgrade().unwrap(), &self.config);
                self.lead(question, writer, listener);
            }
            Event::End(question, how) => {
                let led = self.led[question as usize].as_mut();
                if let Some((led, writer)) = led.and_then(|led| led.writer.take().map(|writer| (led, writer))) {
                    ENDINGS[how](writer);
                    led.ended = Some((Instant::now(), how == 0));
                    led.used = self.now;
                }
            }
            Event::Leave(question) => {
                self.led[question as usize]
                    .iter_mut()
                    .for_each(|led| led.listeners.clear());
            }
            Event::Pass(_) => {}
        }
    }
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        5 => (0_u8..6).prop_map(Event::Ask),
        1 => (0_u8..6).prop_map(Event::AskFresh),
        // Most answers end well.
        3 => (0_u8..6, prop::sample::select(vec![0_usize, 0, 0, 1, 2, 3])).prop_map(|(at, how)| Event::End(at, how)),
        1 => (0_u8..6).prop_map(Event::Leave),
        2 => (0_u64..5).prop_map(Event::Pass),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Never an answer that failed, was cut, is given up or is too old; always the one that runs or was kept, unless as many
    /// other questions as there are places were asked or ran since.
    #[test]
    fn what_may_be_shared_is_shared_and_nothing_else(
        events in prop::collection::vec(event(), 0..100),
        window_s in 0_u64..8,
        max_entries in 1_usize..7,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let mut world = World::new(Config { max_entries, ..window(window_s) });
            for event in events {
                if let Event::Pass(seconds) = event {
                    tokio::time::advance(Duration::from_secs(seconds)).await;
                }
                world.happen(event);
                assert!(world.metrics.entries.get() <= max_entries as i64);
                assert_eq!(world.metrics.entries.get(), world.table.answers.len() as i64);
            }
        });
    }
}
