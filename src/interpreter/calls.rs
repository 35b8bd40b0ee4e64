//! The execution of calls that do more than run a block once and at once: repeated and parallel calls, calls that nobody
//! waits for, and calls with outcomes. This module does what the plan's [`crate::plan::CallSpec`]s and groups describe; the
//! machine only executes the instructions of blocks.

use super::evaluate::Evaluation;
use super::failure::{Origin, record};
use super::site::{Callee, Site};
use crate::plan::{Chance, Down, ErrorId, Exchange, Outcome, SlotId, limits};
use crate::trace::{NONE, Value};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// The state of open calls, innermost last.
pub(super) struct Calls {
    active: Vec<Active>,
    joins: Vec<Join>,
    /// The pools of open parallel groups, by depth. A pool holds the times at which its idle workers became free, in ns
    /// since 1970. Pools are kept from trace to trace, because each has memory of its own.
    pools: Vec<BinaryHeap<Reverse<u64>>>,
    /// The time at which the last call returned, in ns since 1970.
    pub returned: u64,
    pub deadline: Deadline,
    /// The time at which the innermost client's answer would have come that it no longer waits for, in ns since 1970; 0 if
    /// there is none.
    late_answer: u64,
}

/// The latest time at which the current block ends.
#[derive(Clone, Copy)]
pub(super) struct Deadline {
    /// The time in ns since 1970.
    pub time: u64,
    /// The site of the call that set the deadline.
    site: u32,
}

impl Deadline {
    const NEVER: Deadline = Deadline { time: u64::MAX, site: 0 };
}

/// An open call.
struct Active {
    /// The time at which the caller made the call, in ns since 1970. If turns come one after another, the time at which the
    /// caller would make the next one.
    called: u64,
    turn: u32,
    turns: u32,
    attempt: u32,
    /// The time at which the caller gives up this attempt, in ns since 1970.
    patience: u64,
    /// The deadline of the caller.
    outer: Deadline,
}

/// An open parallel group.
struct Join {
    /// The start of the group, in ns since 1970.
    start: u64,
    /// Whether calls wait for a worker of a pool.
    is_pool: bool,
    /// The latest end of a call that is waited for, in ns since 1970.
    end: u64,
    /// The earliest failure of a call that is waited for, and its time in ns since 1970.
    failure: Option<(u64, Failure)>,
}

/// The failure of a call.
#[derive(Clone, Copy)]
struct Failure {
    r#type: Value,
    message: Value,
}

/// How the machine goes on after a call was made or ended.
pub(super) enum Next {
    /// It runs the block, starting at this time in ns since 1970.
    Run(u64),
    /// It returns to the caller at this time in ns since 1970.
    Return(u64),
}

impl Calls {
    pub fn new() -> Calls {
        Calls { active: vec![], joins: vec![], pools: vec![], returned: 0, deadline: Deadline::NEVER, late_answer: 0 }
    }

    pub fn clear(&mut self) {
        self.active.clear();
        self.joins.clear();
        self.deadline = Deadline::NEVER;
    }

    /// Makes the call of site `at` at the time `now`.
    pub fn call(&mut self, e: &mut Evaluation, at: u32, now: u64) -> Next {
        let site = &e.code.sites[at as usize];
        let turns = match site.spec.repeat {
            None => 1,
            Some(repeat) => {
                let count = e.count(repeat.count, repeat.max).unwrap_or(0);
                if let Some(slot) = repeat.total {
                    e.slots[slot.index()] = Value::int(count.into());
                }
                count
            }
        };
        if turns == 0 {
            return Next::Return(now);
        }
        let outer = self.deadline;
        self.active.push(Active { called: now, turn: 0, turns, attempt: 0, patience: u64::MAX, outer });
        self.turn(e, at)
    }

    /// Begins a turn of the innermost call.
    fn turn(&mut self, e: &mut Evaluation, at: u32) -> Next {
        let site = &e.code.sites[at as usize];
        let Some(active) = self.active.last_mut() else { return Next::Return(self.returned) };
        active.attempt = 0;
        if let Some(slot) = site.spec.repeat.and_then(|repeat| repeat.index) {
            e.slots[slot.index()] = Value::int(active.turn.into());
        }
        let mut start = active.called;
        if site.side_by_side
            && let (Some(join), Some(workers)) = (self.joins.last(), self.pools.get_mut(self.joins.len() - 1))
        {
            // A call that nobody waits for occupies no worker.
            let free = if site.spec.is_async { workers.peek().copied() } else { workers.pop() };
            start = free.map_or(join.start, |Reverse(free)| free);
        }
        if let Some(wait) = site.spec.wait {
            start = start.saturating_add(e.time(wait));
        }
        if let Some(exchange) = site.spec.exchange {
            for answer in exchange.answers().map(|id| e.code.plan.answers[id.index()]) {
                e.slots[answer.slot.index()] = Value::ABSENT;
            }
            start = start.saturating_add(e.time(exchange.network));
        }
        self.attempt(e, at, start)
    }

    /// Begins an attempt of the innermost call, unless the caller's deadline has passed by then.
    fn attempt(&mut self, e: &mut Evaluation, at: u32, start: u64) -> Next {
        let site = &e.code.sites[at as usize];
        let Some(active) = self.active.last_mut() else { return Next::Return(start) };
        if start >= active.outer.time {
            if site.spec.exchange.is_some() {
                return self.give_up(e, site, start);
            }
            // The caller's deadline has passed too, even if only this call notices it.
            let start = start.max(active.outer.time.saturating_add(1));
            self.deadline = active.outer;
            self.active.pop();
            if site.side_by_side {
                self.join(site, start, None);
            }
            return Next::Return(start);
        }
        if let Some(slot) = site.spec.retry.and_then(|retry| retry.attempt) {
            e.slots[slot.index()] = Value::int(active.attempt.into());
        }
        let timeout = site.spec.timeout.map(|timeout| start.saturating_add(e.time(timeout.after)));
        active.patience = timeout.unwrap_or(u64::MAX);
        self.deadline = match site.callee {
            Callee::Remote => Deadline::NEVER,
            _ if site.spec.is_async => Deadline::NEVER,
            Callee::Local | Callee::Client if active.patience < active.outer.time => {
                Deadline { time: active.patience, site: at }
            }
            _ => active.outer,
        };
        if let Callee::Parallel(max) = site.callee {
            let depth = self.joins.len();
            if self.pools.len() == depth {
                self.pools.push(BinaryHeap::new());
            }
            self.pools[depth].clear();
            self.pools[depth].extend((0..max).map(|_| Reverse(start)));
            self.joins.push(Join { start, is_pool: max > 0, end: start, failure: None });
        }
        Next::Run(start)
    }

    /// Ends the block that the call of site `at` runs, at the time `now`. `span` is the span of the block, if it makes one.
    pub fn end(&mut self, e: &mut Evaluation, at: u32, span: u32, now: u64) -> Next {
        let site = &e.code.sites[at as usize];
        // A call that is cut together with its caller does not fail the caller, which is past its own deadline, too.
        let (end, failure) = match site.callee {
            Callee::Local | Callee::Client | Callee::Remote => {
                let end = now.min(self.deadline.time);
                if now > end {
                    self.cut(e, span);
                }
                e.trace.spans[span as usize].end = end;
                e.trace.end = e.trace.end.max(end);
                let late = if let Callee::Client = site.callee { std::mem::take(&mut self.late_answer) } else { 0 };
                (now.max(late), failure_of(e, span))
            }
            Callee::Sequence(outcome) => (now, outcome.and_then(|outcome| failure_in(e, outcome))),
            Callee::Parallel(_) => {
                self.joins.pop().map_or((now, None), |join| (join.end, join.failure.map(|(_, f)| f)))
            }
        };
        if let Some(exchange) = site.spec.exchange {
            return self.answer(e, site, exchange, span, failure, end);
        }
        self.finish(e, at, end, failure)
    }

    /// Ends an attempt of the call of site `at` whose block is down at the time `now`.
    pub fn refuse(&mut self, e: &mut Evaluation, at: u32, down: Down, now: u64) -> Next {
        let site = &e.code.sites[at as usize];
        if let Callee::Parallel(_) = site.callee {
            self.joins.pop();
        }
        let failure = Some(Failure { r#type: constant_type(e, down.error), message: Value::ABSENT });
        let Some(exchange) = site.spec.exchange else { return self.finish(e, at, now, failure) };
        let end = now.saturating_add(e.time(exchange.network));
        match self.active.last() {
            Some(active) if end > active.outer.time => self.give_up(e, site, end),
            _ => self.go_on(e, site, failure, end),
        }
    }

    /// Ends an attempt of the innermost call, whose block ended at `end` with `failure` or without one.
    fn finish(&mut self, e: &mut Evaluation, at: u32, end: u64, mut failure: Option<Failure>) -> Next {
        let site = &e.code.sites[at as usize];
        let Some(active) = self.active.last_mut() else { return Next::Return(end) };
        let is_late = end > active.patience;
        let end = end.min(active.patience);
        if let Some(timeout) = site.spec.timeout.filter(|_| is_late) {
            let own = Failure { r#type: constant_type(e, timeout.error), message: Value::ABSENT };
            // A client that failed by then keeps its own failure.
            failure = if let Callee::Client = site.callee { failure.or(Some(own)) } else { Some(own) };
        }
        self.returned = end;
        if !site.spec.is_async {
            if let Some(outcome) = site.spec.outcome {
                keep(e, outcome, failure);
            }
            if let Some(next) = self.retry(e, at, failure.is_some(), end) {
                return next;
            }
        }
        let Some(active) = self.active.last_mut() else { return Next::Return(end) };
        active.turn += 1;
        let mut is_over = active.turn == active.turns;
        if !site.spec.is_async && !site.side_by_side {
            active.called = end;
            let until = site.spec.repeat.and_then(|repeat| repeat.until);
            is_over |= until.is_some_and(|slot| e.is_set(slot));
        }
        let called = active.called;
        if is_over {
            self.deadline = active.outer;
            self.active.pop();
        }
        if site.side_by_side {
            self.join(site, end, failure);
        }
        if is_over { Next::Return(called) } else { self.turn(e, at) }
    }

    /// Delivers the answer of the server's `span`, which ended at `now`, to its client.
    fn answer(
        &mut self,
        e: &mut Evaluation,
        site: &Site,
        exchange: Exchange,
        span: u32,
        failure: Option<Failure>,
        now: u64,
    ) -> Next {
        let end = now.saturating_add(e.time(exchange.network));
        let Some(active) = self.active.last() else { return Next::Return(end) };
        if end > active.outer.time {
            return self.give_up(e, site, end);
        }
        let (row, first) = (e.trace.spans[span as usize].attrs, e.code.entry(site.block).attrs.0);
        for answer in exchange.answers().map(|id| e.code.plan.answers[id.index()]) {
            e.slots[answer.slot.index()] = e.trace.attrs[(row + answer.attr.0 - first) as usize].value;
        }
        self.go_on(e, site, failure, end)
    }

    /// Lets a client continue at its own deadline, before the answer arrives at `late`.
    fn give_up(&mut self, e: &mut Evaluation, site: &Site, late: u64) -> Next {
        let Some(Active { outer, .. }) = self.active.last() else { return Next::Return(late) };
        let outer = *outer;
        self.late_answer = late.max(outer.time.saturating_add(1));
        let timeout = e.code.sites[outer.site as usize].spec.timeout;
        let failure = timeout.map(|timeout| constant_type(e, timeout.error));
        self.go_on(e, site, failure.map(|r#type| Failure { r#type, message: Value::ABSENT }), outer.time)
    }

    /// Lets a client continue at `end`, when its request has ended with `failure` or without one.
    fn go_on(&mut self, e: &mut Evaluation, site: &Site, failure: Option<Failure>, end: u64) -> Next {
        if let Some(outcome) = site.spec.outcome {
            keep(e, outcome, failure);
        }
        self.returned = end;
        if let Some(active) = self.active.pop() {
            self.deadline = active.outer;
        }
        Next::Return(end)
    }

    /// Adds the end of a call to its parallel group, and frees the worker that made the call.
    fn join(&mut self, site: &Site, end: u64, failure: Option<Failure>) {
        if site.spec.is_async {
            return;
        }
        let depth = self.joins.len();
        if let Some(join) = self.joins.last_mut() {
            join.take(end, failure);
            if join.is_pool {
                self.pools[depth - 1].push(Reverse(end));
            }
        }
    }

    /// Begins the next attempt of the innermost call if the last one failed, ended at `end`, and is to be retried;
    /// otherwise returns `None`.
    fn retry(&mut self, e: &mut Evaluation, at: u32, has_failed: bool, end: u64) -> Option<Next> {
        let retry = e.code.sites[at as usize].spec.retry.filter(|_| has_failed)?;
        let active = self.active.last_mut()?;
        if active.attempt + 1 == retry.attempts || retry.when.is_some_and(|when| !e.holds(when)) {
            return None;
        }
        let backoff = retry.backoff.map_or(0, |backoff| e.time(backoff)) as f64;
        let mut wait = backoff * libm::pow(f64::from(retry.factor) / 1e3, active.attempt.into());
        if retry.jitter.0 > 0 {
            let jitter = retry.jitter.0 as f64 / Chance::ONE.0 as f64;
            wait *= 1.0 + jitter * (2.0 * e.random.unit() - 1.0);
        }
        active.attempt += 1;
        let wait = libm::round(wait.clamp(0.0, limits::BACKOFF as f64)) as u64;
        Some(self.attempt(e, at, end.saturating_add(wait)))
    }

    /// Fails a span whose deadline has passed, unless it failed before.
    fn cut(&self, e: &mut Evaluation, span: u32) {
        let failure = e.trace.spans[span as usize].failure;
        if failure != NONE && e.trace.failures[failure as usize].time <= self.deadline.time {
            return;
        }
        let site = &e.code.sites[self.deadline.site as usize];
        let Some(timeout) = site.spec.timeout else { return };
        let (block, inst) = site.caller;
        record(e, Origin { block, inst, error: timeout.error, exception: false }, span, self.deadline.time);
    }
}

impl Join {
    /// Adds the end of a call that is waited for.
    fn take(&mut self, end: u64, failure: Option<Failure>) {
        self.end = self.end.max(end);
        if let Some(failure) = failure
            && self.failure.is_none_or(|(earliest, _)| end < earliest)
        {
            self.failure = Some((end, failure));
        }
    }
}

/// Stores the outcome of a call in its slots.
fn keep(e: &mut Evaluation, outcome: Outcome, failure: Option<Failure>) {
    let (r#type, message) = failure.map_or((Value::text(0, 0), Value::ABSENT), |f| (f.r#type, f.message));
    e.slots[outcome.failed.index()] = Value::bool(failure.is_some());
    e.slots[outcome.r#type.index()] = r#type;
    e.slots[outcome.message.index()] = message;
}

/// Returns the type of an error whose type is constant.
fn constant_type(e: &mut Evaluation, error: ErrorId) -> Value {
    let r#type = e.code.plan.errors[error.index()].r#type;
    e.text(r#type)
}

/// Returns the failure of a span that has ended.
fn failure_of(e: &Evaluation, span: u32) -> Option<Failure> {
    let failure = e.trace.spans[span as usize].failure;
    let record = (failure != NONE).then(|| &e.trace.failures[failure as usize])?;
    Some(Failure { r#type: record.r#type, message: record.message })
}

/// Returns the failure that the slots of an outcome hold.
fn failure_in(e: &Evaluation, outcome: Outcome) -> Option<Failure> {
    let value = |slot: SlotId| e.slots[slot.index()];
    e.is_set(outcome.failed).then(|| Failure { r#type: value(outcome.r#type), message: value(outcome.message) })
}
