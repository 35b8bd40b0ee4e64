//! Any text as a template: it is parsed or refused, and every place is inside the text.

use tracegen::language::source::{FileId, Loc};
use tracegen::language::template::Memo;
use tracegen::language::yaml::{Offsets, Style};

pub fn run(text: &str) {
    let loc = Loc { file: FileId(0), start: 0, end: text.len() as u32 };
    let mut diagnostics = vec![];
    let offsets = Offsets::new(text, loc, Style::Plain, text);
    let parsed = Memo::default().parse(text, loc, &offsets, &mut diagnostics);
    assert_eq!(parsed.loc, loc);
    for diagnostic in diagnostics {
        assert!(text.get(diagnostic.at.range()).is_some(), "{diagnostic:?} is not in the text");
    }
}
