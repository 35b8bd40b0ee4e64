//! Static data about a plan's links: the spans to which each may lead, and the blocks that read what was found.

use crate::plan::{Block, BlockId, Expr, ExprId, LinkId, Plan, ScenarioId};

/// The maximum time before a link in which the exporting span must have ended, in ns.
const REACH: u64 = 60_000_000_000;

/// The links of a plan, prepared for the search.
pub(super) struct Links {
    links: Box<[Sources]>,
    /// For each block: whether its expressions read the span that a link found, or are evaluated for each span found.
    read: Box<[bool]>,
}

/// The spans to which a link may lead.
pub(super) struct Sources {
    /// The scenarios of the exporting spans, in ascending order.
    pub scenarios: Box<[ScenarioId]>,
    /// The blocks of the exporting spans, in ascending order.
    pub blocks: Box<[BlockId]>,
    /// The latest end of an exporting span, in ns after the start of its trace, at most [`REACH`].
    pub reach: u64,
}

impl Links {
    pub fn new(plan: &Plan) -> Self {
        if plan.links.is_empty() {
            return Links { links: [].into(), read: vec![false; plan.blocks.len()].into() };
        }
        let links = plan.links.iter().map(|link| {
            let mut blocks = link.sources.clone();
            blocks.sort();
            let mut scenarios: Vec<_> = blocks.iter().map(|block| plan.scenario_of(*block)).collect();
            scenarios.sort();
            scenarios.dedup();
            let reach = blocks.iter().map(|block| plan.end_bound(*block)).max().unwrap_or(0).min(REACH);
            Sources { scenarios: scenarios.into(), blocks: blocks.into(), reach }
        });
        Links { links: links.collect(), read: blocks_that_read(plan) }
    }

    pub fn is_empty(&self) -> bool {
        self.links.is_empty()
    }

    pub fn sources(&self, link: LinkId) -> &Sources {
        &self.links[link.index()]
    }

    /// Reports whether the block's expressions read the span that a link found, or are evaluated for each span found.
    pub fn is_read(&self, block: BlockId) -> bool {
        self.read[block.index()]
    }
}

fn blocks_that_read<'a>(plan: &'a Plan) -> Box<[bool]> {
    // Operands stand before the expressions that use them.
    let mut reads: Vec<bool> = Vec::with_capacity(plan.exprs.len());
    for expr in &plan.exprs {
        let itself = matches!(expr, Expr::Linked { .. } | Expr::LinkedKey);
        reads.push(itself || expr.operands().any(|id| reads[id.index()]));
    }
    let evaluated = |block: &'a Block| block.code.iter().flat_map(|inst| plan.evaluated(inst));
    let is_constant = |id: ExprId| matches!(plan.exprs[id.index()], Expr::Const { .. });
    let for_each_found = |block: &Block| {
        let attributes = block.links().flat_map(|link| &plan.links[link.index()].attributes);
        attributes.into_iter().any(|(_, value)| !is_constant(*value))
    };
    let is_read = |block: &'a Block| evaluated(block).any(|id| reads[id.index()]) || for_each_found(block);
    plan.blocks.iter().map(is_read).collect()
}
