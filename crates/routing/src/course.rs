//! One request's course over the workers of its route: plan, call, and on to the next until one answers.
//!
//! After a failure the next worker of the plan is called at once; only when none is left is a worker tried again, after a
//! pause. A worker that refuses by itself costs neither a try nor budget. Nothing is tried again after the first token: the
//! call is then the listener's, with all that it holds riding inside its stream.

mod attempt;
mod refusal;

use crate::{Ask, Candidate, First, Plan, Refused, Reject, Skipped, Why, route::Route, router::Router};
use attempt::Place;
use orchestrator_core::{Admitted, Blame, Code, Cx, Failure, LOOK_AGAIN, Prompt, Reply, Retry, Tier};
use orchestrator_resilience::{Attempts, Pause};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::futures::Notified,
    time::{Instant, sleep, timeout},
};

/// A request on its way over the workers of its route.
pub(crate) struct Course<'a> {
    router: &'a Router,
    route: &'a Arc<Route>,
    cx: &'a Cx,
    prompt: &'a Prompt,
    /// What the request was let on with, where it was let on to this route.
    admitted: Option<&'a dyn Admitted>,
    /// What the request asks of each plan.
    ask: Ask,
    began: Instant,
    /// How long it has waited for a slot.
    waited: Duration,
    attempts: Attempts,
    /// Tiers that were called.
    tiers: Vec<Tier>,
    /// Workers that refused our credentials or sent us elsewhere, which are not asked again.
    barred: Vec<usize>,
    /// What the last call came to.
    last: Option<Failed>,
    /// What those calls of a round came to whose workers may do better the next time.
    hopeful: Option<Failure>,
}

/// A call that failed, so that another may follow.
struct Failed {
    worker: Arc<str>,
    failure: Failure,
}

/// What comes after a look at a plan.
enum Next {
    /// An answer.
    Answered(Reply),
    /// Another plan, once a call is over or this long has passed.
    Wait(Duration),
    /// Another plan, after this pause.
    Again(Duration),
}

// === impl Course ===

impl<'a> Course<'a> {
    pub(crate) fn new(
        router: &'a Router,
        route: &'a Arc<Route>,
        (cx, admitted): (&'a Cx, Option<&'a dyn Admitted>),
        prompt: &'a Prompt,
    ) -> Self {
        Course {
            router,
            route,
            cx,
            prompt,
            admitted,
            ask: route.ask(&prompt.request),
            began: Instant::now(),
            waited: Duration::ZERO,
            attempts: Attempts::new(route.resilience()),
            tiers: Vec::new(),
            barred: Vec::new(),
            last: None,
            hopeful: None,
        }
    }

    /// Calls worker after worker until one comes to its first token.
    pub(crate) async fn run(&mut self) -> Result<Reply, Failure> {
        self.route.begin(self.began);
        let ended = self.look_and_follow().await;
        if let (Some(admitted), false) = (self.admitted, self.waited.is_zero()) {
            admitted.waited(self.cx.priority(), self.waited);
        }
        let failure = match ended {
            Err(failure) if failure.code() == Code::RateLimited => failure,
            ended => return ended,
        };
        Err(match self.route.shortest_rest(Instant::now()) {
            Some(rest) => failure.with_retry_after(rest),
            None => failure,
        })
    }

    async fn look_and_follow(&mut self) -> Result<Reply, Failure> {
        let (route, mut now) = (self.route, self.began);
        loop {
            // Listened to before the look, so that a slot which comes free meanwhile is not missed.
            let freed = route.freed.notified();
            match self.round(now).await? {
                Next::Answered(reply) => return Ok(reply),
                Next::Wait(longest) => self.wait(longest, freed).await?,
                Next::Again(pause) => sleep(pause).await,
            }
            now = Instant::now();
        }
    }

    /// Waits for a call to be over, for as long as the request may wait. Whether one is or time has passed, the next look
    /// tells.
    async fn wait(&mut self, longest: Duration, freed: Notified<'_>) -> Result<(), Failure> {
        let (now, patience) = (Instant::now(), self.wait_left());
        if patience.is_zero() {
            return Err(self.refusal());
        }
        drop(timeout(longest.min(patience).min(self.left(now)), freed).await);
        self.waited = self.waited.saturating_add(now.elapsed());
        Ok(())
    }

    /// How much longer it may wait for a slot.
    fn wait_left(&self) -> Duration {
        let patience = self.admitted.map_or(Duration::MAX, |admitted| admitted.patience());
        patience.saturating_sub(self.waited)
    }

    /// What one is told who has waited for too long: what the gate would say, unless a call has said more.
    fn refusal(&mut self) -> Failure {
        let last = self.last.take().map(|last| last.failure);
        let refused = || self.admitted.map_or_else(spent, |admitted| admitted.refusal());
        last.unwrap_or_else(refused)
    }

    /// Calls whom the plan has in front; who else there is is looked for only where that does not answer.
    async fn round(&mut self, now: Instant) -> Result<Next, Failure> {
        let (turn, made) = (self.route.take_turn(), self.attempts.made());
        let first = self.first(turn, now);
        if let Some(First { candidate, has_more }) = first
            && let Some(reply) = self.call(candidate, has_more, now).await?
        {
            return Ok(Next::Answered(reply));
        }
        let mut plan = self.plan(turn);
        if let Some(First { candidate, .. }) = first.filter(|_| self.attempts.made() > made) {
            plan.candidates.retain(|other| other.worker != candidate.worker);
        }
        match self.spared(&plan) {
            Some(left) => Ok(Next::Wait(left)),
            None => self.follow(plan, made).await,
        }
    }

    /// What the plan has in front, if that is found without a look at all workers. A request that has made a call already is
    /// choosy.
    fn first(&self, turn: u64, now: Instant) -> Option<First> {
        if self.attempts.made() > 0 {
            return None;
        }
        let request = &self.prompt.request;
        let first = self.route.first(self.ask(turn, now), request, now)?;
        tracing::debug!(request_id = %request.id, route = &*self.route.name, ?first, "a plan");
        Some(first)
    }

    fn plan(&self, turn: u64) -> Plan {
        let (request, now) = (&self.prompt.request, Instant::now());
        let mut plan = self.route.plan(self.ask(turn, now), request, now);
        plan.candidates
            .retain(|candidate| !self.barred.contains(&candidate.worker));
        tracing::debug!(request_id = %request.id, route = &*self.route.name, ?plan, "a plan");
        plan
    }

    /// What is left of the wait by which a costlier tier is spared, when the plan has only such ones because others are full.
    /// Nothing is spared by one who would be refused for it.
    fn spared(&self, plan: &Plan) -> Option<Duration> {
        let first = plan.candidates.first()?;
        if !first.reason.is_overflow() || self.attempts.made() > 0 {
            return None;
        }
        let most = self.route.overflow_after(&self.prompt.request);
        let left = most.saturating_sub(self.began.elapsed()).min(self.wait_left());
        (!left.is_zero()).then_some(left)
    }

    /// Calls the workers of a plan, one after the other; before the round there were as many calls as `made`.
    async fn follow(&mut self, plan: Plan, made: u32) -> Result<Next, Failure> {
        let mut is_full = plan.skipped.iter().any(|skipped| self.is_full(skipped));
        let mut untried = plan.candidates;
        let is_barred = untried.is_empty() && !is_full;
        while let Some(candidate) = self.next(&mut untried) {
            let before = self.attempts.made();
            if let Some(reply) = self.call(candidate, !untried.is_empty(), Instant::now()).await? {
                return Ok(Next::Answered(reply));
            }
            is_full |= self.attempts.made() == before;
        }
        if self.attempts.made() > made {
            return self.again(is_full);
        }
        match plan.reject {
            Some(reject) if reject.refused == Refused::AllBreakersOpen => self.probe(plan.probe, reject).await,
            // Nobody else is left than those who refused our credentials.
            None
            | Some(Reject {
                refused: Refused::OverCapacity,
                ..
            }) if is_barred => self.give_up(),
            Some(reject) => self.refuse(reject),
            None => Ok(Next::Wait(LOOK_AGAIN)),
        }
    }

    /// Whether a slot of this worker may come free for us.
    fn is_full(&self, skipped: &Skipped) -> bool {
        skipped.why == Why::OverCapacity && !self.barred.contains(&skipped.worker)
    }

    /// The next worker of the plan; for the last try one of a tier that was not called yet, if there is one.
    fn next(&self, untried: &mut Vec<Candidate>) -> Option<Candidate> {
        let is_last = self.attempts.left() == 1 && self.attempts.made() > 0;
        let is_new = |candidate: &Candidate| !self.tiers.contains(&candidate.tier);
        let fresh = is_last.then(|| untried.iter().position(is_new)).flatten();
        let at = fresh.unwrap_or(0);
        (at < untried.len()).then(|| untried.remove(at))
    }

    /// Calls one worker. `None` when the next may be called: it let no call through, or its failure may be another's success.
    async fn call(&mut self, candidate: Candidate, has_more: bool, now: Instant) -> Result<Option<Reply>, Failure> {
        // Before the place: a call that is not made spends nothing of what the worker may be asked in a minute.
        if let Some(last) = &self.last
            && self.route.retries_left(now) == 0
        {
            return Err(self.budget_spent(last));
        }
        let Some(place) = Place::take(self.router, self.route, candidate, &self.ask, now) else {
            return Ok(None);
        };
        if let Some(last) = &self.last {
            if !self.route.may_retry(now) {
                place.unused();
                return Err(self.budget_spent(last));
            }
            self.route.metrics.retried(&last.worker, last.failure.code());
        }
        self.attempts.begin();
        self.tiers.push(candidate.tier);
        self.route.metrics.decided(candidate.reason);
        let worker = place.worker().clone();
        match place.call(self.cx, self.prompt, self.patience(has_more)).await {
            Ok(mut reply) => {
                reply.head.tier = candidate.tier;
                reply.head.attempts = self.attempts.made();
                Ok(Some(reply))
            }
            Err(failure) => {
                self.log(&worker, &failure);
                self.failed((candidate.worker, worker), failure).map(|()| None)
            }
        }
    }

    fn budget_spent(&self, last: &Failed) -> Failure {
        self.route.metrics.budget_spent();
        last.failure.clone()
    }

    /// How long a call that does not stream may take while another may follow: half of the time that there is.
    fn patience(&self, has_more: bool) -> Option<Duration> {
        let half = || self.left(Instant::now()).div_f64(2.0);
        (has_more && self.attempts.left() > 0 && !self.prompt.request.stream).then(half)
    }

    /// Whether another call may follow this failure.
    fn failed(&mut self, (index, worker): (usize, Arc<str>), failure: Failure) -> Result<(), Failure> {
        let is_hopeful = failure.code().retry() == Retry::Now;
        let is_refused = matches!(failure.code(), Code::UpstreamCredentials | Code::UpstreamRedirected);
        let may_move_on = is_hopeful || is_refused || failure.code() == Code::RateLimited;
        if !may_move_on || self.attempts.left() == 0 {
            return Err(failure);
        }
        if is_refused {
            self.barred.push(index);
        }
        if is_hopeful {
            self.hopeful = Some(failure.clone());
        }
        self.last = Some(Failed { worker, failure });
        Ok(())
    }

    /// All workers of the plan were called: another round after a pause, or the end. One that may do better counts for more
    /// than one that rests or refuses us, and one that is full for more than the end.
    fn again(&mut self, is_full: bool) -> Result<Next, Failure> {
        let hopeful = self.hopeful.take();
        let last = self.last.as_ref().map(|last| last.failure.clone());
        match hopeful.or(last).map(|failure| self.pause_after(&failure)) {
            Some(Pause::For(pause)) => Ok(Next::Again(pause)),
            Some(Pause::Never) | None if is_full => Ok(Next::Wait(LOOK_AGAIN)),
            Some(Pause::Never) | None => self.give_up(),
        }
    }

    fn pause_after(&mut self, failure: &Failure) -> Pause {
        let now = Instant::now();
        let deadline = self.cx.deadline().unwrap_or(now);
        self.attempts
            .after(failure, now, deadline, &mut *self.router.rng.lock())
    }

    /// When every breaker is open, one request a second goes to the worker that is due soonest; the others are refused.
    async fn probe(&mut self, probe: Option<Candidate>, reject: Reject) -> Result<Next, Failure> {
        let now = Instant::now();
        let probe = probe.filter(|probe| !self.barred.contains(&probe.worker));
        let Some(probe) = probe.filter(|_| self.last.is_none() && self.route.may_probe(now)) else {
            return self.refuse(reject);
        };
        match self.call(probe, false, now).await? {
            Some(reply) => Ok(Next::Answered(reply)),
            None => self.refuse(reject),
        }
    }

    /// No worker can be called. What the last call came to says more than that the workers are left alone since.
    fn refuse(&mut self, reject: Reject) -> Result<Next, Failure> {
        let Some(failure) = reject.failure() else {
            return Ok(Next::Wait(LOOK_AGAIN));
        };
        if self.last.is_some() {
            return self.give_up();
        }
        match self.pause_after(&failure) {
            // A short rest is waited for, though not one after the other because others were faster.
            Pause::For(pause) if self.began.elapsed().saturating_add(pause) <= self.route.longest_rest() => {
                Ok(Next::Again(pause))
            }
            Pause::For(_) | Pause::Never => {
                self.route.metrics.refused(reject.refused);
                Err(failure)
            }
        }
    }

    fn give_up(&mut self) -> Result<Next, Failure> {
        Err(self.last.take().map_or_else(spent, |last| last.failure))
    }

    fn ask(&self, turn: u64, now: Instant) -> Ask {
        Ask {
            turn,
            deadline_left: self.left(now),
            ..self.ask
        }
    }

    fn left(&self, now: Instant) -> Duration {
        let deadline = self.cx.deadline().unwrap_or(now);
        deadline.saturating_duration_since(now)
    }

    /// The access log has what a client did wrong; what is wrong with the worker is for whoever runs it.
    fn log(&self, worker: &str, failure: &Failure) {
        let (request_id, attempt) = (self.prompt.request.id, self.attempts.made());
        let (code, status) = (failure.code().as_str(), failure.status());
        match failure.code().blame() {
            Blame::Client => tracing::debug!(%request_id, worker, attempt, code, status, "a call was refused"),
            _ => tracing::warn!(
                %request_id,
                worker,
                attempt,
                code,
                status,
                causes = failure.causes(),
                "a call failed: {}",
                failure.loggable(),
            ),
        }
    }
}

/// What is told when no call was made, though that does not happen.
fn spent() -> Failure {
    Failure::new(Code::BreakerOpen, "No worker can be called for now.")
}

#[cfg(test)]
mod tests;
