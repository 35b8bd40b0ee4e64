//! Traces as text for people on a terminal.

use crate::export::{Batch, Encode, write_tree};
use crate::trace::View;
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

    fn flush(&mut self, _: &mut dyn FnMut(Batch)) {}

    fn recycle(&mut self, _: Vec<u8>) {}
}
