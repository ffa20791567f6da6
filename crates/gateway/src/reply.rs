//! An answer as one JSON body, and failures as answers.

use crate::{
    body::{Reply, json},
    call::Call,
    fault::Fault,
};
use bytes::Bytes;
use futures_util::StreamExt;
use http::StatusCode;
use orchestrator_core::{Answer, Code, End, Failure, Head};
use orchestrator_dialect::chat::Collector;
use std::sync::Arc;

/// A whole answer.
pub(crate) struct Collected {
    pub(crate) body: Bytes,
    pub(crate) head: Arc<Head>,
    pub(crate) end: End,
}

/// Listens to an answer to its end, and says of the call what is known on the way.
pub(crate) async fn collect(call: &mut Call, mut answer: Answer) -> Result<Collected, Failure> {
    let created = call.door.shared.parts.env.unix_time().as_secs();
    let mut collector = Collector::new(call.arrival.id, created);
    while let Some(chunks) = answer.next().await {
        let chunks = chunks?;
        call.begins(answer.head());
        chunks.iter().for_each(|chunk| collector.push(chunk));
    }
    let cache = answer.cache().await?;
    call.came_from(cache);
    let lost = || Failure::new(Code::Internal, "The answer ended without its head.");
    let head = answer.head().ok_or_else(lost)?;
    let end = answer.end().ok_or_else(lost)?;
    Ok(Collected {
        body: collector.finish(&head, &end),
        head,
        end,
    })
}

/// The whole answer as a client of OpenAI's face expects it.
pub(crate) async fn whole(call: &mut Call, answer: Answer) -> Result<Reply, Failure> {
    let collected = collect(call, answer).await?;
    let mut reply = json(StatusCode::OK, collected.body);
    call.stamp(reply.headers_mut());
    call.finish(Some(&collected.end));
    Ok(reply)
}

/// A failure as a client of OpenAI's face expects it.
pub(crate) fn failed(mut call: Call, failure: &Failure) -> Reply {
    let fault = Fault::of(failure);
    let mut reply = json(fault.status, fault.json(failure, call.arrival.id));
    call.stamp(reply.headers_mut());
    reply.headers_mut().extend(fault.headers(failure));
    call.fail(failure);
    reply
}

#[cfg(test)]
mod tests;
