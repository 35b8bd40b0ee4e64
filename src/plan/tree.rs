//! The shape of a plan: one tree of calls a scenario. The verifier finds it; whoever wants to know which scenario a block is
//! of, what calls it, or which spans there are, asks the [`Plan`].

use super::{BlockId, Form, Inst, Plan, Program, SCOPE, ScenarioId, Scope, ServiceId, SpanForm};

/// Where every block of a program stands in the trees of calls.
#[derive(Clone, Debug)]
pub(super) struct Tree {
    /// By block.
    nodes: Vec<Node>,
    /// All blocks: each scenario's in a row, each block before those it calls, and these in the order of their calls.
    order: Vec<BlockId>,
    /// By scenario: where its row ends in `order`.
    ends: Vec<usize>,
    /// The blocks of `order` that make a span.
    spans: Vec<BlockId>,
    /// By scenario: where its row ends in `spans`.
    span_ends: Vec<usize>,
}

#[derive(Clone, Copy, Debug)]
struct Node {
    scenario: ScenarioId,
    caller: Option<BlockId>,
    /// The position in its caller of the instruction that calls it.
    call: usize,
    /// The block of the span that the block works for: itself, or the nearest caller that makes one.
    span: BlockId,
    /// How often a trace runs the block, at most.
    turns: u64,
    /// The position in the order of all blocks.
    at: usize,
}

impl Tree {
    /// A tree of `blocks` blocks of which none is known yet. They come in by scenario, in the order of the rows.
    pub fn new(blocks: usize) -> Tree {
        let unknown = Node { scenario: ScenarioId(u32::MAX), caller: None, call: 0, span: BlockId(0), turns: 0, at: 0 };
        let (order, spans) = (Vec::with_capacity(blocks), Vec::with_capacity(blocks));
        Tree { nodes: vec![unknown; blocks], order, ends: vec![], spans, span_ends: vec![] }
    }

    /// Puts a block of this form behind those of its scenario that are known. `caller`: the block that calls it, by the instruction at
    /// this position, so often at most.
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

    /// The scenario of a block.
    pub fn scenario(&self, block: BlockId) -> ScenarioId {
        self.nodes[block.index()].scenario
    }

    /// The block of the span that a block works for.
    pub fn span(&self, block: BlockId) -> BlockId {
        self.nodes[block.index()].span
    }

    /// The block that calls a block.
    pub fn caller(&self, block: BlockId) -> Option<BlockId> {
        self.nodes[block.index()].caller
    }

    /// The instruction that calls a block: the block that it stands in, and its position there.
    pub fn call(&self, block: BlockId) -> Option<(BlockId, usize)> {
        let node = &self.nodes[block.index()];
        Some((node.caller?, node.call))
    }

    /// The most spans that a trace of a scenario can have.
    pub fn most_spans(&self, scenario: ScenarioId) -> u64 {
        let spans = row(&self.spans, &self.span_ends, scenario).iter();
        spans.fold(0, |sum, block| sum.saturating_add(self.nodes[block.index()].turns))
    }

    /// The turns and the attempts, outermost first, on the way to the block that a trace of a scenario runs most often.
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

    /// Whether a block stands before another one of its scenario: it calls that, or is called before it.
    pub fn stands_before(&self, block: BlockId, other: BlockId) -> bool {
        self.nodes[block.index()].at < self.nodes[other.index()].at
    }

    /// How often a trace runs a block, at most.
    pub fn turns(&self, block: BlockId) -> u64 {
        self.nodes[block.index()].turns
    }

    /// A scenario's blocks, each before those it calls.
    pub fn blocks(&self, scenario: ScenarioId) -> &[BlockId] {
        row(&self.order, &self.ends, scenario)
    }
}

/// The row of a scenario, where each row but the first begins where the one before ends.
fn row<'a>(all: &'a [BlockId], ends: &[usize], scenario: ScenarioId) -> &'a [BlockId] {
    let before = scenario.index().checked_sub(1);
    &all[before.map_or(0, |before| ends[before])..ends[scenario.index()]]
}

impl Program {
    /// All scenarios, in order.
    pub fn scenario_ids(&self) -> impl ExactSizeIterator<Item = ScenarioId> + use<> {
        (0..self.scenarios.len()).map(|scenario| ScenarioId(scenario as u32))
    }

    /// All blocks, in order.
    pub fn block_ids(&self) -> impl ExactSizeIterator<Item = BlockId> + use<> {
        (0..self.blocks.len()).map(|block| BlockId(block as u32))
    }
}

impl Plan {
    /// The scenario that a block belongs to.
    pub fn scenario_of(&self, block: BlockId) -> ScenarioId {
        self.tree.scenario(block)
    }

    /// A scenario's blocks, each before those it calls, and these in the order of their calls.
    pub fn blocks_of(&self, scenario: ScenarioId) -> &[BlockId] {
        self.tree.blocks(scenario)
    }

    /// The blocks of a scenario that make a span: each before those whose spans are children of its own, and these in order.
    pub fn spans_of(&self, scenario: ScenarioId) -> &[BlockId] {
        row(&self.tree.spans, &self.tree.span_ends, scenario)
    }

    /// The block of the span that a block works for: itself, or, where it is a group, the one that the group stands in.
    pub fn span_block(&self, block: BlockId) -> BlockId {
        self.tree.nodes[block.index()].span
    }

    /// What is known, before they run, of the spans that a block works for.
    #[expect(clippy::missing_panics_doc, reason = "the verifier has found that the block is a span")]
    pub fn span(&self, block: BlockId) -> &SpanForm {
        self.block(self.span_block(block)).span().expect("the verifier has found that roots are spans")
    }

    /// The block of the parent of a block's spans; `None`: they are roots.
    pub fn parent_of(&self, block: BlockId) -> Option<BlockId> {
        self.tree.caller(self.span_block(block)).map(|caller| self.span_block(caller))
    }

    /// The blocks that a block calls, with those that its groups call in the groups' place, in order.
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

    /// The name and the version of the instrumentation scope that a block's spans are of; the version may be empty.
    pub fn scope_of(&self, block: BlockId) -> (&str, &str) {
        let scope = self.span(block).scope.map(|scope| self.scopes[scope.index()]);
        scope.map_or((SCOPE, ""), |Scope { name, version }| {
            (self.text(name), version.map_or("", |version| self.text(version)))
        })
    }

    /// Whether the parent of a block's spans runs in another process, which is where it is of another service.
    pub fn has_remote_parent(&self, block: BlockId) -> bool {
        self.parent_of(block).is_some_and(|parent| self.span(parent).service != self.span(block).service)
    }

    /// Whether a block's spans can fail.
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

    /// The name of a scenario.
    pub fn scenario_name(&self, scenario: ScenarioId) -> &str {
        self.text(self.scenarios[scenario.index()].name)
    }

    /// The name of a service.
    pub fn service_name(&self, service: ServiceId) -> &str {
        self.text(self.services[service.index()].name)
    }

    /// The name of the service that a block's spans are of.
    pub fn service_of(&self, block: BlockId) -> &str {
        self.service_name(self.span(block).service)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Block, fixture};

    /// The fixture with blocks 3 to 5 in its second scenario: 2 calls 4 and 3, 4 calls 5.
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
