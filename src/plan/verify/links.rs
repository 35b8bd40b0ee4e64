//! The graph from linking scenario to exporting scenario.

use super::violation::{Fault, Place, Violation};
use super::violations::Found;
use crate::plan::tree::Tree;
use crate::plan::{Block, BlockId, Inst, LinkId, Program, ScenarioId, limits};

/// Returns the scenarios, each after all those to which it links, or in the program's order if a cycle makes that
/// impossible.
pub(super) fn order(program: &Program, tree: &Tree, found: &mut Found) -> Vec<ScenarioId> {
    let mut links_of: Vec<Vec<Linking>> = vec![vec![]; program.scenarios.len()];
    for (id, block) in program.block_ids().zip(&program.blocks) {
        only_once(id, block, found);
        let linking = |link| Linking { link, turns: tree.turns(id) };
        links_of[tree.scenario(id).index()].extend(block.links().map(linking));
        same_trace(program, tree, id, block, found);
    }
    for (scenario, links) in program.scenario_ids().zip(&links_of) {
        if links.len() > limits::LINKS as usize {
            let (count, max) = (links.len() as u64, u64::from(limits::LINKS));
            found.add(Place::Scenario(scenario).broken(Fault::TooMany { subject: "links", count, max }));
        }
    }
    sources(program, found);
    let mut graph = Graph {
        program,
        tree,
        links_of,
        scenarios: vec![Rank::Unknown; program.scenarios.len()],
        links: vec![Rank::Unknown; program.links.len()],
    };
    let ranked =
        program.scenario_ids().map(|id| Ok((graph.scenario(id, 0)?, id))).collect::<Result<Vec<_>, Violation>>();
    let Some(mut ranked) = found.check(ranked) else { return program.scenario_ids().collect() };
    ranked.sort();
    let order: Vec<ScenarioId> = ranked.into_iter().map(|(_, id)| id).collect();
    let replayed = replayed_spans(program, tree, &graph.links_of, &order);
    found.check(replayed);
    order
}

/// A `link` instruction of a scenario.
#[derive(Clone, Copy)]
struct Linking {
    link: LinkId,
    /// The maximum number of times that a trace runs the instruction.
    turns: u64,
}

/// Checks that a block has at most one `export`.
fn only_once(id: BlockId, block: &Block, found: &mut Found) {
    let exports = block.code.iter().enumerate().filter(|(_, inst)| matches!(inst, Inst::Export { .. }));
    for (pc, _) in exports.skip(1) {
        found.add(Place::Instruction(id, pc).broken(Fault::Second { subject: "export" }));
    }
}

/// Checks that a block which links to spans of its own trace comes after their blocks, and is not called by them.
fn same_trace(program: &Program, tree: &Tree, id: BlockId, block: &Block, found: &mut Found) {
    for (pc, link) in block.code.iter().enumerate().filter_map(|(pc, inst)| Some((pc, inst.link()?))) {
        let link = &program.links[link.index()];
        if !link.same_trace {
            continue;
        }
        let around: Vec<BlockId> = std::iter::successors(Some(id), |block| tree.caller(*block)).collect();
        let is_before = |source: &BlockId| {
            tree.scenario(*source) == tree.scenario(id) && tree.stands_before(*source, id) && !around.contains(source)
        };
        if let Some(source) = link.sources.iter().find(|source| !is_before(source)) {
            found.add(Place::Instruction(id, pc).broken(Fault::LinkAhead { block: *source }));
        }
    }
}

/// Counts the spans made for one trace in the worst case: its own, and those of all candidates for its links and for the
/// links of those.
fn replayed_spans(
    program: &Program,
    tree: &Tree,
    links_of: &[Vec<Linking>],
    order: &[ScenarioId],
) -> Result<(), Violation> {
    let mut spans: Vec<u64> = program.scenario_ids().map(|scenario| tree.most_spans(scenario)).collect();
    // Many scenarios may share a link with many sources, all of which come before those scenarios, so each link is examined
    // only once.
    let mut dearest: Vec<Option<u64>> = vec![None; program.links.len()];
    for scenario in order {
        for Linking { link, turns } in &links_of[scenario.index()] {
            let form = &program.links[link.index()];
            if form.same_trace {
                continue;
            }
            let dearest = *dearest[link.index()].get_or_insert_with(|| {
                let sources = form.sources.iter();
                sources.map(|block| spans[tree.scenario(*block).index()]).max().unwrap_or(0)
            });
            let candidates = u64::from(limits::REPLAYED + form.most()).saturating_mul(*turns).saturating_mul(dearest);
            spans[scenario.index()] = spans[scenario.index()].saturating_add(candidates);
        }
        let (count, max) = (spans[scenario.index()], limits::REPLAYED_SPANS);
        if count > max {
            let subject = "spans to be made again to find the links of a trace";
            return Err(Place::Scenario(*scenario).broken(Fault::TooMany { subject, count, max }));
        }
    }
    Ok(())
}

fn sources(program: &Program, found: &mut Found) {
    let exports = |block: &Block| block.code.iter().any(|inst| matches!(inst, Inst::Export { .. }));
    let exports: Vec<bool> = program.blocks.iter().map(exports).collect();
    for (l, link) in program.links.iter().enumerate() {
        let place = Place::Link(LinkId(l as u32));
        if link.sources.is_empty() {
            found.add(place.broken(Fault::NoSource));
        }
        if let Some(block) = link.sources.iter().find(|id| !exports[id.index()]) {
            found.add(place.broken(Fault::NoExport { block: *block }));
        }
    }
}

/// The length of the longest chain of links that begins at a scenario or a link, as far as it is known.
#[derive(Clone, Copy)]
enum Rank {
    Unknown,
    /// The rank is being computed; meeting this scenario or link again means a cycle.
    Open,
    Known(u32),
}

struct Graph<'a> {
    program: &'a Program,
    tree: &'a Tree,
    links_of: Vec<Vec<Linking>>,
    scenarios: Vec<Rank>,
    links: Vec<Rank>,
}

impl Graph<'_> {
    /// Returns the rank of a scenario to which `above` links lead. The recursion is no deeper than the longest allowed
    /// chain.
    fn scenario(&mut self, id: ScenarioId, above: u32) -> Result<u32, Violation> {
        let place = Place::Scenario(id);
        match self.scenarios[id.index()] {
            Rank::Known(rank) => return Ok(rank),
            Rank::Open => return Err(place.broken(Fault::LinkCycle)),
            Rank::Unknown if above > limits::LINK_CHAIN => return Err(place.broken(Fault::LinkChain)),
            Rank::Unknown => self.scenarios[id.index()] = Rank::Open,
        }
        let mut rank = 0;
        for i in 0..self.links_of[id.index()].len() {
            rank = rank.max(self.link(self.links_of[id.index()][i].link, above + 1)?);
        }
        if rank > limits::LINK_CHAIN {
            return Err(place.broken(Fault::LinkChain));
        }
        self.scenarios[id.index()] = Rank::Known(rank);
        Ok(rank)
    }

    /// Returns the rank of a link, which is one more than that of the scenarios to which it leads, or 0 if it leads to its
    /// own trace.
    fn link(&mut self, id: LinkId, above: u32) -> Result<u32, Violation> {
        if let Rank::Known(rank) = self.links[id.index()] {
            return Ok(rank);
        }
        let (program, tree) = (self.program, self.tree);
        let link = &program.links[id.index()];
        if link.same_trace {
            return Ok(0);
        }
        let mut rank = 1;
        for source in &link.sources {
            rank = rank.max(1 + self.scenario(tree.scenario(*source), above)?);
        }
        self.links[id.index()] = Rank::Known(rank);
        Ok(rank)
    }
}
