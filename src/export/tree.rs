//! A trace as a tree on a terminal: a row for each span, indented below its parent, with a bar on the trace's time line.

use crate::text::foreign::foreign;
use crate::trace::{Call, NONE, SpanRecord, View};
use anstyle::{AnsiColor, Style};
use std::io;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// The width of the bar in cells if the line has room for it.
const BAR: usize = 20;
/// The minimum width of the bar in cells.
const BAR_MIN: usize = 8;
/// The minimum width of service and operation in cells.
const TEXT_MIN: usize = 10;

const RED: Style = AnsiColor::Red.on_default();
const BOLD: Style = Style::new().bold();

/// Writes the trace of `view`: a line about the trace, then a line for each span. Service and operation are cut so that
/// lines are at most `width` cells wide, as far as possible; the type of an error may exceed it. `color` adds ANSI escapes.
///
/// In the bar, `#` is the span's own time, and `-` time in which it waited for a running child. After the bar come the
/// error, and how the span was called if that is worth mentioning: `retry 1`, `cut off` by a timeout, `not awaited`, or
/// `runs on` after its caller.
///
/// # Errors
/// `out` can't be written.
pub fn write_tree(view: View<'_>, out: &mut impl io::Write, color: bool, width: usize) -> io::Result<()> {
    let (red, bold) = if color { (RED, BOLD) } else { (Style::new(), Style::new()) };
    let trace = view.trace;
    let id = u128::from_be_bytes(trace.id);
    let scenario = foreign(view.scenario());
    let spans = match view.spans().count() {
        1 => "1 span".to_string(),
        spans => format!("{spans} spans"),
    };
    let duration = rounded(trace.end.saturating_sub(trace.start));
    let failed = trace.spans.iter().any(|span| span.failure != NONE);
    let verdict = if failed { format!("{red}error{red:#}") } else { "ok".to_string() };
    writeln!(out, "{id:032x}  {bold}{scenario}{bold:#}  {spans}  {duration}  {verdict}")?;

    let rows = rows(view);
    let columns = Columns::fit(&rows, width);
    for (row, bar) in rows.iter().zip(bars(view, columns.bar)) {
        let service = columns.service_of(row);
        let operation = fill(&row.operation, columns.operation);
        let Columns { kind, start, duration, .. } = columns;
        let red = if row.error.is_some() { red } else { Style::new() };
        write!(out, "  {service}  {operation}  {:kind$}  {:>start$} |", row.kind, row.start)?;
        write!(out, "{red}{bar}{red:#}| {:>duration$} ms", row.duration)?;
        if let Some(error) = &row.error {
            write!(out, "  {red}{error}{red:#}")?;
        }
        if !row.notes.is_empty() {
            write!(out, "  ({})", row.notes.join(", "))?;
        }
        writeln!(out)?;
    }
    Ok(())
}

/// A span as text.
struct Row {
    depth: usize,
    service: String,
    operation: String,
    kind: &'static str,
    start: String,
    duration: String,
    error: Option<String>,
    /// How it was called, if that is worth mentioning.
    notes: Vec<String>,
}

fn rows(view: View<'_>) -> Vec<Row> {
    let (mut rows, calls): (Vec<Row>, Vec<Call>) = (Vec::with_capacity(view.trace.spans.len()), view.calls());
    let mut depths = vec![None; view.trace.spans.len()];
    for span in view.spans() {
        let (record, call) = (span.record(), calls[span.ordinal]);
        // A parent stands before its children, unless it is one that is not sent.
        let depth = depths.get(record.parent as usize).copied().flatten().map_or(0, |depth: usize| depth + 1);
        depths[span.ordinal] = Some(depth);
        rows.push(Row {
            depth,
            service: foreign(span.service()).to_string(),
            operation: foreign(span.name()).to_string(),
            kind: span.kind().name(),
            start: ms(record.start.saturating_sub(view.trace.start)),
            duration: ms(record.end.saturating_sub(record.start)),
            error: span.failure().map(|(r#type, _)| foreign(r#type).to_string()),
            notes: notes(view, record, call),
        });
    }
    rows
}

fn notes(view: View<'_>, span: &SpanRecord, call: Call) -> Vec<String> {
    let mut notes = vec![];
    notes.extend(call.attempt.filter(|attempt| *attempt > 0).map(|attempt| format!("retry {attempt}")));
    notes.extend(call.is_cut.then(|| "cut off".into()));
    let runs_on = view.trace.spans.get(span.parent as usize).is_some_and(|parent| span.end > parent.end);
    match call.is_waited_for {
        true => notes.extend(runs_on.then(|| "runs on".into())),
        false => notes.push("not awaited".into()),
    }
    notes
}

/// The widths of the columns in cells.
struct Columns {
    /// The width of the service with its indent.
    service: usize,
    operation: usize,
    kind: usize,
    start: usize,
    bar: usize,
    duration: usize,
}

impl Columns {
    fn fit(rows: &[Row], width: usize) -> Columns {
        let widest = |width_of: &dyn Fn(&Row) -> usize| rows.iter().map(width_of).max().unwrap_or(0);
        let mut columns = Columns {
            service: widest(&|row| 2 * row.depth + row.service.width()),
            operation: widest(&|row| row.operation.width()),
            kind: widest(&|row| row.kind.len()),
            start: widest(&|row| row.start.len()),
            bar: BAR_MIN,
            duration: widest(&|row| row.duration.len()),
        };
        let Columns { service, operation, kind, start, duration, .. } = columns;
        // The spaces between the columns, the ends of the bar, and the unit.
        let spare = width.saturating_sub(kind + start + duration + 2 + 2 + 2 + 2 + 2 + 2 + 3);
        columns.bar = spare.saturating_sub(service + operation).clamp(BAR_MIN, BAR);
        let text = spare.saturating_sub(columns.bar);
        if service + operation > text {
            // The narrower of the two keeps its width if it takes less than half.
            columns.operation = operation.min(text.saturating_sub(service).max(text / 2)).max(TEXT_MIN.min(operation));
            columns.service = service.min(text.saturating_sub(columns.operation)).max((2 + TEXT_MIN).min(service));
        }
        columns
    }

    /// Returns the indented service, as far as the column has room for it.
    fn service_of(&self, row: &Row) -> String {
        let indent = (2 * row.depth).min(self.service.saturating_sub(TEXT_MIN.min(row.service.width())));
        format!("{:indent$}{}", "", fill(&row.service, self.service - indent))
    }
}

/// Returns the bar of each span that is sent, `cells` wide.
fn bars(view: View<'_>, cells: usize) -> impl Iterator<Item = String> {
    let trace = view.trace;
    let total = trace.end.saturating_sub(trace.start).max(1) as u128;
    // The start of a child is rounded up, so that the own time of its parent before it is visible.
    let cell = |time: u64| {
        let offset = time.clamp(trace.start, trace.end.max(trace.start)) - trace.start;
        (offset as u128 * cells as u128).div_ceil(total) as usize
    };
    let mut bars = vec![vec![b' '; cells]; trace.spans.len()];
    for (ordinal, (span, call)) in trace.spans.iter().zip(view.calls()).enumerate() {
        let (from, to) = (cell(span.start), cell(span.end));
        let from = from.min(cells - 1);
        bars[ordinal][from..to.max(from + 1)].fill(b'#');
        if let Some(parent) = bars.get_mut(span.parent as usize).filter(|_| call.is_waited_for) {
            let during = parent[from..to.max(from)].iter_mut();
            during.filter(|cell| **cell == b'#').for_each(|cell| *cell = b'-');
        }
    }
    let sent = bars.into_iter().enumerate().filter(|(ordinal, _)| trace.is_sent(*ordinal));
    sent.map(|(_, bar)| String::from_utf8_lossy(&bar).into_owned())
}

/// Formats `ns` in ms with one decimal.
fn ms(ns: u64) -> String {
    format!("{:.1}", ns as f64 / 1e6)
}

/// Formats `ns` in a readable unit.
fn rounded(ns: u64) -> String {
    match ns {
        0..10_000_000 => format!("{:.1} ms", ns as f64 / 1e6),
        10_000_000..10_000_000_000 => format!("{:.0} ms", ns as f64 / 1e6),
        _ => format!("{:.1} s", ns as f64 / 1e9),
    }
}

/// Returns a text of exactly `cells` cells: cut with an ellipsis, or padded with spaces.
fn fill(text: &str, cells: usize) -> String {
    let mut line = String::new();
    let mut used = 0;
    if text.width() <= cells {
        line.push_str(text);
        used = text.width();
    } else if cells > 0 {
        for c in text.chars() {
            let width = c.width().unwrap_or(0);
            if used + width > cells - 1 {
                break;
            }
            line.push(c);
            used += width;
        }
        line.push('…');
        used += 1;
    }
    line.extend(std::iter::repeat_n(' ', cells.saturating_sub(used)));
    line
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{checkout, fixtures};
    use super::*;
    use proptest::prelude::*;

    fn tree(view: View<'_>, color: bool, width: usize) -> String {
        let mut out = vec![];
        write_tree(view, &mut out, color, width).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_trace_reads_as_a_tree() {
        let fixture = checkout();
        let view = fixture.views().next().unwrap();
        let text = format!("{}\n{}\n{}", tree(view, false, 120), tree(view, false, 80), tree(view, true, 120));
        insta::with_settings!({ snapshot_path => "../../snapshots/export", prepend_module_to_snapshot => false }, {
            insta::assert_snapshot!("checkout.tree", text);
        });
    }

    #[test]
    fn text_is_cut_and_filled_by_cells() {
        assert_eq!(fill("abc", 5), "abc  ");
        assert_eq!(fill("abcdef", 4), "abc…");
        assert_eq!(fill("注文", 4), "注文");
        assert_eq!(fill("注文サービス", 6), "注文… ");
        assert_eq!(fill("abc", 0), "");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn columns_stand_below_one_another(fixture in fixtures(), width in 0usize..200) {
            for view in fixture.views() {
                let text = tree(view, false, width);
                let lines: Vec<&str> = text.lines().skip(1).collect();
                prop_assert_eq!(lines.len(), view.trace.spans.len());
                let bars = rows(view).iter().zip(lines).map(|(row, line)| {
                    let error = row.error.as_ref().map_or(0, |error| error.width() + 2);
                    let notes = row.notes.join(", ").width();
                    line.width() - error - if notes > 0 { notes + 4 } else { 0 }
                }).collect::<Vec<_>>();
                prop_assert!(bars.iter().all(|end| *end == bars[0]), "{}", text);
            }
        }
    }
}
