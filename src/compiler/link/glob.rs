//! The check whether a glob can match any text that a key template makes.

/// A part of a text that is not made yet.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Piece {
    Text(String),
    /// Any text, including the empty one.
    Any,
}

/// The number of comparisons after which a pair counts as a match, because matches are checked again when traces are made.
const MOST_WORK: usize = 1 << 20;

/// A character of a key or a glob, or a wildcard.
#[derive(Clone, Copy, PartialEq)]
enum Symbol {
    /// Any run of characters, as [`Piece::Any`].
    Run,
    Char(char),
}

/// Returns the text with which every match of the glob begins.
pub fn head_of_glob(glob: &str) -> &str {
    &glob[..glob.find(['*', '?']).unwrap_or(glob.len())]
}

/// Returns the text with which the key begins.
pub fn head_of_key(key: &[Piece]) -> &str {
    match key.first() {
        Some(Piece::Text(text)) => text,
        _ => "",
    }
}

/// Reports whether some text matches both. In the glob, `*` is any run of characters and `?` any one. The number of steps
/// is added to `steps`.
pub fn can_match(glob: &str, key: &[Piece], steps: &mut u64) -> bool {
    let (mut glob, mut key) = (glob.chars(), symbols(key));
    loop {
        *steps += 1;
        match beginning(glob.clone().next(), key.clone().next()) {
            Beginning::Same => (glob.next(), key.next()),
            Beginning::Other => return false,
            Beginning::Open => break,
            Beginning::End => return true,
        };
    }
    // The remainder contains a run, so its ends can be compared separately.
    loop {
        *steps += 1;
        match beginning(glob.clone().next_back(), key.clone().next_back()) {
            Beginning::Same => (glob.next_back(), key.next_back()),
            Beginning::Other => return false,
            Beginning::Open => break,
            Beginning::End => return true,
        };
    }
    if glob.as_str() == "*" {
        return true;
    }
    let key: Vec<Symbol> = key.collect();
    let length = glob.clone().count();
    let work = (length + 1).saturating_mul(key.len() + 1);
    if key == [Symbol::Run] || work > MOST_WORK {
        return true;
    }
    *steps += work as u64;
    both(glob, &key)
}

fn symbols(key: &[Piece]) -> impl DoubleEndedIterator<Item = Symbol> + Clone {
    key.iter().flat_map(|piece| {
        let (text, run) = match piece {
            Piece::Text(text) => (text.as_str(), None),
            Piece::Any => ("", Some(Symbol::Run)),
        };
        text.chars().map(Symbol::Char).chain(run)
    })
}

/// The comparison of the first characters of a glob and a key.
enum Beginning {
    /// They can be equal.
    Same,
    /// They can't be equal.
    Other,
    /// One of them is a run.
    Open,
    /// There are none left.
    End,
}

fn beginning(glob: Option<char>, key: Option<Symbol>) -> Beginning {
    match (glob, key) {
        (Some('*'), _) | (_, Some(Symbol::Run)) => Beginning::Open,
        (Some(wanted), Some(Symbol::Char(found))) if wanted == '?' || wanted == found => Beginning::Same,
        (None, None) => Beginning::End,
        _ => Beginning::Other,
    }
}

fn both(glob: impl Iterator<Item = char>, key: &[Symbol]) -> bool {
    // row[j] says whether the glob so far and key[..j] can be the same text.
    let mut row = vec![false; key.len() + 1];
    let mut next = row.clone();
    row[0] = true;
    for j in 0..key.len() {
        row[j + 1] = row[j] && key[j] == Symbol::Run;
    }
    for wanted in glob {
        next[0] = row[0] && wanted == '*';
        for (j, &symbol) in key.iter().enumerate() {
            let here = match (wanted, symbol) {
                ('*', _) => row[j + 1] || next[j],
                (_, Symbol::Run) => row[j + 1],
                ('?', _) => row[j],
                (wanted, Symbol::Char(found)) => row[j] && wanted == found,
            };
            // A run of the key can also be empty.
            next[j + 1] = here || symbol == Symbol::Run && next[j];
        }
        std::mem::swap(&mut row, &mut next);
    }
    row[key.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(template: &str) -> Vec<Piece> {
        let mut pieces = Vec::new();
        for (i, part) in template.split('#').enumerate() {
            if i > 0 {
                pieces.push(Piece::Any);
            }
            if !part.is_empty() {
                pieces.push(Piece::Text(part.to_owned()));
            }
        }
        pieces
    }

    #[test]
    fn a_glob_matches_a_key_if_some_text_is_both() {
        for (glob, template) in [
            ("order-*", "order-#"),
            ("order-*", "order-1"),
            ("*", ""),
            ("*", "#"),
            ("?", "#"),
            ("a?c", "abc"),
            ("order-???", "order-#"),
            ("*-eu", "order-#"),
            ("*-eu", "order-#-eu"),
            ("a*b*c", "#b#"),
            ("abc", "#"),
            ("", "#"),
            ("", ""),
            ("x*y", "x#y"),
            ("*a", "#a#"),
            ("a*b*", "a#c#b#d"),
            ("é*?ü", "éxü"),
            ("a*a", "aa"),
        ] {
            assert!(can_match(glob, &key(template), &mut 0), "{glob} {template}");
        }
        for (glob, template) in [
            ("order-*", "invoice-#"),
            ("order-*", "orde"),
            ("?", ""),
            ("a?c", "ac"),
            ("*-eu", "#-us"),
            ("", "a#"),
            ("a*b", "a#c"),
            ("order-?", "order-12"),
            ("a*a", "a"),
            ("*b*", "a"),
            ("é*?ü", "éü"),
        ] {
            assert!(!can_match(glob, &key(template), &mut 0), "{glob} {template}");
        }
    }

    /// The result is compared with the texts themselves: every glob and key of up to three symbols, and every text of up to
    /// six that could match both.
    #[test]
    fn what_matches_is_what_a_text_shows() {
        let words = |symbols: &[char], length: usize| -> Vec<String> {
            let mut words = vec![String::new()];
            let mut longest = words.clone();
            for _ in 0..length {
                longest = longest.iter().flat_map(|w| symbols.iter().map(move |c| format!("{w}{c}"))).collect();
                words.extend(longest.iter().cloned());
            }
            words
        };
        fn matches(pattern: &str, any: char, text: &str) -> bool {
            let Some(first) = pattern.chars().next() else { return text.is_empty() };
            let rest = &pattern[first.len_utf8()..];
            let mut tails = (0..=text.len()).map(|at| &text[at..]);
            match first {
                first if first == any => tails.any(|tail| matches(rest, any, tail)),
                '?' => !text.is_empty() && matches(rest, any, &text[1..]),
                first => text.starts_with(first) && matches(rest, any, &text[1..]),
            }
        }
        let texts = words(&['a', 'b'], 6);
        let made: Vec<(String, Vec<&String>)> = words(&['a', 'b', '#'], 3)
            .into_iter()
            // A template never makes two adjacent runs.
            .filter(|template| !template.contains("##"))
            .map(|template| {
                let texts = texts.iter().filter(|text| matches(&template, '#', text)).collect();
                (template, texts)
            })
            .collect();
        for glob in words(&['a', '*', '?'], 3) {
            for (template, texts) in &made {
                let expected = texts.iter().any(|text| matches(&glob, '*', text));
                assert_eq!(can_match(&glob, &key(template), &mut 0), expected, "{glob} {template}");
            }
        }
    }

    #[test]
    fn a_pair_too_long_to_decide_counts_as_a_match() {
        let key = [Piece::Any, Piece::Text("b".repeat(10_000)), Piece::Any];
        assert!(can_match(&"*a*".repeat(10_000), &key, &mut 0));
    }
}
