//! From bytes to lines and columns.

use std::collections::HashMap;
use std::ops::Range;

use serde::Serialize;

use crate::language::source::{FileId, Loc, Sources};

/// Where something is, for people: lines and columns from 1, columns in characters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Place<'a> {
    pub file: &'a str,
    pub line: usize,
    pub column: usize,
    pub end_line: usize,
    /// Of the character behind the last.
    pub end_column: usize,
}

/// Looks up places, with each file's lines found once.
pub struct Places<'a> {
    sources: &'a Sources,
    /// Where each line begins.
    lines: HashMap<FileId, Vec<usize>>,
}

impl<'a> Places<'a> {
    pub fn new(sources: &'a Sources) -> Self {
        Places { sources, lines: HashMap::new() }
    }

    pub fn text(&self, file: FileId) -> &'a str {
        &self.sources.file(file).text
    }

    pub fn name(&self, file: FileId) -> &'a str {
        &self.sources.file(file).name
    }

    pub fn place(&mut self, loc: Loc) -> Place<'a> {
        let (line, column) = self.line_column(loc.file, loc.start as usize);
        let (end_line, end_column) = self.line_column(loc.file, loc.end as usize);
        Place { file: self.name(loc.file), line, column, end_line, end_column }
    }

    /// The line from 1 and its bytes, without the line break.
    pub fn line(&mut self, file: FileId, at: usize) -> (usize, Range<usize>) {
        let text = self.text(file);
        let starts = self.lines.entry(file).or_insert_with(|| {
            let after = text.bytes().enumerate().filter(|(_, b)| *b == b'\n').map(|(at, _)| at + 1);
            std::iter::once(0).chain(after).collect()
        });
        let line = starts.partition_point(|&start| start <= at);
        let start = starts[line - 1];
        let end = starts.get(line).map_or(text.len(), |next| next - 1);
        let end = start + text[start..end].trim_end_matches('\r').len();
        (line, start..end)
    }

    fn line_column(&mut self, file: FileId, at: usize) -> (usize, usize) {
        let (line, range) = self.line(file, at);
        let before = &self.text(file)[range.start..at.max(range.start)];
        // A byte-order mark takes no column.
        (line, before.trim_start_matches('\u{FEFF}').chars().count() + 1)
    }
}
