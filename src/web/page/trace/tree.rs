//! The spans of a trace as a tree, and what each did itself.

use crate::trace::StoredSpan;
use std::collections::HashMap;

/// Spans of a [`crate::trace::StoredTrace`], in its order.
pub struct Tree<'a> {
    pub spans: &'a [StoredSpan],
    pub nodes: Vec<Node>,
    /// Of all spans, ns since 1970.
    pub start: u64,
    pub end: u64,
}

#[derive(Default)]
pub struct Node {
    pub parent: Option<usize>,
    /// By start.
    pub children: Vec<usize>,
    /// From 1.
    pub level: usize,
    /// Spans below it.
    pub below: usize,
    /// It names a parent that is not there.
    pub orphan: bool,
}

/// ns since 1970.
pub type Stretch = (u64, u64);

impl<'a> Tree<'a> {
    pub fn new(spans: &'a [StoredSpan]) -> Tree<'a> {
        let mut nodes: Vec<Node> = vec![];
        let mut seen: HashMap<u64, usize> = HashMap::new();
        for (i, span) in spans.iter().enumerate() {
            // a parent stands before its children; one that does not is part of a circle
            let parent = span.parent.and_then(|id| seen.get(&id).copied());
            let level = parent.map_or(1, |p| nodes[p].level + 1);
            nodes.push(Node { parent, level, orphan: span.parent.is_some() && parent.is_none(), ..Node::default() });
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
        let start = spans.iter().map(|s| s.start).min().unwrap_or(0);
        let end = spans.iter().map(StoredSpan::end).max().unwrap_or(0);
        Tree { spans, nodes, start, end }
    }

    /// The request as its sender saw it: the first span that has no parent, else the first.
    pub fn root(&self) -> usize {
        self.nodes.iter().position(|node| node.parent.is_none() && !node.orphan).unwrap_or(0)
    }

    /// The stretches in which a span runs and none of its children does.
    pub fn own_work(&self, span: usize) -> Vec<Stretch> {
        let (start, end) = (self.spans[span].start, self.spans[span].end());
        let mut calls: Vec<Stretch> =
            self.nodes[span].children.iter().map(|c| (self.spans[*c].start, self.spans[*c].end())).collect();
        calls.sort_unstable();
        let (mut own, mut at) = (vec![], start);
        for (from, to) in calls {
            if from > at && from.min(end) > at {
                own.push((at, from.min(end)));
            }
            at = at.max(to);
        }
        if at < end || own.is_empty() && self.nodes[span].children.is_empty() {
            own.push((at, end));
        }
        own
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::trace::Status;

    /// A span of (id, parent or 0, start, end).
    pub fn span((id, parent, start, end): (u64, u64, u64, u64)) -> StoredSpan {
        StoredSpan {
            id,
            parent: (parent != 0).then_some(parent),
            name: format!("op{id}"),
            kind: None,
            service: format!("s{id}"),
            scope: String::new(),
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
        let tree = Tree::new(&spans);
        let seen: Vec<_> = tree.nodes.iter().map(|n| (n.level, n.below, n.orphan)).collect();
        assert_eq!(seen, [(1, 3, false), (2, 1, false), (3, 0, false), (2, 0, false), (1, 0, true)]);
        assert_eq!((tree.start, tree.end, tree.root()), (0, 120, 0));
        assert_eq!(Tree::new(&[]).end, 0);
    }

    #[test]
    fn spans_that_are_each_others_parents_do_not_go_round() {
        let spans = spans(&[(1, 2, 0, 10), (2, 1, 1, 9), (3, 3, 2, 3)]);
        let tree = Tree::new(&spans);
        assert_eq!(tree.nodes.iter().map(|n| n.level).collect::<Vec<_>>(), [1, 2, 1]);
        assert_eq!(tree.root(), 0);
    }

    #[test]
    fn own_work_is_what_no_child_covers() {
        let all = spans(&[(1, 0, 0, 100), (2, 1, 10, 50), (3, 1, 40, 60), (4, 1, 80, 150)]);
        let tree = Tree::new(&all);
        assert_eq!(tree.own_work(0), [(0, 10), (60, 80)]);
        assert_eq!(tree.own_work(1), [(10, 50)]);
        let covered = spans(&[(1, 0, 0, 100), (2, 1, 0, 100)]);
        assert_eq!(Tree::new(&covered).own_work(0), []);
        let later = spans(&[(1, 0, 0, 10), (2, 1, 30, 40)]);
        assert_eq!(Tree::new(&later).own_work(0), [(0, 10)]);
        assert_eq!(Tree::new(&spans(&[(1, 0, 5, 5)])).own_work(0), [(5, 5)]);
    }
}
