//! A small view of a sample trace: a row for each span, with a bar on the trace's time line.

use crate::export::write_tree;
use crate::text::duration;
use crate::web::format::named;
use crate::web::palette::Palette;
use crate::web::sandbox::Sample;

/// The maximum number of rows.
const MAX_ROWS: usize = 200;
/// The width of the tree as text, in cells.
const COLUMNS: usize = 120;

pub struct SampleView {
    pub index: u64,
    pub next: u64,
    pub scenario: String,
    pub took: String,
    pub spans: u64,
    pub links: u64,
    pub failed: bool,
    pub rows: Vec<Row>,
    pub more: u64,
    pub tree: String,
}

pub struct Row {
    /// The indent in px.
    pub indent: u32,
    pub class: &'static str,
    pub service: String,
    pub operation: String,
    pub kind: &'static str,
    pub took: String,
    /// The beginning of the bar, in per cent of the trace.
    pub x: f64,
    pub width: f64,
    /// The bar's label stands to the left of its end.
    pub late: bool,
    pub error: Option<String>,
}

impl SampleView {
    pub fn new(sample: &Sample, palette: &Palette) -> SampleView {
        let trace = &sample.trace;
        let view = sample.origin.view(trace);
        let total = trace.end.saturating_sub(trace.start).max(1) as f64;
        let percent = |ns: u64| (ns as f64 / total * 1000.0).round() / 10.0;
        let mut depths: Vec<u32> = vec![];
        let rows = view.spans().map(|span| {
            let record = span.record();
            // A parent stands before its children.
            let depth = depths.get(record.parent as usize).map_or(0, |depth| depth + 1);
            depths.push(depth);
            let x = percent(record.start.saturating_sub(trace.start));
            let took = record.end.saturating_sub(record.start);
            let width = percent(took).max(0.4);
            Row {
                indent: depth.min(12) * 12,
                class: palette.class(span.service()),
                service: span.service().into(),
                operation: named(span.name()).into(),
                kind: span.kind().name(),
                took: duration(took),
                // A bar at the edge stays within it.
                x: x.min(100.0 - width),
                width,
                late: x > 70.0,
                error: span.failure().map(|(r#type, _)| r#type.into()),
            }
        });
        let rows: Vec<Row> = rows.take(MAX_ROWS).collect();
        let mut tree = vec![];
        // Writing to memory does not fail.
        let _ = write_tree(view, &mut tree, false, COLUMNS);
        SampleView {
            index: sample.index,
            next: sample.index + 1,
            scenario: view.scenario().into(),
            took: duration(trace.end.saturating_sub(trace.start)),
            spans: trace.spans.len() as u64,
            links: trace.links.len() as u64,
            failed: !trace.failures.is_empty(),
            more: trace.spans.len().saturating_sub(rows.len()) as u64,
            rows,
            tree: String::from_utf8_lossy(&tree).lines().take(MAX_ROWS).collect::<Vec<_>>().join("\n"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interpreter::{Arrivals, Interpreter, Run, Schedule};
    use crate::plan::fixture;
    use crate::trace::Trace;
    use std::sync::Arc;

    #[test]
    fn each_span_has_a_row_below_its_parent() {
        let schedule = Schedule::new(1_000_000_000, Arrivals::Even { count: 1, per_ns: 1_000_000_000 }).unwrap();
        let run = Arc::new(Run::new(Arc::new(fixture::plan()), 42, schedule));
        let mut trace = Trace::default();
        let mut interpreter = Interpreter::new(&run);
        let index = (0..100).find(|index| {
            interpreter.trace(*index, &mut trace);
            trace.spans.len() == 2
        });
        let sample = Sample { index: index.unwrap(), origin: run.origin().clone(), trace };
        let view = SampleView::new(&sample, &Palette::of(&run.origin().plan));
        let [order, process] = &view.rows[..] else { panic!() };
        assert_eq!((order.indent, order.x, order.width), (0, 0.0, 100.0));
        assert_eq!((process.indent, process.kind, process.took.as_str()), (12, "PRODUCER", "1.50 ms"));
        assert!((process.x + process.width - 100.0).abs() < 0.11);
        assert_eq!((view.failed, view.more, view.next), (false, 0, view.index + 1));
        assert!(view.tree.lines().count() == 3 && view.tree.contains("POST /api/v1/orders"));
    }
}
