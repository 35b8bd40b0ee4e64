//! The shape of a plan: a tree of calls for each scenario. The verifier builds it. The [`Plan`] answers which scenario a
//! block belongs to, what calls it, and which spans there are.

use super::{BlockId, Form, IncidentId, Inst, Plan, Program, SCOPE, ScenarioId, Scope, ServiceId, SpanForm};

/// The places of all blocks of a program in the trees of calls.
#[derive(Clone, Debug)]
pub(super) struct Tree {
    /// The nodes by block.
    nodes: Vec<Node>,
    /// All blocks by scenario, each before those that it calls, which are in the order of their calls.
    order: Vec<BlockId>,
    /// The end of each scenario's blocks in `order`.
    ends: Vec<usize>,
    /// The blocks of `order` that make a span.
    spans: Vec<BlockId>,
    /// The end of each scenario's blocks in `spans`.
    span_ends: Vec<usize>,
}

#[derive(Clone, Copy, Debug)]
struct Node {
    scenario: ScenarioId,
    caller: Option<BlockId>,
    /// The position of the instruction that calls it, in its caller.
    call: usize,
    /// The block of the span to which the block belongs: itself, or the nearest caller that makes a span.
    span: BlockId,
    /// The maximum number of times that a trace runs the block.
    turns: u64,
    /// The position in the order of all blocks.
    at: usize,
}

impl Tree {
    /// Makes a tree for `blocks` blocks, which are to be added in the order of [`Tree::order`].
    pub fn new(blocks: usize) -> Tree {
        let unknown = Node { scenario: ScenarioId(u32::MAX), caller: None, call: 0, span: BlockId(0), turns: 0, at: 0 };
        let (order, spans) = (Vec::with_capacity(blocks), Vec::with_capacity(blocks));
        Tree { nodes: vec![unknown; blocks], order, ends: vec![], spans, span_ends: vec![] }
    }

    /// Adds a block of this form. `caller` is the block that calls it, the position of the instruction there, and the
    /// maximum number of times that one run of the caller runs it.
    pub fn push(&mut self, scenario: ScenarioId, caller: Option<(BlockId, usize, u32)>, block: BlockId, form: &Form) {
        let outside = caller.map(|(caller, ..)| self.nodes[caller.index()]);
        let span = match (form, outside) {
            (Form::Group(_), Some(outside)) => outside.span,
            _ => block,
        };
        let turns = match (caller, outside) {
            (Some((_, _, turns)), Some(outside)) => outside.turns.saturating_mul(turns.into()),
            _ => 1,
        };
        let (call, caller) = (caller.map_or(0, |(_, call, _)| call), caller.map(|(caller, ..)| caller));
        self.nodes[block.index()] = Node { scenario, caller, call, span, turns, at: self.order.len() };
        self.order.push(block);
        self.ends.resize(scenario.index() + 1, 0);
        self.ends[scenario.index()] = self.order.len();
        if let Form::Span(_) = form {
            self.spans.push(block);
        }
        self.span_ends.resize(scenario.index() + 1, 0);
        self.span_ends[scenario.index()] = self.spans.len();
    }

    /// Returns the scenario of a block.
    pub fn scenario(&self, block: BlockId) -> ScenarioId {
        self.nodes[block.index()].scenario
    }

    /// Returns the block of the span to which a block belongs.
    pub fn span(&self, block: BlockId) -> BlockId {
        self.nodes[block.index()].span
    }

    /// Returns the block that calls a block.
    pub fn caller(&self, block: BlockId) -> Option<BlockId> {
        self.nodes[block.index()].caller
    }

    /// Returns the instruction that calls a block: the calling block and the position there.
    pub fn call(&self, block: BlockId) -> Option<(BlockId, usize)> {
        let node = &self.nodes[block.index()];
        Some((node.caller?, node.call))
    }

    /// Returns the maximum number of spans of a trace of a scenario.
    pub fn most_spans(&self, scenario: ScenarioId) -> u64 {
        let spans = row(&self.spans, &self.span_ends, scenario).iter();
        spans.fold(0, |sum, block| sum.saturating_add(self.nodes[block.index()].turns))
    }

    /// Returns the turns and attempts, outermost first, on the way to the block that a trace of the scenario runs most
    /// often.
    pub fn factors(&self, program: &Program, scenario: ScenarioId) -> Vec<u64> {
        let mut factors = vec![];
        let mut at = self.blocks(scenario).iter().copied().rev().max_by_key(|block| self.turns(*block));
        while let Some(block) = at {
            at = self.caller(block);
            let call = self.call(block).map(|(caller, pc)| &program.blocks[caller.index()].code[pc]);
            let spec = call.and_then(Inst::spec).map(|spec| &program.specs[spec.index()]);
            let own = spec.map_or([1, 1], |spec| [spec.attempts(), spec.turns()]);
            factors.extend(own.into_iter().filter(|factor| *factor > 1).map(u64::from));
        }
        factors.reverse();
        factors
    }

    /// Reports whether a block comes before another one of its scenario: it calls that one, or is called before it.
    pub fn stands_before(&self, block: BlockId, other: BlockId) -> bool {
        self.nodes[block.index()].at < self.nodes[other.index()].at
    }

    /// Returns the maximum number of times that a trace runs a block.
    pub fn turns(&self, block: BlockId) -> u64 {
        self.nodes[block.index()].turns
    }

    /// Returns a scenario's blocks, each before those that it calls.
    pub fn blocks(&self, scenario: ScenarioId) -> &[BlockId] {
        row(&self.order, &self.ends, scenario)
    }
}

/// Returns the part of a scenario; each part but the first begins at the end of the one before.
fn row<'a>(all: &'a [BlockId], ends: &[usize], scenario: ScenarioId) -> &'a [BlockId] {
    let before = scenario.index().checked_sub(1);
    &all[before.map_or(0, |before| ends[before])..ends[scenario.index()]]
}

impl Program {
    /// Returns all scenarios, in order.
    pub fn scenario_ids(&self) -> impl ExactSizeIterator<Item = ScenarioId> + use<> {
        (0..self.scenarios.len()).map(|scenario| ScenarioId(scenario as u32))
    }

    /// Returns all incidents, in order.
    pub fn incident_ids(&self) -> impl ExactSizeIterator<Item = IncidentId> + use<> {
        (0..self.incidents.len()).map(|incident| IncidentId(incident as u32))
    }

    /// Returns all blocks, in order.
    pub fn block_ids(&self) -> impl ExactSizeIterator<Item = BlockId> + use<> {
        (0..self.blocks.len()).map(|block| BlockId(block as u32))
    }
}

impl Plan {
    /// Returns the scenario to which a block belongs.
    pub fn scenario_of(&self, block: BlockId) -> ScenarioId {
        self.tree.scenario(block)
    }

    /// Returns a scenario's blocks, each before those that it calls, which are in the order of their calls.
    pub fn blocks_of(&self, scenario: ScenarioId) -> &[BlockId] {
        self.tree.blocks(scenario)
    }

    /// Returns the blocks of a scenario that make a span, each before those of its child spans, which are in order.
    pub fn spans_of(&self, scenario: ScenarioId) -> &[BlockId] {
        row(&self.tree.spans, &self.tree.span_ends, scenario)
    }

    /// Returns the block of the span to which a block belongs: itself, or if it is a group, the block that contains it.
    pub fn span_block(&self, block: BlockId) -> BlockId {
        self.tree.nodes[block.index()].span
    }

    /// Returns the form of the span to which a block belongs.
    #[expect(clippy::missing_panics_doc, reason = "the verifier has found that the block is a span")]
    pub fn span(&self, block: BlockId) -> &SpanForm {
        self.block(self.span_block(block)).span().expect("the verifier has found that roots are spans")
    }

    /// Returns the block of the parent of a block's spans, or `None` if they are roots.
    pub fn parent_of(&self, block: BlockId) -> Option<BlockId> {
        self.tree.caller(self.span_block(block)).map(|caller| self.span_block(caller))
    }

    /// Returns the blocks that a block calls, in order, with those called by its groups in place of the groups.
    pub fn children_of(&self, block: BlockId) -> Vec<BlockId> {
        let mut children = vec![];
        let mut waiting: Vec<BlockId> = self.block(block).calls().rev().collect();
        while let Some(called) = waiting.pop() {
            match self.block(called).form {
                Form::Span(_) => children.push(called),
                Form::Group(_) => waiting.extend(self.block(called).calls().rev()),
            }
        }
        children
    }

    /// Returns the name and the version of the instrumentation scope of a block's spans; the version may be empty.
    pub fn scope_of(&self, block: BlockId) -> (&str, &str) {
        let scope = self.span(block).scope.map(|scope| self.scopes[scope.index()]);
        scope.map_or((SCOPE, ""), |Scope { name, version }| {
            (self.text(name), version.map_or("", |version| self.text(version)))
        })
    }

    /// Reports whether the parent of a block's spans runs in another process, which it does if it is of another service.
    pub fn has_remote_parent(&self, block: BlockId) -> bool {
        self.parent_of(block).is_some_and(|parent| self.span(parent).service != self.span(block).service)
    }

    /// Reports whether a block's spans can fail.
    pub fn can_fail(&self, block: BlockId) -> bool {
        let mut waiting = vec![block];
        while let Some(next) = waiting.pop() {
            if self.block(next).failures().next().is_some() {
                return true;
            }
            waiting.extend(self.block(next).calls().filter(|called| self.block(*called).span().is_none()));
        }
        false
    }

    /// Returns the name of a scenario.
    pub fn scenario_name(&self, scenario: ScenarioId) -> &str {
        self.text(self.scenarios[scenario.index()].name)
    }

    /// Returns the name of a service.
    pub fn service_name(&self, service: ServiceId) -> &str {
        self.text(self.services[service.index()].name)
    }

    /// Returns the name of the service of a block's spans.
    pub fn service_of(&self, block: BlockId) -> &str {
        self.service_name(self.span(block).service)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Block, fixture};

    /// Returns the fixture with blocks 3 to 5 in its second scenario: 2 calls 4 and 3, 4 calls 5.
    fn plan() -> Plan {
        let mut program = fixture::program();
        let form = SpanForm { attrs: Default::default(), ..program.blocks[2].span().unwrap().clone() };
        let call = |block| Inst::Call { block: BlockId(block), spec: None };
        for code in [vec![Inst::End], vec![call(5), Inst::End], vec![Inst::End]] {
            program.blocks.push(Block { form: Form::Span(form.clone()), code });
        }
        fixture::span(&mut program, 5).service = ServiceId(0);
        program.blocks[2].code.splice(3..3, [call(4), call(3)]);
        Plan::verify(program).unwrap()
    }

    #[test]
    fn a_scenarios_spans_stand_parents_first_and_siblings_in_order() {
        let plan = plan();
        assert_eq!(plan.spans_of(ScenarioId(0)), [BlockId(0), BlockId(1)]);
        assert_eq!(plan.spans_of(ScenarioId(1)), [2, 4, 5, 3].map(BlockId));
        for scenario in plan.scenario_ids() {
            assert!(plan.spans_of(scenario).iter().all(|block| plan.scenario_of(*block) == scenario));
        }
    }

    #[test]
    fn a_parent_is_remote_where_it_is_of_another_service() {
        let plan = plan();
        let parents: Vec<_> = plan.block_ids().map(|block| plan.parent_of(block).map(|parent| parent.0)).collect();
        assert_eq!(parents, [None, Some(0), None, Some(2), Some(2), Some(4)]);
        let remote: Vec<_> = plan.block_ids().filter(|block| plan.has_remote_parent(*block)).collect();
        assert_eq!(remote, [BlockId(1), BlockId(5)]);
        assert_eq!((plan.service_of(BlockId(5)), plan.scenario_name(ScenarioId(1))), ("api-gateway", "Shipping"));
    }
}
