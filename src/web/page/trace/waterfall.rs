//! The waterfall: the position of each span in the shown part of the time, as SVG attributes.

use super::tree::{Stretch, Tree};
use crate::text;
use crate::trace::StoredSpan;
use crate::web::format;
use crate::web::palette::Palette;

/// The shown part of the time in ns since 1970, which is not empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    pub from: u64,
    pub to: u64,
}

/// Stretches that are closer than this part of the window are drawn as one.
const FINEST: f64 = 0.001;
/// The width of the narrowest bar, as a part of the window.
const LEAST: f64 = 0.0015;
/// The maximum number of indented levels.
const DEEPEST: usize = 20;

impl Window {
    fn part(self, time: u64) -> f64 {
        // The subtraction comes first, because a double holds a time since 1970 only to 256 ns.
        (time as i128 - self.from as i128) as f64 / (self.to - self.from).max(1) as f64
    }

    /// Returns the part of a stretch within the window, or `None` if it is outside.
    fn clip(self, (from, to): Stretch) -> Option<(f64, f64)> {
        let seen = from <= self.to && to >= self.from;
        seen.then(|| (self.part(from).clamp(0.0, 1.0), self.part(to).clamp(0.0, 1.0)))
    }

    /// Returns the rectangles of stretches in order.
    fn rects(self, stretches: &[Stretch]) -> Vec<Rect> {
        let mut parts: Vec<(f64, f64)> = vec![];
        for (from, to) in stretches.iter().filter_map(|s| self.clip(*s)) {
            match parts.last_mut() {
                Some(last) if from - last.1 < FINEST => last.1 = last.1.max(to),
                _ => parts.push((from, to)),
            }
        }
        parts.into_iter().map(|(from, to)| Rect::new(from, to)).collect()
    }
}

#[derive(Debug, PartialEq)]
pub struct Rect {
    pub x: String,
    pub width: String,
}

impl Rect {
    fn new(from: f64, to: f64) -> Rect {
        let width = (to - from).max(LEAST);
        // A bar at the edge stays within it.
        Rect { x: format::percent(from.min(1.0 - width), 1.0), width: format::percent(width, 1.0) }
    }
}

pub struct Row {
    /// The id in hexadecimal.
    pub id: String,
    pub class: &'static str,
    pub service: String,
    pub name: String,
    pub level: usize,
    pub below: usize,
    pub failed: bool,
    pub orphan: bool,
    pub selected: bool,
    /// The span matches the search.
    pub found: bool,
    /// The rectangle of the whole span, if it waits for calls.
    pub wait: Option<Rect>,
    pub own: Vec<Rect>,
    pub critical: Vec<Rect>,
    /// The positions of exceptions.
    pub marks: Vec<String>,
    pub label: Option<Label>,
    /// The end of the span, if it was cut off.
    pub cut: Option<String>,
    /// The end of its parent, if the span runs on after it.
    pub parent_end: Option<String>,
    /// How it was called, in words.
    pub tags: Vec<Tag>,
    pub duration: String,
    /// A description for screen readers.
    pub spoken: String,
}

impl Row {
    /// Returns the levels above the span, which are drawn as lines.
    pub fn guides(&self) -> std::ops::Range<usize> {
        1..self.level.min(DEEPEST)
    }
}

/// A remark on how a span was called.
#[derive(Debug, PartialEq)]
pub struct Tag {
    pub class: &'static str,
    pub text: String,
    pub title: &'static str,
}

/// The duration beside a bar.
#[derive(Debug, PartialEq)]
pub struct Label {
    pub x: String,
    /// The offset in px.
    pub dx: i32,
    pub anchor: &'static str,
}

/// The common data of all rows.
pub struct Drawing<'a> {
    pub tree: &'a Tree<'a>,
    pub palette: &'a Palette,
    pub critical: &'a [Vec<Stretch>],
    pub window: Window,
    pub selected: usize,
    pub found: &'a [usize],
}

impl Drawing<'_> {
    pub fn row(&self, i: usize) -> Row {
        let (span, node, window) = (&self.tree.spans[i], &self.tree.nodes[i], self.window);
        let place = window.clip((span.start, span.end()));
        let exceptions =
            span.events.iter().filter(|e| e.name == "exception").filter_map(|e| window.clip((e.time, e.time)));
        let marks: Vec<String> = exceptions.map(|(at, _)| format::percent(at, 1.0)).collect();
        let duration = text::duration(span.lasts());
        let at = |time: u64| window.clip((time, time)).map(|(at, _)| format::percent(at, 1.0));
        let tags = self.tags(i);
        let said: String = tags.iter().map(|tag| format!(", {}", tag.title)).collect();
        Row {
            id: format::span_id(span.id),
            class: self.palette.class(&span.service),
            service: span.service.clone(),
            name: format::named(&span.name).into(),
            level: node.level,
            below: node.below,
            failed: span.failed(),
            orphan: node.orphan,
            selected: i == self.selected,
            found: self.found.binary_search(&i).is_ok(),
            wait: place.filter(|_| !node.children.is_empty()).map(|(from, to)| Rect::new(from, to)),
            own: window.rects(&self.tree.own_work(i)),
            critical: window.rects(&self.critical[i]),
            label: place.map(|place| label(place, !marks.is_empty())),
            marks,
            cut: node.call.filter(|call| call.is_cut).and_then(|_| at(span.end())),
            parent_end: node.parent.filter(|_| node.outlives).and_then(|parent| at(self.tree.spans[parent].end())),
            tags,
            spoken: format!("starts at {}, takes {duration}{said}", offset(span.start - self.tree.start)),
            duration,
        }
    }

    fn tags(&self, i: usize) -> Vec<Tag> {
        let node = &self.tree.nodes[i];
        let mut tags = vec![];
        let mut add = |class, text: String, title| tags.push(Tag { class, text, title });
        if let Some(attempt) = node.call.and_then(|call| call.attempt).filter(|attempt| *attempt > 0) {
            add("", format!("retry {attempt}"), "the call before has failed, and was made again");
        }
        if node.call.is_some_and(|call| call.is_cut) {
            add(" err", "cut off".into(), "the time of a caller was over");
        }
        if !node.is_waited_for {
            add("", "not awaited".into(), "its caller does not wait for it");
        } else if node.outlives {
            add(" warn", "runs on".into(), "it ends after its caller, who waited no longer");
        }
        if node.is_beside {
            add("", "∥".into(), "side by side with other calls of its caller");
        }
        tags
    }

    /// Returns the ruler's ticks, each with its position and label.
    pub fn ticks(&self) -> Vec<(String, String)> {
        let (from, to) = (self.window.from - self.tree.start, self.window.to - self.tree.start);
        let step = step((to - from).max(1));
        let first = from.next_multiple_of(step);
        let at = |t: u64| (format::percent((t - from) as f64, (to - from).max(1) as f64), offset(t));
        // The last tick stays clear of the edge.
        (0..12)
            .map(|k| first + k * step)
            .take_while(|t| (*t - from) as f64 <= (to - from) as f64 * 0.94)
            .map(at)
            .collect()
    }
}

/// Places the label to the right of the bar, or to its left near the edge, or in the margin if the bar reaches from edge to
/// edge. A mark at the bar's end keeps the label away.
fn label((from, to): (f64, f64), marked: bool) -> Label {
    if to > 0.9 && from > 0.12 {
        Label { x: format::percent(from, 1.0), dx: -6, anchor: "end" }
    } else {
        Label { x: format::percent(to, 1.0), dx: if marked { 11 } else { 6 }, anchor: "start" }
    }
}

/// Returns a step of 1, 2, 2.5 or 5 times a power of ten ns that gives about five ticks.
fn step(length: u64) -> u64 {
    let steps = (0..19).flat_map(|power| [10, 20, 25, 50].map(|n| n * 10u64.saturating_pow(power)));
    steps.map(|s| s / 10).find(|s| *s > 0 && length.div_ceil(*s) <= 6).unwrap_or(length)
}

/// Formats a time after the trace's start without superfluous digits: `0 ms`, `1.25 s`.
pub fn offset(ns: u64) -> String {
    let (value, unit) = match ns {
        0 => return "0 ms".into(),
        ns if ns >= 1_000_000_000 => (ns as f64 / 1e9, "s"),
        ns if ns >= 1_000_000 => (ns as f64 / 1e6, "ms"),
        ns if ns >= 1_000 => (ns as f64 / 1e3, "µs"),
        ns => (ns as f64, "ns"),
    };
    format!("{} {unit}", (value * 1e3).round() / 1e3)
}

/// A span on the minimap.
pub struct Stroke {
    pub class: &'static str,
    pub x: String,
    pub y: String,
    pub width: String,
    pub height: String,
    pub failed: bool,
}

/// The height of the minimap in px.
const MINI_HEIGHT: f64 = 60.0;
const MOST_STROKES: usize = 400;

/// Returns all spans in small; of very many, only every n-th one and those that failed.
pub fn minimap(tree: &Tree<'_>, palette: &Palette) -> Vec<Stroke> {
    let count = tree.spans.len();
    let every = count.div_ceil(MOST_STROKES).max(1);
    let pitch = ((MINI_HEIGHT - 8.0) / count.max(1) as f64).min(2.8);
    let window = Window { from: tree.start, to: tree.end };
    let mut failed = 0;
    let mut drawn = |i: usize, span: &StoredSpan| {
        failed += usize::from(span.failed());
        i.is_multiple_of(every) || span.failed() && failed <= MOST_STROKES
    };
    let stroke = |(i, span): (usize, &StoredSpan)| {
        let place = drawn(i, span).then(|| window.clip((span.start, span.end())))??;
        let Rect { x, width } = Rect::new(place.0, place.1);
        let (y, height) = (4.0 + i as f64 * pitch, (pitch * every as f64 * 0.72).clamp(0.8, 2.0));
        let (y, height) = (format!("{y:.1}"), format!("{height:.1}"));
        Some(Stroke { class: palette.class(&span.service), x, y, width, height, failed: span.failed() })
    };
    tree.spans.iter().enumerate().filter_map(stroke).collect()
}

#[cfg(test)]
mod tests {
    use super::super::critical_path::critical_path;
    use super::super::tree::Calls;
    use super::super::tree::tests::spans;
    use super::*;
    use crate::plan::fixture;

    const MS: u64 = 1_000_000;

    fn rects(rects: &[Rect]) -> Vec<String> {
        rects.iter().map(|r| format!("{} {}", r.x, r.width)).collect()
    }

    fn draw(all: &[(u64, u64, u64, u64)], window: (u64, u64), test: impl Fn(&Drawing<'_>)) {
        let all: Vec<_> = all.iter().map(|(id, parent, from, to)| (*id, *parent, from * MS, to * MS)).collect();
        let spans = spans(&all);
        let tree = Tree::new(&spans, &Calls::new());
        let (critical, palette) = (critical_path(&tree), Palette::of(&fixture::plan()));
        let window = Window { from: window.0 * MS, to: window.1 * MS };
        test(&Drawing { tree: &tree, palette: &palette, critical: &critical, window, selected: 0, found: &[1] });
    }

    #[test]
    fn bars_are_where_the_spans_ran() {
        draw(&[(1, 0, 0, 1000), (2, 1, 250, 500)], (0, 1000), |drawing| {
            let (root, child) = (drawing.row(0), drawing.row(1));
            assert_eq!(rects(&root.own), ["0% 25%", "50% 50%"]);
            assert_eq!(rects(&root.critical), rects(&root.own));
            assert_eq!((root.wait.is_some(), child.wait.is_some()), (true, false));
            assert_eq!((root.selected, root.found, child.selected, child.found), (true, false, false, true));
            assert_eq!(root.label, Some(Label { x: "100%".into(), dx: 6, anchor: "start" }));
            assert_eq!(child.spoken, "starts at 250 ms, takes 250 ms");
            let ticks: Vec<String> = drawing.ticks().into_iter().map(|(x, text)| format!("{x} {text}")).collect();
            assert_eq!(ticks, ["0% 0 ms", "20% 200 ms", "40% 400 ms", "60% 600 ms", "80% 800 ms"]);
        });
    }

    #[test]
    fn a_window_cuts_spans_that_extend_beyond_it() {
        draw(&[(1, 0, 0, 1000), (2, 1, 250, 500)], (400, 600), |drawing| {
            assert_eq!(rects(&drawing.row(1).own), ["0% 50%"]);
            assert_eq!(rects(&drawing.row(0).own), ["50% 50%"]);
            assert_eq!(drawing.ticks()[0], ("0%".into(), "400 ms".into()));
        });
        draw(&[(1, 0, 0, 1000), (2, 1, 250, 500)], (600, 700), |drawing| {
            let row = drawing.row(1);
            assert!(row.own.is_empty() && row.label.is_none());
        });
    }

    #[test]
    fn the_shortest_spans_stay_inside() {
        let began = 1_767_225_600_000_000_001;
        let all = [(1, 0, 0, 2_000), (2, 1, 500, 1_000), (3, 1, 2_000, 2_000)];
        let all: Vec<_> = all.iter().map(|(id, parent, from, to)| (*id, *parent, began + from, began + to)).collect();
        let spans = spans(&all);
        let tree = Tree::new(&spans, &Calls::new());
        let (critical, palette) = (critical_path(&tree), Palette::of(&fixture::plan()));
        let window = Window { from: tree.start, to: tree.end };
        let drawing = Drawing { tree: &tree, palette: &palette, critical: &critical, window, selected: 0, found: &[] };
        assert_eq!(rects(&drawing.row(0).own), ["0% 25%", "50% 50%"]);
        assert_eq!(rects(&drawing.row(1).own), ["25% 25%"]);
        assert_eq!(rects(&drawing.row(2).own), ["99.85% 0.15%"], "what ends at the edge stays within it");
        let strokes: Vec<String> = minimap(&tree, &palette).iter().map(|s| format!("{} {}", s.x, s.width)).collect();
        assert_eq!(strokes, ["0% 100%", "25% 25%", "99.85% 0.15%"]);
    }

    #[test]
    fn very_many_stretches_are_drawn_as_few() {
        let mut all = vec![(1, 0, 0, 10_000)];
        all.extend((0..5_000).map(|i| (i + 2, 1, i * 2, i * 2 + 1)));
        draw(&all, (0, 10_000), |drawing| {
            assert!(drawing.row(0).own.len() <= 2);
            assert!(minimap(drawing.tree, drawing.palette).len() <= MOST_STROKES);
        });
    }

    #[test]
    fn steps_are_round() {
        assert_eq!([1, 7, 99, 1_361 * MS, 60_000 * MS].map(step), [1, 2, 20, 250 * MS, 10_000 * MS]);
        assert_eq!([0, 999, 1_500, 1_250 * MS].map(offset), ["0 ms", "999 ns", "1.5 µs", "1.25 s"]);
    }
}
