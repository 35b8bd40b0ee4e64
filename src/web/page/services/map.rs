//! The service map: a box for each service, an edge for each caller and callee.

use super::layout::{self, BOX, Call, Label, Point, Route, Size};
use super::{is_hot, part, rate, traces_of};
use crate::store::{Edge, ServiceReport, ServicesReport};
use crate::web::format::share;
use crate::web::palette::Palette;
use std::collections::HashMap;

/// The maximum number of boxes on the map, those with the most spans.
const MOST_BOXES: usize = 120;
/// The maximum number of edges with a label, the most frequent ones.
const MOST_LABELS: usize = 60;
/// The width of a label's character in px.
const CHARACTER: i32 = 6;
const LINE: i32 = 12;
const SLACK: i32 = 16;
/// The width of the line that shows the share of errors in a box, in px.
const METER: f64 = 132.0;

pub struct Map {
    pub size: Size,
    pub nodes: Vec<Node>,
    pub lines: Vec<Line>,
    pub texts: Vec<Text>,
    /// The number of services without a box.
    pub left_out: usize,
}

pub struct Node {
    pub name: String,
    pub class: &'static str,
    pub at: Point,
    pub rate: String,
    pub errors: String,
    pub hot: bool,
    /// The length of the line for the share of errors, in px.
    pub meter: String,
    pub link: String,
}

pub struct Line {
    pub from: String,
    pub to: String,
    pub rate: String,
    pub share: String,
    pub asynchronous: bool,
    pub hot: bool,
    /// The width of the edge in px.
    pub width: String,
    pub line: String,
    pub tip: String,
}

/// A label of an edge.
pub struct Text {
    /// The index of the edge.
    pub line: usize,
    pub at: Point,
    pub rate: String,
    /// The share of errors; empty if there are none.
    pub share: String,
    pub hot: bool,
    /// The share stands below the edge, the rate above it.
    pub two_lines: bool,
}

impl Map {
    pub fn draw(report: &ServicesReport, palette: &Palette) -> Map {
        let mut shown: Vec<&ServiceReport> = report.services.iter().take(MOST_BOXES).collect();
        shown.sort_by(|a, b| a.name.cmp(&b.name));
        let number: HashMap<&str, usize> = shown.iter().enumerate().map(|(i, s)| (s.name.as_str(), i)).collect();
        let mut edges: Vec<(Call, &Edge)> = report
            .edges
            .iter()
            .filter_map(|e| Some((Call { from: *number.get(&*e.from)?, to: *number.get(&*e.to)? }, e)))
            .collect();
        edges.sort_by_key(|(call, edge)| (*call, edge.asynchronous));
        let calls: Vec<Call> = edges.iter().map(|(call, _)| *call).collect();
        let layout = layout::arrange(shown.len(), &calls);

        let most = edges.iter().map(|(_, e)| e.calls).max().unwrap_or(0);
        let line = |edge: &Edge, route: &Route| Line {
            from: edge.from.clone(),
            to: edge.to.clone(),
            rate: rate(edge.calls, report.covered),
            share: if edge.errors == 0 { String::new() } else { share(edge.errors, edge.calls) },
            asynchronous: edge.asynchronous,
            hot: is_hot(edge.errors, edge.calls),
            width: format!("{:.1}", 1.2 + 2.6 * part(edge.calls, most)),
            line: route.line.clone(),
            tip: route.tip.clone(),
        };
        let lines: Vec<Line> = edges.iter().zip(&layout.routes).map(|((_, edge), route)| line(edge, route)).collect();
        let mut frequent: Vec<usize> = (0..edges.len()).collect();
        frequent.sort_by_key(|&i| std::cmp::Reverse(edges[i].1.calls));
        let mut sheet = Sheet { taken: layout.boxes.iter().map(|at| Area::of(*at, BOX)).collect() };
        let texts = frequent.into_iter().filter_map(|i| {
            let mut text = sheet.label(&lines[i], &layout.routes[i].labels)?;
            text.line = i;
            text.hot = lines[i].hot;
            Some(text)
        });
        let texts = texts.take(MOST_LABELS).collect();
        Map {
            size: layout.size,
            nodes: shown.iter().zip(&layout.boxes).map(|(s, at)| node(s, *at, report.covered, palette)).collect(),
            lines,
            texts,
            left_out: report.services.len().saturating_sub(MOST_BOXES),
        }
    }

    /// Returns the class of the map. One that is slightly wider than the panel is shrunk to it, as long as it stays
    /// readable.
    pub fn class(&self) -> &'static str {
        match self.size.width {
            ..=1_080 => "small",
            1_081..=1_560 => "fits",
            _ => "wide",
        }
    }
}

fn node(service: &ServiceReport, at: Point, covered: u64, palette: &Palette) -> Node {
    let failed = part(service.figures.errors, service.figures.spans);
    Node {
        name: service.name.clone(),
        class: palette.class(&service.name),
        at,
        rate: rate(service.figures.spans, covered),
        errors: match service.figures.errors {
            0 => "no errors".into(),
            errors => share(errors, service.figures.spans),
        },
        hot: is_hot(service.figures.errors, service.figures.spans),
        meter: format!("{:.1}", failed * METER),
        link: traces_of(&service.name, None),
    }
}

#[derive(Clone, Copy)]
struct Area {
    left: i32,
    top: i32,
    right: i32,
    bottom: i32,
}

impl Area {
    fn of(at: Point, size: Size) -> Area {
        Area { left: at.x, top: at.y, right: at.x + size.width, bottom: at.y + size.height }
    }

    fn meets(&self, other: &Area) -> bool {
        self.left < other.right && other.left < self.right && self.top < other.bottom && other.top < self.bottom
    }
}

/// The area that boxes and labels occupy.
struct Sheet {
    taken: Vec<Area>,
}

impl Sheet {
    /// Puts a label at the first free place.
    fn label(&mut self, line: &Line, places: &[Label]) -> Option<Text> {
        let rate = format!("{}/s", line.rate);
        places.iter().find_map(|place| {
            let two_lines = place.two_lines || line.share.is_empty();
            let characters = match two_lines {
                true => rate.len().max(line.share.len()),
                false => rate.len() + 1 + line.share.len(),
            } as i32;
            let (half, at) = (characters * CHARACTER / 2, place.middle);
            let below = if two_lines && !line.share.is_empty() { LINE + 4 } else { 0 };
            let area = Area { left: at.x - half, top: at.y - LINE - 4, right: at.x + half, bottom: at.y + below };
            if 2 * half > place.width + SLACK || self.taken.iter().any(|taken| taken.meets(&area)) {
                return None;
            }
            self.taken.push(area);
            Some(Text { line: 0, at, rate: rate.clone(), share: line.share.clone(), hot: false, two_lines })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Figures;

    fn report(names: &[&str], edges: &[(&str, &str)]) -> ServicesReport {
        let figures = Figures { spans: 100, errors: 12, ..Figures::default() };
        let service =
            |name: &&str| ServiceReport { name: name.to_string(), figures: figures.clone(), operations: vec![] };
        let edge = |&(from, to): &(&str, &str)| Edge {
            from: from.into(),
            to: to.into(),
            calls: 59,
            errors: 6,
            asynchronous: false,
        };
        ServicesReport {
            covered: 10_000_000_000,
            services: names.iter().map(service).collect(),
            edges: edges.iter().map(edge).collect(),
            edges_sampled: 1,
            ..ServicesReport::default()
        }
    }

    fn places(map: &Map) -> Vec<(&str, Point)> {
        map.nodes.iter().map(|n| (&*n.name, n.at)).collect()
    }

    #[test]
    fn the_order_of_a_report_does_not_move_boxes() {
        let edges = [("a", "b"), ("a", "c"), ("c", "d"), ("b", "d"), ("x", "d")];
        let palette = Palette::of(&crate::plan::fixture::plan());
        let first = Map::draw(&report(&["a", "b", "c", "d", "x", "y"], &edges), &palette);
        let mut turned = edges;
        turned.reverse();
        let second = Map::draw(&report(&["y", "d", "x", "c", "a", "b"], &turned), &palette);
        assert_eq!(places(&first), places(&second));
        assert_eq!(first.lines[0].line, second.lines[0].line);
        assert!(first.lines[0].hot && first.nodes[0].hot);
        assert_eq!((&*first.lines[0].rate, &*first.lines[0].share), ("5.9", "10.2 %"));
    }

    #[test]
    fn labels_do_not_overlap() {
        let names: Vec<String> = (0..40).map(|i| format!("service-{i:02}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let edges: Vec<(&str, &str)> =
            (1..40).flat_map(|i| [(names[i / 3], names[i]), (names[i / 7], names[i])]).collect();
        let palette = Palette::of(&crate::plan::fixture::plan());
        let map = Map::draw(&report(&names, &edges), &palette);
        assert!(map.texts.len() > 20 && map.texts.len() <= MOST_LABELS, "{}", map.texts.len());
        for text in &map.texts {
            let inside = |n: &Node| Area::of(n.at, BOX).meets(&Area::of(text.at, Size { width: 1, height: 1 }));
            assert!(!map.nodes.iter().any(inside));
        }
    }

    #[test]
    fn of_many_services_those_with_the_most_spans_are_shown() {
        let names: Vec<String> = (0..130).map(|i| format!("service-{i}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let palette = Palette::of(&crate::plan::fixture::plan());
        let map = Map::draw(&report(&names, &[(names[0], names[129])]), &palette);
        assert_eq!((map.nodes.len(), map.left_out, map.lines.len()), (MOST_BOXES, 10, 0));
    }
}
