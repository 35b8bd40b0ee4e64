//! The critical path: the span for which the request was waiting at each moment.
//!
//! The path is followed backwards from the root's end. A span's time belongs to the child that ended last, before that
//! child's start to the one that ended last before it, and so on; the remainder is the span's own. Children that nobody
//! waits for are left out, and of the others only the time within the parent counts.

use super::tree::{Stretch, Tree};

/// Returns the stretches of each span, in the tree's order, the earliest first.
pub fn critical_path(tree: &Tree<'_>) -> Vec<Vec<Stretch>> {
    let mut path = vec![vec![]; tree.spans.len()];
    if path.is_empty() {
        return path;
    }
    let root = tree.root();
    let mut walks = vec![Walk::new(tree, root, (tree.spans[root].start, tree.spans[root].end()))];
    while let Some(walk) = walks.last_mut() {
        match walk.next_child() {
            Some((child, stretch)) => {
                add(&mut path[walk.span], (stretch.1, walk.at));
                walk.at = stretch.0;
                walks.push(Walk::new(tree, child, stretch));
            }
            None => {
                add(&mut path[walk.span], (walk.start, walk.at));
                walks.pop();
            }
        }
    }
    for stretches in &mut path {
        stretches.reverse();
    }
    path
}

fn add(stretches: &mut Vec<Stretch>, stretch: Stretch) {
    if stretch.0 < stretch.1 {
        stretches.push(stretch);
    }
}

/// A span on the path, followed from its end to its start.
struct Walk {
    span: usize,
    start: u64,
    at: u64,
    /// The children with their parts within the span; the one that ends last is at the end.
    children: Vec<(usize, Stretch)>,
}

impl Walk {
    fn new(tree: &Tree<'_>, span: usize, (start, end): Stretch) -> Walk {
        let within = |child: usize| {
            let (from, to) = (tree.spans[child].start.max(start), tree.spans[child].end().min(end));
            (from < to).then_some((child, (from, to)))
        };
        let mut children: Vec<_> = tree.waited_for(span).filter_map(within).collect();
        children.sort_by_key(|(child, (from, to))| (*to, *from, *child));
        Walk { span, start, at: end, children }
    }

    fn next_child(&mut self) -> Option<(usize, Stretch)> {
        while let Some((child, stretch)) = self.children.pop() {
            if stretch.1 <= self.at {
                return Some((child, stretch));
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::super::tree::Calls;
    use super::super::tree::tests::spans;
    use super::*;
    use crate::plan::SpanKind;
    use crate::trace::Call;

    fn path(all: &[(u64, u64, u64, u64)]) -> Vec<Vec<Stretch>> {
        let spans = spans(all);
        let path = critical_path(&Tree::new(&spans, &Calls::new()));
        let length: u64 = path.iter().flatten().map(|(from, to)| to - from).sum();
        assert_eq!(length, all.first().map_or(0, |root| root.3 - root.2), "it covers the root, each moment once");
        path
    }

    #[test]
    fn sequential_calls_are_all_on_the_path() {
        let path = path(&[(1, 0, 0, 100), (2, 1, 10, 40), (3, 1, 50, 90)]);
        assert_eq!(path, [vec![(0, 10), (40, 50), (90, 100)], vec![(10, 40)], vec![(50, 90)]]);
    }

    #[test]
    fn of_parallel_calls_the_last_to_end_is_on_the_path() {
        let path = path(&[(1, 0, 0, 100), (2, 1, 10, 60), (3, 1, 10, 90), (4, 3, 20, 80)]);
        assert_eq!(path, [vec![(0, 10), (90, 100)], vec![], vec![(10, 20), (80, 90)], vec![(20, 80)]]);
    }

    #[test]
    fn a_call_that_ended_before_the_last_began_is_on_the_path() {
        let path = path(&[(1, 0, 0, 100), (2, 1, 0, 30), (3, 1, 20, 50), (4, 1, 40, 100)]);
        assert_eq!(path, [vec![(30, 40)], vec![(0, 30)], vec![], vec![(40, 100)]]);
    }

    #[test]
    fn what_runs_on_after_the_request_is_no_part_of_it() {
        let path = path(&[(1, 0, 0, 100), (2, 1, 90, 150), (3, 2, 120, 140), (4, 1, 110, 130)]);
        assert_eq!(path, [vec![(0, 100)], vec![], vec![], vec![]]);
    }

    #[test]
    fn a_client_waits_for_what_outlives_it() {
        let mut spans = spans(&[(1, 0, 0, 100), (2, 1, 10, 60), (3, 2, 20, 90)]);
        spans[1].kind = SpanKind::Client;
        let path = critical_path(&Tree::new(&spans, &Calls::new()));
        assert_eq!(path, [vec![(0, 10), (60, 100)], vec![(10, 20)], vec![(20, 60)]]);
    }

    #[test]
    fn what_the_plan_does_not_wait_for_is_left_out() {
        let spans = spans(&[(1, 0, 0, 100), (2, 1, 10, 95), (3, 1, 20, 40)]);
        let call = Call { is_waited_for: false, is_cut: false, attempt: None };
        let path = critical_path(&Tree::new(&spans, &Calls::from([(2, call)])));
        assert_eq!(path, [vec![(0, 20), (40, 100)], vec![], vec![(20, 40)]]);
    }

    #[test]
    fn a_clock_that_runs_ahead_does_not_lead_out_of_the_parent() {
        assert_eq!(path(&[(1, 0, 10, 20), (2, 1, 5, 15)]), [vec![(15, 20)], vec![(10, 15)]]);
        assert_eq!(path(&[(1, 0, 10, 10)]), [vec![]]);
        assert!(path(&[]).is_empty());
    }

    #[test]
    fn a_chain_of_ten_thousand_does_not_overflow() {
        let chain: Vec<_> = (0..10_000).map(|i| (i + 1, i, i, 20_000 - i)).collect();
        assert_eq!(path(&chain)[9_999], [(9_999, 10_001)]);
    }
}
