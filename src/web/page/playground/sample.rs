//! A sample trace, small: a row a span, with a bar on the trace's time line.

use crate::export::write_tree;
use crate::web::format::{duration, trace_id};
use crate::web::palette::Palette;
use crate::web::sandbox::Sample;

/// Rows that are shown.
const MAX_ROWS: usize = 200;
/// Cells of a line of the tree as text.
const COLUMNS: usize = 120;

pub struct SampleView {
    pub index: u64,
    pub next: u64,
    pub id: String,
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
    /// px of indent.
    pub indent: u32,
    pub class: &'static str,
    pub service: String,
    pub operation: String,
    pub kind: &'static str,
    pub took: String,
    /// Of the bar: where it begins and how long it is, in per cent of the trace.
    pub x: f64,
    pub width: f64,
    /// The bar's label stands left of its end.
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
            // a parent stands before its children
            let depth = depths.get(record.parent as usize).map_or(0, |depth| depth + 1);
            depths.push(depth);
            let x = percent(record.start.saturating_sub(trace.start));
            let took = record.end.saturating_sub(record.start);
            Row {
                indent: depth.min(12) * 12,
                class: palette.class(span.service()),
                service: span.service().into(),
                operation: span.name().into(),
                kind: span.kind().name(),
                took: duration(took),
                x,
                width: percent(took).max(0.4),
                late: x > 70.0,
                error: span.failure().map(|(r#type, _)| r#type.into()),
            }
        });
        let rows: Vec<Row> = rows.take(MAX_ROWS).collect();
        let mut tree = vec![];
        // writing to memory does not fail
        let _ = write_tree(view, &mut tree, false, COLUMNS);
        SampleView {
            index: sample.index,
            next: sample.index + 1,
            id: trace_id(trace.id),
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
