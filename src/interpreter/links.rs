//! What is static of a plan's links: where each may lead, and which blocks read what they found.

use crate::plan::{Block, BlockId, Expr, ExprId, LinkId, Plan, ScenarioId};

/// A link looks no further back than this for the exporting span's end, ns.
const REACH: u64 = 60_000_000_000;

/// The links of a plan, made ready for the search.
pub(super) struct Links {
    links: Box<[Sources]>,
    /// By block: whether its expressions read what a link of it found, or are evaluated for each span found.
    read: Box<[bool]>,
}

/// Where a link may lead.
pub(super) struct Sources {
    /// The scenarios of the exporting spans, ascending.
    pub scenarios: Box<[ScenarioId]>,
    /// The blocks of the exporting spans, ascending.
    pub blocks: Box<[BlockId]>,
    /// The latest end of an exporting span after its trace's start, ns, at most [`REACH`].
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

    /// Whether the block's expressions read what a link of it found, or are evaluated for each span found.
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
