//! The calls of a scenario as a tree, drawn from left to right, with all positions computed here.

use crate::plan::{BlockId, Curve, DistForm, Expectation, Inst, Plan, ScenarioId};
use crate::text::{duration, three_figures};
use crate::web::palette::Palette;
use std::collections::BTreeMap;

/// The width of a node in px.
const WIDTH: u32 = 256;
const HEIGHT: u32 = 64;
/// The distance from one column of nodes to the next.
const COLUMN: u32 = WIDTH + 56;
const LINE: u32 = HEIGHT + 26;
const MARGIN: u32 = 18;
/// The maximum number of nodes; a larger tree would not be readable.
const MAX_NODES: usize = 400;

pub struct Graph {
    pub width: u32,
    pub height: u32,
    pub nodes: Vec<Node>,
    pub edges: Vec<Edge>,
    /// The number of spans that are not drawn.
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
    /// The kind and the delay as they are shown, which may be cut.
    pub work: String,
    /// A text such as `fails 5 %`.
    pub fails: Option<String>,
}

pub struct Edge {
    pub path: String,
    /// Whether the caller does not wait for it.
    pub is_async: bool,
    /// The label of a call that is not simply made once.
    pub label: Option<Label>,
}

/// The share of its caller's runs in which a call is made, or its average number, and its terms. The label is above the
/// callee.
pub struct Label {
    pub x: u32,
    pub y: u32,
    /// The text as it is shown, which may be cut; `whole` is all of it.
    pub text: String,
    pub whole: String,
}

pub fn graph(plan: &Plan, scenario: ScenarioId, expectation: Option<&Expectation>, palette: &Palette) -> Graph {
    let (places, rows) = layout(plan, scenario);
    let all = plan.spans_of(scenario).len();
    let expected: BTreeMap<BlockId, _> =
        expectation.iter().flat_map(|e| &e.blocks).map(|block| (block.block, block)).collect();
    let nodes = places.iter().map(|place| {
        let service = plan.service_of(place.block);
        let fails = expected.get(&place.block).map(|block| block.failed).filter(|share| *share > 0.0);
        let kind = plan.span(place.block).kind.name();
        let delay = delay(plan, &plan.block(place.block).code);
        Node {
            x: place.x(),
            y: place.y(),
            class: palette.class(service),
            kind,
            // The failure probability stands beside it.
            service: short(service, if fails.is_some() { 21 } else { 31 }),
            operation: short(&plan.block_name(place.block), 35),
            work: short(&format!("{kind} · {delay}"), 38),
            delay,
            fails: fails.map(|share| format!("fails {}", percent(share))),
        }
    });
    let edges = places.iter().filter_map(|place| {
        let from = &places[place.parent?];
        let (x1, y1, x2, y2) = (from.x() + WIDTH, from.y() + HEIGHT / 2, place.x(), place.y() + HEIGHT / 2);
        let bend = (x1 + x2) / 2;
        let share = expected.get(&place.block).zip(expected.get(&from.block)).map(|(to, from)| to.runs / from.runs);
        let share = share.filter(|share| !(0.9995..1.0005).contains(share));
        let often = share.map(|share| if share < 1.0 { percent(share) } else { format!("× {}", three_figures(share)) });
        let said = plan.call_words(place.block);
        // The share is left out if the terms contain it.
        let is_said = |often: &String| {
            said.iter()
                .any(|word| word.replace('%', " %") == *often || often.starts_with('×') && word.ends_with("times"))
        };
        let words: Vec<String> = often.filter(|often| !is_said(often)).into_iter().chain(said.clone()).collect();
        let whole = words.join(", ");
        let label = Label { x: x2 + 1, y: place.y() - 6, text: short(&whole, 40), whole };
        let path = format!("M{x1} {y1}C{bend} {y1} {bend} {y2} {x2} {y2}");
        let is_async = !plan.is_waited_for(place.block);
        Some(Edge { path, is_async, label: (!words.is_empty()).then_some(label) })
    });
    Graph {
        width: places.iter().map(Placed::x).max().unwrap_or(0) + WIDTH + MARGIN,
        height: MARGIN + rows * LINE,
        nodes: nodes.collect(),
        edges: edges.collect(),
        more: all.saturating_sub(places.len()),
    }
}

struct Placed {
    block: BlockId,
    /// The index of the parent span's block.
    parent: Option<usize>,
    /// The column and the row, from 0.
    depth: u32,
    row: u32,
}

impl Placed {
    fn x(&self) -> u32 {
        MARGIN + self.depth * COLUMN
    }

    fn y(&self) -> u32 {
        MARGIN + self.row * LINE
    }
}

/// Places the scenario's spans so that a parent is beside its first child. Also returns the number of rows.
fn layout(plan: &Plan, scenario: ScenarioId) -> (Vec<Placed>, u32) {
    let mut places: Vec<Placed> = vec![];
    let mut rows = 1;
    for &block in plan.spans_of(scenario).iter().take(MAX_NODES) {
        let parent = plan.parent_of(block);
        let parent = parent.and_then(|parent| places.iter().rposition(|place| place.block == parent));
        let placed = match parent {
            None => Placed { block, parent, depth: 0, row: 0 },
            Some(at) if at + 1 == places.len() => {
                Placed { block, parent, depth: places[at].depth + 1, row: places[at].row }
            }
            Some(at) => {
                rows += 1;
                Placed { block, parent, depth: places[at].depth + 1, row: rows - 1 }
            }
        };
        places.push(placed);
    }
    (places, rows)
}

fn delay(plan: &Plan, code: &[Inst]) -> String {
    if let [only] = code.iter().filter_map(Inst::dist).map(|dist| &plan.dists[dist.index()]).collect::<Vec<_>>()[..]
        && !code.iter().any(|inst| matches!(inst, Inst::Delay { .. }))
    {
        let time = |curve: &Curve, share| duration((curve.at(share) as u64).min(only.max));
        match (&only.form, Curve::new(&only.form)) {
            (DistForm::Computed { .. }, _) => return "computed".into(),
            (DistForm::Uniform { .. }, _) | (_, None) => {}
            (_, Some(curve)) => return format!("p50 {}, p99 {}", time(&curve, 0.5), time(&curve, 0.99)),
        }
    }
    let delays = code.iter().filter_map(|inst| match *inst {
        Inst::Delay { min, max } => Some((min, max)),
        Inst::DelayDist { dist } => Some(plan.time_range(dist)),
        _ => None,
    });
    match delays.fold((0, 0), |(least, most), (min, max)| (least + min, most + max)) {
        (_, 0) => "no delay".into(),
        (min, max) if min == max => duration(min),
        (min, max) => format!("{} to {}", duration(min), duration(max)),
    }
}

/// Formats a share in per cent.
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
    use crate::plan::{Dist, DistId, ExprId, Percentile, fixture};

    #[test]
    fn a_delay_is_told_by_its_percentiles_or_its_ends() {
        const MS: u64 = 1_000_000;
        let at = |percent, ms: u64| Percentile { percent, time: ms * MS };
        let uniform = |min, max| Dist { form: DistForm::Uniform { min: min * MS, max: max * MS }, max: max * MS };
        let lognormal = DistForm::Lognormal { low: at(50.0, 5), high: at(99.0, 80) };
        let mix = DistForm::Mix { conditional: [].into(), weighted: [(9.0, DistId(0)), (1.0, DistId(1))].into() };
        let computed = DistForm::Computed { value: ExprId(0), unit: MS };
        let mut program = fixture::program();
        program.dists = vec![uniform(5, 6), uniform(2, 90)];
        program.dists.extend([lognormal, mix, computed].map(|form| Dist { form, max: 90 * MS }));
        let plan = Plan::verify(program).unwrap();
        let told = |code: &[Inst]| delay(&plan, code);
        let dist = |dist| Inst::DelayDist { dist: DistId(dist) };
        assert_eq!(told(&[]), "no delay");
        assert_eq!(told(&[dist(0)]), "5.00 ms to 6.00 ms");
        assert_eq!(told(&[Inst::End, dist(2)]), "p50 5.00 ms, p99 80.0 ms");
        assert_eq!(told(&[dist(3)]), "2.00 ms to 90.0 ms");
        assert_eq!(told(&[dist(4)]), "computed");
        assert_eq!(told(&[dist(0), Inst::Delay { min: MS, max: 2 * MS }, dist(2)]), "6.00 ms to 98.0 ms");
    }

    #[test]
    fn a_call_stands_right_of_its_caller() {
        let plan = fixture::plan();
        let id = ScenarioId(0);
        let graph = graph(&plan, id, plan.expectation(id).as_ref(), &Palette::of(&plan));
        let [order, process] = &graph.nodes[..] else { panic!() };
        assert_eq!((order.service.as_str(), order.fails.as_deref()), ("api-gateway", Some("fails 2 %")));
        assert_eq!(order.delay, "5.00 ms to 15.0 ms");
        assert!(process.x > order.x + WIDTH && process.y == order.y && process.x + WIDTH < graph.width);
        assert_eq!(graph.edges[0].label.as_ref().unwrap().text, "98 %");
        assert_eq!((graph.edges.len(), graph.more), (1, 0));
    }
}
