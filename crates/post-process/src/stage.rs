//! The stage: wraps the events of a reply, and drops the call once a stop string has ended the answer.

use crate::{Config, Error, Metrics, cascade::Filters, rewrite::Rewriter};
use futures_util::{Stream, StreamExt, stream::BoxStream};
use orchestrator_core::{Chunk, Cx, Failure, Filtered, Flow, Reply, Stage, StageName};
use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

/// Filters what models say. A configuration without filters hands replies on as they are.
#[derive(Clone, Debug)]
pub struct PostProcess {
    filters: Option<Arc<Filters>>,
}

type Events = BoxStream<'static, Result<Vec<Chunk>, Failure>>;

/// The events of a reply, filtered. Dropping it drops the call.
struct FilteredEvents {
    /// Gone once it has ended or nobody needs it any more.
    events: Option<Events>,
    rewriter: Rewriter,
    /// Comes after what was held back.
    failure: Option<Failure>,
}

// === impl PostProcess ===

impl PostProcess {
    /// Builds the filters, or names the entry that is at fault.
    pub fn build(config: &Config, metrics: &Metrics) -> Result<Self, Error> {
        let filters = Filters::build(config, metrics)?.map(Arc::new);
        Ok(PostProcess { filters })
    }

    fn wrap(&self, reply: Reply, choices: u32) -> Filtered {
        let Some(filters) = &self.filters else {
            return Filtered(reply);
        };
        let events = FilteredEvents {
            events: Some(reply.events),
            rewriter: Rewriter::new(filters.clone(), choices),
            failure: None,
        };
        Filtered(Reply {
            head: reply.head,
            events: events.boxed(),
        })
    }
}

impl Stage for PostProcess {
    const NAME: StageName = StageName::PostProcess;
    type In = Reply;
    type Out = Filtered;

    fn run(&self, cx: &mut Cx, reply: Reply) -> impl Future<Output = Result<Flow<Filtered>, Failure>> + Send {
        std::future::ready(Ok(Flow::Next(self.wrap(reply, cx.choices()))))
    }
}

// === impl FilteredEvents ===

impl FilteredEvents {
    /// What becomes of the next item of the worker; empty when all of it is held back.
    fn filter(&mut self, item: Option<Result<Vec<Chunk>, Failure>>) -> Vec<Chunk> {
        let mut out = Vec::new();
        match item {
            Some(Ok(batch)) => {
                out.reserve(batch.len());
                for chunk in batch {
                    match self.rewriter.chunk(chunk) {
                        Ok(chunk) => out.extend(chunk),
                        Err(failure) => return self.close(out, Some(failure)),
                    }
                }
                if self.rewriter.is_over() {
                    self.events = None;
                }
                out
            }
            Some(Err(failure)) => self.close(out, Some(failure)),
            None => self.close(out, None),
        }
    }

    /// The worker has ended.
    fn close(&mut self, mut out: Vec<Chunk>, failure: Option<Failure>) -> Vec<Chunk> {
        self.events = None;
        self.failure = failure;
        out.extend(self.rewriter.rest());
        out
    }
}

impl Stream for FilteredEvents {
    type Item = Result<Vec<Chunk>, Failure>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        while let Some(events) = &mut this.events {
            let item = ready!(events.poll_next_unpin(cx));
            let out = this.filter(item);
            if !out.is_empty() {
                return Poll::Ready(Some(Ok(out)));
            }
        }
        Poll::Ready(this.failure.take().map(Err))
    }
}

#[cfg(test)]
mod tests;
