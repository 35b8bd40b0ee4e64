//! Follows a call: its turns, and the attempts of each.

use super::flow::{Calls, End, Ended, Entry, Flow, Flows, Standing, State, meet};
use super::ledger::{self, Book, Extents};
use super::reads::{Asked, answers, is_parallel};
use super::value::{Cell, Known, Values};
use super::walk::{Frame, Unforeseen, Walk};
use crate::plan::{BlockId, CallSpec, Constant, Down, Expr, SlotId};
use std::collections::BTreeMap;
use std::rc::Rc;

/// A place in the code that makes a call.
#[derive(Clone, Copy)]
struct Site<'s> {
    pc: usize,
    callee: BlockId,
    spec: &'s CallSpec,
}

/// The result of one turn of a call that begins in some state.
struct Turn {
    ends: Vec<(State, Ended)>,
    calls: Calls,
}

/// The numbers of turns with their probabilities.
type Counts = BTreeMap<u32, f64>;

impl<'a, P: Fn(BlockId) -> Vec<usize>> Walk<'a, P> {
    /// Follows the call at `pc`, and returns the flows after it.
    pub(super) fn call(
        &mut self,
        frame: &mut Frame<'a>,
        pc: usize,
        callee: BlockId,
        spec: &CallSpec,
        state: State,
        mut flow: Flow,
    ) -> Result<Flows, Unforeseen> {
        let plan = self.plan;
        // Which of two times is longer is not followed.
        if spec.timeout.is_some_and(|timeout| plan.longest(callee) >= plan.time_range(timeout.after).0) {
            return Err(Unforeseen);
        }
        let site = Site { pc, callee, spec };
        let Some(repeat) = spec.repeat else {
            return self.turns(frame, site, state, flow, &Counts::from([(1, 1.0)]));
        };
        let mut counts = Counts::new();
        for (count, share) in self.outcomes(&state.values, repeat.count)?.iter() {
            let count = match count {
                Known::Unclear => return Err(Unforeseen),
                count => count.int().map_or(0, |count| count.clamp(0, repeat.max.into()) as u32),
            };
            *counts.entry(count).or_default() += share;
        }
        let Some(total) = self.deciding(repeat.total) else { return self.turns(frame, site, state, flow, &counts) };
        let mut ends = Flows::new();
        frame.book.part(&mut flow.notes);
        for (count, share) in counts {
            let mut state = state.clone();
            state.values.insert(total, Known::Int(count.into()));
            let part = flow.clone().times(share);
            for (state, flow) in self.turns(frame, site, state, part, &Counts::from([(count, 1.0)]))? {
                meet(&frame.book, &mut ends, state, flow);
            }
        }
        Ok(ends)
    }

    fn deciding(&self, slot: Option<SlotId>) -> Option<Cell> {
        slot.map(Cell::Slot).filter(|cell| self.knowledge.decides(*cell))
    }

    /// Follows all turns of a call.
    fn turns(
        &mut self,
        frame: &mut Frame<'a>,
        site: Site<'_>,
        state: State,
        flow: Flow,
        counts: &Counts,
    ) -> Result<Flows, Unforeseen> {
        let is_in_turn = !site.spec.is_async && !is_parallel(self.plan, frame.id);
        let until = site.spec.repeat.and_then(|repeat| repeat.until).filter(|_| is_in_turn);
        let is_over =
            |state: &State| until.is_some_and(|slot| state.values.get(&Cell::Slot(slot)) == Some(&Known::Bool(true)));
        let index = self.deciding(site.spec.repeat.and_then(|repeat| repeat.index));
        let (mut done, mut now) = (Flows::new(), Flows::from([(state, flow)]));
        let (mut known, mut left) = (BTreeMap::<State, Rc<Turn>>::new(), 1.0);
        let most = counts.keys().last().copied().unwrap_or(0);
        for number in 0..=most {
            let count = counts.get(&number).copied().unwrap_or(0.0);
            let stops = if number == most {
                1.0
            } else if left > count {
                count / left
            } else {
                0.0
            };
            let mut next = Flows::new();
            for (mut state, mut flow) in now {
                if stops > 0.0 {
                    frame.book.part(&mut flow.notes);
                    meet(&frame.book, &mut done, state.clone(), flow.clone().times(stops));
                    flow = flow.times(1.0 - stops);
                }
                if flow.share <= 0.0 {
                    continue;
                }
                if let Some(cell) = index {
                    state.values.insert(cell, Known::Int(number.into()));
                }
                let turn = match known.get(&state) {
                    Some(turn) => turn.clone(),
                    None => {
                        let turn = Rc::new(self.turn(frame, site, &state)?);
                        known.insert(state.clone(), turn.clone());
                        turn
                    }
                };
                // A turn that ends in the state in which it began does so in all following turns.
                if let [(end, ended)] = &turn.ends[..]
                    && *end == state
                    && index.is_none()
                    && !is_over(end)
                {
                    let more = counts.range(number + 1..).map(|(count, share)| (count - number, *share));
                    let more: Vec<(u32, f64)> = more.collect();
                    let sum: f64 = more.iter().map(|(_, share)| share).sum();
                    let more: Vec<(u32, f64)> = more.iter().map(|(count, share)| (*count, share / sum)).collect();
                    self.look(more.len() * (1 + ended.extents.len()))?;
                    let mean: f64 = more.iter().map(|(count, share)| f64::from(*count) * share).sum();
                    count_calls(frame, &turn.calls, flow.share * mean);
                    let clean = more.iter().map(|(count, share)| share * ended.clean.powi(*count as i32)).sum();
                    let extents = ledger::repeated(&ended.extents, &more);
                    let ended = Ended { share: 1.0, clean, origins: BTreeMap::new(), extents };
                    meet(&frame.book, &mut done, state, flow.through(&ended, false));
                    continue;
                }
                count_calls(frame, &turn.calls, flow.share);
                frame.book.part(&mut flow.notes);
                for (end, ended) in &turn.ends {
                    self.look(1 + ended.extents.len())?;
                    let fails = state.failure.is_none() && end.failure.is_some();
                    let flow = flow.clone().through(ended, fails);
                    let to = if is_over(end) { &mut done } else { &mut next };
                    meet(&frame.book, to, end.clone(), flow);
                }
            }
            left -= count;
            now = next;
        }
        Ok(done)
    }

    /// Follows a turn with all its attempts.
    fn turn(&mut self, frame: &Frame<'a>, site: Site<'_>, begun: &State) -> Result<Turn, Unforeseen> {
        let Site { pc, callee, spec } = site;
        let reads = self.knowledge.of(callee);
        let passes_on = reads.propagates && self.plan.block(callee).span().is_none();
        let settles = !frame.reads.is_beside && !spec.is_async;
        let is_joined = !spec.is_async && is_parallel(self.plan, frame.id) && frame.reads.asked > Asked::Nothing;
        let retry = spec.retry.filter(|_| !spec.is_async);
        let attempt = self.deciding(retry.and_then(|retry| retry.attempt));
        let (mut book, mut calls, mut ends) = (Book::default(), Calls::new(), Flows::new());
        let mut now = Flows::from([(begun.clone(), Flow::whole())]);
        for number in 0..retry.map_or(1, |retry| retry.attempts) {
            for (mut state, mut flow) in std::mem::take(&mut now) {
                if let Some(cell) = attempt {
                    state.values.insert(cell, Known::Int(number.into()));
                }
                let entry = Entry::of(reads, &state);
                let summary = self.block(callee, &entry)?;
                let down = match spec.down {
                    Some(down) => self.chance(&state.values, down.when)?,
                    None => 0.0,
                };
                *calls.entry((callee, entry)).or_default() += flow.share * (1.0 - down);
                book.part(&mut flow.notes);
                let refused = spec.down.filter(|_| down > 0.0).map(|outage| self.refused(&state, outage));
                let answered = summary.ends.iter().map(|(end, ended)| (end, ended, 1.0 - down));
                let all = answered.chain(refused.iter().map(|(end, ended)| (end, ended, down)));
                for (end, ended, part) in all.filter(|(.., part)| *part > 0.0) {
                    self.look(1 + ended.extents.len())?;
                    let mut state = state.clone();
                    let fails = passes_on && state.failure.is_none() && end.failure.is_some();
                    let mut flow = flow.clone().times(part).through(ended, fails);
                    state.values.extend(end.values.iter().map(|(cell, value)| (*cell, value.clone())));
                    self.answer(&mut state, spec);
                    if passes_on {
                        state.failure = end.failure.clone();
                        if let Some(failure) = state.failure.as_mut().filter(|_| settles) {
                            failure.standing = Standing::Settled;
                        }
                    }
                    if !spec.is_async {
                        self.keep(&mut state, spec, end.outcome.as_ref());
                    }
                    let again = match retry {
                        Some(retry) if end.outcome.is_some() && number + 1 < retry.attempts => match retry.when {
                            Some(when) => self.chance(&state.values, when)?,
                            None => 1.0,
                        },
                        _ => 0.0,
                    };
                    if again > 0.0 {
                        book.part(&mut flow.notes);
                        meet(&book, &mut now, state.clone(), flow.clone().times(again));
                    }
                    if again < 1.0 {
                        if is_joined && let Some(r#type) = &end.outcome {
                            let is_same = state.joined.as_ref().is_none_or(|joined| joined == r#type);
                            state.joined = Some(if is_same { r#type.clone() } else { Known::Unclear });
                        }
                        state.values.retain(|cell, _| self.knowledge.matters(frame.reads, *cell, pc));
                        meet(&book, &mut ends, state, flow.times(1.0 - again));
                    }
                }
            }
        }
        let ends = ends.into_iter().map(|(state, flow)| (state, flow.end(&book))).collect();
        Ok(Turn { ends, calls })
    }

    /// Returns the end of an attempt whose block is down, and makes no span.
    fn refused(&self, state: &State, down: Down) -> (End, Ended) {
        let r#type = match &self.plan.exprs[self.plan.errors[down.error.index()].r#type.index()] {
            Expr::Const { value: Constant::Text(text) } => self.plan.text(*text).into(),
            _ => Known::Unclear,
        };
        let end = End { values: Values::new(), failure: state.failure.clone(), outcome: Some(r#type) };
        (end, Ended { share: 1.0, clean: 1.0, origins: BTreeMap::new(), extents: Extents::default() })
    }

    /// Stores the outcome of a call in its slots.
    fn keep(&self, state: &mut State, spec: &CallSpec, outcome: Option<&Known>) {
        let Some(slots) = spec.outcome else { return };
        let r#type = outcome.cloned().unwrap_or_else(|| "".into());
        let message = if outcome.is_some() { Known::Unclear } else { Known::Absent };
        let values = [Known::Bool(outcome.is_some()), r#type, message];
        let cells = slots.slots().into_iter().map(Cell::Slot).zip(values);
        state.values.extend(cells.filter(|(cell, _)| self.knowledge.decides(*cell)));
    }

    /// Stores what a client reads of the answer.
    fn answer(&self, state: &mut State, spec: &CallSpec) {
        for answer in answers(self.plan, spec) {
            let value = state.values.remove(&Cell::Attr(answer.attr)).unwrap_or(Known::Absent);
            if let Some(cell) = self.deciding(Some(answer.slot)) {
                state.values.insert(cell, value);
            }
        }
    }
}

fn count_calls(frame: &mut Frame, calls: &Calls, times: f64) {
    for (call, mean) in calls {
        *frame.tally.calls.entry(call.clone()).or_default() += times * mean;
    }
}
