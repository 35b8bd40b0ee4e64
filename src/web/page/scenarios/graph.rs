//! The calls of a scenario as a tree: drawn from left to right, places computed here.

use crate::plan::{BlockId, Expectation, Inst, Plan, ScenarioId};
use crate::web::format::duration;
use crate::web::palette::Palette;
use std::collections::BTreeMap;

/// Of a node, px.
const WIDTH: u32 = 232;
const HEIGHT: u32 = 64;
/// From one node to the next.
const COLUMN: u32 = WIDTH + 56;
const LINE: u32 = HEIGHT + 16;
const MARGIN: u32 = 16;
/// Nodes that are drawn; a tree of more is no picture.
const MAX_NODES: usize = 400;

pub struct Graph {
    pub width: u32,
    pub height: u32,
    pub nodes: Vec<Node>,
    pub edges: Vec<Edge>,
    /// Spans that are not drawn.
    pub more: usize,
}

pub struct Node {
    pub x: u32,
    pub y: u32,
    pub class: &'static str,
    pub kind: &'static str,
    pub service: String,
    pub operation: String,
    pub delay: String,
    /// `fails 5 %`
    pub fails: Option<String>,
}

pub struct Edge {
    pub path: String,
    /// Where the call is not always made: in how many traces of a hundred.
    pub label: Option<(u32, u32, String)>,
}

pub fn graph(plan: &Plan, scenario: ScenarioId, expectation: Option<&Expectation>, palette: &Palette) -> Graph {
    let root = plan.scenarios[scenario.index()].root;
    let mut layout = Layout { plan, rows: 0, places: vec![] };
    layout.place(root, None, 0);
    let all = plan.bound(scenario).max_spans as usize;
    let expected: BTreeMap<BlockId, _> =
        expectation.iter().flat_map(|e| &e.blocks).map(|block| (block.block, block)).collect();
    let nodes = layout.places.iter().map(|place| {
        let block = plan.block(place.block);
        let service = plan.text(plan.services[block.span.service.index()].name);
        let fails = expected.get(&place.block).map(|block| block.failed).filter(|share| *share > 0.0);
        Node {
            x: place.x,
            y: place.y,
            class: palette.class(service),
            kind: block.span.kind.name(),
            // beside it stands how often it fails
            service: short(service, if fails.is_some() { 19 } else { 28 }),
            operation: short(&plan.block_name(place.block), 32),
            delay: delay(&block.code),
            fails: fails.map(|share| format!("fails {}", percent(share))),
        }
    });
    let edges = layout.places.iter().filter_map(|place| {
        let from = &layout.places[place.caller?];
        let (x1, y1, x2, y2) = (from.x + WIDTH, from.y + HEIGHT / 2, place.x, place.y + HEIGHT / 2);
        let bend = (x1 + x2) / 2;
        let share = expected.get(&place.block).zip(expected.get(&from.block)).map(|(to, from)| to.runs / from.runs);
        let label = share.filter(|share| *share < 0.9995).map(|share| (x2 - 8, y2 - 6, percent(share)));
        Some(Edge { path: format!("M{x1} {y1}C{bend} {y1} {bend} {y2} {x2} {y2}"), label })
    });
    Graph {
        width: layout.places.iter().map(|p| p.x).max().unwrap_or(0) + WIDTH + MARGIN,
        height: MARGIN + layout.rows.max(1) * LINE,
        nodes: nodes.collect(),
        edges: edges.collect(),
        more: all.saturating_sub(layout.places.len()),
    }
}

struct Layout<'a> {
    plan: &'a Plan,
    /// Rows that leaves have taken.
    rows: u32,
    places: Vec<Placed>,
}

struct Placed {
    block: BlockId,
    caller: Option<usize>,
    x: u32,
    y: u32,
}

impl Layout<'_> {
    /// A leaf takes a row, a caller stands beside its first call. Recursion is as deep as calls are, which the verifier bounds.
    fn place(&mut self, block: BlockId, caller: Option<usize>, depth: u32) {
        let at = self.places.len();
        let row = self.rows;
        self.places.push(Placed { block, caller, x: MARGIN + depth * COLUMN, y: MARGIN + row * LINE });
        for call in self.plan.calls_of(block) {
            if self.places.len() < MAX_NODES {
                self.place(call, Some(at), depth + 1);
            }
        }
        self.rows = self.rows.max(row + 1);
    }
}

fn delay(code: &[Inst]) -> String {
    let delays = code.iter().filter_map(|inst| match inst {
        Inst::Delay { min, max } => Some((min, max)),
        _ => None,
    });
    match delays.fold((0, 0), |(least, most), (min, max)| (least + min, most + max)) {
        (_, 0) => "no delay".into(),
        (min, max) if min == max => duration(min),
        (min, max) => format!("{} to {}", duration(min), duration(max)),
    }
}

/// A share, in per cent.
fn percent(share: f64) -> String {
    match share * 100.0 {
        p if p > 0.0 && p < 0.05 => "< 0.1 %".into(),
        p => format!("{} %", (p * 10.0).round() / 10.0),
    }
}

fn short(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((cut, _)) => format!("{}…", &text[..cut]),
        None => text.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::fixture;

    #[test]
    fn a_call_stands_right_of_its_caller() {
        let plan = fixture::plan();
        let id = ScenarioId(0);
        let graph = graph(&plan, id, plan.expectation(id).as_ref(), &Palette::of(&plan));
        let [order, process] = &graph.nodes[..] else { panic!() };
        assert_eq!((order.service.as_str(), order.fails.as_deref()), ("api-gateway", Some("fails 2 %")));
        assert_eq!(order.delay, "5.00 ms to 15.0 ms");
        assert!(process.x > order.x + WIDTH && process.y == order.y && process.x + WIDTH < graph.width);
        assert_eq!(graph.edges[0].label.as_ref().unwrap().2, "98 %");
        assert_eq!((graph.edges.len(), graph.more), (1, 0));
    }
}
