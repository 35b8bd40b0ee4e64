//! The columns: cycles are broken, each node is as far to the right of its callers as the longest path to it, and long
//! edges are cut into short ones.

use super::Call;

/// The nodes and the bends of edges in layers; each edge leads from a layer to the next.
pub struct Layered {
    /// The vertices of each layer, from top to bottom. A vertex with a number less than `nodes` is a node; the others are
    /// bends.
    pub layers: Vec<Vec<usize>>,
    pub nodes: usize,
    /// For each vertex, its neighbours in the layer before.
    pub left: Vec<Vec<usize>>,
    pub right: Vec<Vec<usize>>,
    pub chains: Vec<Chain>,
}

/// The path of a call.
pub struct Chain {
    /// The vertices from left to right; a single one for a call to itself.
    pub vertices: Vec<usize>,
    /// The call goes from right to left.
    pub backward: bool,
}

impl Layered {
    pub fn new(nodes: usize, calls: &[Call]) -> Layered {
        let (backward, order) = acyclic(nodes, calls);
        let forward: Vec<(usize, usize)> = calls
            .iter()
            .zip(&backward)
            .map(|(call, back)| if *back { (call.to, call.from) } else { (call.from, call.to) })
            .collect();
        let column = columns(nodes, &forward, &order);
        let mut graph = Layered {
            layers: vec![vec![]; column.iter().max().map_or(0, |last| last + 1)],
            nodes,
            left: vec![vec![]; nodes],
            right: vec![vec![]; nodes],
            chains: vec![],
        };
        for (node, &column) in column.iter().enumerate() {
            graph.layers[column].push(node);
        }
        for (&(from, to), &backward) in forward.iter().zip(&backward) {
            let mut vertices = vec![from];
            for layer in column[from] + 1..column[to] {
                vertices.push(graph.bend(layer));
            }
            if from != to {
                vertices.push(to);
            }
            for pair in vertices.windows(2) {
                graph.right[pair[0]].push(pair[1]);
                graph.left[pair[1]].push(pair[0]);
            }
            graph.chains.push(Chain { vertices, backward });
        }
        graph
    }

    fn bend(&mut self, layer: usize) -> usize {
        self.left.push(vec![]);
        self.right.push(vec![]);
        self.layers[layer].push(self.left.len() - 1);
        self.left.len() - 1
    }

    pub fn is_bend(&self, vertex: usize) -> bool {
        vertex >= self.nodes
    }

    /// Reports whether there is room for only one line of a label, because many edges end at the box.
    pub fn is_crowded(&self) -> bool {
        self.left[..self.nodes].iter().any(|left| left.len() > 2)
    }
}

/// Returns which calls must be reversed so that no cycle is left, and an order of the nodes in which all other calls lead
/// forward.
fn acyclic(nodes: usize, calls: &[Call]) -> (Vec<bool>, Vec<usize>) {
    let mut out: Vec<Vec<usize>> = vec![vec![]; nodes];
    let mut called = vec![false; nodes];
    for (i, call) in calls.iter().enumerate().filter(|(_, call)| call.from != call.to) {
        out[call.from].push(i);
        called[call.to] = true;
    }
    for own in &mut out {
        own.sort_by_key(|&i| calls[i].to);
    }
    let mut search =
        Search { calls, out, backward: vec![false; calls.len()], mark: vec![Mark::New; nodes], order: vec![] };
    for node in (0..nodes).filter(|&n| !called[n]).chain(0..nodes) {
        search.visit(node);
    }
    search.order.reverse();
    (search.backward, search.order)
}

#[derive(Clone, Copy, PartialEq)]
enum Mark {
    New,
    Open,
    Done,
}

struct Search<'a> {
    calls: &'a [Call],
    out: Vec<Vec<usize>>,
    backward: Vec<bool>,
    mark: Vec<Mark>,
    /// The nodes in the order in which they are finished: callers after everything that they call.
    order: Vec<usize>,
}

impl Search<'_> {
    fn visit(&mut self, node: usize) {
        if self.mark[node] != Mark::New {
            return;
        }
        self.mark[node] = Mark::Open;
        for i in 0..self.out[node].len() {
            let call = self.out[node][i];
            match self.mark[self.calls[call].to] {
                Mark::Open => self.backward[call] = true,
                _ => self.visit(self.calls[call].to),
            }
        }
        self.mark[node] = Mark::Done;
        self.order.push(node);
    }
}

fn columns(nodes: usize, edges: &[(usize, usize)], order: &[usize]) -> Vec<usize> {
    let mut column = vec![0; nodes];
    let edges = || edges.iter().filter(|(from, to)| from != to);
    for &node in order {
        let before = edges().filter(|e| e.1 == node).map(|e| column[e.0] + 1).max();
        column[node] = before.unwrap_or(0);
    }
    // A node without callers is placed close to what it calls.
    for node in 0..nodes {
        if edges().all(|e| e.1 != node) {
            let after = edges().filter(|e| e.0 == node).map(|e| column[e.1]).min();
            column[node] = after.map_or(0, |column| column - 1);
        }
    }
    column
}
