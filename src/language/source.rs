//! The files of a compilation, and places in them.

use std::ops::Range;
use std::sync::LazyLock;

/// A file in [`Sources`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId(pub u32);

/// A place: the bytes `start..end` of a file's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Loc {
    pub file: FileId,
    pub start: u32,
    pub end: u32,
}

/// The beginning of the first file, which is used if no better place is known.
pub const START: Loc = Loc { file: FileId(0), start: 0, end: 0 };

/// The prelude of shared spans, which is a file in every [`Sources`].
pub const PRELUDE: FileId = FileId(u32::MAX);

static PRELUDE_FILE: LazyLock<SourceFile> =
    LazyLock::new(|| SourceFile { name: "<prelude>".into(), text: include_str!("prelude.yaml").into() });

/// Returns the text of the prelude.
pub fn prelude() -> &'static str {
    &PRELUDE_FILE.text
}

impl Loc {
    /// Reports whether another place is inside of this one.
    pub fn contains(self, other: Loc) -> bool {
        self.file == other.file && self.start <= other.start && other.end <= self.end
    }

    pub fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }
}

/// A value, and the place where it was written.
#[derive(Clone, Debug, PartialEq)]
pub struct Located<T> {
    pub value: T,
    pub loc: Loc,
}

impl<T> Located<T> {
    pub fn new(value: T, loc: Loc) -> Self {
        Located { value, loc }
    }
}

/// A file as it was read.
#[derive(Clone, Debug)]
pub struct SourceFile {
    /// The name in diagnostics.
    pub name: String,
    pub text: String,
}

/// All files of a compilation, in the order in which they are compiled.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    files: Vec<SourceFile>,
}

impl Sources {
    pub fn add(&mut self, name: String, text: String) -> FileId {
        self.files.push(SourceFile { name, text });
        FileId(self.files.len() as u32 - 1)
    }

    pub fn file(&self, id: FileId) -> &SourceFile {
        if id == PRELUDE { &PRELUDE_FILE } else { &self.files[id.0 as usize] }
    }

    pub fn files(&self) -> impl ExactSizeIterator<Item = (FileId, &SourceFile)> {
        self.files.iter().enumerate().map(|(i, file)| (FileId(i as u32), file))
    }

    /// Returns the text at a place.
    pub fn text(&self, loc: Loc) -> &str {
        &self.file(loc.file).text[loc.range()]
    }
}
