//! The layout of boxes and edges on the service map: layers from left to right, by the method of Sugiyama, Tagawa and Toda.
//!
//! `layers` breaks cycles and gives each node a column, `order` untangles the columns, `place` chooses heights, and `route`
//! draws the edges. The result depends only on the order of nodes and calls; nodes are sorted by name.

mod layers;
mod order;
mod place;
mod route;

use layers::Layered;
pub use route::{Label, Route};

/// The size of a box in px.
pub const BOX: Size = Size { width: 156, height: 52 };
/// The margin around the map, with room for a focus ring and a loop.
const MARGIN: i32 = 16;
/// The distance between the lowest box of a shelf and the highest of the next one.
const SHELF_GAP: i32 = 26;
/// The width of the panel on a wide screen; smaller maps are spread out to it.
const PANEL: i32 = 1_336;
/// The minimum distance between two columns, with room for a curve and a label of one line.
const NARROW: i32 = 77;
const WIDE: i32 = 106;
const WIDEST: i32 = 150;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    pub width: i32,
    pub height: i32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Point {
    pub x: i32,
    pub y: i32,
}

/// A call between nodes, given by their numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Call {
    pub from: usize,
    pub to: usize,
}

#[derive(Debug, PartialEq)]
pub struct Layout {
    pub size: Size,
    /// The upper left corner of each node's box.
    pub boxes: Vec<Point>,
    /// The route of each call.
    pub routes: Vec<Route>,
}

/// Lays out the map. Parts without calls between them are laid out separately and put on shelves, the largest first.
pub fn arrange(nodes: usize, calls: &[Call]) -> Layout {
    let parts: Vec<Part> = parts(nodes, calls).into_iter().map(|members| Part::new(&members, calls)).collect();
    let columns = parts.iter().map(|p| p.graph.layers.len() as i32).max().unwrap_or(1);
    let crowded = parts.iter().any(|p| p.graph.is_crowded());
    let least = if crowded { WIDE } else { NARROW };
    let gap = ((PANEL - 2 * MARGIN - columns * BOX.width) / (columns - 1).max(1)).clamp(least, WIDEST);
    let limit = PANEL.max(columns * (BOX.width + gap) - gap + 2 * MARGIN);

    let mut layout = Layout {
        size: Size { width: 0, height: 0 },
        boxes: vec![Point { x: 0, y: 0 }; nodes],
        routes: vec![Route::default(); calls.len()],
    };
    let (mut corner, mut shelf) = (Point { x: MARGIN, y: MARGIN }, 0);
    for part in &parts {
        let size = part.size(gap);
        if corner.x > MARGIN && corner.x + size.width + MARGIN > limit {
            corner = Point { x: MARGIN, y: corner.y + shelf + SHELF_GAP };
            shelf = 0;
        }
        part.draw(corner, gap, &mut layout);
        shelf = shelf.max(size.height);
        corner.x += size.width;
        layout.size.width = layout.size.width.max(corner.x + MARGIN);
        layout.size.height = corner.y + shelf + MARGIN;
        corner.x += gap;
    }
    layout
}

/// Returns the connected parts, each with its nodes sorted; the largest first, then in the order of their first nodes.
fn parts(nodes: usize, calls: &[Call]) -> Vec<Vec<usize>> {
    let mut part: Vec<usize> = (0..nodes).collect();
    fn find(part: &mut [usize], mut node: usize) -> usize {
        while part[node] != node {
            part[node] = part[part[node]];
            node = part[node];
        }
        node
    }
    for call in calls {
        let (a, b) = (find(&mut part, call.from), find(&mut part, call.to));
        part[a.max(b)] = a.min(b);
    }
    let mut parts: Vec<Vec<usize>> = vec![vec![]; nodes];
    for node in 0..nodes {
        parts[find(&mut part, node)].push(node);
    }
    parts.retain(|members| !members.is_empty());
    parts.sort_by_key(|members| std::cmp::Reverse(members.len()));
    parts
}

/// A connected part of the graph.
struct Part {
    graph: Layered,
    /// The part's nodes, by their numbers in the whole graph.
    nodes: Vec<usize>,
    calls: Vec<usize>,
    /// The heights of the vertices: their centres, from the part's upper edge.
    heights: Vec<i32>,
    height: i32,
}

impl Part {
    fn new(members: &[usize], calls: &[Call]) -> Part {
        let inside: Vec<usize> =
            (0..calls.len()).filter(|&call| members.binary_search(&calls[call].from).is_ok()).collect();
        let at = |node| members.binary_search(&node).expect("a call stays in its part");
        let own: Vec<Call> =
            inside.iter().map(|&call| Call { from: at(calls[call].from), to: at(calls[call].to) }).collect();
        let mut graph = Layered::new(members.len(), &own);
        order::untie(&mut graph);
        let (heights, height) = place::heights(&graph);
        Part { graph, nodes: members.to_vec(), calls: inside, heights, height }
    }

    fn size(&self, gap: i32) -> Size {
        Size { width: self.graph.layers.len() as i32 * (BOX.width + gap) - gap, height: self.height }
    }

    fn draw(&self, corner: Point, gap: i32, layout: &mut Layout) {
        let mut centres = vec![corner; self.heights.len()];
        for (column, layer) in self.graph.layers.iter().enumerate() {
            for &vertex in layer {
                centres[vertex].x += column as i32 * (BOX.width + gap);
                centres[vertex].y += self.heights[vertex];
            }
        }
        for (own, &node) in self.nodes.iter().enumerate() {
            layout.boxes[node] = Point { y: centres[own].y - BOX.height / 2, ..centres[own] };
        }
        for (route, &call) in route::routes(&self.graph, &centres, gap).into_iter().zip(&self.calls) {
            layout.routes[call] = route;
        }
    }
}

#[cfg(test)]
mod tests;
