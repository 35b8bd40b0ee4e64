//! Follows every block once along all its ways. Jumps go forward and every instruction can be fallen through, so one walk in
//! order sees each way: what a jump carries waits at its target and is merged there.

use super::values::{Site, Values};
use super::violation::{Fault, Place};
use super::violations::Found;
use crate::plan::tree::Tree;
use crate::plan::{BlockId, Bound, Chance, ExprId, Inst, LinkId, Program, ResourceId, ScenarioId, SlotId, limits};
use foldhash::{HashMap, HashMapExt};

/// What is known of the program's traces.
pub(super) struct Flow {
    /// By scenario.
    pub bounds: Vec<Bound>,
    /// By block: its latest end, ns from the trace's start.
    pub ends: Vec<u64>,
}

/// Follows all scenarios. `order`: each scenario after those it links to, since what it reads of them is as long as they make it.
pub(super) fn check(program: &Program, tree: &Tree, order: &[ScenarioId], found: &mut Found) -> Flow {
    let mut follow = Follow {
        program,
        values: Values::new(program),
        written: vec![],
        ends: vec![0; program.blocks.len()],
        longest: vec![0; program.scenarios.len()],
        linkable: vec![None; program.links.len()],
        is_too_late: false,
        tree,
        found,
    };
    for (r, resource) in program.resources.iter().enumerate() {
        let place = Place::Resource(ResourceId(r as u32));
        for (_, value) in &resource.attributes {
            follow.evaluate(place, [*value]);
        }
    }
    let mut bounds = vec![Bound { min_spans: 0, max_spans: 0, duration: 0 }; program.scenarios.len()];
    for id in order {
        bounds[id.index()] = follow.scenario(*id);
    }
    Flow { bounds, ends: follow.ends }
}

struct Follow<'a> {
    program: &'a Program,
    tree: &'a Tree,
    values: Values<'a>,
    /// The slots that the open blocks have written, with the instruction that did, each block's in ascending order.
    written: Vec<(SlotId, u32)>,
    /// By block: the latest end found so far, ns from the trace's start.
    ends: Vec<u64>,
    /// By scenario: the bytes of the longest text that an attribute or export key may have.
    longest: Vec<u64>,
    /// By link: the bytes of the longest text that may be read of what it finds, once that was asked for.
    linkable: Vec<Option<u64>>,
    /// A trace of this scenario was found to last too long.
    is_too_late: bool,
    found: &'a mut Found,
}

/// What is true of all ways to an instruction.
#[derive(Clone, Copy)]
struct Way {
    /// The fewest spans so far.
    min_spans: u64,
    rolled: bool,
    /// The largest sum of chances since `roll`.
    chances: u64,
    linked: bool,
    named: bool,
    /// The span has a name on at least one of the ways.
    may_be_named: bool,
    /// The span has failed on at least one of the ways.
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

/// What is known of a block with all that it calls.
struct Totals {
    min_spans: u64,
    max_spans: u64,
    /// The latest end, ns from the trace's start.
    end: u64,
}

impl Follow<'_> {
    fn scenario(&mut self, id: ScenarioId) -> Bound {
        let place = Place::Scenario(id);
        let scenario = &self.program.scenarios[id.index()];
        self.values.begin(scenario.slots.len());
        self.is_too_late = false;
        for (slot, value) in &scenario.vars {
            let longest = self.evaluate(place, [*value]);
            self.write(place, *slot, longest);
        }
        let totals = self.block(scenario.root, 0);
        if totals.max_spans > u64::from(limits::SPANS) {
            self.found.add(place.broken(Fault::Spans { max: totals.max_spans }));
        }
        let (min_spans, max_spans) = (totals.min_spans as u32, totals.max_spans as u32);
        Bound { min_spans, max_spans, duration: totals.end }
    }

    /// Follows a block and all that it calls. `start`: latest start of the span. Recursion is as deep as the calls, which the
    /// tree has bounded.
    fn block(&mut self, id: BlockId, start: u64) -> Totals {
        let program = self.program;
        let block = &program.blocks[id.index()];
        let scenario = self.tree.scenario(id).index();
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
            if !way.named && matches!(inst, Inst::Delay { .. } | Inst::DelayDist { .. } | Inst::Call { .. } | Inst::End)
            {
                self.found.add(place.broken(Fault::Name("the span has no name on every way here")));
                way.named = true;
            }
            if let Inst::Name { .. } = inst {
                if way.may_be_named {
                    self.found.add(place.broken(Fault::Name("the span already has a name")));
                }
                (way.named, way.may_be_named) = (true, true);
            }
            if let Inst::Fail { chance, .. } = inst {
                self.fail(place, &mut way, *chance);
            }
            let longest = self.evaluate(place, program.evaluated(inst));
            let jumping = match *inst {
                Inst::Set { slot, .. } => {
                    if self.write(place, slot, longest) {
                        self.written.push((slot, pc));
                    }
                    None
                }
                Inst::Link { link } => {
                    linkable = self.linkable(link);
                    way.linked = true;
                    None
                }
                Inst::Attr { .. } => {
                    self.longest[scenario] = self.longest[scenario].max(longest);
                    None
                }
                Inst::Export { key } => {
                    let longest = self.values.read(place, key);
                    let longest = self.found.check(longest).unwrap_or(0);
                    self.longest[scenario] = self.longest[scenario].max(longest);
                    None
                }
                Inst::Delay { max, .. } => {
                    now = self.later(place, now, max);
                    None
                }
                Inst::DelayDist { dist } => {
                    now = self.later(place, now, program.dists[dist.index()].max);
                    None
                }
                Inst::Roll => {
                    (way.rolled, way.chances) = (true, 0);
                    None
                }
                Inst::Fail { .. } => Some(Way { may_have_failed: true, ..way }),
                Inst::SkipIfFailed { .. } => {
                    let jumping = way.may_have_failed.then_some(way);
                    way.may_have_failed = false;
                    jumping
                }
                Inst::Call { block } => {
                    let called = self.block(block, now);
                    way.min_spans += called.min_spans;
                    max_spans += called.max_spans;
                    now = called.end;
                    None
                }
                Inst::Name { .. } | Inst::Event { .. } | Inst::End => None,
            };
            if let Some((target, jumping)) = inst.target().zip(jumping) {
                let jumping = Way { from: pc, ..jumping };
                waiting.entry(target).and_modify(|there| there.merge(jumping)).or_insert(jumping);
            }
        }
        self.forget(base, 0);
        self.ends[id.index()] = now;
        Totals { min_spans: way.min_spans, max_spans, end: now }
    }

    /// Evaluates expressions. Returns the length of the longest text that any of them may be, in bytes.
    fn evaluate(&mut self, place: Place, exprs: impl IntoIterator<Item = ExprId>) -> u64 {
        let mut longest = 0;
        for value in exprs {
            let result = self.values.evaluate(place, value);
            longest = self.found.check(result).unwrap_or(0).max(longest);
        }
        longest
    }

    /// Writes a slot. Returns whether it was unwritten.
    fn write(&mut self, place: Place, slot: SlotId, longest: u64) -> bool {
        let result = self.values.write(place, slot, longest);
        self.found.check(result).unwrap_or(false)
    }

    /// A chance that is rolled for, and that leaves the sum below 1.
    fn fail(&mut self, place: Place, way: &mut Way, chance: Chance) {
        if !way.rolled {
            self.found.add(place.broken(Fault::NotRolled));
        }
        way.chances = way.chances.saturating_add(chance.0);
        if way.chances > Chance::ONE.0 {
            self.found.add(place.broken(Fault::ChanceSum));
            way.chances = 0;
        }
    }

    /// The time `by` ns after `now`; without the delay where it makes the trace too long, which is told once a scenario.
    fn later(&mut self, place: Place, now: u64, by: u64) -> u64 {
        match now.checked_add(by).filter(|end| *end < limits::DURATION) {
            Some(end) => end,
            None => {
                if !std::mem::replace(&mut self.is_too_late, true) {
                    self.found.add(place.broken(Fault::Duration));
                }
                now
            }
        }
    }

    /// Takes for unwritten what the open block has written at `from` or later.
    fn forget(&mut self, base: usize, from: u32) {
        while self.written.len() > base
            && let Some((slot, _)) = self.written.pop_if(|(_, pc)| *pc >= from)
        {
            self.values.forget(slot);
        }
    }

    fn linkable(&mut self, id: LinkId) -> u64 {
        let (program, tree, longest) = (self.program, self.tree, &self.longest);
        let sources = program.links[id.index()].sources.iter();
        *self.linkable[id.index()]
            .get_or_insert_with(|| sources.map(|source| longest[tree.scenario(*source).index()]).max().unwrap_or(0))
    }
}
