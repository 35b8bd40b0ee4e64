//! Follows the blocks of a scenario along all ways that are distinguished. A block is followed once for each set of values
//! that it reads; the result is used wherever the block is called with the same values.

use super::flow::{End, Ended, Entry, Failure, Flow, Flows, Standing, State, Tally, meet};
use super::ledger::{Book, Extent};
use super::reads::{Asked, Knowledge, Reads, writes};
use super::value::{Cell, Evaluation, Known, Outcomes, Values};
use super::{InForce, MAX_COMBINATIONS};
use crate::plan::{BlockId, CallSpec, DistForm, DistId, ErrorId, ExprId, Form, Group, Inst, Plan, ScenarioId};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// The maximum work for a scenario: instructions in their states, and combinations of values.
const MAX_WORK: usize = 1 << 22;

/// The error that a scenario can't be followed.
#[derive(Debug)]
pub struct Unforeseen;

/// The result of following a block from one entry. All figures are for one run of the block.
#[derive(Debug)]
pub struct Summary {
    pub ends: Vec<(End, Ended)>,
    pub tally: Tally,
}

pub struct Walk<'a, P> {
    pub(super) plan: &'a Plan,
    pub(super) knowledge: &'a Knowledge,
    in_force: &'a InForce,
    /// A function that returns the parts of a block's spans, each once.
    parts_of: P,
    known: BTreeMap<(BlockId, Entry), Rc<Summary>>,
    /// The blocks whose spans may have two failures of which the one that counts is unknown.
    pub contested: BTreeSet<BlockId>,
    work: usize,
}

/// A block that is being followed.
pub(super) struct Frame<'a> {
    pub id: BlockId,
    pub reads: &'a Reads,
    /// The flows that arrive at each instruction.
    waiting: BTreeMap<usize, Flows>,
    pub tally: Tally,
    pub book: Book,
}

/// The instruction at which a flow continues, and its state.
type Target = (usize, State);

impl<'a, P: Fn(BlockId) -> Vec<usize>> Walk<'a, P> {
    pub fn new(plan: &'a Plan, knowledge: &'a Knowledge, in_force: &'a InForce, parts_of: P) -> Walk<'a, P> {
        Walk { plan, knowledge, in_force, parts_of, known: BTreeMap::new(), contested: BTreeSet::new(), work: 0 }
    }

    /// Returns the entries of a scenario's root, with their probabilities.
    pub fn entries(&mut self, scenario: ScenarioId) -> Result<BTreeMap<Entry, f64>, Unforeseen> {
        let mut drawn = BTreeMap::from([(Values::new(), 1.0)]);
        let scenario = &self.plan.scenarios[scenario.index()];
        for (slot, value) in scenario.vars.iter().filter(|(slot, _)| self.knowledge.decides(Cell::Slot(*slot))) {
            let mut next = BTreeMap::new();
            for (values, share) in drawn {
                for (value, part) in self.outcomes(&values, *value)?.iter() {
                    let mut values = values.clone();
                    values.insert(Cell::Slot(*slot), value.clone());
                    *next.entry(values).or_default() += share * part;
                }
                if next.len() > MAX_COMBINATIONS {
                    return Err(Unforeseen);
                }
            }
            drawn = next;
        }
        let root = self.knowledge.of(scenario.root);
        let mut entries = BTreeMap::new();
        for (values, share) in drawn {
            *entries.entry(Entry::of(root, &State { values, ..State::default() })).or_default() += share;
        }
        Ok(entries)
    }

    /// Follows a block. The recursion is as deep as calls are, which the verifier limits.
    pub fn block(&mut self, id: BlockId, entry: &Entry) -> Result<Rc<Summary>, Unforeseen> {
        let key = (id, entry.clone());
        if let Some(known) = self.known.get(&key) {
            return Ok(known.clone());
        }
        let summary = Rc::new(self.follow(id, entry)?);
        self.known.insert(key, summary.clone());
        Ok(summary)
    }

    fn follow(&mut self, id: BlockId, entry: &Entry) -> Result<Summary, Unforeseen> {
        let (waiting, tally, book) = (BTreeMap::new(), Tally::default(), Book::default());
        let mut frame = Frame { id, reads: self.knowledge.of(id), waiting, tally, book };
        let state = State { values: entry.values.clone(), failure: entry.failure.clone(), ..State::default() };
        self.go(&mut frame, (0, state), Flow::whole())?;
        let mut ends = vec![];
        while let Some((pc, flows)) = frame.waiting.pop_first() {
            let is_end = matches!(self.plan.block(id).code[pc], Inst::End);
            for (state, flow) in flows {
                self.look(1)?;
                match is_end {
                    true => self.end(&mut frame, state, flow, &mut ends)?,
                    false => self.step(&mut frame, pc, state, flow)?,
                }
            }
        }
        let Frame { tally, book, .. } = frame;
        let ends = ends.into_iter().map(|(end, flow)| (end, flow.end(&book))).collect();
        Ok(Summary { ends, tally })
    }

    /// Counts work, and fails if there is too much.
    pub(super) fn look(&mut self, work: usize) -> Result<(), Unforeseen> {
        self.work = self.work.saturating_add(work);
        if self.work > MAX_WORK { Err(Unforeseen) } else { Ok(()) }
    }

    pub(super) fn outcomes(&mut self, values: &Values, value: ExprId) -> Result<Rc<Outcomes>, Unforeseen> {
        let mut evaluation = Evaluation::new(self.plan, values, self.in_force);
        let outcomes = evaluation.outcomes(value);
        self.look(evaluation.work)?;
        Ok(outcomes)
    }

    /// Returns the probability that a condition is true.
    pub(super) fn chance(&mut self, values: &Values, condition: ExprId) -> Result<f64, Unforeseen> {
        let outcomes = self.outcomes(values, condition)?;
        if outcomes.contains_key(&Known::Unclear) {
            return Err(Unforeseen);
        }
        Ok(outcomes.get(&Known::Bool(true)).copied().unwrap_or(0.0))
    }

    fn go(&self, frame: &mut Frame, (pc, mut state): Target, flow: Flow) -> Result<(), Unforeseen> {
        if flow.share <= 0.0 {
            return Ok(());
        }
        let (reads, pc) = (frame.reads, frame.reads.next[pc]);
        state.values.retain(|cell, _| self.knowledge.matters(reads, *cell, pc));
        state.roll = state.roll.filter(|_| reads.rolled[pc]);
        let there = frame.waiting.entry(pc).or_default();
        meet(&frame.book, there, state, flow);
        if there.len() > MAX_COMBINATIONS { Err(Unforeseen) } else { Ok(()) }
    }

    /// Separates a flow, which continues at `one` with probability `share`, and at `other` otherwise.
    fn part(
        &self,
        frame: &mut Frame,
        share: f64,
        one: Target,
        other: Target,
        mut flow: Flow,
    ) -> Result<(), Unforeseen> {
        frame.book.part(&mut flow.notes);
        self.go(frame, other, flow.clone().times(1.0 - share))?;
        self.go(frame, one, flow.times(share))
    }

    fn step(&mut self, frame: &mut Frame<'a>, pc: usize, mut state: State, mut flow: Flow) -> Result<(), Unforeseen> {
        let (plan, next) = (self.plan, pc + 1);
        let inst = &plan.block(frame.id).code[pc];
        match *inst {
            Inst::Set { .. } | Inst::Attr { .. } | Inst::Event { .. } => {
                frame.book.part(&mut flow.notes);
                for (state, share) in self.written(frame.id, inst, state)? {
                    self.go(frame, (next, state), flow.clone().times(share))?;
                }
                return Ok(());
            }
            Inst::Delay { min, max } => {
                frame.tally.own = frame.tally.own.map(|own| own + flow.share * (min + max) as f64 / 2.0);
            }
            Inst::DelayDist { dist } => self.spend(frame, dist, &state.values, flow.share)?,
            Inst::Roll => state.roll = Some(0),
            Inst::Fail { chance, error, target } => {
                let share = state.chance_of(chance);
                let roll = state.roll.map(|sum| sum.saturating_add(chance.0));
                frame.book.part(&mut flow.notes);
                self.go(frame, (next, State { roll, ..state.clone() }), flow.clone().times(1.0 - share))?;
                return self.fail(
                    frame,
                    pc,
                    error,
                    (target as usize, State { roll: None, ..state }),
                    flow.times(share),
                );
            }
            Inst::SkipIfFailed { target } if state.failure.is_some() => {
                return self.go(frame, (target as usize, state), flow);
            }
            Inst::Test { value, target } => {
                let share = self.chance(&state.values, value)?;
                return self.part(frame, share, (next, state.clone()), (target as usize, state), flow);
            }
            Inst::Chance { chance, target } => {
                return self.part(frame, chance.share(), (next, state.clone()), (target as usize, state), flow);
            }
            Inst::Propagate { error, target } => {
                return self.propagate(frame, pc, error, (target as usize, state), flow);
            }
            Inst::Call { block, spec } => {
                let spec = spec.map_or(CallSpec::default(), |spec| plan.specs[spec.index()]);
                let ends = self.call(frame, pc, block, &spec, state, flow)?;
                return ends.into_iter().try_for_each(|(state, flow)| self.go(frame, (next, state), flow));
            }
            Inst::SkipIfFailed { .. } | Inst::Link { .. } | Inst::Name { .. } | Inst::Export { .. } | Inst::End => {}
        }
        self.go(frame, (next, state), flow)
    }

    /// Returns the states after the writes of an instruction, with their probabilities.
    fn written(&mut self, block: BlockId, inst: &Inst, state: State) -> Result<Vec<(State, f64)>, Unforeseen> {
        let mut states = vec![(state, 1.0)];
        for (cell, value) in writes(self.plan, block, inst) {
            if !self.knowledge.decides(cell) {
                continue;
            }
            let mut next = vec![];
            for (state, share) in states {
                let outcomes = match value {
                    Some(value) => self.outcomes(&state.values, value)?,
                    None => Rc::new(Outcomes::from([(Known::Unclear, 1.0)])),
                };
                for (value, part) in &*outcomes {
                    let mut state = state.clone();
                    state.values.insert(cell, value.clone());
                    next.push((state, share * part));
                }
            }
            if next.len() > MAX_COMBINATIONS {
                return Err(Unforeseen);
            }
            states = next;
        }
        Ok(states)
    }

    /// Returns the possible types of an error with which a frame's span fails, if they are read.
    fn types(&mut self, frame: &Frame, error: ErrorId, values: &Values) -> Result<Vec<(Known, f64)>, Unforeseen> {
        if self.knowledge.of(self.plan.span_block(frame.id)).asked < Asked::Type {
            return Ok(vec![(Known::Absent, 1.0)]);
        }
        let outcomes = self.outcomes(values, self.plan.errors[error.index()].r#type)?;
        let text = |value: &Known| if *value == Known::Absent { "".into() } else { value.text() };
        Ok(outcomes.iter().map(|(value, share)| (text(value), *share)).collect())
    }

    /// Fails the span by the instruction at `pc`, in place of any earlier failure.
    fn fail(
        &mut self,
        frame: &mut Frame,
        pc: usize,
        error: ErrorId,
        (target, state): Target,
        mut flow: Flow,
    ) -> Result<(), Unforeseen> {
        let (origin, inst) = ((frame.id, pc), &self.plan.block(frame.id).code[pc]);
        let standing = if frame.reads.is_beside { Standing::Beside(Some(origin)) } else { Standing::Settled };
        if let Some(delay) = self.plan.errors[error.index()].delay {
            self.spend(frame, delay, &state.values, flow.share)?;
        }
        frame.book.part(&mut flow.notes);
        for (r#type, share) in self.types(frame, error, &state.values)? {
            let failure = Some(Failure { r#type, standing });
            for (state, part) in self.written(frame.id, inst, State { failure, ..state.clone() })? {
                self.go(frame, (target, state), flow.clone().times(share * part).fail(origin))?;
            }
        }
        Ok(())
    }

    /// Adds a time that is drawn with probability `share` to the block's own time.
    fn spend(&mut self, frame: &mut Frame, dist: DistId, values: &Values, share: f64) -> Result<(), Unforeseen> {
        let time = self.mean_time(dist, values)?;
        frame.tally.own = frame.tally.own.zip(time).map(|(own, time)| own + share * time);
        Ok(())
    }

    /// Returns the mean of a time in ns, or `None` if it depends on values.
    fn mean_time(&mut self, id: DistId, values: &Values) -> Result<Option<f64>, Unforeseen> {
        let (plan, dist) = (self.plan, &self.plan.dists[id.index()]);
        let DistForm::Changed { base, changes } = &dist.form else { return Ok(plan.mean_time(id, u64::MAX)) };
        let (mut base, mut factor, mut added, mut longest) = (*base, 1.0, Some(0.0), 0.0);
        for change in changes {
            let outcomes = self.outcomes(values, change.when)?;
            let holds = outcomes.get(&Known::Bool(true)).copied().unwrap_or(0.0);
            if outcomes.len() > 1 || outcomes.contains_key(&Known::Unclear) {
                return Ok(None);
            }
            if holds > 0.0 {
                base = change.base.unwrap_or(base);
                factor *= change.times;
                if let Some(add) = change.add {
                    added = added.zip(plan.mean_time(add, u64::MAX)).map(|(sum, mean)| sum + mean);
                    longest += plan.dists[add.index()].max as f64;
                }
            }
        }
        longest += plan.dists[base.index()].max as f64 * factor;
        // The mean of what is cut is not known.
        let means = plan.mean_time(base, u64::MAX).zip(added).filter(|_| longest <= dist.max as f64);
        Ok(means.map(|(mean, added)| mean * factor + added))
    }

    /// Fails the span by the instruction at `pc`, unless it failed earlier.
    fn propagate(
        &mut self,
        frame: &mut Frame,
        pc: usize,
        error: ErrorId,
        (target, state): Target,
        mut flow: Flow,
    ) -> Result<(), Unforeseen> {
        let (origin, inst) = ((frame.id, pc), &self.plan.block(frame.id).code[pc]);
        let (before, other) = match &state.failure {
            None => return self.fail(frame, pc, error, (target, state), flow),
            Some(Failure { standing: Standing::Settled, .. }) => return self.go(frame, (target, state), flow),
            Some(Failure { r#type, standing: Standing::Beside(other) }) => (r#type.clone(), *other),
        };
        let one = other.filter(|other| *other == origin);
        if one.is_none() {
            self.contested.insert(self.plan.span_block(frame.id));
        }
        frame.book.part(&mut flow.notes);
        for (r#type, share) in self.types(frame, error, &state.values)? {
            let r#type = if r#type == before { r#type } else { Known::Unclear };
            let failure = Some(Failure { r#type, standing: Standing::Beside(one) });
            for (mut written, part) in self.written(frame.id, inst, State { failure, ..state.clone() })? {
                // If two failures set an attribute differently, its value is unclear.
                for (cell, value) in written.values.iter_mut().filter(|(cell, _)| matches!(cell, Cell::Attr(_))) {
                    if state.values.get(cell) != Some(value) {
                        *value = Known::Unclear;
                    }
                }
                self.go(frame, (target, written), flow.clone().times(share * part))?;
            }
        }
        Ok(())
    }

    /// Handles a flow that arrives at the end of a block.
    fn end(
        &self,
        frame: &mut Frame,
        state: State,
        mut flow: Flow,
        ends: &mut Vec<(End, Flow)>,
    ) -> Result<(), Unforeseen> {
        let Frame { id, reads, .. } = *frame;
        let State { mut values, failure, joined, .. } = state;
        let outcome = match &self.plan.block(id).form {
            Form::Span(_) => {
                for (origin, share) in std::mem::take(&mut flow.origins) {
                    frame.tally.failed += share;
                    *frame.tally.hits.entry(origin).or_default() += share;
                }
                let parts = (self.parts_of)(id).into_iter().map(|part| (part, Extent::ONE));
                flow.notes.add(&parts.collect());
                failure.as_ref().map(|failure| failure.r#type.clone())
            }
            Form::Group(Group::Parallel { .. }) => joined,
            Form::Group(Group::Sequence { outcome: None }) => None,
            Form::Group(Group::Sequence { outcome: Some(outcome) }) if reads.asked > Asked::Nothing => {
                let r#type = values.get(&Cell::Slot(outcome.r#type)).filter(|_| reads.asked == Asked::Type);
                match values.get(&Cell::Slot(outcome.failed)) {
                    Some(Known::Bool(true)) => Some(r#type.cloned().unwrap_or(Known::Absent)),
                    Some(Known::Unclear) | None => return Err(Unforeseen),
                    Some(_) => None,
                }
            }
            Form::Group(Group::Sequence { outcome: Some(_) }) => None,
        };
        values.retain(|cell, _| self.knowledge.leaves(reads, *cell));
        let failure = failure.filter(|_| reads.propagates && self.plan.block(id).span().is_none());
        let end = End { values, failure, outcome: outcome.filter(|_| reads.asked > Asked::Nothing) };
        ends.push((end, flow));
        Ok(())
    }
}
