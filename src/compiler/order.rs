//! The order of evaluation: dependencies first, otherwise file order; and the cycles, which have no order.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// The result of [`sort`].
#[derive(Debug, PartialEq)]
pub struct Order {
    /// Every node once. Those that depend on a cycle come last.
    pub nodes: Vec<usize>,
    /// Each cycle once, beginning with its smallest node.
    pub cycles: Vec<Vec<usize>>,
}

/// Sorts nodes: of all nodes whose dependencies are done, the smallest comes next. `dependencies[n]` are the nodes that `n`
/// reads.
pub fn sort(dependencies: &[Vec<usize>]) -> Order {
    let count = dependencies.len();
    let mut readers = vec![Vec::new(); count];
    let mut missing: Vec<usize> = dependencies.iter().map(Vec::len).collect();
    for (node, reads) in dependencies.iter().enumerate() {
        for &read in reads {
            readers[read].push(node);
        }
    }
    let mut ready: BinaryHeap<_> = (0..count).filter(|&n| missing[n] == 0).map(Reverse).collect();
    let mut nodes = Vec::with_capacity(count);
    let mut done = vec![false; count];
    while let Some(Reverse(node)) = ready.pop() {
        done[node] = true;
        nodes.push(node);
        for &reader in &readers[node] {
            missing[reader] -= 1;
            if missing[reader] == 0 {
                ready.push(Reverse(reader));
            }
        }
    }
    let cycles = cycles(dependencies, &done);
    nodes.extend((0..count).filter(|&n| !done[n]));
    Order { nodes, cycles }
}

/// Returns the cycles. A node that is not done depends on another such node, so following the first dependency from each
/// node ends in a cycle.
fn cycles(dependencies: &[Vec<usize>], done: &[bool]) -> Vec<Vec<usize>> {
    let mut walk_of = vec![usize::MAX; dependencies.len()];
    let mut found = Vec::new();
    for from in (0..dependencies.len()).filter(|&n| !done[n]) {
        let mut walk = Vec::new();
        let mut node = from;
        while walk_of[node] == usize::MAX {
            walk_of[node] = from;
            walk.push(node);
            match dependencies[node].iter().find(|&&next| !done[next]) {
                Some(&next) => node = next,
                None => break,
            }
        }
        if walk_of[node] == from
            && let Some(at) = walk.iter().position(|&n| n == node)
        {
            let mut cycle = walk.split_off(at);
            let smallest = (0..cycle.len()).min_by_key(|&i| cycle[i]).unwrap_or(0);
            cycle.rotate_left(smallest);
            found.push(cycle);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dependencies_come_first_and_ties_keep_file_order() {
        assert_eq!(sort(&[vec![2], vec![], vec![]]).nodes, [1, 2, 0]);
        assert_eq!(sort(&[vec![], vec![], vec![0]]).nodes, [0, 1, 2]);
        assert_eq!(sort(&[vec![1], vec![2], vec![]]).nodes, [2, 1, 0]);
    }

    #[test]
    fn each_cycle_is_found_once_and_its_readers_are_not_cycles() {
        let order = sort(&[vec![1], vec![2], vec![1], vec![3], vec![]]);
        assert_eq!(order.cycles, [vec![1, 2], vec![3]]);
        assert_eq!(order.nodes, [4, 0, 1, 2, 3]);
    }
}
