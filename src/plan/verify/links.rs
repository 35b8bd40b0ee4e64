//! The graph of linking scenario to exporting scenario.

use super::Tree;
use super::violation::{Fault, Place, Violation};
use crate::plan::{BlockId, Inst, LinkId, Program, ScenarioId, limits};

/// The scenarios, each after all that it links to.
pub(super) fn order(program: &Program, tree: &Tree) -> Result<Vec<ScenarioId>, Violation> {
    let mut links_of: Vec<Vec<LinkId>> = vec![vec![]; program.scenarios.len()];
    for (b, block) in program.blocks.iter().enumerate() {
        let id = BlockId(b as u32);
        let (mut link_at, mut export_at) = (None, None);
        for (pc, inst) in block.code.iter().enumerate() {
            let (seen, what) = match inst {
                Inst::Link { .. } => (&mut link_at, "link"),
                Inst::Export { .. } => (&mut export_at, "export"),
                _ => continue,
            };
            if seen.replace(pc).is_some() {
                return Err(Place::Instruction(id, pc).broken(Fault::Second { what }));
            }
            if let Inst::Link { link } = *inst {
                links_of[tree.scenario(id)].push(link);
            }
        }
    }
    for (s, links) in links_of.iter().enumerate() {
        if links.len() > limits::LINKS as usize {
            let (count, max) = (links.len() as u64, u64::from(limits::LINKS));
            let place = Place::Scenario(ScenarioId(s as u32));
            return Err(place.broken(Fault::TooMany { what: "links", count, max }));
        }
    }
    sources(program)?;
    let mut graph = Graph {
        program,
        tree,
        links_of,
        scenarios: vec![Rank::Unknown; program.scenarios.len()],
        links: vec![Rank::Unknown; program.links.len()],
    };
    let scenarios = (0..program.scenarios.len()).map(|s| ScenarioId(s as u32));
    let mut ranked = scenarios.map(|id| Ok((graph.scenario(id, 0)?, id))).collect::<Result<Vec<_>, Violation>>()?;
    ranked.sort();
    let order: Vec<ScenarioId> = ranked.into_iter().map(|(_, id)| id).collect();
    replayed_spans(program, tree, &graph.links_of, &order)?;
    Ok(order)
}

/// Spans made for one trace at worst: its own, and those of all candidates for its links, and for their links.
fn replayed_spans(
    program: &Program,
    tree: &Tree,
    links_of: &[Vec<LinkId>],
    order: &[ScenarioId],
) -> Result<(), Violation> {
    let mut spans = vec![0u64; program.scenarios.len()];
    (0..program.blocks.len()).for_each(|b| spans[tree.scenario(BlockId(b as u32))] += 1);
    for scenario in order {
        for link in &links_of[scenario.index()] {
            let sources = &program.links[link.index()].sources;
            let dearest = sources.iter().map(|block| spans[tree.scenario(*block)]).max().unwrap_or(0);
            let candidates = u64::from(limits::REPLAYED).saturating_mul(dearest);
            spans[scenario.index()] = spans[scenario.index()].saturating_add(candidates);
        }
        let (count, max) = (spans[scenario.index()], limits::REPLAYED_SPANS);
        if count > max {
            let what = "spans to be made again to find the links of a trace";
            return Err(Place::Scenario(*scenario).broken(Fault::TooMany { what, count, max }));
        }
    }
    Ok(())
}

fn sources(program: &Program) -> Result<(), Violation> {
    let exports = |block: &crate::plan::Block| block.code.iter().any(|inst| matches!(inst, Inst::Export { .. }));
    let exports: Vec<bool> = program.blocks.iter().map(exports).collect();
    for (l, link) in program.links.iter().enumerate() {
        let place = Place::Link(LinkId(l as u32));
        if link.sources.is_empty() {
            return Err(place.broken(Fault::NoSource));
        }
        if let Some(block) = link.sources.iter().find(|id| !exports[id.index()]) {
            return Err(place.broken(Fault::NoExport { block: *block }));
        }
    }
    Ok(())
}

/// How many links one after another begin here.
#[derive(Clone, Copy)]
enum Rank {
    Unknown,
    /// Being found: whoever comes here again goes round in a circle.
    Open,
    Known(u32),
}

struct Graph<'a> {
    program: &'a Program,
    tree: &'a Tree,
    links_of: Vec<Vec<LinkId>>,
    scenarios: Vec<Rank>,
    links: Vec<Rank>,
}

impl Graph<'_> {
    /// `above` links lead here, so the recursion is no deeper than the longest chain may be.
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
            rank = rank.max(1 + self.link(self.links_of[id.index()][i], above + 1)?);
        }
        if rank > limits::LINK_CHAIN {
            return Err(place.broken(Fault::LinkChain));
        }
        self.scenarios[id.index()] = Rank::Known(rank);
        Ok(rank)
    }

    fn link(&mut self, id: LinkId, above: u32) -> Result<u32, Violation> {
        if let Rank::Known(rank) = self.links[id.index()] {
            return Ok(rank);
        }
        let (program, tree) = (self.program, self.tree);
        let mut rank = 0;
        for source in &program.links[id.index()].sources {
            rank = rank.max(self.scenario(ScenarioId(tree.scenario(*source) as u32), above)?);
        }
        self.links[id.index()] = Rank::Known(rank);
        Ok(rank)
    }
}
