//! Links to earlier traces: candidates are found by start and scenario, then interpreted again to see what they exported.
//!
//! The order of scenarios by links has no cycle and no long chain (the verifier's invariant), so a replay that has to look
//! for links itself comes to an end. Nothing here depends on what was generated before or by whom.

use super::choice::Chosen;
use super::evaluate::Evaluation;
use super::machine::Level;
use super::schedule::Starts;
use super::{Run, glob};
use crate::plan::{BlockId, Expr, ExprId, Inst, LinkId, Plan, ScenarioId, TextId, limits};
use crate::trace::{NONE, Read, Trace, Value};

/// Indices scanned back for a link.
const SCANNED: u64 = 4_096;
/// A link looks no further back than this for the exporting span's end, ns.
const REACH: u64 = 60_000_000_000;
/// Entries of [`Misses`].
const MISSES: usize = 4_096;

/// The span that a link found: an ordinal in the trace of the first machine below, and the key it exported.
#[derive(Clone, Copy)]
pub(super) struct Found {
    pub span: u32,
    key: Value,
}

/// What is static of a plan's links.
pub(super) struct Links {
    links: Box<[Static]>,
    /// Whether the block's expressions read what its link found.
    read: Box<[bool]>,
}

struct Static {
    /// That the sources are in, ascending.
    scenarios: Box<[ScenarioId]>,
    /// Ascending.
    sources: Box<[BlockId]>,
    /// Latest end of a source after its trace's start, ns, at most [`REACH`].
    reach: u64,
}

impl Links {
    pub fn new(plan: &Plan) -> Self {
        if plan.links.is_empty() {
            return Links { links: [].into(), read: vec![false; plan.blocks.len()].into() };
        }
        let scenario_of = scenarios(plan);
        let links = plan.links.iter().map(|link| {
            let mut sources = link.sources.clone();
            sources.sort();
            let mut scenarios: Vec<_> = sources.iter().map(|block| scenario_of[block.index()]).collect();
            scenarios.sort();
            scenarios.dedup();
            let reach = sources.iter().map(|block| plan.end_bound(*block)).max().unwrap_or(0).min(REACH);
            Static { scenarios: scenarios.into(), sources: sources.into(), reach }
        });
        Links { links: links.collect(), read: blocks_that_read(plan) }
    }

    pub fn is_empty(&self) -> bool {
        self.links.is_empty()
    }

    pub fn is_read(&self, block: BlockId) -> bool {
        self.read[block.index()]
    }
}

/// The scenario of each block.
fn scenarios(plan: &Plan) -> Vec<ScenarioId> {
    let mut of = vec![ScenarioId(0); plan.blocks.len()];
    let mut open: Vec<BlockId> = Vec::new();
    for (i, scenario) in plan.scenarios.iter().enumerate() {
        open.push(scenario.root);
        while let Some(block) = open.pop() {
            of[block.index()] = ScenarioId(i as u32);
            let calls = plan.block(block).code.iter();
            open.extend(calls.filter_map(|inst| if let Inst::Call { block } = inst { Some(*block) } else { None }));
        }
    }
    of
}

fn blocks_that_read(plan: &Plan) -> Box<[bool]> {
    // operands stand before the expressions that use them
    let mut reads: Vec<bool> = Vec::with_capacity(plan.exprs.len());
    for expr in &plan.exprs {
        let itself = matches!(expr, Expr::Linked { .. } | Expr::LinkedKey);
        reads.push(itself || expr.operands().any(|id| reads[id.index()]));
    }
    let reads = |id: &ExprId| reads[id.index()];
    let inst = |inst: &Inst| match *inst {
        Inst::Set { value, .. } | Inst::Attr { value, .. } | Inst::Name { value } => reads(&value),
        Inst::Fail { error, .. } => {
            let error = &plan.errors[error.index()];
            reads(&error.r#type) || error.message.as_ref().is_some_and(reads)
        }
        Inst::Event { event } => {
            let event = &plan.events[event.index()];
            reads(&event.name) || event.attributes.iter().any(|(_, value)| reads(value))
        }
        _ => false,
    };
    plan.blocks.iter().map(|block| block.code.iter().any(inst)).collect()
}

/// What finding earlier traces takes: one a thread.
pub(super) struct Past {
    pub starts: Starts,
    chosen: Chosen,
    misses: Misses,
}

/// Candidates that can match a link at no time: they failed, or have another key. Consumers that follow each other meet
/// the same ones. Only saves work: a candidate that is here counts as replayed.
struct Misses(Box<[(u32, u64)]>);

impl Misses {
    fn place(link: LinkId, index: u64) -> usize {
        (index.wrapping_add(link.0 as u64 * 1_223) % MISSES as u64) as usize
    }

    fn contains(&self, link: LinkId, index: u64) -> bool {
        self.0[Self::place(link, index)] == (link.0, index)
    }

    fn add(&mut self, link: LinkId, index: u64) {
        self.0[Self::place(link, index)] = (link.0, index);
    }
}

impl Past {
    pub fn new(run: &Run) -> Self {
        let starts = Starts::new(run.seed(), run.schedule().clone());
        let misses = if run.code().links.is_empty() { 0 } else { MISSES };
        Past { starts, chosen: Chosen::new(), misses: Misses(vec![(0, u64::MAX); misses].into()) }
    }

    /// The span that the link of trace `of` at `time` (ns since 1970) finds. Its trace is left in the first of `below`.
    ///
    /// Candidates are the traces that started early enough for the exporting span to have ended, latest index first, all of
    /// them before `of`, so that they are part of every run that `of` is part of.
    #[cold]
    #[inline(never)]
    pub fn find(&mut self, run: &Run, below: &mut [Level], link: LinkId, of: u64, time: u64) -> Option<Found> {
        let plan = run.plan();
        let Static { scenarios, sources, reach } = &run.code().links.links[link.index()];
        let glob = plan.text(plan.links[link.index()].glob);
        let first = self.starts.first_of_epoch(of);
        let latest = self.starts.last_at_or_before(of, time.checked_sub(*reach)?)?.min(of.checked_sub(1)?);
        let mut replayed = 0;
        for index in (first..=latest).rev().take(SCANNED as usize) {
            let scenario = self.chosen.get(run.choice(), index);
            if scenarios.binary_search(&scenario).is_err() {
                continue;
            }
            replayed += 1;
            if replayed > limits::REPLAYED {
                return None;
            }
            if self.misses.contains(link, index) {
                continue;
            }
            let (level, deeper) = below.split_first_mut()?;
            let start = self.starts.start(index);
            level.replay(run, self, deeper, scenario, index, start);
            let mut exported = exports(plan, &level.trace, sources, glob).peekable();
            if exported.peek().is_none() {
                self.misses.add(link, index);
            }
            if let Some(found) = exported.find(|found| level.trace.spans[found.span as usize].end <= time) {
                return Some(found);
            }
        }
        None
    }
}

/// The spans of `trace` that exported a matching key and did not fail.
fn exports<'a>(plan: &'a Plan, trace: &'a Trace, sources: &'a [BlockId], glob: &'a str) -> impl Iterator<Item = Found> {
    trace.exports.iter().filter_map(move |export| {
        let span = &trace.spans[export.span as usize];
        let text = match export.key.read() {
            Read::Text { at, len } => &trace.text.as_slice()[at..at + len],
            Read::Const { at, len } => &plan.text_pool()[at..at + len],
            _ => return None,
        };
        let fits = span.failure == NONE
            && sources.binary_search(&span.block).is_ok()
            && glob::matches(glob, std::str::from_utf8(text).ok()?);
        fits.then_some(Found { span: export.span, key: export.key })
    })
}

impl Evaluation<'_> {
    pub(super) fn linked_key(&mut self) -> Value {
        self.linked.map_or(Value::ABSENT, |found| self.copy_from_below(found.key))
    }

    /// The attribute of the linked span as it was sent.
    pub(super) fn linked_attribute(&mut self, key: TextId) -> Value {
        let (Some(found), Some(level)) = (self.linked, self.below.first()) else { return Value::ABSENT };
        let span = &level.trace.spans[found.span as usize];
        let plan = &self.code.plan;
        let form = &plan.block(span.block).span;
        if let Some(at) = form.attrs.ids().position(|attr| plan.attrs[attr.index()] == key) {
            let value = level.trace.attrs[span.attrs as usize + at].value;
            return self.copy_from_below(value);
        }
        match form.constants.iter().find(|(k, _)| *k == key) {
            Some((_, constant)) => self.constant(constant),
            None => Value::ABSENT,
        }
    }

    /// A value of the linked trace, copied into this one.
    fn copy_from_below(&mut self, value: Value) -> Value {
        let Some(level) = self.below.first() else { return Value::ABSENT };
        match value.read() {
            Read::Text { at, len } => {
                let start = self.trace.text.len();
                self.trace.text.append(&level.trace.text.as_slice()[at..at + len]);
                Value::text(start, start + len)
            }
            Read::List { at, len } => {
                let start = self.trace.values.len();
                for k in 0..len {
                    // elements are no lists
                    let item = self.copy_from_below(self.below[0].trace.values[at + k]);
                    self.trace.values.push(item);
                }
                Value::list(start, len)
            }
            _ => value,
        }
    }
}
