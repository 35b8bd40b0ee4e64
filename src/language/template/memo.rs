//! The templates of a file that were parsed before. Most templates with expressions occur more than once, and parsing them
//! takes time.

use foldhash::HashMap;

use super::{Expr, Node, Part, Template, parse};
use crate::language::diagnostic::Diagnostic;
use crate::language::source::Loc;
use crate::language::yaml::{Offsets, is_template};

/// The maximum number of texts that are kept, and of bytes in each, so that a file of many takes no more memory.
const MOST: usize = 1_000;
const LONGEST: usize = 200;

#[derive(Default)]
pub struct Memo {
    /// For each text: the place where it was first written, and its template there.
    known: HashMap<Box<str>, (u32, Template)>,
}

impl Memo {
    /// Parses texts of one file, as [`parse`] does.
    pub fn parse(&mut self, text: &str, loc: Loc, offsets: &Offsets, diagnostics: &mut Vec<Diagnostic>) -> Template {
        let Some(start) = offsets.verbatim().filter(|_| text.len() <= LONGEST && is_template(text)) else {
            return parse(text, loc, offsets, diagnostics);
        };
        if let Some((first, template)) = self.known.get(text) {
            return template.moved(start.wrapping_sub(*first), loc);
        }
        let before = diagnostics.len();
        let template = parse(text, loc, offsets, diagnostics);
        // A mistake is reported at each of its places.
        if diagnostics.len() == before && self.known.len() < MOST {
            self.known.insert(text.into(), (start, template.clone()));
        }
        template
    }
}

impl Template {
    /// Returns the same text at `loc` of the same file, `by` bytes further on (wrapping).
    fn moved(&self, by: u32, loc: Loc) -> Template {
        let mut parts = self.parts.clone();
        for part in &mut parts {
            if let Part::Expr(node) = part {
                shift(node, by);
            }
        }
        Template { parts, loc }
    }
}

/// Moves a node, which is nested no deeper than [`super::MAX_DEPTH`].
fn shift(node: &mut Node, by: u32) {
    let shifted = |loc: Loc| Loc { start: loc.start.wrapping_add(by), end: loc.end.wrapping_add(by), ..loc };
    node.loc = shifted(node.loc);
    match &mut *node.value {
        Expr::Error | Expr::Bool(_) | Expr::Int(_) | Expr::Double(_) | Expr::Text(_) | Expr::Path(_) => {}
        Expr::List(items) | Expr::Call { arguments: items, .. } => items.iter_mut().for_each(|item| shift(item, by)),
        Expr::Map(entries) => entries.iter_mut().for_each(|(key, value)| {
            shift(key, by);
            shift(value, by);
        }),
        Expr::Filter { input, name, arguments } => {
            shift(input, by);
            name.loc = shifted(name.loc);
            arguments.iter_mut().for_each(|argument| shift(argument, by));
        }
        Expr::If { condition, then, otherwise } => {
            [condition, then, otherwise].into_iter().for_each(|operand| shift(operand, by));
        }
        Expr::Unary { operand, .. } => shift(operand, by),
        Expr::Binary { left, right, .. } => {
            shift(left, by);
            shift(right, by);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::source::FileId;
    use crate::language::yaml::Style;

    #[test]
    fn what_was_read_before_is_the_same_elsewhere() {
        for text in [
            "<<a>>",
            "a <<f(1, {'x': 2, y: [3, 'z']}) | default(-b)>> b",
            "{{ not a.b and 1 + 2 * 3 == c | round(1) }}<<time.unix>>",
            "<<a if b else c % 2>>",
            "<<a",
            "<<a +>> and <<b>>",
            "plain",
        ] {
            // The second text is read after the first, the third is quoted differently, and the fourth is before them all.
            let source = format!("{text} {text} \"{text}\" '{text}'");
            let mut memo = Memo::default();
            let second = text.len() + 1;
            let third = second + text.len() + 1;
            for (start, style) in [
                (second, Style::Plain),
                (0, Style::Plain),
                (third, Style::DoubleQuoted),
                (third + text.len() + 3, Style::SingleQuoted),
            ] {
                let end = start + text.len() + if style.is_quoted() { 2 } else { 0 };
                let loc = Loc { file: FileId(3), start: start as u32, end: end as u32 };
                let offsets = Offsets::new(&source, loc, style, text);
                let (mut one, mut other) = (vec![], vec![]);
                let expected = parse(text, loc, &offsets, &mut one);
                assert_eq!(memo.parse(text, loc, &offsets, &mut other), expected, "{text}");
                assert_eq!(one, other, "{text}");
            }
        }
    }
}
