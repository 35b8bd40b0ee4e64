//! The order in which spans are shown: a parent before its children, siblings by start.

use std::collections::HashMap;

pub struct Node {
    pub id: u64,
    pub parent: Option<u64>,
    pub start: u64,
}

/// Indices of the nodes, in order. A node whose parent is not there, or is below itself, stands among the roots.
pub fn order(nodes: impl Iterator<Item = Node>) -> Vec<usize> {
    let nodes: Vec<Node> = nodes.collect();
    let places: HashMap<u64, usize> = nodes.iter().enumerate().map(|(at, node)| (node.id, at)).collect();
    let parents: Vec<Option<usize>> = nodes
        .iter()
        .enumerate()
        .map(|(at, node)| node.parent.and_then(|id| places.get(&id).copied()).filter(|parent| *parent != at))
        .collect();
    let mut by_start: Vec<usize> = (0..nodes.len()).collect();
    by_start.sort_by_key(|at| (nodes[*at].start, nodes[*at].id));
    let mut children = vec![vec![]; nodes.len()];
    let mut open = vec![];
    for at in by_start.iter().rev() {
        match parents[*at] {
            Some(parent) => children[parent].push(*at),
            None => open.push(*at),
        }
    }
    let mut order = vec![];
    let mut taken = vec![false; nodes.len()];
    // What no root leads to goes round in a circle: its earliest span stands for a root.
    let mut rest = by_start.into_iter();
    loop {
        while let Some(at) = open.pop() {
            if !std::mem::replace(&mut taken[at], true) {
                order.push(at);
                open.append(&mut children[at]);
            }
        }
        match rest.find(|at| !taken[*at]) {
            Some(at) => open.push(at),
            None => return order,
        }
    }
}

/// A parent as it stands in the table; empty: there is none.
pub fn parent(text: &str) -> Option<u64> {
    u64::from_str_radix(text, 16).ok().filter(|id| *id != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ordered(nodes: &[(u64, Option<u64>, u64)]) -> Vec<u64> {
        let all = nodes.iter().map(|(id, parent, start)| Node { id: *id, parent: *parent, start: *start });
        order(all).into_iter().map(|at| nodes[at].0).collect()
    }

    #[test]
    fn parents_come_first_and_siblings_by_start() {
        assert_eq!(ordered(&[(4, Some(2), 30), (3, Some(1), 20), (2, Some(1), 10), (1, None, 0)]), [1, 2, 4, 3]);
        assert!(ordered(&[]).is_empty());
    }

    #[test]
    fn an_orphan_is_a_root_and_a_circle_is_kept() {
        assert_eq!(ordered(&[(2, Some(9), 5), (1, None, 0)]), [1, 2]);
        assert_eq!(ordered(&[(1, Some(2), 0), (2, Some(1), 1), (3, Some(3), 2)]), [3, 1, 2]);
    }
}
