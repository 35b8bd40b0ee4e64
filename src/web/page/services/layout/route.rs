//! The lines of edges: curves between columns, straight lines through a column, an arrow at the end, and possible places of
//! the label.

use super::layers::{Chain, Layered};
use super::{BOX, Point};
use std::fmt::Write;

/// The width of the curve at the beginning of a gap between two columns; the remainder is straight.
const CURVE: i32 = 35;
/// The length of the arrow.
const TIP: i32 = 7;
const HALF_TIP: i32 = 4;
/// The distance between two edges that end at the same side of a box, with room for lines of text.
const PAIR: i32 = 26;
const PORT: i32 = 15;
const PORTS: i32 = 40;

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Route {
    /// The SVG path of the line.
    pub line: String,
    pub tip: String,
    /// The possible places of the label, the best first.
    pub labels: Vec<Label>,
}

/// A straight piece of an edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Label {
    pub middle: Point,
    pub width: i32,
    /// There is room for a line of text above and one below; otherwise for one line above.
    pub two_lines: bool,
}

/// Returns the route of each chain. `centres` are those of the vertices; for a box it is the middle of its left side.
pub fn routes(graph: &Layered, centres: &[Point], gap: i32) -> Vec<Route> {
    let ports = Ports::of(graph, centres);
    graph.chains.iter().enumerate().map(|(i, chain)| route(centres, gap, &ports, i, chain)).collect()
}

/// For each chain, the distance of its end from the middle of its box.
struct Ports {
    left: Vec<i32>,
    right: Vec<i32>,
    /// The number of edges that end at the left side of each node.
    count: Vec<usize>,
}

impl Ports {
    fn of(graph: &Layered, centres: &[Point]) -> Ports {
        let mut ports = Ports {
            left: vec![0; graph.chains.len()],
            right: vec![0; graph.chains.len()],
            count: vec![0; graph.nodes],
        };
        let mut ends: Vec<Vec<(i32, usize)>> = vec![vec![]; graph.nodes];
        let mut arrivals = vec![0; graph.nodes];
        for (i, chain) in graph.chains.iter().enumerate() {
            if let [.., before, node] = chain.vertices[..] {
                ends[node].push((centres[before].y, i));
            }
            // Edges leave from the middle of the right side; returning edges end below it.
            let first = chain.vertices[0];
            if chain.backward {
                ports.right[i] = (BOX.height / 4 + arrivals[first] * HALF_TIP * 2).min(BOX.height / 2 - HALF_TIP);
                arrivals[first] += 1;
            }
        }
        for (node, mut ends) in ends.into_iter().enumerate() {
            ends.sort_unstable();
            let last = ends.len() as i32 - 1;
            let spread = if last == 1 { PAIR } else { (PORT * last).min(PORTS) };
            for (at, &(_, chain)) in ends.iter().enumerate() {
                ports.left[chain] = spread * (2 * at as i32 - last) / (2 * last.max(1));
            }
            ports.count[node] = ends.len();
        }
        ports
    }
}

fn route(centres: &[Point], gap: i32, ports: &Ports, i: usize, chain: &Chain) -> Route {
    let [first, .., last] = chain.vertices[..] else { return around(centres[chain.vertices[0]]) };
    let mut labels = vec![];
    let mut at = Point { x: centres[first].x + BOX.width, y: centres[first].y + ports.right[i] };
    let start = at;
    let mut line = String::new();
    for &vertex in &chain.vertices[1..chain.vertices.len() - 1] {
        let bend = centres[vertex];
        curve(&mut line, at, bend.y);
        at = Point { x: bend.x + BOX.width, y: bend.y };
        let _ = write!(line, "H{}", at.x);
        labels.push(Label {
            middle: Point { x: bend.x + BOX.width / 2, y: bend.y },
            width: BOX.width,
            two_lines: false,
        });
    }
    let end = Point { x: centres[last].x, y: centres[last].y + ports.left[i] };
    let straight = gap - CURVE;
    curve(&mut line, at, end.y);
    let tail = if chain.backward { 0 } else { TIP };
    let _ = write!(line, "H{}", end.x - tail);
    let near = Label {
        middle: Point { x: end.x - TIP - (straight - TIP) / 2, y: end.y },
        width: straight,
        two_lines: ports.count[last] <= 2,
    };
    labels.insert(0, near);
    let tip = match chain.backward {
        true => format!("M{} {}v{}l-{TIP} -{HALF_TIP}z", start.x + TIP + 1, start.y - HALF_TIP, 2 * HALF_TIP),
        false => format!("M{} {}v{}l{TIP} -{HALF_TIP}z", end.x - TIP - 1, end.y - HALF_TIP, 2 * HALF_TIP),
    };
    let head = if chain.backward { TIP } else { 0 };
    Route { line: format!("M{} {}H{}{line}", start.x, start.y, start.x + head), tip, labels }
}

/// Adds a curve to another height, flat at both ends.
fn curve(line: &mut String, from: Point, y: i32) {
    let (x, middle) = (from.x + CURVE, from.x + CURVE / 2);
    if from.y != y {
        let _ = write!(line, "C{middle} {} {middle} {y} {x} {y}", from.y);
    }
}

/// Returns a loop above a box, for a service that calls itself.
fn around(centre: Point) -> Route {
    let (x, y) = (centre.x + BOX.width - 40, centre.y - BOX.height / 2);
    Route {
        line: format!("M{x} {y}C{x} {} {} {} {} {}", y - 16, x + 24, y - 16, x + 24, y - TIP),
        tip: format!("M{} {}h{}l-{HALF_TIP} {TIP}z", x + 24 - HALF_TIP, y - TIP - 1, 2 * HALF_TIP),
        labels: vec![],
    }
}
