//! Links between scenarios: which spans each glob can find, and that no scenario waits for itself.

mod glob;

pub use glob::Piece;

use super::order;
use super::report::Report;
use super::resolve::{Linked, Tree};
use crate::language::diagnostic::{Problem, Role};
use crate::language::parallel;
use crate::language::source::Loc;
use crate::plan::{BlockId, LinkId, Program, limits};
use glob::{Symbol, can_match, of_glob, of_key};
use std::collections::HashMap;

/// Globs and keys to compare for which a thread is worth its start.
const PAIRS_A_THREAD: usize = 10_000;

/// Keys that a diagnostic names.
const SHOWN_KEYS: usize = 3;

/// A span that exports a context.
pub struct Export {
    pub scenario: usize,
    pub span: usize,
    pub block: BlockId,
    pub key: Vec<Piece>,
}

/// A span that links.
pub struct Use {
    pub scenario: usize,
    pub span: usize,
    pub link: LinkId,
    /// Of the glob.
    pub loc: Loc,
}

/// Fill in the sources of the program's links.
pub fn find_sources(program: &mut Program, trees: &[Tree], exports: &[Export], uses: &[Use], report: &mut Report) {
    let globs: Vec<String> = program.links.iter().map(|link| program.texts[link.glob.index()].clone()).collect();
    let mut patterns: HashMap<&[Piece], Vec<usize>> = HashMap::new();
    for (i, export) in exports.iter().enumerate() {
        patterns.entry(&export.key).or_default().push(i);
    }
    let patterns: Vec<(Vec<Symbol>, Vec<usize>)> =
        patterns.into_iter().map(|(key, exports)| (of_key(key), exports)).collect();
    let sources = parallel::map(&globs, globs.len() * patterns.len() / PAIRS_A_THREAD, |_, glob| {
        let glob = of_glob(glob);
        let matching = patterns.iter().filter(|(key, _)| can_match(&glob, key));
        let mut sources: Vec<usize> = matching.flat_map(|(_, exports)| exports.iter().copied()).collect();
        sources.sort_unstable();
        sources
    });
    for (link, sources) in program.links.iter_mut().zip(&sources) {
        link.sources = sources.iter().map(|&export| exports[export].block).collect();
    }
    for link in uses {
        let sources = &sources[link.link.index()];
        if sources.is_empty() {
            let exported = exports.iter().take(SHOWN_KEYS).map(|export| shown(&export.key)).collect();
            let glob = globs[link.link.index()].clone();
            report.add(Problem::GlobMatchesNothing { glob, exported }, link.loc);
        } else {
            check_reads(link, sources.iter().map(|&export| &exports[export]), trees, report);
        }
    }
    check_graph(trees, exports, uses, &sources, report);
}

/// Every attribute that is read of a linked span must be one that some span it can be has.
fn check_reads<'e>(link: &Use, sources: impl Iterator<Item = &'e Export> + Clone, trees: &[Tree], report: &mut Report) {
    for (read, loc) in &trees[link.scenario].spans[link.span].linked {
        let Linked::Attribute(key) = read else { continue };
        let has = |e: &Export| trees[e.scenario].spans[e.span].find_attribute(key).is_some();
        if sources.clone().any(has) {
            continue;
        }
        let keys = sources.clone().flat_map(|e| trees[e.scenario].keys(e.span));
        let nearest = report.nearest(key, keys);
        let places = sources.clone().take(SHOWN_KEYS).map(|e| trees[e.scenario].spans[e.span].span.service.loc);
        let problem = Problem::UnknownLinkedAttribute { key: key.clone(), nearest };
        report.add_related(problem, *loc, Role::Linkable, places);
    }
}

/// The key as its template would be read by a person.
fn shown(key: &[Piece]) -> String {
    let text = |piece: &Piece| match piece {
        Piece::Text(text) => text.clone(),
        Piece::Any => "<<...>>".to_owned(),
    };
    key.iter().map(text).collect()
}

/// Looking for a link replays candidates, which look for links of their own: that must end, and soon.
fn check_graph(trees: &[Tree], exports: &[Export], uses: &[Use], sources: &[Vec<usize>], report: &mut Report) {
    let mut dependencies = vec![Vec::new(); trees.len()];
    for link in uses {
        let scenarios = &mut dependencies[link.scenario];
        scenarios.extend(sources[link.link.index()].iter().map(|&export| exports[export].scenario));
        scenarios.sort_unstable();
        scenarios.dedup();
    }
    let order = order::sort(&dependencies);
    let name = |scenario: usize| trees[scenario].scenario.name.value.clone();
    // The glob by which a scenario links to another.
    let glob = |from: usize, to: usize| {
        let leads = |link: &&Use| sources[link.link.index()].iter().any(|&export| exports[export].scenario == to);
        uses.iter().filter(|link| link.scenario == from).find(leads).map(|link| link.loc)
    };
    for cycle in &order.cycles {
        let next = |i: usize| cycle[(i + 1) % cycle.len()];
        let mut places = (0..cycle.len()).filter_map(|i| glob(cycle[i], next(i)));
        if let Some(at) = places.next() {
            let path = cycle.iter().map(|&scenario| name(scenario)).collect();
            report.add_related(Problem::LinkCycle { path }, at, Role::Member, places.take(8));
        }
    }
    if !order.cycles.is_empty() {
        return;
    }
    // Links one after another that begin at each scenario, and the first of them.
    let mut chain = vec![(0, None); trees.len()];
    for &scenario in &order.nodes {
        let longest = dependencies[scenario].iter().map(|&to| (chain[to].0 + 1, Some(to))).max_by_key(|c| c.0);
        chain[scenario] = longest.unwrap_or((0, None));
        let (length, Some(to)) = chain[scenario] else { continue };
        if length == limits::LINK_CHAIN + 1
            && let Some(at) = glob(scenario, to)
        {
            let path = std::iter::successors(Some(scenario), |&at| chain[at].1).map(name).collect();
            report.add(Problem::LinkChain { path, limit: limits::LINK_CHAIN }, at);
        }
    }
}
