//! The heights: each vertex is as close to its neighbours as the order in its layer and the distance between boxes allow.

use super::BOX;
use super::layers::Layered;

/// The distance between two boxes in a column, and between an edge and a box that it passes.
const ROW_GAP: i32 = 18;
const LANE: i32 = 16;
const ROUNDS: usize = 12;

/// Returns the centres of all vertices from the upper edge, and the total height.
pub fn heights(graph: &Layered) -> (Vec<i32>, i32) {
    let mut heights = vec![0.0; graph.left.len()];
    for layer in &graph.layers {
        let bounds = bounds(graph, layer);
        let middle = bounds.last().copied().unwrap_or_default() / 2.0;
        layer.iter().zip(bounds).for_each(|(&vertex, bound)| heights[vertex] = bound - middle);
    }
    for round in 0..ROUNDS {
        let layers: Vec<&Vec<usize>> = match round % 2 {
            0 => graph.layers.iter().collect(),
            _ => graph.layers.iter().rev().collect(),
        };
        layers.into_iter().for_each(|layer| settle(graph, layer, &mut heights, mean));
    }
    // The last pass goes from left to right and straightens edges that are nearly straight.
    graph.layers.iter().for_each(|layer| settle(graph, layer, &mut heights, straight));

    let half = |vertex| if graph.is_bend(vertex) { LANE / 2 } else { BOX.height / 2 };
    let rounded: Vec<i32> = heights.iter().map(|height| (height + 0.5).floor() as i32).collect();
    let top = (0..rounded.len()).map(|v| rounded[v] - half(v)).min().unwrap_or(0);
    let bottom = (0..rounded.len()).map(|v| rounded[v] + half(v)).max().unwrap_or(0);
    (rounded.iter().map(|height| height - top).collect(), bottom - top)
}

/// Returns the minimum heights in a layer, from 0.
fn bounds(graph: &Layered, layer: &[usize]) -> Vec<f64> {
    let mut bounds = vec![0.0; layer.len()];
    for i in 1..layer.len() {
        let room = match (graph.is_bend(layer[i - 1]), graph.is_bend(layer[i])) {
            (false, false) => BOX.height + ROW_GAP,
            (true, true) => LANE,
            _ => BOX.height / 2 + LANE,
        };
        bounds[i] = bounds[i - 1] + room as f64;
    }
    bounds
}

/// A desired height, and its weight.
type Wish = (f64, f64);

/// Returns the mean of the neighbours. Edges between two bends have the largest weight, so that long edges are straight.
fn mean(graph: &Layered, vertex: usize, heights: &[f64]) -> Wish {
    let weight = |tie: usize| match (graph.is_bend(vertex), graph.is_bend(tie)) {
        (true, true) => 8.0,
        (false, false) => 1.0,
        _ => 2.0,
    };
    let ties = || graph.left[vertex].iter().chain(&graph.right[vertex]);
    let whole: f64 = ties().map(|&tie| weight(tie)).sum();
    match whole {
        0.0 => (heights[vertex], 1.0),
        _ => (ties().map(|&tie| weight(tie) * heights[tie]).sum::<f64>() / whole, whole),
    }
}

/// Returns the height of the closest neighbour in the layer before, if it is near.
fn straight(graph: &Layered, vertex: usize, heights: &[f64]) -> Wish {
    let own = heights[vertex];
    let distance = |tie: &f64| (tie - own).abs();
    let closest = graph.left[vertex].iter().map(|&tie| heights[tie]).min_by(|a, b| distance(a).total_cmp(&distance(b)));
    match closest {
        Some(tie) if distance(&tie) < (BOX.height / 2) as f64 => (tie, 1_000.0),
        _ => (own, 1.0),
    }
}

/// Sets the heights of a layer to the minimum of the weighted squared distances to the desired heights, keeping order and
/// distances. Pools of vertices that would overlap move together (pool adjacent violators).
fn settle(graph: &Layered, layer: &[usize], heights: &mut [f64], wish: fn(&Layered, usize, &[f64]) -> Wish) {
    let bounds = bounds(graph, layer);
    let mut pools: Vec<(f64, f64, usize)> = vec![];
    for (&vertex, bound) in layer.iter().zip(&bounds) {
        let (height, weight) = wish(graph, vertex, heights);
        pools.push((height - bound, weight, 1));
        while let [.., upper, lower] = pools[..] {
            if upper.0 <= lower.0 {
                break;
            }
            let weight = upper.1 + lower.1;
            let height = (upper.0 * upper.1 + lower.0 * lower.1) / weight;
            pools.truncate(pools.len() - 2);
            pools.push((height, weight, upper.2 + lower.2));
        }
    }
    let settled = pools.iter().flat_map(|&(height, _, count)| std::iter::repeat_n(height, count));
    for ((&vertex, bound), height) in layer.iter().zip(bounds).zip(settled) {
        heights[vertex] = height + bound;
    }
}
