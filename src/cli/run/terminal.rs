//! Traces as a person reads them on a terminal.

use crate::export::{Batch, Encode, write_tree};
use crate::trace::View;
use anstream::{AutoStream, ColorChoice};
use std::io::Write;

/// Shows each trace at once, as a tree of its own.
pub struct Tree {
    color: bool,
    /// Cells; asked anew for each trace, since windows change.
    width: fn() -> usize,
}

impl Tree {
    /// For stdout.
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

    fn flush(&mut self, _: &mut dyn FnMut(Batch)) {}

    fn recycle(&mut self, _: Vec<u8>) {}
}
