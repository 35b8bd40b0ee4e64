//! Follows every block once along all its ways. Jumps go forward and every instruction can be fallen through, so one walk in
//! order sees each way: what a jump carries waits at its target and is merged there.

use super::Tree;
use super::values::{Site, Values};
use super::violation::{Fault, Place, Violation};
use crate::plan::{BlockId, Bound, Chance, ErrorId, Inst, LinkId, Program, ResourceId, ScenarioId, SlotId, limits};
use foldhash::{HashMap, HashMapExt};

/// What is known of the program's traces.
pub(super) struct Flow {
    pub bounds: Vec<Bound>,
    /// Latest end of each block, ns from the trace's start.
    pub ends: Vec<u64>,
}

/// `order`: each scenario after those it links to, since what it reads of them is as long as they make it.
pub(super) fn check(program: &Program, tree: &Tree, order: &[ScenarioId]) -> Result<Flow, Violation> {
    let mut follow = Follow {
        program,
        values: Values::new(program),
        written: vec![],
        ends: vec![0; program.blocks.len()],
        longest: vec![0; program.scenarios.len()],
        linkable: vec![None; program.links.len()],
        tree,
    };
    for (r, resource) in program.resources.iter().enumerate() {
        let place = Place::Resource(ResourceId(r as u32));
        for (_, value) in &resource.attributes {
            follow.values.evaluate(place, *value)?;
        }
    }
    let mut bounds = vec![Bound { min_spans: 0, max_spans: 0, duration: 0 }; program.scenarios.len()];
    for id in order {
        bounds[id.index()] = follow.scenario(*id)?;
    }
    Ok(Flow { bounds, ends: follow.ends })
}

struct Follow<'a> {
    program: &'a Program,
    tree: &'a Tree,
    values: Values<'a>,
    /// Slots the open blocks have written, with the instruction that did, each block's in ascending order.
    written: Vec<(SlotId, u32)>,
    ends: Vec<u64>,
    /// Longest text an attribute or export key of the scenario may have, bytes.
    longest: Vec<u64>,
    /// The same over a link's sources, once asked for.
    linkable: Vec<Option<u64>>,
}

/// What is true of all ways to an instruction.
#[derive(Clone, Copy)]
struct Way {
    /// Fewest spans called.
    min_spans: u64,
    rolled: bool,
    /// Largest sum of chances since `roll`.
    chances: u64,
    linked: bool,
    named: bool,
    /// Not of all, but of at least one way.
    may_be_named: bool,
    may_have_failed: bool,
    /// The first instruction of those that jump here.
    from: u32,
}

impl Way {
    fn merge(&mut self, other: Way) {
        self.min_spans = self.min_spans.min(other.min_spans);
        self.rolled &= other.rolled;
        self.chances = self.chances.max(other.chances);
        self.linked &= other.linked;
        self.named &= other.named;
        self.may_be_named |= other.may_be_named;
        self.may_have_failed |= other.may_have_failed;
        self.from = self.from.min(other.from);
    }
}

/// Of a block with all that it calls.
struct Totals {
    min_spans: u64,
    max_spans: u64,
    /// Latest end, ns from the trace's start.
    end: u64,
}

impl Follow<'_> {
    fn scenario(&mut self, id: ScenarioId) -> Result<Bound, Violation> {
        let place = Place::Scenario(id);
        let scenario = &self.program.scenarios[id.index()];
        self.values.begin(scenario.slots.len());
        for (slot, value) in &scenario.vars {
            self.values.set(place, *slot, *value)?;
        }
        let totals = self.block(scenario.root, 0)?;
        if totals.max_spans > u64::from(limits::SPANS) {
            return Err(place.broken(Fault::Spans { max: totals.max_spans }));
        }
        let (min_spans, max_spans) = (totals.min_spans as u32, totals.max_spans as u32);
        Ok(Bound { min_spans, max_spans, duration: totals.end })
    }

    /// `start`: latest start of the span. Recursion is as deep as the calls, which the tree has bounded.
    fn block(&mut self, id: BlockId, start: u64) -> Result<Totals, Violation> {
        let block = &self.program.blocks[id.index()];
        let scenario = self.tree.scenario(id);
        let base = self.written.len();
        let mut waiting: HashMap<u32, Way> = HashMap::new();
        let mut way = Way {
            min_spans: 1,
            rolled: false,
            chances: 0,
            linked: false,
            named: block.span.name.is_some(),
            may_be_named: block.span.name.is_some(),
            may_have_failed: false,
            from: u32::MAX,
        };
        // Every jump leaves something out, so the longest way is the one that never jumps.
        let (mut max_spans, mut now) = (1, start);
        let mut linkable = 0;
        for (_, value) in &block.span.constants {
            let longest = self.values.constant(value);
            self.longest[scenario] = self.longest[scenario].max(longest);
        }
        for (pc, inst) in block.code.iter().enumerate() {
            let (place, pc) = (Place::Instruction(id, pc), pc as u32);
            if let Some(other) = waiting.remove(&pc) {
                way.merge(other);
                self.forget(base, other.from);
            }
            self.values.site = Site::Span { linked: way.linked.then_some(linkable) };
            if !way.named && matches!(inst, Inst::Delay { .. } | Inst::Call { .. } | Inst::End) {
                return Err(place.broken(Fault::Name("the span has no name on every way here")));
            }
            let jump = match *inst {
                Inst::Set { slot, value } => {
                    let known =
                        slot.index() < self.program.scenarios[scenario].slots.len() && self.values.is_written(slot);
                    self.values.set(place, slot, value)?;
                    if !known {
                        self.written.push((slot, pc));
                    }
                    None
                }
                Inst::Link { link } => {
                    linkable = self.linkable(link);
                    way.linked = true;
                    None
                }
                Inst::Attr { value, .. } => {
                    let longest = self.values.evaluate(place, value)?;
                    self.longest[scenario] = self.longest[scenario].max(longest);
                    None
                }
                Inst::Name { value } => {
                    if way.may_be_named {
                        return Err(place.broken(Fault::Name("the span already has a name")));
                    }
                    self.values.evaluate(place, value)?;
                    (way.named, way.may_be_named) = (true, true);
                    None
                }
                Inst::Export { key } => {
                    let longest = self.values.read(place, key)?;
                    self.longest[scenario] = self.longest[scenario].max(longest);
                    None
                }
                Inst::Delay { max, .. } => {
                    now = later(place, now, max)?;
                    None
                }
                Inst::Roll => {
                    (way.rolled, way.chances) = (true, 0);
                    None
                }
                Inst::Fail { chance, error, target } => {
                    if !way.rolled {
                        return Err(place.broken(Fault::NotRolled));
                    }
                    way.chances = way.chances.saturating_add(chance.0);
                    if way.chances > Chance::ONE.0 {
                        return Err(place.broken(Fault::ChanceSum));
                    }
                    self.error(place, error)?;
                    Some((target, Way { may_have_failed: true, ..way }))
                }
                Inst::Event { event } => {
                    let event = &self.program.events[event.index()];
                    self.values.evaluate(place, event.name)?;
                    for (_, value) in &event.attributes {
                        self.values.evaluate(place, *value)?;
                    }
                    None
                }
                Inst::SkipIfFailed { target } => {
                    let taken = way.may_have_failed.then_some((target, way));
                    way.may_have_failed = false;
                    taken
                }
                Inst::Call { block } => {
                    let called = self.block(block, now)?;
                    way.min_spans += called.min_spans;
                    max_spans += called.max_spans;
                    now = called.end;
                    None
                }
                Inst::End => None,
            };
            if let Some((target, jumping)) = jump {
                let jumping = Way { from: pc, ..jumping };
                waiting.entry(target).and_modify(|there| there.merge(jumping)).or_insert(jumping);
            }
        }
        self.forget(base, 0);
        self.ends[id.index()] = now;
        Ok(Totals { min_spans: way.min_spans, max_spans, end: now })
    }

    /// Takes for unwritten what the open block has written at `from` or later.
    fn forget(&mut self, base: usize, from: u32) {
        while self.written.len() > base
            && let Some((slot, _)) = self.written.pop_if(|(_, pc)| *pc >= from)
        {
            self.values.forget(slot);
        }
    }

    fn error(&mut self, place: Place, id: ErrorId) -> Result<(), Violation> {
        let error = &self.program.errors[id.index()];
        self.values.evaluate(place, error.r#type)?;
        if let Some(message) = error.message {
            self.values.evaluate(place, message)?;
        }
        Ok(())
    }

    fn linkable(&mut self, id: LinkId) -> u64 {
        let (program, tree, longest) = (self.program, self.tree, &self.longest);
        let sources = program.links[id.index()].sources.iter();
        *self.linkable[id.index()]
            .get_or_insert_with(|| sources.map(|source| longest[tree.scenario(*source)]).max().unwrap_or(0))
    }
}

fn later(place: Place, now: u64, by: u64) -> Result<u64, Violation> {
    now.checked_add(by).filter(|end| *end < limits::DURATION).ok_or_else(|| place.broken(Fault::Duration))
}
