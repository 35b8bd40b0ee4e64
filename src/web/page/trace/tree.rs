//! The spans of a trace as a tree, with the work that each did itself.

use crate::plan::SpanKind;
use crate::trace::{Call, StoredSpan};
use std::collections::HashMap;

/// How spans were called, by their ids, if the plan that made them is known.
pub type Calls = HashMap<u64, Call>;

/// The spans of a [`crate::trace::StoredTrace`], in its order.
pub struct Tree<'a> {
    pub spans: &'a [StoredSpan],
    pub nodes: Vec<Node>,
    /// The earliest start of all spans, in ns since 1970.
    pub start: u64,
    pub end: u64,
}

#[derive(Default)]
pub struct Node {
    pub parent: Option<usize>,
    /// The children in the order of their starts.
    pub children: Vec<usize>,
    /// The level, from 1.
    pub level: usize,
    /// The number of descendants.
    pub below: usize,
    /// The span names a parent that is missing.
    pub orphan: bool,
    /// How it was called, according to the plan.
    pub call: Option<Call>,
    /// Whether its parent waits for it. Without a plan this is assumed unless the span ends after a parent that is not a
    /// client; a client waits as long as it runs.
    pub is_waited_for: bool,
    /// Whether it ends after its parent.
    pub outlives: bool,
    /// Whether another child for which its parent waits runs at the same time.
    pub is_beside: bool,
}

/// The start and the end of a stretch of time, in ns since 1970.
pub type Stretch = (u64, u64);

impl<'a> Tree<'a> {
    pub fn new(spans: &'a [StoredSpan], calls: &Calls) -> Tree<'a> {
        let mut nodes: Vec<Node> = vec![];
        let mut seen: HashMap<u64, usize> = HashMap::new();
        for (i, span) in spans.iter().enumerate() {
            // A parent stands before its children; one that does not is part of a circle.
            let parent = span.parent.and_then(|id| seen.get(&id).copied());
            let level = parent.map_or(1, |p| nodes[p].level + 1);
            let outlives = parent.is_some_and(|parent| span.end() > spans[parent].end());
            let of_client = parent.is_some_and(|parent| spans[parent].kind == SpanKind::Client);
            let call = calls.get(&span.id).copied();
            nodes.push(Node {
                parent,
                level,
                orphan: span.parent.is_some() && parent.is_none(),
                call,
                is_waited_for: call.map_or(!outlives || of_client, |call| call.is_waited_for),
                outlives,
                ..Node::default()
            });
            if let Some(parent) = parent {
                nodes[parent].children.push(i);
            }
            seen.entry(span.id).or_insert(i);
        }
        for i in (0..nodes.len()).rev() {
            if let Some(parent) = nodes[i].parent {
                nodes[parent].below += nodes[i].below + 1;
            }
        }
        for i in 0..nodes.len() {
            for child in beside(spans, &nodes, i) {
                nodes[child].is_beside = true;
            }
        }
        let start = spans.iter().map(|s| s.start).min().unwrap_or(0);
        let end = spans.iter().map(StoredSpan::end).max().unwrap_or(0);
        Tree { spans, nodes, start, end }
    }

    /// Returns the request as its sender saw it: the first span without a parent, or else the first span.
    pub fn root(&self) -> usize {
        self.nodes.iter().position(|node| node.parent.is_none() && !node.orphan).unwrap_or(0)
    }

    /// Returns the children for which a span waits.
    pub fn waited_for(&self, span: usize) -> impl Iterator<Item = usize> {
        self.nodes[span].children.iter().copied().filter(|child| self.nodes[*child].is_waited_for)
    }

    /// Returns the times in which a span runs, and no child for which it waits does.
    pub fn own_work(&self, span: usize) -> Vec<Stretch> {
        let (start, end) = (self.spans[span].start, self.spans[span].end());
        let mut calls: Vec<Stretch> =
            self.waited_for(span).map(|child| (self.spans[child].start, self.spans[child].end())).collect();
        calls.sort_unstable();
        let (mut own, mut at) = (vec![], start);
        for (from, to) in calls {
            if from > at && from.min(end) > at {
                own.push((at, from.min(end)));
            }
            at = at.max(to);
        }
        if at < end || own.is_empty() && self.waited_for(span).next().is_none() {
            own.push((at, end));
        }
        own
    }
}

/// Returns the children of a span that run while another one does, of those for which it waits.
fn beside(spans: &[StoredSpan], nodes: &[Node], span: usize) -> Vec<usize> {
    let mut children: Vec<usize> = nodes[span].children.clone();
    children.retain(|child| nodes[*child].is_waited_for && spans[*child].lasts() > 0);
    children.sort_by_key(|child| spans[*child].start);
    let mut found = vec![];
    // This is the one that ends last, of those that have begun.
    let mut last: Option<usize> = None;
    for child in children {
        if let Some(other) = last.filter(|other| spans[*other].end() > spans[child].start) {
            found.extend([other, child]);
        }
        last = last.filter(|other| spans[*other].end() > spans[child].end()).or(Some(child));
    }
    found
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::plan::SpanKind;
    use crate::trace::{Scope, Status};

    /// Makes a span of (id, parent or 0, start, end).
    pub fn span((id, parent, start, end): (u64, u64, u64, u64)) -> StoredSpan {
        StoredSpan {
            id,
            parent: (parent != 0).then_some(parent),
            name: format!("op{id}"),
            kind: SpanKind::Unspecified,
            service: format!("s{id}"),
            scope: Scope::default(),
            trace_state: String::new(),
            flags: None,
            start,
            duration: end - start,
            status: Status::Unset,
            resource: vec![],
            attributes: vec![],
            events: vec![],
            links: vec![],
        }
    }

    pub fn spans(all: &[(u64, u64, u64, u64)]) -> Vec<StoredSpan> {
        all.iter().copied().map(span).collect()
    }

    #[test]
    fn levels_and_counts_follow_the_parents() {
        let spans = spans(&[(1, 0, 0, 100), (2, 1, 10, 50), (3, 2, 20, 30), (4, 1, 60, 90), (5, 9, 70, 120)]);
        let tree = Tree::new(&spans, &Calls::new());
        let seen: Vec<_> = tree.nodes.iter().map(|n| (n.level, n.below, n.orphan)).collect();
        assert_eq!(seen, [(1, 3, false), (2, 1, false), (3, 0, false), (2, 0, false), (1, 0, true)]);
        assert_eq!((tree.start, tree.end, tree.root()), (0, 120, 0));
        assert_eq!(Tree::new(&[], &Calls::new()).end, 0);
    }

    #[test]
    fn spans_that_are_each_others_parents_do_not_go_round() {
        let spans = spans(&[(1, 2, 0, 10), (2, 1, 1, 9), (3, 3, 2, 3)]);
        let tree = Tree::new(&spans, &Calls::new());
        assert_eq!(tree.nodes.iter().map(|n| n.level).collect::<Vec<_>>(), [1, 2, 1]);
        assert_eq!(tree.root(), 0);
    }

    #[test]
    fn own_work_is_what_no_child_covers() {
        let all = spans(&[(1, 0, 0, 100), (2, 1, 10, 50), (3, 1, 40, 60), (4, 1, 80, 150)]);
        let tree = Tree::new(&all, &Calls::new());
        assert_eq!(tree.own_work(0), [(0, 10), (60, 100)], "what outlives it is not waited for");
        assert_eq!(tree.own_work(1), [(10, 50)]);
        let covered = spans(&[(1, 0, 0, 100), (2, 1, 0, 100)]);
        assert_eq!(Tree::new(&covered, &Calls::new()).own_work(0), []);
        let later = spans(&[(1, 0, 0, 10), (2, 1, 30, 40)]);
        assert_eq!(Tree::new(&later, &Calls::new()).own_work(0), [(0, 10)]);
        assert_eq!(Tree::new(&spans(&[(1, 0, 5, 5)]), &Calls::new()).own_work(0), [(5, 5)]);
    }

    #[test]
    fn calls_that_run_at_the_same_time_are_beside_each_other() {
        let all =
            spans(&[(1, 0, 0, 100), (2, 1, 0, 50), (3, 1, 10, 20), (4, 1, 30, 40), (5, 1, 50, 60), (6, 1, 55, 150)]);
        let of = |calls: &Calls| {
            let tree = Tree::new(&all, calls);
            let seen = tree.nodes.iter().map(|node| (node.is_waited_for, node.outlives, node.is_beside));
            seen.collect::<Vec<_>>()
        };
        let beside = (true, false, true);
        let alone = (true, false, false);
        assert_eq!(of(&Calls::new()), [alone, beside, beside, beside, alone, (false, true, false)]);
        let call = |is_waited_for| Call { is_waited_for, is_cut: false, attempt: None };
        let told = of(&Calls::from([(3, call(false)), (6, call(true))]));
        assert_eq!(told, [alone, beside, (false, false, false), beside, beside, (true, true, true)]);
    }
}
