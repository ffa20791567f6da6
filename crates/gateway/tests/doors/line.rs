//! A line without stages: what a scripted model says is the answer. Unit tests include this file too.

use futures_util::StreamExt;
use orchestrator_core::{
    Answer, AnswerRef, AnswerWriter, Cache, Code, End, Failure, FinishReason, InFlight, Kind, Ledger, Model as _,
    Priority, Prompt, Request, Reuse, Submit, Tasks, Text, answer,
};
use orchestrator_testkit::{cx, scripted::Model};
use parking_lot::Mutex;
use serde_json::Value;
use std::{collections::HashMap, sync::Arc, time::Duration};
use tokio::time::Instant;

/// What the lines of one server share.
#[derive(Clone)]
pub(crate) struct Lines {
    pub(crate) model: Model,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) tasks: Tasks,
    pub(crate) asked: Arc<Mutex<Vec<Asked>>>,
    /// Answers by their questions, to be joined and replayed as dedup does it; `None` keeps none.
    pub(crate) kept: Option<Arc<Mutex<HashMap<String, AnswerRef>>>>,
    /// Whether requests are taken.
    pub(crate) is_open: Arc<dyn Fn() -> bool + Send + Sync>,
}

/// What a line was asked for.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Asked {
    /// Which line it was.
    pub(crate) core: usize,
    pub(crate) model: Text,
    pub(crate) stream: bool,
    pub(crate) priority: Priority,
    pub(crate) session: Option<Text>,
    pub(crate) reuse: Reuse,
    /// From the submission to the deadline.
    pub(crate) time: Duration,
    /// From the submission to when the answer is wanted.
    pub(crate) haste: Option<Duration>,
    /// The faults that it shall meet, and the calls of `w` that were counted for it before.
    pub(crate) chaos: Option<(String, u64)>,
}

/// Lets clients ask for failures alone.
pub(crate) fn chaos(words: &str) -> Result<(), Failure> {
    match words.starts_with("failure=") {
        true => Ok(()),
        false => Err(Failure::new(Code::InvalidRequest, "Only failures.").with_status(403)),
    }
}

/// One core's line.
struct Line {
    core: usize,
    all: Lines,
}

// === impl Lines ===

impl Lines {
    /// One line that takes requests while `is_open` says so.
    pub(crate) fn before(model: Model, is_open: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Lines {
            model,
            ledger: Ledger::generous(),
            tasks: Tasks::new(),
            asked: Arc::default(),
            kept: None,
            is_open: Arc::new(is_open),
        }
    }

    /// So many of them.
    pub(crate) fn on_cores(&self, cores: usize) -> Vec<Arc<dyn Submit>> {
        let line = |core| {
            Arc::new(Line {
                core,
                all: self.clone(),
            }) as Arc<dyn Submit>
        };
        (0..cores).map(line).collect()
    }

    /// What a line was asked for last.
    pub(crate) fn last_asked(&self) -> Asked {
        self.asked.lock().last().cloned().expect("the line was asked")
    }
}

// === impl Line ===

impl Submit for Line {
    fn plan(&self, request: &Request) -> Result<Value, Failure> {
        Ok(serde_json::json!({ "route": "default", "model": &*request.model, "stream": request.stream }))
    }

    fn submit(&self, request: Request) -> Result<Answer, Failure> {
        if !(self.all.is_open)() {
            return Err(Failure::new(Code::Draining, "The server is going down."));
        }
        self.all.asked.lock().push(Asked {
            core: self.core,
            model: request.model.clone(),
            stream: request.stream,
            priority: request.priority,
            session: request.session.clone(),
            reuse: request.reuse,
            time: request.deadline.saturating_duration_since(Instant::now()),
            haste: request.wanted_by.map(|by| by.saturating_duration_since(Instant::now())),
            chaos: request
                .chaos
                .as_ref()
                .map(|wish| (wish.words().to_owned(), wish.next(&"w".into()))),
        });
        let place = self.enter()?;
        let (mut writer, answer) = answer(request.deadline, request.priority, self.all.ledger.clone());
        if let Some(kept) = &self.all.kept {
            let question = request.messages[0].text().to_string();
            let mut kept = kept.lock();
            let first = kept.get(&question);
            if let Some((first, cache)) = first.and_then(|first| first.join(request.deadline, request.priority)) {
                writer.join(first, cache);
                return Ok(answer.carrying(place));
            }
            kept.insert(question, answer.downgrade());
        }
        writer.cache(Cache::Miss);
        let (model, unwanted) = (self.all.model.clone(), writer.unwanted());
        let prompt = Prompt {
            request: Box::new(request),
            rewritten: false,
            grounding: Vec::new(),
            limit: None,
        };
        self.all.tasks.spawn(async move {
            tokio::select! { () = play(&model, &prompt, writer) => (), () = unwanted => () }
        });
        Ok(answer.carrying(place))
    }

    fn enter(&self) -> Result<InFlight, Failure> {
        let full = || Failure::new(Code::Overloaded, "As many requests are in flight as may be.");
        self.all.ledger.enter().ok_or_else(full)
    }
}

async fn play(model: &Model, prompt: &Prompt, mut writer: AnswerWriter) {
    let (cx, _waiting) = cx(prompt.request.deadline);
    let mut reply = match model.call(&cx, prompt).await {
        Ok(reply) => reply,
        Err(failure) => return writer.fail(failure),
    };
    writer.head(*reply.head);
    let mut end = End {
        finish: FinishReason::Stop,
        usage: None,
        cut: false,
    };
    while let Some(batch) = reply.events.next().await {
        let batch = match batch {
            Ok(batch) => batch,
            Err(failure) => return writer.fail(failure),
        };
        for delta in batch.iter().flat_map(|chunk| &chunk.deltas) {
            match delta.kind {
                Kind::Finish(reason) => end.finish = reason,
                Kind::Usage(usage) => end.usage = Some(usage),
                _ => {}
            }
        }
        writer.push(batch);
    }
    writer.finish(end);
}
