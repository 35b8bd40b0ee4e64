//! The values that decide about a scenario's traces: the slots and attributes, where they are last read, and the blocks
//! whose outcomes are read. All other draws are ignored.

use super::value::Cell;
use crate::plan::{Answer, BlockId, CallSpec, Expr, ExprId, Form, Group, Inst, Plan, ScenarioId, SlotId};
use foldhash::{HashMap, HashMapExt, HashSet, HashSetExt};

/// What is read of a block's outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Asked {
    #[default]
    Nothing,
    /// Whether it failed.
    Failed,
    /// Whether it failed, and the type of its error.
    Type,
}

/// Facts about a block that are found before it is followed.
#[derive(Debug, Default)]
pub struct Reads {
    pub asked: Asked,
    /// The number of blocks above it.
    depth: usize,
    /// The deciding cells that the block, or a block that it calls, reads, and that were written outside of it.
    pub inputs: HashSet<Cell>,
    /// The last instruction that reads a cell, or calls a block that does.
    last: HashMap<Cell, usize>,
    /// For each instruction: whether the roll before it is still needed.
    pub rolled: Vec<bool>,
    /// For each instruction: the next instruction that matters, which may be itself.
    pub next: Vec<usize>,
    /// Whether the block runs in parallel with others of its span, so that a later instruction may run earlier.
    pub is_beside: bool,
    /// Whether the block, or a group in it, passes failures on to the span around it.
    pub propagates: bool,
}

/// Facts about a scenario that are found before it is followed.
pub struct Knowledge {
    pub blocks: HashMap<BlockId, Reads>,
    /// The cells that decide something.
    cells: HashSet<Cell>,
    /// For each cell: the depth of the innermost block that contains all its readers and writers.
    homes: HashMap<Cell, usize>,
}

impl Knowledge {
    pub fn new(plan: &Plan, scenario: ScenarioId) -> Knowledge {
        let mut search =
            Search { plan, asked: HashMap::new(), cells: HashSet::new(), seen: HashSet::new(), grew: true };
        let order = plan.blocks_of(scenario);
        while std::mem::take(&mut search.grew) {
            // Questions are passed from callers to callees, and decisions from later instructions to earlier ones.
            order.iter().for_each(|block| search.block(*block));
            order.iter().rev().for_each(|block| search.block(*block));
            for (slot, value) in plan.scenarios[scenario.index()].vars.iter().rev() {
                if search.cells.contains(&Cell::Slot(*slot)) {
                    search.value(*value);
                }
            }
        }
        let Search { asked, cells, .. } = search;
        let mut knowledge = Knowledge { blocks: HashMap::new(), cells, homes: HashMap::new() };
        for block in order {
            let reads = knowledge.shape(plan, *block, asked.get(block).copied().unwrap_or_default());
            knowledge.blocks.insert(*block, reads);
        }
        knowledge.find_homes(plan, order);
        order.iter().rev().for_each(|block| knowledge.find_reads(plan, *block));
        knowledge
    }

    pub fn of(&self, block: BlockId) -> &Reads {
        &self.blocks[&block]
    }

    /// Reports whether the value of a cell decides something.
    pub fn decides(&self, cell: Cell) -> bool {
        self.cells.contains(&cell)
    }

    /// Reports whether the value of a cell still matters when `block` is at `pc`.
    pub fn matters(&self, block: &Reads, cell: Cell, pc: usize) -> bool {
        block.last.get(&cell).is_some_and(|last| *last >= pc) || self.leaves(block, cell)
    }

    /// Reports whether the value of a cell matters to others after `block` has ended.
    pub fn leaves(&self, block: &Reads, cell: Cell) -> bool {
        self.homes.get(&cell).is_some_and(|home| *home < block.depth)
    }

    /// Returns the facts that follow from the code of a block. Those of its caller must be known.
    fn shape(&self, plan: &Plan, id: BlockId, asked: Asked) -> Reads {
        let (block, caller) = (plan.block(id), plan.tree.caller(id));
        let depth = caller.map_or(0, |caller| self.of(caller).depth + 1);
        let is_group = block.span().is_none();
        let is_async = plan.call_spec(id).is_some_and(|spec| spec.is_async);
        let is_beside =
            is_group && (is_async || is_parallel(plan, id) || caller.is_some_and(|caller| self.of(caller).is_beside));
        let (mut rolled, mut next) = (vec![false; block.code.len()], vec![0; block.code.len()]);
        for (pc, inst) in block.code.iter().enumerate().rev() {
            let after = |at: usize| rolled.get(at).copied().unwrap_or(false);
            rolled[pc] = match inst {
                Inst::Roll => false,
                Inst::Fail { .. } => true,
                inst => after(pc + 1) || inst.target().is_some_and(|target| after(target as usize)),
            };
            next[pc] = if self.is_idle(plan, id, inst) { next[pc + 1] } else { pc };
        }
        let propagates = block.code.iter().any(|inst| matches!(inst, Inst::Propagate { .. }));
        Reads { asked, depth, rolled, next, is_beside, propagates, ..Reads::default() }
    }

    /// Reports whether an instruction changes nothing that matters. The last instruction of a block is never idle.
    fn is_idle(&self, plan: &Plan, block: BlockId, inst: &Inst) -> bool {
        let may_be = matches!(inst, Inst::Set { .. } | Inst::Attr { .. } | Inst::Event { .. })
            || matches!(inst, Inst::Link { .. } | Inst::Name { .. } | Inst::Export { .. });
        may_be && !writes(plan, block, inst).iter().any(|(cell, _)| self.cells.contains(cell))
    }

    fn find_homes(&mut self, plan: &Plan, order: &[BlockId]) {
        let mut homes: HashMap<Cell, BlockId> = HashMap::new();
        for block in order {
            for inst in &plan.block(*block).code {
                let (read, written) = self.touched(plan, *block, inst);
                for cell in read.into_iter().chain(written) {
                    let home = homes.get(&cell).map_or(*block, |home| self.common(plan, *home, *block));
                    homes.insert(cell, home);
                }
            }
        }
        self.homes = homes.into_iter().map(|(cell, home)| (cell, self.of(home).depth)).collect();
        // Vars are written before the root begins.
        let vars = plan.scenarios[plan.scenario_of(order[0]).index()].vars.iter().map(|(slot, _)| Cell::Slot(*slot));
        self.homes.extend(vars.map(|cell| (cell, 0)));
    }

    /// Returns the innermost block that contains two blocks.
    fn common(&self, plan: &Plan, mut one: BlockId, mut other: BlockId) -> BlockId {
        while one != other {
            let deeper = if self.of(one).depth >= self.of(other).depth { &mut one } else { &mut other };
            match plan.tree.caller(*deeper) {
                Some(caller) => *deeper = caller,
                None => return *deeper,
            }
        }
        one
    }

    /// Collects the cells that are read in a block. Those of the blocks that it calls must be known.
    fn find_reads(&mut self, plan: &Plan, id: BlockId) {
        let (mut last, mut propagates) = (HashMap::new(), self.of(id).propagates);
        for (pc, inst) in plan.block(id).code.iter().enumerate() {
            last.extend(self.touched(plan, id, inst).0.into_iter().map(|cell| (cell, pc)));
            if let Some(callee) = inst.callee() {
                let called = self.of(callee);
                last.extend(called.inputs.iter().map(|cell| (*cell, pc)));
                propagates |= called.propagates && plan.block(callee).span().is_none();
            }
        }
        let depth = self.of(id).depth;
        let is_outer = |cell: &&Cell| depth == 0 || self.homes.get(cell).is_some_and(|home| *home < depth);
        let inputs = last.keys().filter(is_outer).copied().collect();
        if let Some(reads) = self.blocks.get_mut(&id) {
            (reads.inputs, reads.last, reads.propagates) = (inputs, last, propagates);
        }
    }

    /// Returns the deciding cells that an instruction reads for a decision, and those that it writes.
    fn touched(&self, plan: &Plan, block: BlockId, inst: &Inst) -> (Vec<Cell>, Vec<Cell>) {
        let mut writes = writes(plan, block, inst);
        writes.retain(|(cell, _)| self.cells.contains(cell));
        let mut values: Vec<ExprId> = writes.iter().filter_map(|(_, value)| *value).collect();
        let mut read = vec![];
        match inst {
            Inst::Test { value, .. } => values.push(*value),
            Inst::End => {
                if let Form::Group(Group::Sequence { outcome: Some(outcome) }) = &plan.block(block).form {
                    read.extend(outcome.slots().map(Cell::Slot));
                }
            }
            _ => {}
        }
        values.extend(inst.error().map(|error| plan.errors[error.index()].r#type));
        if let Some(spec) = inst.spec().map(|spec| &plan.specs[spec.index()]) {
            values.extend(spec.exprs());
            read.extend(spec.repeat.and_then(|repeat| repeat.until).map(Cell::Slot));
            read.extend(answers(plan, spec).map(|answer| Cell::Attr(answer.attr)));
        }
        let mut seen = HashSet::new();
        values.into_iter().for_each(|value| each_slot(plan, value, &mut seen, &mut |slot| read.push(Cell::Slot(slot))));
        read.retain(|cell| self.cells.contains(cell));
        (read, writes.into_iter().map(|(cell, _)| cell).collect())
    }
}

/// Returns the cells that an instruction of a block writes, and the expressions of their values, if there are any.
pub fn writes(plan: &Plan, block: BlockId, inst: &Inst) -> Vec<(Cell, Option<ExprId>)> {
    let mut writes = match *inst {
        Inst::Set { slot, value } => vec![(Cell::Slot(slot), Some(value))],
        Inst::Attr { attr, value } => vec![(Cell::Attr(attr), Some(value))],
        Inst::Event { event } => {
            let turns = plan.events[event.index()].repeat;
            let slots = turns.into_iter().flat_map(|repeat| repeat.index.into_iter().chain(repeat.total));
            slots.map(|slot| (Cell::Slot(slot), None)).collect()
        }
        _ => vec![],
    };
    if let Some(error) = inst.error().map(|error| &plan.errors[error.index()]) {
        let own = plan.error_type_attr(plan.span_block(block));
        writes.extend(own.map(|attr| (Cell::Attr(attr), Some(error.r#type))));
        writes.extend(error.attributes.iter().map(|(attr, value)| (Cell::Attr(*attr), Some(*value))));
    }
    if let Some(spec) = inst.spec().map(|spec| &plan.specs[spec.index()]) {
        let turns = spec.repeat.into_iter().flat_map(|repeat| repeat.index.into_iter().chain(repeat.total));
        let outcome = spec.outcome.into_iter().flat_map(|outcome| outcome.slots());
        let slots = turns.chain(spec.retry.and_then(|retry| retry.attempt)).chain(outcome);
        writes.extend(slots.chain(answers(plan, spec).map(|answer| answer.slot)).map(|slot| (Cell::Slot(slot), None)));
    }
    writes
}

/// Returns the values that a client reads from the answer to its call.
pub fn answers(plan: &Plan, spec: &CallSpec) -> impl Iterator<Item = Answer> {
    spec.exchange.into_iter().flat_map(|exchange| exchange.answers()).map(|id| plan.answers[id.index()])
}

/// Reports whether a block is a parallel group.
pub fn is_parallel(plan: &Plan, block: BlockId) -> bool {
    matches!(plan.block(block).form, Form::Group(Group::Parallel { .. }))
}

/// Calls `visit` with the slots that an expression reads, except for expressions in `seen`.
fn each_slot(plan: &Plan, value: ExprId, seen: &mut HashSet<ExprId>, visit: &mut impl FnMut(SlotId)) {
    let mut waiting = vec![value];
    while let Some(value) = waiting.pop() {
        if !seen.insert(value) {
            continue;
        }
        let expr = &plan.exprs[value.index()];
        if let Expr::Slot { slot } = expr {
            visit(*slot);
        }
        waiting.extend(expr.operands());
    }
}

/// The search for deciding cells, which is repeated until it finds no more.
struct Search<'a> {
    plan: &'a Plan,
    asked: HashMap<BlockId, Asked>,
    cells: HashSet<Cell>,
    seen: HashSet<ExprId>,
    grew: bool,
}

impl Search<'_> {
    fn value(&mut self, value: ExprId) {
        let Search { plan, cells, seen, grew, .. } = self;
        each_slot(plan, value, seen, &mut |slot| *grew |= cells.insert(Cell::Slot(slot)));
    }

    fn cell(&mut self, cell: Cell) {
        self.grew |= self.cells.insert(cell);
    }

    fn decides(&self, slot: SlotId) -> bool {
        self.cells.contains(&Cell::Slot(slot))
    }

    fn asked(&self, block: BlockId) -> Asked {
        self.asked.get(&block).copied().unwrap_or_default()
    }

    fn block(&mut self, id: BlockId) {
        let plan = self.plan;
        for inst in plan.block(id).code.iter().rev() {
            if let Inst::Test { value, .. } = *inst {
                self.value(value);
            }
            for (cell, value) in writes(plan, id, inst) {
                if let Some(value) = value.filter(|_| self.cells.contains(&cell)) {
                    self.value(value);
                }
            }
            if let Inst::Call { block, spec } = *inst {
                let spec = spec.map_or(CallSpec::default(), |spec| plan.specs[spec.index()]);
                self.call(id, block, &spec);
            }
            if let Some(error) = inst.error()
                && self.asked(plan.span_block(id)) == Asked::Type
            {
                self.value(plan.errors[error.index()].r#type);
            }
        }
    }

    fn call(&mut self, caller: BlockId, callee: BlockId, spec: &CallSpec) {
        spec.exprs().for_each(|value| self.value(value));
        if let Some(until) = spec.repeat.and_then(|repeat| repeat.until) {
            self.cell(Cell::Slot(until));
        }
        for answer in answers(self.plan, spec).filter(|answer| self.decides(answer.slot)).collect::<Vec<_>>() {
            self.cell(Cell::Attr(answer.attr));
        }
        let asked = match spec.outcome {
            _ if spec.is_async => Asked::Nothing,
            Some(outcome) if self.decides(outcome.r#type) => Asked::Type,
            Some(outcome) if self.decides(outcome.failed) || self.decides(outcome.message) => Asked::Failed,
            _ if spec.retry.is_some() => Asked::Failed,
            _ => Asked::Nothing,
        };
        let beside = if is_parallel(self.plan, caller) && !spec.is_async { self.asked(caller) } else { Asked::Nothing };
        let asked = asked.max(beside);
        if let Form::Group(Group::Sequence { outcome: Some(outcome) }) = &self.plan.block(callee).form {
            if asked >= Asked::Failed {
                self.cell(Cell::Slot(outcome.failed));
            }
            if asked == Asked::Type {
                self.cell(Cell::Slot(outcome.r#type));
            }
        }
        let before = self.asked.insert(callee, asked).unwrap_or_default();
        self.grew |= before != asked;
    }
}
