//! Colours for scenario files and plan listings: each piece of a line gets a class of `style.css`.

mod scanner;

use scanner::{quoted, scan};
use std::ops::Range;

/// The maximum length of a text that is coloured, in bytes.
const MAX_BYTES: usize = 256 * 1024;

/// A part of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece<'a> {
    /// The class: `k` for a key, `s` text, `n` number or boolean, `t` template, `c` comment, `i` id of the plan, or empty.
    pub class: &'static str,
    pub text: &'a str,
    /// There is a mistake in the piece.
    pub marked: bool,
}

pub type Line<'a> = Vec<Piece<'a>>;

/// Reports whether there is a mistake in the line.
pub fn is_marked(line: &Line) -> bool {
    line.iter().any(|piece| piece.marked)
}

/// Splits a scenario file into lines; `marks` are the places of mistakes.
pub fn yaml<'a>(text: &'a str, marks: &[Range<usize>]) -> Vec<Line<'a>> {
    let pieces = match text.len() {
        ..=MAX_BYTES => scan(text),
        _ => vec![("", 0..text.len())],
    };
    let mut marks: Vec<_> = marks.iter().map(|mark| mark.start..mark.end.max(mark.start + 1)).collect();
    marks.sort_by_key(|mark| (mark.start, mark.end));
    let mut lines = vec![vec![]];
    let mut next = 0;
    for (class, range) in pieces {
        let mut at = range.start;
        while at < range.end {
            while marks.get(next).is_some_and(|mark| mark.end <= at) {
                next += 1;
            }
            let mark = marks.get(next).cloned().unwrap_or(text.len()..text.len());
            let marked = mark.start <= at;
            let cut = if marked { mark.end } else { mark.start }.min(range.end);
            let line_end = text[at..range.end].find('\n').map_or(range.end, |n| at + n);
            let end = text.ceil_char_boundary(cut.max(at + 1)).min(line_end);
            if end > at
                && let Some(line) = lines.last_mut()
            {
                line.push(Piece { class, text: text[at..end].trim_end_matches('\r'), marked });
            }
            at = end;
            if end == line_end && line_end < range.end {
                lines.push(vec![]);
                at += 1;
            }
        }
    }
    lines
}

/// Splits a line of a plan listing.
pub fn listing(line: &str) -> Line<'_> {
    let mut pieces = vec![];
    let (mut at, mut plain) = (0, 0);
    while at < line.len() {
        let rest = &line[at..];
        let word = rest.bytes().take_while(|b| b.is_ascii_alphanumeric() || b"_.-".contains(b)).count();
        if rest.starts_with('"') {
            at += quoted(rest, '"');
        } else if is_id(&rest[..word]) {
            pieces.push(Piece { class: "", text: &line[plain..at], marked: false });
            pieces.push(Piece { class: "i", text: &rest[..word], marked: false });
            at += word;
            plain = at;
        } else {
            at += word.max(rest.chars().next().map_or(1, char::len_utf8));
        }
    }
    pieces.push(Piece { class: "", text: &line[plain..], marked: false });
    pieces.retain(|piece| !piece.text.is_empty());
    pieces
}

fn is_id(word: &str) -> bool {
    ["scenario", "slot", "block", "service", "resource"]
        .iter()
        .any(|kind| word.strip_prefix(kind).is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(lines: &[Line]) -> Vec<String> {
        let piece = |p: &Piece| match (p.class, p.marked) {
            ("", false) => p.text.to_string(),
            (class, true) => format!("<{class}!{}>", p.text),
            (class, false) => format!("<{class} {}>", p.text),
        };
        lines.iter().map(|line| line.iter().map(piece).collect()).collect()
    }

    #[test]
    fn scenarios_have_their_colours() {
        let text = "# about\nname: Order # note\nweight: 15\nvars:\n  id: \"o-{{random.int(1, 9)}}\"\n\
                    list: [-1, 2.5%, 'x', <<f(a, b)>>, b c]\nquery: >-\n  SELECT <<x>>\n  FROM t\nurl: http://a:1\n- {k: true}";
        assert_eq!(
            shown(&yaml(text, &[])),
            [
                "<c # about>",
                "<k name>: <s Order> <c # note>",
                "<k weight>: <n 15>",
                "<k vars>:",
                "  <k id>: <s \"o-><t {{random.int(1, 9)}}><s \">",
                "<k list>: [<n -1>, <n 2.5%>, <s 'x'>, <t <<f(a, b)>>>, <s b c>]",
                "<k query>: >-",
                "<s   SELECT ><t <<x>>>",
                "<s   FROM t>",
                "<k url>: <s http://a:1>",
                "- {<k k>: <n true>}",
            ]
        );
    }

    #[test]
    fn marks_cut_pieces_without_losing_text() {
        let text = "service: \"paymet\"\nend: ü";
        assert_eq!(
            shown(&yaml(text, std::slice::from_ref(&(9..17)))),
            ["<k service>: <s!\"paymet\">", "<k end>: <s ü>"]
        );
        assert_eq!(shown(&yaml(text, &[12..14, 23..23])), ["<k service>: <s \"pa><s!ym><s et\">", "<k end>: <s!ü>"]);
        for text in [
            "",
            "\n",
            "a\r\nb",
            "\"open\n  text",
            "|\n",
            "<<",
            "- - -",
            "a: |",
            "{{{[[[",
            "ü: é #ñ",
            ": :",
            "k: >\n\n x",
        ] {
            for mark in 0..text.len() {
                let lines = yaml(text, std::slice::from_ref(&(mark..mark + 2)));
                let joined: Vec<String> = lines.iter().map(|l| l.iter().map(|p| p.text).collect()).collect();
                assert_eq!(joined.join("\n"), text.replace('\r', ""), "{text:?}");
            }
        }
    }

    #[test]
    fn ids_of_a_listing_stand_out() {
        let line = listing("    5  call   block1 \"block2\" -> slot0x");
        assert_eq!(shown(&[line]), ["    5  call   <i block1> \"block2\" -> slot0x"]);
    }
}
