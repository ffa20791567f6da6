//! One call at one worker, and what it holds of it until it is over.

use crate::{Ask, Candidate, Member, load::Counted, member::Held, route::Route, router::Router};
use futures_util::StreamExt;
use orchestrator_core::{Chunk, Code, Cx, Failure, Model, Prompt, Reply};
use orchestrator_resilience::Call;
use std::{fmt, future::ready, sync::Arc, time::Duration};
use tokio::{
    sync::Notify,
    time::{Instant, timeout},
};

/// A place for one call: a slot of the worker and of its pool, one of the route's on this tier, and the breaker's leave.
pub(super) struct Place {
    member: Arc<Member>,
    model: Arc<dyn Model>,
    held: Held,
    // Last, so that whoever hears of it finds the rest given back.
    entered: Entered,
}

/// One of the route's places on a tier.
struct Entered {
    route: Arc<Route>,
    is_stream: bool,
    since: Instant,
    has_served: bool,
    _calls: Counted,
    // After the place: whoever hears of it finds it free.
    _freed: Freed,
}

/// Tells those who wait for room that there may be some.
struct Freed(Arc<Notify>);

/// A call that is waited for. One that is given up has taken at least as long, whoever gave it up.
struct Waiting<'a> {
    member: &'a Member,
    is_stream: bool,
    since: Instant,
    is_over: bool,
}

// === impl Place ===

impl Place {
    /// Takes a place, unless the tier is full or the worker refuses. Others may have seen the tier full because of a place
    /// that the worker refuses then, so they are told of it as of a call that is over.
    pub(super) fn take(
        router: &Router,
        route: &Arc<Route>,
        candidate: Candidate,
        &Ask { is_stream, tokens, .. }: &Ask,
        now: Instant,
    ) -> Option<Self> {
        let member = route.member(candidate.worker)?.clone();
        let model = router.model(candidate.worker)?.clone();
        let entered = Entered {
            route: route.clone(),
            is_stream,
            since: now,
            has_served: false,
            _calls: route.enter(candidate.tier, is_stream)?,
            _freed: Freed(route.freed.clone()),
        };
        let call = Call {
            pass: candidate.pass,
            tokens,
            at: now,
        };
        let mut held = member.enter(call).ok()?;
        if !is_stream {
            held.permit.of_whole_answer();
        }
        Some(Place {
            member,
            model,
            held,
            entered,
        })
    }

    /// The worker's name.
    pub(super) fn worker(&self) -> &Arc<str> {
        self.member.name()
    }

    /// No call is made after all.
    pub(super) fn unused(self) {
        self.held.permit.unused();
    }

    /// Makes the call, which may take `longest` up to its first token. The place rides inside the reply.
    pub(super) async fn call(mut self, cx: &Cx, prompt: &Prompt, longest: Option<Duration>) -> Result<Reply, Failure> {
        let Entered { is_stream, since, .. } = self.entered;
        let mut waiting = Waiting::begin(&self.member, is_stream, since);
        let call = self.model.call(cx, prompt);
        let called = match longest {
            Some(longest) => timeout(longest, call).await.unwrap_or_else(|_| Err(too_slow(longest))),
            None => call.await,
        };
        let now = Instant::now();
        let took = waiting.over(now);
        drop(waiting);
        match called {
            Ok(reply) => {
                self.held.permit.first_token_at(now);
                self.member.served(now);
                self.member.answered(is_stream, took, now);
                self.entered.has_served = true;
                Ok(self.ride(reply))
            }
            Err(failure) => {
                self.member.failed(is_stream, &failure, took, now);
                Err(self.held.permit.failed(failure))
            }
        }
    }

    /// Puts the place into the reply's stream, which tells it what it hears and gives it back when it is dropped.
    fn ride(self, reply: Reply) -> Reply {
        let hear = |place: &mut Place, batch: Result<Vec<Chunk>, Failure>| {
            let permit = &mut place.held.permit;
            let told = match batch {
                Ok(chunks) => {
                    permit.hear(&chunks);
                    Ok(chunks)
                }
                Err(failure) => Err(permit.failed(failure)),
            };
            ready(Some(told))
        };
        Reply {
            head: reply.head,
            events: reply.events.scan(self, hear).boxed(),
        }
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Place")
            .field("held", &self.held)
            .finish_non_exhaustive()
    }
}

fn too_slow(longest: Duration) -> Failure {
    let text = format!("The worker did not answer within {} ms.", longest.as_millis());
    Failure::new(Code::FirstTokenTimeout, text)
}

// === impl Entered ===

impl Drop for Entered {
    fn drop(&mut self) {
        if let Some(hold) = self.route.hold(self.route.room(self.is_stream)) {
            hold.is_over(self.since.elapsed(), self.has_served);
        }
    }
}

// === impl Freed ===

impl Drop for Freed {
    fn drop(&mut self) {
        self.0.notify_waiters();
    }
}

// === impl Waiting ===

impl<'a> Waiting<'a> {
    fn begin(member: &'a Member, is_stream: bool, since: Instant) -> Self {
        member.begins(is_stream);
        Waiting {
            member,
            is_stream,
            since,
            is_over: false,
        }
    }

    /// The call has come to something at `now`; says after how long.
    fn over(&mut self, now: Instant) -> Duration {
        self.is_over = true;
        now.saturating_duration_since(self.since)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.member.is_heard(self.is_stream);
        // A panic is nobody's patience.
        if !self.is_over && !std::thread::panicking() {
            self.member.given_up(self.is_stream, self.since.elapsed());
        }
    }
}
