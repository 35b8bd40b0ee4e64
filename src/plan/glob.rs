//! Globs over export keys: `*` matches any run of characters, `?` any one character, and every other character itself.

/// Reports whether a glob matches the whole text. The number of steps is at most the product of their lengths.
pub fn matches(glob: &str, text: &str) -> bool {
    let (mut glob_rest, mut text_rest) = (glob, text);
    // The position to return to if the rest does not match: after the last star, and one character further in the text.
    let mut retry: Option<(&str, &str)> = None;
    loop {
        let mut next = glob_rest.chars();
        let matched = match (next.next(), text_rest.chars().next()) {
            (Some('*'), _) => {
                glob_rest = next.as_str();
                retry = Some((glob_rest, text_rest));
                continue;
            }
            (None, None) => return true,
            (Some('?'), Some(c)) => Some(c),
            (Some(g), Some(c)) if g == c => Some(c),
            _ => None,
        };
        if let Some(c) = matched {
            glob_rest = next.as_str();
            text_rest = &text_rest[c.len_utf8()..];
            continue;
        }
        let Some((behind_star, from)) = retry else { return false };
        let Some(c) = from.chars().next() else { return false };
        let further = &from[c.len_utf8()..];
        (glob_rest, text_rest) = (behind_star, further);
        retry = Some((behind_star, further));
    }
}

#[cfg(test)]
mod tests {
    use super::matches;

    /// Decides the same by recursion, as a definition.
    fn defined(glob: &[char], text: &[char]) -> bool {
        match (glob, text) {
            ([], []) => true,
            (['*', rest @ ..], _) => (0..=text.len()).any(|k| defined(rest, &text[k..])),
            (['?', glob @ ..], [_, text @ ..]) => defined(glob, text),
            ([g, glob @ ..], [c, text @ ..]) => g == c && defined(glob, text),
            _ => false,
        }
    }

    #[test]
    fn every_short_glob_and_text_agree_with_the_definition() {
        let all = |letters: &[char], length: usize| {
            let mut words = vec![String::new()];
            let mut from = 0;
            for _ in 0..length {
                let until = words.len();
                for i in from..until {
                    words.extend(letters.iter().map(|c| format!("{}{c}", words[i])).collect::<Vec<_>>());
                }
                from = until;
            }
            words
        };
        let mut matched = 0;
        for glob in all(&['a', 'é', '*', '?'], 4) {
            for text in all(&['a', 'é'], 5) {
                let want = defined(&glob.chars().collect::<Vec<_>>(), &text.chars().collect::<Vec<_>>());
                assert_eq!(matches(&glob, &text), want, "{glob} {text}");
                matched += want as u32;
            }
        }
        assert!(matched > 1000);
    }

    #[test]
    fn a_hostile_glob_takes_no_longer_than_the_product() {
        let glob = "*a".repeat(500) + "b";
        assert!(!matches(&glob, &"a".repeat(20_000)));
    }
}
