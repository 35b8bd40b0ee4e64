//! The conversion of byte positions to lines and columns.

use std::collections::HashMap;
use std::ops::Range;

use serde::Serialize;

use crate::language::source::{FileId, Loc, Sources};

/// A place for people: lines and columns are counted from 1, columns in characters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Place<'a> {
    pub file: &'a str,
    pub line: usize,
    pub column: usize,
    pub end_line: usize,
    /// The column after the last character.
    pub end_column: usize,
}

/// The lookup of places; the lines of each file are found only once.
pub struct Places<'a> {
    sources: &'a Sources,
    index: HashMap<FileId, Index>,
}

/// An index that makes the lookup cheap, even in a line of megabytes.
struct Index {
    /// The beginning of each line.
    lines: Vec<usize>,
    /// The number of characters before each block of [`BLOCK`] bytes.
    characters: Vec<usize>,
}

const BLOCK: usize = 1024;

impl Index {
    fn new(text: &str) -> Self {
        let after = text.bytes().enumerate().filter(|(_, b)| *b == b'\n').map(|(at, _)| at + 1);
        let lines = std::iter::once(0).chain(after).collect();
        let mut count = 0;
        let mut characters = vec![0];
        for block in text.as_bytes().chunks(BLOCK) {
            count += characters_in(block);
            characters.push(count);
        }
        Index { lines, characters }
    }

    /// Returns the number of characters that begin before byte `at`.
    fn before(&self, text: &str, at: usize) -> usize {
        let block = at / BLOCK;
        self.characters[block] + characters_in(&text.as_bytes()[block * BLOCK..at])
    }
}

/// Returns the number of bytes that do not continue a character.
fn characters_in(bytes: &[u8]) -> usize {
    bytes.iter().filter(|&&b| b & 0xC0 != 0x80).count()
}

impl<'a> Places<'a> {
    pub fn new(sources: &'a Sources) -> Self {
        Places { sources, index: HashMap::new() }
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

    /// Returns the line, counted from 1, and its bytes without the line break.
    pub fn line(&mut self, file: FileId, at: usize) -> (usize, Range<usize>) {
        let text = self.text(file);
        let starts = &self.index.entry(file).or_insert_with(|| Index::new(text)).lines;
        let line = starts.partition_point(|&start| start <= at);
        let start = starts[line - 1];
        let end = starts.get(line).map_or(text.len(), |next| next - 1);
        let end = start + text[start..end].trim_end_matches('\r').len();
        (line, start..end)
    }

    fn line_column(&mut self, file: FileId, at: usize) -> (usize, usize) {
        let (line, range) = self.line(file, at);
        let text = self.text(file);
        let index = &self.index[&file];
        // A byte-order mark takes no column.
        let mark = usize::from(at > range.start && text[range.start..].starts_with('\u{FEFF}'));
        (line, index.before(text, at) - index.before(text, range.start) - mark + 1)
    }
}
