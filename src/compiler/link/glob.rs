//! Whether a glob can match any of the texts that a key template makes.

/// What is known of a text before it is made.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Piece {
    Text(String),
    /// Any text, the empty one too.
    Any,
}

/// Comparisons after which a pair counts as a match: what matches is looked at again when traces are made.
const MOST_WORK: usize = 1 << 20;

/// A glob or a key, ready to be compared.
#[derive(Clone, Copy, PartialEq)]
pub enum Symbol {
    /// `*` of the glob, [`Piece::Any`] of the key.
    Run,
    /// `?`.
    One,
    Char(char),
}

/// `*` is any run of characters, `?` any one.
pub fn of_glob(glob: &str) -> Vec<Symbol> {
    glob.chars()
        .map(|c| match c {
            '*' => Symbol::Run,
            '?' => Symbol::One,
            c => Symbol::Char(c),
        })
        .collect()
}

pub fn of_key(key: &[Piece]) -> Vec<Symbol> {
    key.iter()
        .flat_map(|piece| match piece {
            Piece::Text(text) => text.chars().map(Symbol::Char).collect(),
            Piece::Any => vec![Symbol::Run],
        })
        .collect()
}

/// Whether some text matches both.
pub fn can_match(glob: &[Symbol], key: &[Symbol]) -> bool {
    let mut head = 0;
    for pair in glob.iter().zip(key) {
        match pair {
            (Symbol::Run, _) | (_, Symbol::Run) => break,
            (Symbol::Char(a), Symbol::Char(b)) if a != b => return false,
            _ => head += 1,
        }
    }
    let (glob, key) = (&glob[head..], &key[head..]);
    if (glob.len() + 1).saturating_mul(key.len() + 1) > MOST_WORK {
        return true;
    }
    // row[j]: the glob so far and key[..j] can be the same text.
    let mut row = vec![false; key.len() + 1];
    row[0] = true;
    for j in 0..key.len() {
        row[j + 1] = row[j] && key[j] == Symbol::Run;
    }
    for &wanted in glob {
        let mut next = vec![false; key.len() + 1];
        next[0] = row[0] && wanted == Symbol::Run;
        for (j, &symbol) in key.iter().enumerate() {
            let here = match (wanted, symbol) {
                (Symbol::Run, _) => row[j + 1] || next[j],
                (_, Symbol::Run) => row[j + 1],
                (Symbol::Char(a), Symbol::Char(b)) => row[j] && a == b,
                _ => row[j],
            };
            // A run of the key can also be empty.
            next[j + 1] = here || symbol == Symbol::Run && next[j];
        }
        row = next;
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
            ("x*y", "x#y"),
            ("*a", "#a#"),
        ] {
            assert!(can_match(&of_glob(glob), &of_key(&key(template))), "{glob} {template}");
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
        ] {
            assert!(!can_match(&of_glob(glob), &of_key(&key(template))), "{glob} {template}");
        }
    }

    #[test]
    fn a_pair_too_long_to_decide_counts_as_a_match() {
        let long = "*a".repeat(10_000);
        assert!(can_match(&of_glob(&long), &of_key(&[Piece::Any, Piece::Text("b".repeat(10_000))])));
    }
}
