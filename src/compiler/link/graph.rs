//! The graph of links between scenarios. The search for a link makes candidates again, which search for their own links, so
//! the graph must have no cycles and only short chains.

use super::{Export, Use};
use crate::compiler::names::Names;
use crate::compiler::order;
use crate::compiler::report::Report;
use crate::language::diagnostic::{Problem, Role};
use crate::language::source::Loc;
use crate::plan::limits;
use std::collections::HashMap;

/// Reports cycles and long chains of links. The nodes are scenarios and links: a scenario depends on its links, and a link
/// on the scenarios of its sources. There are therefore no more edges than links and sources.
pub fn check(names: &[Names], exports: &[Export], uses: &[Use], sources: &[Vec<usize>], report: &mut Report) {
    let scenarios = names.len();
    let mut needs = vec![Vec::new(); scenarios];
    let mut globs: HashMap<(usize, usize), Loc> = HashMap::new();
    for link in uses.iter().filter(|link| !link.same_trace) {
        let node = scenarios + link.link.index();
        if let std::collections::hash_map::Entry::Vacant(place) = globs.entry((link.scenario, node)) {
            place.insert(link.loc);
            needs[link.scenario].push(node);
        }
    }
    needs.extend(sources.iter().map(|sources| {
        let mut leads_to: Vec<usize> = sources.iter().map(|&export| exports[export].scenario).collect();
        leads_to.sort_unstable();
        leads_to.dedup();
        leads_to
    }));
    let order = order::sort(&needs);
    let name = |scenario: usize| names[scenario].scenario.name.value.clone();
    for cycle in &order.cycles {
        let next = |i: usize| cycle[(i + 1) % cycle.len()];
        // An edge from a scenario to a link has a place; one from a link to a scenario has none.
        let mut places = (0..cycle.len()).filter_map(|i| globs.get(&(cycle[i], next(i))).copied());
        if let Some(at) = places.next() {
            let path = cycle.iter().filter(|&&node| node < scenarios).map(|&scenario| name(scenario)).collect();
            report.add_related(Problem::LinkCycle { path }, at, Role::Member, places.take(8));
        }
    }
    if !order.cycles.is_empty() {
        return;
    }
    // The length of the longest chain of links from each node, and the next node of that chain.
    let mut chain = vec![(0, None); needs.len()];
    for &node in &order.nodes {
        let own = u32::from(node < scenarios);
        let longest = needs[node].iter().map(|&to| (chain[to].0 + own, Some(to))).max_by_key(|c| c.0);
        chain[node] = longest.unwrap_or((0, None));
        if let (length, Some(link)) = chain[node]
            && length == limits::LINK_CHAIN + 1
            && let Some(at) = globs.get(&(node, link))
        {
            let nodes = std::iter::successors(Some(node), |&at| chain[at].1).filter(|&node| node < scenarios);
            report.add(Problem::LinkChain { path: nodes.map(name).collect(), limit: limits::LINK_CHAIN }, *at);
        }
    }
}
