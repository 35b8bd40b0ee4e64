//! The order within layers: a fixed number of sweeps that put each vertex at the mean of its neighbours, followed by swaps
//! of adjacent vertices. The order with the fewest crossings is kept.

use super::layers::Layered;

const SWEEPS: usize = 10;

pub fn untie(graph: &mut Layered) {
    let mut best = (crossings(graph), graph.layers.clone());
    for sweep in 0..SWEEPS {
        let last = graph.layers.len() - 1;
        match sweep % 2 {
            0 => (1..=last).for_each(|layer| by_mean(graph, layer, true)),
            _ => (0..last).rev().for_each(|layer| by_mean(graph, layer, false)),
        }
        swap(graph);
        let now = crossings(graph);
        if now < best.0 {
            best = (now, graph.layers.clone());
        }
        if best.0 == 0 {
            break;
        }
    }
    graph.layers = best.1;
}

/// Returns each vertex's place in its layer.
fn places(graph: &Layered) -> Vec<usize> {
    let mut places = vec![0; graph.left.len()];
    for layer in &graph.layers {
        layer.iter().enumerate().for_each(|(place, &vertex)| places[vertex] = place);
    }
    places
}

fn by_mean(graph: &mut Layered, layer: usize, leftwards: bool) {
    let places = places(graph);
    let sides = if leftwards { &graph.left } else { &graph.right };
    let mean = |vertex: usize| match &sides[vertex][..] {
        [] => places[vertex] as f64,
        ties => ties.iter().map(|&tie| places[tie] as f64).sum::<f64>() / ties.len() as f64,
    };
    let mut means: Vec<(f64, usize)> = graph.layers[layer].iter().map(|&vertex| (mean(vertex), vertex)).collect();
    means.sort_by(|a, b| a.0.total_cmp(&b.0));
    graph.layers[layer] = means.into_iter().map(|(_, vertex)| vertex).collect();
}

/// Swaps adjacent vertices of a layer as long as that removes crossings.
fn swap(graph: &mut Layered) {
    let mut places = places(graph);
    for layer in 0..graph.layers.len() {
        for _ in 0..graph.layers[layer].len() {
            let mut better = false;
            for at in 1..graph.layers[layer].len() {
                let (a, b) = (graph.layers[layer][at - 1], graph.layers[layer][at]);
                let pairs = |upper: usize, lower: usize| {
                    let side = |ties: &[Vec<usize>]| {
                        let below = |tie: &usize| ties[lower].iter().filter(|t| places[**t] < places[*tie]).count();
                        ties[upper].iter().map(below).sum::<usize>()
                    };
                    side(&graph.left) + side(&graph.right)
                };
                if pairs(b, a) < pairs(a, b) {
                    graph.layers[layer].swap(at - 1, at);
                    places.swap(a, b);
                    better = true;
                }
            }
            if !better {
                break;
            }
        }
    }
}

fn crossings(graph: &Layered) -> usize {
    let places = places(graph);
    let pairs = |layer: &Vec<usize>| {
        let mut ends = vec![];
        for &vertex in layer {
            let mut own: Vec<usize> = graph.right[vertex].iter().map(|&right| places[right]).collect();
            own.sort_unstable();
            ends.extend(own);
        }
        (0..ends.len()).map(|i| ends[..i].iter().filter(|end| **end > ends[i]).count()).sum::<usize>()
    };
    graph.layers.iter().map(pairs).sum()
}
