//! Traces as text for people on a terminal.

use crate::export::{Batch, Encode, write_tree};
use crate::text::foreign::foreign;
use crate::trace::{SpanView, View};
use anstream::{AutoStream, ColorChoice};
use std::io::Write;

/// An encoder that shows each trace at once as a tree.
pub struct Tree {
    color: bool,
    /// Returns the width in cells. It is called for each trace, because windows change.
    width: fn() -> usize,
}

impl Tree {
    /// Makes the encoder for stdout.
    pub fn for_stdout() -> Tree {
        let color = AutoStream::choice(&std::io::stdout()) != ColorChoice::Never;
        Tree { color, width: || console::Term::stdout().size().1 as usize }
    }
}

impl Encode for Tree {
    fn add(&mut self, view: View<'_>, emit: &mut dyn FnMut(Batch)) {
        let mut body = vec![];
        let written = write_tree(view, &mut body, self.color, (self.width)()).and_then(|()| writeln!(body));
        written.expect("writing to memory does not fail");
        emit(Batch { body, spans: view.trace.spans.len() as u64, traces: 1 });
    }

    fn add_span(&mut self, span: SpanView<'_>, last: bool, emit: &mut dyn FnMut(Batch)) {
        let (record, id) = (span.record(), u128::from_be_bytes(span.view.trace.id));
        let (service, name) = (foreign(span.service()).to_string(), foreign(span.name()).to_string());
        let ms = record.end.saturating_sub(record.start) as f64 / 1e6;
        let failure = span.failure().map_or(String::new(), |(r#type, _)| format!("  {}", foreign(r#type)));
        let root = if span.parent().is_none() { "  (root)" } else { "" };
        let body = format!("{id:032x}  {service}  {name}  {}  {ms:.1} ms{failure}{root}\n", span.kind().name());
        emit(Batch { body: body.into_bytes(), spans: 1, traces: last as u64 });
    }

    fn flush(&mut self, _: &mut dyn FnMut(Batch)) {}

    fn recycle(&mut self, _: Vec<u8>) {}
}
